"""What a workflow expects of a step that has ended: its output, its files, their contents."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guild.base import files
from guild.ops.opdef import Check
from guild.runs import layout
from guild.runs.generated import files_below
from guild.runs.run import Run

_LIMIT = 1 << 30  # bytes of a file that is looked through
_SHOWN = 50  # lines of a difference


def run_checks(
    run: Run, checks: Sequence[Check], project_dir: str, say: Callable[[str], None]
) -> tuple[int, int]:
    """(checks passed, checks made). `say` gets a line for all that is looked at and each fault."""
    passed = 0
    for check in checks:
        fault = next(_faults(run, check, project_dir, say), "")
        if fault:
            say(f"ERROR: [guild] check failed: {fault}")
        passed += not fault
    return passed, len(checks)


def _faults(run: Run, check: Check, project_dir: str, say: Callable[[str], None]) -> Iterator[str]:
    if check.output:
        say(f"INFO: [guild] checking run {run.id} output for {check.output!r}")
        if not _holds(run.guild_dir / layout.OUTPUT, check.output):
            yield f"could not find pattern '{check.output}' in run {run.id} output"
        return
    say(f"INFO: [guild] checking run {run.id} files {check.file!r}")
    found = _matching(run, check.file)
    if not found:
        yield f"no files matching {check.file} in run {run.id}"
    for name in found:
        if check.contains:
            say(f"INFO: [guild] checking run {run.id} file {name} for {check.contains!r}")
            if not _holds(run.path / name, check.contains):
                yield f"could not find pattern '{check.contains}' in run {run.id} file {name}"
        if check.compare_to:
            yield from _compare(run, name, check.compare_to, project_dir, say)


def _matching(run: Run, pattern: str) -> list[str]:
    """The files and directories below the run directory whose path fits; `*` does not stand for `/`."""
    wanted = os.path.normpath(pattern).split("/")
    skip = frozenset(() if wanted[0] == layout.GUILD_DIR else (layout.GUILD_DIR,))
    names = files_below(run.path, skip)
    above = {n[:at] for n in names for at, c in enumerate(n) if c == "/"}
    return [n for n in sorted({*names, *above}) if _fits(n.split("/"), wanted)]


def _fits(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[n:], wanted[1:]) for n in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _text(path: Path) -> str | None:
    try:
        return files.read_regular(path, _LIMIT).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _holds(path: Path, pattern: str) -> bool:
    text = _text(path)
    return text is not None and re.search(pattern, text, re.MULTILINE) is not None


def _compare(
    run: Run, name: str, compare_to: str, project_dir: str, say: Callable[[str], None]
) -> Iterator[str]:
    """`compare-to` is relative to the run directory; `${PROJECT_DIR}` is the project's."""
    path = run.path / compare_to.replace("${PROJECT_DIR}", project_dir)
    import difflib

    say(f"INFO: [guild] comparing run {run.id} file {name} to {path}")
    expected, actual = _text(path), _text(run.path / name)
    if expected is None:
        yield f"cannot read '{path}'"
    elif actual is None:
        yield f"cannot read '{run.path / name}'"
    elif expected != actual:
        lines = difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), str(path), str(run.path / name), lineterm=""
        )
        for line, _ in zip(lines, range(_SHOWN), strict=False):
            say(line)
        yield "unexpected file contents - see above for details"
