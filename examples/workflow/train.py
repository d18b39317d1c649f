lr = 0.5
rows = len(open("data.txt").read())
print("loss: %f" % (lr * rows))
