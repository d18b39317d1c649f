"""Which files of a project are the source code of an operation (`cli-semantics.md` i)."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from guild.home import Home
from guild.ops import git_files
from guild.ops.opdef import SelectRule, SourceRules
from guild.ops.select_rules import Matcher, describe, matchers, prefixes

GUILD_DIR = ".guild"
NOCOPY = ".guild-nocopy"
MAX_SIZE = 1 << 20  # bytes
MAX_COUNT = 100

_PYTHON_SKIPS = ("__pycache__", "build", "dist")
_VENV_MARKS = ("bin/activate", "Scripts/activate")
_SNIFFED = 8192  # bytes that tell text from binary
_HINT = " To control which files are copied, define 'sourcecode' for the operation in a Guild file."


@dataclass(frozen=True)
class Selection:
    """What is copied, and what is not, as paths below the source root; directories end with `/`.

    `described`: the rules in words, in the order in which they are applied.
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
    can be read are selected, and files behind links. Raises GuildError if the root cannot be read.
    """
    if rules.disabled:
        return Selection(described=["exclude *"])
    environ = os.environ if environ is None else environ
    tracked = git_files.list_files(root, environ)
    chooser = _Chooser(os.fspath(root), rules, python, tracked, _real(root, avoid), environ)
    return chooser.choose(frozenset(exclude))


def _real(root: Path, avoid: Iterable[Path]) -> frozenset[str]:
    """The directories to avoid, without links. A home that is the root itself: its parts."""
    top = os.path.realpath(root)
    found = []
    for path in avoid:
        real = os.path.realpath(path)
        if real == top:
            home = Home(Path(real))
            parts = (home.runs, home.staging, home.trash.parent, home.cache, home.log, home.lock.parent)
            found += [os.fspath(part) for part in parts]
        elif not (top + os.sep).startswith(real + os.sep):
            found.append(real)
    return frozenset(found)


@dataclass
class _Chooser:
    """One selection in the making."""

    root: str
    rules: SourceRules
    python: bool
    tracked: frozenset[str] | None  # None: not a git work tree
    avoid: frozenset[str]
    environ: Mapping[str, str]
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        all_rules = matchers(self.rules.rules, self.root)
        self.file_rules = [m for m in all_rules if m.rule.kind != "dir"]
        self.dir_rules = [m for m in all_rules if m.rule.kind == "dir"]
        self.wanted = prefixes(all_rules)
        self.max_size = _number(self.environ, "MAX_DEFAULT_SOURCECODE_FILE_SIZE", MAX_SIZE)
        self.max_count = _number(self.environ, "MAX_DEFAULT_SOURCECODE_COUNT", MAX_COUNT)
        self.count = 0

    def choose(self, exclude: frozenset[str]) -> Selection:
        files = []
        for path, entry in self._walk("", (_identity(self.root),)):
            if path not in exclude and self._takes(path, entry):
                files.append(path)
            else:
                self.skipped.append(path)
        if self.count > self.max_count:
            self.warnings.append(
                f"Found more than {self.max_count} source code files but will only copy"
                f" {self.max_count} as a safety measure.{_HINT}"
            )
        described = describe(self._base_rules(), self.file_rules, self.dir_rules, self.rules.rules)
        return Selection(files, self.skipped, self.warnings, described)

    # Directories.

    def _walk(self, directory: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, "_Entry"]]:
        """All files below a directory that may be entered: sorted, those of a directory before what is in
        its sub-directories. `above`: the directories on the way, against circles of links."""
        entries = _scan(os.path.join(self.root, directory))
        if entries is None:
            if not directory:
                raise_unreadable(self.root)
            self.warnings.append(f"Skipping source code directory {directory} because it cannot be read.")
            return
        inside = []
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if entry.is_dir:
                inside.append((path, entry))
            else:
                yield path, entry
        for path, entry in inside:
            identity = _identity(entry.path)
            if identity is None or identity in above or not self._enters(path, entry):
                self.skipped.append(path + "/")
            else:
                yield from self._walk(path, (*above, identity))

    def _enters(self, path: str, entry: "_Entry") -> bool:
        name = entry.name
        if name == GUILD_DIR or (self.tracked is not None and name == ".git"):
            return False
        if self._avoided(entry) or os.path.lexists(os.path.join(entry.path, NOCOPY)):
            return False
        for matcher in reversed(self.dir_rules):
            if matcher.matches(path):
                return matcher.rule.include
        if path in self.wanted or any(path.startswith(w + "/") for w in self.wanted.values() if w):
            return True
        if self.tracked is not None:
            return path in self._tracked_dirs or self._behind_tracked_link(path)
        return not (name.startswith(".") or (self.python and _is_python_litter(entry)))

    def _avoided(self, entry: "_Entry") -> bool:
        if not self.avoid:
            return False
        real = os.path.realpath(entry.path)
        return any(real == a or real.startswith(a + os.sep) for a in self.avoid)

    @cached_property
    def _tracked_dirs(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self.tracked or ():
            parent = path.rpartition("/")[0]
            while parent and parent not in found:
                found.add(parent)
                parent = parent.rpartition("/")[0]
        return frozenset(found)

    def _behind_tracked_link(self, path: str) -> bool:
        """Whether git has a link, to a directory, at this path or above it: git does not look behind it."""
        tracked = self.tracked or frozenset()
        while path:
            if path in tracked:
                return True
            path = path.rpartition("/")[0]
        return False

    # Files.

    def _takes(self, path: str, entry: "_Entry") -> bool:
        for matcher in reversed(self.file_rules):
            if matcher.matches(path) and _is_of_kind(matcher.rule, entry):
                return matcher.rule.include and self._is_readable(path, entry)
        if self.tracked is not None:
            return self._git_takes(path, entry)
        return self._plain_takes(path, entry)

    def _git_takes(self, path: str, entry: "_Entry") -> bool:
        if entry.name.startswith(".git") or entry.name == ".guildignore":
            return False
        known = path in (self.tracked or ()) or self._behind_tracked_link(path)
        return known and self._is_readable(path, entry)

    def _plain_takes(self, path: str, entry: "_Entry") -> bool:
        if self.count > self.max_count or not entry.is_regular:
            return False
        if not self._is_readable(path, entry) or not entry.is_text:
            return False
        if entry.size > self.max_size:
            self.warnings.append(f"Skipping source code file {path} because it's too big.{_HINT}")
            return False
        self.count += 1
        return self.count <= self.max_count

    def _is_readable(self, path: str, entry: "_Entry") -> bool:
        if not entry.is_regular:
            return False
        if os.access(entry.path, os.R_OK):
            return True
        self.warnings.append(f"Skipping source code file {path} because it cannot be read.")
        return False

    def _base_rules(self) -> list[str]:
        nocopy = f"exclude dir * containing {NOCOPY}"
        if self.tracked is not None:
            patterns = "exclude .git*, .guildignore"
            return [f"exclude dir {GUILD_DIR}", nocopy, "gitignore + guildignore patterns", patterns]
        lines = ["exclude dir .*", nocopy]
        lines.append(f"include text * size < {self.max_size + 1}, max match {self.max_count}")
        if self.python:
            lines += ["exclude dir __pycache__", *(f"exclude dir * containing {m}" for m in _VENV_MARKS)]
            lines += ["exclude dir build", "exclude dir dist", "exclude dir *.egg-info"]
        return lines
