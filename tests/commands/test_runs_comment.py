import time
from pathlib import Path
from typing import Any

import click
import pytest

from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import EPOCH, damage, make_run


@pytest.fixture(autouse=True)
def _known_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setenv("HOST", "box")
    time.tzset()


def comments(home: Path, run_id: str = "a") -> list[Any]:
    return Run(home / "runs" / run_id).list_attr("comments")


def bodies(home: Path, run_id: str = "a") -> list[str]:
    return [comment["body"] for comment in comments(home, run_id)]


def entry(body: Any, **changes: Any) -> dict[str, Any]:
    return {"body": body, "host": "box", "time": EPOCH, "user": "ann", **changes}


def test_a_comment_is_added_with_user_host_and_time(guild: Guild, home: Path) -> None:
    make_run(home, "a", started=2, attrs={"comments": [entry("old")]})
    make_run(home, "b", started=1)
    outcome = guild(["comment", "-a", " too noisy\nfor me ", ":", "-y"])
    assert (outcome.code, outcome.err) == (0, "Added comment to 2 run(s)\n")
    assert bodies(home) == ["old", "too noisy\nfor me"]
    (added,) = comments(home, "b")
    assert abs(added.pop("time") / 1e6 - time.time()) < 60
    assert added == {"body": "too noisy\nfor me", "host": "box", "user": "ann"}


@pytest.mark.parametrize(
    ("text", "user", "host"),
    [
        ("bob", "bob", "box"),
        ("bob@there", "bob", "there"),
        ("@there", "ann", "there"),
        ("bob@", "bob", "box"),
    ],
)
def test_somebody_else_may_be_named(guild: Guild, home: Path, text: str, user: str, host: str) -> None:
    make_run(home, "a")
    guild(["runs", "comment", "-a", "x", "-u", text, "-y"])
    assert [(c["user"], c["host"]) for c in comments(home)] == [(user, host)]


def test_comments_are_listed_with_their_numbers(guild: Guild, home: Path) -> None:
    make_run(
        home, "aaaaaaaaaa", started=2, attrs={"comments": [entry("one\n\x1b[2Jtwo"), entry("x", user="")]}
    )
    make_run(home, "b", started=1)
    assert guild("comment -l :").out.splitlines() == [
        "aaaaaaaa  train (/projects/p)  2023-11-14 22:13:22  completed",
        "[1] ann@box 2023-11-14 22:13:20",
        "",
        "  one",
        "  \\x1b[2Jtwo",
        "",
        "[2] @box 2023-11-14 22:13:20",
        "",
        "  x",
        "",
        "b         train (/projects/p)  2023-11-14 22:13:21  completed",
        "  <no comments>",
    ]


def test_a_comment_is_removed_by_its_number_where_there_is_one(guild: Guild, home: Path) -> None:
    make_run(home, "a", started=2, attrs={"comments": [entry("1"), entry("2")]})
    make_run(home, "b", started=1, attrs={"comments": [entry("1")]})
    outcome = guild("comment -d 2 : -y")
    assert outcome.err == "guild: run b has no comment 2\nDeleted comment for 1 run(s)\n"
    assert (outcome.code, bodies(home), bodies(home, "b")) == (0, ["1"], ["1"])
    assert guild("comment -d 2 b -y").code == 1
    guild("comment -d 1 b -y")
    assert not (home / "runs/b/.guild/attrs/comments").exists()


def test_all_comments_are_cleared_with_no_as_the_default_answer(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"comments": [entry("1"), entry("2")]})
    outcome = guild("comment -c", input="\n")
    assert outcome.err.startswith("WARNING: You are about to delete ALL comments from the following runs:\n")
    assert (outcome.code, bodies(home)) == (4, ["1", "2"])
    assert guild("comment -c -y").err == "Deleted all comments for 1 run(s)\n"
    assert bodies(home) == []


def test_without_a_text_the_editor_is_opened_with_the_runs_in_its_note(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    def edit(text: str, **options: Any) -> str:
        shown.append(text)
        return f"from the editor\n{text}"

    monkeypatch.setattr(click, "edit", edit)
    make_run(home, "a")
    assert guild("comment -y").code == 0
    assert guild("comment -y -e -a first").code == 0
    assert bodies(home) == ["from the editor", "from the editor\nfirst"]
    assert "\n# Runs:\n#  [a]  train" in shown[0]
    assert shown[1].startswith("first\n#")


@pytest.mark.parametrize("args", [["-a", ""], ["-a", " \n"], []])
def test_an_empty_comment_is_none(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.setattr(click, "edit", lambda text, **options: None)
    make_run(home, "a")
    outcome = guild(["comment", *args, "-y"])
    assert (outcome.code, outcome.err) == (1, "guild: the comment is empty, so nothing was added\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("-l -a x", "--list and --add cannot both be specified"),
        ("-a x -c", "--add and --clear cannot both be specified"),
        ("-a x -d 1", "--add and --delete cannot both be specified"),
        ("-c -e", "--clear and --edit cannot both be specified"),
    ],
)
def test_one_thing_is_asked_for(guild: Guild, home: Path, options: str, says: str) -> None:
    make_run(home, "a")
    outcome = guild(f"comment {options} -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, f"guild: {says}")


def test_the_number_of_a_comment_begins_with_one(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"comments": [entry("1")]})
    assert (guild("comment -d 0 -y").code, guild("comment -d x -y").code) == (2, 2)
    assert bodies(home) == ["1"]


def test_it_asks_first(guild: Guild, home: Path) -> None:
    make_run(home, "a", attrs={"comments": [entry("1")]})
    outcome = guild("comment -a x", input="n\n")
    assert outcome.err.startswith("You are about to add a comment to the following runs:\n  [a]")
    assert (outcome.code, guild("comment -d 1", input="n\n").code, bodies(home)) == (4, 4, ["1"])


@pytest.mark.parametrize("content", [b"[: \xff", b"a text", b"{a: 1}"])
def test_damaged_comments_are_kept_until_they_are_cleared(guild: Guild, home: Path, content: bytes) -> None:
    damage(make_run(home, "bad", started=2), "comments", content)
    make_run(home, "good", started=1)
    outcome = guild("comment -a x : -y")
    assert outcome.err.startswith(
        "guild: attribute 'comments' of run bad is damaged ('guild comment --clear bad'"
    )
    assert outcome.err.endswith("\nAdded comment to 1 run(s)\n")
    assert guild("comment -d 1 bad -y").code == 1
    assert (home / "runs/bad/.guild/attrs/comments").read_bytes() == content
    assert "  <no comments>" in guild("comment -l bad").out
    guild("comment -c bad -y")
    assert guild("comment -a x bad -y").code == 0


def test_an_odd_entry_keeps_its_number_and_is_shown(guild: Guild, home: Path) -> None:
    odd = ["only text", entry(5, time="never"), {"body": ["a"], "user": 7}]
    make_run(home, "a", attrs={"comments": odd})
    out = guild("comment -l").out
    assert "[1] ?\n\n  only text\n" in out
    assert "[2] ann@box\n\n  5\n" in out
    guild("comment -d 2 -y")
    assert comments(home) == [odd[0], odd[2]]


def test_without_any_run_it_fails(guild: Guild) -> None:
    outcome = guild("comment -l")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: no matching runs")
