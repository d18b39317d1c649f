"""Completion on the command line: what could stand at the cursor, for the scripts of `_complete_scripts.py`.

The shell runs `guild` with `_GUILD_COMPLETE` set. Whatever goes wrong, it gets fewer candidates, never a
message, and never has to wait for long.
"""

import contextlib
import io
import re
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from guild.base.text import printable, shorten
from guild.commands import _complete_values
from guild.commands._complete_words import Typed, split_typed

VARIABLE = "_GUILD_COMPLETE"
_SECONDS = 4.0
_HELP_WIDTH = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# bash asks for a list that it shows (?, !, @), not for text that it inserts.
_LISTING = {"63", "33", "64"}


class _TooLong(BaseException):
    """Not an Exception: nothing on the way may catch it."""


def complete(root: click.Group, environ: Mapping[str, str]) -> int:
    """Print the candidates for the line that the shell gave. Never raises."""
    shell = environ.get(VARIABLE, "")
    lines: Sequence[str] = ()
    with contextlib.suppress(Exception, SystemExit, _TooLong, KeyboardInterrupt), _deadline(), _silence():
        lines = _candidates(root, shell, environ)
    with contextlib.suppress(OSError, ValueError):
        out = "".join(f"{line}\n" for line in lines)
        sys.stdout.buffer.write(out.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    return 0


@contextlib.contextmanager
def _deadline() -> Any:
    def stop(number: int, frame: Any) -> None:
        raise _TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _silence() -> Any:
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _candidates(root: click.Group, shell: str, environ: Mapping[str, str]) -> list[str]:
    if shell in ("bash", "zsh", "fish"):
        breaks = environ.get("_GUILD_BREAKS", "") if shell == "bash" else ""
        typed = split_typed(environ.get("_GUILD_LINE", ""), breaks)
        found = _find(root, typed)
        if shell == "bash":
            return _for_bash(found, typed, environ.get("_GUILD_COMP_TYPE", ""))
        return [_line(item, shell) for item in found]
    # Scripts that Guild 0.9 installed.
    if shell in ("bash_complete", "zsh_complete", "fish_complete"):
        return _as_of_old(_find(root, _typed_of_old(shell, environ)), shell)
    return []


def _find(root: click.Group, typed: Typed) -> list[CompletionItem]:
    """The candidates for a whole word, each once."""
    args = list(typed.words[1:])
    _complete_values.attach(root, args)
    found = ShellComplete(root, {}, "guild", VARIABLE).get_completions(args, typed.word)
    name, is_option, _ = typed.word.partition("=")
    head = f"{name}=" if is_option and name.startswith("-") else ""
    items: dict[str, CompletionItem] = {}
    for item in _complete_values.with_files(found):
        value = head + str(item.value)
        if not _CONTROL.search(value) and value.startswith(typed.word):
            items.setdefault(value, CompletionItem(value, item.type, item.help))
    return list(items.values())


def _line(item: CompletionItem, shell: str) -> str:
    """`KIND VALUE [HELP]` with tabs between; fish knows by the last character whether a word goes on."""
    help_text = _brief(item.help)
    fields = ([] if shell == "fish" else [item.type]) + [item.value] + ([help_text] if help_text else [])
    return "\t".join(fields)


def _brief(text: str | None) -> str:
    return shorten(printable(" ".join((text or "").split())), _HELP_WIDTH)


def _for_bash(found: Sequence[CompletionItem], typed: Typed, comp_type: str) -> list[str]:
    """bash wants the end of the word only, with quotes where they are needed. It knows no help; in a list
    that is only shown, that stands behind the value."""
    is_shown = comp_type in _LISTING and len(found) > 1
    lines = []
    for item in found:
        value = item.value[typed.start :]
        text = _brief(item.help) if is_shown else ""
        if text:
            value = f"{value}  ({text})"
        elif not typed.quote:
            value = _quoted(value)
        elif item.type == "plain":
            value += typed.quote
        lines.append(f"{item.type}\t{value}")
    return lines


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w@%+=:,./~^-]*", value) else shlex.quote(value)


def _typed_of_old(shell: str, environ: Mapping[str, str]) -> Typed:
    words = environ.get("COMP_WORDS", "")
    if shell == "fish_complete":
        return split_typed(words)
    typed = split_typed(words + " ")
    at = int(environ.get("COMP_CWORD", "0"))
    return Typed(typed.words[:at], typed.words[at] if at < len(typed.words) else "")


def _as_of_old(found: Iterable[CompletionItem], shell: str) -> list[str]:
    lines = []
    for item in found:
        text = _brief(item.help)
        if shell == "zsh_complete":
            lines += ["plain", item.value.replace(":", "\\:") if text else item.value, text or "_"]
        else:
            lines.append(f"plain,{item.value}" + (f"\t{text}" if text and shell[0] == "f" else ""))
        if item.type == "part" and shell[0] != "f":
            lines += ["plain", "!!nospace", "_"] if shell[0] == "z" else ["plain,!!nospace"]
    return lines
