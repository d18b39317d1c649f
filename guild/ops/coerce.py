"""Typed reading of a guildfile's values. Every fault names the file, the line and the path of the entry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from guild.errors import GuildfileError

T = TypeVar("T")

# Defaults for what is absent.
NO_TEXTS: tuple[str, ...] = ()
NO_MAP: Mapping[str, Any] = {}


@dataclass
class Faults:
    """What is wrong with a file; lines are looked up when they are shown."""

    path: Path
    found: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def add(self, where: tuple[str, ...], text: str) -> None:
        self.found.append((where, text))

    def raise_any(self) -> None:
        if self.found:
            lines = Lines(self.path)
            raise GuildfileError("\n".join(lines.describe(where, text) for where, text in self.found))


class Lines:
    """The lines of a file's entries; the file is read again, by the composer, only to report a fault."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._root: Any = None

    def describe(self, where: tuple[str, ...], text: str) -> str:
        line = self._line(where)
        at = f"{self._path}:{line}" if line else str(self._path)
        return f"error in {at}: {'.'.join(where)}: {text}" if where else f"error in {at}: {text}"

    def _line(self, where: tuple[str, ...]) -> int:
        import yaml

        if self._root is None:
            try:
                self._root = yaml.compose(self._path.read_text("utf-8"), Loader=yaml.SafeLoader)
            except (OSError, ValueError, yaml.YAMLError):
                return 0
        node, line = self._root, 0
        for part in where:
            node, line = _child(node, part, line)
            if node is None:
                break
        return line


def _child(node: Any, part: str, line: int) -> tuple[Any, int]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if part == str(index):
                return item, item.start_mark.line + 1
            if isinstance(item, yaml.MappingNode) and any(
                k.value == "model" and getattr(v, "value", None) == part for k, v in item.value
            ):
                return item, item.start_mark.line + 1
    return None, line


@dataclass(frozen=True)
class Entry:
    """One mapping of a guildfile and where it is."""

    data: Mapping[str, Any]
    where: tuple[str, ...]
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

    def child(self, name: str, value: Any) -> "Entry | None":
        """An entry below this one; a fault where it is no mapping."""
        where = (*self.where, name)
        if value is None:
            return Entry({}, where, self.faults)
        if not isinstance(value, Mapping):
            self.faults.add(where, f"expected a mapping, got {show(value)}")
            return None
        return Entry({str(k): v for k, v in value.items()}, where, self.faults)

    def unknown(self, known: Iterable[str]) -> list[str]:
        """A warning for each attribute that nobody knows."""
        names = sorted(known)
        texts = []
        for name in self.data:
            if name not in names:
                near = get_close_matches(name, names, 1)
                hint = f" (did you mean '{near[0]}'?)" if near else ""
                texts.append(f"{'.'.join(self.where)}: unknown attribute '{name}'{hint}")
        return texts


def show(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
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


def texts(value: Any) -> tuple[str, ...]:
    """A text, or a list of texts."""
    return tuple(text(v) for v in value) if isinstance(value, list) else (text(value),)


def text_map(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping, got {show(value)}")
    return {str(k): "" if v is None else _env_text(v) for k, v in value.items()}


def _env_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return text(value)


def mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping, got {show(value)}")
    return {str(k): v for k, v in value.items()}


def one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}; got {show(value)}")
        return str(value)

    return read


def anything(value: Any) -> Any:
    return value
