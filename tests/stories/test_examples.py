"""Each example project does what its README says, and the guide is true of them."""

import re
from collections.abc import Callable, Mapping

import pytest

from tests.helpers import Outcome, Project
from tests.stories.console import EXAMPLES, check_stories, not_printed, stories

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

Make = Callable[[Mapping[str, str]], Project]
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "digits")
GUIDE = (EXAMPLES.parent / "docs" / "guide.md").read_text()
CHAPTERS = {part.partition("\n")[0]: part for part in GUIDE.split("\n## ")[1:] if "```console" in part}


def test_a_line_that_is_not_printed_in_its_place_is_found() -> None:
    done = Outcome(0, "a\nb\n", "c\n")
    assert not_printed(["a", "c", "b"], done) is None
    assert not_printed(["b", "a"], done) == "a"
    assert not_printed(["a", "d"], done) == "d"


def test_every_example_has_a_story() -> None:
    assert [name for name in NAMES if not stories((EXAMPLES / name / "README.md").read_text())] == []
    assert len(NAMES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_its_readme_says(project: Make, name: str) -> None:
    check_stories(project({}), name, (EXAMPLES / name / "README.md").read_text())


def test_the_guide_has_chapters_with_commands() -> None:
    assert len(CHAPTERS) >= 6


@pytest.mark.parametrize("title", CHAPTERS)
def test_a_chapter_of_the_guide_is_true(project: Make, title: str) -> None:
    """It says in which of the examples its commands are typed."""
    examples = re.findall(r"\]\(\.\./examples/(\w+)\)", CHAPTERS[title])
    assert len(set(examples)) == 1, title
    check_stories(project({}), examples[0], CHAPTERS[title])
