"""`guild tensorboard`: runs in TensorBoard, or all their scalars as CSV."""

import csv
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import click

from guild.app import App
from guild.commands._runs_options import RunsCommand, chosen, filter_options, runs_argument, take_filters
from guild.errors import EXIT_USAGE, GuildError
from guild.runs.seen import Seen

_SETTINGS = {"max_content_width": 100, "help_option_names": ["--help"]}
_OPTION = re.compile(r"[A-Za-z][\w-]*(=.*)?\Z", re.DOTALL)


@click.command(
    "tensorboard",
    cls=RunsCommand,
    context_settings=_SETTINGS,
    short_help="Show runs in TensorBoard, or export their scalars.",
)
@runs_argument
@click.option("-h", "--host", metavar="HOST", help="Listen there (default: this machine alone can connect).")
@click.option(
    "-p", "--port", metavar="PORT", type=click.IntRange(0, 65535), default=0, help="Default: a free one."
)
@click.option("--include-batch", is_flag=True, help="Include batches.")
@click.option("--refresh-interval", metavar="SECONDS", type=click.FloatRange(min=0.2), default=5.0,
              help="How often to look for changes (default: 5).")  # fmt: skip
@click.option(
    "--run-name-flags", metavar="FLAGS", default="", help="Name runs by these flags, not by their labels."
)
@click.option("-n", "--no-open", is_flag=True, help="Do not open a browser.")
@click.option("-O", "options", metavar="OPTION=VALUE", multiple=True,
              help="Pass --OPTION=VALUE to TensorBoard. May be repeated.")  # fmt: skip
@click.option("--skip-images", is_flag=True, help="Leave out images that the runs wrote.")
@click.option("--skip-hparams", is_flag=True, help="Leave out the table of flags and results (HPARAMS).")
@click.option("--tab", metavar="TAB", help="Open with this tab.")
@click.option("--export-scalars", metavar="FILE", help="Write all scalars as CSV, - for stdout, and exit.")
@filter_options()
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], **params: Any) -> None:
    """Show runs in TensorBoard until Ctrl-C; without RUN, all that match the filters, new ones included.

    \b
    guild tensorboard                          all runs
    guild tensorboard 1:5 --tab hparams        five runs, compared by flags
    guild tensorboard --export-scalars s.csv   every value of every scalar, in a file

    TensorBoard is an extra: pip install 'guildai[tensorboard]'. --export-scalars needs only Guild.
    """
    filters = take_filters(params)
    with_batches = params["include_batch"]

    def keep(runs: Sequence[Seen]) -> list[Seen]:
        return [seen for seen in runs if with_batches or not seen.is_batch]

    runs = keep(chosen(app, specs, filters, ":"))
    if params["export_scalars"] is not None:
        _export(params["export_scalars"], runs)
        return

    def list_runs() -> list[Seen]:
        # Numbers are those of the list as it was; without any, new runs come in.
        if not specs:
            return keep(chosen(app, (), filters, ":"))
        return [Seen(run) for run in (seen.run for seen in runs) if run.has("")]

    _serve(list_runs, params)


def _serve(list_runs: Callable[[], Sequence[Seen]], params: dict[str, Any]) -> None:
    from guild.commands._tensorboard_server import ServerOptions, serve

    for option in params["options"]:
        if not _OPTION.match(option):
            raise GuildError(f"-O '{option}' is no option", "Write -O NAME=VALUE.", EXIT_USAGE)
    serve(
        list_runs,
        ServerOptions(
            host=params["host"],
            port=params["port"],
            interval=params["refresh_interval"],
            name_flags=tuple(name for name in re.split(r"[,\s]+", params["run_name_flags"]) if name),
            open_browser=not params["no_open"],
            passed=tuple(f"--{option}" for option in params["options"]),
            images=not params["skip_images"],
            hparams=not params["skip_hparams"],
            tab=params["tab"],
        ),
    )


def _export(target: str, runs: Sequence[Seen]) -> None:
    if target == "-":
        _write(sys.stdout, runs)
        return
    try:
        with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
            count = _write(f, runs)
    except OSError as e:
        raise GuildError(f"cannot write '{target}': {e.strerror}") from None
    click.echo(f"Wrote {count} values of {len(runs)} run(s) to {target}", err=True)


def _write(f: IO[str], runs: Sequence[Seen]) -> int:
    """Every value, in the order of runs and event files; how many there were."""
    from guild.commands._tensorboard_logdir import event_files
    from guild.runs.events import read_events

    rows = csv.writer(f, lineterminator="\n")
    rows.writerow(["run", "path", "tag", "value", "step"])
    count = 0
    for seen in runs:
        for content in event_files(seen.run):
            path = os.fsencode(content.prefix).decode("utf-8", "replace")
            try:
                for tag, value, step in read_events(Path(content.path)):
                    rows.writerow([seen.id, path, tag, value, step])
                    count += 1
            except OSError:
                continue
    return count
