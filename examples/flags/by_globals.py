lr = 0.1
name = "a"
layers = [8, 4]
print(lr, name, layers)
