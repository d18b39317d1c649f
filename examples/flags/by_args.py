import argparse

p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.1, help="Step size")
p.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
p.add_argument("--verbose", action="store_true")
print(p.parse_args())
