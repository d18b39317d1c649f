from pathlib import Path

import pytest

from guild.base.walk import Found
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.manifest import ManifestEntry, write_manifest
from guild.runs.older import source_dir
from guild.runs.run import Run
from guild.runs.run_files import files_of_kinds, inside, part_of, source_files, source_root
from tests.made_runs import damage, make_run

SHA = "0" * 40


def with_files(run: Run, *names: str) -> Run:
    for name in names:
        path = run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return run


def with_manifest(run: Run, *entries: tuple[str, str, str]) -> Run:
    write_manifest(run.guild_dir / layout.MANIFEST, [ManifestEntry(k, p, SHA, s) for k, p, s in entries])
    return run


def paths(run: Run, kinds: str, follow: bool = False) -> list[str]:
    return sorted(f.path for f in files_of_kinds(run, "s" in kinds, "d" in kinds, "g" in kinds, follow))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make_run(tmp_path, "a", attrs={"op": {"sourcecode": {"dest": "code"}}})
    with_files(run, "code/t.py", "code/gone/x.py", "data/1", "data/sub/2", "out/m.json", ".hid")
    return with_manifest(
        run, ("s", "code/t.py", "t.py"), ("s", "code/none.py", "none.py"), ("d", "data", "file:data")
    )


def test_each_file_is_of_one_kind(run: Run) -> None:
    assert paths(run, "s") == ["code/t.py"]
    assert paths(run, "d") == ["data/1", "data/sub/2"]
    assert paths(run, "g") == [".hid", "code/gone/x.py", "out/m.json"]
    assert paths(run, "sdg") == sorted([*paths(run, "s"), *paths(run, "d"), *paths(run, "g")])


def test_links_are_files_unless_they_are_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "f").touch()
    (run.path / "made").symlink_to(tmp_path / "far")
    (run.path / "linked").symlink_to(tmp_path / "far")
    with_manifest(run, ("d", "linked", "operation:x"))
    assert "made" in paths(run, "g")
    assert "made/f" not in paths(run, "g")
    assert "made/f" in paths(run, "g", follow=True)
    assert paths(run, "d") == ["linked"]
    assert paths(run, "d", follow=True) == ["linked/f"]
    assert Found("linked", True, True) in files_of_kinds(run, False, True, False, False)


def test_a_manifest_that_names_files_elsewhere_leads_nowhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    with_manifest(run, ("s", "../../secret", "a"), ("s", "/etc/hostname", "b"), ("s", "out/m.json", "../c"))
    with_manifest(run, ("d", "../../secret", "file:x"))
    assert (source_files(run), paths(run, "sd")) == ({}, [])


def test_without_a_manifest_the_source_is_what_its_directory_holds(tmp_path: Path) -> None:
    new = with_files(make_run(tmp_path, "new", attrs={"op": {"sourcecode": {"dest": "code"}}}), "code/l/m.py")
    assert source_files(new) == {"l/m.py": "code/l/m.py"}
    mixed = with_files(make_run(tmp_path, "mixed", attrs={"op": {"sourcecode": {"dest": "."}}}), "t.py")
    assert source_files(mixed) == {}  # who knows what of it was made by the operation
    old = with_files(make_run(tmp_path, "old", attrs={"op": {}}), ".guild/sourcecode/t.py", "made")
    assert (source_dir(old), source_files(old)) == (".guild/sourcecode", {"t.py": ".guild/sourcecode/t.py"})
    named = with_files(make_run(tmp_path, "named", attrs={"op": {"sourcecode-root": "src"}}), "src/t.py")
    assert source_files(named) == {"t.py": "src/t.py"}
    assert source_files(make_run(tmp_path, "none", attrs={"op": {"sourcecode": {"dest": "none"}}})) == {}


@pytest.mark.parametrize(
    "op",
    [None, "text", {"sourcecode": 5}, {"sourcecode": {"dest": "../.."}}, {"sourcecode": {"dest": ["x"]}}],
)
def test_a_damaged_recipe_leaves_the_run_directory(tmp_path: Path, op: object) -> None:
    assert source_dir(make_run(tmp_path, "a", attrs={"op": op})) == ""


def test_a_manifest_that_cannot_be_read_is_named(run: Run) -> None:
    (run.guild_dir / layout.MANIFEST).unlink()
    (run.guild_dir / layout.MANIFEST).mkdir()
    with pytest.raises(GuildError, match=r"cannot read .*manifest"):
        files_of_kinds(run, False, False, True, False)


def test_the_source_root_is_where_the_operation_came_from(tmp_path: Path) -> None:
    assert source_root(make_run(tmp_path, "a")) == Path("/projects/p")
    rooted = make_run(tmp_path, "b", attrs={"op": {"sourcecode": {"root": "../src"}}})
    assert source_root(rooted) == Path("/projects/src")
    assert source_root(make_run(tmp_path, "c", opref="builtin: '' '' queue")) is None
    assert source_root(make_run(tmp_path, "d", opref="junk")) is None
    damage(rooted, "op")
    assert source_root(rooted) == Path("/projects/p")


def test_paths_that_a_user_names_stay_inside() -> None:
    assert (inside("x/../y"), inside("y", "code"), inside(".", "code"), inside("")) == (
        "y",
        "code/y",
        "code",
        "",
    )
    for path in ("..", "/x", "a/../../b"):
        with pytest.raises(GuildError, match="is not inside the run directory"):
            inside(path, "code")


def test_part_of_a_map_is_a_path_or_what_lies_below() -> None:
    files = {"a": "1", "a/b": "2", "ab": "3"}
    assert part_of(files, "a") == {"a": "1", "a/b": "2"}
    assert part_of(files, "") == files
