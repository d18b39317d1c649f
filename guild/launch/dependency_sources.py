"""Where the files of a dependency's source are: found, downloaded, unpacked, generated."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guild.base import files
from guild.errors import GuildError
from guild.launch.upstream import Standing, is_of, standing
from guild.ops.opdef import Dependency, FlagDef, FlagValue, ResourceSource
from guild.runs.generated import files_below, generated_top
from guild.runs.run import Run


@dataclass(frozen=True)
class Resolver:
    """What resolving needs to know. `run` is where the run is now, `final` where it will lie, `work` an empty
    directory on its file system in which things are made."""

    run: Run
    final: Path
    work: Path
    cache: Path
    flags: Mapping[str, FlagValue]
    find_run: Callable[[str], Run | None]
    staging: bool  # sources on other runs are left for later
    cwd: str = ""  # where the paths that flags tell begin
    flag_defs: Sequence[FlagDef] = ()
    dependency_flags: frozenset[str] = frozenset()  # those that say where a source is
    force: bool = False  # a missing dependency is a warning
    say: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None
    stopped: Callable[[], bool] = lambda: False

    def config(self, source: ResourceSource) -> FlagValue:
        """What a flag says about where a source is; None where none does."""
        value = self.flags.get(source.config_flag) if source.config_flag else None
        return None if value == "" else value


@dataclass(frozen=True)
class Item:
    """A file or directory to be put into the run. `member`: its path below `base`; `uri`, what the manifest
    says of it, with `inside` for the path in an archive."""

    path: Path
    member: str
    uri: str
    inside: tuple[str, ...] = ()


def find_items(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    """All that a source stands for; generated files are made in `made`. Raises GuildError, OSError."""
    return _FINDERS[source.kind](r, dep, source, made)


def _file(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    told = _told(r, dep, source)
    path = told or _existing(Path(os.path.expanduser(source.target)), Path(dep.location))
    text = source.target if told is None else str(r.config(source))
    return _contents(r, dep, source, path, _file_uri(path, text, dep), text)


def _told(r: Resolver, dep: Dependency, source: ResourceSource) -> Path | None:
    """The path that a flag tells: seen from where the command was given, else from the location; what the
    guildfile says itself, from there alone."""
    config = r.config(source)
    if config is None:
        return None
    path = Path(os.path.expanduser(str(config)))
    there = Path(os.path.normpath(Path(r.cwd) / path))
    if not r.cwd or str(config) == source.target or not there.exists():
        there = _existing(path, Path(dep.location))
    r.say(f"Using {config} for {source.resolved_name}")
    return there


def _existing(path: Path, location: Path) -> Path:
    """The path, seen from the location. Raises GuildError."""
    found = Path(os.path.normpath(location / path))
    if found.exists():
        return found
    raise GuildError(f"cannot find source file '{path}'", f"It was looked for in '{location}'.")


def _file_uri(path: Path, text: str, dep: Dependency) -> str:
    """Relative to the location, unless the file was named otherwise and lies elsewhere."""
    if os.path.isabs(os.path.expanduser(text)) and not path.is_relative_to(dep.location):
        return f"file:{path}"
    return f"file:{Path(os.path.relpath(path, dep.location)).as_posix()}"


def _url(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    from guild.launch.download import download

    if told := _told(r, dep, source):
        return _contents(r, dep, source, told, source.uri, told.name)
    path = download(
        source.target, r.cache, sha256=source.sha256, progress=r.progress, stopped=r.stopped, say=r.say
    )
    if not _unpacks(dep, source, path):
        _post_process(r, source, path.parent)
    return _contents(r, dep, source, path, source.uri, path.name)


def _contents(
    r: Resolver, dep: Dependency, source: ResourceSource, path: Path, uri: str, text: str
) -> list[Item]:
    """A file itself; what an archive holds; a directory itself, or what is selected of it."""
    from guild.launch import archive

    if source.sha256 and source.kind == "file" and path.is_file():
        _check_digest(path, source.sha256)
    if kind := _unpacks(dep, source, path):
        if not archive.place_of(path, r.cache).is_dir():
            r.say(f"Unpacking {path}")
        base = archive.unpack(path, r.cache, kind, stopped=r.stopped)
        _post_process(r, source, base)
        members = _selected(source, _below(base)) if _selects(source) else sorted(os.listdir(base))
        return _there(r, [Item(base / m, m, uri, (m,)) for m in members if not archive.is_own_mark(m)])
    kept = _kept_path(text, path)
    if path.is_dir() and _selects(source):
        members = _selected(source, _below(path))
        return _there(r, [Item(path / m, f"{kept}/{m}", f"{uri}/{m}") for m in members])
    return [Item(path, kept, uri, (path.name,) if source.kind == "url" else ())]


def _below(directory: Path) -> list[str]:
    """Files and directories: either can be selected."""
    return files_below(directory, dirs=True)


def _there(r: Resolver, items: list[Item]) -> list[Item]:
    """Those of many files that can be copied; a warning for each of the others."""
    found = []
    for item in items:
        if item.path.is_file() or item.path.is_dir():
            found.append(item)
        else:
            r.warn(f"'{item.path}' is neither a file nor a directory, it is left out")
    return found


def _unpacks(dep: Dependency, source: ResourceSource, path: Path) -> str:
    """What kind of an archive a file is, if it is to be unpacked, else ''."""
    from guild.launch import archive

    unpacks = source.unpack if source.unpack is not None else dep.default_unpack
    return archive.kind_of(path.name, source.type) if unpacks and path.is_file() else ""


def _kept_path(text: str, path: Path) -> str:
    """What `preserve-path` keeps: the path as it was written, unless it leads elsewhere."""
    written = Path(text)
    return (
        path.name if os.path.isabs(text) or ".." in written.parts or not written.name else written.as_posix()
    )


def _check_digest(path: Path, sha256: str) -> None:
    digest = files.sha256_file(path)
    if digest != sha256:
        raise GuildError(f"'{path}' has the sha256 {digest}, not {sha256}")


def _post_process(r: Resolver, source: ResourceSource, directory: Path) -> None:
    """Run the source's shell command in its directory in the cache, once."""
    if not source.post_process:
        return
    import hashlib
    import subprocess

    key = hashlib.sha1(source.post_process.encode(), usedforsecurity=False).hexdigest()
    mark = directory / f".guild-cache-{key}.post"
    if mark.exists():
        return
    r.say(f"Post processing {source.resolved_name} resource in {directory}: {source.post_process!r}")
    done = subprocess.run(source.post_process, shell=True, cwd=directory, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        files.remove_tree(directory)  # it may be half done
        raise GuildError(f"post-process of {source.uri} ended with {done.returncode}: {source.post_process}")
    mark.touch()


def _selects(source: ResourceSource) -> bool:
    return bool(source.select or source.select_min or source.select_max)


def _selected(source: ResourceSource, paths: Sequence[str]) -> list[str]:
    """The paths that a source selects: by a regular expression for the whole path, and of those the ones
    with the least or the greatest number in the first group of another one."""
    found = [p for p in paths if not source.select or any(re.fullmatch(s, p) for s in source.select)]
    for pattern, best in ((source.select_min, min), (source.select_max, max)):
        if pattern:
            numbers = [(n, p) for p in found if (n := _number(re.fullmatch(pattern, p))) is not None]
            found = [best(numbers)[1]] if numbers else []
    return found


def _number(match: re.Match[str] | None) -> float | None:
    try:
        return float(match[1]) if match else None
    except (ValueError, TypeError):
        return None


def _module(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    """Nothing is copied: the module must be there."""
    from importlib.util import find_spec

    try:
        found = find_spec(source.target)
    except (Exception, SystemExit) as e:  # its package is imported, whatever that does
        why = str(e) if isinstance(e, ImportError | ValueError) else f"{type(e).__name__}: {e}"
        raise GuildError(f"module '{source.target}' cannot be found: {why}", source.help) from None
    if found is None:
        raise GuildError(f"No module named '{source.target}'", source.help)
    return []


def _config(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    path = _told(r, dep, source) or _existing(Path(os.path.expanduser(source.target)), Path(dep.location))
    name = path.name.removesuffix(".in")
    target = made / name
    target.write_bytes(fill_config(r, source, path))
    return [Item(target, name, source.uri)]


def fill_config(r: Resolver, source: ResourceSource, path: Path) -> bytes:
    """The content of a config file with the run's flags. Raises GuildError, OSError."""
    from guild.launch.config_file import fill_in

    flags = {n: v for n, v in r.flags.items() if n not in r.dependency_flags}
    return fill_in(path, flags, source.params, r.flag_defs)


def _operation(r: Resolver, dep: Dependency, source: ResourceSource, made: Path) -> list[Item]:
    run = _upstream(r, source)
    base, members = run.path, generated_top(run)
    if _selects(source):
        members = _selected(source, _below(base))
    return _there(r, [Item(base / m, m, source.uri) for m in members])


def _upstream(r: Resolver, source: ResourceSource) -> Run:
    """The run that a source means, ready to be used. Raises GuildError."""
    config = r.config(source)
    if config is None:
        raise GuildError(
            f"no suitable run for {source.target}",
            f"Run it first: guild run {source.target.partition(',')[0]}",
        )
    text = str(config)
    run = Run(Path(os.path.abspath(text))) if "/" in text else r.find_run(text)
    state = standing(run)
    if run is None or state is Standing.GONE:
        raise GuildError(f"run {text} of {source.target} is not there any more")
    if state is Standing.FAILED:
        reason = run.reason()
        raise GuildError(f"run {run.id} of {source.target} failed{f' ({reason})' if reason else ''}")
    if state is Standing.WAIT:
        raise GuildError(f"run {run.id} of {source.target} has not ended: it is {run.status().value}")
    if len(text) != 32 and "/" not in text and not is_of(run, source):
        raise GuildError(f"run {run.id} is not a run of {source.target}")
    r.say(f"Using run {run.id} for {source.resolved_name}")
    return run


_Finder = Callable[[Resolver, Dependency, ResourceSource, Path], list[Item]]
_FINDERS: dict[str, _Finder] = {
    "file": _file,
    "url": _url,
    "module": _module,
    "config": _config,
    "operation": _operation,
}
