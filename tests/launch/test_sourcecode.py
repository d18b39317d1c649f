"""The source code of a run: copies, digests, commits."""

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from guild.errors import GuildError
from guild.launch.sourcecode import copy_snapshot, copy_source, source_digest, vcs_commit
from guild.runs.manifest import ManifestEntry

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "p" / "sub").mkdir(parents=True)
    (tmp_path / "p" / "b.py").write_text("b")
    (tmp_path / "p" / "sub" / "a.py").write_text("a")
    return tmp_path / "p"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def test_files_are_copied_with_their_digests_in_the_order_of_the_selection(root: Path, run_dir: Path) -> None:
    entries = copy_source(root, ["sub/a.py", "b.py"], run_dir, ".")
    assert entries == [
        ManifestEntry("s", "sub/a.py", sha1(b"a"), "sub/a.py"),
        ManifestEntry("s", "b.py", sha1(b"b"), "b.py"),
    ]
    assert (run_dir / "sub/a.py").read_text() == "a"


@pytest.mark.parametrize("dest", ["code", "./code/", "code/."])
def test_files_may_go_below_the_run_directory(root: Path, run_dir: Path, dest: str) -> None:
    (entry,) = copy_source(root, ["sub/a.py"], run_dir, dest)
    assert (entry.path, entry.source) == ("code/sub/a.py", "sub/a.py")
    assert (run_dir / "code/sub/a.py").read_text() == "a"


def test_modes_are_kept_and_links_followed(root: Path, run_dir: Path) -> None:
    (root / "b.py").chmod(0o750)
    (root / "link.py").symlink_to("b.py")
    (root / "sub" / "a.py").chmod(0o444)
    copy_source(root, ["link.py", "sub/a.py"], run_dir, ".")
    assert not (run_dir / "link.py").is_symlink()
    assert stat.S_IMODE((run_dir / "link.py").stat().st_mode) == 0o750
    assert stat.S_IMODE((run_dir / "sub/a.py").stat().st_mode) == 0o444


def test_a_large_file_is_copied_whole(root: Path, run_dir: Path) -> None:
    data = os.urandom(3 << 20)
    (root / "big").write_bytes(data)
    (entry,) = copy_source(root, ["big"], run_dir, ".")
    assert (run_dir / "big").read_bytes() == data
    assert entry.digest == sha1(data)


def test_odd_names_are_copied(root: Path, run_dir: Path) -> None:
    names = sorted(["new\nline", "a b", os.fsdecode(b"\xff")])
    for name in names:
        (root / name).write_text(name.encode("utf-8", "replace").decode())
    entries = copy_source(root, names, run_dir, ".")
    assert [e.path for e in entries] == names
    assert source_digest(run_dir, list(entries)) == source_digest(run_dir, entries)


def test_a_file_that_has_vanished_is_named(root: Path, run_dir: Path) -> None:
    with pytest.raises(GuildError, match=r"'gone\.py' vanished"):
        copy_source(root, ["b.py", "gone.py"], run_dir, ".")


def test_a_file_that_became_something_else_is_named_without_hanging(root: Path, run_dir: Path) -> None:
    os.mkfifo(root / "fifo")
    with pytest.raises(GuildError, match="'fifo': not a regular file"):
        copy_source(root, ["fifo"], run_dir, ".")


@pytest.mark.parametrize("dest", ["..", "/tmp", "a/../../b"])
def test_nothing_is_copied_outside_the_run_directory(root: Path, run_dir: Path, dest: str) -> None:
    with pytest.raises(GuildError, match="outside the run directory"):
        copy_source(root, ["b.py"], run_dir, dest)


