import os
import zipfile
from pathlib import Path

import pytest

from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import damage, make_run

TARGETS = pytest.mark.parametrize("target", ["out", "out.zip"])


def exported(path: Path) -> set[str]:
    if path.is_dir():
        return {name for name in os.listdir(path) if name != ".guild-nocopy"}
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        return {name.partition("/")[0] for name in z.namelist()}


def running(home: Path, run_id: str) -> Run:
    """A run that Guild 0.9 is executing, as far as LOCK tells."""
    run = make_run(home, run_id, status="running")
    (run.guild_dir / "LOCK").write_text(str(os.getpid()))
    return run


@TARGETS
def test_all_runs_are_exported_or_those_that_are_named(guild: Guild, home: Path, target: str) -> None:
    for at, name in enumerate(("aa", "bb", "cc")):
        make_run(home, name, started=at)
    outcome = guild(f"export {target} bb -y")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"Copying bb\nExported 1 run(s) to {target}\n")
    outcome = guild(f"runs export {target} -y")
    assert outcome.code == 0
    assert outcome.err == (
        f"WARNING: bb exists, skipping\nCopying cc\nCopying aa\nExported 2 run(s) to {target}\n"
    )
    assert exported(Path(target)) == {"aa", "bb", "cc"}
    assert set(os.listdir(home / "runs")) == {"aa", "bb", "cc"}


def test_filters_choose(guild: Guild, home: Path) -> None:
    make_run(home, "good")
    make_run(home, "bad", status="error")
    guild("export out -Se -y")
    assert exported(Path("out")) == {"bad"}


@TARGETS
def test_moved_runs_are_there_and_no_longer_here(guild: Guild, home: Path, target: str) -> None:
    make_run(home, "aa", started=2)
    make_run(home, "bb", status="staged", started=1)
    outcome = guild(f"export -m {target} -y")
    assert (outcome.code, outcome.err) == (0, f"Moving aa\nMoving bb\nExported 2 run(s) to {target}\n")
    assert exported(Path(target)) == {"aa", "bb"}
    assert os.listdir(home / "runs") == os.listdir(home / "trash" / "runs") == []
    assert os.listdir(home / "staging") == []


def test_a_move_asks_and_a_no_changes_nothing(guild: Guild, home: Path) -> None:
    make_run(home, "aa")
    outcome = guild("export -m out", "n\n")
    assert outcome.code == 4
    assert outcome.err == (
        "You are about to move the following runs to 'out':\n"
        "  [aa]  train (/projects/p)  2023-11-14 22:13:20  completed\n"
        "Continue? (Y/n) "
    ).replace("2023-11-14 22:13:20", _time())
    assert not Path("out").exists()
    assert os.listdir(home / "runs") == ["aa"]


def _time() -> str:
    from guild.base.text import format_time
    from tests.made_runs import EPOCH

    return format_time(EPOCH)


@TARGETS
def test_what_is_running_is_skipped(guild: Guild, home: Path, target: str) -> None:
    run = running(home, "aa")
    make_run(home, "bb")
    outcome = guild(f"export -m {target} -y")
    assert outcome.code == 0
    assert "WARNING: aa is running, skipping\n" in outcome.err
    assert exported(Path(target)) == {"bb"}
    assert run.path.is_dir()


def test_a_claim_of_a_dead_queue_is_mended_first(guild: Guild, home: Path) -> None:
    from dataclasses import replace

    from guild.app import Globals, make_app
    from guild.runs.lease import Doing
    from guild.runs.lifecycle import claim, locked, new_lease

    run = make_run(home, "aa", status="staged")
    app = make_app(Globals(str(home)))
    app.store.create()
    with locked(app.store) as held:
        lease = new_lease(app.store, run, Doing.CLAIMED)
        claim(held, run, replace(lease, holder=replace(lease.holder, ticks=1)))
    guild("export out -y")
    assert sorted(os.listdir("out/aa/.guild")) == ["STAGED", "attrs", "opref"]


@TARGETS
def test_a_run_that_cannot_be_read_stops_no_other(
    guild: Guild, home: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = make_run(home, "bad", started=2), make_run(home, "good", started=1)
    (bad.path / "f").write_text("x")
    real = os.open

    def fail(path: object, *args: object, **more: object) -> int:
        if str(path).endswith("bad/f"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", fail)
    outcome = guild(f"export -m {target} -y")
    assert outcome.code == 1
    assert "guild: cannot export run bad: Permission denied\n" in outcome.err
    assert exported(Path(target)) == {"good"}
    assert os.listdir(home / "runs") == ["bad"]


def test_damaged_attributes_go_along(guild: Guild, home: Path) -> None:
    damage(make_run(home, "aa"), "label")
    assert guild("export out -y").code == 0
    assert Path("out/aa/.guild/attrs/label").read_bytes() == b"[: \xff"


def test_nothing_to_export_is_said(guild: Guild, home: Path) -> None:
    outcome = guild("export out -y")
    assert (outcome.code, outcome.err) == (0, "No runs to export.\n")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("{home}/runs/aa/out", "belongs to the Guild home"),
        ("{home}", "belongs to the Guild home"),
        ("{home}/trash", "belongs to the Guild home"),
        ("", "is empty"),
        ("file", "is not a directory"),
        ("no.zip", "cannot add to"),
    ],
)
def test_such_places_are_refused(guild: Guild, home: Path, location: str, says: str) -> None:
    make_run(home, "aa")
    for name in ("file", "no.zip"):
        Path(name).write_text("x")
    outcome = guild(["export", location.format(home=home), "-y"])
    assert outcome.code == 1
    assert says in outcome.err
    assert os.listdir(home / "runs" / "aa") == [".guild"]


def test_resources_are_copied_on_request(guild: Guild, home: Path) -> None:
    run = make_run(home, "aa")
    Path("data").write_text("data")
    (run.path / "data").symlink_to(Path("data").absolute())
    guild("export out -y")
    guild("export out2 -r -y")
    assert Path("out/aa/data").is_symlink()
    assert not Path("out2/aa/data").is_symlink()
    assert Path("out2/aa/data").read_text() == "data"
