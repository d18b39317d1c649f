import math

x = 0.5
y = 1
kind = "sin"
loss = (math.sin(5 * x) if kind == "sin" else x) * y
print(f"x: {x:f}")
print(f"loss: {loss:f}")
