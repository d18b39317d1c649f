"""Labels: templates such as `${lr|%.3f} ${default_label}`, filled in with flags."""

import re
from collections.abc import Mapping, Sequence

from guild.ops.flag_values import format_flags, format_short, to_text
from guild.ops.opdef import FlagValue

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
DEFAULT = "${default_label}"
_ERROR = "#error#"  # as Guild 0.9 shows a filter that it does not know


def default_label(flags: Mapping[str, FlagValue]) -> str:
    """`a=1 b=yes`: all flags that are not null, by name, with long paths and decimals shortened."""
    return format_flags(flags, short=True)


def render_label(template: str | None, flags: Mapping[str, FlagValue], tags: Sequence[str] = ()) -> str:
    """The label of a run; the default label without a template, after the tags if there are any.

    `${NAME|FILTER|...}` is replaced by the flag's value, empty where it is null or unknown. Filters: `%FMT`
    (printf), `default:TEXT` (for null), `basename`, `unquote`. Other text stays as it is.
    """
    if template is None:
        template = " ".join([*tags, DEFAULT])
    return _REFERENCE.sub(lambda match: _render(match[1], flags), template)


def _render(reference: str, flags: Mapping[str, FlagValue]) -> str:
    name, *filters = reference.split("|")
    name = name.strip()
    is_default = name == "default_label" and name not in flags
    value: FlagValue = default_label(flags) if is_default else flags.get(name)
    if not filters and not is_default:
        return "" if value is None else format_short(value)
    for text in filters:
        value = _filter(value, text.strip())
    if value is None:
        return ""
    return value if isinstance(value, str) else format_short(value)


def unknown_filters(template: str) -> list[str]:
    """The filters of a template that are none, as they are written."""
    words = [text.strip() for m in _REFERENCE.finditer(template) for text in m[1].split("|")[1:]]
    return [text for text in words if _filter("", text) == _ERROR]


def _filter(value: FlagValue, text: str) -> FlagValue:
    if text.startswith("default:"):
        return text.removeprefix("default:") if value is None else value
    if text == "basename":
        return None if value is None else to_text(value).rstrip("/").rpartition("/")[2]
    if text == "unquote":
        return _unquoted(value) if isinstance(value, str) else value
    if text.startswith("%"):
        return _printf(text, value)
    return _ERROR


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _printf(text: str, value: FlagValue) -> FlagValue:
    """The value in a printf format; itself where the format does not fit it (a bad format is no reason
    to refuse a run)."""
    if value is None or isinstance(value, list | dict | tuple):
        return value
    width = re.match(r"%[-+ #0]*(\d*)(?:\.(\d*))?", text)
    if width and any(len(digits or "") > 3 for digits in width.groups()):
        return value
    try:
        return text % value
    except (TypeError, ValueError, OverflowError, KeyError):
        return value
