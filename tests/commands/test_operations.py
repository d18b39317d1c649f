import json
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


def test_more_of_each_operation_is_shown_below_it(guild: Guild) -> None:
    Path("guild.yml").write_text(GUILDFILE + "  flags: {b: 1, a: 2}\nbad: {exec: echo, tags: {}}\n")
    shown = ["bad", "evaluate", "  Flags:", "    a  (default is 2)", "    b  (default is 1)"]
    assert guild("operations -v").out.splitlines() == [*shown, "train     Train it.", "", "  At length."]


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


def test_a_bad_operation_is_listed_with_a_warning_for_each_fault(guild: Guild) -> None:
    Path("guild.yml").write_text(
        "good: {exec: echo}\nbad: {exec: echo, tags: {}, flags: 3}\nodd: {exec: echo, lable: x}\n"
    )
    outcome = guild("operations")
    assert (outcome.code, outcome.out) == (0, "bad\ngood\nodd\n")
    odd, bad, other = outcome.err.splitlines()
    assert odd == "WARNING: guild.yml: odd.lable: unknown attribute 'lable' (did you mean 'label'?)"
    assert bad.startswith("WARNING: 'bad' cannot be run: error in ")
    assert bad.endswith("guild.yml:2: bad.flags: expected a mapping, got int 3")
    assert "guild.yml:2: bad.tags: expected a text" in other


def test_operations_are_told_as_json(guild: Guild) -> None:
    Path("guild.yml").write_text("a: {exec: echo, description: A, default: yes}\nb: 3\n")
    a, b = json.loads(guild("operations --json").out)
    assert a == {"name": "a", "description": "A", "default": True, "error": None}
    assert "expected a text or a mapping" in b["error"]


def test_operations_of_hidden_models_are_hidden(guild: Guild) -> None:
    Path("guild.yml").write_text("- model: _m\n  operations: {go: {exec: echo}}\n")
    assert guild("operations").out == ""
    assert guild("operations -a").out == "_m:go\n"
