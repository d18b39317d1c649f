from pathlib import Path

import pytest

from guild.errors import OperationNotFound
from tests.commands.conftest import Guild

GUILDFILE = """
- operations:
    plain: {exec: echo, description: Plain one}
- model: m
  description: |
    A model.

    More of it.
  references: [http://a]
  resources: {data: {description: The data, sources: [file: x]}}
  operations:
    train:
      description: Train it
      exec: echo
      flags:
        lr: {default: 0.1, description: Learning rate}
        opt: {required: yes, choices: [sgd, {value: adam, description: Adam}]}
        n: {choices: [1, {value: 2, alias: two}], null-label: auto}
      references: [http://b]
    bad: {exec: echo, tags: {}}
    _hidden: {exec: echo}
- model: _n
  operations: {x: {exec: echo}}
"""
PAGE = """
BASE OPERATIONS

    plain
      Plain one

MODELS

    m

      A model.

      More of it.

      Operations:

        bad
          This operation cannot be run: error in {cwd}/guild.yml:20: m.operations.bad.tags: \
expected a text, got dict {{}}

        train
          Train it

          Flags:
            lr   Learning rate (default is 0.1)
            n    (default is auto) choices: 1, two
            opt  (required)
                   sgd
                   adam  Adam

          References:
            - http://b

      References:

        - http://a
"""


def test_help_is_one_page_of_models_operations_and_flags(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    page = guild("help").out
    assert page.startswith(
        "OVERVIEW\n\n    You are viewing help for operations defined in the current directory."
    )
    assert page.partition("try 'guild --help'.\n")[2] == PAGE.format(cwd=Path.cwd())


def test_help_of_another_directory_or_its_guildfile(guild: Guild) -> None:
    Path("sub").mkdir()
    Path("sub/guild.yml").write_text("- package: pk\n- operations: {other: {main: t, flags-import: all}}\n")
    Path("sub/t.py").write_text("lr = 0.5\n")
    for args in ("help sub", "help sub/guild.yml", "-C sub help", "help -"):
        page = guild(args).out
        assert "operations defined in the 'pk' package" in page
        assert page.endswith("    other\n      Flags:\n        lr  (default is 0.5)\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("help", "the current directory does not contain a guild.yml"),
        ("help sub", "'sub' does not contain a guild.yml"),
        ("help gone", "'gone' is no project directory"),
    ],
)
def test_where_there_is_no_guildfile_it_says_so(guild: Guild, args: str, said: str) -> None:
    Path("sub").mkdir()
    outcome = guild(args)
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, f"guild: {said}")


def test_help_of_a_broken_guildfile_is_an_error(guild: Guild) -> None:
    Path("guild.yml").write_text("- foo: 1\n")
    assert guild("help").err.startswith("guild: error loading guildfile from .: error in ")


def test_help_of_a_model_lists_its_operations_and_resources(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE)
    assert guild("run m:train --help-model").out == (
        "Usage: guild run [OPTIONS] m:OPERATION [FLAG]...\n\nA model.\n\nMore of it.\n\n"
        "Use 'guild run m:OPERATION --help-op' for help on a particular operation.\n\n"
        "Operations:\n  bad\n  train  Train it\n\nResources:\n  data  The data\n"
    )
    assert "Operations:\n  plain  Plain one" in guild("run plain --help-model").out
    assert guild("run x:y --help-model").err.startswith("guild: cannot find operation x:y")


def test_without_a_guildfile_there_is_no_model(guild: Guild) -> None:
    outcome = guild("run a --help-model")
    assert outcome.code == OperationNotFound("").code
    assert outcome.err.startswith("guild: cannot find a model in ")
