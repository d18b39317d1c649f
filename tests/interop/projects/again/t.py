import sys

x = 1
fail = False
print("x is", x)
print(f"res: {x}")
with open("made.txt", "w") as out:
    out.write(str(x))
if fail:
    sys.exit(3)
