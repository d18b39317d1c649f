"""`guild runs info`: all about one run."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from guild.app import App
from guild.base import yamlio
from guild.base.text import format_time, printable
from guild.commands._comments import comments_of
from guild.commands._runs_options import SETTINGS, RunsCommand, filter_options, one_chosen, take_filters
from guild.commands._show import json_text, plain, start_time
from guild.runs import layout
from guild.runs.attrs import KNOWN, attr_names
from guild.runs.column_values import SYSTEM, origin
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.selection import staged_places
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.scalars import ScalarSummary


@dataclass(frozen=True)
class InfoOptions:
    comments: bool
    env: bool
    deps: bool
    manifest: bool
    plugins: bool
    all_scalars: bool
    private_attrs: bool
    json: bool


@click.command("info", cls=RunsCommand, context_settings=SETTINGS, short_help="Show all about a run.")
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-c", "--comments", is_flag=True, help="Include comments.")
@click.option("-e", "--env", is_flag=True, help="Include the environment.")
@click.option("-d", "--deps", is_flag=True, help="Include resolved dependencies.")
@click.option("-m", "--manifest", is_flag=True, help="Include the files that were copied in.")
@click.option("-p", "--plugins", is_flag=True, help="Include the plugins that it ran with.")
@click.option(
    "-s", "--all-scalars", is_flag=True, help="First, last, min, max, avg and total of all scalars."
)
@click.option("--private-attrs", is_flag=True, hidden=True)
@click.option("--json", is_flag=True, help="Print as JSON.")
@filter_options()
@click.pass_obj
def command(app: App, /, spec: str | None, **params: Any) -> None:
    """Show all about a run; without RUN, the newest.

    \b
    guild runs info                the newest run
    guild runs info 3f2a --json    a certain run, as JSON
    guild runs info 2 -m -d        with its files and dependencies
    """
    filters = take_filters(params)
    options = InfoOptions(**params)
    seen = one_chosen(app, spec, filters)
    info = {**describe(app, seen, options), **_extras(seen.run, options)}
    if options.json:
        click.echo(json_text(info))
        return
    for name, value in info.items():
        for line in info_lines(name, value):
            click.echo(line)


def describe(app: App, seen: Seen, options: InfoOptions) -> dict[str, Any]:
    """Name -> value, in the order in which they are shown."""
    run = seen.run
    names = [name for name in attr_names(run.guild_dir) if _is_shown(name, options.private_attrs)]
    return {
        **describe_core(seen),
        **_waits(app, run, seen.status),
        **({"reason": reason} if (reason := run.reason()) else {}),
        **{name: run.attr(name) for name in names},
        **({"opref": _opref(run), "op": run.map_attr("op")} if options.private_attrs else {}),
        "tags": run.list_attr("tags"),
        "flags": run.map_attr("flags"),
        **_proto_flags(seen),
        "scalars": _scalars(seen.scalars, options.all_scalars),
    }


def describe_core(seen: Seen) -> dict[str, Any]:
    """What every run has, by name; `guild runs -v` shows this."""
    run, status = seen.run, seen.status
    return {
        "id": run.id,
        "operation": seen.operation,
        "from": origin(seen) or "",
        "status": status.value,
        "started": start_time(seen),
        "stopped": format_time(run.int_attr(layout.STOPPED)),
        "marked": "yes" if seen.is_marked else "no",
        "label": seen.label,
        "sourcecode_digest": _text(run.attr("sourcecode_digest")),
        "vcs_commit": _text(run.attr("vcs_commit")),
        "run_dir": str(run.path),
        "command": " ".join(shlex.quote(str(word)) for word in run.list_attr("cmd")),
        "exit_status": "" if run.exit_status() is None else run.exit_status(),
        "pid": (run.lock_pid() if status is RunStatus.RUNNING else None) or "",
    }


def _proto_flags(seen: Seen) -> dict[str, Any]:
    """Of a batch, the flags of what it runs."""
    if seen.proto is None:
        return {}
    return {"proto-flags": Run(seen.run.guild_dir / layout.PROTO).map_attr("flags")}


def _opref(run: Run) -> str:
    return "" if run.opref is None else str(run.opref)


def _scalars(scalars: Sequence["ScalarSummary"], all_of_them: bool) -> dict[str, Any]:
    """By shown name, (value, step): the last one, without those of the system; or of each kind.

    Sums and averages have no step of their own; the last one stands for it.
    """
    if not all_of_them:
        shown = [s for s in scalars if not s.tag.startswith(SYSTEM)]
        return {s.key: (s.last_val, s.last_step) for s in sorted(shown, key=lambda s: (s.prefix, s.tag))}
    return {
        s.key: {
            "first": (s.first_val, s.first_step),
            "last": (s.last_val, s.last_step),
            "min": (s.min_val, s.min_step),
            "max": (s.max_val, s.max_step),
            "avg": (s.avg_val, s.last_step),
            "total": (s.total, s.last_step),
        }
        for s in sorted(scalars, key=lambda s: (s.prefix, s.tag))
    }


def _is_shown(name: str, private: bool) -> bool:
    return name not in KNOWN and name[:1] != "." and (private or name[:1] != "_")


def _waits(app: App, run: Run, status: RunStatus) -> dict[str, str]:
    """What keeps a staged or pending run from running, as far as that is known."""
    if status is RunStatus.STAGED:
        from guild.launch.recipe import upstream_of
        from guild.launch.upstream import Standing, standing

        places = staged_places(app.store.runs())
        place = {"queue_place": f"{places.index(run.id) + 1} of {len(places)}"} if run.id in places else {}
        to_come = [r for r in upstream_of(run) if standing(app.store.get(r)) is Standing.WAIT]
        return {**place, **({"waits_for": ", ".join(to_come)} if to_come else {})}
    lease = run.claim_lease() if status is RunStatus.PENDING else None
    if lease is None:
        return {}
    who = f"queue {lease.queue}" if lease.queue else f"process {lease.holder.pid} on {lease.holder.host}"
    return {"held_by": f"{who} ({lease.doing.value})"}


def _extras(run: Run, options: InfoOptions) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if options.comments:
        extras["comments"] = comments_of(run)
    if options.env:
        extras["environment"] = run.map_attr("env")
    if options.manifest:
        extras["manifest"] = _manifest(run)
    if options.deps:
        extras["dependencies"] = run.map_attr("deps")
    if options.plugins:
        extras["plugins"] = run.list_attr("plugins")
    return extras


def _manifest(run: Run) -> dict[str, list[str]]:
    from guild.runs.older import entries_of

    kinds = {"s": "sourcecode", "d": "dependencies"}
    found: dict[str, list[str]] = {}
    for entry in entries_of(run):
        found.setdefault(kinds.get(entry.kind, entry.kind), []).append(entry.path)
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def info_lines(name: str, value: Any) -> list[str]:
    """`name: value`; maps and lists below their name."""
    if name == "scalars":
        body = [line for key, found in value.items() for line in _scalar_lines(key, found)]
    elif name in ("flags", "proto-flags", "environment", "op"):
        body = [line for key in sorted(value, key=str) for line in _flag_lines(str(key), value[key])]
    elif name == "dependencies":  # as YAML, in Guild 0.9 too
        body = _yaml_lines(value) if value else []
    elif isinstance(value, dict | list):
        body = _block(plain(value))
    else:
        return [printable(_entry(name, value))]
    return [printable(f"{name}:"), *(f"  {printable(line)}" for line in body)]


def _block(value: dict[Any, Any] | list[Any]) -> list[str]:
    """A map or list, one line for each value, those inside of it indented."""
    if isinstance(value, dict):
        parts = [(f"{key}:", value[key]) for key in sorted(value, key=str)]
    else:
        parts = [("-", each) for each in value]
    lines: list[str] = []
    for name, inside in parts:
        if isinstance(inside, dict | list) and inside:
            lines += [name, *(f"  {line}" for line in _block(inside))]
        else:
            lines.append(f"{name} {_text_of(inside)}")
    return lines


def _entry(name: str, value: Any) -> str:
    """`name: value`; an empty text leaves `name: `, so that a script can split all lines alike."""
    return f"{name}: {'' if value is None else _text_of(value)}"


def _flag_lines(name: str, value: Any) -> list[str]:
    """`name: value`; below it the items of a list, and a map as YAML, as Guild 0.9 shows them."""
    if isinstance(value, dict):
        return [f"{name}:", *(f"  {line}" for line in _yaml_lines(value))]
    if isinstance(value, list):
        return [f"{name}:", *(f"  - {_flag_text(each)}" for each in value)]
    return [f"{name}: {_flag_text(value)}"]


def _yaml_lines(value: Any) -> list[str]:
    return yamlio.encode(plain(value)).decode("utf-8", "surrogateescape").splitlines()


def _flag_text(value: Any) -> str:
    """As flags are shown elsewhere, but a text with blanks needs no quotes here."""
    return value if isinstance(value, str) and _is_itself(value) else _inline(value)


def _is_itself(text: str) -> bool:
    """Whether a line of text, read as YAML, is that text."""
    try:
        return "\n" not in text and bool(yamlio.load(text.encode()) == text)
    except ValueError:
        return False


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else _inline(value)


def _scalar_lines(key: str, found: Any) -> list[str]:
    if isinstance(found, tuple):
        return [f"{key}: {found[0]:f} (step {found[1]})"]
    return [f"{key}:", *(f"  {kind}: {val:f} (step {step})" for kind, (val, step) in sorted(found.items()))]


def _inline(value: Any) -> str:
    from guild.ops.flags import format_value

    text: str = format_value(plain(value) if isinstance(value, dict | list) else value)
    return text
