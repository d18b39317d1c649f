"""`optimizer` and `optimizers` of a guildfile: by what, and with which flags, batches of an operation run."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry, Where
from guild.ops.opdef import OptimizerDef


def read_optimizers(entry: Entry) -> tuple[OptimizerDef, ...]:
    """The optimizers of an operation; a single one is the default. What is wrong goes to the entry's faults.

    `optimizer`: a name, or a mapping of `algorithm` and flags. `optimizers`: names, a list of these, or a
    mapping from names to them; an optimizer without an `algorithm` is one itself.
    """
    one, many = entry.data.get("optimizer"), entry.data.get("optimizers")
    if one is not None and many is not None:
        entry.faults.add((*entry.where, "optimizers"), "'optimizer' and 'optimizers' cannot both be given")
        return ()
    if one is not None:
        found = _read(entry, "", one, (*entry.where, "optimizer"))
        return (replace(found, default=True),) if found is not None else ()
    optimizers = [o for o in (_read(entry, *each) for each in _each(entry, many)) if o is not None]
    marked = [o.name for o in optimizers if o.default]
    if len(marked) > 1:
        text = f"only one can be the default, not {' and '.join(marked)}"
        entry.faults.add((*entry.where, "optimizers"), text)
    return tuple(optimizers)


def _each(entry: Entry, value: Any) -> Iterator[tuple[str, Any, Where]]:
    """(name, data, place) of each optimizer."""
    at = (*entry.where, "optimizers")
    if isinstance(value, Mapping):
        for name, data in value.items():
            yield str(name), data, (*at, str(name))
        return
    for n, data in enumerate(value if isinstance(value, list) else [value]):
        yield "", data, (*at, n)


def _read(entry: Entry, name: str, data: Any, where: Where) -> OptimizerDef | None:
    if isinstance(data, str):
        return OptimizerDef(name or data, data)
    at = coerce.entry_of(data, where, entry.faults)
    if at is None:
        return None
    algorithm = at.get("algorithm", coerce.text, "") or name
    if not algorithm:
        at.faults.add(where, "expected an 'algorithm'")
        return None
    flags = {k: v for k, v in at.data.items() if k not in ("algorithm", "default")}
    return OptimizerDef(name or algorithm, algorithm, flags, at.get("default", coerce.boolean, False))
