"""Typed reading of a guildfile's values. Every fault names the file, the line and the path of the entry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from guild.errors import GuildfileError

T = TypeVar("T")
Where = tuple[str | int, ...]
Place = tuple[Path, Where]

# Defaults for what is absent.
NO_TEXTS: tuple[str, ...] = ()
NO_MAP: Mapping[str, Any] = {}


@dataclass
class Faults:
    """What is wrong with a file, or at least strange; lines are looked up when they are shown.

    `locate` tells where data that was put together from several places stands: file, and place in it.
    """

    path: Path
    found: list[tuple[Where, str]] = field(default_factory=list)
    warned: list[tuple[Where, str]] = field(default_factory=list)
    # Faults whose file and place in it are known.
    placed: list[tuple[Place, str]] = field(default_factory=list)
    locate: Callable[[Where], Place] | None = None

    def add(self, where: Where, text: str) -> None:
        self.found.append((where, text))

    def warn(self, where: Where, text: str) -> None:
        self.warned.append((where, text))

    def warnings(self) -> tuple[str, ...]:
        """`guild.yml: train.flgs: unknown attribute ...`, each once."""
        texts = []
        for where, text in self.warned:
            path, at = self._place(where)
            texts.append(": ".join(part for part in (self._shown(path), _name(at), text) if part))
        return tuple(dict.fromkeys(texts))

    def error(self) -> GuildfileError:
        """The error that names them all, one a line: `error in PATH:LINE: train.flags.lr.type: what`."""
        roots: dict[Path, Any] = {}
        texts = []
        for (path, where), text in (*self.placed, *((self._place(w), t) for w, t in self.found)):
            if path not in roots:
                roots[path] = _composed(path)
            texts.append(_described(path, roots[path], where, text))
        return GuildfileError("\n".join(dict.fromkeys(texts)))

    def raise_any(self) -> None:
        if self.found or self.placed:
            raise self.error()

    def _place(self, where: Where) -> Place:
        return self.locate(where) if self.locate is not None else (self.path, where)

    def _shown(self, path: Path) -> str:
        """A file seen from the directory of this one."""
        try:
            return str(path.relative_to(self.path.parent))
        except ValueError:
            return str(path)


def _described(path: Path, root: Any, where: Where, text: str) -> str:
    line = _line(root, where)
    at = f"{path}:{line}" if line else str(path)
    name = _name(where)
    return f"error in {at}: {name}: {text}" if name else f"error in {at}: {text}"


def _name(where: Where) -> str:
    """`item 2.operations.train` counts the items of a list from 1."""
    return ".".join(f"item {part + 1}" if isinstance(part, int) else part for part in where)


def _composed(path: Path) -> Any:
    """The nodes of the file, which is read again, by the composer, only to report a fault."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(path.read_bytes(), Loader=loader)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _line(node: Any, where: Where) -> int:
    """The line of an entry, from 1, or of the last one above it that is found."""
    line = 0
    for part in where:
        found = _child(node, part) if node is not None else None
        if found is None:
            break
        node, line = found
    return line


def _child(node: Any, part: str | int) -> tuple[Any, int] | None:
    """The node of a key, or of an item by its number or its name, and its line."""
    if node.id == "mapping":
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if node.id == "sequence":
        for index, item in enumerate(node.value):
            if part == index or part in _names(item):
                return item, item.start_mark.line + 1
    return None


def _names(item: Any) -> list[Any]:
    """What an item of a list is called."""
    kinds = ("model", "config")
    return [v.value for k, v in item.value if k.value in kinds] if item.id == "mapping" else []


@dataclass(frozen=True)
class Entry:
    """One mapping of a guildfile and where it is."""

    data: Mapping[str, Any]
    where: Where
    faults: Faults

    def get(self, name: str, read: Callable[[Any], T], default: T) -> T:
        """The attribute as `read` takes it, `default` where it is absent or null; a ValueError of `read`
        is a fault of the file."""
        value = self.data.get(name)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as e:
            self.faults.add((*self.where, name), str(e))
            return default

    def maybe(self, name: str, read: Callable[[Any], T]) -> T | None:
        """As `get`; None where it is absent or null."""
        found: T | None = self.get(name, read, None)
        return found

    def child(self, name: str, value: Any) -> "Entry | None":
        """An entry below this one, empty for null; a fault where it is no mapping."""
        return entry_of(value, (*self.where, name), self.faults)

    def warn_unknown(self, known: Iterable[str], *, near_only: bool = False) -> None:
        """A warning for each attribute that nobody knows; with `near_only` for those that resemble one."""
        names = sorted(known)
        for name in self.data:
            if name in names:
                continue
            near = nearest(name, names)
            if near or not near_only:
                hint = f" (did you mean '{near}'?)" if near else ""
                self.faults.warn((*self.where, name), f"unknown attribute '{name}'{hint}")


def entry_of(value: Any, where: Where, faults: Faults) -> Entry | None:
    """A mapping with names for its keys as an Entry; else None, and a fault."""
    if value is None:
        return Entry({}, where, faults)
    try:
        return Entry(mapping(value), where, faults)
    except ValueError as e:
        faults.add(where, str(e))
        return None


def named(value: Mapping[Any, Any], where: Where, faults: Faults) -> dict[str, Any]:
    """The entries of a mapping that have names; a warning for each other one, which is left out."""
    for key in value:
        if not isinstance(key, str):
            faults.warn(where, f"expected a text for a name, got {show(key)} (put it in quotes); left out")
    return {key: item for key, item in value.items() if isinstance(key, str)}


def nearest(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, list(names), 1, 0.7)
    return found[0] if found else None


def show(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


# What values may be. Each returns the value, or raises ValueError with what was expected.


def text(value: Any) -> str:
    """A text; numbers and dates are taken as they are written."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | date):
        raise ValueError(f"expected a text, got {show(value)}")
    return str(value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected yes or no, got {show(value)}")
    return value


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {show(value)}")
    return value


def count(value: Any) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"expected a whole number from 1, got {show(value)}")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A text, or a list of texts."""
    return tuple(text(v) for v in value) if isinstance(value, list) else (text(value),)


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping from names. YAML reads `on`, `off`, `yes`, `no` and numbers as values: they need quotes."""
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping, got {show(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"expected a text for a name, got {show(key)} (put it in quotes)")
    return value


def env(value: Any) -> Mapping[str, str]:
    """Environment variables: `yes` is 1; `no` and null are empty."""
    return {name: _env_text(v) for name, v in mapping(value).items()}


def encoding(value: Any) -> Mapping[str, str]:
    """From values, written as Guild shows them, to texts."""
    from guild.ops.flag_values import format_value

    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping, got {show(value)}")
    return {k if isinstance(k, str) else format_value(k): _env_text(v) for k, v in value.items()}


def _env_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "1" if value else ""
    return text(value)


def one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            near = nearest(value, allowed) if isinstance(value, str) else None
            hint = f" (did you mean '{near}'?)" if near else ""
            raise ValueError(f"expected one of {', '.join(allowed)}, got {show(value)}{hint}")
        return str(value)

    return read
