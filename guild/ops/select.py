"""Which files of a project are the source code of an operation."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from guild.errors import GuildError
from guild.home import Home
from guild.ops import git
from guild.ops.opdef import SourceRules
from guild.ops.select_rules import Matcher, led_to, left_out, make_matchers

GUILD_DIR = ".guild"
NOCOPY = ".guild-nocopy"
MAX_SIZE = 1 << 20  # bytes
MAX_COUNT = 100

_VENV_MARKS = ("bin/activate", "Scripts/activate")
_SNIFFED = 8192  # bytes that tell text from binary
_HINT = " To control which files are copied, define 'sourcecode' for the operation in a Guild file."

Identity = tuple[int, int]


@dataclass(frozen=True)
class Selection:
    """What is copied, and what is not, as paths below the source root; directories end with `/`.

    `described`: the rules in words, in the order in which they are applied. Of what git ignores, only what
    lies beside other files is among `skipped`.
    """

    files: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)


def select_source(
    root: Path,
    rules: SourceRules,
    *,
    python: bool,
    exclude: Collection[str] = (),
    avoid: Collection[Path] = (),
    environ: Mapping[str, str] | None = None,
) -> Selection:
    """Choose the files below `root`.

    In a git work tree: what git does not ignore; elsewhere: text files, not too large, not too many. Then
    the rules, of which the last that matches a file counts. `exclude` names single files (relative to the
    root); nothing of the directories `avoid` is taken (the home with the runs). Only regular files that
    can be read are selected; links are followed. Raises GuildError if the root cannot be read.
    """
    if rules.disabled:
        return Selection(described=["exclude *"])
    environ = os.environ if environ is None else environ
    chooser = _Chooser(
        root=os.fspath(root),
        matchers=make_matchers(rules.rules, os.fspath(root)),
        python=python,
        tracked=git.list_files(root, environ),
        exclude=frozenset(exclude),
        avoid=_without_links(root, avoid),
        max_size=_number(environ, "MAX_DEFAULT_SOURCECODE_FILE_SIZE", MAX_SIZE),
        max_count=_number(environ, "MAX_DEFAULT_SOURCECODE_COUNT", MAX_COUNT),
    )
    return chooser.choose()


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(environ.get(name, ""))
    except ValueError:
        return default


def _without_links(root: Path, avoid: Iterable[Path]) -> frozenset[str]:
    """The directories to avoid, as they really are. Of a home that is the root itself: its parts."""
    top = os.path.realpath(root)
    found = []
    for path in avoid:
        real = os.path.realpath(path)
        if real == top:
            home = Home(Path(real))
            parts = (home.runs, home.staging, home.trash.parent, home.cache, home.log, home.lock.parent)
            found += [os.fspath(part) for part in parts]
        elif not top.startswith(real.rstrip(os.sep) + os.sep):
            found.append(real)
    return frozenset(found)


class _Entry:
    """A file or directory that was found; looked at more closely only where a rule asks."""

    def __init__(self, entry: "os.DirEntry[str]") -> None:
        self.name = entry.name
        self.path = entry.path
        try:
            self.is_dir = entry.is_dir()
        except OSError:
            self.is_dir = False

    @cached_property
    def info(self) -> os.stat_result | None:
        try:
            return os.stat(self.path)
        except OSError:
            return None

    @property
    def identity(self) -> Identity | None:
        return None if self.info is None else (self.info.st_dev, self.info.st_ino)

    @property
    def is_regular(self) -> bool:
        return self.info is not None and stat.S_ISREG(self.info.st_mode)

    @cached_property
    def is_text(self) -> bool:
        """By its content; False for what is no regular file or cannot be read."""
        if not self.is_regular:
            return False
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return is_text(os.read(fd, _SNIFFED))
        except OSError:
            return False
        finally:
            os.close(fd)

    @cached_property
    def is_litter(self) -> bool:
        """Whether this is a directory that Python's tools make."""
        if self.name in ("__pycache__", "build", "dist") or self.name.endswith(".egg-info"):
            return True
        return any(os.path.lexists(os.path.join(self.path, mark)) for mark in _VENV_MARKS)


_TEXT_BYTES = bytes({*range(0x20, 0x7F), *b"\a\b\t\n\v\f\r\x1b"})


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a text: UTF-8, UTF-16 with its mark, or nearly ASCII."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
        return True
    except UnicodeDecodeError as e:
        if len(head) == _SNIFFED and e.start >= len(head) - 3:
            return True  # a character was cut in two
    return len(head.translate(None, _TEXT_BYTES)) <= 0.3 * len(head)


def _scan(directory: str) -> list[_Entry] | None:
    try:
        with os.scandir(directory) as entries:
            return sorted((_Entry(e) for e in entries), key=lambda e: e.name)
    except OSError:
        return None


