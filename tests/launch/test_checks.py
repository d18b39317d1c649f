"""What a workflow expects of a step: its output, its files, their contents."""

from collections.abc import Callable
from pathlib import Path

import pytest

from guild.launch.checks import run_checks
from guild.ops.opdef import Check
from guild.runs import layout
from guild.runs.run import Run
from tests.made_runs import make_run

ID = "1" * 32
Expect = Callable[..., tuple[bool, list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = make_run(tmp_path / "home", ID)
    (made.guild_dir / layout.OUTPUT).write_bytes(b"start\nloss: 0.25 (step 3)\nend \xff\n")
    for name, text in {"a.txt": "one\ntwo\n", "b.txt": "two\nthree\n", "sub/c.txt": "deep\n"}.items():
        path = made.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return made


@pytest.fixture
def expect(run: Run, tmp_path: Path) -> Expect:
    """`expect(file="a")`: whether this one check passes, and what is said."""

    def check(**attrs: str) -> tuple[bool, list[str]]:
        said: list[str] = []
        passed, total = run_checks(run, [Check(**attrs)], str(tmp_path), said.append)
        assert total == 1
        return passed == 1, said

    return check


def test_patterns_are_looked_for_in_the_output_line_by_line(expect: Expect) -> None:
    assert expect(output=r"^loss: [\d.]+ \(step 3\)$") == (
        True, [rf"INFO: [guild] checking run {ID} output for '^loss: [\\d.]+ \\(step 3\\)$'"]
    )  # fmt: skip
    passed, said = expect(output="accuracy")
    assert not passed
    assert said[1:] == [f"ERROR: [guild] check failed: could not find pattern 'accuracy' in run {ID} output"]


def test_a_run_without_output_holds_no_pattern(expect: Expect, run: Run) -> None:
    (run.guild_dir / layout.OUTPUT).unlink()
    assert expect(output="x")[0] is False


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        ("a.txt", True),
        ("*.txt", True),
        ("./a.txt", True),
        ("sub/*.txt", True),
        ("**/c.txt", True),
        ("**/a.txt", True),
        ("sub/**", True),
        ("[ab].txt", True),
        ("c.txt", False),
        ("*/a.txt", False),
        ("sub", True),
        ("A.txt", False),
        ("../*/a.txt", False),
        (".guild/attrs/exit_status", True),
        ("**/exit_status", False),
    ],
)
def test_files_are_found_by_patterns_below_the_run_directory(
    expect: Expect, pattern: str, passes: bool
) -> None:
    passed, said = expect(file=pattern)
    assert passed is passes
    if not passes:
        assert said[-1] == f"ERROR: [guild] check failed: no files matching {pattern} in run {ID}"


def test_every_file_that_is_found_must_hold_the_pattern(expect: Expect) -> None:
    assert expect(file="*.txt", contains="^two$")[0]
    passed, said = expect(file="*.txt", contains="three")
    assert not passed
    assert said == [
        f"INFO: [guild] checking run {ID} files '*.txt'",
        f"INFO: [guild] checking run {ID} file a.txt for 'three'",
        f"ERROR: [guild] check failed: could not find pattern 'three' in run {ID} file a.txt",
    ]


def test_a_file_is_compared_with_one_of_the_project_or_beside_it(
    expect: Expect, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "expected.txt").write_text("one\ntwo\n")
    assert expect(file="a.txt", compare_to="${PROJECT_DIR}/expected.txt")[0]
    assert expect(file="a.txt", compare_to="../../../expected.txt")[0]
    (run.path / "same.txt").write_text("one\ntwo\n")
    assert expect(file="a.txt", compare_to="same.txt")[0]


def test_a_difference_is_shown(expect: Expect, run: Run) -> None:
    passed, said = expect(file="a.txt", compare_to="b.txt")
    assert not passed
    a, b = run.path / "a.txt", run.path / "b.txt"
    assert said[1:] == [
        f"INFO: [guild] comparing run {ID} file a.txt to {b}",
        *(f"--- {b}", f"+++ {a}", "@@ -1,2 +1,2 @@", "+one", " two", "-three"),
        "ERROR: [guild] check failed: unexpected file contents - see above for details",
    ]


def test_files_of_any_bytes_are_compared_by_their_bytes(expect: Expect, run: Run) -> None:
    (run.path / "x.bin").write_bytes(b"\xff\x00")
    (run.path / "y.bin").write_bytes(b"\xfe\x00")
    assert expect(file="x.bin", compare_to="x.bin")[0]
    passed, said = expect(file="x.bin", compare_to="y.bin")
    assert not passed
    assert said[-1].endswith("unexpected file contents - see above for details")


@pytest.mark.parametrize("other", ["none.txt", "sub"])
def test_a_file_to_compare_with_that_cannot_be_read_is_named(expect: Expect, run: Run, other: str) -> None:
    passed, said = expect(file="a.txt", compare_to=other)
    assert not passed
    assert said[-1] == f"ERROR: [guild] check failed: cannot read '{run.path / other}'"


def test_a_link_to_nothing_is_a_file_without_contents(expect: Expect, run: Run) -> None:
    (run.path / "gone").symlink_to("nowhere")
    assert expect(file="gone")[0]
    assert not expect(file="gone", contains="x")[0]
    assert not expect(file="gone", compare_to="a.txt")[0]


def test_all_checks_are_made_whatever_fails(run: Run) -> None:
    said: list[str] = []
    checks = [Check(output="nope"), Check(file="a.txt"), Check(file="nope"), Check(output="end")]
    assert run_checks(run, checks, "", said.append) == (2, 4)
    assert sum("check failed" in line for line in said) == 2


def test_a_directory_is_found_like_a_file(expect: Expect, run: Run) -> None:
    (run.path / "sub" / "deep").mkdir(parents=True)
    (run.path / "sub" / "deep" / "x.txt").write_text("x")
    assert expect(file="sub")[0]
    assert expect(file="sub/*")[0]
    assert not expect(file="deep")[0]
