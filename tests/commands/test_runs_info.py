import json
import time
from pathlib import Path

import pytest

from guild.base.processes import this_process
from guild.home import Home
from guild.runs import layout, lifecycle
from guild.runs.events import EventWriter
from guild.runs.lease import Doing
from guild.runs.run import Run
from guild.runs.store import RunStore
from tests.commands.conftest import Guild
from tests.made_runs import damage, make_run


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def add_scalar(run: Run, tag: str, value: float, step: int) -> None:
    writer = EventWriter(run.guild_dir, "host", 1, time.time())
    writer.add_scalar(tag, value, step)
    writer.close()


def test_all_about_a_run_line_by_line(guild: Guild, home: Path) -> None:
    attrs = {
        "flags": {"x": 1.5, "on": True, "none": None, "text": "1"},
        "cmd": ["python", "-m", "x y"],
        "label": "a label",
        "tags": ["t", "u"],
        "sourcecode_digest": "d1",
        "vcs_commit": "git:abc*",
        "own": {"a": [1, 2]},
        "plainly": 3,
        "_hidden": 1,
        "platform": {"cpus": 1},
    }
    run = make_run(home, "abc", started=10, attrs=attrs)
    add_scalar(run, "loss", 0.25, 3)
    assert guild("runs info").out.splitlines() == [
        "id: abc",
        "operation: train",
        "from: /projects/p/guild.yml",
        "status: completed",
        "started: 2023-11-14 22:13:30",
        "stopped: 2023-11-14 22:13:35",
        "marked: no",
        "label: a label",
        "sourcecode_digest: d1",
        "vcs_commit: git:abc*",
        f"run_dir: {run.path}",
        "command: python -m 'x y'",
        "exit_status: 0",
        "pid: ",
        "own:",
        "  a:",
        "    - 1",
        "    - 2",
        "plainly: 3",
        "tags:",
        "  - t",
        "  - u",
        "flags:",
        "  none: null",
        "  on: yes",
        "  text: '1'",
        "  x: 1.5",
        "scalars:",
        "  loss: 0.250000 (step 3)",
    ]


def test_json_holds_the_same(guild: Guild, home: Path) -> None:
    run = make_run(home, "abc", attrs={"flags": {"x": float("nan")}, "tags": ["t"]})
    add_scalar(run, "loss", 0.25, 3)
    info = json.loads(guild("runs info --json").out)
    assert info["flags"] == {"x": None}
    assert info["scalars"] == {"loss": [0.25, 3]}
    assert (info["tags"], info["exit_status"], info["pid"], info["marked"]) == (["t"], 0, "", "no")
    assert {"environment", "manifest", "dependencies", "comments"} & info.keys() == set()


def test_more_is_shown_on_request(guild: Guild, home: Path) -> None:
    comment = {"body": "well done", "user": "me", "host": "here", "time": 1_700_000_000_000_000}
    attrs = {"env": {"B": "2", "A": "x y"}, "deps": {"data": {"f": {"uri": "file:f"}}}, "comments": [comment]}
    run = make_run(home, "abc", attrs=attrs)
    (run.guild_dir / layout.MANIFEST).write_text(
        f"s b.py {'0' * 40} b.py\ns a.py {'1' * 40} a.py\nd f - file:f\n"
    )
    out = guild("runs info -e -d -m -c").out
    assert "environment:\n  A: " in out
    assert "dependencies:\n  data:\n    f:\n      uri: file:f\n" in out
    assert "manifest:\n  dependencies:\n    - f\n  sourcecode:\n    - b.py\n    - a.py\n" in out
    assert "body: well done" in out
    info = json.loads(guild("runs info -e -d -m -c --json").out)
    assert info["environment"] == {"A": "x y", "B": "2"}
    assert info["comments"][0]["time"] == "2023-11-14 22:13:20"


def test_a_reason_and_the_place_in_the_queue_are_shown(guild: Guild, home: Path) -> None:
    make_run(home, "late", status="staged", started=3)
    make_run(home, "soon", status="staged", started=2)
    make_run(home, "lost", status="error", started=1, attrs={"_reason": "ended without a word"})
    assert "queue_place: 2 of 2\n" in guild("runs info late").out
    assert "queue_place: 1 of 2\n" in guild("runs info soon").out
    assert "reason: ended without a word\n" in guild("runs info lost").out
    assert "queue_place" not in guild("runs info lost").out


def test_a_pending_run_says_who_has_it(guild: Guild, home: Path) -> None:
    store = RunStore(Home(home))
    store.create()
    run = make_run(home, "a", status="staged")
    with lifecycle.locked(store) as held:
        lifecycle.claim(held, run, lifecycle.new_lease(store, run, Doing.CLAIMED, queue="q1"))
    assert "held_by: queue q1 (claimed)\n" in guild("runs info").out


