import csv
import importlib.util
import io
import json
import struct
import sys
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guild.base.tfrecord import first_record, scalar_record
from guild.commands._tensorboard_logdir import LogDir, run_name
from guild.commands._tensorboard_summaries import image_size
from guild.runs.run import Run
from guild.runs.seen import Seen
from tests.commands.conftest import Guild
from tests.helpers import Project, wait_until
from tests.made_runs import damage, make_run

A, B = "a" * 32, "b" * 32
has_tensorboard = importlib.util.find_spec("tensorboard") is not None
needs_tensorboard = pytest.mark.skipif(not has_tensorboard, reason="tensorboard is not installed here")


def add_events(run: Run, *scalars: tuple[str, float, int], where: str = ".guild", name: str = "1.x") -> Path:
    path = run.path / where / f"events.out.tfevents.{name}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(first_record() + b"".join(scalar_record(*scalar) for scalar in scalars))
    return path


def links_of(logdir: Path) -> set[str]:
    return {str(p.relative_to(logdir)) for p in logdir.rglob("*") if p.is_symlink()}


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# --export-scalars, which needs no TensorBoard.


def test_all_values_of_all_runs_are_exported(guild: Guild, home: Path, tmp_path: Path) -> None:
    add_events(make_run(home, A, started=2), ("loss", 0.5, 0), ("loss", 0.25, 1))
    older = make_run(home, B, started=1)
    add_events(older, ("acc", 1.0, 7), where="eval")
    outcome = guild("tensorboard --export-scalars -")
    assert outcome.code == 0
    rows = list(csv.reader(io.StringIO(outcome.out)))
    assert rows == [
        ["run", "path", "tag", "value", "step"],
        [A, ".guild", "loss", "0.5", "0"],
        [A, ".guild", "loss", "0.25", "1"],
        [B, "eval", "acc", "1.0", "7"],
    ]
    target = tmp_path / "scalars.csv"
    said = guild(["tensorboard", "--export-scalars", str(target), "2"])
    assert target.read_text() == f"run,path,tag,value,step\n{B},eval,acc,1.0,7\n"
    assert "Wrote 1 values of 1 run(s)" in said.err


def test_damage_in_a_run_leaves_the_others(guild: Guild, home: Path) -> None:
    add_events(make_run(home, A), ("loss", 0.5, 0))
    bad = make_run(home, B)
    add_events(bad, ("loss", 0.5, 0)).write_bytes(b"garbage" * 9)
    damage(bad, "flags")
    outcome = guild("tensorboard --export-scalars -")
    assert outcome.out.splitlines()[1:] == [f"{A},.guild,loss,0.5,0"]


def test_batches_are_left_out_unless_asked_for(guild: Guild, home: Path) -> None:
    batch = make_run(home, A)
    (batch.guild_dir / "proto").mkdir()
    add_events(batch, ("loss", 0.5, 0))
    assert A not in guild("tensorboard --export-scalars -").out
    assert A in guild("tensorboard --include-batch --export-scalars -").out


def test_a_file_that_cannot_be_written_is_named(guild: Guild, home: Path) -> None:
    outcome = guild("tensorboard --export-scalars /nowhere/s.csv")
    assert outcome.code == 1
    assert "/nowhere/s.csv" in outcome.err


