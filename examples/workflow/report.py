rows = len(open("data.txt").read())
open("report.txt", "w").write("%d rows" % rows)
print("best: 0.1")
