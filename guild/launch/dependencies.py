"""Dependencies: made ready beside a run, then moved in place together, with what the run records of them."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import DependencyError, GuildError
from guild.launch.copying import copy_into
from guild.launch.dependency_sources import Item, Resolver, fill_config, find_items
from guild.ops.opdef import Dependency, FlagValue, ResourceSource
from guild.runs import attrs, layout
from guild.runs.manifest import DEPENDENCY, ManifestEntry, append_manifest, read_manifest, write_manifest
from guild.runs.run import Run

__all__ = ["Resolution", "Resolver", "install", "resolve"]


@dataclass(frozen=True)
class Move:
    """Something that was made, and its place relative to the run directory."""

    made: Path
    target: str
    replace: bool
    entry: ManifestEntry


@dataclass
class Resolution:
    """What was made, and the new value of the attribute `deps`."""

    deps: dict[str, Any] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    final: Path = Path()  # where the run will lie
    before: frozenset[tuple[str, str]] = frozenset()  # resource and source: resolved by an earlier attempt
    done: list[tuple[str, ResourceSource]] = field(default_factory=list)
    links: set[str] = field(default_factory=set)  # targets that will be links


def resolve(r: Resolver, deps: Sequence[Dependency], reuse: Run | None = None) -> Resolution:
    """Make the dependencies ready below `r.work`; the run itself stays as it is.

    What did not change since `reuse`, a run that this one is made from, is copied from there. Raises
    DependencyError.
    """
    known = {k: dict(v) for k, v in r.run.map_attr("deps").items() if isinstance(v, dict)}
    found = Resolution(known, final=r.final)
    found.before = frozenset((dep, name) for dep, names in found.deps.items() for name in names)
    for dep in deps:
        r.say(f"Resolving {dep.name}")
        for source in dep.sources:
            if r.stopped():
                raise DependencyError("stopped while dependencies were resolved")
            _resolve_source(r, dep, source, found, reuse)
    return found


def _resolve_source(
    r: Resolver, dep: Dependency, source: ResourceSource, found: Resolution, reuse: Run | None
) -> None:
    found.deps.setdefault(dep.name, {})
    name = source.resolved_name
    known = (dep.name, name) in found.before or (dep.name, source) in found.done
    if known and not source.always_resolve:
        r.say(f"Skipping resolution of {name} because it's already resolved")
        return
    if r.staging and source.kind == "operation":
        r.say(f"Skipping resolution of {name} because it's being staged")
        return
    try:
        if not _reused(r, dep, source, found, reuse):
            _make(r, dep, source, found)
        found.done.append((dep.name, source))
    except (GuildError, OSError, re.error) as e:  # the last from patterns that another Guild recorded
        _missing(r, dep, source, e)


def _missing(r: Resolver, dep: Dependency, source: ResourceSource, error: Exception) -> None:
    if r.stopped():
        raise DependencyError("stopped while dependencies were resolved")
    why = error.message if isinstance(error, GuildError) else str(error)
    if isinstance(error, OSError) and error.strerror:
        why = f"{error.strerror}: {error.filename}"
    why = f"{why}\n{source.help}" if source.help and source.help not in why else why
    if source.optional:
        r.say(f"Could not resolve {source.resolved_name} - skipping because dependency is optional")
        return
    text = f"could not resolve '{source.resolved_name}' in {dep.name} resource: {why}"
    if r.force:
        r.warn(f"a dependency was not met: {text}")
        return
    hint = error.hint if isinstance(error, GuildError) else ""
    raise DependencyError(f"run failed because a dependency was not met: {text}", hint)


def _make(r: Resolver, dep: Dependency, source: ResourceSource, found: Resolution) -> None:
    made = r.work / str(len(os.listdir(r.work)))
    made.mkdir()
    items = find_items(r, dep, source, made)
    if not items and source.kind != "module":
        if source.fail_if_empty:
            raise GuildError(f"nothing resolved for {source.resolved_name}")
        if source.warn_if_empty:
            r.warn(f"nothing resolved for {source.resolved_name}")
    _warn_of_target_path(r, dep, source)
    moves = []
    for number, item in enumerate(items):
        target = target_of(dep, source, item.member)
        _refuse_link(r, found, target)
        moves.append(_move(r, dep, source, item, made, target, number))
    found.moves += moves
    found.links.update(move.target for move in moves if move.made.is_symlink())
    paths = {os.path.relpath(item.path, r.final) for item in items if made not in item.path.parents}
    # Another source of the same name may have come before, with other places for its files.
    resolved = found.deps[dep.name]
    if (dep.name, source.resolved_name) not in found.before:
        paths |= set(resolved.get(source.resolved_name, {}).get("paths", ()))
    config = r.config(source)
    resolved[source.resolved_name] = {
        "uri": source.uri,
        "paths": sorted(paths),
        **({"config": config} if config is not None else {}),
    }


def _keeps_path(dep: Dependency, source: ResourceSource) -> bool:
    return source.preserve_path if source.preserve_path is not None else dep.preserve_path


def _target_path(dep: Dependency, source: ResourceSource) -> str:
    return source.target_path if source.target_path is not None else dep.target_path


def _warn_of_target_path(r: Resolver, dep: Dependency, source: ResourceSource) -> None:
    below = _target_path(dep, source)
    if below and _keeps_path(dep, source):
        r.warn(f"target-path '{below}' specified with preserve-path - ignoring")


def _refuse_link(r: Resolver, found: Resolution, target: str) -> None:
    """Through a link (to a dependency, say) what it leads to would be written to."""
    at = os.path.dirname(target)
    while at:
        if at in found.links or os.path.islink(r.run.path / at):
            raise GuildError(
                f"'{target}' cannot be put into the run directory: '{at}' is a link there",
                "Use another 'target-path'.",
            )
        at = os.path.dirname(at)


def _move(
    r: Resolver, dep: Dependency, source: ResourceSource, item: Item, made: Path, target: str, number: int
) -> Move:
    is_link = (source.target_type or dep.target_type) == "link" and source.kind != "config"
    if is_link:
        place = made / f"link-{number}"
        os.symlink(os.path.relpath(item.path, (r.final / target).parent), place)
    elif made in item.path.parents:
        place = item.path
    else:
        place = made / f"copy-{number}"
        copy_into(item.path, place, r.warn, r.stopped)
    return Move(place, target, source.replace_existing, _entry(target, item.path, item.uri, item.inside))


def _entry(target: str, path: Path, uri: str, inside: tuple[str, ...]) -> ManifestEntry:
    digest = files.sha1_file(path) if path.is_file() else "-"
    return ManifestEntry(DEPENDENCY, target, digest, uri, inside)


def target_of(dep: Dependency, source: ResourceSource, member: str) -> str:
    """The place of a file in the run: below `target-path`, by its name alone unless its path is preserved,
    renamed. Raises GuildError for a place outside of the run directory."""
    head, _, name = member.rstrip("/").rpartition("/")
    name = _renamed(source, name)
    parts = (head if _keeps_path(dep, source) else _target_path(dep, source), name)
    target = os.path.normpath("/".join(p for p in parts if p))
    if target in (".", "..") or target.startswith(("../", "/")) or target.split("/")[0] == layout.GUILD_DIR:
        raise GuildError(f"'{target}' is no place in the run directory")
    return target


def _renamed(source: ResourceSource, name: str) -> str:
    """By the first pattern that matches. Raises GuildError for a replacement that does not fit."""
    for rename in source.rename:
        try:
            renamed, count = re.subn(rename.pattern, rename.repl, name, count=1)
        except (re.error, IndexError) as e:
            raise GuildError(f"cannot rename '{name}': '{rename.pattern} {rename.repl}': {e}") from None
        if count:
            return renamed
    return name


# What another run has already.


def _reused(
    r: Resolver, dep: Dependency, source: ResourceSource, found: Resolution, reuse: Run | None
) -> bool:
    """Take a file from the run that this one is made from, if it is what was put there; whether it was."""
    kinds = ("file", "url", "config")
    if reuse is None or source.kind not in kinds or (source.always_resolve and source.kind != "config"):
        return False
    there = reuse.map_attr("deps").get(dep.name)
    old = there.get(source.resolved_name) if isinstance(there, dict) else None
    if not isinstance(old, dict) or not _same(old.get("config"), r.config(source)):
        return False
    listed = read_manifest(reuse.guild_dir / layout.MANIFEST)
    entries = list({e.path: e for e in listed if _is_from(e, source)}.values())
    fresh = not os.path.lexists(reuse.guild_dir / layout.OUTPUT)  # it has not been executed
    if not entries or not all(_is_untouched(reuse, e, fresh) for e in entries):
        return False
    made = r.work / str(len(os.listdir(r.work)))
    made.mkdir()
    taken = {move.target for move in found.moves}  # by another source of the same file
    for number, entry in enumerate(e for e in entries if e.path not in taken):
        place, origin = made / f"copy-{number}", reuse.path / entry.path
        if source.kind == "config":
            # With the flags as they are now; the project's file may be another one by now.
            place.write_bytes(fill_config(r, source, origin))
            entry = _entry(entry.path, place, entry.source, ())
        elif origin.is_symlink():
            os.symlink(os.path.relpath(os.path.realpath(origin), (r.final / entry.path).parent), place)
        else:
            copy_into(origin, place, r.warn, r.stopped)
        found.moves.append(Move(place, entry.path, source.replace_existing, entry))
    paths = [os.path.relpath(reuse.path / path, r.final) for path in old.get("paths") or ()]
    found.deps[dep.name][source.resolved_name] = {**old, "paths": paths}
    return True


def _same(a: FlagValue, b: FlagValue) -> bool:
    return (a or None) == (b or None)


def _is_from(entry: ManifestEntry, source: ResourceSource) -> bool:
    return entry.kind == DEPENDENCY and (
        entry.source == source.uri or entry.source.startswith(source.uri + "/")
    )


def _is_untouched(run: Run, entry: ManifestEntry, fresh: bool) -> bool:
    path = run.path / entry.path
    if entry.digest == "-":
        return fresh and path.exists()
    try:
        return path.is_file() and files.sha1_file(path) == entry.digest
    except OSError:
        return False


# In place.


def install(run_dir: Path, found: Resolution) -> list[str]:
    """Move what was made in place, and record it; warnings for what is there already and stays.

    Raises DependencyError for a place below a link or a file, OSError.
    """
    run, warnings, entries = Run(run_dir), [], []
    for move in found.moves:
        if _put(move, run_dir):
            entries.append(move.entry)
        else:
            warnings.append(f"{found.final / move.target} already exists, skipping copy")
    if entries:
        _record(run.guild_dir / layout.MANIFEST, entries)
    attrs.write_attr(run.guild_dir, "deps", found.deps)
    return warnings


def _record(path: Path, entries: list[ManifestEntry]) -> None:
    """Add them to the manifest, in the place of what it says of earlier files there."""
    new = {entry.path for entry in entries}
    before = read_manifest(path)
    kept = [e for e in before if e.kind != DEPENDENCY or e.path not in new]
    if len(kept) < len(before):
        write_manifest(path, [*kept, *entries])
    else:
        append_manifest(path, entries)


def _put(move: Move, run_dir: Path) -> bool:
    """Move one thing; False where there is something already that stays."""
    target = run_dir / move.target
    _make_way(run_dir, move.target)
    if os.path.lexists(target):
        if target.is_dir() and not target.is_symlink() and move.made.is_dir() and not move.made.is_symlink():
            return _merge(move.made, target, move.replace)
        if not move.replace:
            return False
        files.remove_tree(target)
    files.move(move.made, target)
    return True


def _make_way(run_dir: Path, target: str) -> None:
    """Make the directories that a target is in. None may be a link: that would lead out of the run."""
    at = run_dir
    for part in Path(target).parts[:-1]:
        at = at / part
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            what = "a link" if at.is_symlink() else "no directory"
            name = at.relative_to(run_dir).as_posix()
            raise DependencyError(f"cannot put '{target}' into the run: '{name}' is {what}")
        at.mkdir(exist_ok=True)


def _merge(made: Path, target: Path, replace: bool) -> bool:
    """Put the content of a directory into one that is there; whether any of it was new."""
    is_new = False
    for entry in sorted(os.listdir(made)):
        new, old = made / entry, target / entry
        if new.is_dir() and not new.is_symlink() and old.is_dir() and not old.is_symlink():
            is_new = _merge(new, old, replace) or is_new
        elif not os.path.lexists(old) or replace:
            files.remove_tree(old)
            files.move(new, old)
            is_new = True
    return is_new
