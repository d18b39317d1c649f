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
    (("-ec", "--edit-comment"), {"is_flag": True, "help": "Write the comment in an editor."}),
    (("-e", "--edit-flags"), {"is_flag": True, "help": "Change the flags in an editor."}),
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
        "metavar": "MINUTES", "type": click.FloatRange(min=0), "help": "Stop each run after so long."}),
    (("--gpus",), {"metavar": "LIST", "help": "GPUs that the run sees, for example 0,1."}),
    (("--no-gpus",), {"is_flag": True, "help": "Let the run see no GPU."}),
    (("--keep-run",), {"is_flag": True, "help": "Keep the run, even if its operation deletes runs."}),
    (("-D", "--dep", "additional_deps"), {
        "metavar": "PATH", "multiple": True, "help": "Link a file or directory into the run."}),
    (("--force-deps",), {"is_flag": True, "help": "Run even if a dependency is missing."}),
    (("-m", "--max-trials", "--trials"), {
        "metavar": "N", "type": click.IntRange(min=1), "help": "Run so many trials at most, by chance."}),
    (("--random-seed",), {"metavar": "N", "type": int, "help": "Seed of the run, and for choosing trials."}),
    (("--stage-trials",), {"is_flag": True, "help": "Stage each trial of a batch, for a queue."}),
    (("-o", "--optimizer"), {
        "metavar": "ALGORITHM", "help": "What chooses the trials: random, or an operation of this project."}),
    (("-O", "--optimize"), {"is_flag": True, "help": "Use the operation's default optimizer."}),
    (("-N", "--minimize"), {"metavar": "COLUMN", "help": "What an optimizer minimizes."}),
    (("-X", "--maximize"), {"metavar": "COLUMN", "help": "What an optimizer maximizes."}),
    (("-Fo", "--opt-flag", "opt_flags"), {
        "metavar": "FLAG=VAL", "multiple": True, "help": "Flag of the optimizer. May be repeated."}),
    (("--fail-on-trial-error",), {"is_flag": True, "help": "Stop a batch at the first trial that fails."}),
    (("--keep-batch",), {"is_flag": True, "help": "Keep the run of the batch itself when all went well."}),
    (("-bl", "--batch-label"), {"metavar": "LABEL", "help": "Label of the batch."}),
    (("-bt", "--batch-tag", "batch_tags"), {"metavar": "TAG", "multiple": True, "help": "Tag the batch."}),
    (("-bc", "--batch-comment"), {"metavar": "TEXT", "help": "Comment for the batch."}),
    (("-ebc", "--edit-batch-comment"), {"is_flag": True, "help": "Write the batch's comment in an editor."}),
    (("--break", "break_"), {
        "metavar": "LOCATION", "multiple": True,
        "help": "Stop in the debugger at [FILE:]LINE or a function. May be repeated."}),
    (("--break-on-error",), {"is_flag": True, "help": "Stop in the debugger at an error."}),
    (("--debug-sourcecode",), {
        "metavar": "PATH", "help": "Run the source code there instead of the copy, for a debugger."}),
    (("-r", "--remote"), {"metavar": "REMOTE", "hidden": True}),
    (("-n", "--no-wait"), {"is_flag": True, "hidden": True}),
    (("-q", "--quiet"), {"is_flag": True, "help": "Do not show output, and say less."}),
    (("-y", "--yes"), {"is_flag": True, "help": "Do not ask."}),
    (("--print-cmd",), {"is_flag": True, "help": "Show the command and exit."}),
    (("--print-env",), {"is_flag": True, "help": "Show the variables that Guild sets and exit."}),
    (("--print-trials",), {"is_flag": True, "help": "Show the trials of a batch and exit."}),
    (("--save-trials",), {"metavar": "FILE", "help": "Write the trials of a batch to a .csv or .json file."}),
    (("--help-model",), {"is_flag": True, "help": "Show the operations of the model and exit."}),
    (("-h", "--help-op"), {"is_flag": True, "help": "Show the operation's flags and exit."}),
    (("--test-flags",), {"is_flag": True, "help": "Show how the flags are understood and exit."}),
    (("--test-sourcecode",), {"is_flag": True, "help": "Show which files would be copied and exit."}),
    (("--test-output-scalars",), {
        "metavar": "FILE", "help": "Show which scalars would be read from FILE, or - for stdin, and exit."}),
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

    A list of values (x=[1,2]), a search range (x=uniform[0.1:1]) or a file of trials (@trials.csv) makes a
    batch: one run for each trial.

    RUN is a number of 'guild runs', the beginning of a run id, or a path.
    """
    if opspec is not None and ("=" in opspec or opspec.startswith("@")):
        flags = (opspec, *flags)
        opspec = None
    for name in ("tags", "batch_tags"):
        options[name] = tuple(tag for tag in options[name] if tag.strip())
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
