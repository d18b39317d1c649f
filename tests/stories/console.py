"""Console blocks of the documents: commands with the lines that they promise, run as they are written."""

import re
import shlex
import shutil
from pathlib import Path

from tests.helpers import Outcome, Project

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
# Commands that are shown to fail: the first of their promised lines is the error.
_FAILING = re.compile(
    r"^(invalid value|Unsupported|Did you mean|no suitable run|could not resolve|cannot run)", re.MULTILINE
)


def stories(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines that its output holds, in this order) of all console blocks of a document."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


# What differs from one time to the next, as it is written in a document.
_CHANGING = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{32}|[0-9a-f]{8}|[0-9]{4}\\-[0-9]{2}\\-[0-9]{2}|[0-9:]{7,8})(?![0-9a-z])"
)


def _pattern(promised: str) -> re.Pattern[str]:
    """A line as a pattern: run ids, dates and times stand for any, blanks for any number of them."""
    words = [_CHANGING.sub(_any_like, re.escape(word)) for word in promised.split()]
    return re.compile("[ \t]+".join(words))


def _any_like(match: re.Match[str]) -> str:
    if ":" in match[0]:
        return "[0-9:]{7,8}"
    return "[0-9-]{10}" if "-" in match[0] else f"[0-9a-f]{{{len(match[0])}}}"


def not_printed(promised: list[str], done: Outcome) -> str | None:
    """The first promised line that is not printed, on stdout or else on stderr, in the promised order."""
    at = {"out": 0, "err": 0}
    for line in promised:
        for stream, text in (("out", done.out), ("err", done.err)):
            found = _pattern(line).search(text, at[stream])
            if found:
                at[stream] = found.end()
                break
        else:
            return line
    return None


def check_stories(p: Project, example: str, text: str) -> None:
    """Run the commands of a document in a copy of an example; fails at the first that does otherwise."""
    shutil.copytree(EXAMPLES / example, p.directory, dirs_exist_ok=True)
    for command, promised in stories(text):
        words = shlex.split(command)
        assert words[0] == "guild", command
        done = p.guild(words[1:], timeout=120)
        missing = not_printed(promised, done)
        assert missing is None, f"{command}\n  promises: {missing}\n  prints:\n{done.out}\n{done.err}"
        fails = bool(promised and _FAILING.search(promised[0]))
        assert (done.code != 0) == fails, f"{command}\n{done}"
