"""Listing and comparing with 1,000, 10,000 and 100,000 runs in the home, next to click alone and to a peer.

`--peer PATH` names the `guild` of an installed Guild 0.9.0, which then reads the same home. Each command runs
once to warm the caches (of the kernel, ours, the peer's); that first one of ours is reported as well.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import arguments, installed_command, report, run, summary
from benchmarks.homes import WITH_SCALARS, make_home
from benchmarks.startup import CLICK

COMMANDS = {
    "first page": ["runs"],
    "-Fo train": ["runs", "-Fo", "train"],
    "-Se": ["runs", "-Se"],
    "info 1": ["runs", "info", "1"],
    f"compare --table :{WITH_SCALARS}": ["compare", "--table", f":{WITH_SCALARS}"],
}
PEER_SECONDS = 300


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("-n", type=int, default=7)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--peer", metavar="PATH", help="The `guild` of an installed Guild 0.9.0.")
    parser.add_argument("--keep", metavar="DIR", help="Make the homes here, or use those that are here.")
    parser.add_argument("--only", metavar="TEXT", default="", help="Only commands whose name holds TEXT.")
    args = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="guild-bench-") as base:
        for size in map(int, args.sizes.split(",")):
            home = Path(args.keep or base, f"home-{size}")
            if not home.is_dir():
                began = time.perf_counter()
                make_home(home, size)
                print(f"made {size} runs in {time.perf_counter() - began:.0f} s", file=sys.stderr)
                time.sleep(3)  # what was changed a moment ago is not kept
            for name, words in COMMANDS.items():
                if args.only in name:
                    figures[f"{size} runs: {name}"] = _measure(words, home, args.n, args.peer)
    report("listing", figures, args.json)


def _measure(words: list[str], home: Path, n: int, peer: str | None) -> dict[str, Any]:
    """Ours and click alone in turn; then the peer, once for its caches and once for its time."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GUILD_", "FLAG_"))}
    env["GUILD_HOME"] = str(home)
    ours = [*installed_command(), *words]
    first = run(ours, home, env)
    times, floor = [], []
    for _ in range(n):
        floor.append(run([sys.executable, "-c", CLICK], home, env))
        times.append(run(ours, home, env))
    found = summary(times)
    figures: dict[str, Any] = {
        "best_ms": found["best_ms"],
        "median_ms": found["median_ms"],
        "first_ms": round(first * 1000, 1),
        "x click": round(found["median_ms"] / summary(floor)["median_ms"], 2),
        "max_mb": _peak(ours, home, env),
    }
    if peer:
        seconds = _peer([peer, *words], home, env)
        figures["peer_ms"] = round(seconds * 1000, 1) if seconds else f"over {PEER_SECONDS} s, or failed"
        if seconds:
            figures["x peer"] = round(found["median_ms"] / seconds / 1000, 4)
    return figures


def _peer(argv: Sequence[str], home: Path, env: dict[str, str]) -> float | None:
    try:
        for _ in range(2):
            began = time.perf_counter()
            done = subprocess.run(argv, cwd=home, env=env, capture_output=True, timeout=PEER_SECONDS)
            if done.returncode:
                return None
        return time.perf_counter() - began
    except subprocess.TimeoutExpired:
        return None


def _peak(argv: list[str], cwd: Path, env: dict[str, str]) -> float:
    """The most memory that the command held (resident, MiB), its children each for itself."""
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    return round(int(done.stdout) / 1024, 1)


if __name__ == "__main__":
    main()
