"""`guild diff`: how two runs differ, or a run and the project as it is now."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS, RunsCommand, chosen, filter_options, take_filters
from guild.errors import EXIT_USAGE, GuildError
from guild.runs import layout
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.selection import look

if TYPE_CHECKING:
    from guild.commands._files_diff import Pair, Pairs, Side

_TRY = "Try 'guild diff --help' for more information."
_SECOND = "Try specifying a second RUN or 'guild diff --help' for more information."


@dataclass(frozen=True)
class DiffOptions:
    output: bool
    sourcecode: bool
    env: bool
    flags: bool
    attrs: bool
    deps: bool
    path: tuple[str, ...]
    working: bool
    dir: str | None

    @property
    def by_directory(self) -> bool:
        return self.working or self.dir is not None

    @property
    def by_source(self) -> bool:
        return self.sourcecode or self.by_directory

    @property
    def attributes(self) -> list[tuple[str, str]]:
        """(option, path below the run directory) of what is kept in attributes."""
        base = f"{layout.GUILD_DIR}/{layout.ATTRS}"
        names = [name for name in ("env", "flags", "deps") if getattr(self, name)]
        return [("attrs", base)] if self.attrs else [(name, f"{base}/{name}") for name in names]


@click.command("diff", cls=RunsCommand, context_settings=SETTINGS, short_help="Show how two runs differ.")
@click.argument("specs", metavar="[RUN [RUN]]", nargs=-1)
@click.option("-O", "--output", is_flag=True, help="Compare what they have printed.")
@click.option("-s", "--sourcecode", is_flag=True, help="Compare their source code.")
@click.option("-e", "--env", is_flag=True, help="Compare their environments.")
@click.option("-f", "--flags", is_flag=True, help="Compare their flags.")
@click.option("-a", "--attrs", is_flag=True, help="Compare all attributes.")
@click.option("-D", "--deps", is_flag=True, help="Compare what their dependencies were resolved to.")
@click.option("-p", "--path", metavar="PATH", multiple=True, help="Compare this path. May be repeated.")
@click.option("-w", "--working", is_flag=True, help="Compare source code with the project as it is now.")
@click.option("-d", "--dir", "--working-dir", metavar="DIR", help="Compare source code with this directory.")
@click.option("-c", "--cmd", metavar="CMD", default="", help="Compare with this command.")
@filter_options()
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], cmd: str, **params: Any) -> int:
    """Show how two runs differ; without RUN, the second newest and the newest.

    \b
    guild diff -s                  the source code of the last two runs
    guild diff 3 1 -f -O           flags and output of two others
    guild diff 2 --working         what has changed in the project since run 2

    The program is that of --cmd, else 'command' of 'diff' in Guild's config file, else meld, xxdiff, dirdiff
    or colordiff where there is a display or a terminal for them, else diff.
    """
    filters = take_filters(params)
    options = DiffOptions(**params)
    _check(options, specs)
    runs = _runs(app, specs, filters, options)
    from guild.commands._files_diff import choose_program, making_pairs
    from guild.config import user_config

    config = user_config(app.environ, app.cwd)
    programs, where = choose_program(cmd, config, app.environ, sys.stdout.isatty(), _find)
    with making_pairs() as pairs:
        sides = _sides(app, runs, options)
        return max(_compare(programs, where, make) for make in plan(runs, sides, options, pairs))


def _find(name: str) -> str | None:
    import shutil

    return shutil.which(name)


def _check(options: DiffOptions, specs: Sequence[str]) -> None:
    if options.by_directory:
        name = "working" if options.working else "dir"
        if len(specs) > 1:
            raise GuildError(f"cannot specify second RUN and --{name}", _TRY)
        for other in ("output", "env", "flags", "attrs", "deps"):
            if getattr(options, other):
                raise GuildError(f"--{other} and --{name} cannot both be specified", _TRY)
    if len(specs) > 2:
        raise GuildError(f"unexpected extra argument '{specs[2]}'", _TRY, EXIT_USAGE)
    if options.attrs:
        for other in ("env", "flags", "deps"):
            if getattr(options, other):
                click.echo(f"WARNING: ignoring --{other} (already included in --attrs)", err=True)


def _runs(app: App, specs: Sequence[str], filters: Filters, options: DiffOptions) -> list[Run]:
    """One run where it is compared with a directory, else two."""
    if options.by_directory or specs:
        found = chosen(app, specs, filters, "1")
    else:
        found = list(look(app.store, filters)[:2])[::-1]
    if not found:
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    runs = [seen.run for seen in found]
    if len(specs) == 2 and len(runs) == 1:
        runs *= 2  # both name the same one
    wanted = 1 if options.by_directory else 2
    if len(runs) < wanted:
        raise GuildError("diff requires two runs", _SECOND)
    if len(runs) > wanted:
        raise GuildError(f"{' '.join(specs)} names {len(runs)} runs; this takes {wanted}", _TRY)
    return runs


def _sides(app: App, runs: Sequence[Run], options: DiffOptions) -> tuple["Side", "Side"]:
    from guild.commands._files_diff import side_of_directory, side_of_run

    first = side_of_run(runs[0], options.by_source)
    if not options.by_directory:
        return first, side_of_run(runs[1], options.by_source)
    return first, side_of_directory(_directory(app, runs[0], options), first)


def _directory(app: App, run: Run, options: DiffOptions) -> Path:
    """The directory that --dir names, or that the source code of a run came from. Raises GuildError."""
    if options.dir is not None:
        named = Path(os.path.normpath(app.cwd / os.path.expanduser(options.dir)))
        if not named.is_dir():
            raise GuildError(f"directory '{options.dir}' does not exist", _TRY)
        return named
    from guild.runs.run_files import source_root

    root = source_root(run)
    if root is None or not root.is_dir():
        gone = f": {root} is gone" if root is not None else ""
        raise GuildError(
            f"cannot find working source code directory for run {run.short_id}{gone}",
            f"Try specifying the directory with 'guild diff {run.short_id} --working-dir DIR'.",
        )
    return root


def plan(
    runs: Sequence[Run], sides: tuple["Side", "Side"], options: DiffOptions, pairs: "Pairs"
) -> list[Callable[[], "Pair"]]:
    """All that is to be compared, in order, as functions that may raise GuildError. Raises GuildError."""
    from guild.commands._files_diff import Pair, side_of_run
    from guild.runs.run_files import inside

    inner = list(options.attributes)
    if options.output:
        inner.append(("output", f"{layout.GUILD_DIR}/{layout.OUTPUT}"))
    found: list[Callable[[], Pair]] = []
    if inner:
        whole = side_of_run(runs[0], False), side_of_run(runs[1], False)
        found += [partial(pairs.files, *whole, path, what) for what, path in inner]
    names = [inside(path) for path in options.path]
    if options.by_source:
        found += [partial(pairs.sources, *sides, name) for name in names or [""]]
    elif names:
        found += [partial(pairs.files, *sides, name) for name in names]
    elif not inner:
        found.append(partial(Pair, str(runs[0].path), str(runs[1].path)))
    return found


def _compare(programs: Sequence[Sequence[str]], where: str, make: Callable[[], "Pair"]) -> int:
    """Run the program; 1 where there is nothing to compare, or a signal ended it. Else, as in Guild 0.9,
    its exit status means nothing: programs tell differences by it, and dangling links."""
    from guild.commands._files_diff import command_for
    from guild.commands._files_tool import run_program

    try:
        pair = make()
    except GuildError as e:
        click.echo(f"guild: {e.message}", err=True)
        return 1
    argv, cwd = command_for(programs, pair)
    return 1 if run_program(argv, where, cwd=cwd) < 0 else 0
