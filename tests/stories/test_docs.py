"""What the documents say is what the program does."""

import importlib.util
import re
import shlex
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.helpers import Project

ROOT = Path(__file__).parent.parent.parent
Make = Callable[[Mapping[str, str]], Project]


def test_cli_md_is_what_the_commands_print() -> None:
    made_with = re.search(r"with click ([0-9.]+)\.\n", (ROOT / "docs" / "cli.md").read_text())
    assert made_with is not None
    if not version("click").startswith(made_with[1]):
        pytest.skip(
            f"docs/cli.md is made with click {made_with[1]}; the help of others differs in small ways"
        )
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text() == module.text(), "run: python docs/make_cli.py"


def test_links_of_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = []
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                broken.append((document.name, target))
    assert broken == []


def test_the_readmes_two_console_story(project: Make) -> None:
    """The queue's story as typed in the README: its script, its commands, its messages."""
    readme = (ROOT / "README.md").read_text()
    story = readme.split("## The queue, in two consoles")[1].split("## Operations")[0]
    script = "\n".join(line[4:] for line in story.splitlines() if line.startswith(("    x = 1", "    print")))
    typed = [line.strip()[2:] for line in story.splitlines() if line.strip().startswith("$ guild ")]
    p = project({"train.py": script + "\n"})
    assert typed[0] == "guild run queue -y"
    queue = p.popen(shlex.split(typed[0])[1:])
    queue.expect("Waiting for staged runs")
    for command in typed[1:]:
        outcome = p.guild(shlex.split(command)[1:])
        assert outcome.code == 0, outcome
        assert re.match(r"train.py staged as [0-9a-f]{32}\nTo start the operation, use", outcome.out)
    queue.expect("loss: 4.000000")
    queue.expect("loss: 9.000000")
    assert p.guild("stop -y").code == 0


def test_the_readmes_guildfile(project: Make) -> None:
    readme = (ROOT / "README.md").read_text()
    block = readme.split("Name what a project can run in `guild.yml`:")[1].split("    $ guild operations")[0]
    guildfile = "\n".join(line[4:] for line in block.splitlines())
    p = project({"guild.yml": guildfile, "train.py": "lr = 0.1\noptimizer = 'sgd'\nprint(lr, optimizer)\n"})
    assert p.guild("operations").out.split() == ["evaluate", "train", "Train", "the", "model"]
    outcome = p.guild("run train lr=0.01 optimizer=adam -y")
    assert (outcome.code, outcome.out) == (0, "0.01 adam\n"), outcome
