"""The recorded name of an operation: written as Guild 0.9 writes it, read whoever wrote it."""

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guild.errors import OpRefError
from guild.ops.opref import OpRef, parse_opref

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
kinds = words.filter(lambda text: ":" not in text)
oprefs = st.builds(OpRef, kinds, words, words, words, words)


@given(oprefs)
@example(OpRef("guildfile", "/my proj/guild.yml", "1.0", "", "train"))
@example(OpRef("script", "it's", "", "", "'x'"))
@example(OpRef("", "", "", "", ""))
@example(OpRef("a", "'", "''", "'a'", '"\'"'))
@example(OpRef("a", "C:/x", "", "", "op:1"))
def test_what_is_written_is_read_again(opref: OpRef) -> None:
    assert parse_opref(str(opref)) == opref


@given(st.text(max_size=40))
def test_any_other_text_is_an_error_of_its_own(text: str) -> None:
    try:
        opref = parse_opref(text)
    except OpRefError:
        return
    assert parse_opref(str(opref)) == opref


@pytest.mark.parametrize(
    ("opref", "written"),
    [
        (OpRef("guildfile", "/p/guild.yml", "a995", "m", "train"), "guildfile:/p/guild.yml a995 m train"),
        (OpRef("guildfile", "/my p/guild.yml", "4", "", "x"), "guildfile:'/my p/guild.yml' 4 '' x"),
        (OpRef("script", "/tmp/p", "", "", "train.py"), "script:/tmp/p '' '' train.py"),
        (OpRef("builtin", "guildai", "0.9.0", "", "+"), "builtin:guildai 0.9.0 '' +"),
        (OpRef("builtin", "guildai", "0.9.0", "skopt", "gp"), "builtin:guildai 0.9.0 skopt gp"),
        (OpRef("package", "gpkg.x", "1.0", "m", "train"), "package:gpkg.x 1.0 m train"),
        (OpRef("func", "", "", "", "f"), "func:'' '' '' f"),
        (OpRef("script", "/it's", "", "", "'quoted'"), "script:'/it'\"'\"'s' '' '' \"'\"'quoted'\"'\""),
    ],
)
def test_it_is_written_as_guild_0_9_writes_it(opref: OpRef, written: str) -> None:
    assert str(opref) == written
    assert parse_opref(written) == opref


@pytest.mark.parametrize(
    "text",
    [
        "",
        "train",
        "a b c d",
        "script:a b c",
        "script:a b c d e",
        "script:'a b c d",
        "script:a b 'c' \"d",
        "\n",
    ],
)
def test_a_text_of_another_form_is_refused_by_name(text: str) -> None:
    with pytest.raises(OpRefError, match="invalid operation reference") as caught:
        parse_opref(text)
    assert repr(text)[:-1] in caught.value.message


def test_a_huge_text_is_not_repeated_whole() -> None:
    with pytest.raises(OpRefError) as caught:
        parse_opref("x" * 100_000)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("text", "display", "directory"),
    [
        ("guildfile:/p/guild.yml 1 '' train", "train", "/p"),
        ("guildfile:/p/guild.yml 1 m train", "m:train", "/p"),
        ("script:/tmp/p '' '' train.py", "train.py", "/tmp/p"),
        ("package:pkg 1.0 m train", "pkg/m:train", None),
        ("package:pkg 1.0 '' train", "pkg/train", None),
        ("builtin:guildai 0.9.0 '' queue", "queue", None),
        ("func:'' '' '' fit", "fit()", None),
        ("import:/q/x.yml '' m op", "m:op", "/q"),
        ("pending:? ? ? op", "?:op", None),
    ],
)
def test_listings_show_the_operation_and_the_directory_it_is_from(
    text: str, display: str, directory: str | None
) -> None:
    opref = parse_opref(text)
    assert (opref.display, opref.directory) == (display, directory)


def test_only_the_built_in_queue_is_a_queue() -> None:
    assert parse_opref("builtin:guildai 0.9.0 '' queue").is_queue
    assert not parse_opref("guildfile:/p/guild.yml 1 '' queue").is_queue
    assert not parse_opref("builtin:guildai 0.9.0 '' random").is_queue


def test_writing_is_shell_quoting_of_four_words() -> None:
    opref = OpRef("t", "a b", "$x", "", "`c`")
    assert shlex.split(str(opref)) == ["t:a b", "$x", "", "`c`"]


def test_what_is_too_long_is_no_reference() -> None:
    with pytest.raises(OpRefError):
        parse_opref("a:" + "b" * 1_000_000 + " 'c' '' d")
