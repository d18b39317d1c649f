"""Which columns an operation wants to be compared by: its `compare`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guild.errors import GuildError
from guild.ops.opref import OpRef
from guild.runs import layout
from guild.runs.columns import Column, parse_columns
from guild.runs.seen import Seen

if TYPE_CHECKING:
    from guild.ops.guildfile import Guildfile

Specs = tuple[str, ...]


class OpColumns:
    """Looks up the columns of operations; each guildfile is read once. `warnings` gathers what was wrong."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._guildfiles: dict[str, Guildfile | None] = {}
        self._of_op: dict[OpRef, Specs | None] = {}
        self._parsed: dict[Specs, tuple[Column, ...]] = {}

    def of(self, seen: Seen) -> tuple[Column, ...] | None:
        """The columns that the run's operation is compared by now, in the project's guildfile; where it is
        not there any more, those that it had; None where it names none."""
        opref = seen.run.opref
        now = self._now(opref) if opref is not None and opref.type == "guildfile" else None
        specs = _recorded(seen) if now is None else now or _from_attr(seen)
        if not specs:
            return None
        if specs not in self._parsed:
            self._parsed[specs] = self._parse(specs)
        return self._parsed[specs]

    def _now(self, opref: OpRef) -> Specs | None:
        """Empty where the operation says nothing; None where there is no such operation now."""
        if opref not in self._of_op:
            self._of_op[opref] = self._read(opref)
        return self._of_op[opref]

    def _read(self, opref: OpRef) -> Specs | None:
        if opref.name not in self._guildfiles:
            self._guildfiles[opref.name] = _load(opref.name)
        guildfile = self._guildfiles[opref.name]
        for model in guildfile.models if guildfile is not None else ():
            if model.name == opref.model and opref.op in model.operations:
                data = model.operations[opref.op]
                return _texts(data.get("compare") if isinstance(data, Mapping) else None)
        return None

    def _parse(self, specs: Specs) -> tuple[Column, ...]:
        found: list[Column] = []
        for text in specs:
            try:
                found += parse_columns(text)
            except GuildError as e:
                self.warnings.append(f"{e.message} (in 'compare' of an operation)")
        return tuple(found)


def _load(path: str) -> "Guildfile | None":
    from guild.ops.guildfile import load_guildfile

    try:
        return load_guildfile(Path(path))
    except (GuildError, OSError, ValueError):
        return None


def _recorded(seen: Seen) -> Specs:
    """From the run's recipe, else from its attribute `compare`, which old versions of Guild wrote."""
    try:
        found = _texts(json.loads(seen.run.read(layout.RECIPE))["opdef"]["compare"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        found = ()
    return found or _from_attr(seen)


def _from_attr(seen: Seen) -> Specs:
    return _texts(seen.run.attr("compare"))


def _texts(value: Any) -> Specs:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()
