"""Filter expressions: `loss < 0.3 and op = train`, from text to a tree. Pure; `evaluation.py` answers them.

`not` binds tighter than `and`, which binds tighter than `or`. Words of the language are taken in any case;
quoted, they are texts. In quotes, a backslash keeps a quote or a backslash.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from guild.errors import GuildError

HINT = "Write for example: loss < 0.3 and (op = train or lr in [0.1, 0.2]). Quote texts that hold blanks."
_MAX_DEPTH = 50
_MAX_LENGTH = 100_000
_KEYWORDS = frozenset(("and", "or", "not", "in", "is", "contains"))

Prefix = Literal["", "attr", "flag", "scalar"]
_PREFIXES: dict[str, Prefix] = {"attr:": "attr", "flag:": "flag", "scalar:": "scalar"}


class Undefined(Enum):
    """What a run does not have."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED


class Op(str, Enum):
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not contains"


_SIGNS = {op.value: op for op in (Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE)}
_SIGNS.update({"==": Op.EQ, "<>": Op.NE})


@dataclass(frozen=True)
class Name:
    """What is asked for. Without a prefix: an attribute, else a flag, else a scalar."""

    prefix: Prefix
    name: str

    def __str__(self) -> str:
        head = f"{self.prefix}:" if self.prefix else ""
        is_plain = _WORD.fullmatch(self.name) and (self.prefix or _is_plain_name(self.name))
        return head + (self.name if is_plain else _quoted(self.name))


@dataclass(frozen=True)
class Value:
    """What is compared with. `word`: as it was written, if that was without quotes."""

    value: "bool | int | float | str | Undefined | tuple[Value, ...]"
    word: str = ""

    @property
    def is_number(self) -> bool:
        return isinstance(self.value, int | float) and not isinstance(self.value, bool)

    def __str__(self) -> str:
        if isinstance(self.value, tuple):
            return f"[{', '.join(map(str, self.value))}]"
        return self.word or _quoted(str(self.value))


@dataclass(frozen=True)
class Comparison:
    name: Name
    op: Op
    value: Value

    def __str__(self) -> str:
        return f"{self.name} {self.op.value} {self.value}"


@dataclass(frozen=True)
class Not:
    item: "Expr"

    def __str__(self) -> str:
        return f"not {_nested(self.item)}"


@dataclass(frozen=True)
class And:
    items: "tuple[Expr, ...]"

    def __str__(self) -> str:
        return " and ".join(map(_nested, self.items))


@dataclass(frozen=True)
class Or:
    items: "tuple[Expr, ...]"

    def __str__(self) -> str:
        return " or ".join(str(i) if isinstance(i, And) else _nested(i) for i in self.items)


Expr = Comparison | Not | And | Or


def _nested(item: Expr) -> str:
    return f"({item})" if isinstance(item, And | Or) else str(item)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# Reading.

_WORD = re.compile(r"""[^\s()\[\],=<>!'"]+""")
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<quoted> '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
    | (?P<sign> <=|>=|<>|!=|==|[=<>()\[\],] )
    | (?P<word> {_WORD.pattern} )
    | (?P<end> \Z )
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\\'\"])")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")


class Token(NamedTuple):
    kind: str  # quoted, sign, word, end
    text: str  # of a quoted one, without the quotes
    at: int  # where it begins
    end: int

    @property
    def key(self) -> str:
        """A sign, or a word of the language; else ''."""
        if self.kind == "sign":
            return self.text
        word = self.text.lower()
        return word if self.kind == "word" and word in _KEYWORDS else ""


def _is_plain_name(name: str) -> bool:
    """Whether it can stand without quotes where a name does."""
    if name.lower() in _KEYWORDS or _NUMBER.match(name):
        return False
    return not name.startswith(tuple(_PREFIXES))


def parse_expression(text: str) -> Expr:
    """The tree of an expression. Raises GuildError that tells where it goes wrong."""
    if not text.strip():
        raise GuildError("the filter is empty", HINT)
    if len(text) > _MAX_LENGTH:
        raise GuildError(f"the filter is too long: {len(text)} characters, at most {_MAX_LENGTH}")
    parser = _Parser(text)
    found = parser.either()
    parser.expect("end")
    return found


