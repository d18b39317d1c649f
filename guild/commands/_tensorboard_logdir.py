"""The directory that TensorBoard reads: for each run links to its event files, and what Guild knows besides.

A refresh makes it what the runs are now. Nothing in the runs is changed.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.base import files
from guild.base.text import format_time, printable
from guild.runs import layout
from guild.runs.contents import contents
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

_IMAGES = (".png", ".jpg", ".jpeg", ".gif")
_MAX_NAME = 200  # bytes; 255 is what file systems take
_MAX_IMAGES = 200  # of one run
_MAX_IMAGE = 16 << 20
_LIVE = (RunStatus.RUNNING, RunStatus.PENDING, RunStatus.STAGED)


@dataclass(frozen=True)
class Content:
    """One file of a run, by the directory that it is in, relative to the run's."""

    prefix: str
    path: str

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def event_files(run: Run) -> Iterator[Content]:
    """The event files below a run, by name."""
    return (each for each in _contents(run.path) if layout.EVENTS_MARK in each.name)


def _contents(top: Path) -> Iterator[Content]:
    for prefix, entry in contents(top):
        with contextlib.suppress(OSError):
            if entry.is_file():
                yield Content(prefix, entry.path)


def run_name(seen: Seen, flags: Sequence[str]) -> str:
    """`SHORT-ID OPERATION STARTED LABEL`, or with `flags` their values for the label; fit for a directory."""
    if flags:
        from guild.ops.flag_values import format_value

        values = [(name, seen.flags.get(name)) for name in flags]
        last = " ".join(f"{name}={'' if value is None else format_value(value)}" for name, value in values)
    else:
        last = seen.label
    parts = (seen.run.short_id, seen.operation, format_time(seen.run.int_attr(layout.STARTED)), last)
    text = printable(" ".join(part for part in parts if part))
    return re.sub(r"[/\\]", "_", text).encode()[:_MAX_NAME].decode("utf-8", "ignore").strip()


class LogDir:
    """One such directory. `summaries` writes what only TensorBoard's own library can (None: leave it out)."""

    def __init__(
        self, path: Path, name_flags: Sequence[str] = (), images: bool = True, summaries: Any = None
    ) -> None:
        self._path = path
        self._name_flags = name_flags
        self._images = images
        self._summaries = summaries
        # The runs that had ended when they were last looked at, with their state: nothing more comes of them.
        self._done: dict[str, Any] = {}

    def refresh(self, runs: Sequence[Seen]) -> None:
        """Make it show these runs. What cannot be read of one of them is left out."""
        wanted = {run_name(seen, self._name_flags): seen for seen in runs}
        for name in os.listdir(self._path):
            if name not in wanted:
                files.remove_tree(self._path / name)
                self._done.pop(name, None)
        for name, seen in wanted.items():
            with contextlib.suppress(OSError):
                state = _state(seen)
                if self._done.get(name) == state:
                    continue
                self._refresh_run(self._path / name, seen)
                if seen.status not in _LIVE:
                    self._done[name] = state

    def _refresh_run(self, target: Path, seen: Seen) -> None:
        here = {os.fspath(link) for link in target.rglob(f"*{layout.EVENTS_PREFIX}*") if link.is_symlink()}
        images = 0
        for content in _contents(seen.run.path):
            if layout.EVENTS_MARK in content.name:
                link = target / content.prefix / content.name
                here.discard(os.fspath(link))
                _link(Path(content.path), link)
            elif self._wants_image(content) and images < _MAX_IMAGES:
                images += 1
                self._write_image(target, content, images)
        for gone in here:
            files.remove_file(Path(gone))
        if self._summaries is not None and self._summaries.hparams:
            self._write_hparams(target / layout.GUILD_DIR, seen)

    def _wants_image(self, content: Content) -> bool:
        hidden = content.prefix == layout.GUILD_DIR or content.prefix.startswith(layout.GUILD_DIR + os.sep)
        return (
            self._images
            and self._summaries is not None
            and not hidden
            and content.name.lower().endswith(_IMAGES)
        )

    def _write_image(self, target: Path, content: Content, number: int) -> None:
        import hashlib

        info = os.stat(content.path)
        if info.st_size > _MAX_IMAGE:
            return
        tag = os.path.join(content.prefix, content.name)
        mark = f"{tag} {info.st_mtime_ns} {info.st_size}".encode("utf-8", "surrogateescape")
        name = f"{layout.EVENTS_PREFIX}{number:010d}.image.{hashlib.md5(mark).hexdigest()}"
        path = target / ".images" / name
        if not path.exists():
            data = self._summaries.image(printable(tag), files.read_regular(content.path, _MAX_IMAGE))
            if data:
                _write(path, data)

    def _write_hparams(self, target: Path, seen: Seen) -> None:
        """At the start what it was given, at its end how it ended and how long it took."""
        start = target / f"{layout.EVENTS_PREFIX}0000000000.hparams"
        if not start.exists():
            _write(start, self._summaries.session_start(seen))
        end = target / f"{layout.EVENTS_PREFIX}9999999999.time"
        if seen.status not in _LIVE and not end.exists():
            _write(end, self._summaries.session_end(seen))


def _state(seen: Seen) -> tuple[Any, ...]:
    """What changes when an ended run is run again, or gets another file where most are."""
    run = seen.run
    times = [os.stat(path).st_mtime_ns if path.is_dir() else 0 for path in (run.path, run.guild_dir)]
    return run.id, seen.status, run.attr(layout.STOPPED), *times


def _link(source: Path, link: Path) -> None:
    if link.is_symlink() or link.exists():
        return
    os.makedirs(link.parent, exist_ok=True)
    os.symlink(source.absolute(), link)


def _write(path: Path, data: bytes) -> None:
    os.makedirs(path.parent, exist_ok=True)
    path.write_bytes(data)
