y = 1
print(y)
