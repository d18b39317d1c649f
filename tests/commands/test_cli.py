"""What is typed, before any command has its say."""

import pytest

from tests.commands.conftest import Guild


def test_without_a_command_they_are_listed(guild: Guild) -> None:
    outcome = guild("")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\n  tensorboard  Show runs in TensorBoard" in outcome.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("rnu", "unrecognized command 'rnu' (did you mean 'run'?)"),
        ("zzz", "unrecognized command 'zzz'"),
        ("view", "'view' of Guild 0.9 is not supported here"),
        ("runs push x", "'push' of Guild 0.9 is not supported here"),
        ("runs -r x", "--remote is not supported: runs are on this machine only"),
        ("label 1 --remote x", "--remote is not supported: runs are on this machine only"),
        ("runs -Sx", "a status after -S is one or more of the letters r, c, e, t, p and s"),
        ("select -S x", "a status after -S is one or more of the letters r, c, e, t, p and s"),
        ("runs --complete", "unrecognized option '--complete' (did you mean --completed?)"),
    ],
)
def test_what_is_not_there_is_wrong_use_and_says_what_comes_near(guild: Guild, args: str, said: str) -> None:
    outcome = guild(args)
    assert (outcome.code, outcome.out, outcome.err.splitlines()[0]) == (2, "", f"guild: {said}")
