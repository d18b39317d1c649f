import csv
import io
import json
import time
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.column_values import duration
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
    assert "no run has a value in the column 'nope'" in guild("compare --min nope").err


@pytest.mark.usefixtures("three")
def test_system_scalars_are_shown_on_request(guild: Guild) -> None:
    assert "sys/mem" not in guild("compare --csv -").out
    assert "sys/mem" in guild("compare --csv - -s").out


@pytest.mark.usefixtures("three")
def test_a_file_gets_the_rows_and_stderr_says_how_many(guild: Guild) -> None:
    outcome = guild("compare --csv out.csv -Sc")
    assert (outcome.out, outcome.err) == ("", "Wrote 2 row(s) to out.csv\n")
    assert len(rows(Path("out.csv").read_text())) == 2
    assert guild("compare --csv new/dir/out.csv").code == 0
    assert len(rows(Path("new/dir/out.csv").read_text())) == 3
    assert guild("compare --csv out.csv/x").err.startswith("guild: cannot write 'out.csv/x'")


def test_batches_and_queues_are_left_out_unless_asked_for(guild: Guild, home: Path) -> None:
    make_run(home, "run")
    queue = make_run(home, "queue", opref="builtin:guildai 0.9.0 '' queue")
    (queue.guild_dir / layout.PROTO).mkdir()
    assert [row["run"] for row in rows(guild("compare --csv -").out)] == ["run"]
    assert len(rows(guild("compare --csv - --include-batch").out)) == 2
    assert sorted(guild("compare --print-scalars").out.splitlines()) == ["[queue] queue", "[run] train"]


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


def guildfile_run(home: Path, run_id: str, guildfile: Path, op: str = "train", **attrs: object) -> Run:
    opref = f"guildfile:{guildfile} abc '' {op}"
    return make_run(home, run_id, started=int(run_id[0], 16), opref=opref, attrs={"flags": {"x": 1}, **attrs})


def headings(guild: Guild, args: str) -> list[str]:
    return guild(f"compare --csv - {args}").out.split("\n", 1)[0].split(",")


def write_recipe(run: Run, compare: object) -> None:
    (run.guild_dir / layout.RECIPE).write_text(json.dumps({"opdef": {"compare": compare}}))