class _Parser:
    """By recursive descent, one method for each level of precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._read()
        self._token = next(self._tokens)
        self._depth = 0

    def _read(self) -> Iterator[Token]:
        at = 0
        while True:
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error(at, self._text[at])
            kind = str(match.lastgroup)
            text = match[kind]
            if kind == "quoted":
                text = _ESCAPE.sub(r"\1", text[1:-1])
            yield Token(kind, text, match.start(kind), match.end())
            at = match.end()

    def _error(self, at: int, found: str, wanted: str = "") -> GuildError:
        what = f"unexpected {found[:40]!r}" if found else "unexpected end"
        near = self._text[max(0, at - 40) : at + 40]
        wanted = f" (expected {wanted})" if wanted else ""
        return GuildError(f"syntax error in filter at position {at + 1}: {what} in {near!r}{wanted}", HINT)

    def _unexpected(self, wanted: str = "") -> GuildError:
        token = self._token
        return self._error(token.at, self._text[token.at : token.end], wanted)

    def _next(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._tokens)
        return token

    def _take(self, key: str) -> bool:
        if self._token.key != key:
            return False
        self._next()
        return True

    def expect(self, key: str) -> None:
        """Take a sign, or see the end."""
        if not (self._token.kind == "end" if key == "end" else self._take(key)):
            raise self._unexpected("'and' or 'or'" if key == "end" else repr(key))

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise GuildError(
                f"the filter is nested too deeply at position {self._token.at + 1}",
                f"At most {_MAX_DEPTH} levels.",
            )

    def either(self) -> Expr:
        items = [self._both()]
        while self._take("or"):
            items.append(self._both())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _both(self) -> Expr:
        items = [self._negated()]
        while self._take("and"):
            items.append(self._negated())
        return items[0] if len(items) == 1 else And(tuple(items))

    def _negated(self) -> Expr:
        if self._take("not"):
            self._deeper()
            found: Expr = Not(self._negated())
        elif self._take("("):
            self._deeper()
            found = self.either()
            self.expect(")")
        else:
            return self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Comparison:
        name = self._name()
        op = self._operator()
        wants_list = op in (Op.IN, Op.NOT_IN)
        if wants_list and self._token.key != "[":
            raise self._unexpected("a list: [A, B]")
        return Comparison(name, op, self._value())

    def _name(self) -> Name:
        token = self._token
        if token.kind == "quoted":
            return Name("", self._next().text)
        if token.kind != "word" or token.key or _NUMBER.match(token.text):
            raise self._unexpected("the name of an attribute, flag or scalar")
        self._next()
        for head, prefix in _PREFIXES.items():
            if token.text == head and self._token.kind == "quoted" and self._token.at == token.end:
                return Name(prefix, self._next().text)
            if token.text.startswith(head):
                if token.text == head:
                    raise self._unexpected(f"a name after '{head}'")
                return Name(prefix, token.text[len(head) :])
        return Name("", token.text)

    def _operator(self) -> Op:
        sign = _SIGNS.get(self._token.key)
        if sign is not None:
            self._next()
            return sign
        if self._take("is"):
            return Op.NE if self._take("not") else Op.EQ
        negated = self._take("not")
        if self._take("in"):
            return Op.NOT_IN if negated else Op.IN
        if self._take("contains"):
            return Op.NOT_CONTAINS if negated else Op.CONTAINS
        raise self._unexpected("'in' or 'contains'" if negated else "a comparison, such as =, < or contains")

    def _value(self) -> Value:
        token = self._token
        if token.key == "[":
            return self._list()
        if token.kind == "quoted":
            return Value(self._next().text)
        if token.kind != "word" or token.key:
            raise self._unexpected("a value")
        return word_value(self._next().text)

    def _list(self) -> Value:
        self._deeper()
        self._next()
        items: list[Value] = []
        while self._token.key != "]":
            if items:
                self.expect(",")
            items.append(self._value())
        self._next()
        self._depth -= 1
        return Value(tuple(items))


def word_value(word: str) -> Value:
    """What a word without quotes stands for."""
    lower = word.lower()
    if lower in ("true", "false"):
        return Value(lower == "true", word)
    if lower == UNDEFINED.value:
        return Value(UNDEFINED, word)
    if not _NUMBER.match(word):
        return Value(word, word)
    try:
        return Value(int(word), word)
    except ValueError:  # not whole, or of thousands of digits
        return Value(float(word), word)
