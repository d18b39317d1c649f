"""References to flags in what an operation requires: `file: data-${size}.csv`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace

from guild.errors import GuildError
from guild.ops.flag_values import to_text
from guild.ops.opdef import Dependency, FlagValue, Rename, ResourceSource

_REFERENCE = re.compile(r"\$\{([^}]*)\}")

Values = Mapping[str, FlagValue]


def with_flags(dep: Dependency, flags: Values) -> Dependency:
    """The dependency with the values of flags in the places of `${flag}`; its names stay as they are.

    Raises GuildError for a reference to no flag.
    """
    sources = tuple(_source(dep, source, flags) for source in dep.sources)
    return replace(dep, sources=sources, target_path=_filled(dep, dep.target_path, flags))


def _source(dep: Dependency, source: ResourceSource, flags: Values) -> ResourceSource:
    texts = (source.target, source.target_path or "", source.select_min, source.select_max, *source.select)
    renames = [text for rename in source.rename for text in (rename.pattern, rename.repl)]
    if not any("${" in text for text in (*texts, *renames)):
        return source
    path = source.target_path
    return replace(
        source,
        name=source.resolved_name,
        target=_filled(dep, source.target, flags),
        target_path=None if path is None else _filled(dep, path, flags),
        select=tuple(_filled(dep, text, flags) for text in source.select),
        select_min=_filled(dep, source.select_min, flags),
        select_max=_filled(dep, source.select_max, flags),
        rename=tuple(
            Rename(_filled(dep, r.pattern, flags), _filled(dep, r.repl, flags)) for r in source.rename
        ),
    )


def _filled(dep: Dependency, text: str, flags: Values) -> str:
    def value(match: "re.Match[str]") -> str:
        if match[1] not in flags:
            raise GuildError(
                f"{dep.name}: '{text}' refers to '{match[1]}', which is no flag of the operation"
            )
        return to_text(flags[match[1]])

    return _REFERENCE.sub(value, text) if "${" in text else text
