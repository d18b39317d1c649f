"""Published releases of Guild, each in a virtual environment of its own, run as black boxes.

They are made once, below `.venv-test/peers/` of the checkout, and kept. Where no interpreter fits, there is
no peer and the tests that need it are skipped, with the reason; where one fits but the installation fails,
they fail.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.house import ROOT

PEERS = ROOT / ".venv-test" / "peers"


@dataclass(frozen=True)
class Release:
    """A release and what it needs: the Pythons that it runs on (best first), and its requirements.

    The bounds are of libraries that came later and with which the release fails or prints warnings.
    """

    version: str
    pythons: tuple[str, ...]
    requirements: tuple[str, ...]


_BOUNDS = ("setuptools<66", "click<8.2", "chardet<5")
CURRENT = Release("0.9.0", ("3.10", "3.9", "3.8"), ("guildai==0.9.0", *_BOUNDS))
ON_3_8 = Release("0.9.0", ("3.8",), ("guildai==0.9.0", *_BOUNDS))
OLDER = {
    "0.8.2": Release("0.8.2", ("3.8", "3.9"), ("guildai==0.8.2", *_BOUNDS, "pydantic<2")),
    "0.7.5": Release("0.7.5", ("3.7", "3.8"), ("guildai==0.7.5", *_BOUNDS, "protobuf<4")),
}


@dataclass(frozen=True)
class Peer:
    """An installed release: its command and the interpreter that it runs on."""

    version: str
    python: Path

    @property
    def guild(self) -> Path:
        return self.python.with_name("guild")


class NoInterpreter(Exception):
    """No interpreter of a version that the release runs on; the text says which were looked for."""


@cache
def installed(release: Release) -> Peer:
    """The peer, made where it is not there yet (one process at a time).

    Raises:
        NoInterpreter: no Python that fits was found.
        RuntimeError: it could not be installed; the text is what pip said.
    """
    for version in release.pythons:
        if python := find_python(version):
            break
    else:
        wanted = " or ".join(release.pythons)
        raise NoInterpreter(f"Guild {release.version} needs Python {wanted}, and none was found")
    directory = PEERS / f"{release.version}-{version}"
    PEERS.mkdir(parents=True, exist_ok=True)
    with open(directory.with_suffix(f"{directory.suffix}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = directory / "requirements"
        wanted = "\n".join(release.requirements)
        if not done.exists() or done.read_text() != wanted:
            _install(python, directory, release.requirements)
            done.write_text(wanted)
    return Peer(release.version, directory / "bin" / "python")


def _install(python: Path, directory: Path, requirements: Sequence[str]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    print(f"\nInstalling {requirements[0]} for {python} in {directory}", file=sys.stderr, flush=True)
    _checked([python, "-m", "venv", directory])
    pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _checked([*pip, *requirements])


def _checked(argv: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in argv)}:\n{done.stdout}{done.stderr}")


@cache
def find_python(version: str) -> Path | None:
    """An interpreter of this version (`3.8`) that can make virtual environments, wherever such are kept."""
    return next((path for path in _candidates(version) if _fits(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # HOME is not the user's, in tests
    roots = [Path(os.environ["PYENV_ROOT"])] if "PYENV_ROOT" in os.environ else []
    for root in [*roots, home / ".pyenv"]:
        yield from sorted((root / "versions").glob(f"{version}.*/bin/python"), reverse=True)
    yield from sorted((home / ".local/share/uv/python").glob(f"cpython-{version}.*/bin/python{version}"))


def _fits(path: Path, version: str) -> bool:
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, cwd=tempfile.gettempdir())
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version
