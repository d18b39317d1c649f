"""Archives: unpacked whole, or refused with nothing left behind, and never outside of their directory."""

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base.unpack import safe_path, stays_inside
from guild.errors import GuildError
from guild.launch.archive import is_own_mark, kind_of, unpack
from guild.runs.generated import files_below

LINK, HARD, FIFO, DEVICE, DIR = (
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    tarfile.DIRTYPE,
)
Member = tuple[str, bytes | tuple[bytes, str]]


def tar(path: Path, *members: Member, mode: str = "w") -> Path:
    """Members are (name, content), or (name, (type, link))."""
    with tarfile.open(path, mode) as t:  # type: ignore[call-overload]
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                t.addfile(info, io.BytesIO(what))
            else:
                info.type, info.linkname = what
                t.addfile(info)
    return path


def zipped(path: Path, *members: tuple[str, bytes, int]) -> Path:
    """Members are (name, content, type and mode)."""
    with zipfile.ZipFile(path, "w") as z:
        for name, content, mode in members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is, which the constructor would see to
            info.create_system = 3
            info.external_attr = mode << 16
            z.writestr(info, content)
    return path


def tree(directory: Path) -> dict[str, str]:
    """What was unpacked: contents by path, `-> X` for links."""
    found = {}
    for name in files_below(directory):
        if not is_own_mark(name):
            path = directory / name
            found[name] = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
    return found


def unpacked(archive: Path, cache: Path, **kw: Any) -> dict[str, str]:
    return tree(unpack(archive, cache, kind_of(archive.name), **kw))


def refused(archive: Path, why: str, **kw: Any) -> str:
    """The archive is refused for this reason, and nothing of it is left: neither there nor outside."""
    cache = archive.parent / "cache"
    outside = {p for p in archive.parent.rglob("*") if cache not in p.parents} - {cache}
    with pytest.raises(GuildError, match=why) as e:
        unpack(archive, cache, kind_of(archive.name), **kw)
    assert str(archive) in e.value.message
    assert list(cache.iterdir()) == []
    assert {p for p in archive.parent.rglob("*") if cache not in p.parents} - {cache} == outside
    return e.value.message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.zip", "zip"), ("A.ZIP", "zip"), ("a.tar", "tar"), ("a.tar.gz", "tar"), ("a.tgz", "tar"),
        ("a.tar.bz2", "tar"), ("a.tar.xz", "tar"), ("a.gz", "gzip"), ("a.txt", ""), ("zip", ""),
    ],
)  # fmt: skip
def test_the_ending_tells_the_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind_of(name, "gzip") == "gzip"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_file_of_any_compression_is_unpacked(tmp_path: Path, mode: str) -> None:
    name = "a.tar" + mode[1:].replace(":", ".")
    archive = tar(
        tmp_path / name, ("a.txt", b"1"), ("./d/b.txt", b"2"), ("d/l", (LINK, "../a.txt")), mode=mode
    )
    assert unpacked(archive, tmp_path / "c") == {"a.txt": "1", "d/b.txt": "2", "d/l": "-> ../a.txt"}


