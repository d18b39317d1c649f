"""Patterns that select files: which paths they match, where they lead, what they are in words."""

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guild.ops.opdef import SelectRule

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Matcher:
    """One rule, ready to be applied. `pattern` is that of the rule, relative to the root."""

    rule: SelectRule
    pattern: str
    anchored: bool  # else the pattern is about the last part of a path alone
    regex: re.Pattern[str]

    def matches(self, path: str) -> bool:
        return self.regex.match(path if self.anchored else path.rpartition("/")[2]) is not None

    def __str__(self) -> str:
        kind = f"{self.rule.kind} " if self.rule.kind else ""
        return f"{'include' if self.rule.include else 'exclude'} {kind}{self.pattern}"


def make_matchers(rules: Iterable[SelectRule], root: str) -> list[Matcher]:
    """The rules for the files below `root`.

    A pattern without `/` is about names; with one, about paths below the root (`*` matches `/`, too, and
    `**/` nothing as well); the name of a directory stands for all below it.
    """
    return [_matcher(rule, root) for rule in rules]


def _matcher(rule: SelectRule, root: str) -> Matcher:
    pattern = os.path.normpath(rule.pattern) if "/" in rule.pattern else rule.pattern
    pattern = pattern.lstrip("/").removesuffix("/")
    anchored = "/" in rule.pattern.rstrip("/")
    if rule.kind != "dir" and pattern and os.path.isdir(os.path.join(root, pattern)):
        pattern, anchored = ("*", True) if pattern == "." else (f"{pattern}/*", True)
    texts = dict.fromkeys((pattern, pattern.replace("**/", "")))
    regex = re.compile("|".join(f"(?:{fnmatch.translate(text)})" for text in texts))
    return Matcher(rule, pattern, anchored, regex)


def led_to(matchers: Sequence[Matcher]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Where including rules that name a place lead: (the directories on the way, those looked into whole).

    These are entered even where the defaults would not.
    """
    ways: set[str] = set()
    whole: list[str] = []
    for matcher in matchers:
        if not (matcher.rule.include and matcher.anchored):
            continue
        wild = _WILD.search(matcher.pattern)
        place = matcher.pattern[: wild.start()] if wild else matcher.pattern
        place = place.rpartition("/")[0]
        if place and wild:
            whole.append(place)
        while place:
            ways.add(place)
            place = place.rpartition("/")[0]
    return frozenset(ways), tuple(whole)


def left_out(matchers: Sequence[Matcher]) -> frozenset[str]:
    """The directories of which rules exclude all, with no later rule that includes anything."""
    found: set[str] = set()
    for matcher in matchers:
        if matcher.rule.include:
            found.clear()
            continue
        directory, _, rest = matcher.pattern.rpartition("/")
        if rest == "*" and not matcher.rule.kind and not _WILD.search(directory):
            found.add(directory)
    return frozenset(found)
