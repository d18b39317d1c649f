from pathlib import Path

from tests.commands.conftest import Guild

GUILDFILE = """
train:
  description: |
    Train it.

    At length.
  exec: echo train
_hidden:
  exec: echo hidden
evaluate:
  exec: echo evaluate
"""


def test_operations_are_listed_with_the_first_line_of_their_description(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    assert guild("operations").out == "evaluate\ntrain     Train it.\n"
    assert guild("ops -a").out == "_hidden\nevaluate\ntrain     Train it.\n"


def test_a_filter_keeps_names_that_contain_it(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    assert guild("operations rai").out == "train  Train it.\n"
    assert guild("operations rai val").out.splitlines()[0] == "evaluate"
    assert guild("operations none").out == ""


def test_operations_of_named_models_show_the_model(guild: Guild) -> None:
    Path("guild.yml").write_text("- model: m\n  operations:\n    go: {exec: echo}\n    _no: {exec: echo}\n")
    assert guild("operations").out == "m:go\n"


def test_without_a_guildfile_nothing_is_listed(guild: Guild) -> None:
    assert (guild("operations").code, guild("operations").out) == (0, "")


def test_a_broken_guildfile_is_an_error_that_says_where(guild: Guild) -> None:
    Path("guild.yml").write_text("train: [\n")
    outcome = guild("operations")
    assert outcome.code == 1
    assert outcome.err.startswith("guild: error loading guildfile from .: ")
    assert "guild.yml" in outcome.err
