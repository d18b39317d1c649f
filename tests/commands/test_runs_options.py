"""Filter options as they are typed, in every command that takes runs."""

import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from guild.commands._runs_options import split_statuses
from tests.commands.conftest import Guild
from tests.made_runs import make_run


@pytest.fixture(autouse=True)
def _runs(home: Path) -> None:
    make_run(
        home, "a" * 32, started=1,
        attrs={"label": "first", "flags": {"x": 1}, "comments": [{"body": "Good", "user": "u", "host": "h"}]},
    )  # fmt: skip
    make_run(
        home, "b" * 32, started=2, model="m", status="error", attrs={"label": "second", "flags": {"x": 2}}
    )
    make_run(home, "c" * 32, "prep", started=3, status="staged", attrs={"flags": {"x": 3}, "tags": ["t"]})
    make_run(
        home, "d" * 32, started=4, status="terminated", attrs={"marked": True, "sourcecode_digest": "5a"}
    )


@pytest.fixture
def in_zone() -> Iterator[Callable[[str], None]]:
    with pytest.MonkeyPatch.context() as patch:

        def choose(zone: str) -> None:
            patch.setenv("TZ", zone)
            time.tzset()

        yield choose
    time.tzset()


def listed(guild: Guild, args: str) -> str:
    """The first letters of the runs that are listed, newest first."""
    outcome = guild(f"runs list {args}")
    assert (outcome.code, outcome.err) == (0, ""), outcome
    return "".join(line.split(":")[1][0] for line in outcome.out.splitlines())


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-F 'x > 1'", "cb"),
        ("--filter='x > 1 and op = train'", "b"),
        ("-F 'x > 1' -F 'op = train'", "b"),
        ("-F 'x = 1 or x = 3 and op = train'", "a"),
        ("-Fx=1", "a"),
        ("-Fo train", "dba"),
        ("-Fo m:* -Fo prep", "cb"),
        ("-Fl first -Fl second", "ba"),
        ("-Fl -", "dc"),
        ("-Fu", "dc"),
        ("-Ft t -Ft other", "c"),
        ("-Fc good", "a"),
        ("--comment nothing -Fc GOOD", "a"),
        ("-Fm", "d"),
        ("-Fn", "cba"),
        ("-Fd 5", "d"),
        ("-Fs 'before 2024-1-1'", "dcba"),
        ("-Fs 2023-11-14 --started 'before 2000-1-1'", ""),
        ("-Fs 'last hour'", ""),
        ("-Set", "db"),
        ("-Sc -Ss", "ca"),
        ("--not-error --not-staged", "da"),
        ("-Sce --not-staged", "ba"),
        ("-Fo train -Fn -Sce -F 'x is not undefined' -Fs 'after 2023-1-1'", "ba"),
    ],
)
def test_filters_choose_runs(guild: Guild, in_zone: Callable[[str], None], args: str, expected: str) -> None:
    in_zone("UTC")
    assert listed(guild, args) == expected


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("-F x", "syntax error in filter at position 2: unexpected end"),
        ("-F ''", "the filter is empty"),
        ("-F " + "'" + "(" * 3000 + "'", "nested too deeply"),
        ("-Fs foo", "invalid RANGE: unexpected 'foo' in 'foo'"),
        ("-Fs ''", "invalid RANGE: unexpected end"),
        ("-Fs 2-30", "invalid RANGE: there is no such date"),
        ("-Fo :", "invalid operation for --operation: ':'"),
        ("-Fo ''", "invalid operation for --operation: ''"),
        ("-Fo '^('", "invalid regular expression for --operation: '^('"),
        ("-Fm -Fn", "--marked and --unmarked cannot both be used"),
        ("-Fl x -Fu", "--label and --unlabeled cannot both be used"),
    ],
)
def test_a_filter_that_cannot_be_understood_ends_the_command_before_it_does_anything(
    guild: Guild, home: Path, args: str, message: str
) -> None:
    for command in ("runs", "runs rm -y", "label -c -y", "compare --table"):
        outcome = guild(f"{command} {args}")
        assert (outcome.code, outcome.out) == (1, ""), command
        assert outcome.err.startswith("guild: "), command
        assert message in outcome.err, command
    assert len(list((home / "runs").iterdir())) == 4


def test_a_filter_from_elsewhere_is_shown_without_its_control_characters(guild: Guild) -> None:
    for option in ("-F", "-Fs", "-Fo"):
        err = guild(["runs", option, "\x1b[31m:\n("]).err
        assert "\x1b" not in err


def test_numbers_count_the_runs_that_the_filters_leave(guild: Guild, home: Path) -> None:
    outcome = guild("runs rm 2 -Fo train -y")
    assert outcome.code == 0
    assert sorted(path.name[0] for path in (home / "runs").iterdir()) == ["a", "c", "d"]


def test_the_time_range_is_of_local_time(guild: Guild, in_zone: Callable[[str], None]) -> None:
    in_zone("UTC")
    assert listed(guild, "-Fs 2023-11-14") == "dcba"  # the runs began at 22:13
    in_zone("Pacific/Auckland")
    assert listed(guild, "-Fs 2023-11-14") == ""


def test_every_command_that_filters_takes_all_filters_in_the_same_way() -> None:
    from guild.cli import root
    from guild.commands._runs_options import filter_options

    @filter_options(statuses=False)
    def own() -> None: ...

    wanted = {p.name: (p.opts, p.metavar) for p in click.Command("x", params=own.__click_params__).params}  # type: ignore[attr-defined]
    assert {"f_expressions", "f_started", "f_comments", "f_operations"} <= wanted.keys()
    seen = []

    def visit(command: click.Command, path: str) -> None:
        found = {p.name: (p.opts, p.metavar) for p in command.params if (p.name or "")[:2] == "f_"}
        if found:
            seen.append(path)
            assert found == wanted, path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                visit(child, f"{path} {name}")

    visit(root, "guild")
    assert {"guild runs list", "guild compare", "guild watch", "guild stop", "guild label"} <= set(seen)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-Set x", "-Se -St x"),
        ("-Se -Srcetps", "-Se -Sr -Sc -Se -St -Sp -Ss"),
        ("-Sx -Sex", "-Sx -Sex"),
        ("-S et x -S c", "-Se -St x -Sc"),
        ("-S x -S", "-S x -S"),
        ("-- -Set", "-- -Set"),
    ],
)
def test_combined_status_options_are_split(args: str, expected: str) -> None:
    assert split_statuses(shlex.split(args)) == shlex.split(expected)


@pytest.mark.parametrize("option", ["-Fl", "-Ft", "-Fc", "-Fd", "-F", "-Fo", "-Fs"])
def test_an_empty_text_is_no_filter(guild: Guild, home: Path, option: str) -> None:
    """An unset variable in a script must not mean every run."""
    make_run(home, "a")
    outcome = guild(["runs", "rm", "-y", option, ""])
    assert (outcome.code, "empty" in outcome.err or "invalid" in outcome.err) == (1, True), outcome
    assert (home / "runs" / "a").is_dir()


@pytest.mark.parametrize(
    "command", ["runs info", "ls", "open", "watch", "cat -O", "label -c -y", "runs rm -y"]
)
def test_an_empty_run_is_no_run(guild: Guild, home: Path, command: str) -> None:
    make_run(home, "a")
    outcome = guild([*command.split(), ""])
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: could not find a run matching ''")
