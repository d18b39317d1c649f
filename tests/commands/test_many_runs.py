"""Damaged runs among a thousand good ones hide none of these, from no command."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import EPOCH, damage, make_run

GOOD = 1_000


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    make(path)


def _attr(run: Run, name: str) -> Path:
    return run.guild_dir / "attrs" / name


KINDS: dict[str, Callable[[Run], object]] = {
    "empty opref": lambda r: (r.guild_dir / "opref").write_bytes(b""),
    "garbage opref": lambda r: (r.guild_dir / "opref").write_bytes(b"\xff\x00'"),
    "opref is a directory": lambda r: _replace(r.guild_dir / "opref", Path.mkdir),
    "opref is a fifo": lambda r: _replace(r.guild_dir / "opref", os.mkfifo),
    "opref is a dangling link": lambda r: _replace(r.guild_dir / "opref", lambda p: p.symlink_to("gone")),
    "no attributes": lambda r: _replace_attrs(r),
    **{
        f"garbage {name}": lambda r, name=name: damage(r, name)  # type: ignore[misc]
        for name in ("started", "stopped", "exit_status", "flags", "label", "tags", "comments", "marked")
    },
    **{
        f"{name} of a wrong type": lambda r, name=name, value=value: damage(r, name, value)  # type: ignore[misc]
        for name, value in {
            "started": b"soon\n",
            "exit_status": b"'0'\n",
            "flags": b"- a\n",
            "label": b"{a: 1}\n",
            "tags": b"5\n",
            "comments": b"text\n",
            "marked": b"[1]\n",
            "deps": b"1\n",
        }.items()
    },
    "a huge label": lambda r: damage(r, "label", b"x" * 5_000_000),
    "a start time out of range": lambda r: damage(r, "started", b"9" * 40),
    "a negative start time": lambda r: damage(r, "started", b"-5"),
    "flags is a fifo": lambda r: _replace(_attr(r, "flags"), os.mkfifo),
    "flags that hold themselves": lambda r: damage(r, "flags", b"&a {x: *a}\n"),
    "control characters": lambda r: damage(r, "label", b'"\\e[31m\\r\\n\\u202e"\n'),
    "LOCK is a fifo": lambda r: os.mkfifo(r.guild_dir / "LOCK"),
    "STAGED is a directory": lambda r: (r.guild_dir / "STAGED").mkdir(),
    "a garbage event file": lambda r: (r.guild_dir / "events.out.tfevents.1").write_bytes(b"\xff" * 100),
    "an event file that is a fifo": lambda r: os.mkfifo(r.guild_dir / "events.out.tfevents.2"),
    "a garbage manifest": lambda r: (r.guild_dir / "manifest").write_bytes(b"'\n\xff"),
    "a lease that is nested deeply": lambda r: (r.guild_dir / "lease.json").write_bytes(b"[" * 9000),
    "a recipe that is nested deeply": lambda r: (r.guild_dir / "recipe.json").write_bytes(b"[" * 9000),
    "flags that are nested deeply": lambda r: damage(r, "flags", b"[" * 9000 + b"]" * 9000),
    "a garbage recipe": lambda r: (r.guild_dir / "recipe.json").write_bytes(b"{"),
    "a link to itself": lambda r: (r.path / "loop").symlink_to("."),
}


def _replace_attrs(run: Run) -> None:
    for path in (run.guild_dir / "attrs").iterdir():
        path.unlink()
    (run.guild_dir / "attrs").rmdir()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("many") / "home"
    for at in range(GOOD):
        make_run(
            home, f"{at:032x}", started=at, attrs={"flags": {"x": at}, "label": f"x={at}", "tags": ["good"]}
        )
    for at, act in enumerate(KINDS.values()):
        act(make_run(home, f"bad{at:029x}", started=EPOCH + at * 7, attrs={"flags": {"x": -1}}))
    (home / "runs" / "a-file").write_text("x")
    (home / "runs" / "dangling").symlink_to("gone")
    return home


@pytest.fixture
def home(homes: Path) -> Path:
    return homes


EXPECTED = {f"{at:032x}" for at in range(GOOD)}


def _good(ids: list[str]) -> set[str]:
    return {each for each in ids if not each.startswith("bad")}


def test_the_list_shows_every_good_run(guild: Guild) -> None:
    for _ in range(2):  # without an index, and with one
        outcome = guild("runs --json")
        assert (outcome.code, outcome.err) == (0, "")
        listed = json.loads(outcome.out)
        assert _good([run["id"] for run in listed]) == EXPECTED
        assert len(listed) == GOOD + len(KINDS)
    table = guild("runs -a")
    assert (table.code, len(table.out.splitlines())) == (0, GOOD + len(KINDS))
    assert "\x1b" not in table.out


@pytest.mark.parametrize(
    "args",
    [
        "-Ft good",
        "-Fo train -Sc",
        "-F 'flag:x >= 0 and status = completed'",
        "-F 'x >= 0' --label x=",
        "-Fs 'after 2020-1-1' -Fl x=",
        "--not-staged --unmarked -Fl x=",
    ],
)
def test_filters_leave_every_good_run(guild: Guild, args: str) -> None:
    outcome = guild(f"runs --json {args}")
    assert outcome.code == 0, outcome
    assert _good([run["id"] for run in json.loads(outcome.out)]) == EXPECTED


def test_compare_and_select_take_every_good_run(guild: Guild) -> None:
    compared = guild("compare --csv -")
    assert compared.code == 0, compared.err
    rows = compared.out.splitlines()
    assert sum(",x=" in row for row in rows) == GOOD
    selected = guild("select --all")
    assert (selected.code, _good(selected.out.split())) == (0, EXPECTED)
    api = guild("api runs")
    assert _good([run["id"] for run in json.loads(api.out)]) == EXPECTED


@pytest.mark.parametrize("at", range(len(KINDS)), ids=list(KINDS))
def test_a_damaged_run_can_be_looked_at(guild: Guild, at: int) -> None:
    run_id = f"bad{at:029x}"
    for command in ("runs info", "runs info --json", "ls", "compare --table", "tag --list-all", "comment -l"):
        outcome = guild(f"{command} {run_id}")
        assert outcome.code in (0, 1), (command, outcome)
        assert "internal error" not in outcome.err, (command, outcome)
        assert "\x1b" not in outcome.out, (command, outcome)
