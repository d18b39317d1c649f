"""The words of a command line that is still being typed, up to the cursor. Pure."""

import re
from dataclasses import dataclass

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Typed:
    """`words`: those that are complete, the program first. `word`: the one at the cursor, without its quotes.

    `start`: where in `word` the shell begins to replace it; `quote`: the quote that is still open there.
    """

    words: tuple[str, ...]
    word: str
    start: int = 0
    quote: str = ""


def split_typed(line: str, breaks: str = "") -> Typed:
    """Split as a shell would, except that nothing is expanded, and open quotes are allowed.

    `breaks`: characters at which the shell begins a new part of a word (bash's COMP_WORDBREAKS).
    """
    words: list[str] = []
    word, start, quote, is_word = "", 0, "", False
    chars = iter(line)
    for char in chars:
        if char == "\\" and quote != "'":
            word, is_word = word + next(chars, ""), True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word += char
        elif char in "'\"":
            quote, start, is_word = char, len(word), True
        elif char.isspace():
            if is_word:
                words.append(word)
            word, start, is_word = "", 0, False
        else:
            word, is_word = word + char, True
            start = len(word) if char in breaks else start
    while words and _ASSIGNMENT.match(words[0]):  # `NAME=VALUE guild ...`
        del words[0]
    return Typed(tuple(words), word, start, quote)
