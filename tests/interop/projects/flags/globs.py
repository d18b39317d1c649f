_private = 1
i = 1
f = 2.5
s = "text"
b = True
n = None
many = [1, "a"]
neg = -3
d = {"k": 1, "inner": {"z": 2}}
print(i, f, s, b, n, many, neg, d)