@dataclass
class _Chooser:
    """One selection in the making."""

    root: str
    matchers: list[Matcher]
    python: bool
    tracked: frozenset[str] | None  # None: not a git work tree
    exclude: frozenset[str]
    avoid: frozenset[str]
    max_size: int
    max_count: int
    count: int = 0  # files taken by the default rules
    files: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def choose(self) -> Selection:
        for path, entry in self._walk("", ()):
            taken = path not in self.exclude and self._takes(path, entry)
            (self.files if taken else self.skipped).append(path)
        if self.count > self.max_count:
            found = f"Found more than {self.max_count} source code files but will only copy {self.max_count}"
            self.warnings.append(f"{found} as a safety measure.{_HINT}")
        described = [*self._default_rules(), *(str(matcher) for matcher in self.matchers)]
        return Selection(self.files, self.skipped, self.warnings, described)

    def _default_rules(self) -> list[str]:
        nocopy = f"exclude dir * containing {NOCOPY}"
        if self.tracked is not None:
            ignored = ["gitignore + guildignore patterns", f"exclude .git*, {git.IGNORE_FILE}"]
            return [f"exclude dir {GUILD_DIR}", nocopy, *ignored]
        lines = ["exclude dir .*", nocopy]
        lines.append(f"include text * size < {self.max_size + 1}, max match {self.max_count}")
        if self.python:
            lines += ["exclude dir __pycache__", *(f"exclude dir * containing {m}" for m in _VENV_MARKS)]
            lines += ["exclude dir build", "exclude dir dist", "exclude dir *.egg-info"]
        return lines

    # Directories.

    def _walk(self, directory: str, above: tuple[Identity, ...]) -> Iterator[tuple[str, _Entry]]:
        """All files below a directory: sorted, those of a directory before what is in its sub-directories.

        `above`: the directories on the way, against circles of links.
        """
        entries = _scan(os.path.join(self.root, directory))
        if entries is None:
            self._report_unreadable(directory)
            return
        prefix = directory + "/" if directory else ""
        inside = [e for e in entries if e.is_dir]
        yield from ((prefix + e.name, e) for e in entries if not e.is_dir)
        if not above:
            above = (_identity(self.root),)
        for entry in inside:
            path, identity = prefix + entry.name, entry.identity
            if identity is None or identity in above or not self._enters(path, entry):
                self.skipped.append(path + "/")
            else:
                yield from self._walk(path, (*above, identity))

    def _report_unreadable(self, directory: str) -> None:
        if not directory:
            raise GuildError(
                f"cannot read the source code directory '{self.root}'",
                "Correct its permissions, or set 'sourcecode' of the operation to 'no'.",
            )
        self.warnings.append(f"Skipping source code directory {directory} because it cannot be read.")

    def _enters(self, path: str, entry: _Entry) -> bool:
        if entry.name == GUILD_DIR or self._is_avoided(entry) or path in self._left_out:
            return False
        if self.tracked is not None and entry.name == ".git":
            return False
        if os.path.lexists(os.path.join(entry.path, NOCOPY)):
            return False
        for matcher in reversed(self.matchers):
            if matcher.rule.kind == "dir" and matcher.matches(path):
                return matcher.rule.include
        ways, whole = self._led_to
        if path in ways:
            return True
        if self.tracked is not None and not any(path.startswith(place + "/") for place in whole):
            if path in self._tracked_dirs:
                return True
            if not self._is_behind_link(path):
                return False
        return not (entry.name.startswith(".") or (self.python and entry.is_litter))

    def _is_avoided(self, entry: _Entry) -> bool:
        if not self.avoid:
            return False
        real = os.path.realpath(entry.path)
        return any(real == a or real.startswith(a + os.sep) for a in self.avoid)

    @cached_property
    def _left_out(self) -> frozenset[str]:
        return left_out(self.matchers)

    @cached_property
    def _led_to(self) -> tuple[frozenset[str], tuple[str, ...]]:
        return led_to(self.matchers)

    @cached_property
    def _tracked_dirs(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self.tracked or ():
            parent = path.rpartition("/")[0]
            while parent and parent not in found:
                found.add(parent)
                parent = parent.rpartition("/")[0]
        return frozenset(found)

    def _is_behind_link(self, path: str) -> bool:
        """Whether git knows a link at this path or above it: git itself does not look behind links."""
        while path and self.tracked:
            if path in self.tracked:
                return True
            path = path.rpartition("/")[0]
        return False

    # Files.

    def _takes(self, path: str, entry: _Entry) -> bool:
        for matcher in reversed(self.matchers):
            kind = matcher.rule.kind
            if kind == "dir" or not matcher.matches(path):
                continue
            if kind and (not entry.is_regular or entry.is_text != (kind == "text")):
                continue
            return matcher.rule.include and self._is_readable(path, entry)
        return self._git_takes(path, entry) if self.tracked is not None else self._default_takes(path, entry)

    def _git_takes(self, path: str, entry: _Entry) -> bool:
        if entry.name.startswith(".git") or entry.name == git.IGNORE_FILE:
            return False
        return self._is_behind_link(path) and self._is_readable(path, entry)

    def _default_takes(self, path: str, entry: _Entry) -> bool:
        # Once there are too many, nothing more is looked into.
        if self.count > self.max_count or not self._is_readable(path, entry) or not entry.is_text:
            return False
        if entry.info is not None and entry.info.st_size > self.max_size:
            self.warnings.append(f"Skipping source code file {path} because it's too big.{_HINT}")
            return False
        self.count += 1
        return self.count <= self.max_count

    def _is_readable(self, path: str, entry: _Entry) -> bool:
        if not entry.is_regular:
            return False
        if os.access(entry.path, os.R_OK):
            return True
        self.warnings.append(f"Skipping source code file {path} because it cannot be read.")
        return False


def _identity(path: str) -> Identity:
    info = os.stat(path)
    return info.st_dev, info.st_ino
