"""What export, import and the list of an archive have in common: the archive's runs, progress, warnings."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guild.app import App
from guild.base.text import format_size, printable
from guild.errors import GuildError
from guild.runs.run import Run
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.archives import Archive

_EVERY = 0.1  # seconds


def full_path(app: App, text: str) -> Path:
    """The path that a user has given, absolute. Raises GuildError for an empty one."""
    if not text:
        raise GuildError("the name of the directory or zip file is empty")
    return Path(os.path.abspath(app.cwd / os.path.expanduser(text)))


@contextmanager
def archive_at(app: App, text: str) -> Iterator["Archive"]:
    """The archive that a user has named; warns about names in it that lead outside. Raises GuildError."""
    from guild.runs.archives import ZipArchive, open_archive

    with open_archive(full_path(app, text)) as archive:
        if isinstance(archive, ZipArchive) and archive.outside:
            warn(f"{len(archive.outside)} name(s) such as '{archive.outside[0]}' lead out of the archive")
        yield archive


def warn(text: str) -> None:
    click.echo(f"WARNING: {printable(text)}", err=True)


def warn_skipped(run_id: str, why: str) -> None:
    warn(f"{run_id} {why}, skipping")


def in_hand(run: Run) -> str:
    """Why a run cannot be taken elsewhere now; '' if it can."""
    status = run.status()
    if status is RunStatus.RUNNING:
        return "is running"
    lease = run.claim_lease() if status is RunStatus.PENDING else None
    return "is being started" if lease is not None and lease.is_held else ""


class Progress:
    """One line for each run; on a terminal, behind it, how much of it is copied."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._live = sys.stderr.isatty()
        self._line = ""
        self._done = 0
        self._next = 0.0

    def begin(self, run_id: str) -> None:
        self._line, self._done = f"{self._verb} {printable(run_id)}", 0
        self._next = time.monotonic() + _EVERY
        click.echo(self._line, err=True, nl=not self._live)

    def count(self, size: int) -> None:
        self._done += size
        if self._live and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            click.echo(f"\r{self._line} {format_size(self._done)}\x1b[K", err=True, nl=False)

    def end(self) -> None:
        if self._live:
            click.echo(f"\r{self._line}\x1b[K", err=True)

    def warn(self, text: str) -> None:
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
        warn(text)
