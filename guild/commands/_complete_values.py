"""Values for the parameters of commands, told by their metavars: RUN, OPERATION, FLAG=VALUE, TAG, FILE ..."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from guild.app import App, Globals, make_app

if TYPE_CHECKING:
    from guild.ops.opdef import FlagDef, OpDef
    from guild.runs.seen import Seen

Completer = Callable[[click.Context, str], Iterable[CompletionItem]]

_MAX_RUNS = 100  # candidates
_MAX_LOOK = 1000  # runs whose tags, labels, operations are read
_METAVAR = re.compile(r"\[?([A-Z]+(?:=VALUE)?)(?=[\] .]|\Z)")
_BATCH_FILES = (".csv", ".json", ".yml", ".yaml")
_PLAIN = re.compile(r"[A-Za-z]\w* [\w ]*\w\Z")  # the shell's quotes are enough for it
_READERS = ("cat", "ls", "open")  # of files of a run
_IN_TRASH = ("restore", "purge")


def attach(root: click.Group, args: Sequence[str]) -> None:
    """Let the parameters of the root command, and of those that `args` name, know their values."""
    command: click.Command | None = root
    _attach_to(root)
    context = click.Context(root, info_name="guild", resilient_parsing=True)
    for arg in args:
        if not isinstance(command, click.Group):
            return
        found = command.get_command(context, arg)
        if found is not None:
            command = found
            _attach_to(found)


def _attach_to(command: click.Command) -> None:
    for param in command.params:
        metavar = _METAVAR.match(param.metavar or "")
        completer = COMPLETERS.get(metavar[1]) if metavar else None
        if completer is not None:
            setattr(param, "shell_complete", _as_method(completer))  # noqa: B010


def _as_method(completer: Completer) -> Callable[[click.Context, str], list[CompletionItem]]:
    return lambda ctx, word: list(completer(ctx, word))


def with_files(found: Iterable[CompletionItem]) -> Iterator[CompletionItem]:
    """Names of files in the place of what click leaves to the shell."""
    for item in found:
        if item.type in ("file", "dir"):
            yield from _paths(str(item.value), item.type == "dir")
        else:
            yield item


def _app(ctx: click.Context) -> App:
    root = ctx.find_root()
    if not isinstance(root.obj, App):
        root.obj = make_app(Globals(root.params.get("home")))
        ctx.call_on_close(root.obj.close)
    return root.obj


# Files.


def _files(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    return _paths(word, False)


def _dirs(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    return _paths(word, True)


def _files_or_those_of_run(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    """`cat` and the like take paths in a run: the one that was named, else the newest."""
    if ctx.command.name not in _READERS:
        return _paths(word, False)
    from guild.runs.selection import select

    params = ctx.command.params
    runs = (ctx.params.get(p.name or "") for p in params if (p.metavar or "").startswith("[RUN"))
    found = select(list(_seen(ctx)), [next(filter(None, runs), "1")])
    return _paths(word, False, base=found[0].run.path)


def _paths(
    word: str, only_dirs: bool, head: str = "", ends: tuple[str, ...] = ("",), base: Path | None = None
) -> Iterator[CompletionItem]:
    """Entries of `base` that begin with `word`, `head` before each; hidden ones when asked for."""
    directory, name = os.path.split(word)
    try:
        with os.scandir((base or Path()) / os.path.expanduser(directory)) as entries:
            listed = sorted(entries, key=lambda e: e.name)
    except OSError:
        return
    for entry in listed:
        if not entry.name.startswith(name) or (entry.name[0] == "." and not name):
            continue
        text = head + os.path.join(directory, entry.name)
        if entry.is_dir():
            yield CompletionItem(text + "/", "part")
        elif not only_dirs and entry.name.endswith(ends):
            yield CompletionItem(text)


# Runs.


def _seen(ctx: click.Context) -> Iterator["Seen"]:
    """The runs that the command line so far means, newest first."""
    from guild.commands._runs_options import take_filters
    from guild.runs.selection import look

    app = _app(ctx)
    runs = app.store
    try:
        filters = take_filters(dict(ctx.params))
    except Exception:  # a command without filters, or filters that do not go together
        filters = None
    in_trash = ctx.command.name in _IN_TRASH or ctx.params.get("deleted")
    if in_trash or filters is not None:
        source = app.store.trashed() if in_trash else runs
        return iter(look(source, filters) if filters is not None else look(source))
    return iter(runs.newest_first())


def _runs(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    """Short ids, or whole ones where the short one is typed already."""
    from guild.commands._show import start_time

    matching = (seen for seen in _seen(ctx) if seen.id.startswith(word))
    for seen in islice(matching, _MAX_RUNS):
        text = seen.run.short_id if len(word) <= len(seen.run.short_id) else seen.id
        parts = (seen.operation, start_time(seen), seen.status.value, seen.label)
        yield CompletionItem(text, help=" ".join(part for part in parts if part))


def _of_runs(read: Callable[["Seen"], Iterable[str]]) -> Completer:
    def complete(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
        newest = islice(_app(ctx).store.newest_first(), _MAX_LOOK)
        texts = dict.fromkeys(text for seen in newest for text in read(seen) if text)
        return (CompletionItem(text) for text in sorted(texts) if text.startswith(word))

    return complete


def _tags_of(seen: "Seen") -> Iterable[str]:
    return map(str, seen.run.list_attr("tags"))


# Operations and their flags.


def _operations(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    """Operations of the project, and of its default one the flags; else scripts."""
    found = [item for item in _of_guildfile(ctx) if item.value.startswith(word)]
    yield from found
    is_run = ctx.command.name == "run"
    if is_run and (word or not found):
        yield from _flags_of(ctx, None, word)
    if is_run and not found:
        yield from _paths(word, False, ends=(".py", ".sh"))


def _of_guildfile(ctx: click.Context) -> Iterator[CompletionItem]:
    from guild.commands._project import project_context
    from guild.errors import GuildError
    from guild.ops.resolve import project_guildfile

    try:
        guildfile = project_guildfile(project_context(_app(ctx)))
    except GuildError:
        return
    for op in sorted(guildfile.operations(), key=lambda op: op.name) if guildfile is not None else ():
        yield CompletionItem(op.name, help=op.description)


def _flags(ctx: click.Context, word: str) -> Iterator[CompletionItem]:
    opspec = ctx.params.get("opspec")
    is_flag = opspec is not None and ("=" in opspec or opspec.startswith("@"))
    return _flags_of(ctx, None if is_flag else opspec, word)


def _flags_of(ctx: click.Context, opspec: str | None, word: str) -> Iterator[CompletionItem]:
    if word.startswith("@"):
        yield from _paths(word[1:], False, "@", _BATCH_FILES)
        return
    opdef = _opdef(ctx, opspec)
    if opdef is None:
        return
    name, has_value, value = word.partition("=")
    if has_value:
        for flag in opdef.flags:
            if flag.name == name:
                yield from _values(flag, value)
        return
    given = {
        text.partition("=")[0] for text in (*(ctx.params.get("flags") or ()), ctx.params.get("opspec") or "")
    }
    for flag in opdef.flags:
        if flag.name.startswith(name) and flag.name not in given:
            yield CompletionItem(f"{flag.name}=", "part", _flag_help(flag))


def _opdef(ctx: click.Context, opspec: str | None) -> "OpDef | None":
    from guild.commands._project import project_context
    from guild.errors import GuildError
    from guild.ops.resolve import resolve
    from guild.plugin import providers

    app = _app(ctx)
    try:
        again = next(
            (ctx.params[name] for name in ("restart", "restage", "proto") if ctx.params.get(name)), None
        )
        if again is not None and opspec is None:
            return _opdef_of_run(app, again)
        return resolve(opspec, project_context(app), providers()).opdef
    except (GuildError, OSError):
        return None


def _opdef_of_run(app: App, text: str) -> "OpDef | None":
    """The operation as a run has it."""
    from guild.launch import recipe
    from guild.launch.machine import find_place
    from guild.runs.selection import find_one

    return recipe.read(find_one(app.store, text), find_place(app.environ, str(app.cwd))).opdef


def _flag_help(flag: "FlagDef") -> str:
    from guild.ops.flag_values import format_value

    default = f"default {format_value(flag.default)}" if flag.default is not None else ""
    return ", ".join(part for part in (flag.description.partition("\n")[0], default) if part)


def _values(flag: "FlagDef", word: str) -> Iterator[CompletionItem]:
    """Choices, yes and no, files; the default where there is nothing else."""
    from guild.ops.flag_values import format_value

    if flag.choices:
        values: list[tuple[Any, str]] = [
            (choice.alias or choice.value, choice.description) for choice in flag.choices
        ]
    elif flag.type == "boolean" or isinstance(flag.default, bool):
        values = [(True, ""), (False, "")]
    elif flag.type in ("path", "existing-path"):
        yield from _paths(word, False, f"{flag.name}=")
        return
    else:
        values = [(flag.default, "default")] if flag.default is not None else []
    for value, text in values:
        is_plain = isinstance(value, str) and _PLAIN.match(value)
        shown = value if is_plain else format_value(value)
        if shown.startswith(word):
            yield CompletionItem(f"{flag.name}={shown}", help=text)


COMPLETERS: dict[str, Completer] = {
    "RUN": _runs,
    "OP": _of_runs(lambda seen: [seen.operation]),
    "TAG": _of_runs(_tags_of),
    "DIR": _dirs,
    "FILE": _files,
    "PATH": _files_or_those_of_run,
    "ALGORITHM": lambda ctx, word: [CompletionItem("random")] if "random".startswith(word) else [],
    "OPERATION": _operations,
    "FLAG=VALUE": _flags,
}
