"""The options of `guild run` as a value, and which of them exclude each other."""

from dataclasses import asdict, dataclass
from typing import Any

import click

from guild.errors import GuildError

# What Guild 0.9 records for options that this version does not have.
_ABSENT: dict[str, Any] = {
    "additional_deps": [], "batch_comment": None, "batch_label": None, "batch_tags": [], "break_": [],
    "break_on_error": False, "debug_sourcecode": None, "edit_batch_comment": False, "edit_comment": False,
    "edit_flags": False, "fail_on_trial_error": False, "force_deps": False, "help_model": False,
    "keep_batch": False, "max_trials": None, "maximize": None, "minimize": None, "no_wait": False,
    "opt_flags": [], "optimize": False, "optimizer": None, "print_trials": False, "remote": None,
    "save_trials": None, "stage_trials": False, "test_output_scalars": None,
}  # fmt: skip

_PAIRS = (
    ("no_gpus", "gpus"), ("print_cmd", "print_env"), ("stage", "background"), ("stage", "pidfile"),
    ("stage_dir", "background"), ("stage_dir", "pidfile"), ("stage_dir", "run_dir"), ("stage_dir", "stage"),
    ("restart", "restage"), ("restage", "run_dir"), ("restage", "stage_dir"), ("restage", "background"),
    ("restage", "pidfile"), ("restage", "stage"), ("restage", "proto"), ("restage", "needed"),
    ("restart", "stage_dir"), ("run_dir", "run_id"),
)  # fmt: skip
_NOT_AGAIN = ("help_op", "opspec", "proto", "run_dir", "test_sourcecode", "test_flags")
_TESTS = ("help_op", "test_flags", "test_sourcecode", "print_cmd", "print_env")


@dataclass(frozen=True)
class RunOptions:
    """What was typed after `guild run`."""

    opspec: str | None
    flags: tuple[str, ...]
    label: str | None
    tags: tuple[str, ...]
    comment: str | None
    run_dir: str | None
    run_id: str | None
    stage: bool
    stage_dir: str | None
    restart: str | None
    restage: str | None
    proto: str | None
    force_sourcecode: bool
    force_flags: bool
    needed: bool
    background: bool
    pidfile: str | None
    stop_after: float | None
    gpus: str | None
    no_gpus: bool
    keep_run: bool
    random_seed: int | None
    quiet: bool
    yes: bool
    print_cmd: bool
    print_env: bool
    help_op: bool
    test_flags: bool
    test_sourcecode: bool

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
        own["flags"], own["tags"] = list(self.flags), list(self.tags)
        return {**_ABSENT, **own}


def check(options: RunOptions) -> None:
    """Raises GuildError for options that exclude each other, by their names."""
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
    return "OPERATION" if option == "opspec" else "--" + option.replace("_", "-")


def _refuse(text: str) -> None:
    raise GuildError(text, "Try 'guild run --help' for more information.")


def confirm(action: str, subject: str, lines: list[str], options: RunOptions) -> bool:
    """Say what is about to happen and ask, unless --yes. An empty answer means yes."""
    if options.yes:
        return True
    click.echo(f"You are about to {action} {subject}", err=True)
    for line in lines:
        click.echo(f"  {line}", err=True)
    while True:
        answer = click.prompt("Continue? (Y/n)", default="", show_default=False, prompt_suffix=" ", err=True)
        if answer.strip().lower() in ("", "y", "yes"):
            return True
        if answer.strip().lower() in ("n", "no"):
            return False


def say(text: str, options: RunOptions) -> None:
    if not options.quiet:
        click.echo(text)


def warn(text: str) -> None:
    click.echo(f"WARNING: {text}", err=True)
