"""Flag values as text: what a typed text means, and how a value is shown, passed on and compared."""

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from guild.errors import GuildError
from guild.ops.opdef import FlagValue

# More values than this are never meant; `range[0:1e12]` would fill the memory.
MAX_LIST = 100_000

WORDS: dict[str, FlagValue] = {"": "", "~": None, "-": [None]}
for _word, _value in (("null", None), ("true", True), ("yes", True), ("on", True)):
    WORDS.update(dict.fromkeys((_word, _word.capitalize(), _word.upper()), _value))
for _word in ("false", "no", "off"):
    WORDS.update(dict.fromkeys((_word, _word.capitalize(), _word.upper()), False))

# Neither YAML nor a function nor a number can be meant: spares loading PyYAML.
_PLAIN_WORD = re.compile(r"[A-Za-z/_][A-Za-z0-9_/+.-]*")
_INT = re.compile(r"[-+]?[0-9]+")
_NUMBER_ARG = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_FUNCTION = re.compile(
    rf"(?:[A-Za-z_]\w*)?\[\s*{_NUMBER_ARG}\s*(?::\s*{_NUMBER_ARG}\s*){{1,3}}\]"
    r"|(?:uniform|log-?uniform|range|linspace|logspace)\[[^\[\]]*\]"
)
_REPEAT = re.compile(r"(.*\])\s*\*\s*([0-9]{1,9})", re.DOTALL)
_SEQUENCE = re.compile(r"(range|linspace|logspace)\[([^\[\]]*)\]")


def decode(text: str) -> FlagValue:
    """The value that a text has for a flag without a type (`docs/guide.md`, "Flags").

    Lists and the functions `range`, `linspace` and `logspace` give lists; `uniform[0:1]` and the like stay
    text. Raises GuildError for a list of more than 100,000 values.
    """
    text = text.strip()
    if text in WORDS:
        value = WORDS[text]
        return value.copy() if isinstance(value, list) else value
    number = _number(text)
    if number is not None:
        return number
    if _PLAIN_WORD.fullmatch(text):
        return text
    if (repeat := _REPEAT.fullmatch(text)) and isinstance(part := decode(repeat[1]), list):
        _refuse_long(text, len(part) * int(repeat[2]))
        return part * int(repeat[2])
    if sequence := _SEQUENCE.fullmatch(text):
        values = _expand(text, sequence[1], sequence[2])
        return text if values is None else values
    return text if is_function(text) else _decode_yaml(text)


def is_function(value: FlagValue) -> bool:
    """Whether a value is the text of a function, such as `uniform[0:1]` or `[1:2]`: a search range."""
    return isinstance(value, str) and _FUNCTION.fullmatch(value.strip()) is not None


def _number(text: str) -> int | float | None:
    if "_" in text or ":" in text or not text.isascii():
        return None
    try:
        return int(text) if _INT.fullmatch(text) else float(text)
    except ValueError:
        return None


def _expand(text: str, name: str, args: str) -> list[FlagValue] | None:
    """The values of a sequence function; None where its arguments make no sense."""
    numbers = [_number(arg.strip()) for arg in args.split(":")]
    known = [n for n in numbers if n is not None and abs(n) < 1e300]  # excludes nan, too
    if len(known) != len(numbers) or not 2 <= len(known) <= (4 if name == "logspace" else 3):
        return None
    if name == "range":
        start, end, step = known if len(known) == 3 else (*known, 1)
        if step == 0:
            return None
        # The end is included; the tolerance is for steps such as 0.1, which are no exact fractions.
        steps = (end - start) / step + 1e-9
        count = int(steps) + 1 if steps >= 0 else 0
    else:
        start, end, count = known[0], known[1], int(known[2]) if len(known) > 2 else 5
        step = (end - start) / (count - 1) if count > 1 else 0.0
    _refuse_long(text, count)
    points: list[FlagValue] = [start + i * step for i in range(count)]
    if name == "logspace":
        base = known[3] if len(known) == 4 else 10
        try:
            points = [float(base) ** p for p in points]
        except (OverflowError, ZeroDivisionError):
            return None
    return [float(f"{p:.9g}") if isinstance(p, float) else p for p in points]


def _refuse_long(text: str, count: int) -> None:
    if count > MAX_LIST:
        raise GuildError(f"'{text}' makes {count} values, more than the {MAX_LIST} that are allowed")


def _decode_yaml(text: str) -> FlagValue:
    from guild.base.yamlio import YAMLError, load

    if text[0] in "|>&*%@" or ("&" in text and "*" in text):
        return text
    try:
        value = load(text)
    except YAMLError:
        return text
    if isinstance(value, str):
        return value if text[0] in "'\"!" else text
    if isinstance(value, list | dict):
        return value if _is_plain(value) else text
    # What is left of a text that holds a comment is not what was typed; `1_000` and `1:30` are no numbers.
    if value is None or "#" in text or not _is_plain(value):
        return text
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text if is_number and ("_" in text or ":" in text) else value