def test_what_is_there_is_replaced_never_written_through(tmp_path: Path, root: Path, run_dir: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("precious")
    (run_dir / "b.py").symlink_to(mine)
    copy_source(root, ["b.py"], run_dir, ".")
    copy_source(root, ["b.py"], run_dir, ".")
    assert (run_dir / "b.py").read_text() == "b"
    assert mine.read_text() == "precious"


def test_a_directory_that_is_a_link_is_not_written_through(tmp_path: Path, root: Path, run_dir: Path) -> None:
    (tmp_path / "data").mkdir()
    (run_dir / "sub").symlink_to(tmp_path / "data")
    with pytest.raises(GuildError, match=r"sub': it is no directory"):
        copy_source(root, ["sub/a.py"], run_dir, ".")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_directory_in_the_way_of_a_file_is_an_error(root: Path, run_dir: Path) -> None:
    (run_dir / "b.py").mkdir()
    with pytest.raises(GuildError, match=r"cannot copy source code file 'b\.py'"):
        copy_source(root, ["b.py"], run_dir, ".")


# Digests.


def test_the_digest_covers_paths_and_contents_in_order(root: Path, run_dir: Path) -> None:
    entries = copy_source(root, ["sub/a.py", "b.py"], run_dir, "code")
    expected = hashlib.md5(b"code/b.py\0b\0code/sub/a.py\0a\0").hexdigest()
    assert source_digest(run_dir, entries) == expected
    assert source_digest(run_dir, list(reversed(entries))) == expected


def test_the_digest_of_a_copy_is_known_without_reading_it_again(root: Path, run_dir: Path) -> None:
    entries = copy_source(root, ["b.py"], run_dir, ".")
    (run_dir / "b.py").unlink()
    assert source_digest(run_dir, entries) == hashlib.md5(b"b.py\0b\0").hexdigest()
    with pytest.raises(GuildError, match=r"b\.py"):
        source_digest(run_dir, list(entries))


def test_without_source_code_there_is_no_digest(root: Path, run_dir: Path) -> None:
    assert source_digest(run_dir, copy_source(root, [], run_dir, ".")) is None
    assert source_digest(run_dir, [ManifestEntry("d", "x", "-", "file:x")]) is None


# Snapshots.


def test_a_snapshot_is_the_source_code_of_the_run_not_of_the_project(
    tmp_path: Path, root: Path, run_dir: Path
) -> None:
    entries = copy_source(root, ["sub/a.py", "b.py"], run_dir, ".")
    (root / "b.py").write_text("changed")
    (run_dir / "model.bin").touch()
    new = tmp_path / "new"
    new.mkdir()
    copy_snapshot(run_dir, new, [*entries, *entries, ManifestEntry("d", "data", "-", "file:data")])
    assert (new / "b.py").read_text() == "b"
    assert sorted(p.name for p in new.iterdir()) == ["b.py", "sub"]


def test_what_was_recorded_without_a_digest_gets_one(tmp_path: Path, root: Path, run_dir: Path) -> None:
    recorded = copy_source(root, ["sub/a.py", "b.py"], run_dir, "code")
    (tmp_path / "new").mkdir()
    unknown = [ManifestEntry("s", e.path, "-", e.source) for e in recorded]
    assert copy_snapshot(run_dir, tmp_path / "new", unknown) == list(recorded)


def test_a_file_that_a_run_no_longer_has_is_named(tmp_path: Path, root: Path, run_dir: Path) -> None:
    entries = copy_source(root, ["b.py"], run_dir, ".")
    (run_dir / "b.py").unlink()
    (tmp_path / "new").mkdir()
    with pytest.raises(GuildError, match=r"run run no longer has its source code file 'b\.py'") as caught:
        copy_snapshot(run_dir, tmp_path / "new", entries)
    assert "--force-sourcecode" in caught.value.hint


def test_a_manifest_that_leads_out_of_the_run_is_not_followed(tmp_path: Path, run_dir: Path) -> None:
    (tmp_path / "secret").touch()
    (tmp_path / "new").mkdir()
    for path in ("../secret", str(tmp_path / "secret")):
        with pytest.raises(GuildError, match="outside the run directory"):
            copy_snapshot(run_dir, tmp_path / "new", [ManifestEntry("s", path, "-", "secret")])


# Commits.


def in_git(directory: Path, *args: str) -> str:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
    command = ["git", *identity, *args]
    return subprocess.run(
        command, cwd=directory, check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


@needs_git
def test_the_last_commit_of_the_directory_is_named_and_whether_it_still_holds(root: Path) -> None:
    in_git(root, "init")
    assert vcs_commit(root, ENV) is None
    in_git(root, "add", ".")
    in_git(root, "commit", "-m", "one")
    first = in_git(root, "rev-parse", "HEAD")
    assert vcs_commit(root, ENV) == f"git:{first}"
    in_git(root, "commit", "--allow-empty", "-m", "elsewhere")
    assert vcs_commit(root / "sub", ENV) == f"git:{first}"
    (root / "b.py").write_text("changed")
    assert vcs_commit(root, ENV) == f"git:{first}*"
    assert vcs_commit(root, {**ENV, "NO_VCS_COMMIT": "1"}) is None


@needs_git
def test_a_new_file_makes_a_work_tree_dirty(root: Path) -> None:
    in_git(root, "init")
    in_git(root, "add", "b.py")
    in_git(root, "commit", "-m", "one")
    assert (vcs_commit(root, ENV) or "").endswith("*")


@needs_git
def test_the_variables_of_a_git_hook_do_not_name_another_commit(tmp_path: Path, root: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    in_git(other, "init")
    in_git(other, "commit", "--allow-empty", "-m", "other")
    in_git(root, "init")
    in_git(root, "add", ".")
    in_git(root, "commit", "-m", "mine")
    head = in_git(root, "rev-parse", "HEAD")
    assert vcs_commit(root, {**ENV, "GIT_DIR": str(other / ".git")}) == f"git:{head}"


def test_without_git_there_is_no_commit(root: Path) -> None:
    (root / ".git").mkdir()
    assert vcs_commit(root, {"PATH": "/nowhere"}) is None


def test_a_git_that_hangs_is_given_up(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ".git").mkdir()
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr("guild.launch.sourcecode._VCS_LIMIT", 0.1)
    assert vcs_commit(root, {"PATH": f"{fake.parent}:{os.environ['PATH']}"}) is None
