"""Scalars that a script records by itself: in its run's directory, and readable by others."""

import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guild
from guild.base import tfrecord
from guild.runs.scalars import read_scalars
from guild.summary import SummaryWriter
from tests.helpers import Project

Make = Callable[[Mapping[str, str]], Project]


def scalars(directory: Path) -> dict[str, tuple[float, int | None, int]]:
    """(last value, last step, count) of what a run of this directory shows."""
    return {s.tag: (s.last_val, s.last_step, s.count) for s in read_scalars(directory)}


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    return tmp_path


def test_scalars_are_the_runs_own(run_dir: Path) -> None:
    with SummaryWriter() as writer:
        writer.add_scalar("loss", 0.5, 10)
        writer.add_scalar("loss", 0.25, step=20)
        writer.add_scalar("acc", 1, global_step=7)
        writer.add_scalars({"a/b": 1.5, "c": 2}, 3)
        writer.add_scalar("last", 4)
    found = scalars(run_dir)
    assert found["loss"] == (0.25, 20, 2)
    assert found["acc"] == (1.0, 7, 1)
    assert (found["a/b"][:2], found["c"][:2], found["last"][0]) == ((1.5, 3), (2.0, 3), 4.0)


def test_a_scalar_is_there_as_soon_as_it_was_added(run_dir: Path) -> None:
    writer = SummaryWriter()
    assert os.listdir(run_dir) == []
    writer.add_scalar("loss", 0.5)
    assert scalars(run_dir)["loss"][0] == 0.5
    writer.flush()
    writer.close()
    writer.close()


def test_a_writer_that_was_closed_goes_on_where_it_was(run_dir: Path) -> None:
    writer = SummaryWriter()
    writer.add_scalar("a", 1, 1)
    writer.close()
    writer.add_scalar("a", 2, 2)
    writer.close()
    assert scalars(run_dir)["a"] == (2.0, 2, 2)


def test_several_writers_do_not_write_to_the_same_file(run_dir: Path) -> None:
    first, second = SummaryWriter(), SummaryWriter()
    for writer, tag in ((first, "a"), (second, "b")):
        writer.add_scalar(tag, 1, 1)
    assert {"a", "b"} <= scalars(run_dir).keys()
    assert len(os.listdir(run_dir / ".guild")) == 2


def test_a_directory_may_be_given_also_below_the_run(tmp_path: Path, run_dir: Path) -> None:
    for logdir in (tmp_path / "logs" / "train", str(tmp_path / "logs" / "train")):
        with SummaryWriter(logdir, flush_secs=3) as writer:
            writer.add_scalar("x", 1, 1)
    assert {s.key for s in read_scalars(tmp_path)} == {"logs/train#x"}


def test_outside_of_a_run_the_current_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    with SummaryWriter() as writer:
        writer.add_scalar("x", 1)
    (name,) = [n for _, _, names in os.walk(tmp_path) for n in names]
    assert name.startswith("events.out.tfevents.")


class Lazy:
    """A number of another library: a tensor, an array of one element."""

    def __float__(self) -> float:
        return 0.125


def test_numbers_of_other_libraries_are_taken(run_dir: Path) -> None:
    values: Any = {"lazy": Lazy(), "bool": True}
    with SummaryWriter() as writer:
        writer.add_scalars(values, 2)
        writer.add_scalar("nan", math.nan)
        writer.add_scalar("huge", 1e300)
    found = scalars(run_dir)
    assert (found["lazy"][0], found["bool"][0]) == (0.125, 1.0)
    assert math.isnan(found["nan"][0])
    assert found["huge"][0] == math.inf


def test_what_is_no_number_is_refused_before_anything_is_written(run_dir: Path) -> None:
    bad: Any = "much"
    with pytest.raises(ValueError, match="could not convert"):
        SummaryWriter().add_scalar("x", bad)
    assert scalars(run_dir) == {}


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(TEXTS, st.floats(width=32, allow_nan=False), st.integers(0, 2**62))
def test_a_record_holds_what_was_recorded(tag: str, value: float, step: int) -> None:
    payload = unframed(tfrecord.scalar_record(tag, value, step))
    found = message(payload)
    (entry,) = [message(v) for v in message(found[5][0])[1]]
    assert entry[1] == [tag.encode()]
    assert struct.unpack("<f", entry[2][0]) == (value,)
    assert found.get(2, [0]) == [step]


@pytest.mark.parametrize("step", [-1, -(2**40)])
def test_a_step_below_zero_is_kept(step: int) -> None:
    (found,) = message(unframed(tfrecord.scalar_record("x", 1.0, step)))[2]
    assert found - 2**64 == step


def unframed(record: bytes) -> bytes:
    """The payload of a record whose checksums are right."""
    (length,) = struct.unpack("<Q", record[:8])
    payload = record[12 : 12 + length]
    assert struct.unpack("<I", record[8:12]) == (tfrecord.masked_crc(record[:8]),)
    assert struct.unpack("<I", record[12 + length :]) == (tfrecord.masked_crc(payload),)
    return payload


def test_the_checksum_is_crc_32c() -> None:
    # The check value of CRC-32C, masked as TFRecord does it.
    crc = 0xE3069283
    assert tfrecord.masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def message(data: bytes) -> dict[int, list[Any]]:
    """The fields of a protocol buffer, by number: integers, and bytes of the rest."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        value: Any
        if kind == 0:
            value, at = varint(data, at)
        else:
            length, at = {1: (8, at), 5: (4, at)}[kind] if kind != 2 else varint(data, at)
            value, at = data[at : at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


SCRIPT = """
from guild.summary import SummaryWriter
x = 3
print("loss: 9")
writer = SummaryWriter()
for step in range(x):
    writer.add_scalar("val", step / 2, step=step)
"""


@pytest.mark.journey
def test_a_job_records_scalars_beside_those_of_its_output(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    assert p.guild("run train.py -y").code == 0
    shown = p.guild("compare --csv -").out.splitlines()
    row = dict(zip(shown[0].split(","), shown[1].split(","), strict=True))
    assert (float(row["loss"]), float(row["val"]), row["step"]) == (9.0, 1.0, "0")  # the step of loss


@pytest.mark.parametrize("python", [sys.executable, os.environ.get("OLD_PYTHON", "")])
def test_little_is_loaded_and_older_interpreters_have_it(python: str, tmp_path: Path) -> None:
    if not python:
        pytest.skip("OLD_PYTHON names no older interpreter")
    code = (
        "import sys; from guild.summary import SummaryWriter; SummaryWriter().add_scalar('a', 1, 2);"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'yaml', 'click', 'psutil', 'typing'}))"
    )
    env = {"PYTHONPATH": str(Path(guild.__file__).parent / "onpath"), "RUN_DIR": str(tmp_path)}
    done = subprocess.run(
        [python, "-S", "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done
    assert scalars(tmp_path)["a"] == (1.0, 2, 1)
