"""`sourcecode` of a guildfile: which files of the project an operation takes along."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry, Where
from guild.ops.opdef import SelectRule, SourceRules
from guild.ops.select import GUILD_DIR

SOURCE_ATTRS = ("root", "dest", "select", "digest")
_KINDS = ("text", "binary", "dir")
_ALL_OUT = SelectRule(False, "*")


def read_source_rules(entry: Entry, base: SourceRules) -> SourceRules:
    """The rules of an entry's `sourcecode`, after those of `base`; of all that match, the last one counts.

    `no`: nothing is copied; patterns: these and nothing else; a list of `include` and `exclude`: added to the
    defaults; a mapping of root, dest and select.
    """
    if "sourcecode" not in entry.data:
        return base
    return _read(entry, entry.data["sourcecode"], base, (*entry.where, "sourcecode"))


def _read(entry: Entry, spec: Any, base: SourceRules, where: Where) -> SourceRules:
    if spec is None or spec is True:
        return base
    if spec is False or spec == []:
        return replace(base, disabled=True)
    if isinstance(spec, Mapping) and not set(spec) <= {"include", "exclude"}:
        return _from_map(entry, spec, base, where)
    items = spec if isinstance(spec, list) else [spec]
    if all(isinstance(item, str) for item in items):
        rules = [_ALL_OUT, *(SelectRule(True, item) for item in items)]
    else:
        rules = [rule for n, item in enumerate(items) for rule in _rules(entry, item, (*where, n))]
        if base.disabled:  # the model takes nothing: what is included here is all
            rules.insert(0, _ALL_OUT)
    return replace(base, disabled=False, rules=(*base.rules, *rules))


def _from_map(entry: Entry, spec: Mapping[str, Any], base: SourceRules, where: Where) -> SourceRules:
    at = coerce.entry_of(spec, where, entry.faults)
    if at is None:
        return base
    known = [name for name in at.data if name in SOURCE_ATTRS]
    at.warn_unknown(SOURCE_ATTRS)
    if not known:
        entry.faults.add(where, f"expected one of {', '.join(SOURCE_ATTRS)}, or include and exclude")
    root = at.get("root", coerce.text, "") or base.root
    dest = at.get("dest", _dest, "") or base.dest
    if "select" in at.data:
        base = _read(entry, at.data["select"], base, (*where, "select"))
    return replace(base, root=root, dest=dest)


def _dest(value: Any) -> str:
    """A place below the run directory, and not among Guild's own files."""
    text = coerce.text(value)
    parts = [p for p in text.split("/") if p not in ("", ".")]
    if text.startswith("/") or ".." in parts or parts[:1] == [GUILD_DIR]:
        raise ValueError(f"expected a directory below the run directory, got {coerce.show(value)}")
    return text


def _rules(entry: Entry, item: Any, where: Where) -> list[SelectRule]:
    if isinstance(item, str):
        return [SelectRule(True, item)]
    if not isinstance(item, Mapping) or not item or not set(item) <= {"include", "exclude"}:
        entry.faults.add(where, f"expected include or exclude, got {coerce.show(item)}")
        return []
    try:
        return [
            SelectRule(verb == "include", pattern, kind)
            for verb, patterns in item.items()
            for kind, pattern in _patterns(patterns)
        ]
    except ValueError as e:
        entry.faults.add(where, str(e))
        return []


def _patterns(value: Any) -> list[tuple[str, str]]:
    """(kind, pattern) of a pattern, a list of them, or a mapping from kinds to them."""
    if isinstance(value, list):
        return [pattern for item in value for pattern in _patterns(item)]
    if not isinstance(value, Mapping):
        return [("", coerce.text(value))]
    if not set(value) <= set(_KINDS):
        raise ValueError(f"expected a pattern, or one of {', '.join(_KINDS)}, got {coerce.show(value)}")
    return [(kind, pattern) for kind, v in value.items() for pattern in coerce.texts(v)]
