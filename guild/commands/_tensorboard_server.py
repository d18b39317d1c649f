"""TensorBoard in this process, on a directory that is refreshed until Ctrl-C."""

import contextlib
import importlib
import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from guild.commands._tensorboard_logdir import LogDir
from guild.commands._tensorboard_summaries import Summaries
from guild.errors import GuildError
from guild.runs.seen import Seen

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ServerOptions:
    """As they were given; `port` 0 takes a free one."""

    host: str | None
    port: int
    interval: float
    name_flags: tuple[str, ...]
    open_browser: bool
    passed: tuple[str, ...]
    images: bool
    hparams: bool
    tab: str | None


class _Ended(Exception):
    """Somebody asked this process to end."""


def serve(list_runs: Callable[[], Sequence[Seen]], options: ServerOptions) -> None:
    """Show the runs until Ctrl-C. Raises GuildError where TensorBoard is missing or cannot be started."""
    try:
        program: Any = importlib.import_module("tensorboard.program")
        plugins: Any = importlib.import_module("tensorboard.default")
        version: str = importlib.import_module("tensorboard.version").VERSION
        summaries = Summaries(options.hparams)
    except ImportError as e:
        missing = not (e.name or "").startswith("tensorboard.") and e.name != "tensorboard"
        because = f": its '{e.name}' is missing" if missing and e.name else ""
        raise GuildError(
            f"TensorBoard is not installed{because}",
            "Install it: pip install 'guildai[tensorboard]'. --export-scalars works without it.",
        ) from None
    for name in ("tensorboard", "werkzeug"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _until_ended(), tempfile.TemporaryDirectory(prefix="guild-tensorboard-") as directory:
        click.echo("Preparing runs for TensorBoard", err=True)
        logdir = LogDir(Path(directory), options.name_flags, options.images, summaries)
        logdir.refresh(list_runs())
        url = _start(program, plugins, directory, options)
        click.echo(f"Running TensorBoard {version} at {url} (Type Ctrl+C to quit)", err=True)
        if options.open_browser:
            click.launch(url + (f"#{options.tab}" if options.tab else ""))
        while True:
            threading.Event().wait(options.interval)
            _refresh(logdir, list_runs)


def _refresh(logdir: LogDir, list_runs: Callable[[], Sequence[Seen]]) -> None:
    """One that fails for a moment (a full disk, a home that is being moved) is made up by the next."""
    try:
        logdir.refresh(list_runs())
    except (GuildError, OSError) as e:
        click.echo(f"WARNING: cannot refresh the runs: {e}", err=True)


@contextlib.contextmanager
def _until_ended() -> Iterator[None]:
    """Ctrl-C and SIGTERM end what is within, with its cleaning up."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _Ended

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    with contextlib.suppress(KeyboardInterrupt, _Ended):
        yield


def _start(program: Any, plugins: Any, directory: str, options: ServerOptions) -> str:
    """Start TensorBoard beside this thread and return its address."""
    argv = [
        "tensorboard",
        f"--logdir={directory}",
        f"--host={options.host or _LOOPBACK}",
        f"--port={options.port}",
        f"--reload_interval={options.interval:g}",
        "--reload_multifile=true",
        *options.passed,
    ]
    board = program.TensorBoard(plugins=plugins.get_plugins())
    try:
        board.configure(argv)
        url: str = board.launch()
        return url
    except SystemExit:
        raise GuildError("TensorBoard does not take these options", "See above.") from None
    except Exception as e:  # whatever the library raises: a port that is taken, a host that is none
        raise GuildError(f"cannot start TensorBoard: {getattr(e, 'msg', None) or e}") from None
