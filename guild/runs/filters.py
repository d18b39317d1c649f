"""Filters: which runs are meant, by operation, label, tags, status and more."""

import re
from dataclasses import dataclass

from guild.errors import GuildError
from guild.runs.seen import Seen
from guild.runs.status import RunStatus


@dataclass(frozen=True)
class Filters:
    """Which runs are meant. Several values of one kind: any of them; several kinds: all of them."""

    operations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # `-`: without a label
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    marked: bool | None = None
    digest: str = ""
    statuses: frozenset[RunStatus] = frozenset()
    not_statuses: frozenset[RunStatus] = frozenset()

    def match(self, seen: Seen) -> bool:
        """Cheap questions first. Raises GuildError for a filter that cannot be understood."""
        return (
            (not self.operations or any(is_operation(seen, spec) for spec in self.operations))
            and (self.marked is None or seen.is_marked is self.marked)
            and self._match_label(seen)
            and (not self.tags or any(tag in self.tags for tag in map(str, seen.run.list_attr("tags"))))
            and (not self.digest or self._digest(seen).startswith(self.digest))
            and (not self.statuses or seen.status in self.statuses)
            and (not self.not_statuses or seen.status not in self.not_statuses)
        )

    def _match_label(self, seen: Seen) -> bool:
        if self.unlabeled and seen.label:
            return False
        return not self.labels or any(
            not seen.label if text == "-" else text in seen.label for text in self.labels
        )

    @staticmethod
    def _digest(seen: Seen) -> str:
        return str(seen.run.attr("sourcecode_digest") or "")


NO_FILTERS = Filters()


def is_operation(seen: Seen, spec: str) -> bool:
    """Whether a run is of an operation: `[package/][model:]op`, each a whole name or a pattern with `*`;
    or, beginning with `^` or ending with `$`, a regular expression for the shown name."""
    if spec.startswith("^") or spec.endswith("$"):
        try:
            return re.search(spec, seen.operation) is not None
        except re.error as e:
            raise GuildError(f"invalid regular expression for --operation: {spec!r}: {e}") from None
    if spec == seen.operation:
        return True
    package, _, rest = spec.rpartition("/")
    model, _, op = rest.rpartition(":")
    wanted = (package, model, op)
    return all(
        not want or _is_like(have, want) for have, want in zip(seen.operation_parts(), wanted, strict=True)
    )


def _is_like(text: str, pattern: str) -> bool:
    if not any(c in pattern for c in "*?["):
        return text == pattern
    from fnmatch import fnmatchcase

    return fnmatchcase(text, pattern)
