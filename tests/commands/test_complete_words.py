import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.commands._complete_words import Typed, split_typed

BREAKS = " \t\n\"'@><=;|&(:"


@pytest.mark.parametrize(
    ("line", "words", "word"),
    [
        ("guild ", ("guild",), ""),
        ("guild ru", ("guild",), "ru"),
        ("A=1 B='2 3' guild ru", ("guild",), "ru"),
        ("guild run a=b", ("guild", "run"), "a=b"),
        ('guild label -s "two words" 1', ("guild", "label", "-s", "two words"), "1"),
        ('guild label -s "two wo', ("guild", "label", "-s"), "two wo"),
        ("guild cat my\\ fi", ("guild", "cat"), "my fi"),
        ("guild cat '", ("guild", "cat"), ""),
        ("guild label -s '' ", ("guild", "label", "-s", ""), ""),
        ("guild cat \\", ("guild", "cat"), ""),
    ],
)
def test_a_line_is_split_up_to_the_cursor(line: str, words: tuple[str, ...], word: str) -> None:
    typed = split_typed(line)
    assert (typed.words, typed.word) == (words, word)


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("guild run lr=0.", 3),
        ("guild run m:tr", 2),
        ("guild run @tri", 1),
        ("guild run --tag=a=b", 8),
        ("guild run lr", 0),
        ("guild run lr='a=b", 3),
    ],
)
def test_bash_replaces_what_comes_after_its_last_word_break(line: str, start: int) -> None:
    assert split_typed(line, BREAKS).start == start
    assert split_typed(line).start in (0, 3)  # a quote counts in any case


def test_an_open_quote_is_known() -> None:
    assert split_typed("guild 'a") == Typed(("guild",), "a", 0, "'")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8), min_size=1))
def test_what_a_shell_was_given_quoted_comes_back(words: list[str]) -> None:
    line = "guild " + " ".join(map(shlex.quote, words)) + " "
    assert split_typed(line).words == ("guild", *words)


@given(st.text(max_size=40))
def test_no_line_is_too_odd(line: str) -> None:
    typed = split_typed(line, BREAKS)
    assert 0 <= typed.start <= len(typed.word)
