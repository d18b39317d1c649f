"""Dependencies as the attribute `op` has them, so that Guild 0.9 can resolve what we staged, and we what it
did (`docs/run-directory.md`). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from guild.ops.guildfile_requires import rename_words
from guild.ops.opdef import Dependency, FlagValue, Rename, ResourceSource

KINDS = ("file", "url", "module", "config", "operation")


def to_attr(deps: Sequence[Dependency], flags: Mapping[str, FlagValue]) -> list[dict[str, Any]]:
    """A map for each dependency: the resource as it was written, its name and location, and, as `config`,
    the values of the flags that say where its sources come from."""
    return [_to_map(dep, flags) for dep in deps]


def _to_map(dep: Dependency, flags: Mapping[str, FlagValue]) -> dict[str, Any]:
    data = {**dep.attr, "name": dep.name, "location": dep.location}
    names = [s.config_flag for s in dep.sources if s.config_flag is not None]
    config = {name: flags[name] for name in names if name in flags and flags[name] != ""}
    return {**data, "config": config} if config else data


def from_attr(data: Any) -> tuple[Dependency, ...]:
    """The dependencies that a run recorded; what cannot be read as one is left out."""
    items = data if isinstance(data, list) else []
    found = [_from_map(item) for item in items if isinstance(item, Mapping)]
    return tuple(dep for dep in found if dep.sources)


def _from_map(item: Mapping[Any, Any]) -> Dependency:
    sources = item.get("sources")
    read = [_source(s) for s in sources] if isinstance(sources, list) else []
    known = tuple(s for s in read if s is not None)
    name = _text(item.get("name")) or ",".join(s.resolved_name for s in known)
    return Dependency(
        name,
        known,
        _text(item.get("location")),
        target_path=_text(item.get("target-path") or item.get("path")),
        target_type="link" if item.get("target-type") == "link" else "copy",
        default_unpack=item.get("default-unpack") is not False,
        preserve_path=item.get("preserve-path") is True,
        attr={str(k): v for k, v in item.items() if k not in ("name", "location", "config")},
    )


def _source(data: Any) -> ResourceSource | None:
    if isinstance(data, str):
        return ResourceSource("file", data)
    if not isinstance(data, Mapping):
        return None
    kind = next((k for k in KINDS if isinstance(data.get(k), str)), None)
    if kind is None:
        return None
    flag_name = data.get("flag-name")
    if kind == "operation" and flag_name is False:
        flag_name = None
    target_type = data.get("target-type")
    path = data.get("target-path", data.get("path"))
    params = data.get("params")
    return ResourceSource(
        kind,
        data[kind],
        name=_text(data.get("name")),
        flag_name="" if flag_name is False else None if flag_name is None else str(flag_name),
        sha256=_text(data.get("sha256")),
        unpack=_boolean(data.get("unpack")),
        type=str(data["type"]) if data.get("type") in ("zip", "tar", "gzip") else "",
        select=_texts(data.get("select")),
        select_min=_text(data.get("select-min")),
        select_max=_text(data.get("select-max")),
        rename=renames(data.get("rename")),
        optional=data.get("optional") is True,
        warn_if_empty=data.get("warn-if-empty") is not False,
        fail_if_empty=data.get("fail-if-empty") is True,
        target_path=None if path is None else str(path),
        target_type=str(target_type) if target_type in ("copy", "link") else None,
        preserve_path=_boolean(data.get("preserve-path")),
        post_process=_text(data.get("post-process")),
        replace_existing=data.get("replace-existing") is True,
        always_resolve=data.get("always-resolve") is True,
        params={str(k): v for k, v in params.items()} if isinstance(params, Mapping) else {},
        help=_text(data.get("help")),
    )


def renames(value: Any) -> tuple[Rename, ...]:
    """`PATTERN REPL`, a map of pattern and repl, or a list of these; what is neither is left out."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping) and isinstance(item.get("pattern"), str):
            found.append(Rename(item["pattern"], _text(item.get("repl"))))
        elif isinstance(item, str) and item.strip():
            found.append(Rename(*(rename_words(item) or (item.strip(), ""))))
    return tuple(found)


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool) else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else (str(value),) if value else ()


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
