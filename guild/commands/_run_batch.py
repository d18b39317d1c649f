"""The trials of a batch: shown, saved to a file, or staged one by one for a queue."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.base import files
from guild.base.text import table
from guild.commands._run_options import RunOptions, console, say
from guild.errors import GuildError
from guild.launch.job import BatchPlan, Console, Job
from guild.launch.machine import find_place
from guild.launch.needed import skipping
from guild.launch.prepare import in_staging, prepare
from guild.launch.trials import Mould, carried
from guild.ops.flags import format_value
from guild.runs import layout, lifecycle, swap
from guild.runs.run import Run

# Trials that are made before they are given their places together, under the lock.
_AT_ONCE = 25


def stage_trials(app: App, options: RunOptions, job: Job) -> int:
    """Stage each trial as a run of its own. Ended half-way, whole trials are left and nothing else."""
    plan = _plan(job)
    place = in_staging(app.store)
    quiet = Console(warn=_once(console(options).warn))
    try:
        proto = prepare(
            app.store,
            job.parts[layout.PROTO],
            app.environ,
            place=place,
            run_id=place.name,
            run_dir=place,
            staged=False,
            resolve=console(options),
        )
        mould = Mould(proto, plan, find_place(app.environ, str(app.cwd)))
        with _Bar(len(plan.trials), options) as bar:
            for first in range(0, len(plan.trials), _AT_ONCE):
                indexes = range(first, min(first + _AT_ONCE, len(plan.trials)))
                for run in _stage_some(app, mould, indexes, quiet):
                    bar.staged(run, job.parts[layout.PROTO].name)
    finally:
        swap.remove(app.store, place)
    count = bar.count
    say(f"{count} trial{'' if count == 1 else 's'} of {job.parts[layout.PROTO].name} staged", options)
    say("To start them one after the other, use 'guild run queue'", options)
    return 0


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """The same for texts that were not said before: trials are much alike."""
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            warn(text)

    return say


def _stage_some(app: App, mould: Mould, indexes: range, quiet: Console) -> Iterator[Run]:
    store, made = app.store, []
    extra = carried(mould.proto)
    sync = app.environ.get("GUILD_NO_SYNC") != "1"
    try:
        for index in indexes:
            if same := mould.is_met(store, mould.plan.trials[index], index):
                quiet.warn(f"{skipping(same)} ({mould.shown(mould.plan.trials[index])})")
                continue
            place = in_staging(store)
            run_dir = store.home.runs / place.name
            trial = prepare(
                store,
                mould.job(index),
                app.environ,
                place=place,
                run_id=place.name,
                run_dir=run_dir,
                staged=True,
                extra=extra,
                resolve=quiet,
            )
            lifecycle.mark_new_staged(trial)
            made.append(trial)
        if sync:
            for trial in made:
                files.sync_tree(trial.path)
        with lifecycle.locked(store) as held:
            staged = [lifecycle.stage(held, trial, sync=sync) for trial in made]
    finally:
        for trial in made:
            swap.remove(store, trial.path)
    yield from staged


class _Bar:
    """The progress of a staging: a bar on a terminal, else a line for each trial, as Guild 0.9 logs them."""

    def __init__(self, count: int, options: RunOptions) -> None:
        self._options, self._total = options, count
        self.count = 0
        self._bar: Any = None
        if sys.stderr.isatty() and not options.quiet:
            self._bar = click.progressbar(length=count, label="Staging trials", file=sys.stderr)

    def __enter__(self) -> "_Bar":
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def staged(self, run: Run, name: str) -> None:
        self.count += 1
        if self._bar is not None:
            self._bar.update(1)
        elif not self._options.quiet:
            label = f" ({run.label})" if run.label else ""
            text = f"INFO: [guild] Staged trial {run.id} ({self.count} of {self._total}): {name}{label}"
            click.echo(text, err=True)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)
        if error is not None and self.count:
            rest = "the same command with --needed stages the others"
            click.echo(f"{self.count} of {self._total} trials are staged; {rest}", err=True)


def _plan(job: Job, what: str = "print") -> BatchPlan:
    if job.batch is None:
        raise GuildError(
            f"cannot {what} trials for a non-batch operation", "Give a flag several values: x=[1,2]"
        )
    return job.batch


def print_trials(job: Job) -> int:
    """A table: a number, then a column for each flag, sorted."""
    plan = _plan(job)
    names = _columns(plan)
    rows = [[str(n), *(_cell(trial, name) for name in names)] for n, trial in enumerate(plan.trials, 1)]
    for line in table([["#", *names], *rows]):
        click.echo(line)
    return 0


def save_trials(job: Job, name: str) -> int:
    """Write the trials to a file that `@FILE` reads. Raises GuildError for another kind of file."""
    plan = _plan(job, "save")
    path = Path(name)
    suffix = path.suffix.lower()
    trials = [dict(sorted(trial.items())) for trial in plan.trials]
    if suffix == ".json":
        text = json.dumps(trials, default=str, indent=2) + "\n"
    elif suffix in ("", ".csv"):
        text = _csv(_columns(plan), trials)
    else:
        raise GuildError(f"cannot save trials to '{name}': unsupported extension", "Use .csv, .json or none.")
    if not path.absolute().parent.is_dir():
        raise GuildError(f"cannot save trials to '{name}': there is no directory '{path.absolute().parent}'")
    click.echo(f"Saving trials to {path.absolute()}")
    files.write_named(path, text.encode())
    return 0


def _csv(names: list[str], trials: list[dict[str, Any]]) -> str:
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(trial, name) for name in names] for trial in trials)
    return out.getvalue()


def _columns(plan: BatchPlan) -> list[str]:
    return sorted({name for trial in plan.trials for name in trial})


def _cell(trial: Mapping[str, Any], name: str) -> str:
    return format_value(trial[name]) if name in trial else ""
