"""The source code of a run: copied from the project or from an earlier run, with its digests."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from guild.base import files
from guild.errors import GuildError
from guild.ops import git
from guild.runs.manifest import SOURCE, ManifestEntry
from guild.runs.older import UNKNOWN

_VCS_LIMIT = 10.0  # seconds, for two questions to git


class CopiedSource(list[ManifestEntry]):
    """The entries of a copy, and the digest of all that was made along the way."""

    def __init__(self, entries: Iterable[ManifestEntry], digest: str | None) -> None:
        super().__init__(entries)
        self.digest = digest


def copy_source(root: Path, selection_files: Sequence[str], run_dir: Path, dest: str) -> list[ManifestEntry]:
    """Copy files (relative to `root`) to `dest` below the run directory: content and mode, links followed.

    What is there already is replaced. The entries are in the order of `selection_files`. Raises GuildError
    naming the file that has vanished meanwhile, that cannot be read or written, or that would lie outside the
    run directory.
    """
    targets = {path: _below(dest, path) for path in selection_files}
    parents = _Parents(run_dir)
    md5 = hashlib.md5(usedforsecurity=False)
    digests = {}
    for path, target in sorted(targets.items(), key=lambda item: item[1]):
        md5.update(_bytes(target) + b"\0")
        digests[path] = _copy(root / path, parents.ready(target), path, md5.update)
        md5.update(b"\0")
    entries = [ManifestEntry(SOURCE, target, digests[path], path) for path, target in targets.items()]
    return CopiedSource(entries, md5.hexdigest() if entries else None)


def source_digest(run_dir: Path, entries: Sequence[ManifestEntry]) -> str | None:
    """The md5 of the source code in a run directory (`docs/run-directory.md`), None where there is none.

    What `copy_source` returned knows it without reading the files again.
    """
    if isinstance(entries, CopiedSource):
        return entries.digest
    paths = sorted({e.path for e in entries if e.kind == SOURCE})
    md5 = hashlib.md5(usedforsecurity=False)
    for path in paths:
        md5.update(_bytes(path) + b"\0")
        try:
            with open(run_dir / path, "rb") as f:
                for chunk in files.iter_chunks(f.fileno()):
                    md5.update(chunk)
        except OSError as e:
            raise GuildError(f"cannot read source code file '{run_dir / path}': {e.strerror}") from None
        md5.update(b"\0")
    return md5.hexdigest() if paths else None


def copy_snapshot(
    old_run_dir: Path, new_run_dir: Path, entries: Iterable[ManifestEntry]
) -> list[ManifestEntry]:
    """Copy the source code that a run has to another run's directory; the entries of it, with the digests of
    what was copied where none was recorded. Raises GuildError naming a file that the run no longer has."""
    parents = _Parents(new_run_dir)
    copied = [e for e in entries if e.kind == SOURCE]
    digests = {}
    for path in sorted({e.path for e in copied}):
        source = old_run_dir / _below(".", path)
        if not source.is_file():
            raise GuildError(
                f"run {old_run_dir.name} no longer has its source code file '{path}'",
                "Use --force-sourcecode to take the source code from the project.",
            )
        digests[path] = _copy(source, parents.ready(path), path)
    return [replace(e, digest=digests[e.path]) if e.digest == UNKNOWN else e for e in copied]


def vcs_commit(directory: Path, environ: Mapping[str, str]) -> str | None:
    """`git:<sha>` of the last commit of a directory, with `*` if its work tree has changed since.

    None without git or a commit, with NO_VCS_COMMIT=1, and where git takes longer than 10 s.
    """
    if environ.get("NO_VCS_COMMIT") == "1" or not git.may_be_work_tree(directory):
        return None
    log = git.run_git(directory, ["log", "-1", "--format=%H", "--", "."], environ, _VCS_LIMIT / 2)
    commit = log.decode("ascii", "replace").strip() if log else ""
    if not commit:
        return None
    status = git.run_git(directory, ["status", "--porcelain"], environ, _VCS_LIMIT / 2)
    if status is None:
        return None
    return f"git:{commit}*" if status.strip() else f"git:{commit}"


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _below(dest: str, path: str) -> str:
    """The path of a file below the run directory, with `/`."""
    joined = os.path.normpath(os.path.join(dest, path))
    if os.path.isabs(joined) or joined.split(os.sep)[0] == os.pardir:
        raise GuildError(
            f"source code file '{path}' would be copied to '{joined}', outside the run directory",
            "Let 'dest' of 'sourcecode' be a path below the run directory.",
        )
    return joined.replace(os.sep, "/")


class _Parents:
    """Makes the directories of targets, each once."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._made = {""}

    def ready(self, target: str) -> str:
        """The full path of a target, whose directory is there."""
        self._make(target.rpartition("/")[0])
        return os.path.join(self._run_dir, target)

    def _make(self, directory: str) -> None:
        if directory in self._made:
            return
        self._make(directory.rpartition("/")[0])
        full = os.path.join(self._run_dir, directory)
        try:
            os.mkdir(full)
        except FileExistsError:
            # Through a link (to a dependency, say) the files of the project would be written over.
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                raise GuildError(
                    f"cannot copy source code to '{full}': it is no directory",
                    "Rename it in the project, or leave it out of 'sourcecode'.",
                ) from None
        except OSError as e:
            raise GuildError(f"cannot make directory '{full}': {e.strerror}") from None
        self._made.add(directory)


def _copy(source: Path, target: str, name: str, also: Callable[[bytes], object] | None = None) -> str:
    """Copy one file; the sha1 of its content. `also` gets the content, too."""
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise _not_copied(name, e) from None
    try:
        return _copy_open(fd, target, also)
    except OSError as e:
        raise _not_copied(name, e) from None
    finally:
        os.close(fd)


def _copy_open(fd: int, target: str, also: Callable[[bytes], object] | None) -> str:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    sha1 = hashlib.sha1(usedforsecurity=False)
    out = _create(target)
    try:
        for chunk in files.iter_chunks(fd):
            sha1.update(chunk)
            if also is not None:
                also(chunk)
            files.write_all(out, chunk)
        os.fchmod(out, stat.S_IMODE(mode) & 0o777)
    finally:
        os.close(out)
    return sha1.hexdigest()


def _create(target: str) -> int:
    """A new file; what is there is replaced, not written to: it may be a link to somebody's data."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(target, flags, 0o600)
    except FileExistsError:
        os.unlink(target)
        return os.open(target, flags, 0o600)


def _not_copied(name: str, error: OSError) -> GuildError:
    if isinstance(error, FileNotFoundError):
        return GuildError(f"source code file '{name}' vanished while it was copied", "Run the command again.")
    return GuildError(f"cannot copy source code file '{name}': {error.strerror}")
