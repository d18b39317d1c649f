"""`requires` of a guildfile: what an operation needs before it can run, from resources and in place."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry, Where
from guild.ops.opdef import Dependency, FlagDef, Rename, ResourceSource

KINDS = ("file", "url", "module", "config", "operation")
SOURCE_ATTRS = (
    *KINDS, "name", "flag-name", "sha256", "unpack", "type", "select", "select-min", "select-max", "rename",
    "optional", "warn-if-empty", "fail-if-empty", "target-path", "path", "target-type", "preserve-path",
    "post-process", "replace-existing", "always-resolve", "params", "help",
)  # fmt: skip
RESOURCE_ATTRS = (
    "resource", "sources", "name", "description", "target-path", "path", "target-type", "default-unpack",
    "preserve-path", "private", "references", "flag-name",
)  # fmt: skip

# Plain data of a resource, by its name (`res`, `model:res`), and where it is.
FindResource = Callable[[str], tuple[Any, Where] | None]


def read_requires(entry: Entry, location: str, find_resource: FindResource) -> tuple[Dependency, ...]:
    """The dependencies of an operation; `location`: where relative paths begin. Faults go to the entry's."""
    value = entry.data.get("requires")
    where = (*entry.where, "requires")
    items = (
        [(value, where)] if not isinstance(value, list) else [(v, (*where, n)) for n, v in enumerate(value)]
    )
    found = [_dependency(entry, item, at, location, find_resource) for item, at in items if item is not None]
    return tuple(dep for dep in found if dep is not None)


def _dependency(
    entry: Entry, item: Any, where: Where, location: str, find_resource: FindResource
) -> Dependency | None:
    """A resource by its name, a source, or a resource in place."""
    if isinstance(item, str):
        return _named(entry, item, where, location, find_resource)
    at = coerce.entry_of(item, where, entry.faults)
    if at is None:
        return None
    if isinstance(at.data.get("resource"), str):
        return _named(entry, at.data["resource"], (*where, "resource"), location, find_resource)
    if "sources" in at.data:
        return _resource(at, _name_of(at), location)
    return _in_place(at, location)


def _named(
    entry: Entry, name: str, where: Where, location: str, find_resource: FindResource
) -> Dependency | None:
    found = find_resource(name)
    if found is None:
        entry.faults.add(where, f"there is no resource '{name}'; for a file write 'file: {name}'")
        return None
    data, at = found
    if isinstance(data, list):
        data = {"sources": data}
    resource = coerce.entry_of(data, at, entry.faults)
    return None if resource is None else _resource(resource, name.rpartition(":")[2], location)


def _name_of(at: Entry) -> str:
    return at.get("name", coerce.text, "")


def _in_place(at: Entry, location: str) -> Dependency | None:
    """A source that stands for a resource of its own, which is called like it."""
    source = _source(at)
    if source is None:
        return None
    data = {"sources": [dict(at.data)]}
    return Dependency(source.resolved_name, (source,), location, attr=data)


def _resource(at: Entry, name: str, location: str) -> Dependency | None:
    sources = [s for s in _sources(at) if s is not None]
    unique = {(s.uri, s.name): s for s in reversed(sources)}
    kept = tuple(s for s in sources if unique[s.uri, s.name] is s)
    at.warn_unknown(RESOURCE_ATTRS)
    get = at.get
    raw = at.data.get("sources")
    return Dependency(
        name or ",".join(s.resolved_name for s in kept),
        kept,
        location,
        description=get("description", coerce.text, ""),
        target_path=get("target-path", coerce.text, "") or get("path", coerce.text, ""),
        target_type=get("target-type", coerce.one_of("copy", "link"), "copy"),
        default_unpack=get("default-unpack", coerce.boolean, True),
        preserve_path=get("preserve-path", coerce.boolean, False),
        attr={**{k: v for k, v in at.data.items() if k != "name"}, "sources": raw if raw is not None else []},
    )


def _sources(at: Entry) -> Iterable[ResourceSource | None]:
    value = at.data.get("sources")
    where = (*at.where, "sources")
    if value is None:
        at.faults.add(at.where, "expected 'sources'")
        return
    if not isinstance(value, list):
        at.faults.add(where, f"expected a list, got {coerce.show(value)}")
        return
    for number, item in enumerate(value):
        if isinstance(item, str):
            yield ResourceSource("file", item)
            continue
        entry = coerce.entry_of(item, (*where, number), at.faults)
        yield None if entry is None else _source(entry)