def test_an_operation_is_compared_by_what_its_project_says_now(
    guild: Guild, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "project" / "guild.yml"
    path.write_text(
        "train: {main: t, compare: [=x as rate, 'loss, min loss step', 'foo bar']}\nplain: {exec: x}\n"
    )
    run = guildfile_run(home, "1", path)
    add_scalars(run, 2, loss=1.0, acc=0.5)
    write_recipe(run, ["acc"])
    outcome = guild("compare --csv - -r")
    assert outcome.out == "run,rate,loss,loss step\n1,1,1.0,2\n"
    assert (
        outcome.err
        == "WARNING: invalid column 'foo bar': unexpected 'bar' at 5 (in 'compare' of an operation)\n"
    )
    # Gone from the project: as it was when the run was made, else as old versions recorded it.
    path.write_text("other: {exec: x}\n")
    assert headings(guild, "-r") == ["run", "acc"]
    write_recipe(run, [])
    assert headings(guild, "-r") == ["run", "x", "step", "acc", "loss"]
    write_recipe(guildfile_run(home, "2", path, compare=["=x as old"]), None)
    assert headings(guild, "-r 1") == ["run", "old"]
    # A broken guildfile, and an operation that names no columns.
    path.write_text("train: [")
    assert headings(guild, "-r") == ["run", "old", "x", "step", "acc", "loss"]
    assert headings(guild, "-p") == ["run", "operation", "started", "time", "status", "label"]


def test_an_operation_that_names_no_columns_any_more_has_the_default_ones(
    guild: Guild, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "project" / "guild.yml"
    path.write_text("train: {main: t}\n")
    write_recipe(guildfile_run(home, "1", path), ["acc"])
    assert headings(guild, "-r") == ["run", "x"]


@pytest.mark.parametrize(
    "recipe", ["", "[1]", '{"opdef": 3}', '{"opdef": {"compare": {"a": 1}}}', "[" * 100_000]
)
def test_a_damaged_recipe_does_no_harm(guild: Guild, home: Path, recipe: str) -> None:
    run = guildfile_run(home, "1", Path("/no/such/guild.yml"), compare={"a": 1})
    (run.guild_dir / layout.RECIPE).write_text(recipe)
    assert headings(guild, "-r") == ["run", "x"]


@pytest.mark.usefixtures("three")
def test_columns_are_added_or_stand_alone(guild: Guild) -> None:
    assert headings(guild, "-c '=x as y, .stopped'")[-2:] == ["y", "stopped"]
    assert guild("compare --csv - -cc '.status, =x, loss step' -Sc").out.splitlines() == [
        "run,status,x,loss step",
        "bbbbbbbb,completed,2.123456789,9",
        "aaaaaaaa,completed,1,4",
    ]
    assert headings(guild, "-cc =x -e") == headings(guild, "-c =x -e -p -r") == ["run", "sourcecode", "x"]
    assert headings(guild, "--cols =x -e -p") == [
        *("run", "operation", "started", "time", "status", "label", "sourcecode", "x")
    ]
    assert "--columns and --strict-columns cannot both be specified" in guild("compare -c a -cc b").err
    assert guild("compare -cc 'a b'").err.startswith("guild: invalid column 'a b': unexpected 'b' at 3\n")


@pytest.mark.usefixtures("three")
def test_columns_that_differ_in_the_qualifier_alone_are_kept_apart(guild: Guild) -> None:
    assert headings(guild, "-cc 'min loss'") == ["run", "loss"]
    assert headings(guild, "-cc 'min loss, loss, max loss as top'") == ["run", "min loss", "loss", "top"]
    assert headings(guild, "-r -c 'max loss'")[-1] == "max loss"
    assert headings(guild, "-r -c 'loss'").count("loss") == 1


def test_what_event_files_in_several_directories_have_is_told_apart(guild: Guild, home: Path) -> None:
    run = make_run(home, "a")
    for name, value in (("train", 1.0), ("valid", 2.0)):
        (run.path / name).mkdir()
        writer = EventWriter(run.path / name, "host", 1, time.time())
        writer.add_scalar("loss", value, 3)
        writer.close()
    (row,) = rows(guild("compare --csv - -c 'valid#loss as v, #loss as l'").out)
    assert {name: row[name] for name in ("step", "loss", "valid loss", "v", "l")} == {
        "step": "3",
        "loss": "1.0",
        "valid loss": "2.0",
        "v": "2.0",
        "l": "1.0",
    }
    assert guild("compare --print-scalars").out == (
        "[a] train\n  train#loss: 1.000000 (step 3)\n  valid#loss: 2.000000 (step 3)\n"
    )


@pytest.mark.usefixtures("three")
def test_any_column_sorts_whether_it_is_shown_or_not(guild: Guild) -> None:
    def order(args: str) -> str:
        return "".join(row["run"][0] for row in rows(guild(f"compare --csv - -cc .label {args}").out))

    assert order("--min loss") == "bac"
    assert order("--min 'loss step'") == order("--min 'max loss step'") == "abc"
    assert order("--min .started") == "abc"
    assert order("--max .started") == "cba"
    assert order("--min .status") == "bac"  # texts; of equals the newest first
    assert order("--max .label") == "acb"
    assert order("--min =x") == order("--min =x -n 3") == "abc"  # numbers before texts
    assert order("--max =x") == "bac"


@pytest.mark.usefixtures("three")
def test_columns_without_a_difference_are_left_out_on_request(guild: Guild) -> None:
    assert headings(guild, "-u -Sc") == [*("run", "started", "label", "x", "step", "loss", "b", "acc")]
    assert "operation" in headings(guild, "-u 1")


def test_times_that_are_shown_alike_do_not_count_as_a_change(guild: Guild, home: Path) -> None:
    for run_id, stopped in (("a" * 32, EPOCH + 5_000_000), ("b" * 32, EPOCH + 5_400_000)):
        make_run(home, run_id, started=0, attrs={"stopped": stopped, "label": run_id[0]})
    assert headings(guild, "-u") == ["run", "label"]


@pytest.mark.usefixtures("three")
def test_options_that_exclude_each_other_are_named(guild: Guild) -> None:
    for args, names in (
        ("--csv - -t", ("table", "csv")),
        ("--json --csv -", ("csv", "json")),
        ("--min loss --max loss", ("min", "max")),
    ):
        outcome = guild(f"compare {args}")
        assert outcome.code == 1
        assert outcome.err.startswith(f"guild: --{names[0]} and --{names[1]} cannot both be specified\n")
    assert guild("compare --tool hiplot").err.startswith("guild: --tool hiplot is not supported here\n")
    assert guild("compare --tool nope").code == 2


def test_a_guildfile_is_read_once_for_all_its_runs(
    guild: Guild, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import guild.ops.guildfile as module

    path = tmp_path / "project" / "guild.yml"
    path.write_text("train: {main: t, compare: [=x]}\n")
    for at in range(30):
        make_run(home, f"{at:032x}", started=at, opref=f"guildfile:{path} abc '' train")
    asked: list[Path] = []
    load = module.load_guildfile

    def spy(found: Path) -> object:
        asked.append(found)
        return load(found)

    monkeypatch.setattr(module, "load_guildfile", spy)
    assert len(rows(guild("compare --csv -").out)) == 30
    assert asked == [path]


def test_a_run_without_the_heading_is_sorted_by_the_column_itself(guild: Guild, home: Path) -> None:
    """Of another operation, whose `compare` shows the scalar under another heading."""
    make_run(home, "a", started=1, attrs={"flags": {"x": 1}})
    make_run(home, "b", started=2, attrs={"flags": {"x": 3}, "compare": ["=x as y"]})
    make_run(home, "c", started=3, attrs={"flags": {"x": 2}, "compare": ["=x as y"]})
    rows = guild("compare --csv - --max =x").out.splitlines()[1:]
    assert [row[0] for row in rows] == ["b", "c", "a"]
    headings = guild("compare --csv - --max y").out.splitlines()[1:]
    assert [row[0] for row in headings] == ["b", "c", "a"]
