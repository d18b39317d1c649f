"""Two run directories that the same command made, one by ours and one by Guild 0.9: what differs.

A run becomes a mapping from places to values: `data.txt mode`, `.guild/attrs/op op-cmd.cmd-env.PYTHONPATH`.
What must differ (ids, times, process ids, where each program and its home lie) is replaced in all texts first
(`Side.neutral`). `differences` names each place at which two runs differ.
"""

import difflib
import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from guild.runs.events import read_events

# What we add on disk, as docs/COMPATIBILITY.md lists it.
OURS_ALONE = {
    ".guild/recipe.json",
    ".guild/order.json",
    ".guild/lease.json",
    ".guild/steps",
    ".guild/attrs/_reason",
}
TIMES = {"initialized", "started", "stopped"}
# Named by the time, the process and a counter.
EVENTS = re.compile(r"events\.out\.tfevents\.\d{10}\.[^/]*\.\d+\.s?\d+$")
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\b[\d.]+ seconds")
MISSING = "(missing)"


@dataclass(frozen=True)
class Difference:
    """A place at which two runs differ."""

    where: str
    theirs: Any
    ours: Any

    @property
    def sides(self) -> tuple[Any, Any]:
        return self.theirs, self.ours

    def __str__(self) -> str:
        if isinstance(self.theirs, str) and isinstance(self.ours, str) and "\n" in self.theirs + self.ours:
            changed = difflib.unified_diff(
                self.theirs.splitlines(), self.ours.splitlines(), "theirs", "ours", n=0, lineterm=""
            )
            return "\n    ".join([f"{self.where}:", *list(changed)[2:]])
        return f"{self.where}:\n    theirs {self.theirs!r}\n    ours   {self.ours!r}"


@dataclass
class Side:
    """One of the two programs: its home, and what it writes that only the place where it lies explains."""

    home: Path
    names: Mapping[str, str]  # text -> what stands for it
    ids: dict[str, str] = field(default_factory=dict)

    def neutral(self, text: str) -> str:
        """The text with ids, places and interpreters replaced."""
        for known, name in self.ids.items():
            text = text.replace(known, name).replace(known[:8], f"{name}~")
        for known, name in self.names.items():
            text = text.replace(known, name)
        return LOGGED.sub("TIME", text)


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Each place at which the two differ, in order."""
    found = [
        Difference(place, theirs.get(place, MISSING), ours.get(place, MISSING))
        for place in sorted({*theirs, *ours})
        if theirs.get(place, MISSING) != ours.get(place, MISSING)
    ]
    told = {each.where.split(" ")[0] for each in found if not each.where.endswith(" form")}
    alone = [each.where.rpartition(" ") for each in found if MISSING in each.sides]
    gone = [name for name, _, place in alone if place in ("mode", "link")]
    return [each for each in found if not _repeats(each, told, gone)]


def _repeats(each: Difference, told: set[str], gone: list[str]) -> bool:
    """Whether others say it: the form of an attribute with another value, what is in a missing directory."""
    name, _, place = each.where.partition(" ")
    if place == "form":
        return name in told
    of_missing = place not in ("mode", "link") and name in gone
    return of_missing or any(name.startswith(f"{one}/") for one in gone)


def facts(run: Path, side: Side) -> dict[str, Any]:
    """All that a run holds, by place."""
    return dict(_below(run, run, side))


def _below(directory: Path, run: Path, side: Side) -> Iterator[tuple[str, Any]]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = Path(entry.path)
        name = path.relative_to(run).as_posix()
        shown = side.neutral(EVENTS.sub("events.out.tfevents", name))
        if re.sub(r"^(.*/)?(?=\.guild/)", "", name) in OURS_ALONE:
            continue
        if entry.is_symlink():
            yield f"{shown} link", side.neutral(os.readlink(path))
            continue
        yield f"{shown} mode", stat.filemode(path.lstat().st_mode)
        if entry.is_dir():
            yield from _below(path, run, side)
        else:
            yield from ((f"{shown} {place}".rstrip(), value) for place, value in _content(path, side))


def _content(path: Path, side: Side) -> Iterator[tuple[str, Any]]:
    data = path.read_bytes()
    if path.parent.name == "attrs":
        yield from _attr(path.name, data.decode(), side)
    elif path.name == "output.index":
        yield from _index(data)
    elif path.name == "output":
        yield from _streams(data.decode(), path.with_name("output.index").read_bytes(), side)
    elif path.name in ("LOCK", "PENDING"):
        return  # a process id; a token of ours
    elif path.name == "ENV":
        yield from _environ(data.decode(), side)
    elif EVENTS.search(path.name):
        events = list(read_events(path))
        yield "", [event for event in events if not event[0].startswith("sys/")]
        yield "of the machine", any(event[0].startswith("sys/") for event in events)
    else:
        try:
            yield "", side.neutral(data.decode())
        except UnicodeDecodeError:
            yield "", data


def _attr(name: str, text: str, side: Side) -> Iterator[tuple[str, Any]]:
    value = yaml.safe_load(text)
    if name in TIMES:
        yield "", "a time" if re.fullmatch(r"\d{16}\n", text) else text
    elif name == "pip_freeze":  # what is installed beside each differs
        yield "", sorted({bool(re.fullmatch(r"[\w.-]+(==| @ )\S+", line)) for line in value})
    else:
        yield from flat(yaml.safe_load(side.neutral(text)), "")
        # The text itself: told of only where no value differs.
        yield "form", re.sub(r"(?m)^(  time:) \d{16}$", r"\1 TIME", side.neutral(text))


def flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a value, each with the way to it."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from flat(inner, f"{place}[{number}]")
    elif place.endswith("time"):
        yield place, "a time"
    else:
        yield place, value


def _streams(text: str, index: bytes, side: Side) -> Iterator[tuple[str, Any]]:
    """What came on each stream: which of two streams' lines came first is chance."""
    lines = list(zip(text.splitlines(keepends=True), index[8::9], strict=True))
    for number, stream in enumerate(("stdout", "stderr")):
        yield stream, side.neutral("".join(line for line, n in lines if n == number))


def _index(data: bytes) -> Iterator[tuple[str, Any]]:
    """The stream of each line; lines of two streams may come in either order."""
    records = [struct.unpack_from(">QB", data, at) for at in range(0, len(data), 9)]
    yield "bytes left over", len(data) % 9
    yield "streams", sorted(stream for _, stream in records)
    yield "times", all(10**12 < millis < 10**13 for millis, _ in records)


def _environ(text: str, side: Side) -> Iterator[tuple[str, Any]]:
    for line in text.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        yield name, side.neutral(value)
    names = [line.removeprefix("export ").partition("=")[0] for line in text.splitlines()]
    yield "in order", names == sorted(names)
