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


def not_printed(promised: list[str], done: Outcome) -> str | None:
    """The first promised line that is not printed, on stdout or else on stderr, in the promised order."""
    at = {"out": 0, "err": 0}
    for line in promised:
        for stream, text in (("out", done.out), ("err", done.err)):
            where = text.find(line.strip(), at[stream])
            if where >= 0:
                at[stream] = where + len(line.strip())
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
