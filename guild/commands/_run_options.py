"""The options of `guild run` as a value, and which of them exclude each other."""

import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from guild.errors import GuildError

if TYPE_CHECKING:  # not for 'guild run --help'
    from guild.launch.job import Console

_PAIRS = (
    ("minimize", "maximize"), ("no_gpus", "gpus"), ("optimize", "optimizer"), ("print_cmd", "print_env"),
    ("print_trials", "stage_trials"), ("stage", "background"), ("stage", "pidfile"),
    ("stage_trials", "stage"), ("stage_trials", "stage_dir"), ("stage_trials", "run_dir"),
    ("stage_trials", "background"), ("stage_trials", "pidfile"), ("stage_trials", "run_id"),
    ("background", "break_"), ("background", "break_on_error"),
    ("stage_dir", "background"), ("stage_dir", "pidfile"), ("stage_dir", "run_dir"), ("stage_dir", "stage"),
    ("restart", "restage"), ("restage", "run_dir"), ("restage", "stage_dir"), ("restage", "background"),
    ("restage", "pidfile"), ("restage", "stage"), ("restage", "proto"), ("restage", "needed"),
    ("restart", "stage_dir"), ("run_dir", "run_id"),
)  # fmt: skip
_NOT_AGAIN = (
    "help_model", "help_op", "opspec", "optimize", "optimizer", "proto", "run_dir", "test_output_scalars",
    "test_sourcecode", "test_flags", "stage_trials", "print_trials", "save_trials", "additional_deps",
)  # fmt: skip
_TESTS = (
    "help_op", "help_model", "test_flags", "test_sourcecode", "test_output_scalars", "print_cmd", "print_env",
    "print_trials", "save_trials",
)  # fmt: skip


@dataclass(frozen=True)
class RunOptions:
    """What was typed after `guild run`."""

    opspec: str | None = None
    flags: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    edit_comment: bool = False
    run_dir: str | None = None
    run_id: str | None = None
    stage: bool = False
    stage_dir: str | None = None
    restart: str | None = None
    restage: str | None = None
    proto: str | None = None
    force_sourcecode: bool = False
    edit_flags: bool = False
    force_flags: bool = False
    needed: bool = False
    background: bool = False
    pidfile: str | None = None
    stop_after: float | None = None
    gpus: str | None = None
    no_gpus: bool = False
    keep_run: bool = False
    random_seed: int | None = None
    additional_deps: tuple[str, ...] = ()
    force_deps: bool = False
    debug_sourcecode: str | None = None
    break_: tuple[str, ...] = ()
    break_on_error: bool = False
    remote: str | None = None
    no_wait: bool = False
    optimizer: str | None = None
    optimize: bool = False
    minimize: str | None = None
    maximize: str | None = None
    opt_flags: tuple[str, ...] = ()
    max_trials: int | None = None
    stage_trials: bool = False
    fail_on_trial_error: bool = False
    keep_batch: bool = False
    batch_label: str | None = None
    batch_tags: tuple[str, ...] = ()
    batch_comment: str | None = None
    edit_batch_comment: bool = False
    print_trials: bool = False
    save_trials: str | None = None
    quiet: bool = False
    yes: bool = False
    print_cmd: bool = False
    print_env: bool = False
    help_model: bool = False
    help_op: bool = False
    test_flags: bool = False
    test_sourcecode: bool = False
    test_output_scalars: str | None = None

    @property
    def is_staging(self) -> bool:
        """Whether runs are made to be executed later."""
        return self.stage or self.stage_dir is not None or self.stage_trials

    @property
    def visible_gpus(self) -> str | None:
        """CUDA_VISIBLE_DEVICES, None where nothing was said."""
        return "" if self.no_gpus else self.gpus

    @property
    def in_background(self) -> bool:
        return self.background or self.pidfile is not None

    @property
    def is_test(self) -> bool:
        """Whether something is only shown and no run is made."""
        return any(getattr(self, name) for name in _TESTS)

    def params(self) -> dict[str, Any]:
        """The attribute `run_params`, with all keys of Guild 0.9."""
        own = {k: v for k, v in asdict(self).items() if k not in ("stage_dir", "restage")}
        if self.stop_after is not None and self.stop_after.is_integer():
            own["stop_after"] = int(self.stop_after)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()}


def check(options: RunOptions) -> None:
    """Raises GuildError for options that exclude each other, by their names, and for remotes."""
    if options.remote is not None:
        _refuse("--remote is not supported: runs are started on this machine only")
    for a, b in _PAIRS:
        if getattr(options, a) and getattr(options, b):
            _refuse(f"{_name(a)} and {_name(b)} cannot both be used")
    again = "restart" if options.restart else "restage" if options.restage else None
    for name in _NOT_AGAIN if again else ():
        if getattr(options, name):
            _refuse(f"{_name(name)} cannot be used with {_name(str(again))}")
    if options.is_test and options.in_background:
        _refuse("--background cannot be used with an option that only shows something")


def _name(option: str) -> str:
    if option == "opspec":
        return "OPERATION"
    return {"additional_deps": "--dep", "break_": "--break"}.get(option, "--" + option.replace("_", "-"))


def _refuse(text: str) -> None:
    raise GuildError(text, "Try 'guild run --help' for more information.")


def confirm(action: str, subject: str, lines: list[str], options: RunOptions) -> bool:
    """Say what is about to happen and ask, unless --yes. An empty answer means yes."""
    from guild.commands._confirm import ask

    if options.yes:
        return True
    click.echo(f"You are about to {action} {subject}", err=True)
    for line in lines:
        click.echo(line, err=True)
    return ask("Continue?", True)


def say(text: str, options: RunOptions) -> None:
    if not options.quiet:
        click.echo(text)


def console(options: RunOptions) -> "Console":
    """Where the slow parts of making a run speak: to stderr; downloads show their progress on a terminal."""
    from guild.launch.job import Console

    say_err = (lambda text: None) if options.quiet else tell
    return Console(say_err, warn, _Progress() if sys.stderr.isatty() and not options.quiet else _silent)


def _silent(what: str, done: int, total: int | None) -> None:
    """No terminal: no progress."""


class _Progress:
    """One line of the terminal, written over a few times a second, and cleared at the end."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        is_last = total is not None and done >= total
        if now < self._next and not is_last:
            return
        self._next = now + 0.1
        size = f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
        sys.stderr.write("\r\x1b[K" if is_last else f"\r\x1b[K{what}: {size}")
        sys.stderr.flush()


def tell(text: str) -> None:
    """A line about what is going on, beside the output."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    click.echo(f"WARNING: {text}", err=True)
