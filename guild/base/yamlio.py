"""YAML in and out, as Guild 0.9 writes and reads it (`docs/run-directory.md`).

Differences from plain PyYAML: `1e5` and `1e-3` are floats both ways; the strings y, Y, n, N are quoted
when written. Plain integers, null and plain texts, most attributes, are read without loading PyYAML.
"""

import re
from functools import lru_cache
from typing import Any

_INT = re.compile(rb"(?:0|-?[1-9][0-9]{0,17})\Z")
# A text that YAML takes for nothing else (labels, ids, hosts), unless it is one of the words below.
_PLAIN = re.compile(rb"[A-Za-z_][A-Za-z0-9_=./+-]*(?: [A-Za-z0-9_=./+-]+)*\Z")
_NO_TEXT = frozenset(b"null true false yes no on off".split())
_WORDS: dict[bytes, Any] = {b"null": None, b"true": True, b"false": False, b"''": "", b"{}": {}, b"[]": []}
_BREAKS = ("\n", "\r", "\x85", "\u2028", "\u2029")
_FLOAT = r"""(?x)
    [-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?
  | [-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)
  | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
  | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
  | [-+]?\.(?:inf|Inf|INF)
  | \.(?:nan|NaN|NAN)"""


class YAMLError(ValueError):
    """A text that is no YAML. `line` counts from 1, 0 where it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def decode(data: bytes) -> Any:
    """The value of a YAML document. Raises YAMLError; null for an empty one."""
    stripped = data.strip(b" \n")
    if _INT.match(stripped):
        return int(stripped)
    if stripped in _WORDS:
        value = _WORDS[stripped]
        return value.copy() if isinstance(value, dict | list) else value
    if _PLAIN.match(stripped) and stripped.lower() not in _NO_TEXT:
        return stripped.decode("ascii")
    return load(data)


def load(data: bytes | str, pure: bool = False) -> Any:
    """As `decode`, always through PyYAML's safe loader.

    `pure` takes the one in Python, which also reads an undecodable byte's escape (`\\udcff`).
    """
    import yaml

    try:
        return yaml.load(data, Loader=_loader(pure))  # a subclass of the safe loader
    except yaml.MarkedYAMLError as e:
        if not pure and "Unicode character escape" in str(e.problem):
            return load(data, pure=True)
        mark = e.problem_mark or e.context_mark
        raise YAMLError(e.problem or "invalid YAML", mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, ValueError, OverflowError) as e:
        raise YAMLError(str(e).splitlines()[0] if str(e) else "invalid YAML") from None
    except (RecursionError, LookupError, AttributeError, TypeError):
        # PyYAML's own, of a tag that does not fit its value (`!!int ''`), or too deep a nesting.
        raise YAMLError("a tag that does not fit its value, or too deep a nesting") from None


def encode(value: Any, ascii: bool = False) -> bytes:
    """Block style, keys sorted, one newline at the end, no `...`. `ascii`: other characters as escapes, for
    readers that decode by the locale."""
    if value is None or value is True or value is False:
        return {None: b"null\n", True: b"true\n", False: b"false\n"}[value]
    if type(value) is int:
        return b"%d\n" % value
    text = _dump(value, flow=False, ascii=ascii)
    return text.encode("utf-8", "surrogateescape") + b"\n"


def encode_inline(value: Any) -> str:
    """One line of YAML, as labels, prompts and log lines show a value."""
    return _dump(value, flow=True)


def _dump(value: Any, flow: bool, pure: bool = False, ascii: bool = False) -> str:
    import yaml

    try:
        text = yaml.dump(
            value,
            Dumper=_dumper(flow, pure),
            default_flow_style=flow,
            indent=2,
            sort_keys=True,
            allow_unicode=not ascii,
            width=1 << 30 if flow else 80,
        )
    except UnicodeEncodeError:  # libyaml knows no surrogates, as undecodable bytes become
        return _dump(value, flow, pure=True)
    # Blanks and line ends only: PyYAML leaves other white space (U+00A0) plain at the ends of a text.
    return str(text).strip(" \n").removesuffix("\n...").rstrip(" \n")


@lru_cache(maxsize=2)
def _loader(pure: bool) -> Any:
    import yaml

    base = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("GuildLoader", (base,), {})
    _resolve_floats(loader, "-+0123456789.")
    loader.add_constructor("tag:yaml.org,2002:int", _printable_int)
    return loader


def _printable_int(loader: Any, node: Any) -> int:
    """Python cannot write an integer of more than 4300 digits: one such would break whoever shows it."""
    value: int = loader.construct_yaml_int(node)
    if value.bit_length() > 14_000:
        raise ValueError("a number of more than 4200 digits")
    return value


@lru_cache(maxsize=4)
def _dumper(flow: bool, pure: bool) -> Any:
    import yaml

    base = yaml.SafeDumper if pure else getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type("GuildDumper", (base,), {"ignore_aliases": lambda self, data: True})
    _resolve_floats(dumper, "-+0123456789.")
    dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
    if flow:
        dumper.add_representer(str, _one_line)
    return dumper


def _one_line(dumper: Any, text: str) -> Any:
    """Text with line breaks in quotes that have an escape for them."""
    style = '"' if len(text.splitlines()) > 1 or text.endswith(_BREAKS) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _resolve_floats(cls: Any, first: str) -> None:
    """Replace the float resolver of PyYAML (YAML 1.1) by one that takes `1e5`."""
    tag = "tag:yaml.org,2002:float"
    cls.yaml_implicit_resolvers = {
        key: [(t, r) for t, r in resolvers if t != tag]
        for key, resolvers in cls.yaml_implicit_resolvers.items()
    }
    pattern = re.compile(rf"^(?:{_FLOAT.replace('(?x)', '')})$", re.X)
    for char in first:
        cls.yaml_implicit_resolvers.setdefault(char, []).append((tag, pattern))