def test_a_zip_file_is_unpacked(tmp_path: Path) -> None:
    members = [("d/", b"", 0), ("d/x.sh", b"run", 0o100755), ("y", b"2", 0), ("l", b"d/x.sh", 0o120777)]
    directory = unpack(zipped(tmp_path / "a.zip", *members), tmp_path / "c", "zip")
    assert tree(directory) == {"d/x.sh": "run", "l": "-> d/x.sh", "y": "2"}
    assert stat.S_IMODE((directory / "d/x.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((directory / "y").stat().st_mode) == 0o644


def test_a_gzip_file_is_unpacked_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2"))
    assert unpacked(tmp_path / "a.csv.gz", tmp_path / "c") == {"a.csv": "1,2"}


def test_no_set_user_id_survives(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("x", b"1", 0o104755))
    assert stat.S_IMODE((unpack(archive, tmp_path / "c", "zip") / "x").stat().st_mode) == 0o755


def test_a_hard_link_is_a_file_of_its_own(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", ("a", b"1"), ("b", (HARD, "a")))
    directory = unpack(archive, tmp_path / "c", "tar")
    assert tree(directory) == {"a": "1", "b": "1"}
    assert (directory / "a").stat().st_nlink == 1


def test_of_members_with_one_name_the_last_stands(tmp_path: Path) -> None:
    assert unpacked(tar(tmp_path / "a.tar", ("a", b"1"), ("./a", b"22")), tmp_path / "c") == {"a": "22"}
    twice = tar(tmp_path / "b.tar", ("t", b"old"), ("a", (LINK, "t")), ("a", b"new"))
    assert unpacked(twice, tmp_path / "c") == {"t": "old", "a": "new"}


def test_an_archive_is_unpacked_once_and_anew_when_it_has_changed(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", ("a", b"1"), ("old", b""))
    directory = unpack(archive, tmp_path / "c", "tar")
    (directory / "mine").touch()
    assert unpack(archive, tmp_path / "c", "tar") == directory
    assert (directory / "mine").exists()
    tar(archive, ("a", b"2"), ("b", b"3"), ("c", b"4"))
    os.utime(archive, ns=(1, 1))
    assert unpacked(archive, tmp_path / "c") == {"a": "2", "b": "3", "c": "4"}
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_a_directory_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", ("a", b"1"))
    directory = unpack(archive, tmp_path / "c", "tar")
    for entry in directory.iterdir():
        entry.unlink()
    assert unpacked(archive, tmp_path / "c") == {"a": "1"}


HOSTILE: dict[str, tuple[Sequence[Member], str]] = {
    "absolute": ([("/etc/x", b"1")], "its path leads outside"),
    "above": ([("ok", b"1"), ("../x", b"1")], "its path leads outside"),
    "above-inside": ([("d/../../x", b"1")], "its path leads outside"),
    "drive": ([("C:\\x", b"1")], "its path leads outside"),
    "share": ([("\\\\host\\x", b"1")], "its path leads outside"),
    "link-absolute": ([("l", (LINK, "/etc/passwd"))], "a link to '/etc/passwd', outside"),
    "link-above": ([("d/l", (LINK, "../../x"))], "outside of the archive"),
    "link-empty": ([("l", (LINK, ""))], "outside of the archive"),
    "through-link": ([("l", (LINK, "d")), ("l/x", b"1")], "a directory on its path is a link"),
    "directory-through-link": ([("l", (LINK, ".")), ("l/x", (DIR, ""))], "a directory on its path is a link"),
    # Each by itself looks as if it stayed: `here/here/here/../../..` is above.
    "links-together": (
        [("here", (LINK, ".")), ("up", (LINK, "here/here/here/../../.."))],
        "leads outside",
    ),
    "links-together-later": (
        [("up", (LINK, "here/here/here/../../..")), ("here", (LINK, "."))],
        "leads outside",
    ),
    "file-is-directory": ([("a", b"1"), ("a/b", b"2")], "a file is where its directory should be"),
    "directory-is-file": ([("a/b", b"2"), ("a", b"1")], "a directory has the same name"),
    "fifo": ([("f", (FIFO, ""))], "neither a file, a directory nor a link"),
    "device": ([("f", (DEVICE, ""))], "neither a file, a directory nor a link"),
    "hard-link-outside": ([("h", (HARD, "/etc/passwd"))], "neither a file"),
    "hard-link-to-link": ([("l", (LINK, "x")), ("h", (HARD, "l"))], "neither a file"),
    "our-mark": ([(".guild-cache-a.tar.unpacked", b"1")], "a name of Guild's own"),
    "our-mark-link": ([("./.guild-cache-a.tar.unpacked", (LINK, "x"))], "a name of Guild's own"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_tar_file_is_refused_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    members, why = HOSTILE[case]
    refused(tar(tmp_path / "a.tar", ("before", b"1"), *members), why)


@pytest.mark.parametrize(
    ("name", "content", "mode", "why"),
    [
        ("/x", b"1", 0, "its path leads outside"),
        ("a/../../x", b"1", 0, "its path leads outside"),
        ("l", b"/etc/passwd", 0o120777, "outside of the archive"),
        ("l", b"x" * 100_000, 0o120777, "too long"),
        ("f", b"", 0o010644, "neither a file"),
        ("s", b"", 0o140644, "neither a file"),
    ],
)
def test_a_hostile_zip_file_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, mode: int, why: str
) -> None:
    refused(zipped(tmp_path / "a.zip", ("before", b"1", 0), (name, content, mode)), why)


def test_what_is_larger_than_allowed_is_refused_however_small_it_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(3_000_000)))
    assert "GUILD_MAX_UNPACKED_SIZE" in refused(tmp_path / "a.gz", "holds more", max_bytes=2_999_999)
    two = tar(tmp_path / "b.tar.gz", ("a", bytes(600)), ("b", bytes(600)), mode="w:gz")
    refused(two, "member 'b'", max_bytes=1000)
    monkeypatch.setenv("GUILD_MAX_UNPACKED_SIZE", "1199")
    refused(two, "member 'b'")
    monkeypatch.setenv("GUILD_MAX_UNPACKED_SIZE", "1200")
    assert set(unpacked(two, tmp_path / "cache")) == {"a", "b"}


def whole(directory: Path, kind: str) -> bytes:
    contents = [(f"{n}.txt", os.urandom(700)) for n in range(6)]
    if kind == "zip":
        return zipped(directory / "whole.zip", *((n, c, 0) for n, c in contents)).read_bytes()
    if kind == "gz":
        return gzip.compress(os.urandom(5000))
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind]
    return tar(directory / f"whole.{kind}", *contents, mode=mode).read_bytes()


@pytest.mark.parametrize("kind", ["zip", "gz", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_that_is_cut_off_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    data = whole(tmp_path, kind)
    # A plain tar file ends with empty blocks; without the last of them nothing is missing.
    end = 6 * (512 + 1024) if kind == "tar" else len(data) - 1
    for size in sorted({0, 1, 511, 512, 513, 1536, 2048, *range(0, end, 997), end}):
        archive = tmp_path / f"cut.{kind}"
        archive.write_bytes(data[:size])
        assert "cannot unpack" in refused(archive, "cannot unpack"), size


def test_a_damaged_header_within_a_tar_file_is_not_taken_for_its_end(tmp_path: Path) -> None:
    data = bytearray(tar(tmp_path / "a.tar", *((f"{n}", b"x") for n in range(4))).read_bytes())
    data[2048 + 10] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(data)
    refused(tmp_path / "a.tar", "cannot unpack")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.gz"])
def test_what_is_no_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<html>not found</html>")
    refused(tmp_path / name, "cannot unpack")


def test_a_password_is_not_asked_for(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", ("x", b"1", 0)).read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", "encrypted")


def test_unpacking_stops_when_asked_to(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match="stopped"):
        unpack(tar(tmp_path / "a.tar", ("x", b"1")), tmp_path / "cache", "tar", stopped=lambda: True)
    assert list((tmp_path / "cache").iterdir()) == []


PARTS = st.sampled_from(["a", "b", "..", ".", "", "/", "c:", "\\", "\0", "é", "\udcff", "." * 3])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@given(NAMES)
def test_a_safe_path_is_below_the_directory(name: str) -> None:
    path = safe_path(name)
    if path is not None:
        assert os.path.normpath(os.path.join("/base", path)).startswith("/base")
        assert not path.startswith("/")
        assert ".." not in path.split("/")


@given(NAMES, NAMES)
def test_a_link_that_stays_leads_to_a_place_below(path: str, link: str) -> None:
    safe = safe_path(path)
    if safe and stays_inside(safe, link):
        full = os.path.normpath(os.path.join("/base", os.path.dirname(safe), link))
        assert full == "/base" or full.startswith("/base/")


MEMBERS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "..", ".", "é"]), min_size=1, max_size=3).map("/".join)
        | st.sampled_from(["/x", "../x", ".guild-cache-x"]),
        st.binary(max_size=3)
        | st.sampled_from(["a", "b", ".", "..", "a/..", "a/a/../..", "../b", "/etc"]).map(lambda s: (LINK, s))
        | st.just((DIR, "")),
    ),
    max_size=5,
)


@given(MEMBERS)
@pytest.mark.usefixtures("fresh")
def test_whatever_the_members_nothing_is_written_or_linked_outside(
    fresh: Callable[[], Path], members: list[Member]
) -> None:
    base = fresh()
    archive = tar(base / "a.tar", *members)
    before = {p.name for p in base.iterdir()}
    try:
        directory = unpack(archive, base / "cache", "tar")
    except GuildError:
        assert list((base / "cache").iterdir()) == []
    else:
        assert list((base / "cache").iterdir()) == [directory]
        for path in directory.rglob("*"):
            assert os.path.realpath(path).startswith(os.path.realpath(directory))
    assert {p.name for p in base.iterdir()} == before | {"cache"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("archive")
