"""The manifest: written as Guild 0.9 does, read whatever it holds."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.manifest import ManifestEntry, append_manifest, read_manifest, write_manifest

SHA1 = "d4967a98a6c2be7c1c0a0d0dd0bfc3c0e9a4f0aa"


def test_lines_are_written_as_guild_0_9_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    write_manifest(
        path,
        [
            ManifestEntry("s", "train.py", SHA1, "train.py"),
            ManifestEntry("s", "code/w x.txt", SHA1, "w x.txt"),
            ManifestEntry("d", "sub/ddir", "-", "file:ddir"),
            ManifestEntry("d", "z1.txt", SHA1, "file:arch.zip", ("z1.txt",)),
        ],
    )
    assert path.read_text() == (
        f"s train.py {SHA1} train.py\n"
        f"s 'code/w x.txt' {SHA1} 'w x.txt'\n"
        "d sub/ddir - file:ddir\n"
        f"d z1.txt {SHA1} file:arch.zip z1.txt\n"
    )


def test_no_entries_make_an_empty_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest", [])
    assert (tmp_path / "manifest").read_bytes() == b""
    assert read_manifest(tmp_path / "manifest") == []


def test_a_manifest_that_is_not_there_has_no_entries(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "manifest") == []


def test_appending_keeps_what_is_there_and_makes_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    one, two = ManifestEntry("s", "a", SHA1, "a"), ManifestEntry("d", "b", "-", "file:b")
    append_manifest(path, [one])
    append_manifest(path, [two])
    assert read_manifest(path) == [one, two]


ODD = ["new\nline", "it's", '"', "a b", "\\", "#x", "é", "\u2028", "\r", "\x85", os.fsdecode(b"\xff"), "'\n'"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "manifest"
    entries = [ManifestEntry("s", n, SHA1, n) for n in ("before", name, "after it")]
    write_manifest(path, entries)
    assert read_manifest(path) == entries


names = st.lists(
    st.text(alphabet=st.sampled_from("ab/ '\"\\\n#é\udcff$"), min_size=1, max_size=8), min_size=1, max_size=4
)


@given(names)
def test_whatever_the_names_entries_are_read_back(words: list[str]) -> None:
    path = Path(os.environ["HOME"]) / "manifest"
    entries = [ManifestEntry("s", word, SHA1, word, (word,)) for word in words]
    write_manifest(path, entries)
    assert read_manifest(path) == entries


@pytest.mark.parametrize(
    "line", ["", "s", "s a", f"s a {SHA1}", "s a nodigest a", "s 'a", 's "', "\0\0", f"long a {SHA1} a", "\\"]
)
def test_what_is_no_entry_is_skipped_and_the_rest_is_read(tmp_path: Path, line: str) -> None:
    path = tmp_path / "manifest"
    good = [ManifestEntry("s", name, SHA1, name) for name in ("a", "b c", "d e", "f")]
    write_manifest(path, good[:2])
    with open(path, "a") as f:
        f.write(line + "\n")
    append_manifest(path, good[2:])
    assert read_manifest(path) == good


@given(st.binary(max_size=200))
def test_no_content_is_an_error(data: bytes) -> None:
    path = Path(os.environ["HOME"]) / "manifest"
    path.write_bytes(data)
    assert isinstance(read_manifest(path), list)


def test_a_large_manifest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    entries = [ManifestEntry("s", f"some/longer/path/{i}.py", SHA1, f"{i}.py") for i in range(60_000)]
    write_manifest(path, entries)
    assert path.stat().st_size > 4 << 20
    assert len(read_manifest(path)) == len(entries)
