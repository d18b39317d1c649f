"""The process of a batch (`+` and random search): runs record `python -um guild.batch_main`."""

import sys

from guild.launch.entry import run_as_parent
from guild.launch.trials import run_batch

if __name__ == "__main__":
    sys.exit(run_as_parent(run_batch))
