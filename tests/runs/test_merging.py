from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.manifest import ManifestEntry, write_manifest
from guild.runs.merging import Move, Rules, merge_file, place_of, plan
from guild.runs.run import Run
from tests.made_runs import make_run

NO = "-"
DEFAULT = Rules()


def a_run(
    tmp_path: Path, *entries: tuple[str, str, str], root: str = "", others: Mapping[str, str] = {}
) -> Run:
    """A run with these manifest entries (kind, path, source), each a file, and other files."""
    run = make_run(tmp_path / "home", "one", attrs={"op": {"sourcecode": {"root": root}}} if root else {})
    write_manifest(run.guild_dir / "manifest", [ManifestEntry(k, p, NO, s) for k, p, s in entries])
    for name in [*(path for _, path, _ in entries), *others]:
        path = run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(others.get(name, name))
    return run


def targets(tmp_path: Path, run: Run, rules: Rules = DEFAULT) -> dict[str, str]:
    """Why each target is not copied, '' if it is."""
    (tmp_path / "project").mkdir(exist_ok=True)
    return {m.target: m.skipped for m in plan(run, tmp_path / "project", rules)}


def test_source_code_and_dependencies_go_where_they_came_from(tmp_path: Path) -> None:
    entries = [("s", "code/train.py", "train.py"), ("d", "in/renamed.txt", "file:data/d.txt")]
    run = a_run(tmp_path, *entries, root="src", others={"out.txt": ""})
    assert targets(tmp_path, run) == {"src/train.py": "", "data/d.txt": "", "out.txt": "non-project file"}


def test_a_directory_that_a_run_depends_on_goes_back_file_by_file(tmp_path: Path) -> None:
    run = a_run(tmp_path, others={"in/ee/sub/a": "a", "in/ee/b": "b"})
    write_manifest(run.guild_dir / "manifest", [ManifestEntry("d", "in/ee", NO, "file:dd")])
    assert targets(tmp_path, run) == {"dd/b": "", "dd/sub/a": ""}


@pytest.mark.parametrize(
    ("rules", "copied"),
    [
        (Rules(), {"train.py", "lib/a.py", "d.txt"}),
        (Rules(all=True), {"train.py", "lib/a.py", "d.txt", "out.txt"}),
        (Rules(skip_source=True), {"d.txt"}),
        (Rules(skip_deps=True), {"train.py", "lib/a.py"}),
        (Rules(skip_source=True, skip_deps=True, all=True), {"out.txt"}),
        (Rules(exclude=("*.py", "d.*")), set()),
        (Rules(exclude=("lib/*",)), {"train.py", "d.txt"}),
    ],
)
def test_options_choose(tmp_path: Path, rules: Rules, copied: set[str]) -> None:
    entries = [("s", "train.py", "train.py"), ("s", "lib/a.py", "lib/a.py"), ("d", "d.txt", "file:d.txt")]
    run = a_run(tmp_path, *entries, ("d", "model", "operation:train"), others={"out.txt": ""})
    found = targets(tmp_path, run, rules)
    assert {name for name, skipped in found.items() if not skipped} == copied
    assert found["model"]


@pytest.mark.parametrize(
    ("kind", "source", "why"),
    [
        ("s", "../x", "outside of the project"),
        ("s", "/etc/x", "outside of the project"),
        ("d", "file:../x", "outside of the project"),
        ("d", "file:/etc/x", "non-project dependency"),
        ("d", "https://example.org/x", "non-project dependency"),
        ("s", ".git/hooks/pre-commit", "not allowed in a project"),
        ("s", "sub/.GIT/config", "not allowed in a project"),
        ("s", "a/../.guild/x", "not allowed in a project"),
    ],
)
def test_a_manifest_cannot_send_a_file_anywhere_else(
    tmp_path: Path, kind: str, source: str, why: str
) -> None:
    run = a_run(tmp_path, (kind, "f", source))
    assert list(targets(tmp_path, run).values()) == [why]


@given(
    parts=st.lists(st.sampled_from(["..", ".", "", "a", ".git"]), max_size=5),
    root=st.sampled_from(["", "src", "..", "/"]),
)
def test_what_is_copied_lies_in_the_project(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], root: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("m")
    run = a_run(tmp_path, ("s", "f", "/".join(parts) or "x"), root=root)
    for target, skipped in targets(tmp_path, run).items():
        assert skipped or place_of(tmp_path / "project", target)


def test_what_is_the_same_is_not_copied_and_what_differs_is_replaced(tmp_path: Path) -> None:
    run = a_run(tmp_path, ("s", "a", "a"), ("s", "b", "b"), ("s", "c", "c"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "a").write_text("a")
    (project / "b").write_text("x")
    moves = {m.target: m for m in plan(run, project, Rules())}
    assert moves["a"] == Move("a", "a", "unchanged")
    assert (moves["b"].replaces, moves["c"].replaces) == (True, False)


def test_links_out_of_the_project_are_not_written_through(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "out").symlink_to(outside)
    (project / "file").symlink_to(outside / "file")
    (project / "inner").mkdir()
    (project / "in").symlink_to("inner")
    run = a_run(tmp_path, ("s", "1", "out/f"), ("s", "2", "file"), ("s", "3", "in/f"))
    moves = {m.target: m for m in plan(run, project, Rules())}
    assert {m.target: m.skipped for m in moves.values()} == {
        "out/f": "outside of the project",
        "file": "outside of the project",
        "in/f": "",
    }
    merge_file(run, project, moves["in/f"])
    assert (project / "inner" / "f").read_text() == "3"
    with pytest.raises(OSError):
        merge_file(run, project, Move("1", "out/f"))
    assert list(outside.iterdir()) == []


def test_a_file_that_is_no_longer_in_the_run_or_named_twice_is_passed_over(tmp_path: Path) -> None:
    run = a_run(tmp_path, ("s", "a", "x"), ("s", "b", "x"), ("s", "gone", "gone"))
    (run.path / "gone").unlink()
    (tmp_path / "project").mkdir()
    moves = plan(run, tmp_path / "project", Rules())
    assert [(m.path, m.skipped) for m in moves] == [
        ("gone", "not in the run"),
        ("a", ""),
        ("b", "the run holds another file for this one"),
    ]


def test_a_damaged_op_or_manifest_is_no_obstacle(tmp_path: Path) -> None:
    run = a_run(tmp_path, ("s", "a", "a"))
    (run.guild_dir / "attrs" / "op").write_bytes(b"[: \xff")
    with open(run.guild_dir / "manifest", "ab") as f:
        f.write(b"\xff\x00 'open\n\n")
    assert targets(tmp_path, run) == {"a": ""}
