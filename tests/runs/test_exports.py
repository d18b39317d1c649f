"""Export: each run whole, or not at all, and never at the cost of what was there."""

import os
import zipfile
from pathlib import Path

import pytest

from guild.errors import GuildError
from guild.runs.exports import open_target
from guild.runs.run import Run
from tests.archived_runs import tree
from tests.made_runs import make_run


def nothing(size: int) -> None:
    pass


def export(path: Path, *runs: Run, copy_resources: bool = False, is_still: bool = True) -> list[str]:
    """Export runs; the warnings."""
    warned: list[str] = []
    with open_target(path, copy_resources) as target:
        for run in runs:
            if not target.has(run.id):
                target.add(run, warned.append, nothing, lambda: is_still)
    return warned


def run_with_links(tmp_path: Path) -> Run:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.txt").write_text("data")
    other = make_run(tmp_path / "home", "other")
    (other.path / "model").write_text("model")
    run = make_run(tmp_path / "home", "one")
    (run.path / "ckpt").mkdir()
    (run.path / "ckpt" / "3").write_text("3")
    links = {
        "latest": "ckpt/3",
        "dir": "ckpt",
        "data": "../../../data",
        "abs": str(tmp_path / "data" / "d.txt"),
        "model": "../other/model",
        "step": "../other",
        "gone": "../../nothing",
    }
    for name, text in links.items():
        os.symlink(text, run.path / name)
    return run


def without_guild(files: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in files.items() if not name.startswith(".guild/")}


def test_links_stay_links_in_a_directory_and_go_on_leading_to_the_same(tmp_path: Path) -> None:
    run = run_with_links(tmp_path)
    assert export(tmp_path / "deep" / "out", run) == []
    real = os.path.realpath(tmp_path)
    assert without_guild(tree(tmp_path / "deep" / "out" / "one")) == {
        "abs": f"-> {tmp_path}/data/d.txt",
        "ckpt/3": "3",
        "data": f"-> {real}/data",
        "dir": "-> ckpt",
        "gone": "-> ../../nothing",
        "latest": "-> ckpt/3",
        "model": "-> ../other/model",
        "step": "-> ../other",
    }
    assert sorted(os.listdir(tmp_path / "deep" / "out")) == [".guild-nocopy", "one"]


def test_resources_are_copied_where_that_is_wanted(tmp_path: Path) -> None:
    run = run_with_links(tmp_path)
    export(tmp_path / "out", run, copy_resources=True)
    assert without_guild(tree(tmp_path / "out" / "one")) == {
        "abs": "data",
        "ckpt/3": "3",
        "data/d.txt": "data",
        "dir": "-> ckpt",
        "gone": "-> ../../nothing",
        "latest": "-> ckpt/3",
        "model": "model",
        "step": "-> ../other",
    }


def test_a_zip_holds_what_links_lead_to(tmp_path: Path) -> None:
    run = run_with_links(tmp_path)
    export(tmp_path / "out.zip", run)
    with zipfile.ZipFile(tmp_path / "out.zip") as z:
        texts = {i.filename[4:]: z.read(i).decode() for i in z.infolist() if ".guild" not in i.filename}
        links = {i.filename[4:] for i in z.infolist() if i.external_attr >> 28 == 0o12}
    files = {"abs": "data", "ckpt/3": "3", "data/d.txt": "data", "latest": "3", "model": "model"}
    others = {"": "", "ckpt/": "", "data/": "", "dir": "ckpt", "step": "../other", "gone": "../../nothing"}
    assert texts == {**files, **others}
    assert links == {"dir", "step", "gone"}


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_link_that_leads_back_ends_nothing(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "home", "one")
    (tmp_path / "loop").mkdir()
    os.symlink("../loop", tmp_path / "loop" / "again")
    os.symlink(tmp_path / "loop", run.path / "loop")
    os.symlink("/", run.path / "all")
    warned = export(tmp_path / name, run, copy_resources=True)
    assert len(warned) == 2
    assert all("leads back to where it is" in text for text in warned)


def test_who_executed_a_run_and_special_files_stay_behind(tmp_path: Path) -> None:
    run = make_run(tmp_path / "home", "one")
    for name in ("LOCK", "lease.json"):
        (run.guild_dir / name).write_text("1")
    (run.guild_dir / "PENDING").write_text("token")
    os.mkfifo(run.path / "pipe")
    assert export(tmp_path / "out", run) == ["'pipe' is no regular file, it is left out"]
    assert set(os.listdir(tmp_path / "out" / "one" / ".guild")) == {"opref", "attrs"}


