"""`guild run`: its options, what goes together with what, and which journey it is."""

from collections.abc import Callable
from typing import Any

import click

from guild.app import App
from guild.commands._run_options import RunOptions, check

F = Callable[..., Any]

# (names, keywords), in the groups of the help text.
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-l", "--label"), {"metavar": "LABEL", "help": "Label of the run; may use ${flag} values."}),
    (("-t", "--tag", "tags"), {"metavar": "TAG", "multiple": True, "help": "Tag the run. May be repeated."}),
    (("-c", "--comment"), {"metavar": "TEXT", "help": "Comment for the run."}),
    (("-d", "--run-dir"), {"metavar": "DIR", "help": "Run in this directory, outside of the runs list."}),
    (("--run-id",), {"metavar": "ID", "hidden": True}),
    (("--stage",), {"is_flag": True, "help": "Stage the run, to be started later or by a queue."}),
    (("--stage-dir",), {"metavar": "DIR", "help": "Prepare a directory to run by hand; absent or empty."}),
    (("--start", "--restart", "restart"), {
        "metavar": "RUN", "help": "Start a staged run, or run an ended one again in place."}),
    (("--restage",), {
        "metavar": "RUN", "help": "Stage a staged or ended run again with new flags; it is next to be run."}),
    (("--proto",), {"metavar": "RUN", "help": "Take operation, flags and source code from another run."}),
    (("--force-sourcecode",), {
        "is_flag": True, "help": "Take today's source code for --start, --restart, --restage or --proto."}),
    (("-f", "--force-flags"), {"is_flag": True, "help": "Accept any flags and values."}),
    (("--needed",), {"is_flag": True, "help": "Run only if there is no run with the same flags already."}),
    (("-b", "--background"), {"is_flag": True, "help": "Run in the background."}),
    (("--pidfile",), {"metavar": "FILE", "help": "Run in the background and write the process id to FILE."}),
    (("--stop-after",), {
        "metavar": "MINUTES", "type": click.FloatRange(min=0), "help": "Stop the run after so long."}),
    (("--gpus",), {"metavar": "LIST", "help": "GPUs that the run sees, for example 0,1."}),
    (("--no-gpus",), {"is_flag": True, "help": "Let the run see no GPU."}),
    (("--keep-run",), {"is_flag": True, "help": "Keep the run, even if its operation deletes runs."}),
    (("--random-seed",), {"metavar": "N", "type": int, "help": "Seed to record for the run."}),
    (("-q", "--quiet"), {"is_flag": True, "help": "Say less."}),
    (("-y", "--yes"), {"is_flag": True, "help": "Do not ask."}),
    (("--print-cmd",), {"is_flag": True, "help": "Show the command and exit."}),
    (("--print-env",), {"is_flag": True, "help": "Show the variables that Guild sets and exit."}),
    (("-h", "--help-op"), {"is_flag": True, "help": "Show the operation's flags and exit."}),
    (("--test-flags",), {"is_flag": True, "help": "Show how the flags are understood and exit."}),
    (("--test-sourcecode",), {"is_flag": True, "help": "Show which files would be copied and exit."}),
)  # fmt: skip


def _with_options(function: F) -> F:
    for names, keywords in reversed(_OPTIONS):
        function = click.option(*names, **keywords)(function)
    return function


@click.command(
    "run",
    context_settings={"help_option_names": ["--help"], "max_content_width": 100},
    short_help="Run, stage or restage an operation.",
)
@click.argument("opspec", metavar="[OPERATION]", required=False)
@click.argument("flags", metavar="[FLAG=VALUE]...", nargs=-1)
@_with_options
@click.pass_obj
def command(app: App, /, opspec: str | None, flags: tuple[str, ...], **options: Any) -> int:
    """Run an operation: one of guild.yml, a Python script or any executable file.

    \b
    guild run train.py x=1              run a script with a flag value
    guild run train x=1 --stage         stage it: code, flags and environment as they are now
    guild run queue                     start staged runs, one after the other
    guild run --start RUN               start a staged run now
    guild run --restage RUN x=2         new values for a staged or ended run, next to be run
    guild run train --stage-dir DIR     prepare a directory to run by hand

    RUN is a number of 'guild runs', the beginning of a run id, or a path.
    """
    if opspec is not None and "=" in opspec:
        flags = (opspec, *flags)
        opspec = None
    options["tags"] = tuple(tag for tag in options["tags"] if tag.strip())
    given = RunOptions(opspec=opspec, flags=flags, **options)
    check(given)
    if given.pidfile is not None:
        from guild.launch.background import check_pidfile

        check_pidfile(given.pidfile)
    app.store.create()
    if given.restart is not None or given.restage is not None:
        from guild.commands._run_again import run_again

        return run_again(app, given)
    if given.is_test:
        from guild.commands._run_show import show

        return show(app, given)
    from guild.commands._run_new import run_new

    return run_new(app, given)