def test_the_pid_is_shown_while_it_runs(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", status="none")
    pid = this_process().pid
    (run.guild_dir / layout.LOCK).write_text(str(pid))
    out = guild("runs info").out
    assert "status: running\n" in out
    assert f"pid: {pid}\n" in out


def test_a_damaged_run_is_shown_as_far_as_it_goes(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", opref="junk", attrs={"own": 1})
    for attr in ("flags", "tags", "label", "started"):
        damage(run, attr)
    damage(run, "own", b"&a [*a]\n")
    damage(run, "control", b'"\\e[31m"\n')
    outcome = guild("runs info")
    assert outcome.code == 0
    assert "operation: ?\nfrom: \n" in outcome.out
    assert "control: \\x1b[31m\n" in outcome.out
    json.loads(guild("runs info --json").out)


def test_one_run_is_chosen_and_must_be_there(guild: Guild, home: Path) -> None:
    assert guild("runs info").err.startswith("guild: no matching runs")
    make_run(home, "a", started=1)
    make_run(home, "b", started=2, status="staged")
    assert guild("runs info").out.startswith("id: b")
    assert guild("runs info -Sc").out.startswith("id: a")
    assert guild("runs info 2").out.startswith("id: a")
    assert "names 2 runs" in guild("runs info :").err


def test_scalars_of_the_system_are_shown_on_request_with_all_their_values(guild: Guild, home: Path) -> None:
    run = make_run(home, "abc")
    for step, value in ((1, 0.5), (2, 2.0), (3, 1.0)):
        add_scalar(run, "loss", value, step)
    add_scalar(run, "sys/cpu", 7, 1)
    assert guild("runs info").out.endswith("scalars:\n  loss: 1.000000 (step 3)\n")
    assert guild("runs info -s").out.endswith(
        "scalars:\n"
        "  loss:\n"
        "    avg: 1.166667 (step 3)\n"
        "    first: 0.500000 (step 1)\n"
        "    last: 1.000000 (step 3)\n"
        "    max: 2.000000 (step 2)\n"
        "    min: 0.500000 (step 1)\n"
        "    total: 3.500000 (step 3)\n"
        "  sys/cpu:\n"
        "    avg: 7.000000 (step 1)\n"
        "    first: 7.000000 (step 1)\n"
        "    last: 7.000000 (step 1)\n"
        "    max: 7.000000 (step 1)\n"
        "    min: 7.000000 (step 1)\n"
        "    total: 7.000000 (step 1)\n"
    )
    found = json.loads(guild("runs info -s --json").out)["scalars"]
    assert found["loss"]["max"] == [2.0, 2]
    assert list(found["loss"]) == ["first", "last", "min", "max", "avg", "total"]


def test_plugins_and_private_attributes_are_shown_on_request(guild: Guild, home: Path) -> None:
    attrs = {"plugins": ["cpu"], "_own": 1, "op": {"flags-dest": "args"}}
    make_run(home, "abc", attrs=attrs)
    assert guild("runs info -p").out.endswith("plugins:\n  - cpu\n")
    out = guild("runs info --private-attrs").out
    assert (
        "_own: 1\nopref: guildfile:/projects/p/guild.yml abc '' train\nop:\n  flags-dest: args\ntags:\n"
        in out
    )
    assert "_own" not in guild("runs info").out
    assert {"opref", "op", "plugins"} & json.loads(guild("runs info --json").out).keys() == set()


def test_damaged_comments_are_shown_as_far_as_they_go(guild: Guild, home: Path) -> None:
    run = make_run(home, "abc", attrs={"comments": ["bare", {"body": None, "time": "x"}]})
    found = json.loads(guild("runs info -c --json").out)["comments"]
    assert [c["body"] for c in found] == ["bare", ""]
    damage(run, "comments")
    assert guild("runs info -c").out.endswith("comments:\n")


def test_flags_that_are_lists_or_maps_are_shown_below_their_names(guild: Guild, home: Path) -> None:
    flags = {
        "list": [1, "a b", True, None, "1"],
        "map": {"b": [1], "a": {}},
        "none": {},
        "text": "a b",
        "n": "1",
    }
    make_run(home, "abc", attrs={"flags": flags, "own": None})
    lines = guild("runs info").out.splitlines()
    assert lines[lines.index("flags:") + 1 : lines.index("scalars:")] == [
        *("  list:", "    - 1", "    - a b", "    - yes", "    - null", "    - '1'"),
        *("  map:", "    a: {}", "    b:", "    - 1", "  n: '1'", "  none:", "    {}", "  text: a b"),
    ]
    assert "own: " in lines
