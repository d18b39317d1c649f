import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base.walk import Pattern, natural_key, relative, walk

NAMES = st.text("ab.*?[]1", min_size=1, max_size=4).filter(lambda n: n not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("a.txt", ".hid", "d/b.txt", "d/e/c.txt", "d/.dot/f", "[x]/g"):
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "o.txt").touch()
    (tmp_path / "top" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "top" / "d" / "back").symlink_to("..")
    (tmp_path / "top" / "nowhere").symlink_to("none")
    (tmp_path / "top" / "self").symlink_to("self")
    return tmp_path / "top"


def names(directory: Path, pattern: str = "", hidden: bool = False, follow: bool = False) -> list[str]:
    found = walk(directory, pattern, hidden=hidden, follow=follow)
    return sorted(f.path + ("/" if f.is_dir else "") for f in found)


def test_all_but_hidden_names_are_found_and_links_are_not_followed(directory: Path) -> None:
    expected = [
        "[x]/",
        "[x]/g",
        "a.txt",
        "d/",
        "d/b.txt",
        "d/back/",
        "d/e/",
        "d/e/c.txt",
        "nowhere",
        "out/",
        "self",
    ]
    assert names(directory) == sorted(expected)
    assert names(directory, hidden=True) == sorted([*expected, ".hid", "d/.dot/", "d/.dot/f"])


def test_links_are_followed_but_never_in_a_circle(directory: Path) -> None:
    found = names(directory, follow=True)
    assert "out/o.txt" in found
    assert "d/back/" in found
    assert not any(name.startswith("d/back/") and name != "d/back/" for name in found)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt"]),
        ("d", ["d/", "d/b.txt", "d/back/", "d/e/", "d/e/c.txt"]),
        ("d/*", ["d/b.txt", "d/back/", "d/e/", "d/e/c.txt"]),
        ("**/*.txt", ["a.txt", "d/b.txt", "d/e/c.txt"]),
        ("d/**", ["d/", "d/b.txt", "d/back/", "d/e/", "d/e/c.txt"]),
        ("d/?", ["d/e/", "d/e/c.txt"]),
        ("[[]x]/g", ["[x]/g"]),
        (".hid", [".hid"]),
        ("d/.dot", ["d/.dot/", "d/.dot/f"]),
        ("none", []),
        ("a.txt/x", []),
    ],
)
def test_a_pattern_means_what_it_matches_and_all_below(
    directory: Path, pattern: str, expected: list[str]
) -> None:
    assert names(directory, pattern) == sorted(expected)


def test_a_directory_that_is_gone_or_closed_counts_as_empty(directory: Path) -> None:
    assert walk(directory / "none", hidden=True, follow=True) == []
    os.chmod(directory / "d", 0)
    try:
        assert "a.txt" in names(directory)
    finally:
        os.chmod(directory / "d", 0o755)


@given(PATHS)
def test_every_path_covers_itself_and_what_lies_below_when_it_has_no_wildcards(path: str) -> None:
    plain = path.replace("*", "x").replace("?", "x").replace("[", "x").replace("]", "x")
    pattern = Pattern(plain)
    assert pattern.covers(plain)
    assert pattern.covers(plain + "/below")
    assert not pattern.covers("other/" + plain)
    assert Pattern("**").covers(path)
    assert Pattern("").covers(path)


@given(PATHS, PATHS)
def test_a_walk_finds_what_the_pattern_covers(pattern: str, path: str) -> None:
    """`covers`, for lists, and `step`, for walks, agree."""
    wanted = Pattern(pattern)
    positions, met = wanted.start, wanted.is_end(wanted.start)
    for name in path.split("/"):
        positions = wanted.step(positions, name, hidden=True)
        met = met or wanted.is_end(positions)
    assert met is wanted.covers(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/../b", "b"), ("", ""), (".", ""), ("a/", "a"), ("./a//b", "a/b"),
        ("..", None), ("a/../..", None), ("/a", None), ("../a", None), ("..a", "..a"), ("a\0b", None),
    ],
)  # fmt: skip
def test_relative_paths_stay_inside(path: str, expected: str | None) -> None:
    assert relative(path) == expected


def test_numbers_sort_by_value_and_directories_before_what_they_hold() -> None:
    paths = ["a10", "a2", "a", "a2/x", "a2-y", "b", "B", "10", "9", "²", "a1b10", "a1b9"]
    assert sorted(paths, key=natural_key) == [
        *("9", "10", "B", "a", "a1b9", "a1b10", "a2", "a2/x", "a2-y", "a10", "b", "²")
    ]


@given(st.text(max_size=6), st.text(max_size=6))
def test_any_two_names_have_an_order_and_only_equal_ones_are_equal(first: str, second: str) -> None:
    keys = natural_key(first), natural_key(second)
    assert (keys[0] < keys[1]) + (keys[1] < keys[0]) == (first != second)
