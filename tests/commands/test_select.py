import time
from pathlib import Path

import pytest

from guild.runs.attrs import write_attr
from guild.runs.events import EventWriter
from tests.commands.conftest import Guild
from tests.made_runs import damage, make_run

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture(autouse=True)
def three(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs with a loss, and the newest without."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for at, (run_id, loss) in enumerate(((A, 0.5), (B, 0.25))):
        run = make_run(home, run_id, started=at, attrs={"flags": {"x": [1]}, "marked": at == 0})
        writer = EventWriter(run.guild_dir, "host", 1, time.time())
        writer.add_scalar("loss", loss * 2, 1)
        writer.add_scalar("loss", loss, 2)
        writer.close()
    make_run(home, C, "test", started=9, attrs={"label": "it's", "flags": {"y": 1}})
    return home


def test_the_newest_run_is_selected_else_those_that_are_named(guild: Guild) -> None:
    assert guild("select").out == f"{C}\n"
    assert guild("select -Fo train").out == f"{B}\n"
    assert guild("select 2 1").out == f"{B}\n{C}\n"
    assert guild("select 2: -s").out == "bbbbbbbb\naaaaaaaa\n"
    assert guild("select -A").out == guild("select :").out == f"{C}\n{B}\n{A}\n"
    assert guild("select aaaa").out == f"{A}\n"


def test_the_lowest_or_highest_value_selects_and_runs_without_one_do_not(guild: Guild) -> None:
    assert guild("select --min loss").out == guild("select -min 'min loss'").out == f"{B}\n"
    assert guild("select --max loss").out == guild("select -max 'max loss' -A").out == f"{A}\n"
    assert guild("select 1:2 --max loss").out == f"{B}\n"
    assert guild("select --max .started").out == f"{C}\n"
    assert guild("select --min =y").out == f"{C}\n"
    assert guild("select --min 'loss step'").out == f"{B}\n"  # of equals the newest


def test_what_cannot_be_selected_is_said(guild: Guild) -> None:
    for args, text in (
        ("--min nope", "no matching run has a value for 'nope'"),
        ("1 --min loss", "no matching run has a value for 'loss'"),
        ("--min a,b", "invalid column 'a,b': one column is needed here"),
        ("--min a --max b", "--min and --max cannot both be specified"),
        ("-s -a label", "--short-id and --attr cannot both be specified"),
        ("-Fo nope", "no matching runs"),
        ("-Fo nope -A --min loss", "no matching runs"),
        ("zzz", "could not find a run matching 'zzz'"),
        ("-a nope", "no such run attribute 'nope'"),
    ):
        outcome = guild(f"select {args}")
        assert (outcome.code, outcome.out) == (1, ""), args
        assert outcome.err.startswith(f"guild: {text}\n"), args
    assert (guild("select -A -Fo nope").code, guild("select -A -Fo nope").out) == (0, "")


def test_attributes_and_paths_are_printed(guild: Guild, home: Path) -> None:
    assert guild("select -p").out == guild("select --dir").out == f"{home / 'runs' / C}\n"
    assert guild("select -a label").out == "it's\n"
    assert guild("select 2 -a flags").out == "x:\n- 1\n"
    assert guild("select -a started").out == "2023-11-14 22:13:29\n"
    assert guild("select 2: -a marked").out == "no\nyes\n"
    assert guild("select -a exit_status").out == "0\n"
    assert guild("select -a operation").out == "test\n"
    write_attr(home / "runs" / C / ".guild", "op", {"deps": []})
    assert guild("select -a op").out == "deps: []\n"
    assert guild("select -a run_dir").out == f"{home / 'runs' / C}\n"


@pytest.mark.parametrize("name", ["label", "model", "stopped", "exit_status", "vcs_commit", "command", "pid"])
def test_what_every_run_could_have_is_empty_where_it_has_none(guild: Guild, home: Path, name: str) -> None:
    make_run(home, "e" * 32, started=99, status="staged")
    assert (guild(["select", "-a", name]).code, guild(["select", "-a", name]).out) == (0, "\n")


def test_damage_does_not_keep_the_others_from_being_selected(guild: Guild, home: Path) -> None:
    damage(make_run(home, "d" * 32, started=3, opref="junk"), "flags")
    assert guild("select --max loss").out == f"{A}\n"
    assert guild("select --min =y").out == f"{C}\n"


def test_an_empty_name_of_an_attribute_is_refused(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    assert (guild(["select", "-a", ""]).code, guild(["compare", "--csv", ""]).code) == (1, 1)
