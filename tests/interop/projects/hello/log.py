from guild.summary import SummaryWriter

writer = SummaryWriter(".")
for step in range(1, 4):
    writer.add_scalar("loss", 1.0 / step, step)
writer.close()
other = SummaryWriter("logs/a")
other.add_scalar("acc", 0.5)
other.close()
