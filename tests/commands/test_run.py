"""What `guild run` says and shows beside the run itself."""

from collections.abc import Callable, Mapping

import pytest

from tests.helpers import Project

Make = Callable[[Mapping[str, str]], Project]

SCRIPT = "x = 1\nprint(x)\n"


@pytest.mark.parametrize("name", ["../other/train.py", "./train.py", "say.sh"])
def test_the_question_names_a_script_by_its_path_from_here(project: Make, name: str) -> None:
    p = project({"train.py": SCRIPT, "../other/train.py": SCRIPT, "say.sh": "#!/bin/sh\necho\n"})
    (p.directory / "say.sh").chmod(0o755)
    asked = p.guild(f"run {name}", input="n\n")
    assert asked.err.startswith(f"You are about to run {name.removeprefix('./')}\n")


def test_needed_shows_the_runs_that_make_another_one_needless(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    for label in ("first", "second"):
        assert p.guild(f"run train.py -y --label {label}").code == 0
    skipped = p.guild("run train.py --needed")
    head, *rows = skipped.out.splitlines()
    assert head == "Skipping because the following runs match this operation (--needed specified):"
    assert [row.split()[-1] for row in rows] == ["first", "second"]
    assert all(row.startswith("  [") and "train.py" in row and "completed" in row for row in rows)
    assert p.guild("run train.py --needed -q").out == ""
    assert len(p.runs()) == 2


def test_trials_are_saved_as_csv_where_the_name_has_no_extension(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    assert p.guild("run train.py x=[1,2] --save-trials trials").code == 0
    assert (p.directory / "trials").read_text() == "x\n1\n2\n"
    refused = p.guild("run train.py x=1 --save-trials t.csv")
    assert refused.err.startswith("guild: cannot save trials for a non-batch operation\n")


def test_an_unknown_option_is_named_with_the_nearest_one(project: Make) -> None:
    p = project({})
    near = p.guild("run x --labe y")
    assert (near.code, near.err.splitlines()[0]) == (
        2,
        "guild: unrecognized option '--labe' (did you mean --label?)",
    )
    assert p.guild("run x --zzzzz").err.splitlines()[0] == "guild: unrecognized option '--zzzzz'"


def test_a_batch_comment_of_what_is_no_batch_is_ignored_with_a_warning(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    assert "not a batch - ignoring batch comment" in p.guild("run train.py -bc why", input="n\n").err


def test_a_quiet_command_says_nothing_of_the_background(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    assert p.guild("run train.py -b -q -y").err == ""
    assert "started in background as " in p.guild("run train.py -b -y").err


def test_a_command_of_pythons_finds_the_source_code_and_guild(project: Make) -> None:
    show = "import os\nprint(os.environ['PYTHONPATH'], os.environ['GUILD_PLUGINS'])\n"
    p = project({"guild.yml": "show: {exec: '${python_exe} show.py'}", "show.py": show})
    path, plugins = p.guild("run show -y").out.split()
    assert path.split(":")[0] == "."
    assert path.split(":")[1].endswith("onpath")
    assert "python_script" in plugins.split(",")
    assert "exclude dir __pycache__" in p.guild("run show --test-sourcecode").out


def test_where_source_code_is_copied_from_is_named_unless_it_is_here(project: Make) -> None:
    p = project({"train.py": SCRIPT, "../other/train.py": SCRIPT})
    assert p.guild("run train.py --test-sourcecode").out.startswith("Copying from the current directory\n")
    other = p.guild("run ../other/train.py --test-sourcecode").out.splitlines()[0]
    assert other == f"Copying from '{p.directory.parent / 'other'}'"