def _source(at: Entry) -> ResourceSource | None:
    kinds = [kind for kind in KINDS if at.data.get(kind) is not None]
    if len(kinds) != 1:
        got = " and ".join(kinds) or (", ".join(at.data) or "nothing")
        at.faults.add(at.where, f"expected exactly one of {', '.join(KINDS)}, got {got}")
        return None
    at.warn_unknown(SOURCE_ATTRS)
    get, maybe = at.get, at.maybe
    return ResourceSource(
        kinds[0],
        get(kinds[0], _target, ""),
        name=get("name", coerce.text, ""),
        flag_name=maybe("flag-name", _flag_name if kinds[0] != "operation" else _run_flag_name),
        sha256=get("sha256", _sha256, ""),
        unpack=maybe("unpack", coerce.boolean),
        type=get("type", coerce.one_of("zip", "tar", "gzip"), ""),
        select=get("select", _patterns, coerce.NO_TEXTS),
        select_min=get("select-min", _group, ""),
        select_max=get("select-max", _group, ""),
        rename=get("rename", _renames, ()),
        optional=get("optional", coerce.boolean, False),
        warn_if_empty=get("warn-if-empty", coerce.boolean, True),
        fail_if_empty=get("fail-if-empty", coerce.boolean, False),
        target_path=maybe("target-path", coerce.text) or maybe("path", coerce.text),
        target_type=maybe("target-type", coerce.one_of("copy", "link")),
        preserve_path=maybe("preserve-path", coerce.boolean),
        post_process=get("post-process", coerce.text, ""),
        replace_existing=get("replace-existing", coerce.boolean, False),
        always_resolve=get("always-resolve", coerce.boolean, False),
        params=get("params", coerce.mapping, coerce.NO_MAP),
        help=get("help", coerce.text, ""),
    )


def _target(value: Any) -> str:
    text = ",".join(coerce.texts(value)) if isinstance(value, list) else coerce.text(value)
    if not text.strip():
        raise ValueError("expected a name, got an empty text")
    return text


def _flag_name(value: Any) -> str:
    """`no` means that there is no flag."""
    return "" if value is False else coerce.text(value)


def _run_flag_name(value: Any) -> str | None:
    """That of an operation cannot be done without, as in Guild 0.9: the flag holds the id of the run."""
    return None if value is False else coerce.text(value)


def _sha256(value: Any) -> str:
    text = coerce.text(value).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"expected 64 hexadecimal digits, got {coerce.show(value)}")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as e:
        raise ValueError(f"invalid regular expression '{text}': {e}") from None
    return text


def _patterns(value: Any) -> tuple[str, ...]:
    return tuple(_pattern(text) for text in coerce.texts(value))


def _group(value: Any) -> str:
    text = _pattern(coerce.text(value))
    if re.compile(text).groups < 1:
        raise ValueError(f"expected a regular expression with a group, got '{text}'")
    return text


def _renames(value: Any) -> tuple[Rename, ...]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        if (
            isinstance(item, Mapping)
            and set(item) <= {"pattern", "repl"}
            and isinstance(item.get("pattern"), str)
        ):
            found.append(_rename(item["pattern"], coerce.text(item.get("repl") or "")))
        elif isinstance(item, str) and (words := rename_words(item)):
            found.append(_rename(*words))
        else:
            raise ValueError(
                f"expected 'PATTERN REPL' or a mapping of pattern and repl, got {coerce.show(item)}"
            )
    return tuple(found)


def rename_words(text: str) -> tuple[str, str] | None:
    """Pattern and replacement of `PATTERN REPL`, either of them in quotes perhaps; backslashes are kept."""
    if "'" not in text and '"' not in text:
        pattern, _, repl = text.strip().partition(" ")
        return (pattern, repl.strip()) if repl.strip() else None
    words = shlex.shlex(text, posix=True)
    words.whitespace_split, words.commenters, words.escape = True, "", ""
    try:
        pattern, repl = words
    except ValueError:  # an open quote, or not two words
        return None
    return pattern, repl


def _rename(pattern: str, repl: str) -> Rename:
    try:
        re.sub(_pattern(pattern), repl, "")
    except (re.error, IndexError) as e:
        raise ValueError(f"cannot rename by '{pattern} {repl}': {e}") from None
    return Rename(pattern, repl)


def dependency_flags(deps: Sequence[Dependency]) -> tuple[FlagDef, ...]:
    """A flag for each source whose location can be told: not passed to the process."""
    found = {}
    for source in (s for dep in deps for s in dep.sources):
        name = source.config_flag
        if name is None or name in found:
            continue
        alias = source.target if name == f"operation:{source.target}" else None
        text = f"Run of {source.target} to use" if source.kind == "operation" else f"Path for {source.uri}"
        # An id such as 1234e567 is no number.
        kind = "string" if source.kind == "operation" else None
        default = source.target if source.kind == "file" else None
        found[name] = FlagDef(
            name, default, description=source.help or text, type=kind, alias=alias, arg_skip=True
        )
    return tuple(found.values())
