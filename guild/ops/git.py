"""Git, asked about a project: which files it does not ignore. All questions have a time limit."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

IGNORE_FILE = ".guildignore"
_LIST_LIMIT = 60.0  # seconds
_MAX_NESTED = 8  # work trees within work trees

# What names a repository other than that of the directory (a hook has them in its environment).
_REPOSITORY_VARS = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS"),
    *("GIT_CONFIG_COUNT", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
    *("GIT_TRACE", "GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX"),
}


def run_git(directory: Path, args: Sequence[str], environ: Mapping[str, str], timeout: float) -> bytes | None:
    """What `git ARGS` prints in a directory; None without git, where it fails, and after `timeout` seconds.

    Nothing of the repository is changed, not even its index.
    """
    import subprocess

    env = {name: value for name, value in environ.items() if name not in _REPOSITORY_VARS}
    env.update(GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    # A monitor would stay behind as a process of its own.
    command = ["git", "-c", "core.fsmonitor=false", *args]
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def may_be_work_tree(directory: Path) -> bool:
    """Whether there is a `.git` in the directory or above it: spares asking git where there is none."""
    full = Path(os.path.realpath(directory))
    return any(os.path.lexists(parent / ".git") for parent in (full, *full.parents))


def list_files(directory: Path, environ: Mapping[str, str]) -> frozenset[str] | None:
    """The files that git does not ignore, nor `.guildignore` does, as paths below the directory.

    Links are themselves, whatever they lead to; tracked files that were deleted are among them. Those of
    work trees within (submodules, and others) are included. None where the directory is no work tree, and
    where git ignores it as a whole.
    """
    return _list(directory, environ, 0)


def _list(directory: Path, environ: Mapping[str, str], depth: int) -> frozenset[str] | None:
    if not may_be_work_tree(directory):
        return None
    both = ("ls-files", "-z", "--cached", "--others")
    names = _names(run_git(directory, [*both, "--exclude-standard"], environ, _LIST_LIMIT))
    if not names:
        return None
    found = set(names)
    if os.path.isfile(directory / IGNORE_FILE):
        ignored = [*both, "--ignored", f"--exclude-per-directory={IGNORE_FILE}"]
        found.difference_update(_names(run_git(directory, ignored, environ, _LIST_LIMIT)) or ())
    for name in [n for n in found if n.endswith("/") or _is_directory(directory / n)]:
        found.remove(name)
        nested = name.rstrip("/")
        inside = _list(directory / nested, environ, depth + 1) if depth < _MAX_NESTED else None
        found.update(f"{nested}/{path}" for path in inside or ())
    return frozenset(found)


def _names(output: bytes | None) -> list[str] | None:
    return None if output is None else [os.fsdecode(name) for name in output.split(b"\0") if name]


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
