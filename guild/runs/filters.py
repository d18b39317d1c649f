"""Filters: which runs are meant, by operation, label, tags, status, time and expressions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from guild.errors import GuildError
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.expressions import Expr
    from guild.runs.time_range import TimeRange

_SPEC = re.compile(r"(?:([^/:]+)/)?(?:([^/:]*):)?([^/:]*)\Z")


@dataclass(frozen=True)
class Filters:
    """Which runs are meant; several kinds: all of them. Several operations, labels, tags or comments: any of
    them. Several times or expressions: all of them.

    Raises GuildError, when made, for an operation that cannot be understood.
    """

    operations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # `-`: without a label
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    marked: bool | None = None
    digest: str = ""
    started: "tuple[TimeRange, ...]" = ()
    statuses: frozenset[RunStatus] = frozenset()
    not_statuses: frozenset[RunStatus] = frozenset()
    expressions: "tuple[Expr, ...]" = ()

    def __post_init__(self) -> None:
        for spec in self.operations:
            _operation_test(spec)

    def match(self, seen: Seen) -> bool:
        """Whether the run is meant. Nothing is read that is not asked for; cheap questions come first."""
        return (
            all(seen.timestamp in span for span in self.started)
            and (not self.operations or any(is_operation(seen, spec) for spec in self.operations))
            and (self.marked is None or seen.is_marked is self.marked)
            and self._match_label(seen)
            and (not self.tags or any(tag in self.tags for tag in map(str, seen.run.list_attr("tags"))))
            and (not self.digest or self._digest(seen).startswith(self.digest))
            and (not self.statuses or seen.status in self.statuses)
            and (not self.not_statuses or seen.status not in self.not_statuses)
            and (not self.comments or self._match_comments(seen))
            and all(test(seen) for test in self._tests)
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

    def _match_comments(self, seen: Seen) -> bool:
        wanted = [text.lower() for text in self.comments]
        return any(text in part for part in _comment_texts(seen) for text in wanted)

    @cached_property
    def _tests(self) -> list[Callable[[Seen], bool]]:
        if not self.expressions:
            return []
        from guild.runs.fields import expression_filter

        return [expression_filter(expr) for expr in self.expressions]


NO_FILTERS = Filters()


def _comment_texts(seen: Seen) -> list[str]:
    """User, host and text of each comment, in small letters; a damaged comment is its own text."""
    found = []
    for entry in seen.run.list_attr("comments"):
        parts = [entry.get(key) for key in ("body", "user", "host")] if isinstance(entry, dict) else [entry]
        found += [str(part).lower() for part in parts if part is not None]
    return found


def is_operation(seen: Seen, spec: str) -> bool:
    """Whether a run is of an operation: `[package/][model:]op`, each a whole name or a pattern with `*`
    (`model:` alone for any of its operations); or, beginning with `^` or ending with `$`, a regular
    expression for the shown name.

    Raises GuildError for a spec that cannot be understood.
    """
    return _operation_test(spec)(seen)


@lru_cache(maxsize=100)
def _operation_test(spec: str) -> Callable[[Seen], bool]:
    if spec.startswith("^") or spec.endswith("$"):
        try:
            pattern = re.compile(spec)
        except (re.error, OverflowError, RecursionError) as e:
            raise GuildError(f"invalid regular expression for --operation: {spec!r}: {e}") from None
        return lambda seen: pattern.search(seen.operation) is not None
    base, plus, batch = spec.partition("+")
    if not base.strip("/:"):
        raise GuildError(f"invalid operation for --operation: {spec!r}", "Write [PACKAGE/][MODEL:]OP.")
    parts = _SPEC.match(base)
    if parts is None:  # as an operation may be called, but no pattern
        return lambda seen: seen.operation == spec
    wanted = (parts[1] or "", parts[2] or "", parts[3] + plus + batch)
    return lambda seen: (
        seen.operation == spec
        or all(
            not want or _is_like(have, want)
            for have, want in zip(seen.operation_parts(), wanted, strict=True)
        )
    )


def _is_like(text: str, pattern: str) -> bool:
    """`*` stands for any text; alone, for any model or package, but not for none."""
    if "*" not in pattern:
        return text == pattern
    wanted = ".*".join(map(re.escape, pattern.split("*")))
    return text != "" and re.fullmatch(wanted, text, re.DOTALL) is not None
