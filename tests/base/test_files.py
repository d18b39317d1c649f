"""Files: whole or not at all, never hanging, and trees that go away."""

import errno
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base import files
from guild.base.processes import place_mark

not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a" * 3_000_000)
    assert files.read_regular(path) == b"a" * 3_000_000
    path.write_bytes(b"")
    assert files.read_regular(str(path)) == b""


def test_a_fifo_a_directory_a_socket_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(files.NotReadable, match="not a regular file"):
            files.read_regular(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match=r"\[Errno"):
            files.read_regular(tmp_path / "s")


def test_a_missing_file_and_a_dangling_link_are_file_not_found(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("none", "link"):
        with pytest.raises(FileNotFoundError):
            files.read_regular(tmp_path / name)


def test_a_file_over_the_limit_is_refused_and_one_at_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert files.read_regular(path, limit=5) == b"12345"
    with pytest.raises(files.NotReadable, match="larger than 4 bytes"):
        files.read_regular(path, limit=4)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a file whose size is 0 and a lie")
def test_a_file_that_holds_more_than_its_size_tells_is_held_to_the_limit() -> None:
    assert b"Name:" in files.read_regular("/proc/self/status")
    with pytest.raises(files.NotReadable):
        files.read_regular("/proc/self/status", limit=10)


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(files.NotReadable):
            files.read_regular(tmp_path)
    assert sorted(os.listdir("/dev/fd")) == before


def test_readers_see_the_old_or_the_new_content_never_a_part(tmp_path: Path) -> None:
    path = tmp_path / "x"
    contents = {b"old" * 50_000, b"new!" * 60_000}
    files.write_whole(path, b"old" * 50_000)
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(files.read_regular(path))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(60):
        for content in contents:
            files.write_whole(path, content)
    done.set()
    reader.join()
    assert seen <= contents
    assert os.listdir(tmp_path) == ["x"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(fd: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_the_temporary_file_lies_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temp").mkdir()
    moves = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: (moves.append(Path(a).parent), rename(a, b)))
    files.write_whole(tmp_path / "x", b"1", temp_dir=tmp_path / "temp")
    assert moves == [tmp_path / "temp"]
    assert sorted(os.listdir(tmp_path)) == ["temp", "x"]


def test_synced_content_is_on_disk_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    files.write_whole(tmp_path / "x", b"1", sync=True)
    assert calls == ["fsync", "rename"]


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    files.write_whole(tmp_path / "x", b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_a_new_file_has_the_mode_asked_for(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "x", b"", mode=0o600)
    assert stat.S_IMODE(os.stat(tmp_path / "x").st_mode) == 0o600


def ended_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_temporary_file_is_stale_once_its_writer_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(os, "rename", lambda a, b: names.append(Path(a).name))
    files.write_whole(tmp_path / "x", b"1")
    assert not files.is_stale_temp(names[0])
    assert files.is_stale_temp(names[0].replace(f"-{os.getpid()}-", f"-{ended_pid()}-"))


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are told by /proc")
def test_a_writer_that_was_killed_has_ended_even_if_nobody_has_taken_note() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not files.is_stale_temp(f".tmp-{place_mark()}-{process.pid}-0a")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert files.is_stale_temp(f".tmp-{place_mark()}-{process.pid}-0a")


def test_other_names_and_other_machines_files_are_not_stale() -> None:
    pid = ended_pid()
    assert files.is_stale_temp(f".tmp-{place_mark()}-{pid}-0a")
    other = f"{(int(place_mark(), 16) + 1) % 2**32:08x}"
    assert not files.is_stale_temp(f".tmp-{other}-{pid}-0a")
    assert not files.is_stale_temp(f"tmp-{place_mark()}-{pid}-0a")
    assert not files.is_stale_temp(f".tmp-{place_mark()}-²-0a")


@given(st.text(max_size=30))
def test_no_name_makes_the_question_fail(name: str) -> None:
    assert files.is_stale_temp(".tmp-" + name) in (True, False)


def test_remove_file_tells_whether_it_was_there(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert files.remove_file(tmp_path / "x")
    assert not files.remove_file(tmp_path / "x")


def test_a_tree_is_removed_and_what_its_links_point_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/data").write_text("mine")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/link").symlink_to(tmp_path / "kept")
    (tree / "self").symlink_to(".")
    files.remove_tree(tree)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    files.remove_tree(tmp_path / "link")
    files.remove_tree(tmp_path / "absent")
    assert os.listdir(tmp_path) == ["kept"]
    assert (tmp_path / "kept/data").read_text() == "mine"


@not_root
def test_write_protected_directories_go_too(tmp_path: Path) -> None:
    check_protected(tmp_path)


def check_protected(base: Path) -> None:
    tree = base / "tree"
    (tree / "a/b/c").mkdir(parents=True)
    (tree / "a/b/c/x").touch(mode=0o400)
    for name in ("a/b/c", "a/b", "a"):
        os.chmod(tree / name, 0)
    mode = os.stat(base).st_mode
    files.remove_tree(tree)
    assert not tree.exists()
    assert os.stat(base).st_mode == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="for root, who can become another")
def test_write_protected_directories_go_too_for_an_ordinary_user() -> None:
    """As the test above, where the tests run as root (in containers they often do)."""
    base = Path(tempfile.mkdtemp(prefix="guild-tests-"))  # pytest's own directories are root's alone
    try:
        os.chown(base, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                check_protected(base)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        shutil.rmtree(base)


def test_two_may_remove_the_same_tree_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is quicker with one file; the rest of the tree still goes."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for i in range(5):
        (tree / f"f{i}").touch()
    real, taken = os.unlink, []

    def unlink(name: str, **kw: object) -> None:
        real(name, **kw)
        if not taken:
            taken.append(name)
            real(name, **kw)  # fails as if another had been first

    monkeypatch.setattr(os, "unlink", unlink)
    files.remove_tree(tree)
    assert taken
    assert not tree.exists()


def test_a_removal_that_cannot_be_is_an_error_not_an_endless_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()

    def refused(*args: object, **kw: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "rmdir", refused)
    with pytest.raises(PermissionError):
        files.remove_tree(tmp_path / "tree")


def test_every_file_and_directory_of_a_tree_is_synced_and_links_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").touch()
    (tmp_path / "a/link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "a/fifo")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    files.sync_tree(tmp_path)
    assert sorted(synced) == sorted(os.stat(tmp_path / p).st_ino for p in ("", "a", "a/x"))


def test_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    data = os.urandom(2_500_000)
    (tmp_path / "x").write_bytes(data)
    assert files.sha1_file(tmp_path / "x") == hashlib.sha1(data).hexdigest()
    assert files.md5_bytes(data) == hashlib.md5(data).hexdigest()


def test_a_named_file_is_written_where_its_link_leads_to_and_keeps_its_mode(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to("target")
    files.write_named(link, b"new")
    assert (link.is_symlink(), target.read_text(), target.stat().st_mode & 0o777) == (True, "new", 0o600)
    link.unlink()
    link.symlink_to("missing")
    files.write_named(link, b"x")
    assert (link.is_symlink(), (tmp_path / "missing").read_text()) == (True, "x")


def test_what_is_no_regular_file_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_named(pipe, b"rows\n")
    assert os.read(reader, 100) == b"rows\n"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    files.write_named(Path(os.devnull), b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(IsADirectoryError):
        files.write_named(tmp_path, b"x")


def test_a_tree_of_very_many_levels_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "top"
    path = os.fspath(deep)
    for _ in range(1500):
        path += "/d"
    os.mkdir(deep)
    for end in range(len(os.fspath(deep)) + 2, len(path) + 1, 2):
        os.mkdir(path[:end])
    Path(path, "f").write_text("x")
    files.remove_tree(deep)
    assert not deep.exists()
