"""What `guild check` finds out about Guild, Python, the machine and the Guild home. It changes nothing."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guild.app import App
from guild.base.text import format_size
from guild.home import Home

DEPENDENCIES = {"click": "8.1", "PyYAML": "6.0", "psutil": "5.9", "watchdog": "3.0"}
_LITTLE_SPACE = 200 * 1024 * 1024


@dataclass(frozen=True)
class Fact:
    """`problem`: what is wrong and what to do, empty where nothing is."""

    name: str
    value: str
    problem: str = ""
    verbose: bool = False


def environment_facts(app: App) -> Iterator[Fact]:
    """Guild, its home, Python."""
    import guild

    yield Fact("guild_version", guild.__version__)
    yield Fact("guild_install_location", os.path.dirname(os.path.abspath(guild.__file__)))
    yield Fact("guild_home", str(app.home.path))
    yield Fact("guild_resource_cache", str(app.home.cache / "resources"))
    yield Fact("python_version", sys.version.replace("\n", ""))
    yield Fact("python_exe", sys.executable)
    yield Fact("python_path", os.pathsep.join(sys.path), verbose=True)


def machine_facts(app: App) -> Iterator[Fact]:
    """The system, what Guild is built on, tools that it uses."""
    from guild.launch.machine import find_place

    u = os.uname()
    yield Fact("platform", f"{u.sysname} {u.release} {u.machine}")
    python = find_place(app.environ, str(app.cwd)).python_exe
    yield Fact("python_of_runs", python)
    for name, least in DEPENDENCIES.items():
        yield _dependency(name, least)
    for name in ("tensorboard", "pip", "setuptools", "numpy", "pandas", "scikit-learn"):
        yield Fact(
            f"{name.replace('-', '_')}_version", _version_of(name) or "not installed", "", name[0] != "t"
        )
    git = _first_line(["git", "--version"])
    yield Fact("git_version", git.removeprefix("git version ") or "not installed")
    smi = _first_line(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    yield Fact("nvidia_driver_version", smi or "not installed")


def _dependency(name: str, least: str) -> Fact:
    version = _version_of(name)
    key = f"{name.lower()}_version"
    if version is None:
        return Fact(key, "not installed", f"{name} is not installed: pip install '{name}>={least}'")
    if _numbers(version) < _numbers(least):
        return Fact(key, version, f"{name} {version} is too old: pip install '{name}>={least}'")
    return Fact(key, version)


def _version_of(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    import re

    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _first_line(argv: list[str], timeout: float = 10.0) -> str:
    """What a tool prints first; '' where it is not there, fails or hangs."""
    import subprocess

    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return lines[0].strip() if lines else ""


def home_facts(app: App) -> Iterator[Fact]:
    """The home: whether it can be used, and what is in it."""
    home = app.home
    if not os.path.lexists(home.path):
        above = next(p for p in home.path.parents if p.exists())
        problem = (
            "" if os.access(above, os.W_OK) else f"'{home.path}' cannot be made: no permission in '{above}'"
        )
        yield Fact("home_state", "made by the first run", problem)
        return
    yield _writable(home.path)
    yield from _runs(app)
    yield _lock(home)
    yield Fact("journal", _size_of(home.journal))
    yield _index(home.index)
    yield _space(home.path)


def _writable(path: Path) -> Fact:
    problem = f"no files can be made in '{path}': choose another home with -H or GUILD_HOME"
    can = os.access(path, os.R_OK | os.W_OK | os.X_OK)
    return Fact("home_writable", "yes" if can else "no", "" if can else problem)


def _runs(app: App) -> Iterator[Fact]:
    from guild.errors import GuildError

    try:
        yield Fact("runs", str(len(app.store.newest_first())))
        yield Fact("deleted_runs", str(len(app.store.trashed())))
        made = app.home.staging
        left = len(os.listdir(made)) if made.is_dir() else 0
        yield Fact("runs_in_the_making", str(left), verbose=True)
    except GuildError as e:
        yield Fact("runs", "unknown", e.message)
    except OSError as e:
        yield Fact("runs", "unknown", f"cannot read '{e.filename}': {e.strerror}")


def _lock(home: Home) -> Fact:
    """Whether the home's lock is free. One that is held for a moment is no fault."""
    from guild.base.locks import LockBusy, file_lock

    if not home.lock.exists():
        return Fact("lock", "free")
    try:
        with file_lock(home.lock, 2.0):
            return Fact("lock", "free")
    except LockBusy:
        return Fact("lock", "held by another guild process")
    except OSError as e:
        return Fact("lock", "unknown", f"cannot use the lock '{home.lock}': {e.strerror}")


def _size_of(path: Path) -> str:
    try:
        return format_size(os.stat(path).st_size)
    except OSError:
        return "none yet"


def _index(path: Path) -> Fact:
    """The index is only a cache: a damaged one is made anew by itself."""
    if not path.is_file():
        return Fact("index", "none yet")
    try:
        import sqlite3
    except ImportError:
        return Fact("index", "not available: this Python has no sqlite3")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
        try:
            rows = db.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            db.close()
    except sqlite3.OperationalError as e:
        return Fact("index", f"not available: {e}")
    except sqlite3.DatabaseError:
        return Fact("index", "damaged; it is made anew when it is needed")
    return Fact("index", _size_of(path) if rows == ("ok",) else "damaged; it is made anew when it is needed")


def _space(path: Path) -> Fact:
    import shutil

    try:
        free = shutil.disk_usage(path).free
    except OSError as e:
        return Fact("free_space", "unknown", f"cannot tell the free space of '{path}': {e.strerror}")
    problem = f"only {format_size(free)} are free in '{path}': 'guild runs purge' makes room"
    return Fact("free_space", format_size(free), problem if free < _LITTLE_SPACE else "")


def space_facts(app: App) -> Iterator[Fact]:
    """Disk space of the parts of the home (`--space`); files with several names count once."""
    home = app.home
    for name, path in (
        ("guild_home", home.path),
        ("runs", home.runs),
        ("deleted_runs", home.trash),
        ("cache", home.cache),
    ):
        yield Fact(name, f"{format_size(_used(path)):<8} {path}")


def _used(path: Path) -> int:
    total, pending = 0, [os.fspath(path)]
    seen: set[tuple[int, int]] = set()
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    info = entry.stat(follow_symlinks=False)
                    if info.st_nlink == 1 or (info.st_dev, info.st_ino) not in seen:
                        total += info.st_blocks * 512
                    if info.st_nlink > 1:
                        seen.add((info.st_dev, info.st_ino))
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total


_ASK = {
    "pytorch": "import torch as t; print(t.__version__, 'with', t.cuda.device_count(), 'CUDA devices')",
    "tensorflow": "import tensorflow as t; "
    "print(t.__version__, 'with', len(t.config.list_physical_devices('GPU')), 'GPUs')",
}


def framework_fact(app: App, name: str) -> Fact:
    """Version and devices of a framework, as the Python of runs has it."""
    from guild.launch.machine import find_place

    python = find_place(app.environ, str(app.cwd)).python_exe
    answer = _first_line([python, "-c", _ASK[name]], timeout=120.0)
    problem = f"{name} cannot be used by {python}"
    return Fact(f"{name}_version", answer or "not installed", "" if answer else problem)
