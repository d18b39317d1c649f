"""The items of a guildfile, with those of the files that it includes in their place."""

import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.base import files, yamlio
from guild.errors import GuildfileError
from guild.ops import coerce
from guild.ops.coerce import Entry, Faults, Where

ITEMS = ("model", "config", "package", "include")
PACKAGE_ATTRS = (
    "package", "version", "description", "url", "author", "author-email", "license", "tags", "python-tag",
    "data-files", "python-requires", "requires", "packages",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A model or a config as its file has it. `bare`: the file is a mapping of operations, and this is it."""

    kind: str
    name: str
    data: Mapping[str, Any]
    path: Path
    where: Where
    bare: bool = False


@dataclass(frozen=True)
class Package:
    """What a guildfile says about the package that it is part of."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Items:
    """`content`: the bytes of the file itself. `warnings`: attributes of items that nobody knows."""

    content: bytes
    items: tuple[Item, ...]
    package: Package | None = None
    warnings: tuple[str, ...] = ()


def read_items(path: Path) -> Items:
    """The items of a guildfile. Raises GuildfileError naming file and line of all that is wrong with their
    form."""
    reader = _Reader()
    content = reader.read(path, ())
    if reader.errors:
        raise GuildfileError("\n".join(reader.errors))
    return Items(content, tuple(reader.items), reader.package, tuple(reader.warnings))


class _Reader:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.package: Package | None = None
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self._seen: set[Path] = set()
        self._names: dict[tuple[str, str], Path] = {}

    def read(self, path: Path, chain: tuple[Path, ...]) -> bytes:
        """Add the items of a file, which `chain` included one after the other."""
        self._seen.add(path.resolve())
        try:
            content, data = _load(path)
        except GuildfileError as e:
            self.errors.append(e.message)
            return b""
        faults = Faults(path)
        for item in _forms(data, path, faults):
            if item.kind == "include":
                self._include(item, (*chain, path), faults)
            elif item.kind == "package":
                entry = Entry(item.data, item.where, faults)
                entry.warn_unknown(PACKAGE_ATTRS)
                self.package = Package(item.name, entry.get("description", coerce.text, ""))
            else:
                self._add(item, faults)
        self.warnings += faults.warnings()
        if faults.found:
            self.errors.append(faults.error().message)
        return content

    def _add(self, item: Item, faults: Faults) -> None:
        key = (item.kind, item.name)
        if key in self._names:
            other = self._names[key]
            also = f", which is in {other}, too" if other != item.path else ""
            name = f"{item.kind} '{item.name}'" if item.name else "list of operations without a model"
            faults.add(item.where, f"duplicate {name}{also}")
            return
        self._names[key] = item.path
        self.items.append(item)

    def _include(self, item: Item, chain: tuple[Path, ...], faults: Faults) -> None:
        entry = Entry(item.data, item.where, faults)
        entry.warn_unknown(("include",))
        at = (*item.where, "include")
        for name in entry.get("include", coerce.texts, coerce.NO_TEXTS):
            path = Path(os.path.normpath(chain[-1].parent / name))
            real = path.resolve()
            trail = [p.resolve() for p in chain]
            if real in trail:
                shown = " -> ".join(str(p) for p in (*chain[trail.index(real) :], path))
                faults.add(at, f"a circle of 'include' ({shown})")
            elif real not in self._seen:
                why = _no_guildfile(name, path)
                if why:
                    faults.add(at, why)
                else:
                    self.read(path, chain)


def _no_guildfile(name: str, path: Path) -> str:
    """Why a file cannot be included; empty if it can."""
    if path.is_file():
        return ""
    if name.startswith("gpkg."):
        return f"cannot include '{name}': packages are not supported"
    if path.is_dir():
        return f"cannot include '{name}', which is a directory: name the file in it"
    if "/" not in name and not name.endswith((".yml", ".yaml")):
        return f"cannot include '{name}': no such file in {path.parent} (a module cannot be included)"
    return f"cannot include '{name}': no such file in {path.parent}"


def _load(path: Path) -> tuple[bytes, Any]:
    """Bytes and data of a YAML file. Raises GuildfileError."""
    try:
        content = files.read_regular(path)
    except OSError as e:
        raise GuildfileError(f"error in {path}: {e.strerror or e}") from None
    try:
        return content, yamlio.load(content)
    except yamlio.YAMLError as e:
        at = f"{path}: line {e.line}" if e.line else str(path)
        raise GuildfileError(f"error in {at}: {e}") from None


def _forms(data: Any, path: Path, faults: Faults) -> Iterator[Item]:
    if data is None:
        return
    if isinstance(data, Mapping):
        # An operation may be called `model`, too; it is a mapping then.
        if not any(isinstance(data.get(key), str | list) for key in ITEMS):
            yield Item("model", "", {"operations": coerce.named(data, (), faults)}, path, (), bare=True)
            return
        data = [data]
    if not isinstance(data, list):
        faults.add((), f"expected a mapping of operations or a list, got {coerce.show(data)}")
        return
    taken: set[str] = set()
    for index, item in enumerate(data):
        made = _form(index, item, path, faults, taken)
        if made is not None:
            taken.add(made.name)
            yield made


def _form(index: int, item: Any, path: Path, faults: Faults, taken: set[str]) -> Item | None:
    entry = coerce.entry_of(item, (index,), faults)
    if entry is None:
        return None
    if isinstance(entry.data.get("operations"), Mapping):
        operations = coerce.named(entry.data["operations"], (index, "operations"), faults)
        entry = Entry({**entry.data, "operations": operations}, entry.where, faults)
    kinds = [key for key in ITEMS if key in entry.data]
    if len(kinds) > 1:
        faults.add((index,), f"expected one of {', '.join(ITEMS)}, got {' and '.join(kinds)}")
        return None
    if not kinds and "operations" not in entry.data:
        faults.add((index,), f"expected one of {', '.join(ITEMS)}")
        return None
    kind = kinds[0] if kinds else "model"
    if kind == "include":
        return Item(kind, "", entry.data, path, (index,))
    name = entry.get(kind, coerce.text, "")
    if not name and (kind != "model" or entry.data.get(kind)):  # `model: ''` is one without a name
        if not entry.data.get(kind):
            faults.add((index, kind), "expected a name")
        return None
    # Said by its name, where no other item of the file has it.
    at: Where = (name,) if name and name not in taken and kind != "package" else (index,)
    return Item(kind, name, entry.data, path, at)
