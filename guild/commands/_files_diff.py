"""What `guild diff` compares, as pairs of paths, and the program that does it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guild.commands._files_tool import split_command
from guild.config import UserConfig
from guild.errors import GuildError
from guild.runs.older import source_dir
from guild.runs.run import Run
from guild.runs.run_files import part_of, source_files

# Programs that are taken where they are installed, and there is a display; then those for a terminal.
_ON_DISPLAY = (("meld",), ("xxdiff", "-r"), ("dirdiff",))
_ON_TERMINAL = (("colordiff", "-ru"),)
_PLAIN = ("diff", "-ru")
_ONLY_DIRECTORIES = "dirdiff"


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a run, or a directory.

    `name` is that of its source code in the output; `directory` what paths are relative to; `sources` maps
    the path of a source file, below the source root, to where it lies.
    """

    name: str
    shown: str
    directory: Path
    sources: Mapping[str, str]


def side_of_run(run: Run, by_source: bool) -> Side:
    """A run; paths are relative to its source code where that is meant. Raises GuildError."""
    if not by_source:
        return Side(run.short_id, f"run {run.short_id}", run.path, {})
    sources = {key: str(run.path / path) for key, path in source_files(run).items()}
    return Side(run.short_id, f"run {run.short_id}", run.path / source_dir(run), sources)


def side_of_directory(directory: Path, like: Side) -> Side:
    """A directory of the user, as far as it has the source files of a run."""
    found = {key: directory / key for key in like.sources}
    there = {key: str(path) for key, path in found.items() if os.path.lexists(path)}
    return Side("working", str(directory), directory, there)


@dataclass(frozen=True)
class Pair:
    """Two paths to compare; relative to `cwd` where that is given."""

    left: str
    right: str
    cwd: Path | None = None

    @property
    def is_of_directories(self) -> bool:
        return all(os.path.isdir(os.path.join(self.cwd or "", side)) for side in (self.left, self.right))


class Pairs:
    """Makes pairs, in a temporary directory where files are to be picked out of their directories."""

    def __init__(self, temp: Path) -> None:
        self._temp = temp
        self._made = 0

    def files(self, left: Side, right: Side, name: str, what: str = "") -> Pair:
        """A file or directory of both. Where one has none, it is compared with nothing.

        Raises GuildError where neither has it, and for what is no file or directory.
        """
        paths = [os.path.join(side.directory, name) for side in (left, right)]
        there = [path for path in paths if os.path.lexists(path)]
        if not there:
            raise GuildError(f"neither {left.shown} nor {right.shown} has {what or repr(name)}")
        for path in there:
            if not (os.path.isfile(path) or os.path.isdir(path)):
                raise GuildError(f"cannot compare {path}: it is neither a file nor a directory")
        nothing = self._empty() if os.path.isdir(there[0]) and len(there) == 1 else os.devnull
        first, second = (path if path in there else nothing for path in paths)
        return Pair(first, second)

    def sources(self, left: Side, right: Side, name: str) -> Pair:
        """The source code of both, or the part of it that is or lies below `name`."""
        trees = [part_of(side.sources, name) for side in (left, right)]
        if name and (name in trees[0] or name in trees[1] or not (trees[0] or trees[1])):
            return self._source_file(left, right, name)
        if not (trees[0] or trees[1]):
            raise GuildError(f"neither {left.shown} nor {right.shown} has source code")
        top = self._place()
        names = (left.name, right.name if right.name != left.name else f"{right.name}.2")
        for tree, each in zip(trees, names, strict=True):
            self._plant(top / each, tree)
        return Pair(*names, cwd=top)

    def _source_file(self, left: Side, right: Side, name: str) -> Pair:
        first, second = left.sources.get(name), right.sources.get(name)
        if not first and not second:
            return self.files(left, right, name)  # not source code, but asked for
        return Pair(first or os.devnull, second or os.devnull)

    def _plant(self, top: Path, files: Mapping[str, str]) -> None:
        top.mkdir()
        for key in sorted(files):
            place = top / key
            # Nothing is made behind a link: a manifest may name a link to a directory, and files below it.
            if not any(above.is_symlink() for above in (place, *place.parents) if top in above.parents):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(os.path.abspath(files[key]))

    def _place(self) -> Path:
        self._made += 1
        place = self._temp / str(self._made)
        place.mkdir()
        return place

    def _empty(self) -> str:
        return str(self._place())


@contextmanager
def making_pairs() -> Iterator[Pairs]:
    """Pairs whose temporary directory lasts as long as the block."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="guild-diff-") as temp:
        yield Pairs(Path(temp))


def choose_program(
    cmd: str,
    config: UserConfig,
    environ: Mapping[str, str],
    is_terminal: bool,
    find: Callable[[str], str | None],
) -> tuple[list[list[str]], str]:
    """The programs that may compare, the first choice first, and where they were named, for messages.

    `cmd`: what the user says; else the setting `command` of `diff`; else what is installed, as `find`
    tells, and makes sense where the output goes. Raises GuildError where there is none.
    """
    if cmd:
        return [split_command(cmd, "--cmd")], "--cmd"
    setting = config.text("diff", "command")
    if setting:
        where = f"'diff' in {config.path}"
        return [split_command(setting, where)], where
    has_display = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    known = (
        *(_ON_DISPLAY if is_terminal and has_display else ()),
        *(_ON_TERMINAL if is_terminal else ()),
        _PLAIN,
    )
    found = [list(words) for words in known if find(words[0])]
    if not found:
        raise GuildError(
            f"there is no program to compare with: '{_PLAIN[0]}' is not installed",
            "Name one with --cmd, or as 'diff: {command: CMD}' in Guild's config file.",
        )
    return found, "this system"


def command_for(programs: Sequence[Sequence[str]], pair: Pair) -> tuple[list[str], Path | None]:
    """The command line for a pair, and the directory that it is to run in (None: this one). A program of
    the user's gets whole paths, and runs where the user is."""
    words = next(
        (words for words in programs if words[0] != _ONLY_DIRECTORIES or pair.is_of_directories), programs[-1]
    )
    if pair.cwd is None or tuple(words) in (_PLAIN, *_ON_TERMINAL):
        return [*words, pair.left, pair.right], pair.cwd
    return [*words, str(pair.cwd / pair.left), str(pair.cwd / pair.right)], None