def _is_plain(value: Any) -> bool:
    """Whether a value is made of the types that flags may have."""
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return None not in value and all(_is_plain(x) for pair in value.items() for x in pair)
    return value is None or isinstance(value, bool | int | float | str | date)


# Showing.

_QUOTED_START = re.compile(r"""[\[\]{},#&*!|>'"%@`]|[-?:](\s|$)|(=|<<)$""")
_QUOTED_INSIDE = re.compile(r":(\s|$)|\s#|^\s|\s$")
_NUMBER_LIKE = re.compile(
    r"[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?|\.[0-9_]+)"
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_MAX_PATH = 20  # characters of a path in a label


def format_value(value: FlagValue) -> str:
    """One line of text, YAML style: `yes`, `no`, `null`; text is quoted where it would not decode to itself
    or holds blanks."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _format_float(value)
    if isinstance(value, int | date):
        return str(value)
    return _format_text(value) if isinstance(value, str) else encode_inline(value)


def _format_float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else mantissa + e + exponent


def _format_text(text: str) -> str:
    if not text.isprintable():
        return '"' + "".join(_escaped(c) for c in text) + '"'
    if _needs_quotes(text):
        return "'" + text.replace("'", "''") + "'"
    if " " not in text:
        return text
    quote = '"' if "'" in text else "'"
    return quote + text + quote if quote not in text else "'" + text.replace("'", "''") + "'"


def _escaped(char: str) -> str:
    """A character within YAML's double quotes."""
    if char in _ESCAPES or char.isprintable():
        return _ESCAPES.get(char, char)
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _needs_quotes(text: str) -> bool:
    if not text or _QUOTED_START.match(text) or _QUOTED_INSIDE.search(text) or _NUMBER_LIKE.fullmatch(text):
        return True
    if _PLAIN_WORD.fullmatch(text):
        return text in WORDS or _number(text) is not None
    decoded = decode(text)
    return not (isinstance(decoded, str) and decoded == text) and not is_function(text)


def format_short(value: FlagValue) -> str:
    """As `format_value`, for labels: at most five decimals, long absolute paths without their middle.

    Whether a path exists is not asked: a label is the same wherever it is made.
    """
    if isinstance(value, float):
        return re.sub(r"(\.\d{5})\d+", r"\1", _format_float(value))
    if isinstance(value, str) and value.startswith("/") and " " not in value:
        return format_value(shorten_path(value))
    return format_value(value)


def shorten_path(path: str, width: int = _MAX_PATH) -> str:
    """`/usr/…/README`: the ends of a path that fit into `width` characters, its last part always."""
    parts = [p for p in path.split("/") if p]
    if len(path) <= width or len(parts) < 2:
        return path
    head: list[str] = []
    tail = [parts[-1]]
    while len(head) + len(tail) < len(parts) - 1:
        at_head = len(head) < len(tail)
        more = [*head, parts[len(head)]] if at_head else head
        rest = tail if at_head else [parts[-len(tail) - 1], *tail]
        if len("/" + "/".join([*more, "…", *rest])) > width:
            break
        head, tail = more, rest
    return "/" + "/".join([*head, "…", *tail])


def format_flags(values: Mapping[str, FlagValue], *, short: bool = False) -> str:
    """`a=1 b=yes`: the flags that are not null, sorted by name; `short` as in labels."""
    show = format_short if short else format_value
    return " ".join(f"{name}={show(value)}" for name, value in sorted(values.items()) if value is not None)


def is_batch(values: Mapping[str, FlagValue]) -> bool:
    """Whether a flag has a list or a search range for its value, which makes several runs."""
    return any(isinstance(value, list) or is_function(value) for value in values.values())


# Passing on.


def to_text(value: FlagValue) -> str:
    """A value as a process gets it: True is `1`; False and null are empty; a text is itself."""
    if value is None or value is False:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return "1" if value is True else str(value)


def split_words(text: str, how: bool | str) -> list[str]:
    """The arguments that a text makes, by a flag's `arg-split`: as a shell does, or at a separator."""
    if isinstance(how, str) and how != "shlex":
        return text.split(how) if text else []
    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe that quotes nothing
        return text.split()


def join_words(words: Sequence[str], how: bool | str) -> str:
    """The text that `split_words` makes these of."""
    return how.join(words) if isinstance(how, str) and how != "shlex" else shlex.join(words)


def encode_inline(value: FlagValue) -> str:
    """A value as one line of YAML that decodes to it again."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return _format_float(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and len(value) > 1 and _PLAIN_WORD.fullmatch(value) and value not in WORDS:
        return value
    from guild.base import yamlio

    return yamlio.encode_inline(value)


def encoded(encoding: Mapping[str, str] | None, value: FlagValue) -> str | None:
    """The text that an `arg-encoding` or `env-encoding` has for a value; None where it has none.

    Its keys are texts: a value is looked up as it is shown, and as Python and YAML write it.
    """
    if not encoding:
        return None
    for key in (format_value(value), str(value), str(value).lower()):
        if key in encoding:
            return str(encoding[key])
    return None


def same_value(a: FlagValue, b: FlagValue) -> bool:
    """Equality that tells yes from 1 and no from 0."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
