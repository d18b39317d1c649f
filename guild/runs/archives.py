"""Archives of runs, read where they are: a directory, or a zip file, with a directory for each run."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from guild.base import files, unpack
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.run import EventValue, Run, is_run_dir
from guild.runs.status import MARKERS

# What reading a damaged member raises; NotImplementedError: an unknown method, RuntimeError: a password.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
_ABOUT = "It should be a directory or a zip file that 'guild export' has made."


class ZipRun(Run):
    """A run inside of a zip file. Its files have a name in the run directory, and no path of their own."""

    def __init__(self, path: Path, archive: "ZipArchive") -> None:
        super().__init__(path)
        self.archive = archive
        self.members = archive.members[path.name]

    def read(self, name: str) -> bytes:
        """Raises OSError, also for a damaged member."""
        info = self.members.get(f"{layout.GUILD_DIR}/{name}")
        if info is None:
            raise FileNotFoundError(f"{self.path}: no '{name}'")
        if info.is_dir() or info.file_size > files.SMALL:
            raise files.NotReadable(f"{self.path}: '{name}' is no small file")
        try:
            with self.archive.open(info) as f:
                return f.read(files.SMALL)
        except DAMAGED as e:
            raise files.NotReadable(f"{self.path}: '{name}' is damaged: {e}") from None

    def has(self, name: str) -> bool:
        full = f"{layout.GUILD_DIR}/{name}"
        return full in self.members or any(path.startswith(full + "/") for path in self.members)

    def markers(self) -> frozenset[str]:
        return frozenset(name for name in MARKERS if f"{layout.GUILD_DIR}/{name}" in self.members)

    def event_values(self) -> Iterator[EventValue]:
        """Of a damaged member as far as it can be read."""
        from guild.runs.events import read_event_stream

        for path, info in sorted(self.members.items()):
            directory, _, name = path.rpartition("/")
            if layout.EVENTS_MARK in name and not info.is_dir():
                with suppress(*DAMAGED, OSError), self.archive.open(info) as f:
                    for value in read_event_stream(f, info.file_size):
                        yield directory, *value

    def lock_pid(self) -> int | None:
        """None: nothing that lies in an archive is executed."""
        return None


class ZipArchive:
    """The runs in an open zip file. `twice`: ids of runs of which a path comes more than once;
    `outside`: names that lead out of the archive."""

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = opened
        self.members: dict[str, dict[str, zipfile.ZipInfo]] = {}
        self.twice: set[str] = set()
        self.outside: list[str] = []
        for info in opened.infolist():
            self._enter(info)

    def _enter(self, info: zipfile.ZipInfo) -> None:
        safe = unpack.safe_path(info.filename)
        if safe is None:
            self.outside.append(info.filename)
            return
        run_id, _, inside = safe.partition("/")
        if not is_plain_id(run_id):
            return
        members = self.members.setdefault(run_id, {})
        if inside:
            if inside in members and not (info.is_dir() and members[inside].is_dir()):
                self.twice.add(run_id)
            members[inside] = info

    def runs(self) -> list[Run]:
        opref = f"{layout.GUILD_DIR}/{layout.OPREF}"
        return [ZipRun(self.path / name, self) for name, found in self.members.items() if opref in found]

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """A member's content, never more than it says. Raises what is in DAMAGED, OSError."""
        return self._zip.open(info)


class DirArchive:
    """The runs below a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def runs(self) -> list[Run]:
        try:
            with os.scandir(self.path) as entries:
                found = [e for e in entries if is_plain_id(e.name) and e.is_dir(follow_symlinks=False)]
        except OSError as e:
            raise GuildError(f"cannot read '{self.path}': {e.strerror}") from None
        return [Run(entry.path) for entry in found if is_run_dir(entry.path)]


Archive = ZipArchive | DirArchive


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The archive at a path (absolute). Raises GuildError where there is none, or it cannot be read."""
    if path.is_dir():
        yield DirArchive(path)
        return
    if not path.exists():
        raise GuildError(f"archive '{path}' does not exist", _ABOUT)
    if not path.is_file():
        raise GuildError(f"cannot read '{path}': it is neither a file nor a directory", _ABOUT)
    try:
        opened = zipfile.ZipFile(path)
    except DAMAGED as e:
        raise GuildError(f"cannot read '{path}': {e}", _ABOUT) from None
    except OSError as e:
        raise GuildError(f"cannot read '{path}': {e.strerror or e}", _ABOUT) from None
    with opened:
        yield ZipArchive(path, opened)


def is_plain_id(name: str) -> bool:
    """Whether a run may have this name: one of a directory, not hidden, that can be printed."""
    return name.isprintable() and bool(name) and name[0] not in "./" and "/" not in name and len(name) < 200
