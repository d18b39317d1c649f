"""Seen: a run as one look saw it, with what listings show and filters ask."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from guild.errors import OpRefError
from guild.ops.opref import OpRef, parse_opref
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.scalars import ScalarSummary

UNREADABLE = "?"
_PROTO_OPREF = f"{layout.PROTO}/{layout.GUILD_DIR}/{layout.OPREF}"


class Seen:
    """A run as one look saw it: what was read for a filter is not read again to be shown."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def id(self) -> str:
        return self.run.id

    @cached_property
    def status(self) -> RunStatus:
        return self.run.status()

    @cached_property
    def label(self) -> str:
        return self.run.label

    @cached_property
    def timestamp(self) -> int | None:
        """As `Run.timestamp`."""
        return self.run.timestamp

    @cached_property
    def is_marked(self) -> bool:
        return self.run.attr("marked") is True

    @cached_property
    def flags(self) -> dict[str, Any]:
        return {str(name): value for name, value in self.run.map_attr("flags").items()}

    @cached_property
    def scalars(self) -> list["ScalarSummary"]:
        """All scalars of the run, `sys/` ones included, by prefix and tag."""
        from guild.runs.scalars import recall_scalars

        return recall_scalars(self.run)

    @cached_property
    def proto(self) -> OpRef | None:
        """The operation that a batch runs; None for any other run."""
        try:
            return parse_opref(self.run.read(_PROTO_OPREF).decode("utf-8", "surrogateescape"))
        except (OSError, OpRefError):
            return None

    @property
    def is_batch(self) -> bool:
        """Whether compare leaves it out: batches, and queues, which mark themselves so."""
        return self.run.has(layout.PROTO)

    @cached_property
    def operation(self) -> str:
        """As listings show it: `op`, `model:op`, `package/model:op`; `op+` for a batch; `?` if unreadable."""
        opref = self.run.opref
        if opref is None:
            return UNREADABLE
        if self.proto is None:
            return opref.display
        return self.proto.display + self._suffix(opref)

    @staticmethod
    def _suffix(batch: OpRef) -> str:
        return "+" if batch.op == "+" else "+" + batch.display

    def operation_parts(self) -> tuple[str, str, str]:
        """(package, model, operation), empty where there is none."""
        opref = self.run.opref
        if opref is None:
            return "", "", UNREADABLE
        base = self.proto or opref
        suffix = self._suffix(opref) if self.proto else ""
        return (base.name if base.type == "package" else ""), base.model, base.op + suffix
