import csv
import io
import json
import time
from pathlib import Path

import pytest

from guild.commands.compare import duration
from guild.runs import layout
from guild.runs.events import EventWriter
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import EPOCH, damage, make_run


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def add_scalars(run: Run, step: int, **values: float) -> None:
    writer = EventWriter(run.guild_dir, "host", 1, time.time())
    for tag, value in values.items():
        writer.add_scalar(tag.replace("__", "/"), value, step)
    writer.close()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def three(home: Path) -> Path:
    """Two runs with results, and a newer one that is staged."""
    first = make_run(home, "a" * 32, started=1, attrs={"flags": {"x": 1, "b": True}, "label": "one"})
    add_scalars(first, 4, loss=0.5, acc=0.1, sys__mem=7.0)
    second = make_run(home, "b" * 32, started=2, attrs={"flags": {"x": 2.123456789, "extra": None}})
    add_scalars(second, 9, loss=0.25)
    make_run(home, "c" * 32, started=3, status="staged", attrs={"flags": {"x": "w"}})
    return home


@pytest.mark.usefixtures("three")
def test_csv_has_core_columns_then_flags_step_scalars_as_they_first_appear(guild: Guild) -> None:
    out = guild("compare --csv -").out
    assert out.splitlines() == [
        "run,operation,started,time,status,label,x,extra,step,loss,b,acc",
        "cccccccc,train,2023-11-14 22:13:23,,staged,,w,,,,,",
        "bbbbbbbb,train,2023-11-14 22:13:22,0:00:05,completed,,2.123456789,,9,0.25,,",
        "aaaaaaaa,train,2023-11-14 22:13:21,0:00:05,completed,one,1,,4,0.5,True,0.10000000149011612",
    ]


@pytest.mark.usefixtures("three")
def test_the_table_cuts_numbers_after_six_decimals(guild: Guild) -> None:
    for args in ("compare", "compare -t"):
        lines = guild(args).out.splitlines()
        assert lines[0].split() == [
            *("run", "operation", "started", "time", "status", "label"),
            *("x", "extra", "step", "loss", "b", "acc"),
        ]
        assert "2.123456 " in lines[2]
        assert lines[3].endswith("1                4     0.5   yes  0.100000")


@pytest.mark.usefixtures("three")
def test_json_keeps_types_and_whole_ids(guild: Guild) -> None:
    found = json.loads(guild("compare --json -Sc").out)
    assert [run["run"] for run in found] == ["b" * 32, "a" * 32]
    assert found[1] == {
        "run": "a" * 32,
        "operation": "train",
        "started": EPOCH + 1_000_000,
        "stopped": EPOCH + 6_000_000,
        "time": 5_000_000,
        "status": "completed",
        "label": "one",
        "flags": {"x": 1, "b": True},
        "scalars": {"acc": [0.10000000149011612, 4], "loss": [0.5, 4]},
    }


@pytest.mark.usefixtures("three")
def test_a_column_sorts_with_runs_that_lack_it_last(guild: Guild) -> None:
    def order(args: str) -> list[str]:
        return [row["run"][0] for row in rows(guild(f"compare --csv - {args}").out)]

    assert order("--min loss") == ["b", "a", "c"]
    assert order("--max loss") == ["a", "b", "c"]
    assert order("--max x --top 2") == ["b", "a"]
    assert order("2:3") == ["b", "a"]
    assert order("-Ss") == ["c"]
    assert "no run has a number in the column 'nope'" in guild("compare --min nope").err


@pytest.mark.usefixtures("three")
def test_system_scalars_are_shown_on_request(guild: Guild) -> None:
    assert "sys/mem" not in guild("compare --csv -").out
    assert "sys/mem" in guild("compare --csv - -s").out


@pytest.mark.usefixtures("three")
def test_a_file_gets_the_rows_and_stderr_says_how_many(guild: Guild) -> None:
    outcome = guild("compare --csv out.csv -Sc")
    assert (outcome.out, outcome.err) == ("", "Wrote 2 row(s) to out.csv\n")
    assert len(rows(Path("out.csv").read_text())) == 2
    assert guild("compare --csv no/such/dir.csv").err.startswith("guild: cannot write 'no/such/dir.csv'")


def test_batches_and_queues_are_left_out_unless_asked_for(guild: Guild, home: Path) -> None:
    make_run(home, "run")
    queue = make_run(home, "queue", opref="builtin:guildai 0.9.0 '' queue")
    (queue.guild_dir / layout.PROTO).mkdir()
    assert [row["run"] for row in rows(guild("compare --csv -").out)] == ["run"]
    assert len(rows(guild("compare --csv - --include-batch").out)) == 2


def test_without_runs_there_is_nothing_and_no_error(guild: Guild) -> None:
    for args in ("compare", "compare --csv -"):
        assert (guild(args).code, guild(args).out) == (0, "")
    assert guild("compare --json").out == "[]\n"


def test_a_scalar_named_like_a_flag_shares_its_column_and_the_flag_wins(guild: Guild, home: Path) -> None:
    add_scalars(make_run(home, "a", attrs={"flags": {"loss": 3}}), 1, loss=9.0)
    (row,) = rows(guild("compare --csv -").out)
    assert row["loss"] == "3"


def test_damage_leaves_the_others_and_controls_stay_out_of_the_table(guild: Guild, home: Path) -> None:
    make_run(home, "good", started=2, attrs={"flags": {"x": "a\x1bb"}})
    damage(make_run(home, "bad", started=1, opref="junk"), "flags")
    outcome = guild("compare")
    assert outcome.code == 0
    assert "a\\x1bb" in outcome.out
    assert outcome.out.count("\n") == 3


def test_durations_are_hours_minutes_seconds() -> None:
    assert [duration(s * 1_000_000) for s in (0, 61, 3600 * 30 + 5)] == ["0:00:00", "0:01:01", "30:00:05"]
    assert duration(None) == ""
