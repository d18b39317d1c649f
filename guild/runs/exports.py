"""Export: runs copied to a directory or a zip file, each whole or not at all.

What is there already is never changed: a directory gets its name when it is complete, a zip file is written
anew beside the old one.
"""

import os
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guild.base import files
from guild.base.locks import LockBusy, file_lock
from guild.errors import GuildError
from guild.runs import links
from guild.runs.archives import DAMAGED
from guild.runs.carry import Item, Warn, copy_run, items
from guild.runs.run import Run

NO_COPY = ".guild-nocopy"  # nothing below is source code
_LOCK_SECONDS = 10.0
_CHUNK = 1 << 20
_LINK_MODE = (stat.S_IFLNK | 0o777) << 16
Count = Callable[[int], None]


class DirTarget:
    """A directory that runs are exported to."""

    def __init__(self, path: Path, copy_resources: bool, part: Path) -> None:
        self._path = path
        self._rule = links.copy_resources if copy_resources else links.keep_all
        self._part = part

    def has(self, run_id: str) -> bool:
        return os.path.lexists(self._path / run_id)

    def add(self, run: Run, warn: Warn, count: Count, is_still: Callable[[], bool]) -> bool:
        """Copy a run; False, and nothing is left of it, if it is no longer what it was. Raises OSError."""
        part = self._part / run.id
        try:
            copy_run(run, part, self._rule, warn, count)
            if not is_still():
                return False
            files.move(part, self._path / run.id)
            return True
        finally:
            files.remove_tree(part)

    def sync(self, run_id: str) -> None:
        files.sync_tree(self._path / run_id)


class ZipTarget:
    """A zip file in the making."""

    def __init__(self, opened: zipfile.ZipFile) -> None:
        self._zip = opened
        self.has_grown = False
        self._ids = {name.partition("/")[0] for name in opened.namelist()}

    def has(self, run_id: str) -> bool:
        return run_id in self._ids

    def add(self, run: Run, warn: Warn, count: Count, is_still: Callable[[], bool]) -> bool:
        """As for a directory; also raises GuildError for a name that no zip can hold."""
        before, offset = len(self._zip.filelist), self._zip.start_dir
        done = False
        try:
            self._write_dir(f"{run.id}/", run.path)
            for item in items(run, links.into_zip, warn):
                self._write(run.id, item, count)
            done = is_still()
        except UnicodeEncodeError as e:
            name = os.fsencode(e.object).decode("utf-8", "backslashreplace")
            hint = "Export to a directory instead."
            raise GuildError(f"a zip cannot hold the name '{name}'", hint) from None
        finally:
            if not done:
                self._forget(before, offset)
        if done:
            self._ids.add(run.id)
            self.has_grown = True
        return done

    def _forget(self, count: int, offset: int) -> None:
        """Take back all entries but the first ones: the next one is written over them."""
        for info in self._zip.filelist[count:]:
            self._zip.NameToInfo.pop(info.filename, None)
        del self._zip.filelist[count:]
        self._zip.start_dir = offset

    def _write(self, run_id: str, item: Item, count: Count) -> None:
        name = f"{run_id}/{item.path}"
        if item.is_dir:
            self._write_dir(f"{name}/", Path(item.source))
        elif item.link:
            info = zipfile.ZipInfo(name, time.localtime()[:6])
            info.create_system, info.external_attr = 3, _LINK_MODE
            self._zip.writestr(info, os.fsencode(item.link))
        else:
            self._write_file(name, item.source, count)

    def _write_dir(self, name: str, source: Path) -> None:
        self._zip.writestr(zipfile.ZipInfo.from_file(source, name, strict_timestamps=False), b"")

    def _write_file(self, name: str, source: str, count: Count) -> None:
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as src:
            info = zipfile.ZipInfo.from_file(source, name, strict_timestamps=False)
            info.compress_type = zipfile.ZIP_DEFLATED
            # Its size may change under our hands.
            with self._zip.open(info, "w", force_zip64=info.file_size > 1 << 30) as out:
                while chunk := src.read(_CHUNK):
                    out.write(chunk)
                    count(len(chunk))

    def sync(self, run_id: str) -> None:
        """The file as a whole is put on disk before it gets its name."""


Target = DirTarget | ZipTarget


def is_zip_name(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


@contextmanager
def open_target(path: Path, copy_resources: bool) -> Iterator[Target]:
    """Where to export to, made if it is missing; what was added is there at the end, of a zip all or nothing.

    Raises GuildError for a place that cannot be used, OSError.
    """
    if is_zip_name(path) and not path.is_dir():
        with _open_zip(path) as target:
            yield target
        return
    if path.exists() and not path.is_dir():
        raise GuildError(f"'{path}' is not a directory", "Give a directory, or the name of a .zip file.")
    os.makedirs(path, exist_ok=True)
    (path / NO_COPY).touch()
    _sweep(path)
    part = path / files.temp_name()
    part.mkdir()
    try:
        yield DirTarget(path, copy_resources, part)
    finally:
        files.remove_tree(part)


def _sweep(directory: Path) -> None:
    """Remove what killed exports have left."""
    for name in os.listdir(directory):
        if files.is_stale_temp(name):
            files.remove_tree(directory / name)


@contextmanager
def _open_zip(path: Path) -> Iterator[ZipTarget]:
    path = Path(os.path.realpath(path))  # a link to a zip goes on leading to it
    os.makedirs(path.parent, exist_ok=True)
    _sweep(path.parent)
    temp = path.with_name(files.temp_name())
    try:
        if path.exists():
            with _locked(path):
                shutil.copyfile(path, temp)
                with _opened(path, temp) as target:
                    yield target
                if target.has_grown:
                    shutil.copymode(path, temp)
                    _sync_file(temp)
                    files.move(temp, path)
        else:
            with _opened(path, temp) as target:
                yield target
            if target.has_grown:
                _sync_file(temp)
                _name_new(temp, path)
        files.sync_dir(path.parent)
    finally:
        files.remove_file(temp)


@contextmanager
def _opened(path: Path, temp: Path) -> Iterator[ZipTarget]:
    try:
        opened = zipfile.ZipFile(temp, "a", allowZip64=True)
        if path.exists() and not zipfile.is_zipfile(temp):
            opened.close()
            raise zipfile.BadZipFile("File is not a zip file")
    except DAMAGED as e:
        raise GuildError(f"cannot add to '{path}': {e}", "It was left as it is.") from None
    with opened:
        yield ZipTarget(opened)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        with file_lock(path, _LOCK_SECONDS):
            yield
    except LockBusy:
        raise GuildError(f"another process is writing to '{path}'", "Try again later.") from None


def _name_new(temp: Path, path: Path) -> None:
    """Unlike a rename, never over what another process has made there."""
    try:
        os.link(temp, path)
    except FileExistsError:
        raise GuildError(f"'{path}' was made by another process meanwhile", "Try again.") from None
    except OSError:  # a file system without hard links
        files.move(temp, path)


def _sync_file(temp: Path) -> None:
    fd = os.open(temp, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
