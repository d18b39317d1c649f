"""Flags and comments that are written in an editor: here a small script in its place."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from guild.base import yamlio
from tests.helpers import Outcome, Project

Make = Callable[[Mapping[str, str]], Project]

TRAIN = "x = 1\nname = 'a'\nrate = 0.5\nprint(x, name, rate)\n"
SHOW = """#!/bin/sh
# Shows what it is given, once each time, and puts the next text in its place.
cat "$1" >> "$EDITED"
echo '=====' >> "$EDITED"
next="$(ls "$TEXTS" | head -n 1)"
[ -n "$next" ] || exit 0
cat "$TEXTS/$next" > "$1"
touch -d '+2 seconds' "$1"
rm "$TEXTS/$next"
"""


class Editor:
    """The user's editor: `texts` are what the user leaves, one after the other; after these, no change."""

    def __init__(self, project: Project, tmp_path: Path) -> None:
        self.project = project
        self._texts, self._edited = tmp_path / "texts", tmp_path / "edited"
        self._texts.mkdir()
        script = tmp_path / "an editor"
        script.write_text(SHOW)
        script.chmod(0o755)
        self.env = {"EDITOR": f"'{script}'", "TEXTS": str(self._texts), "EDITED": str(self._edited)}

    def leaves(self, *texts: str) -> None:
        for number, text in enumerate(texts):
            (self._texts / f"{number:03}").write_text(text)

    def seen(self) -> list[str]:
        """What it was given, each time."""
        return self._edited.read_text().split("=====\n")[:-1] if self._edited.exists() else []

    def run(self, args: str, input: str = "") -> Outcome:
        return self.project.guild(f"run train.py {args}", env=self.env, input=input)

    def attr(self, name: str) -> Any:
        """An attribute of the only run."""
        (run,) = self.project.runs()
        return yamlio.load(Path(run["run_dir"], ".guild", "attrs", name).read_text())


@pytest.fixture
def editor(project: Make, tmp_path: Path) -> Editor:
    return Editor(project({"train.py": TRAIN}), tmp_path)


def test_flags_are_edited_and_the_run_has_what_is_left(editor: Editor) -> None:
    editor.leaves("# Flags\nname: '2'\nrate: 1e-3\nx: 7\n")
    done = editor.run("-e -y rate=0.25")
    assert done.code == 0, done
    assert editor.seen() == ["# Flags for train.py\nname: a\nrate: 0.25\nx: 1\n"]
    assert editor.attr("flags") == {"name": "2", "rate": 0.001, "x": 7}
    assert editor.attr("label") == "name='2' rate=0.001 x=7"


def test_flags_that_are_left_as_they_are_change_nothing(editor: Editor) -> None:
    assert editor.run("-e -y x=3").code == 0
    assert editor.attr("flags") == {"name": "a", "rate": 0.5, "x": 3}


def test_the_prompt_shows_the_edited_flags(editor: Editor) -> None:
    editor.leaves("x: 9\n")
    asked = editor.run("-e", input="n\n")
    assert "  x: 9\n" in asked.err
    assert editor.project.runs() == []


def test_lists_make_a_batch_of_it(editor: Editor) -> None:
    editor.leaves("x: [1, 2, 3]\n")
    assert "as a batch (3 trials)" in editor.run("-e", input="n\n").err


def test_what_cannot_be_read_is_edited_again_with_the_fault_above_it(editor: Editor) -> None:
    editor.leaves("x: [1\n", "- x\n", "x: 4\n")
    done = editor.run("-e -y", input="y\ny\n")
    assert done.code == 0, done
    assert done.err.count("Edit them again?") == 2
    first, second, third = editor.seen()
    assert first.startswith("# Flags for train.py\n")
    assert second.startswith("# ERROR: line ")
    assert second.endswith("\nx: [1\n")
    assert third == "# ERROR: expected a line NAME: VALUE for each flag\n- x\n"
    assert editor.attr("flags")["x"] == 4


def test_a_user_who_gives_up_runs_nothing(editor: Editor) -> None:
    editor.leaves("x: [1\n")
    done = editor.run("-e -y", input="n\n")
    assert done.code == 1
    assert "the flags cannot be read, so nothing is run" in done.err
    assert editor.project.runs() == []


def test_faults_that_are_left_unchanged_are_no_answer(editor: Editor) -> None:
    editor.leaves("x: [1\n")
    done = editor.run("-e -y", input="y\nn\n")
    assert done.code == 1
    assert done.err.count("Edit them again?") == 2
    assert editor.project.runs() == []


@pytest.mark.parametrize("text", ["", "\n \n", "# x: 1\n# all of it\n"])
def test_flags_that_are_left_empty_run_nothing(editor: Editor, text: str) -> None:
    editor.leaves(text)
    done = editor.run("-e -y")
    assert done.code == 1
    assert "guild: the flags were left empty, so nothing is run\n" in done.err
    assert editor.project.runs() == []


def test_values_that_the_operation_does_not_take_are_refused(editor: Editor) -> None:
    editor.leaves("x: abc\n")
    done = editor.run("-e -y")
    assert done.code == 1
    assert "invalid value abc for x" in done.err
    assert editor.project.runs() == []


def test_values_of_every_kind_survive_the_editor(editor: Editor) -> None:
    editor.project.write({"train.py": "x = 1\ny = None\nname = 'yes'\nb = True\nrate = 1e-9\n"})
    editor.leaves("b: no\nname: 'a: b'\nrate: 1.0e-09\nx: 2\ny: null\n")
    assert editor.run("-e -y").code == 0
    assert editor.seen() == ["# Flags for train.py\nb: true\nname: 'yes'\nrate: 1.0e-09\nx: 1\n'y': null\n"]
    assert editor.attr("flags") == {"b": False, "name": "a: b", "rate": 1e-9, "x": 2, "y": None}


def test_a_comment_is_edited(editor: Editor) -> None:
    editor.leaves("first line\n\n# a note\n  second line  \n\n")
    assert editor.run("-ec -y -c 'to begin with'").code == 0
    (seen,) = editor.seen()
    assert seen.startswith("to begin with\n")
    (comment,) = editor.attr("comments")
    assert comment["body"] == "first line\n\n  second line"


def test_a_comment_that_is_left_as_it_was_stays(editor: Editor) -> None:
    assert editor.run("-ec -y -c 'as it was'").code == 0
    (comment,) = editor.attr("comments")
    assert comment["body"] == "as it was"


def test_an_empty_comment_is_none(editor: Editor) -> None:
    editor.leaves("# only notes\n")
    assert editor.run("-ec -y").code == 0
    (run,) = editor.project.runs()
    assert not os.path.exists(Path(run["run_dir"], ".guild/attrs/comments"))


def test_the_comment_of_a_batch_is_edited_too(editor: Editor) -> None:
    editor.leaves("of the batch\n")
    assert editor.run("x=[1,2] -ebc -y --keep-batch").code == 0
    batch = editor.project.runs()[-1]
    assert "of the batch" in Path(batch["run_dir"], ".guild/attrs/comments").read_text()


@pytest.mark.parametrize("option", ["-e", "-ec"])
@pytest.mark.parametrize("command", ["no-such-editor-here", "false"])
def test_an_editor_that_does_not_work_is_said(editor: Editor, option: str, command: str) -> None:
    done = editor.project.guild(f"run train.py {option} -y", env={"EDITOR": command})
    assert done.code == 1
    assert f"{command}: Editing failed" in done.err
    assert "Set EDITOR to the command of your editor." in done.err
    assert "Traceback" not in done.err
    assert editor.project.runs() == []