def test_without_tensorboard_the_extra_is_named(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.program", None)
    outcome = guild("tensorboard -n")
    assert outcome.code == 1
    assert "pip install 'guildai[tensorboard]'" in outcome.err


def test_an_option_for_tensorboard_has_a_name(guild: Guild) -> None:
    assert guild(["tensorboard", "-n", "-O", "--x=1"]).code == 2


# The directory that TensorBoard reads.


def test_runs_are_named_by_id_operation_start_and_label(home: Path) -> None:
    run = make_run(home, A, model="net", attrs={"label": "a/b\x1b", "flags": {"lr": 0.1, "no": None}})
    assert run_name(Seen(run), ()).startswith("aaaaaaaa net:train 20")
    assert run_name(Seen(run), ()).endswith(" a_b_x1b")
    assert run_name(Seen(run), ("lr", "no", "other")).endswith(" lr=0.1 no= other=")
    damage(run, "label")
    damage(run, "started")
    assert run_name(Seen(run), ()) == "aaaaaaaa net:train"
    long = make_run(home, B, attrs={"label": "ü" * 500})
    assert len(run_name(Seen(long), ()).encode()) <= 200


def test_event_files_are_linked_come_and_go(home: Path, tmp_path: Path) -> None:
    first, second = make_run(home, A, op="one"), make_run(home, B, op="two", status="running")
    add_events(first, ("loss", 1, 0))
    add_events(second, ("loss", 1, 0), where="eval")
    logdir = tmp_path / "logdir"
    logdir.mkdir()
    shown = LogDir(logdir)
    shown.refresh([Seen(first), Seen(second)])
    names = [run_name(Seen(run), ()) for run in (first, second)]
    file = "events.out.tfevents.1.x"
    assert links_of(logdir) == {f"{names[0]}/.guild/{file}", f"{names[1]}/eval/{file}"}
    assert (logdir / names[0] / ".guild" / file).resolve() == first.guild_dir / file
    later = add_events(second, ("loss", 1, 0), name="2.x")
    shown.refresh([Seen(second)])
    more = {f"{names[1]}/eval/{file}", f"{names[1]}/.guild/events.out.tfevents.2.x"}
    assert links_of(logdir) == more
    later.unlink()
    shown.refresh([Seen(second)])
    assert links_of(logdir) == {f"{names[1]}/eval/{file}"}
    assert first.guild_dir.is_dir()


def test_links_are_followed_to_runs_only_and_no_circle_is_walked(home: Path, tmp_path: Path) -> None:
    step, flow = make_run(home, A), make_run(home, B)
    add_events(step, ("loss", 1, 0))
    (flow.path / "step").symlink_to(step.path)
    (step.path / "back").symlink_to(flow.path)
    other = tmp_path / "data"
    other.mkdir()
    (other / "events.out.tfevents.9").touch()
    (flow.path / "data").symlink_to(other)
    logdir = tmp_path / "logdir"
    logdir.mkdir()
    LogDir(logdir).refresh([Seen(flow)])
    assert [text.split("/", 1)[1] for text in links_of(logdir)] == ["step/.guild/events.out.tfevents.1.x"]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(3, 2), (3, 2)),
        (b"GIF89a\x03\x00\x02\x00rest", (3, 2)),
        (b"\xff\xd8\xff\xe0\x00\x04xx\xff\xc0\x00\x0b\x08\x00\x02\x00\x03rest", (3, 2)),
        (b"\xff\xd8\xff\xe0\x00", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"text", None),
        (b"", None),
    ],
)
def test_the_size_of_an_image_is_in_its_head(data: bytes, size: tuple[int, int] | None) -> None:
    assert image_size(data) == size


# TensorBoard itself.


def ask(url: str, data: dict[str, Any] | None = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@needs_tensorboard
@pytest.mark.parametrize("ending", ["interrupt", "terminate"])
def test_runs_are_served_come_and_go_and_nothing_stays_behind(
    project: Callable[..., Project], tmp_path: Path, ending: str
) -> None:
    made = project({})
    run = make_run(made.home, A, attrs={"flags": {"lr": 0.1, "on": True, "big": 10**400}, "label": "one"})
    add_events(run, ("loss", 0.5, 0))
    (run.path / "plot.png").write_bytes(png(4, 4))
    temp = tmp_path / "temp"
    temp.mkdir()
    env = {"TMPDIR": str(temp)}
    served = made.popen("tensorboard -n --refresh-interval 0.3 -O samples_per_plugin=scalars=10", env=env)
    served.expect("(Type Ctrl+C to quit)", timeout=60)
    url = next(word for word in served.err.split() if word.startswith("http://")).rstrip("/")
    assert "127.0.0.1" in url
    name = run_name(Seen(run), ())
    wait_until(lambda: f"{name}/.guild" in ask(f"{url}/data/runs"), what="the run")
    wait_until(lambda: f"{name}/.images" in ask(f"{url}/data/plugin/images/tags"), what="the image")
    question = {"experimentName": ""}
    path = "experiment/defaultExperimentId/data/plugin/hparams/experiment"
    flags = wait_until(lambda: ask(f"{url}/{path}", question).get("hparamInfos"), what="the flags")
    assert {info["name"] for info in flags} >= {"lr", "on", "big"}
    add_events(make_run(made.home, B), ("loss", 0.5, 0))
    wait_until(lambda: any(n.startswith("bbbbbbbb") for n in ask(f"{url}/data/runs")), what="a new run")
    assert made.guild(f"runs rm -y {A[:8]}").code == 0
    wait_until(lambda: not any(n.startswith("aaaaaaaa") for n in ask(f"{url}/data/runs")), what="its end")
    served.interrupt() if ending == "interrupt" else served.process.terminate()
    outcome = served.wait()
    assert (outcome.code, "Traceback" in outcome.err) == (0, False)
    assert list(temp.glob("guild-tensorboard-*")) == []


@needs_tensorboard
def test_a_port_that_is_taken_is_named(project: Callable[..., Project]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = project({}).guild(f"tensorboard -n -p {port}")
    assert outcome.code == 1
    assert str(port) in outcome.err
