"""Batch files: CSV cells are read as typed, JSON and YAML as they are; faults name file and trial."""

from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildError
from guild.launch.batch_file import read_batch_files
from guild.ops.opdef import FlagDef

FLAGS = (FlagDef("lr", type="float"), FlagDef("name", alias="n"), FlagDef("on", type="boolean"))


def rows(tmp_path: Path, name: str, text: str | bytes, **more: Any) -> list[dict[str, Any]]:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_batch_files([name], tmp_path, FLAGS, **more)


@pytest.mark.parametrize("name", ["b.csv", "b"])
def test_cells_of_a_csv_file_are_read_as_typed_flags_and_empty_ones_left_out(
    tmp_path: Path, name: str
) -> None:
    found = rows(tmp_path, name, "lr,name,on\n1e-3, 010 ,yes\n\n2,,no\n3\n")
    assert found == [{"lr": 0.001, "name": 10, "on": True}, {"lr": 2.0, "on": False}, {"lr": 3.0}]


def test_a_csv_file_may_have_a_byte_order_mark_quotes_and_lists(tmp_path: Path) -> None:
    assert rows(tmp_path, "b.csv", b'\xef\xbb\xbfname,lr\r\n"a, b",1\r\n"[1,2]",2\r\n') == [
        {"name": "a, b", "lr": 1.0},
        {"name": [1, 2], "lr": 2.0},
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [("b.json", '[{"lr": 1, "name": "1"}, {"n": null}]'), ("b.yml", "- {lr: 1, name: '1'}\n- {n: null}\n")],
)
def test_json_and_yaml_hold_lists_of_maps(tmp_path: Path, name: str, text: str) -> None:
    assert rows(tmp_path, name, text) == [{"lr": 1.0, "name": "1"}, {"name": None}]


def test_one_map_is_one_trial_and_several_files_are_joined(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"lr": 1}')
    (tmp_path / "b.yaml").write_text("lr: 2")
    assert read_batch_files(["a.json", "b.yaml"], tmp_path, FLAGS) == [{"lr": 1.0}, {"lr": 2.0}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("b.csv", "lr,zz\n1,2\n", "batch file b.csv, trial 1: unsupported flag 'zz'"),
        ("b.json", '[{"lr": 1}, {"zz": 1}]', "batch file b.json, trial 2: unsupported flag 'zz'"),
        ("b.csv", "lr\n1\nabc\n", "batch file b.csv, trial 2: invalid value abc for lr: expected a number"),
        ("b.json", '[{"on": "maybe"}]', "batch file b.json, trial 1: invalid value maybe for on"),
        ("b.csv", "lr\n1,2\n", "batch file b.csv, trial 1: more values than flag names"),
        ("b.csv", "lr,lr\n1,2\n", "must name each flag once"),
        ("b.json", "[1", "cannot read trials for b.json"),
        ("b.yml", "a: [", "cannot read trials for b.yml: line"),
        ("b.yml", "3", "invalid data type for trials: expected list or dict, got int"),
        ("b.json", "[3]", "invalid data type for trial 1: expected a map of flag names and values, got int"),
        ("b.txt", "x", "unsupported extension '.txt' of batch file b.txt"),
        ("b.csv", b"lr\n\xff\n", "it is not UTF-8 text"),
    ],
)
def test_what_is_wrong_with_a_batch_file_is_said_with_its_name(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(GuildError) as e:
        rows(tmp_path, name, text)
    assert message in str(e.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match=r"batch file no\.csv does not exist"):
        read_batch_files(["no.csv"], tmp_path, FLAGS)
    with pytest.raises(GuildError, match=r"cannot read batch file \."):
        read_batch_files(["."], tmp_path, FLAGS)


def test_force_takes_flags_that_nobody_knows_and_values_that_do_not_fit(tmp_path: Path) -> None:
    assert rows(tmp_path, "b.csv", "lr,zz\nabc,2\n", force=True) == [{"lr": "abc", "zz": 2}]
    assert rows(tmp_path, "b.json", '{"lr": "abc", "zz": 2}', force=True) == [{"lr": "abc", "zz": 2}]
