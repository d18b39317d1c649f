"""The process of a random search, as runs record it; its trials were chosen when it was made."""

import sys

from guild.launch.entry import run_as_parent
from guild.launch.trials import run_batch

if __name__ == "__main__":
    sys.exit(run_as_parent(run_batch))
