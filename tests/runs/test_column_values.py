import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.column_values import Moment, RunValues, in_order
from guild.runs.columns import parse_column
from guild.runs.events import EventWriter
from guild.runs.seen import Seen
from tests.made_runs import EPOCH, damage, make_run


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def values(tmp_path: Path) -> RunValues:
    """A run with a loss of 3, 1, 2 at the steps 1, 2, 3, and one in `sub`."""
    attrs = {
        "flags": {"x": None, "y": [1], "a b": True},
        "sourcecode_digest": "0123456789",
        "own": {"a": 1},
    }
    run = make_run(tmp_path, "a" * 32, model="m", started=0, attrs=attrs)
    for directory, losses in ((run.guild_dir, (3.0, 1.0, 2.0)), (run.path / "sub", (9.0,))):
        directory.mkdir(exist_ok=True)
        writer = EventWriter(directory, "host", 1, time.time())
        for step, loss in enumerate(losses, 1):
            writer.add_scalar("loss", loss, step)
        writer.add_scalar("sys/mem", 5.0, 7)
        writer.close()
    return RunValues(Seen(run))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("loss", 2.0), ("last loss", 2.0), ("first loss", 3.0), ("min loss", 1.0), ("max loss", 3.0)),
        *(("avg loss", 2.0), ("total loss", 6.0), ("count loss", 3)),
        *(("loss step", 3), ("first loss step", 1), ("min loss step", 2), ("max loss step", 1)),
        *(("sub#loss", 9.0), (".guild#loss", 2.0), ("sub#sys/mem", 5.0), ("nope", None), ("nope#loss", None)),
        *(("=x", None), ("=y", [1]), ('="a b"', True), ("=nope", None)),
        *((".own", {"a": 1}), (".nope", None), (".'../opref'", None), (".'.x'", None)),
        *((".run", "a" * 8), (".id", "a" * 32), (".operation", "m:train"), (".op", "train"), (".model", "m")),
        *((".status", "completed"), (".label", None), (".sourcecode", "01234567")),
        (".from", "/projects/p/guild.yml"),
        (".started", Moment("2023-11-14 22:13:20", EPOCH)),
        (".time", Moment("0:00:05", 5_000_000)),
    ],
)
def test_a_column_tells_what_a_run_has(values: RunValues, text: str, value: object) -> None:
    assert values.value(parse_column(text)) == value


def test_by_default_a_run_shows_flags_a_step_and_scalars(values: RunValues) -> None:
    flags = [("a b", True), ("x", None), ("y", [1])]
    assert values.default_columns() == [*flags, ("step", 3), ("loss", 2.0), ("sub loss", 9.0)]
    assert values.default_columns(system=True)[-2:] == [("sub loss", 9.0), ("sub sys/mem", 5.0)]


def test_scalars_of_steps_and_trials_have_no_columns_of_their_own(tmp_path: Path) -> None:
    step, flow = make_run(tmp_path, "step"), make_run(tmp_path, "flow")
    for run, tags in ((step, "ab"), (flow, "b")):
        with closing(EventWriter(run.guild_dir, "host", 1, time.time())) as writer:
            for tag in tags:
                writer.add_scalar(tag, 1.0 if run is flow else 2.0, 3)
    (flow.path / "first").symlink_to(step.path)
    assert RunValues(Seen(flow)).default_columns() == [("step", 3), ("a", 2.0), ("b", 1.0)]


def test_the_step_is_that_of_the_loss_else_of_the_first_tag(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a")
    writer = EventWriter(run.guild_dir, "host", 1, time.time())
    for tag, step in (("b", 5), ("c", 9)):
        writer.add_scalar(tag, 1.0, step)
        assert dict(RunValues(Seen(run)).default_columns())["step"] == 5
    writer.add_scalar("loss", 1.0, 7)
    writer.close()
    assert dict(RunValues(Seen(run)).default_columns())["step"] == 7


def test_damage_counts_as_nothing(tmp_path: Path) -> None:
    attrs = {"started": "x", "stopped": [1], "exit_status": 0, "sourcecode_digest": 3}
    run = make_run(tmp_path, "a", opref="junk", started=None, status="", attrs=attrs)
    for name in ("flags", "label"):
        damage(run, name)
    values = RunValues(Seen(run))
    for text in (".started", ".time", ".label", "=x", ".from", ".model"):
        assert values.value(parse_column(text)) is None
    assert values.value(parse_column(".sourcecode")) == "3"
    assert values.default_columns() == []


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
)


@given(st.lists(anything), st.booleans())
def test_any_values_have_an_order_with_the_missing_last(values: list[object], descending: bool) -> None:
    order = in_order(values, descending)
    assert sorted(order) == list(range(len(values)))
    kinds = [_kind(values[at]) for at in order]
    assert kinds == sorted(kinds)
    numbers = [float(values[at]) for at in order if _kind(values[at]) == 0 and abs(values[at]) < 1e300]  # type: ignore[arg-type]
    assert numbers == sorted(numbers, reverse=descending)


def _kind(value: object) -> int:
    if value is None or value == "" or value != value:
        return 2
    return 0 if isinstance(value, int | float) else 1


def test_equals_stay_in_their_order_both_ways() -> None:
    assert in_order([1, 2, 1, None, 2]) == [0, 2, 1, 4, 3]
    assert in_order([1, 2, 1, None, 2], descending=True) == [1, 4, 0, 2, 3]
    assert in_order([Moment("9:00:00", 9), Moment("10:00:00", 10)]) == [0, 1]
