import sys

msg = "hi"
n = 2
for i in range(n):
    print(f"{msg}: {i}")
print("done", file=sys.stderr)
