from guild.op_util import current_run
from guild.summary import SummaryWriter

epochs = 3
run = current_run()
with SummaryWriter() as writer:
    for epoch in range(epochs):
        writer.add_scalar("val/loss", 1 / (epoch + 1), epoch)
run.write_attr("dataset", {"name": "digits", "rows": 1797})
print("run %s has flags %s" % (run.short_id, run["flags"]))
