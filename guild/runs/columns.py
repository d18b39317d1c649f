"""Columns: what `guild compare` and `guild select` are told to look at, as text and as a value.

A column is `.attr` (or `attr:x`), `=flag` (`flag:x`), or a scalar: `[QUALIFIER] [PREFIX#]TAG [step]`
(`scalar:x`), each with an optional `as HEADING`. Names that hold blanks or commas, or are words of the
language, are quoted; in quotes, a backslash keeps the next character as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from guild.errors import GuildError

Kind = Literal["attr", "flag", "scalar"]
QUALIFIERS = ("min", "max", "first", "last", "avg", "total", "count")
WITH_STEP = ("", "min", "max", "first", "last")
_RESERVED = {*QUALIFIERS, "step", "as"}
_KINDS: dict[str, Kind] = {
    ".": "attr", "attr:": "attr", "=": "flag", "flag:": "flag", "scalar:": "scalar", "": "scalar",
}  # fmt: skip
_KIND_NAMES = {"attr": "an attribute", "flag": "a flag"}
_TOKEN = re.compile(
    r"""\s*(?P<all>(?P<comma>,)
    | (?P<sign>=|\.|attr:|flag:|scalar:|(?!attr:|flag:|scalar:|[=.]))
      (?: "(?P<double>(?:[^"\\]|\\.)*)"(?=[\s,]|\Z)
      | '(?P<single>(?:[^'\\]|\\.)*)'(?=[\s,]|\Z)
      | (?P<bare>[^\s,"'][^\s,]*) ) )""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[^\s,\"'=.#][^\s,]*\Z")


@dataclass(frozen=True)
class Column:
    """One column. `name` is that of the attribute or flag, or the scalar's tag; `prefix` the directory of the
    scalar's event file (None: the first that has the tag); `shown` the heading that was asked for."""

    kind: Kind
    name: str
    prefix: str | None = None
    qualifier: str = ""  # of a scalar: its last value
    step: bool = False  # of a scalar: not the value, but its step
    shown: str = ""

    @property
    def heading(self) -> str:
        """As Guild 0.9 heads it: without the qualifier."""
        if self.shown:
            return self.shown
        key = self.name if self.prefix is None else f"{self.prefix} {self.name}"
        return f"{key} step" if self.step else key

    @property
    def full_heading(self) -> str:
        """With the qualifier, to tell `min loss` from `loss`."""
        return self.heading if self.shown or not self.qualifier else f"{self.qualifier} {self.heading}"

    def __str__(self) -> str:
        """The text that `parse_column` reads as this column."""
        sign = {"attr": ".", "flag": "=", "scalar": ""}[self.kind]
        name = self.name if self.prefix is None else f"{self.prefix}#{self.name}"
        if self.kind == "scalar" and self.prefix is None and "#" in name:
            name = f"#{name}"
        name = _quoted(name, plain=self.kind != "attr" or "#" not in name)
        words = [self.qualifier, sign + name, "step" if self.step else ""]
        if self.shown:
            words += ["as", _quoted(self.shown)]
        return " ".join(word for word in words if word)

    def same_value(self, other: "Column") -> bool:
        """Whether both show the same, if under different headings."""
        return replace(self, shown="") == replace(other, shown="")


@dataclass(frozen=True)
class _Token:
    kind: Kind
    sign: str
    text: str
    quoted: bool
    at: int  # counted from 1

    @property
    def word(self) -> str:
        """The word of the language that this is, else ''."""
        return self.text if not self.sign and not self.quoted and self.text in _RESERVED else ""


def parse_column(text: str) -> Column:
    """A single column. Raises GuildError for none, several, or a text of another form."""
    columns = parse_columns(text)
    if len(columns) != 1:
        raise _error(text, "one column is needed here")
    return columns[0]


def parse_columns(text: str) -> tuple[Column, ...]:
    """Columns with commas between; none for an empty text. Raises GuildError that says where it is wrong."""
    if not text.strip():
        return ()
    columns = []
    words: list[_Token] = []
    for token in _tokens(text):
        if token is not None:
            words.append(token)
            continue
        columns.append(_column(text, words))
        words = []
    columns.append(_column(text, words))
    return tuple(columns)


def _tokens(text: str) -> Iterator[_Token | None]:
    """The words of a text; None for a comma."""
    end = 0
    while text[end:].strip():
        match = _TOKEN.match(text, end)
        if match is None:
            raise _unreadable(text, end)
        end = match.end()
        if match["comma"]:
            yield None
            continue
        yield _token(match)


def _token(match: re.Match[str]) -> _Token:
    sign, at = match["sign"], match.start("all") + 1
    if match["bare"] is None:
        body = match["double"] if match["double"] is not None else match["single"]
        return _Token(_KINDS[sign], sign, re.sub(r"\\(.)", r"\1", body, flags=re.DOTALL), True, at)
    if sign == "." and "#" in match["bare"]:  # `.guild#loss`
        return _Token("scalar", "", sign + match["bare"], True, at)
    return _Token(_KINDS[sign], sign, match["bare"], False, at)


def _unreadable(text: str, start: int) -> GuildError:
    rest = text[start:].lstrip()
    at = len(text) - len(rest) + 1
    sign = re.match(r"=|\.|attr:|flag:|scalar:|", rest)
    after = rest[sign.end() :] if sign else rest
    if after[:1] in ("'", '"'):
        what = "is not closed, or is followed by more" if after[1:] else "is not closed"
        return _error(text, f"the quote at {at} {what}")
    return _error(text, f"a name is missing after '{rest.split(',')[0].strip()}' at {at}")


def _column(text: str, words: list[_Token]) -> Column:
    rest = list(words)
    qualifier = rest.pop(0).word if rest and rest[0].word in QUALIFIERS else ""
    if not rest:
        last = f" after '{words[-1].text}' at {words[-1].at}" if words else ""
        raise _error(text, f"a name is missing{last or ' beside a comma'}", _quote_hint(words))
    token = rest.pop(0)
    if token.word or not _made(token).name:
        raise _error(text, f"'{token.text}' at {token.at} is no name", _quote_hint([token]))
    step = bool(rest and rest[0].word == "step")
    if step:
        rest.pop(0)
    shown = ""
    if rest and rest[0].word == "as":
        word = rest.pop(0)
        if not rest or rest[0].word == "as" or not rest[0].text:
            raise _error(text, f"a heading is missing after 'as' at {word.at}")
        heading = rest.pop(0)
        shown = heading.sign + heading.text
    if rest:
        raise _error(text, f"unexpected '{rest[0].sign}{rest[0].text}' at {rest[0].at}", _quote_hint(rest))
    if token.kind != "scalar" and (qualifier or step):
        raise _error(
            text, f"'{qualifier or 'step'}' is for scalars, but '{token.text}' is {_KIND_NAMES[token.kind]}"
        )
    if step and qualifier not in WITH_STEP:
        raise _error(text, f"'{qualifier}' of '{token.text}' has no step")
    return replace(_made(token), qualifier=qualifier, step=step, shown=shown)


def _made(token: _Token) -> Column:
    if token.kind == "scalar" and "#" in token.text:
        prefix, _, tag = token.text.partition("#")
        return Column("scalar", tag, prefix or None)
    return Column(token.kind, token.text)


def _quote_hint(words: list[_Token]) -> str:
    reserved = next((token.word for token in words if token.word), "")
    if reserved:
        return f"Put a name like '{reserved}' in quotes: \"'{reserved}'\"."
    return "Put commas between columns, and quotes around names with blanks."


def _error(text: str, what: str, hint: str = "") -> GuildError:
    return GuildError(f"invalid column '{text}': {what}", hint or "See 'guild compare --help' for columns.")


def _quoted(name: str, plain: bool = True) -> str:
    if plain and _PLAIN.match(name) and name not in _RESERVED and not re.match(r"attr:|flag:|scalar:", name):
        return name
    quote = "'" if '"' in name and "'" not in name else '"'
    return quote + re.sub(rf"[\\{quote}]", lambda m: "\\" + m.group(), name) + quote
