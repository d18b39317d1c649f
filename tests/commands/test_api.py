import json
import time
from pathlib import Path
from typing import Any

import pytest

from guild.runs import layout
from guild.runs.events import EventWriter
from guild.runs.manifest import ManifestEntry
from tests.commands.conftest import Guild
from tests.made_runs import EPOCH, damage, make_run

A, B = ("a" * 32, "b" * 32)


@pytest.fixture(autouse=True)
def two(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    attrs = {"flags": {"x": 1.5}, "label": "one", "cmd": ["python", "a b"], "env": {"A": "1"}, "own": [1]}
    run = make_run(home, A, started=0, model="m", attrs={**attrs, "op": {"sourcecode": {"dest": "src"}}})
    writer = EventWriter(run.guild_dir, "host", 1, time.time())
    writer.add_scalar("loss", 2.0, 1)
    writer.add_scalar("loss", 1.0, 2)
    writer.close()
    (run.path / "src").mkdir()
    (run.path / "src" / "t.py").write_text("x")
    (run.guild_dir / layout.MANIFEST).write_text(ManifestEntry("s", "src/t.py", "-", "t.py").to_line())
    other = make_run(home, B, "test", started=1, status="staged")
    (other.path / "linked.py").symlink_to(f"../{A}/src/t.py")
    (other.path / "lost").symlink_to("/no/such/file")
    return home


def found(guild: Guild, args: str) -> Any:
    outcome = guild(f"api {args}")
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def test_without_a_command_they_are_listed(guild: Guild) -> None:
    outcome = guild("api")
    assert (outcome.code, outcome.err) == (0, "")
    assert "help-op  Print one operation of this project." in outcome.out


def test_runs_tell_all_that_is_known(guild: Guild, home: Path) -> None:
    (run,) = found(guild, "runs 2")
    (file,) = run.pop("files")
    assert file.pop("mtime") > 1_600_000_000_000
    assert file == {"path": "src/t.py", "size": 1, "operation": None, "run": None}
    (scalar,) = run.pop("scalars")
    assert (scalar["tag"], scalar["minVal"], scalar["minStep"], scalar["avgVal"]) == ("loss", 1.0, 2, 1.5)
    assert run == {
        "id": A,
        "shortId": "aaaaaaaa",
        "dir": str(home / "runs" / A),
        "operation": "m:train",
        "started": EPOCH,
        "stopped": EPOCH + 5_000_000,
        "label": "one",
        "tags": [],
        "comments": [],
        "status": "completed",
        "exitStatus": 0,
        "command": "python 'a b'",
        "otherAttrs": {"own": [1]},
        "flags": {"x": 1.5},
        "env": {"A": "1"},
        "deps": [],
        "projectDir": "/projects/p",
        "sourcecode": {"root": "src", "files": ["src/t.py"]},
        "marked": False,
        "opRef": {
            "pkgType": "guildfile",
            "pkgName": "/projects/p/guild.yml",
            "pkgVersion": "abc",
            "modelName": "m",
            "opName": "train",
        },
    }


def test_links_tell_whose_file_they_lead_to(guild: Guild) -> None:
    (run,) = found(guild, "runs -Ss")
    assert [(f["path"], f["size"], f["run"], f["operation"]) for f in run["files"]] == [
        ("linked.py", 1, "aaaaaaaa", "m:train"),
        ("lost", None, None, None),
    ]
    assert run["deps"] == [{"run": "aaaaaaaa", "operation": "m:train", "paths": ["linked.py"]}]
    assert run["exitStatus"] == ""


def test_a_comparison_is_headings_and_rows(guild: Guild) -> None:
    assert found(guild, "compare") == [
        ["id", "operation", "started", "time", "status", "label", "x", "step", "loss"],
        [B, "test", "2023-11-14 22:13:21", None, "staged", None, None, None, None],
        [A, "m:train", "2023-11-14 22:13:20", "0:00:05", "completed", "one", 1.5, 2, 1.0],
    ]
    assert found(guild, "compare -Fo nope") == found(guild, "runs -Fo nope") == []


def test_batches_and_deleted_runs_are_told_on_request(guild: Guild, home: Path) -> None:
    queue = make_run(home, "queue", started=5)
    (queue.guild_dir / layout.PROTO).mkdir()
    assert len(found(guild, "runs")) == 2
    assert len(found(guild, "runs --include-batch")) == 3
    assert len(found(guild, "compare --include-batch")) == 4
    make_run(home, "gone", where="trash/runs")
    assert [run["id"] for run in found(guild, "runs -d")] == ["gone"]


def test_damaged_runs_are_told_as_far_as_they_go(guild: Guild, home: Path) -> None:
    bad = make_run(home, "bad", started=7, opref="junk", attrs={"tags": 3, "flags": {"x": float("nan")}})
    damage(bad, "label")
    (run,) = found(guild, "runs bad")
    assert (run["operation"], run["opRef"], run["label"], run["tags"]) == ("?", None, "", [])
    assert run["flags"] == {"x": None}
    assert len(found(guild, "compare -f")) == 4


def test_operations_tell_their_flags(guild: Guild) -> None:
    Path("guild.yml").write_text(
        "- model: m\n  operations:\n    t:\n      exec: x\n      description: |\n"
        "        Do it.\n\n        More.\n"
        "      flags: {a: {default: x y, choices: [{value: x y, alias: b, description: two}]}, c: null}\n"
        "    _h: {exec: x}\n"
    )
    outcome = guild("api ops -f")
    hidden, op = json.loads(outcome.out)
    assert (hidden["fullname"], op["fullname"], op["name"]) == ("m:_h", "m:t", "t")
    assert op["description"] == "Do it.\n\nMore."
    assert op["guildfile"] == {"dir": str(Path.cwd()), "src": str(Path.cwd() / "guild.yml")}
    assert op["opref"]["pkgType"] == "guildfile"
    choices = [{"value": "x y", "description": "two", "alias": "b"}]
    assert op["flags"] == {
        "a": {
            "default": "x y",
            "defaultAssign": "a='x y'",
            "description": "",
            "choices": choices,
            "type": None,
        },
        "c": {"default": None, "defaultAssign": "c=null", "description": "", "choices": [], "type": None},
    }
    assert found(guild, "help-op m:t") == op
    assert guild("api help-op m:nope").code == 1


def test_operations_and_flags_are_told_by_name_and_models_as_in_the_guildfile(guild: Guild) -> None:
    Path("guild.yml").write_text(
        "- model: n\n  operations: {t: {exec: x, flags: {b: 1, a: 2}}, s: {exec: x}}\n"
        "- model: m\n  operations: {t: {exec: x}}\n"
    )
    ops = found(guild, "ops")
    assert [op["fullname"] for op in ops] == ["n:s", "n:t", "m:t"]
    assert list(ops[1]["flags"]) == ["a", "b"]


def test_an_operation_that_is_wrong_is_named_and_the_others_are_told(guild: Guild) -> None:
    Path("guild.yml").write_text("good: {exec: x}\nbad: {exec: [1, {}], flags: 3}\n")
    outcome = guild("api ops")
    assert [op["name"] for op in json.loads(outcome.out)] == ["good"]
    assert outcome.err.startswith("WARNING: 'bad' cannot be run: ")


def test_without_a_project_there_are_no_operations(guild: Guild) -> None:
    assert found(guild, "ops") == []
    assert "does not contain a guild.yml" in guild("api help-op x").err
