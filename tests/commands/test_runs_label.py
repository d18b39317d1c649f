from pathlib import Path

import pytest

from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import damage, make_run


def label_of(home: Path, run_id: str = "a") -> str:
    return Run(home / "runs" / run_id).label


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (["-s", "new"], "new"),
        (["-s", "lr=${lr} ${label}"], "lr=0.1 one two one"),
        (["-s", "${label}"], "one two one"),
        (["-p", "zero"], "zero one two one"),
        (["-a", "x${lr}"], "one two one x0.1"),
        (["-rm", "one"], "two"),
        (["-rm", "one", "-rm", "two"], ""),
        (["-rm", "none"], "one two one"),
        (["-rm", "on"], "one two one"),
        (["-rm", "o.*", "-rm", "x|y"], ""),
        (["-rm", "t.o|none"], "one one"),
        (["-rm", "one two"], "one"),
        (["-s", "  x   y "], "x   y"),
        (["-a", " x "], "one two one x"),
        (["-c"], ""),
    ],
)
def test_a_label_is_set_extended_shortened_or_removed(
    guild: Guild, home: Path, options: list[str], label: str
) -> None:
    run = make_run(home, "a", attrs={"label": "one two one", "flags": {"lr": 0.1}})
    outcome = guild(["label", *options, "-y"])
    assert (outcome.code, label_of(home)) == (0, label)
    assert outcome.err == ("Cleared label for 1 run(s)\n" if options == ["-c"] else "Labeled 1 run(s)\n")
    assert (run.guild_dir / "attrs" / "label").exists() is bool(label)


def test_the_newest_run_is_labeled_by_default_and_more_when_named(guild: Guild, home: Path) -> None:
    make_run(home, "a", started=2)
    make_run(home, "b", started=1)
    guild("label -s x -y")
    assert (label_of(home, "a"), label_of(home, "b")) == ("x", "")
    assert guild("runs label -s y : -y").err == "Labeled 2 run(s)\n"
    assert (label_of(home, "a"), label_of(home, "b")) == ("y", "y")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("", 2, "missing one of: --set, --append, --prepend, --remove, --clear"),
        ("-s a -p b", 1, "--set and --prepend cannot both be specified"),
        ("-p a -a b", 1, "--append and --prepend cannot both be specified"),
        ("-c -rm b", 1, "--remove and --clear cannot both be specified"),
        ("-s ''", 2, "missing one of: --set, --append, --prepend, --remove, --clear"),
        ("-a '' -p ''", 2, "missing one of: --set, --append, --prepend, --remove, --clear"),
        (
            "-rm '['",
            1,
            "invalid regular expression for --remove: '[': unterminated character set at position 0",
        ),
    ],
)
def test_exactly_one_change_is_asked_for(
    guild: Guild, home: Path, options: str, code: int, says: str
) -> None:
    make_run(home, "a")
    outcome = guild(f"label {options} -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (code, f"guild: {says}")


def test_it_asks_with_the_template_as_typed(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"label": "old"})
    outcome = guild(["label", "-s", "${x}"], input="n\n")
    assert outcome.err.startswith("You are about to label the following runs with '${x}':\n  [a]")
    assert outcome.err.endswith("Continue? (Y/n) ")
    assert (outcome.code, label_of(home)) == (4, "old")
    assert (guild("label -c", input="\n").code, label_of(home)) == (0, "")


def test_a_damaged_label_can_be_replaced(guild: Guild, home: Path) -> None:
    damage(make_run(home, "a"), "label")
    guild("label -a new -y")
    assert label_of(home) == "new"


def test_without_any_run_it_fails(guild: Guild) -> None:
    outcome = guild("label -s x -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: no matching runs")
