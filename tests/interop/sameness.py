"""The same command by ours and by Guild 0.9 on the same home: do they say the same?"""

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.helpers import Outcome, Project


class Sides(Protocol):
    """Ours and theirs, in one project directory (`conftest.Both`)."""

    @property
    def ours(self) -> Project: ...

    @property
    def theirs(self) -> Project: ...


@dataclass(frozen=True)
class Said:
    """What each of the two said to one command."""

    command: str | Sequence[str]
    theirs: Outcome
    ours: Outcome

    def cleaned(self, clean: Callable[[str], str]) -> "Said":
        """The same with `clean` applied to all that was written."""
        made = [Outcome(each.code, clean(each.out), clean(each.err)) for each in (self.theirs, self.ours)]
        return Said(self.command, *made)

    def difference(self) -> str:
        """A diff of code, stdout and stderr (`-` theirs, `+` ours); nothing where they said the same."""
        lines = difflib.unified_diff(_lines(self.theirs), _lines(self.ours), "theirs", "ours", lineterm="")
        return "\n".join(lines)

    def json(self) -> tuple[Any, Any]:
        """What theirs and ours wrote, as JSON."""
        assert self.theirs.code == self.ours.code == 0, self.difference()
        return json.loads(self.theirs.out), json.loads(self.ours.out)


def _lines(outcome: Outcome) -> list[str]:
    return [
        f"exit code {outcome.code}",
        *(f"out {line!r}" for line in outcome.out.splitlines(keepends=True)),
        *(f"err {line!r}" for line in outcome.err.splitlines(keepends=True)),
    ]


def said(both: Sides, command: str | Sequence[str]) -> Said:
    """Run a command that only reads by both, at the same time."""
    started = [project.popen(command) for project in (both.theirs, both.ours)]
    for running in started:
        assert running.process.stdin
        running.process.stdin.close()
    theirs, ours = (running.wait() for running in started)
    return Said(command, theirs, ours)


def same(both: Sides, command: str | Sequence[str], clean: Callable[[str], str] = str) -> Outcome:
    """Both must say the same to a command (after `clean`), to the byte; what they said."""
    answers = said(both, command).cleaned(clean)
    assert answers.theirs == answers.ours, f"guild {command}\n{answers.difference()}"
    return answers.ours


def values_that_differ(theirs: Any, ours: Any, where: str = "") -> Iterator[str]:
    """Each place at which two JSON values differ, the order of keys included: `[0].flags.x: 1 | 2`."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _keys_that_differ(theirs, ours, where)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (left, right) in enumerate(zip(theirs, ours, strict=True)):
            yield from values_that_differ(left, right, f"{where}[{number}]")
    elif (type(theirs), theirs) != (type(ours), ours):
        yield f"{where}: {theirs!r} | {ours!r}"


def _keys_that_differ(theirs: dict[str, Any], ours: dict[str, Any], where: str) -> Iterator[str]:
    if set(theirs) == set(ours) and list(theirs) != list(ours):
        yield f"{where}: keys in the order {list(theirs)} | {list(ours)}"
    for key in {**theirs, **ours}:
        place = f"{where}.{key}".lstrip(".")
        if key not in ours:
            yield f"{place}: {theirs[key]!r} | (missing)"
        elif key not in theirs:
            yield f"{place}: (missing) | {ours[key]!r}"
        else:
            yield from values_that_differ(theirs[key], ours[key], place)
