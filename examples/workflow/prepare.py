rows = 2
open("data.txt", "w").write("x" * rows)
print("prepared", rows)
