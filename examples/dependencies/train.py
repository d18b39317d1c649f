import os

lr = 0.1
rows = open("data.csv").read().split()
labels = open("in/labels.csv").read().split()
print("trained on %d rows with %d labels, %s" % (len(rows), len(labels), sorted(os.listdir("."))))
print(open("settings.yml").read())
