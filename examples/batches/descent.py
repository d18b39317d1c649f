from guild import batch_util

step = 0.5
batch = batch_util.batch_run()
best, x = None, 0.0
for _ in range(batch.max_trials):
    trial = batch.run_trial({"x": x})
    if best is not None and trial.scalars["loss"] >= best:
        break
    best = trial.scalars["loss"]
    x += step
print("best loss: %.4f" % best)
