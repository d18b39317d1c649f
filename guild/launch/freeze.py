"""Which packages an interpreter has: the attribute `pip_freeze`, recorded once the operation has begun.

Asking an interpreter takes longer than many a run; the answer is kept under `cache/packages` while the
directories that it was read from stay as they are.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from guild.base import files, jsonio
from guild.runs import attrs
from guild.runs.run import Run

_ASK = """
import json, sys
try:
    from importlib.metadata import distributions
except ImportError:
    sys.exit(1)
found = {}
for d in distributions():
    name = d.metadata["Name"]
    if name:
        found.setdefault(name, d.version)
paths = [p for p in sys.path if p]
json.dump({"packages": sorted("%s==%s" % i for i in found.items()), "paths": paths}, sys.stdout)
"""
_TIME_LIMIT = 60


def record_packages(cache: Path, run: Run, python: str) -> None:
    """Write `pip_freeze`. The interpreter is asked by a process of its own, which is not waited for
    unless its answer is known already. Raises OSError."""
    known = _known(_entry(cache, python))
    if known is not None:
        attrs.write_attr(run.guild_dir, "pip_freeze", known)
        return
    # A detached process asks and writes: a run of a few milliseconds is not held up by it.
    subprocess.Popen(
        [sys.executable, "-m", "guild.launch.freeze", str(cache), str(run.path), python],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=cache,  # -m puts it first on the module path: not the user's directory
    )


def _entry(cache: Path, python: str) -> Path:
    return cache / "packages" / files.md5_bytes(os.fsencode(os.path.abspath(python)))


def _known(entry: Path) -> list[str] | None:
    """The packages as read before, None if any of the directories has changed since."""
    try:
        data = jsonio.load(files.read_regular(entry))
        same = all(_stamp(path) == stamp for path, stamp in data["stamps"].items())
        return list(data["packages"]) if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _stamp(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def main(cache: str, run_dir: str, python: str) -> None:
    """Ask the interpreter; keep the answer, and record it in the run."""
    run, entry = Run(Path(run_dir)), _entry(Path(cache), python)
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    answer = subprocess.run(
        [python, "-c", _ASK], capture_output=True, timeout=_TIME_LIMIT, check=True, env=environ
    )
    data = json.loads(answer.stdout)
    stamps = {path: _stamp(path) for path in data["paths"]}
    os.makedirs(entry.parent, exist_ok=True)
    files.write_whole(entry, json.dumps({"packages": data["packages"], "stamps": stamps}).encode())
    if run.guild_dir.is_dir():
        attrs.write_attr(run.guild_dir, "pip_freeze", data["packages"])


if __name__ == "__main__":
    main(*sys.argv[1:4])
