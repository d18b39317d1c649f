import os

lr = 0.1
epochs = 2
notes = None
verbose = True
layers = [1, 2]
with open("data.csv") as data:
    rows = data.read().split()
for epoch in range(1, epochs + 1):
    print(f"step: {epoch}")
    print(f"loss: {lr * len(rows) / epoch:.4f}")
    print(f"accuracy={1 - lr / epoch:.3f}")
os.makedirs("checkpoints")
for epoch in range(1, epochs + 1):
    with open(f"checkpoints/model-{epoch}.txt", "w") as out:
        out.write(f"lr={lr}\n")
