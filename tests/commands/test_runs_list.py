import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guild.runs import layout
from tests.commands.conftest import Guild
from tests.made_runs import EPOCH, damage, make_run


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_an_empty_or_missing_home_lists_nothing(guild: Guild, home: Path) -> None:
    assert guild("runs") == (outcome := guild("runs list"))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert not home.exists()
    assert guild("runs --json").out == "[]\n"


def test_the_list_shows_number_id_operation_time_status_label(guild: Guild, home: Path) -> None:
    here = os.getcwd()
    make_run(
        home, "a" * 32, started=10, opref=f"guildfile:{here}/guild.yml v '' train", attrs={"label": "x=1"}
    )
    make_run(home, "b" * 32, started=20, model="m", status="staged", attrs={"marked": True})
    assert guild("runs").out.splitlines() == [
        "[1:bbbbbbbb]  m:train (/projects/p) [marked]  2023-11-14 22:13:40  staged",
        "[2:aaaaaaaa]  train                           2023-11-14 22:13:30  completed  x=1",
    ]
    assert guild("runs -s").out.splitlines() == [
        "[1]  m:train (/projects/p) [marked]  staged",
        "[2]  train                           completed  x=1",
    ]


@pytest.mark.parametrize(
    ("where", "shown"), [("..", "../"), ("../other", "../other"), ("sub", "sub"), ("../../../x", None)]
)
def test_the_directory_is_shown_relative_unless_it_is_far(
    guild: Guild, home: Path, where: str, shown: str | None
) -> None:
    path = os.path.abspath(where)
    make_run(home, "a", opref=f"script:{path} '' '' t.py", started=None, status="staged")
    assert f"t.py ({shown or path})" in guild("runs").out


def test_twenty_runs_are_shown_and_the_rest_is_mentioned_on_stderr(guild: Guild, home: Path) -> None:
    for n in range(45):
        make_run(home, f"run{n:02}", started=n)
    outcome = guild("runs")
    assert outcome.out.count("\n") == 20
    assert outcome.out.startswith("[1:run44]")
    assert outcome.err == (
        "Showing the first 20 runs (45 total) - use --all to show all or -m to show more\n"
    )
    assert guild("runs -m").err.startswith("Showing the first 40 runs (45 total)")
    assert guild("runs -mm").err == ""
    assert guild("runs -a").out.count("\n") == 45
    limited = guild("runs -n 3")
    assert (limited.out.count("\n"), limited.err) == (3, "")
    assert len(json.loads(guild("runs --json").out)) == 45


def test_a_limit_must_be_positive(guild: Guild) -> None:
    assert guild("runs -n 0").code == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-Sc", {"completed"}),
        ("-Set", {"error", "terminated"}),
        ("-Se -St", {"error", "terminated"}),
        ("--error --terminated", {"error", "terminated"}),
        ("-Ssp", {"staged", "pending"}),
        ("-Sr", set()),
        ("--not-completed --not-error", {"terminated", "staged", "pending"}),
        ("-Fo tr*", {"completed", "error", "terminated", "staged", "pending"}),
        ("-Fo none", set()),
        ("-Fl lab", {"staged"}),
        ("-Fu -Sset", {"error", "terminated"}),
        ("-Ft t1 -Ft t2", {"error", "terminated"}),
    ],
)
def test_filters_choose_what_is_listed(guild: Guild, home: Path, options: str, expected: set[str]) -> None:
    attrs = {"staged": {"label": "a label"}, "error": {"tags": ["t1"]}, "terminated": {"tags": ["t2", "z"]}}
    for status in ("completed", "error", "terminated", "staged", "pending"):
        make_run(home, status, status=status, attrs=attrs.get(status))
    for args in (f"runs {options} --json", f"runs list {options} --json"):
        assert {run["id"] for run in json.loads(guild(args).out)} == expected


def test_json_has_the_keys_of_guild_0_9_and_the_reason(guild: Guild, home: Path) -> None:
    attrs = {"cmd": ["python", "x"], "label": "l", "tags": ["t"], "_reason": "ended without a word"}
    run = make_run(home, "abc", status="error", attrs=attrs, started=1)
    assert json.loads(guild("runs --json").out) == [
        {
            "id": "abc",
            "run_dir": str(run.path),
            "opref": "guildfile:/projects/p/guild.yml abc '' train",
            "operation": "train",
            "exit_status": 1,
            "cmd": ["python", "x"],
            "comments": None,
            "marked": None,
            "label": "l",
            "started": EPOCH + 1_000_000,
            "status": "error",
            "stopped": EPOCH + 6_000_000,
            "tags": ["t"],
            "reason": "ended without a word",
        }
    ]


