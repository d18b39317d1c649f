"""`guild import`, also `guild runs import`: runs from a directory or zip file into this home."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from guild.app import App
from guild.commands._archive_runs import Progress, archive_at, in_hand, warn_skipped
from guild.commands._confirm import act_on_each, confirm
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
    yes_option,
)
from guild.errors import GuildError
from guild.runs.lifecycle import locked
from guild.runs.run import Run
from guild.runs.status import RunStatus

_STAGED = "is staged (use --with-staged to import it: a queue will start it)"


@dataclass(frozen=True)
class ImportOptions:
    archive: str
    move: bool
    copy_resources: bool
    keep_links: bool
    with_staged: bool


@click.command(
    "import",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Copy or move runs from a directory or zip file.",
)
@click.argument("archive", metavar="ARCHIVE")
@runs_argument
@click.option("-m", "--move", is_flag=True, help="Remove the runs from ARCHIVE, a directory.")
@click.option("--copy-resources", is_flag=True, help="Copy what links in the runs lead to.")
@click.option(
    "--keep-links", is_flag=True, help="Keep links that lead out of the runs; if you trust ARCHIVE."
)
@click.option("--with-staged", is_flag=True, help="Import staged runs too; a queue will start them.")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, **params: Any) -> int:
    """Copy runs from ARCHIVE, which 'guild export' has made; without RUN, all that match the filters.

    \b
    guild runs -A best.zip         what is in there
    guild import best.zip          all of it
    guild import backup 1 -m       move the newest one out of a directory

    Runs keep their ids; those that are here already are skipped. RUN is a number of the archive's list,
    a range, or the beginning of an id.
    """
    filters = take_filters(params)
    options = ImportOptions(**params)
    if options.copy_resources and options.keep_links:
        raise GuildError("--copy-resources and --keep-links cannot both be used")
    with archive_at(app, options.archive) as archive:
        if options.move and not archive.path.is_dir():
            raise GuildError("'--move' cannot be used with zip archives", "Import without it.")
        runs = chosen(app, specs, filters, ":", archive.runs())
        if not runs:
            click.echo("No runs to import.", err=True)
            return 0
        if not yes:
            verb = "move" if options.move else "copy"
            intro = f"You are about to import ({verb}) the following runs from '{options.archive}':"
            confirm(app, intro, runs, "Continue?", default=True)
        app.store.create()
        wanted = _wanted(app, options, [seen.run for seen in runs])
        done = _import(app, options, wanted)
    click.echo(f"Imported {done} run(s) from {options.archive}", err=True)
    return 1 if done < len(wanted) else 0


def _wanted(app: App, options: ImportOptions, runs: Sequence[Run]) -> list[Run]:
    """Those that can be imported, staged ones last and in their order; says why another cannot."""
    wanted: list[Run] = []
    staged: list[Run] = []
    for run in runs:
        is_staged = run.status() is RunStatus.STAGED
        if os.path.lexists(app.home.runs / run.id):
            warn_skipped(run.id, "exists")
        elif why := in_hand(run):
            warn_skipped(run.id, why)
        elif is_staged and not options.with_staged:
            warn_skipped(run.id, _STAGED)
        else:
            (staged if is_staged else wanted).append(run)
    return [*wanted, *sorted(staged, key=Run.place)]


def _import(app: App, options: ImportOptions, runs: Sequence[Run]) -> int:
    """How many were imported; says why another was not."""
    from guild.base.files import remove_tree, sync_tree
    from guild.runs import links
    from guild.runs.arrivals import arrive
    from guild.runs.imports import brought

    progress = Progress("Moving" if options.move else "Copying")
    rule = links.safe_only
    if options.copy_resources or options.keep_links:
        rule = links.keep_all if options.keep_links else links.copy_resources

    def bring(run: Run) -> Run:
        left_out: list[str] = []

        def warn(text: str) -> None:
            left_out.append(text)
            progress.warn(text)

        progress.begin(run.id)
        try:
            with brought(app.store, run, rule, warn, progress.count) as made:
                if options.move and left_out:
                    raise GuildError(f"run {run.id} would lose what was left out", "Import without --move.")
                if options.move:
                    sync_tree(made)
                with locked(app.store) as held:
                    arrived = arrive(held, made, run.id, sync=options.move)
        finally:
            progress.end()
        if options.move:
            remove_tree(run.path)
        return arrived

    return len(act_on_each(runs, bring, "import", "imported"))
