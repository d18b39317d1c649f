"""Each example project does what its README says."""

import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Outcome, Project

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
Make = Callable[[Mapping[str, str]], Project]
# Commands that are shown to fail: the first of their promised lines is the error.
FAILING = re.compile(
    r"^(invalid value|Unsupported|Did you mean|no suitable run|could not resolve|cannot run)", re.MULTILINE
)


def stories(readme: Path) -> list[tuple[str, list[str]]]:
    """(command, lines that its output holds, in this order) of all console blocks."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", readme.read_text(), re.DOTALL):
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


def test_a_line_that_is_not_printed_in_its_place_is_found() -> None:
    done = Outcome(0, "a\nb\n", "c\n")
    assert not_printed(["a", "c", "b"], done) is None
    assert not_printed(["b", "a"], done) == "a"
    assert not_printed(["a", "d"], done) == "d"


def test_every_example_has_a_story() -> None:
    told = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and stories(path / "README.md")}
    assert told == {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"digits"}
    assert len(told) >= 7


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.iterdir() if p.name != "digits"))
def test_an_example_does_what_its_readme_says(project: Make, name: str) -> None:
    p = project({})
    shutil.copytree(EXAMPLES / name, p.directory, dirs_exist_ok=True)
    for command, promised in stories(EXAMPLES / name / "README.md"):
        words = shlex.split(command)
        assert words[0] == "guild", command
        done = p.guild(words[1:], timeout=120)
        missing = not_printed(promised, done)
        assert missing is None, f"{command}\n  promises: {missing}\n  prints:\n{done.out}\n{done.err}"
        fails = bool(promised and FAILING.search(promised[0]))
        assert (done.code != 0) == fails, f"{command}\n{done}"
