"""What the benchmarks share: a home of their own, real commands, a report with commit and machine."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GUILD = (sys.executable, "-m", "guild")


def installed_command() -> tuple[str, ...]:
    """The `guild` beside this interpreter if there is one (its modules are compiled), else `-m guild`."""
    script = Path(sys.executable).with_name("guild")
    return (str(script),) if script.exists() else GUILD


@contextmanager
def workplace(script: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """(project directory holding `train.py`, environment with a fresh home)."""
    with tempfile.TemporaryDirectory(prefix="guild-bench-") as base:
        project = Path(base, "project")
        project.mkdir()
        (project / "train.py").write_text(script)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GUILD_", "FLAG_"))}
        yield project, {**env, "GUILD_HOME": str(Path(base, "home"))}


def run(argv: Sequence[str], cwd: Path, env: dict[str, str]) -> float:
    """Wall-clock seconds of a command; fails if it fails."""
    began = time.perf_counter()
    subprocess.run(argv, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: best, median, 99th of a hundred."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "best_ms": round(ordered[0] * 1000, 1),
        "median_ms": round(statistics.median(ordered) * 1000, 1),
        "p99_ms": round(high * 1000, 1),
        "n": len(ordered),
    }


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", metavar="FILE")
    return parser


def report(name: str, figures: dict[str, Any], path: str | None) -> None:
    """Print the figures; keep them with commit and machine if a file is named."""
    for key, value in figures.items():
        print(f"{key:44} {value}")
    if path:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        data = {"benchmark": name, "commit": commit, "machine": machine, "figures": figures}
        Path(path).write_text(json.dumps(data, indent=2) + "\n")
