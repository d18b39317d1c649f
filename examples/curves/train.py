import json

lr = 0.1
steps = 4

x = 1.0
for step in range(1, steps + 1):
    x -= lr * 2 * x
    print(f"loss: {x * x:.4f} (step {step})")

with open("result.json", "w") as f:
    json.dump({"x": round(x, 4), "lr": lr}, f)
