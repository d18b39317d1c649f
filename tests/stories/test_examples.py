"""Each example project does what its README says, and the guide is true of them."""

import re
from collections.abc import Callable, Mapping

import pytest

from tests.helpers import Outcome, Project
from tests.stories.console import EXAMPLES, check_stories, not_printed, stories

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

Make = Callable[[Mapping[str, str]], Project]
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "digits")
DOCS = EXAMPLES.parent / "docs"
# Of these, each chapter with commands says in which of the examples they are typed, or the document does.
CHAPTERS = {
    f"{name}: {part.partition(chr(10))[0]}": part + text.partition("\n## ")[0]
    for name in ("guide", "runs")
    for text in ((DOCS / f"{name}.md").read_text(),)
    for part in text.split("\n## ")[1:]
    if "```console" in part
}


def test_a_line_that_is_not_printed_in_its_place_is_found() -> None:
    done = Outcome(0, "a\nb\n", "c\n")
    assert not_printed(["a", "c", "b"], done) is None
    assert not_printed(["b", "a"], done) == "a"
    assert not_printed(["a", "d"], done) == "d"


def test_ids_and_times_stand_for_any() -> None:
    done = Outcome(0, "[1:0a1b2c3d]  train  2026-11-25 19:38:33  0:00:05  lr=0.1\n", "")
    assert not_printed(["[1:ffffffff] train 2025-01-01 00:00:00 0:00:00 lr=0.1"], done) is None
    assert not_printed(["[2:ffffffff] train"], done) is not None
    assert not_printed(["0a1b2c3d train lr=0.1"], done) is not None


def test_every_example_has_a_story() -> None:
    assert [name for name in NAMES if not stories((EXAMPLES / name / "README.md").read_text())] == []
    assert len(NAMES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_its_readme_says(project: Make, name: str) -> None:
    check_stories(project({}), name, (EXAMPLES / name / "README.md").read_text())


def test_the_documents_have_chapters_with_commands() -> None:
    assert len(CHAPTERS) >= 10


@pytest.mark.parametrize("title", CHAPTERS)
def test_a_chapter_is_true(project: Make, title: str) -> None:
    examples = re.findall(r"\]\(\.\./examples/(\w+)\)", CHAPTERS[title])
    assert len(set(examples)) == 1, title
    check_stories(project({}), examples[0], CHAPTERS[title])
