"""From the return of `--stage` to the first line of the job, with an idle queue.

The script writes the time of its first line to a file; the same is measured for `python script.py`, whose
start is the floor. A second pass with another poll-interval shows that the interval does not matter.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import arguments, installed_command, report, summary, workplace

SCRIPT = 'import os, time\nopen(os.environ["MARK"], "w").write(repr(time.time()))\n'


def _wait_for(path: Path, limit: float = 60) -> float:
    until = time.monotonic() + limit
    while time.monotonic() < until:
        try:
            return float(path.read_text())
        except (OSError, ValueError):
            time.sleep(0.001)
    raise SystemExit(f"{path} was not written within {limit} s")


def _floor(project: Path, env: dict[str, str], n: int) -> list[float]:
    mark = project / "mark"
    seconds = []
    for _ in range(n):
        began = time.time()
        subprocess.run([sys.executable, "train.py"], cwd=project, env={**env, "MARK": str(mark)}, check=True)
        seconds.append(float(mark.read_text()) - began)
    return seconds


def _pickups(project: Path, env: dict[str, str], n: int, interval: int) -> list[float]:
    guild = installed_command()
    log = project.parent / f"queue-{interval}.log"
    with open(log, "wb") as out:
        queue = subprocess.Popen(
            [*guild, "run", "queue", f"poll-interval={interval}", "-y"], cwd=project, env=env,
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    seconds = []
    try:
        for number in range(n):
            _wait_until_idle(log, number)
            mark = project.parent / f"mark-{interval}-{number}"
            subprocess.run(
                [*guild, "run", "train.py", "--stage", "-y", "-q"], cwd=project,
                env={**env, "MARK": str(mark)}, check=True,
            )  # fmt: skip
            returned = time.time()
            seconds.append(_wait_for(mark) - returned)
    finally:
        queue.terminate()
        queue.wait()
    return seconds


def _wait_until_idle(log: Path, processed: int) -> None:
    until = time.monotonic() + 60
    while log.read_bytes().count(b"Waiting for staged runs") <= processed and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(0.5)  # let the waiting supervisor finish its imports: what is measured is an idle queue


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("-n", type=int, default=20)
    args = parser.parse_args()
    with workplace(SCRIPT) as (project, env):
        env["PYTHONDONTWRITEBYTECODE"] = os.environ.get("PYTHONDONTWRITEBYTECODE", "")
        floor = summary(_floor(project, env, args.n))
        figures: dict[str, object] = {"python script.py, to its first line": floor}
        for interval in (10, 600):
            got = summary(_pickups(project, env, args.n, interval))
            figures[f"stage returned -> first line, poll {interval}"] = got
            figures[f"  over the floor, poll {interval}: median, p99 ms"] = (
                round(got["median_ms"] - floor["median_ms"], 1),
                round(got["p99_ms"] - floor["median_ms"], 1),
            )
    report("pickup", figures, args.json)


if __name__ == "__main__":
    main()
