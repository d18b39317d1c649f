"""Make the frozen samples: `python -m tests.data.older.make_samples RELEASE VENV`, in the checkout.

VENV is a virtual environment with that release of Guild (`tests/interop/peers.py` has the requirements; 0.6.6
needs Python 3.6). All is made below /tmp/older, in an environment that says nothing of who makes it, packed
as RELEASE.tar.gz beside this file, and removed.
"""

import gzip
import io
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.interop.older import FILES, commands

BASE = Path("/tmp/older")
HERE = Path(__file__).parent
# Of the machine, and of no use.
LEFT_OUT = ("platform", "pip_freeze")


def main(release: str, venv: str) -> None:
    shutil.rmtree(BASE, ignore_errors=True)
    for name in ("project", "home"):
        (BASE / name).mkdir(parents=True)
    (BASE / "venv").symlink_to(Path(venv).absolute())
    for name, text in FILES.items():
        (BASE / "project" / name).write_text(text)
    for command in commands(release):
        _run(command)
    _make_neutral(BASE / "home" / "runs")
    _pack(BASE / "home" / "runs", HERE / f"{release}.tar.gz")
    shutil.rmtree(BASE)


def _run(command: str) -> None:
    python = str(BASE / "venv" / "bin" / "python")
    start = "import sys, guild.main_bootstrap as b; sys.argv[0] = 'guild'; b.main()"
    environ = {
        "PATH": f"{BASE}/venv/bin:/usr/bin:/bin",
        "GUILD_HOME": str(BASE / "home"),
        "HOME": str(BASE),
        "HOST": "host",
        "USER": "user",
        "LANG": "C.UTF-8",
        "NO_IMPORT_FLAGS_PROGRESS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    subprocess.run(
        [python, "-c", start, *shlex.split(command)],
        cwd=BASE / "project",
        env=environ,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _make_neutral(runs: Path) -> None:
    for path in sorted(runs.rglob("*")):
        if path.parent.name == "attrs" and path.name in LEFT_OUT:
            path.unlink()
        elif path.name.startswith("events.out"):
            words = path.name.split(".")
            path.rename(path.with_name(".".join([*words[:4], "host", *words[-2:]])))


def _pack(runs: Path, target: Path) -> None:
    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for run in sorted(runs.iterdir()):
            tar.add(run, arcname=run.name, filter=plain)
    target.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
