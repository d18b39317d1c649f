"""`python-requires`: versions are compared by number, and the newest fitting interpreter is taken."""

import sys
from pathlib import Path

import pytest

from guild.errors import GuildError
from guild.launch.interpreter import find_interpreter, fits, parse


@pytest.mark.parametrize(
    ("version", "requirement", "expected"),
    [
        ((3, 10, 2), ">=3.9", True),
        ((3, 9, 0), ">=3.10", False),
        ((3, 10, 0), ">3.10", False),
        ((3, 10, 1), ">3.10", True),
        ((3, 8, 18), ">=3.8, <3.12", True),
        ((3, 12, 0), ">=3.8,<3.12", False),
        ((3, 11, 7), "3.11", True),
        ((3, 1, 1), "3.11", False),
        ((3, 11, 7), "==3.11.*", True),
        ((3, 11, 7), "==3.11", False),
        ((3, 11, 7), "!=3.11.*", False),
        ((3, 11, 7), "~=3.8", True),
        ((4, 0, 0), "~=3.8", False),
        ((3, 11, 7), "<=3.11.7", True),
    ],
)
def test_versions_are_compared_by_number(version: tuple[int, ...], requirement: str, expected: bool) -> None:
    assert fits(version, parse(requirement)) is expected


@pytest.mark.parametrize("requirement", ["", "new", ">=3.x", ">> 3", ">=3.8,"])
def test_a_requirement_that_is_none_is_refused(requirement: str) -> None:
    with pytest.raises(GuildError, match="python-requires: invalid version requirement"):
        parse(requirement)


def fake(directory: Path, name: str, version: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def test_the_default_interpreter_is_kept_if_it_fits(tmp_path: Path) -> None:
    fake(tmp_path, "python3.99", "3.99.1")
    assert find_interpreter(">=3.8", sys.executable, {"PATH": str(tmp_path)}) == sys.executable


def test_else_the_newest_one_on_the_path_is_taken_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    fake(tmp_path, "python3.98", "3.98.9")
    newest = fake(tmp_path, "python3.99", "3.99.10")
    fake(tmp_path, "python3.97", "nonsense")
    fake(tmp_path, "python-config", "3.99.11")
    (tmp_path / "python3.96").write_text("not executable")
    assert find_interpreter(">=3.90", sys.executable, {"PATH": f"{tmp_path}:/no/such/directory"}) == newest


def test_where_none_fits_the_requirement_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match="cannot find a python interpreter for requirement") as e:
        find_interpreter(">=9.9", sys.executable, {"PATH": str(tmp_path)})
    assert sys.executable in e.value.hint