def test_json_is_valid_whatever_a_run_holds(guild: Guild, home: Path) -> None:
    run = make_run(home, os.fsdecode(b"id\xff"), attrs={"label": "x"})
    damage(run, "cmd", b"&a [*a, .nan, .inf, 2020-01-01, !!binary aGk=, {1: 2, null: 3}]\n")
    damage(run, "tags", b"{[1]: 2}")
    (found,) = json.loads(guild("runs --json").out)
    assert found["cmd"][1:] == [None, None, "2020-01-01", "b'hi'", {"1": 2, "null": 3}]


def test_control_characters_reach_the_table_as_escapes_only(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"label": "one\ntwo \x1b[31mred \u202e"}, opref="script:/p '' '' 'x\x1by'")
    out = guild("runs").out
    assert out.count("\n") == 1
    assert "one\\ntwo \\x1b[31mred \\u202e" in out
    assert "\x1b" not in out


def test_damaged_runs_are_listed_beside_the_others(guild: Guild, home: Path) -> None:
    make_run(home, "good")
    bad = make_run(home, "bad", opref="junk")
    for attr in ("started", "label", "tags", "marked", "exit_status"):
        damage(bad, attr)
    outcome = guild("runs")
    assert (outcome.code, outcome.err) == (0, "")
    assert "[2:bad]   ?" in outcome.out


def test_deleted_runs_are_listed_apart(guild: Guild, home: Path) -> None:
    make_run(home, "here")
    make_run(home, "gone", where="trash/runs")
    assert "here" in guild("runs").out
    assert "gone" not in guild("runs").out
    assert "[1:gone]" in guild("runs -d").out


def test_a_batch_is_shown_with_the_operation_that_it_runs(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", opref="builtin:guildai 0.9.0 '' +")
    proto = run.guild_dir / layout.PROTO / layout.GUILD_DIR
    proto.mkdir(parents=True)
    (proto / layout.OPREF).write_text("script:/p '' '' train.py")
    assert "train.py+ (/p)" in guild("runs").out
    (found,) = json.loads(guild("runs --json").out)
    assert found["batch_proto"]["opref"] == "script:/p '' '' train.py"
    assert found["batch_proto"]["id"] == "proto"


def test_an_unknown_option_or_command_is_a_usage_error(guild: Guild) -> None:
    assert guild("runs --nonsense").code == 2
    assert guild("runs nonsense").code == 2


def test_listing_loads_only_what_it_needs(tmp_path: Path) -> None:
    """A run with LOCK among them: its process is looked for without psutil, on Linux."""
    run = make_run(tmp_path, "a", started=1, status="error")
    (run.guild_dir / layout.LOCK).write_text("1")
    code = (
        "import sys; from guild import cli; code = cli._run(sys.argv[1:]);"
        "print(code, *[m for m in sys.modules if m.startswith(('guild.launch', 'guild.scheduler',"
        "'guild.plugin', 'guild.ops.guildfile', 'psutil', 'watchdog', 'yaml', 'importlib.metadata'))])"
    )
    argv = [sys.executable, "-c", code, "-H", str(tmp_path), "runs"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    expected = "0" if sys.platform == "linux" else "0 psutil"
    assert done.stdout.splitlines()[-1] == expected


def test_comments_are_shown_below_their_run(guild: Guild, home: Path) -> None:
    comment = {"body": "two\nlines", "user": "ann", "host": "box", "time": None}
    make_run(home, "a", started=2, attrs={"comments": [comment]})
    make_run(home, "b", started=1, attrs={"comments": "junk"})
    lines = guild("runs -c").out.splitlines()
    assert [line.split()[0] if line else "" for line in lines] == [
        *("[1:a]", "ann@box", "", "two", "lines", "", "[2:b]"),
    ]
    assert lines[1:6] == ["  ann@box", "", "    two", "    lines", ""]
    assert "ann@box" in guild("runs list -c -s").out


def test_more_of_each_run_is_shown_below_it(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", started=2, attrs={"label": "x\x1b", "cmd": ["python", "a b"]})
    damage(make_run(home, "b", started=1, opref="junk"), "label")
    lines = guild("runs -v").out.splitlines()
    assert lines[0].startswith("[1:a]  train")
    assert lines[1:4] == ["  id: a", "  operation: train", "  from: /projects/p/guild.yml"]
    shown = {"  label: x\\x1b", f"  run_dir: {run.path}", "  command: python 'a b'", "  pid: "}
    assert shown <= {*lines[:15]}
    assert lines[15].startswith("[2:b]  ?")
    assert len(lines) == 30
    outcome = guild("runs -v -c")
    assert (outcome.code, outcome.err) == (
        1,
        "guild: --comments and --verbose cannot both be specified\n",
    )


def test_deleted_runs_are_shown_with_the_same_options(guild: Guild, home: Path) -> None:
    comment = {"body": "why", "user": "ann", "host": "box", "time": None}
    make_run(home, "a", where="trash/runs", attrs={"comments": [comment]})
    assert "    why\n" in guild("runs -d -c").out
    assert "  id: a\n" in guild("runs -d -v").out
