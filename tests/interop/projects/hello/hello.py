import sys

msg = "hi"
n = 2
for i in range(n):
    sys.stdout.write(f"{msg}: {i}\n")
sys.stderr.write("done\n")  # whole lines: what Guild 0.9 reads of two streams at once, it mixes
