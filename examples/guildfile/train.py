import argparse
import os

p = argparse.ArgumentParser()
p.add_argument("--width", type=int)
p.add_argument("--quick", action="store_true")
p.add_argument("--lr", type=float, default=0.5)
p.add_argument("--epochs", type=int, default=1)
p.add_argument("--size")
p.add_argument("--order")
p.add_argument("--layers", type=int, nargs="+")
args = p.parse_args()

print("width=%s epochs=%s order=%s layers=%s" % (args.width, args.epochs, args.order, args.layers))
print("data format:", os.getenv("DATA_FORMAT", os.getenv("IMAGE_ORDER")))
for step in range(1, args.epochs + 1):
    print("step %d" % step)
    print("loss is %.4f" % (args.lr / step))
print("accuracy is %.4f" % (1 - args.lr / args.epochs))
