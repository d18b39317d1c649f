import json
from pathlib import Path

from tests.commands.conftest import Guild

GUILDFILE = """
- model: net2
  description: |
    A net.

    More.
  operations: {b: {exec: echo}, a: {exec: echo}}
- model: net1
- model: _base
- operations: {c: {exec: echo}}
"""


def test_models_are_listed_with_the_first_line_of_their_description(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    assert guild("models").out == "net1\nnet2  A net.\n"
    assert guild("models -a").out.splitlines()[0] == "_base"
    assert guild("models 2").out == "net2  A net.\n"


def test_more_of_each_model_is_shown_below_it(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    source = f"  source: {Path.cwd() / 'guild.yml'}"
    assert guild("models -v").out.splitlines() == [
        *("net1", source, "  operations:"),
        *("net2  A net.", "", "  More.", source, "  operations: a, b"),
    ]


def test_models_are_told_as_json(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    assert json.loads(guild("models --json 2").out) == [
        {"name": "net2", "description": "A net.\n\nMore.", "operations": ["a", "b"]}
    ]


def test_where_there_is_none_it_says_so(guild: Guild) -> None:
    assert guild("models").err.startswith("No models are defined in ")
    Path("guild.yml").write_text(GUILDFILE)
    assert guild("models zzz").err == "No models match.\n"
    Path("guild.yml").write_text("- foo: 1\n")
    assert guild("models").err.startswith("guild: error loading guildfile from .: ")