def test_what_makes_a_run_staged_or_pending_for_guild_0_9_goes_along(tmp_path: Path) -> None:
    export(tmp_path / "out", *(make_run(tmp_path / "home", s, status=s) for s in ("staged", "pending")))
    assert (tmp_path / "out" / "staged" / ".guild" / "STAGED").exists()
    assert (tmp_path / "out" / "pending" / ".guild" / "PENDING").exists()


def test_times_and_modes_are_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path / "home", "one")
    (run.path / "tool").write_text("x")
    os.chmod(run.path / "tool", 0o555)
    os.utime(run.path / "tool", (1_600_000_000, 1_600_000_000))
    export(tmp_path / "out", run)
    info = os.stat(tmp_path / "out" / "one" / "tool")
    assert (info.st_mode & 0o777, info.st_mtime) == (0o755, 1_600_000_000)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_run_that_changed_meanwhile_leaves_nothing_and_the_next_is_whole(tmp_path: Path, name: str) -> None:
    bad, good = (make_run(tmp_path / "home", i) for i in ("bad", "good"))
    (bad.path / "big").write_bytes(os.urandom(100_000))
    (good.path / "f").write_text("good")
    with open_target(tmp_path / name, False) as target:
        assert not target.add(bad, print, nothing, lambda: False)
        assert target.add(good, print, nothing, lambda: True)
        assert (target.has("bad"), target.has("good")) == (False, True)
    if name == "out":
        assert sorted(os.listdir(tmp_path / name)) == [".guild-nocopy", "good"]
        return
    with zipfile.ZipFile(tmp_path / name) as z:
        assert z.testzip() is None
        assert {i.partition("/")[0] for i in z.namelist()} == {"good"}
        assert z.read("good/f") == b"good"
    assert (tmp_path / name).stat().st_size < 50_000


def test_adding_to_a_zip_keeps_what_is_in_it(tmp_path: Path) -> None:
    one, two = (make_run(tmp_path / "home", i) for i in ("one", "two"))
    export(tmp_path / "out.zip", one)
    export(tmp_path / "out.zip", one, two)
    with zipfile.ZipFile(tmp_path / "out.zip") as z:
        assert z.testzip() is None
        assert len(z.namelist()) == len(set(z.namelist()))
        assert {i.partition("/")[0] for i in z.namelist()} == {"one", "two"}


def test_a_zip_is_left_as_it_is_where_adding_to_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    export(path, make_run(tmp_path / "home", "one"))
    before = path.read_bytes()

    def explode(size: int) -> None:
        raise KeyboardInterrupt

    two = make_run(tmp_path / "home", "two")
    with pytest.raises(KeyboardInterrupt), open_target(path, False) as target:
        target.add(two, print, explode, lambda: True)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["home", "out.zip"]


def test_a_zip_that_another_process_has_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    run = make_run(tmp_path / "home", "one")

    def export_slowly() -> None:
        with open_target(path, False) as target:
            target.add(run, print, nothing, lambda: True)
            path.write_text("mine")

    with pytest.raises(GuildError, match="made by another process"):
        export_slowly()
    assert path.read_text() == "mine"


def test_what_is_no_zip_is_not_added_to(tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    path.write_text("something else")
    with pytest.raises(GuildError, match="cannot add to"), open_target(path, False):
        pass
    assert path.read_text() == "something else"


def test_a_file_is_no_directory_to_export_to(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(GuildError, match="is not a directory"), open_target(tmp_path / "out", False):
        pass


def test_a_name_that_no_zip_can_hold_is_named_and_nothing_is_left_of_the_run(tmp_path: Path) -> None:
    bad, good = (make_run(tmp_path / "home", i) for i in ("bad", "good"))
    with open(os.fsencode(bad.path) + b"/\xff", "w"):
        pass
    with open_target(tmp_path / "out.zip", False) as target:
        with pytest.raises(GuildError, match=r"a zip cannot hold the name"):
            target.add(bad, print, nothing, lambda: True)
        target.add(good, print, nothing, lambda: True)
    with zipfile.ZipFile(tmp_path / "out.zip") as z:
        assert {i.partition("/")[0] for i in z.namelist()} == {"good"}


@pytest.mark.parametrize("name", ["out/", "out/a.zip"])
def test_what_a_killed_export_left_is_swept_by_the_next(tmp_path: Path, name: str) -> None:
    from guild.base.processes import place_mark

    left = tmp_path / "out" / f".tmp-{place_mark()}-4194304-abc" / "one" / ".guild"
    left.mkdir(parents=True)
    export(tmp_path / name, make_run(tmp_path / "home", "two"))
    assert [n for n in os.listdir(tmp_path / "out") if n.startswith(".tmp-")] == []
