"""What really ran: lines that jobs append to a file outside of their run directories."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# Begins, works for a moment (S milliseconds), ends. `x` differs for every staging and restaging.
JOB = """\
import os, time
x = 0
ms = 0
def note(text):
    fd = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, ("%s %s %s\\n" % (text, os.environ["RUN_ID"], x)).encode())
    os.close(fd)
note("begin")
time.sleep(ms / 1000.0)
note("end")
"""


@dataclass(frozen=True)
class Ledger:
    """How often each execution, named by run and x, began and ended."""

    begun: Counter[tuple[str, int]]
    ended: Counter[tuple[str, int]]

    @property
    def twice(self) -> list[tuple[str, int]]:
        return sorted(key for key, count in self.begun.items() if count > 1)


def read_ledger(path: Path) -> Ledger:
    begun: Counter[tuple[str, int]] = Counter()
    ended: Counter[tuple[str, int]] = Counter()
    for line in path.read_text().splitlines() if path.exists() else ():
        what, run_id, x = line.split()
        (begun if what == "begin" else ended)[run_id, int(x)] += 1
    return Ledger(begun, ended)
