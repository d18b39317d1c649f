rows = 3
with open("data.csv", "w") as f:
    for n in range(rows):
        f.write("%d,%d\n" % (n, n * n))
open("log.txt", "w").write("not selected")
print("rows: %d" % rows)
