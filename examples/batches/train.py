x = 0.0
name = "a"
print("loss: %f" % ((x - 1) ** 2))
