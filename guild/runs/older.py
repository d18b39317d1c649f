"""What runs of earlier releases say in another way than those of Guild 0.9: where their source code lies, how
they are executed and, without a manifest (before 0.8.2), which files were put into the run directory."""

import os
from collections.abc import Iterator
from typing import Any

from guild.base.walk import relative, walk
from guild.ops.opdef import GUILD_PYTHON_EXE, PYTHON_EXE
from guild.runs import layout
from guild.runs.manifest import DEPENDENCY, SOURCE, ManifestEntry, read_manifest
from guild.runs.run import Run

UNKNOWN = "-"  # the digest of what was not recorded
_OP_MAIN = "guild.op_main"
# They run others: this Guild does that, not the one that made the run.
_PARENTS = ("guild.batch_main", "guild.steps_main", "guild.plugins.random_main", "guild.plugins.queue_main")


def source_dir(run: Run) -> str:
    """Where the source code of a run lies, relative to its directory; '' for the directory itself."""
    op = run.map_attr("op")
    sourcecode = op.get("sourcecode")
    place = sourcecode.get("dest") if isinstance(sourcecode, dict) else op.get("sourcecode-root")
    if isinstance(place, str):
        return relative(place) or ""
    is_older = not isinstance(sourcecode, dict) and os.path.isdir(run.guild_dir / layout.SOURCECODE)
    return f"{layout.GUILD_DIR}/{layout.SOURCECODE}" if is_older else ""


def op_of(run: Run) -> dict[str, Any]:
    """The attribute `op`, as Guild 0.9 would have written it, as far as the run tells."""
    op = run.map_attr("op")
    if isinstance(op.get("sourcecode"), dict):
        return op
    cmd = op.get("op-cmd")
    if not isinstance(cmd, dict) or not cmd.get("cmd-args") or not isinstance(cmd["cmd-args"], list):
        return op
    place, words, env = source_dir(run), list(cmd["cmd-args"]), cmd.get("cmd-env")
    env = dict(env) if isinstance(env, dict) else {}
    if words[0] == PYTHON_EXE and _is_parent(words):
        words[0] = GUILD_PYTHON_EXE
    elif place and _OP_MAIN not in words:
        env.setdefault("PYTHONPATH", place)  # every operation found its modules there, not only scripts
    made = {**cmd, "cmd-args": words, "cmd-env": env}
    return {**op, "op-cmd": made, "sourcecode": {"dest": place or "."}}


def _is_parent(words: list[Any]) -> bool:
    return len(words) > 2 and words[2] in _PARENTS


def entries_of(run: Run) -> list[ManifestEntry]:
    """The manifest of a run; where it has none, what else tells of its source code and dependencies.

    Raises OSError for what cannot be read.
    """
    if run.has(layout.MANIFEST):
        return read_manifest(run.guild_dir / layout.MANIFEST)
    return [*_source_code(run), *_dependencies(run)]


def _source_code(run: Run) -> Iterator[ManifestEntry]:
    place = source_dir(run)
    if not place or not os.path.isdir(run.path / place):
        return
    files = (f.path for f in walk(run.path / place, hidden=True, follow=False) if f.is_link or not f.is_dir)
    for name in sorted(files):
        yield ManifestEntry(SOURCE, f"{place}/{name}", UNKNOWN, name)


def _dependencies(run: Run) -> Iterator[ManifestEntry]:
    """What lies at the top of the run directory by the name of a source of a dependency."""
    seen: set[str] = set()
    for uri, path in _resolved(run.map_attr("deps")):
        name = os.path.basename(path.rstrip("/"))
        if name not in ("", ".", "..", layout.GUILD_DIR, *seen) and os.path.lexists(run.path / name):
            seen.add(name)
            yield ManifestEntry(DEPENDENCY, name, UNKNOWN, uri)


def _resolved(deps: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where each file of a dependency came from: uri (or the name of the resource), and path."""
    for resource, sources in deps.items():
        if isinstance(sources, list):  # as before 0.7
            yield from ((str(resource), path) for path in sources if isinstance(path, str))
        for source in sources.values() if isinstance(sources, dict) else ():
            paths = source.get("paths") if isinstance(source, dict) else None
            uri = str(source.get("uri") or resource) if isinstance(source, dict) else ""
            for path in paths if isinstance(paths, list) else ():
                if isinstance(path, str):
                    yield uri, path
