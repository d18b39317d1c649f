"""The environment of a job: what is kept, what is left out, who wins; and the text of `ENV`."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.launch.environ import (
    format_env,
    is_secret,
    job_environ,
    parse_env,
    python_path,
    recorded,
    without_run,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda n: n not in ("PWD", "_"))
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
ENVIRONS = st.dictionaries(NAMES, VALUES, max_size=6)


@given(ENVIRONS)
def test_an_environment_reads_back(environ: dict[str, str]) -> None:
    assert parse_env(format_env(environ)) == environ


@pytest.mark.parametrize(
    "value", ["", "a b", "it's", 'say "x"', "two\nlines", "$HOME `x`", "back\\slash", "é", "=", "#", "\t"]
)
def test_a_shell_reads_the_same(value: str) -> None:
    script = format_env({"X": value}) + 'printf %s "$X"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode() == value


def test_names_that_no_shell_takes_and_the_directory_are_left_out() -> None:
    assert (
        format_env({"A-B": "1", "1X": "2", "PWD": "/", "_": "x", "B": "3", "A": "4"})
        == "export A=4\nexport B=3\n"
    )


@given(st.text(max_size=80))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    assert all(isinstance(v, str) for v in parse_env(text).values())


def test_lines_that_are_none_are_skipped() -> None:
    text = "# made by hand\nexport A=1\nB=2\nexport C='x y'\nexport D=\nexport E=\"q\"\nexport F=a'b c'd\n"
    assert parse_env(text) == {"A": "1", "C": "x y", "D": "", "E": "q", "F": "ab cd"}


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "password",
        "DB_PASSWD",
        "API_KEY",
        "MY_APIKEY",
        "KEY",
        "HTTP_AUTH",
        "Passphrase",
    ],
)
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["PATH", "KEYBOARD", "MONKEY", "AUTHOR", "PASSENGER", "HOME", "COMPASS"])
def test_what_only_sounds_like_one_is_none(name: str) -> None:
    assert not is_secret(name)
    assert is_secret(name, [name])


@given(ENVIRONS)
def test_nothing_secret_is_recorded(environ: dict[str, str]) -> None:
    kept = recorded({**environ, "API_TOKEN": "x", "MINE": "y"}, ["MINE"])
    assert not {"API_TOKEN", "MINE"} & set(kept)
    assert not any(is_secret(name) for name in kept)


def test_inside_of_a_run_what_is_the_runs_goes() -> None:
    environ = {
        "RUN_ID": "q",
        "RUN_DIR": "/q",
        "FLAG_X": "1",
        "FLAGS_DEST": "args",
        "CMD_DIR": "/",
        "PATH": "p",
        "_": "x",
    }
    assert without_run(environ) == {"PATH": "p"}


def test_outside_of_a_run_the_users_own_variables_stay() -> None:
    environ = {"FLAG_X": "1", "CMD_DIR": "/mine", "_": "x"}
    assert without_run(environ) == {"FLAG_X": "1", "CMD_DIR": "/mine"}


# The rule.


def job(
    base: dict[str, str], starter: dict[str, str], is_recorded: bool, secrets: tuple[str, ...] = ()
) -> dict[str, str]:
    return job_environ(
        base,
        starter,
        {"OWN": "own", "BOTH": "own"},
        {"RUN_ID": "r", "BOTH": "run"},
        is_recorded=is_recorded,
        env_secrets=secrets,
    )


def test_a_staged_run_gets_what_was_recorded_and_nothing_of_the_queue() -> None:
    queue = {"RUN_ID": "queue", "FLAG_POLL": "10", "GUILD_OP": "queue", "X": "today", "NEW": "1"}
    assert job({"X": "then"}, queue, True) == {"X": "then", "OWN": "own", "BOTH": "run", "RUN_ID": "r"}


def test_secrets_come_from_who_starts_it() -> None:
    got = job(
        {"X": "then"}, {"API_TOKEN": "t", "MINE": "m", "RUN_ID": "queue", "OTHER": "o"}, True, ("MINE",)
    )
    assert got["API_TOKEN"] == "t"
    assert got["MINE"] == "m"
    assert "OTHER" not in got


def test_a_run_that_was_not_staged_gets_the_starters_without_that_of_another_run() -> None:
    starter = {"X": "now", "RUN_ID": "outer", "FLAG_X": "1"}
    assert job(starter, starter, False) == {"X": "now", "OWN": "own", "BOTH": "run", "RUN_ID": "r"}


@given(ENVIRONS, ENVIRONS, ENVIRONS, ENVIRONS, st.booleans())
def test_the_runs_own_word_is_the_last(
    base: dict[str, str], starter: dict[str, str], own: dict[str, str], run: dict[str, str], is_recorded: bool
) -> None:
    got = job_environ(base, starter, own, run, is_recorded=is_recorded)
    assert got.items() >= {**own, **run}.items()
    assert got.keys() <= base.keys() | starter.keys() | own.keys() | run.keys()


# PYTHONPATH.


def test_the_source_code_and_our_part_come_first() -> None:
    assert python_path(".", "/guild", "/a:/b", lambda p: False) == ".:/guild:/a:/b"
    assert python_path(".", "/guild", "", lambda p: False) == ".:/guild"
    assert python_path(".", "/guild", ".:/guild:/a", lambda p: False) == ".:/guild:/a"  # recorded at staging


def test_entries_that_hold_another_guild_are_dropped() -> None:
    assert python_path("src", "/guild", "src:/old/site-packages::/b", lambda p: "old" in p) == "src:/guild:/b"
