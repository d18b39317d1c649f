"""`guild ls`: the files of a run."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS, RunsCommand, filter_options, one_chosen, take_filters
from guild.runs.run import Run

if TYPE_CHECKING:
    from guild.base.walk import Found

_AT_ONCE = 1000  # lines


@dataclass(frozen=True)
class LsOptions:
    path: str
    sourcecode: bool
    dependencies: bool
    generated: bool
    all: bool
    full_path: bool
    follow_links: bool
    no_format: bool
    json: bool


@click.command("ls", cls=RunsCommand, context_settings=SETTINGS, short_help="List the files of a run.")
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-p", "--path", metavar="PATH", default="", help="Only this path; may hold * ? [..] and **.")
@click.option("-s", "--sourcecode", is_flag=True, help="Only source code; PATH is relative to it.")
@click.option("-d", "--dependencies", is_flag=True, help="Only what dependencies were resolved to.")
@click.option("-g", "--generated", is_flag=True, help="Only what the operation has made.")
@click.option("-a", "--all", is_flag=True, help="Hidden files, too, and those of Guild.")
@click.option("-f", "--full-path", is_flag=True, help="Print full paths, without a header.")
@click.option("-L", "--follow-links", is_flag=True, help="Also what lies behind links to directories.")
@click.option("-n", "--no-format", is_flag=True, help="Print paths only, for scripts.")
@click.option("--json", is_flag=True, help="Print as JSON.")
@filter_options()
@click.pass_obj
def command(app: App, /, spec: str | None, **params: Any) -> None:
    """List the files of a run; without RUN, of the newest.

    \b
    guild ls                       all but hidden files
    guild ls 2 -g                  what the operation of run 2 has made
    guild ls -p "out/*.csv" -n     for scripts
    """
    filters = take_filters(params)
    options = LsOptions(**params)
    run = one_chosen(app, spec, filters).run
    files = list_files(run, options)
    if options.json:
        from guild.commands._show import json_text

        click.echo(json_text({"run_dir": str(run.path), "files": [describe(run, f) for f in files]}))
        return
    _print(run, files, options)


def list_files(run: Run, options: LsOptions) -> list["Found"]:
    """What is asked for, in the order in which it is shown. Raises GuildError."""
    from guild.base.walk import natural_key, walk
    from guild.runs.older import source_dir
    from guild.runs.run_files import files_of_kinds, inside, select_below

    pattern = inside(options.path)
    follow = options.follow_links
    if options.sourcecode or options.dependencies or options.generated:
        kinds = files_of_kinds(run, options.sourcecode, options.dependencies, options.generated, follow)
        is_source = options.sourcecode and not (options.dependencies or options.generated)
        found = select_below(kinds, pattern, source_dir(run) if is_source and pattern else "")
    else:
        found = walk(run.path, pattern, hidden=options.all, follow=follow)
    return sorted(found, key=lambda each: natural_key(each.path))


def _print(run: Run, files: Iterable["Found"], options: LsOptions) -> None:
    from guild.base.text import printable

    bare = options.full_path or options.no_format
    # Scripts get names as they are; people no control characters.
    is_raw = bare and not sys.stdout.isatty()
    top = f"{run.path}/" if options.full_path else ""
    lines = [] if bare else [f"{run.path}:"]
    lines += [("" if bare else "  ") + top + each.path + ("/" if each.is_dir else "") for each in files]
    for at in range(0, len(lines), _AT_ONCE):
        some = lines[at : at + _AT_ONCE]
        click.echo(b"\n".join(map(os.fsencode, some)) if is_raw else "\n".join(map(printable, some)))


def describe(run: Run, file: "Found") -> dict[str, Any]:
    """A file for JSON: path, type, size in bytes, and where a link leads."""
    import stat

    full = run.path / file.path
    about: dict[str, Any] = {"path": file.path}
    try:
        info = os.lstat(full)
        target = os.readlink(full) if file.is_link else ""
    except OSError:
        return {**about, "type": "gone", "size": None}
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    about["type"] = kinds.get(stat.S_IFMT(info.st_mode), "other")
    about["size"] = info.st_size if about["type"] == "file" else None
    return {**about, "target": target} if file.is_link else about
