"""`guild merge`, also `guild runs merge`: files of a run back to its project."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guild.app import App
from guild.base.text import printable
from guild.commands._confirm import ask
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    filter_options,
    one_chosen,
    take_filters,
    yes_option,
)
from guild.commands._show import echo_table, run_row
from guild.errors import EXIT_DECLINED, GuildError
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.seen import Seen

if TYPE_CHECKING:
    from guild.runs.merging import Move

_TRY = "Try 'guild merge --help' for more information."


@dataclass(frozen=True)
class MergeOptions:
    target_dir: str | None
    sourcecode: bool
    all: bool
    skip_sourcecode: bool
    skip_deps: bool
    exclude: tuple[str, ...]
    preview: bool
    replace: bool
    no_replace: bool


@click.command(
    "merge", cls=RunsCommand, context_settings=SETTINGS, short_help="Copy files of a run back to the project."
)
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-t", "--target-dir", metavar="DIR", help="Copy to this directory, whatever the run is from.")
@click.option("-s", "--sourcecode", is_flag=True, help="Copy source code only.")
@click.option("-a", "--all", is_flag=True, help="Copy what the run has made, too.")
@click.option("-S", "--skip-sourcecode", is_flag=True, help="Do not copy source code.")
@click.option("-D", "--skip-deps", is_flag=True, help="Do not copy dependencies.")
@click.option(
    "-x",
    "--exclude",
    metavar="PATTERN",
    multiple=True,
    help="Leave out files such as 'data/*'. May be repeated.",
)
@click.option("-p", "--preview", is_flag=True, help="Show what would be copied, and what not.")
@yes_option
@click.option("--replace", is_flag=True, help="Replace files that differ.")
@click.option("--no-replace", is_flag=True, help="Do not even replace files that are committed to git.")
@filter_options()
@click.pass_obj
def command(app: App, /, spec: str | None, yes: bool, **params: Any) -> int:
    """Copy the source code and the dependencies of a run back to its project, the current directory;
    without RUN, of the newest.

    \b
    guild merge 3f2a -p            what would be copied
    guild merge 3f2a               put the project back to what the run was made from
    guild merge 1 -a -t /tmp/look  all files of the newest run, to another directory

    A file that differs is replaced only with --replace, or if it is committed to git as it is.
    """
    filters = take_filters(params)
    options = MergeOptions(**params)
    _check(options)
    seen = one_chosen(app, spec, filters)
    if not seen.run.has(layout.MANIFEST):
        raise GuildError(f"run {seen.run.id} has no manifest: nobody knows where its files are from")
    project = _project(app, options, seen.run)
    return _merge(app, options, seen, project, yes)


def _check(options: MergeOptions) -> None:
    if options.replace and options.no_replace:
        raise GuildError("--replace and --no-replace cannot both be specified", _TRY)
    if options.sourcecode and options.skip_sourcecode:
        raise GuildError("--sourcecode and --skip-sourcecode cannot both be specified", _TRY)


def _project(app: App, options: MergeOptions, run: Run) -> Path:
    """The directory to copy to. Raises GuildError where the run is not from the current one."""
    if options.target_dir == "":
        raise GuildError("--target-dir needs the name of a directory")
    if options.target_dir is not None:
        return Path(os.path.abspath(app.cwd / os.path.expanduser(options.target_dir)))
    directory = run.opref.directory if run.opref is not None else None
    if directory is None or os.path.realpath(directory) != os.path.realpath(app.cwd):
        origin = f"a different project ({directory})" if directory else "no project"
        raise GuildError(
            f"run {run.id} was created from {origin} - cannot merge to the current directory by default",
            f"Use '--target-dir .' to override this check. {_TRY}",
        )
    return app.cwd


def _merge(app: App, options: MergeOptions, seen: Seen, project: Path, yes: bool) -> int:
    from guild.runs.merging import Rules, plan

    rules = Rules(
        options.all, options.skip_sourcecode, options.skip_deps or options.sourcecode, options.exclude
    )
    try:
        moves = plan(seen.run, project, rules)
    except OSError as e:
        raise GuildError(f"cannot read run {seen.run.id}: {e.strerror or e}") from None
    copied = [move for move in moves if not move.skipped]
    where = "the current directory" if options.target_dir is None else f"'{options.target_dir}'"
    if options.preview:
        _show(app, seen, moves, f"Merge will copy files from the following run to {where}:")
        _refuse_loss(app, options, copied, project, where)
        return 0
    if not copied:
        click.echo("Nothing to copy for the following run:", err=True)
        _echo_run(app, seen)
        click.echo("Try 'guild merge --preview' for a list of skipped files.", err=True)
        return 0
    _refuse_loss(app, options, copied, project, where)
    if not yes:
        _ask(app, seen, copied, len(moves) - len(copied), where)
    return _copy(seen.run, project, copied)


def _echo_run(app: App, seen: Seen) -> None:
    echo_table([run_row(seen, f"[{seen.run.short_id}]", app.cwd)], 2, err=True)


def _show(app: App, seen: Seen, moves: Sequence["Move"], intro: str) -> None:
    click.echo(intro, err=True)
    _echo_run(app, seen)
    copied = [m for m in moves if not m.skipped]
    click.echo("Files:", err=True)
    echo_table([[m.target, "replaced" if m.replaces else ""] for m in copied], 2, err=True)
    if not copied:
        click.echo("  nothing to copy", err=True)
    if skipped := [m for m in moves if m.skipped]:
        click.echo("Skipped:", err=True)
        echo_table([[m.target, m.skipped] for m in skipped], 2, err=True)


def _ask(app: App, seen: Seen, copied: Sequence["Move"], left: int, where: str) -> None:
    _show(app, seen, copied, f"You are about to copy files from the following run to {where}:")
    if left:
        click.echo(f"{left} files will not be copied (use --preview to show the full list)", err=True)
    if not ask("Continue?", False):
        raise click.exceptions.Exit(EXIT_DECLINED)


def _refuse_loss(
    app: App, options: MergeOptions, copied: Sequence["Move"], project: Path, where: str
) -> None:
    """Raises GuildError for files that would be replaced, and could not be had back."""
    from guild.runs.merging import Safety, safety

    replaced = [move.target for move in copied if move.replaces]
    if options.replace or not replaced:
        return
    lost = Safety((), tuple(replaced)) if options.no_replace else safety(project, replaced, app.environ)
    if lost.changed:
        raise GuildError(
            _listing(f"files in {where} have changes that are not committed:", lost.changed),
            "Commit or stash these changes or use --replace to skip this check.",
        )
    if lost.unknown:
        hint = "" if options.no_replace else "Use --replace to skip this check."
        raise GuildError(_listing(f"files in {where} would be replaced:", lost.unknown), hint)


def _listing(intro: str, names: Sequence[str]) -> str:
    return "\n".join([intro, *(f"  {printable(name)}" for name in names)])


def _copy(run: Run, project: Path, moves: Sequence["Move"]) -> int:
    from guild.runs.merging import merge_file

    failed = 0
    for move in moves:
        click.echo(f"Copying {printable(move.target)}", err=True)
        try:
            merge_file(run, project, move)
        except OSError as e:
            failed += 1
            click.echo(f"guild: cannot copy {printable(move.target)}: {e.strerror or e}", err=True)
    return 1 if failed else 0
