from pathlib import Path

from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import damage, make_run


def marked(home: Path) -> set[str]:
    return {path.name for path in (home / "runs").iterdir() if Run(path).attr("marked") is True}


def test_the_newest_run_is_marked_by_default_also_when_others_are(guild: Guild, home: Path) -> None:
    make_run(home, "a", started=3)
    make_run(home, "b", started=2, attrs={"marked": True})
    outcome = guild("mark -y")
    assert (outcome.code, outcome.err) == (0, "Marked 1 run(s)\n")
    assert marked(home) == {"a", "b"}


def test_named_runs_and_those_that_match_filters_are_marked(guild: Guild, home: Path) -> None:
    for at, name in enumerate("dcba"):
        make_run(home, name, started=at, status="error" if name == "d" else "completed")
    assert guild("runs mark 2:3 -y").err == "Marked 2 run(s)\n"
    assert guild("mark -Se -y").err == "Marked 1 run(s)\n"
    assert marked(home) == {"b", "c", "d"}


def test_clearing_without_a_name_is_for_all_marked_runs(guild: Guild, home: Path) -> None:
    for name in "abc":
        make_run(home, name, attrs={"marked": True})
    assert guild("mark -c a -y").err == "Unmarked 1 run(s)\n"
    assert marked(home) == {"b", "c"}
    outcome = guild("mark -c", input="y\n")
    assert outcome.err.startswith("You are about to unmark the following runs:\n")
    assert outcome.err.endswith("Continue? (Y/n) Unmarked 2 run(s)\n")
    assert marked(home) == set()
    assert not (home / "runs/b/.guild/attrs/marked").exists()
    outcome = guild("mark -c -y")
    assert (outcome.code, outcome.err) == (0, "No runs to unmark.\n")


def test_it_asks_first(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    outcome = guild("mark", input="n\n")
    assert outcome.err.startswith("You are about to mark the following runs:\n  [a]  train")
    assert (outcome.code, marked(home)) == (4, set())


def test_a_mark_is_shown_and_a_damaged_one_is_none(guild: Guild, home: Path) -> None:
    run = make_run(home, "a")
    damage(run, "marked")
    assert "[marked]" not in guild("runs").out
    guild("mark a -y")
    assert "[marked]" in guild("runs").out
    assert (run.guild_dir / "attrs" / "marked").read_text() == "true\n"


def test_a_run_without_attributes_can_be_marked(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", started=None, status="none")
    (run.guild_dir / "attrs").rmdir()
    assert guild("mark -y").err == "Marked 1 run(s)\n"
    assert marked(home) == {"a"}


def test_without_any_run_it_fails(guild: Guild) -> None:
    outcome = guild("mark -y")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: no matching runs")
