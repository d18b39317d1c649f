"""What was copied into a run directory, with digests: `.guild/manifest` (`docs/run-directory.md`)."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guild.base import files

SOURCE = "s"
DEPENDENCY = "d"

_LIMIT = 1 << 28  # bytes: some millions of files
_DIGEST = re.compile(r"[0-9a-f]{40}|-")
_MAX_LINES = 16  # a file name may hold newlines, but not many


@dataclass(frozen=True)
class ManifestEntry:
    """One file of a run, or one directory of a dependency.

    `path` is relative to the run directory, with `/`; `digest` the file's sha1 or `-`; `source` where it is
    from: below the source root for source code, a URI such as `file:data.txt` for dependencies. `extra`:
    the path inside the archive that it was unpacked from.
    """

    kind: str
    path: str
    digest: str
    source: str
    extra: tuple[str, ...] = ()

    def to_line(self) -> str:
        words = (self.kind, self.path, self.digest, self.source, *self.extra)
        return " ".join(shlex.quote(word) for word in words) + "\n"


def read_manifest(path: Path) -> list[ManifestEntry]:
    """The entries, in order; none where there is no manifest. What is no entry is skipped.

    Raises OSError for a file that cannot be read.
    """
    try:
        data = files.read_regular(path, _LIMIT)
    except FileNotFoundError:
        return []
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    entries = []
    at = 0
    while at < len(lines):
        entry, used = _read_entry(lines, at)
        at += used
        if entry is not None:
            entries.append(entry)
    return entries


def _read_entry(lines: list[str], at: int) -> tuple[ManifestEntry | None, int]:
    """The entry that begins on a line, and how many lines it takes."""
    first = lines[at]
    if not first:
        return None, 1
    if "'" not in first and '"' not in first and "\\" not in first:
        return _entry(first.split()), 1
    for count in range(1, min(_MAX_LINES, len(lines) - at) + 1):
        try:
            words = shlex.split("\n".join(lines[at : at + count]))
        except ValueError:
            continue  # a quote is open: the name goes on on the next line
        return (found, count) if (found := _entry(words)) is not None else (None, 1)
    return None, 1


def _entry(words: list[str]) -> ManifestEntry | None:
    if len(words) < 4 or len(words[0]) != 1 or not _DIGEST.fullmatch(words[2]):
        return None
    return ManifestEntry(words[0], words[1], words[2], words[3], tuple(words[4:]))


def write_manifest(path: Path, entries: Iterable[ManifestEntry]) -> None:
    """Write the whole manifest; without entries, an empty one."""
    files.write_whole(path, _encode(entries))


def append_manifest(path: Path, entries: Iterable[ManifestEntry]) -> None:
    """Add entries to a manifest, which is made if there is none."""
    data = _encode(entries)
    with open(path, "ab", buffering=0) as f:
        files.write_all(f.fileno(), data)


def _encode(entries: Iterable[ManifestEntry]) -> bytes:
    return "".join(e.to_line() for e in entries).encode("utf-8", "surrogateescape")
