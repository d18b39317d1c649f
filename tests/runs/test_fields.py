"""What names in a filter expression mean for runs as they lie on disk."""

from pathlib import Path
from typing import Any

import pytest

from guild.base.tfrecord import first_record, scalar_record
from guild.runs import layout
from guild.runs.expressions import parse_expression
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from tests.made_runs import damage, make_run


def holds(run: Run, text: str) -> bool:
    return Filters(expressions=(parse_expression(text),)).match(Seen(run))


def write_scalars(run: Run, prefix: str, **values: list[float]) -> None:
    directory = run.path / prefix
    directory.mkdir(parents=True, exist_ok=True)
    records = [
        scalar_record(tag.replace("__", "/"), value, step)
        for tag, series in values.items()
        for step, value in enumerate(series)
    ]
    path = directory / f"{layout.EVENTS_PREFIX}1700000000.host.1.0"
    path.write_bytes(first_record() + b"".join(records))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make_run(
        tmp_path,
        "12345678" * 4,
        model="m",
        started=10,
        attrs={
            "label": "best",
            "flags": {"lr": 0.1, "label": "of a flag", "loss": 9, "n": None, "day": "2024-01-02", "a b": 4},
            "tags": ["x", "y"],
            "extra": "zz",
            "sourcecode_digest": "123456789abcdef",
        },
    )
    write_scalars(run, layout.GUILD_DIR, loss=[3.0, 0.5], acc=[0.25], sys__cpu=[50.0])
    write_scalars(run, "logs", acc=[0.75], val=[1.0])
    return run


@pytest.mark.parametrize(
    "text",
    [
        "id = 12345678123456781234567812345678", "run = 12345678", "short_id contains 345", "model = m",
        "operation = m:train", "op = train", "from = /projects/p/guild.yml", "status = completed",
        "status in [error, completed]", "started contains ':'", "stopped > 2020", "time = 5",
        "time = 0:00:05", "sourcecode = 12345678", "sourcecode_digest = 123456789abcdef", "label = best",
        "flag:label = 'of a flag'", "attr:label = best", "extra = zz", "attr:extra = zz", "tags contains x",
        "exit_status = 0", "lr = 0.1", "flag:lr > 0", "'a b' = 4", "flag:'a b' = 4", "n is undefined",
        "flags contains lr", "loss = 9", "scalar:loss = 0.5", "acc = 0.25", "scalar:acc = 0.25",
        "logs#acc = 0.75", "scalar:logs#acc = 0.75", "val = 1", ".guild#loss = 0.5", "scalar:#acc = 0.25",
        "sys/cpu = 50",
        "scalar:lr is undefined", "attr:lr is undefined", "flag:extra is undefined", "day > 2024-01",
        "nothing is undefined", "attr:../opref is undefined", "attr:.. is undefined", "attr:'' is undefined",
    ],
)  # fmt: skip
def test_a_name_is_an_attribute_else_a_flag_else_a_scalar(run: Run, text: str) -> None:
    assert holds(run, text)


@pytest.mark.parametrize(
    "text", ["id = 1", "op = m:train", "loss < 1", "label = 'of a flag'", "time is undefined"]
)
def test_what_comes_first_hides_the_rest(run: Run, text: str) -> None:
    assert not holds(run, text)


def test_a_staged_run_has_a_stop_and_a_label_that_are_empty_and_no_time(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", status="staged")
    for text in ("stopped = ''", "stopped is undefined", "label = ''", "label is undefined", "model = ''"):
        assert holds(run, text), text
    assert holds(run, "time is undefined and time != 5 and status is staged")


def test_a_computed_attribute_that_is_empty_is_not_looked_for_among_flags(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", attrs={"flags": {"label": "x", "time": 5}}, status="staged")
    assert not holds(run, "label = x")


def test_a_date_in_a_flag_is_compared_as_it_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", attrs={"flags": {"x": 1}})
    damage(run, "flags", b"{d: 2024-01-02, t: 2024-01-02 10:00:00}")
    assert holds(run, "d = 2024-01-02 and d > '2023' and t = '2024-01-02 10:00:00'")


def test_scalars_are_read_only_where_nothing_else_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guild.runs.scalars.read_scalars", _refuse)
    assert holds(run, "scalar:loss < 1 or op = train")
    assert not holds(run, "acc > 0 and not status = completed")
    assert holds(run, "loss = 9")
    with pytest.raises(AssertionError):
        holds(run, "acc > 0")


def _refuse(path: Any) -> Any:
    raise AssertionError(f"the scalars of {path} were read")


GARBAGE = [b"[: \xff", b"", b"5", b"[1, [2]]", b"&a [*a]", b"{1: 2, null: 3}", b".nan"]


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("attr", ["flags", "label", "started", "exit_status", "extra"])
def test_garbage_in_an_attribute_never_breaks_an_expression(run: Run, attr: str, data: bytes) -> None:
    damage(run, attr, data)
    name = {"flags": "flag:lr"}.get(attr, attr)
    for rest in ("= 1", "> 1", "contains 1", "in [1, a]", "is undefined", "= [1, [2]]", "< a"):
        holds(run, f"{name} {rest}")
        holds(run, f"attr:{attr} {rest}")


def test_a_number_of_thousands_of_digits_is_damage(run: Run) -> None:
    damage(run, "flags", b"big: 0x" + b"f" * 5000)
    assert holds(run, "big is undefined and big != 1 and big not contains 7")


def test_a_damaged_operation_and_event_file_count_as_none(run: Run) -> None:
    (run.guild_dir / layout.OPREF).write_bytes(b"\xff\xff")
    for path in run.guild_dir.glob(layout.EVENTS_PREFIX + "*"):
        path.write_bytes(b"\xff" * 100)
    fresh = Run(run.path)
    assert holds(fresh, "op = '?' and model is undefined and from is undefined and scalar:loss is undefined")
