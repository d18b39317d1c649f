import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.commands.runs_tag import TagChange
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.helpers import Project
from tests.made_runs import damage, make_run


def tags_of(home: Path, run_id: str = "a") -> list[str]:
    return Run(home / "runs" / run_id).list_attr("tags")


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        (["-a", "new"], ["new", "one", "two"]),
        (["-a", "one"], ["one", "two"]),
        (["-a", "b", "-a", "with blank"], ["b", "one", "two", "with blank"]),
        (["-d", "one"], ["two"]),
        (["-d", "none"], ["one", "two"]),
        (["-d", "one", "-a", "one"], ["one", "two"]),
        (["-c"], []),
        (["-c", "-a", "x"], ["x"]),
    ],
)
def test_tags_are_added_and_removed_and_kept_in_order(
    guild: Guild, home: Path, options: list[str], tags: list[str]
) -> None:
    run = make_run(home, "a", attrs={"tags": ["two", "one"]})
    outcome = guild(["tag", *options, "-y"])
    assert (outcome.code, outcome.err) == (0, "Modified tags for 1 run(s)\n")
    assert tags_of(home) == tags
    assert (run.guild_dir / "attrs" / "tags").exists() is bool(tags)


def test_the_newest_run_is_tagged_by_default_and_more_when_named(guild: Guild, home: Path) -> None:
    make_run(home, "a", started=2)
    make_run(home, "b", started=1)
    guild("tag -a x -y")
    assert (tags_of(home, "a"), tags_of(home, "b")) == (["x"], [])
    assert guild("runs tag -a y : -y").err == "Modified tags for 2 run(s)\n"
    assert (tags_of(home, "a"), tags_of(home, "b")) == (["x", "y"], ["y"])


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (["-a", "new"], "new best two words lr=1"),
        (["-a", "b", "-a", "a"], "b a best two words lr=1"),
        (["-a", "best"], "best two words lr=1"),
        (["-d", "best"], "two words lr=1"),
        (["-d", "two words"], "best lr=1"),
        (["-d", "lr"], "best two words lr=1"),
        (["-c"], "lr=1"),
        (["-c", "-a", "x"], "x lr=1"),
    ],
)
def test_labels_follow_on_request_only(guild: Guild, home: Path, options: list[str], label: str) -> None:
    attrs = {"tags": ["best", "two words"], "label": "best two words lr=1"}
    make_run(home, "a", attrs=attrs, started=2)
    make_run(home, "b", attrs=attrs, started=1)
    guild(["tag", "1", *options, "-y", "-s"])
    guild(["tag", "2", *options, "-y"])
    assert Run(home / "runs" / "a").label == label
    assert Run(home / "runs" / "b").label == attrs["label"]


_WORD = st.text("abc.*", min_size=1, max_size=3)


@given(st.lists(_WORD), st.lists(_WORD), st.lists(_WORD))
def test_a_label_gains_and_loses_whole_words_only(
    label: list[str], add: list[str], delete: list[str]
) -> None:
    change = TagChange(tuple(add), tuple(delete), clear=False)
    words = change.apply_to_label(" ".join(label), label).split()
    assert set(words) == {*label, *add} - ({*delete} - {*add})


def test_all_tags_of_the_chosen_runs_are_listed(guild: Guild, home: Path) -> None:
    make_run(home, "a", "prepare", attrs={"tags": ["y", "x"]})
    make_run(home, "b", "train", attrs={"tags": ["y", "z\x1b[2J"]})
    make_run(home, "c", "train", attrs={"tags": {"no": "list"}})
    assert guild("tag --list-all").out == "x\ny\nz\\x1b[2J\n"
    assert guild("tag --list-all -Fo prepare").out == "x\ny\n"
    assert (guild("tag --list-all -Fo other").code, guild("tag --list-all -Fo other").out) == (0, "")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("", 2, "missing one of: --add, --delete, --clear, --list-all"),
        ("-s", 2, "missing one of: --add, --delete, --clear, --list-all"),
        ("-a x --list-all", 1, "--add and --list-all cannot both be specified"),
        ("-c --list-all", 1, "--clear and --list-all cannot both be specified"),
        ("-a ''", 1, "a tag cannot be empty"),
    ],
)
def test_what_is_wanted_must_be_clear(guild: Guild, home: Path, options: str, code: int, says: str) -> None:
    make_run(home, "a")
    outcome = guild(f"tag {options} -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (code, f"guild: {says}")


def test_it_asks_first_and_says_what_becomes_of_the_labels(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    outcome = guild("tag -a x", input="n\n")
    assert outcome.err.startswith("You are about to modify tags for the following runs:\nLabels are not")
    assert outcome.err.endswith("Continue? (Y/n) ")
    assert (outcome.code, tags_of(home)) == (4, [])
    outcome = guild("tag -a x -s", input="\n")
    assert "\nLabels are updated" in outcome.err
    assert (outcome.code, tags_of(home)) == (0, ["x"])


@pytest.mark.parametrize("content", [b"[: \xff", b"a text", b"{a: 1}", b"- {a: 1}"])
def test_a_damaged_list_of_tags_is_kept_until_it_is_cleared(guild: Guild, home: Path, content: bytes) -> None:
    damage(make_run(home, "bad", started=2), "tags", content)
    make_run(home, "good", started=1)
    outcome = guild("tag -a x : -y")
    assert re.match(r"guild: attribute 'tags' of run bad is damaged \('guild tag --clear bad'", outcome.err)
    assert outcome.err.endswith("\nModified tags for 1 run(s)\n")
    assert (home / "runs/bad/.guild/attrs/tags").read_bytes() == content
    assert tags_of(home, "good") == ["x"]
    assert guild("tag --clear bad -y").code == 0
    assert not (home / "runs/bad/.guild/attrs/tags").exists()


def test_numbers_among_the_tags_are_taken_as_text(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"tags": [1, "x"]})
    guild("tag -a y -y")
    assert tags_of(home) == ["1", "x", "y"]


def test_without_any_run_it_fails(guild: Guild) -> None:
    outcome = guild("tag -a x -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: no matching runs")


def test_changes_at_the_same_time_are_all_kept(project: Callable[..., Project]) -> None:
    at = project({})
    make_run(at.home, "a", attrs={"label": "own"})
    names = [f"t{i}" for i in range(4)]
    running = [at.popen(f"tag -a {name} -s -y") for name in names]
    running += [at.popen(f"comment -a {name} -y") for name in names]
    assert [each.wait().code for each in running] == [0] * 8
    run = Run(at.home / "runs" / "a")
    assert run.list_attr("tags") == names
    assert sorted(run.label.split()) == ["own", *names]
    assert sorted(comment["body"] for comment in run.list_attr("comments")) == names
