import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from guild.commands._files_diff import Pair, choose_program, command_for
from guild.config import UserConfig
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.manifest import ManifestEntry, write_manifest
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import make_run

needs_diff = pytest.mark.skipif(not shutil.which("diff"), reason="diff is not installed")
SHA = "0" * 40


def made(
    home: Path, run_id: str, started: int, files: Mapping[str, str], dest: str = ".", opref: str | None = None
) -> Run:
    """A run whose `files` are source code."""
    attrs = {"op": {"sourcecode": {"dest": dest}}, "flags": {"lr": started}}
    run = make_run(home, run_id, started=started, attrs=attrs, opref=opref)
    for name, text in files.items():
        (run.path / dest / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / dest / name).write_text(text)
    write_manifest(
        run.guild_dir / layout.MANIFEST,
        [ManifestEntry("s", name if dest == "." else f"{dest}/{name}", SHA, name) for name in files],
    )
    (run.guild_dir / layout.OUTPUT).write_text(f"loss: {started}\n")
    return run


@pytest.fixture
def runs(home: Path, tmp_path: Path) -> tuple[Run, Run]:
    """(older, newer), of the project that the commands run in."""
    opref = f"guildfile:{tmp_path}/project/guild.yml abc '' train"
    old = made(home, "aaaaaaaa1", 1, {"t.py": "1\n", "l/m.py": "m\n", "old.py": ""}, opref=opref)
    new = made(home, "bbbbbbbb1", 2, {"t.py": "2\n", "l/m.py": "m\n"}, dest="code", opref=opref)
    (old.path / "made.txt").write_text("made\n")
    return old, new


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILD_CONFIG", str(tmp_path / "none.yml"))


def below(run: Run, *parts: str) -> str:
    return str(run.path.joinpath(*parts))


def test_the_newest_two_are_compared_the_older_first(guild: Guild, runs: tuple[Run, Run]) -> None:
    old, new = runs
    outcome = guild("diff -c echo")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{old.path} {new.path}\n", "")
    assert guild("diff 1 2 -c echo").out == f"{new.path} {old.path}\n"
    assert guild("diff bbbb aaaa -c echo").out == f"{new.path} {old.path}\n"
    assert guild("diff 1:2 -c echo").out == f"{new.path} {old.path}\n"
    assert guild("diff 1 1 -c echo").out == f"{new.path} {new.path}\n"


def test_each_thing_that_is_asked_for_is_compared_in_turn(guild: Guild, runs: tuple[Run, Run]) -> None:
    old, new = runs
    (old.path / "x").touch()
    (new.path / "x").touch()
    outcome = guild("diff -O -f -p x -c echo")
    attrs = ".guild/attrs"
    assert outcome.out.splitlines() == [
        f"{old.path}/{attrs}/flags {new.path}/{attrs}/flags",
        f"{old.path}/.guild/output {new.path}/.guild/output",
        f"{old.path}/x {new.path}/x",
    ]
    outcome = guild("diff -a -f -c echo")
    assert outcome.out == f"{old.path}/{attrs} {new.path}/{attrs}\n"
    assert outcome.err == "WARNING: ignoring --flags (already included in --attrs)\n"


@needs_diff
def test_source_code_is_compared_wherever_it_lies_and_nothing_else(
    guild: Guild, runs: tuple[Run, Run]
) -> None:
    lines = guild("diff -s").out.splitlines()
    assert lines[0] == "Only in aaaaaaaa: old.py"
    assert lines[1] == "diff -ru aaaaaaaa/t.py bbbbbbbb/t.py"
    assert lines[2].startswith("--- aaaaaaaa/t.py\t")
    assert lines[-2:] == ["-1", "+2"]
    assert len(lines) == 7


@needs_diff
def test_a_part_of_the_source_code_can_be_named(guild: Guild, runs: tuple[Run, Run]) -> None:
    old, new = runs
    assert guild("diff -s -p l").out == ""
    assert guild("diff -s -p t.py -c echo").out == f"{old.path}/t.py {new.path}/code/t.py\n"
    assert guild("diff -s -p old.py -c echo").out == f"{old.path}/old.py /dev/null\n"
    assert guild("diff -s -p made.txt -c echo").out == f"{old.path}/made.txt /dev/null\n"


@needs_diff
def test_runs_with_the_same_short_id_are_told_apart(guild: Guild, home: Path) -> None:
    made(home, "aaaaaaaa1", 1, {"t.py": "1"})
    made(home, "aaaaaaaa2", 2, {"t.py": "2"})
    assert "diff -ru aaaaaaaa/t.py aaaaaaaa.2/t.py" in guild("diff -s").out


@needs_diff
def test_a_run_is_compared_with_the_project_as_it_is(
    guild: Guild, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "l").mkdir()
    (project / "l" / "m.py").write_text("m\n")
    (project / "t.py").write_text("3\n")
    (project / "new.py").write_text("not among the files of the run")
    lines = guild("diff --working").out.splitlines()
    assert lines[0] == "diff -ru bbbbbbbb/t.py working/t.py"
    assert lines[-2:] == ["-2", "+3"]
    assert guild("diff -w 2 -p t.py -c echo").out == f"{below(runs[0], 't.py')} {project}/t.py\n"
    (project / "t.py").unlink()
    assert guild("diff 1 --working").out == "Only in bbbbbbbb: t.py\n"


def test_a_program_of_the_user_gets_whole_paths_and_real_trees(guild: Guild, runs: tuple[Run, Run]) -> None:
    outcome = guild(["diff", "-s", "-c", "sh -c 'pwd; basename $0; basename $1; cat $0/t.py $1/t.py'"])
    here, *rest = outcome.out.splitlines()
    assert here.endswith("/project")
    assert rest == ["aaaaaaaa", "bbbbbbbb", "1", "2"]


def test_another_directory_can_be_named(guild: Guild, runs: tuple[Run, Run], tmp_path: Path) -> None:
    other = tmp_path / "project" / "other"
    other.mkdir()
    (other / "t.py").write_text("2\n")
    assert guild("diff 1 -d other -p t.py -c echo").out == f"{below(runs[1], 'code', 't.py')} {other}/t.py\n"
    assert "directory 'none' does not exist" in guild("diff 1 --working-dir none").err


def test_a_project_that_is_gone_is_told(guild: Guild, runs: tuple[Run, Run], home: Path) -> None:
    made(home, "cccccccc1", 3, {"t.py": ""}, opref="guildfile:/gone/guild.yml abc '' train")
    outcome = guild("diff --working")
    assert (outcome.code, outcome.out) == (1, "")
    assert "cannot find working source code directory for run cccccccc: /gone is gone" in outcome.err
    assert "guild diff cccccccc --working-dir DIR" in outcome.err


@needs_diff
@pytest.mark.parametrize("command", ["", "-c false", "-c 'sh -c \"exit 2\"'"])
def test_differences_and_what_a_program_answers_are_no_failure(
    guild: Guild, runs: tuple[Run, Run], command: str
) -> None:
    assert guild(f"diff -O {command}").code == 0


def test_a_program_that_a_signal_ends_is_a_failure(guild: Guild, runs: tuple[Run, Run]) -> None:
    assert guild(["diff", "-O", "-c", "sh -c 'kill $$'"]).code == 1


def test_what_neither_has_is_told_and_the_rest_compared(guild: Guild, runs: tuple[Run, Run]) -> None:
    outcome = guild("diff -D -p none -O -c echo")
    assert outcome.code == 1
    assert outcome.out.count("\n") == 1
    assert "neither run aaaaaaaa nor run bbbbbbbb has deps\n" in outcome.err
    assert "has 'none'" in outcome.err


def test_what_one_lacks_is_compared_with_nothing(guild: Guild, runs: tuple[Run, Run]) -> None:
    old, _ = runs
    (old.path / "out").mkdir()
    assert guild("diff -p made.txt -c echo").out == f"{old.path}/made.txt /dev/null\n"
    assert guild(["diff", "-p", "out", "-c", "sh -c 'ls -A $1'"]).out == ""


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ("1", 1, "diff requires two runs"),
        ("1:", 0, ""),
        ("1 2 3", 2, "unexpected extra argument '3'"),
        ("1:2 1", 0, ""),
        ("--working 1 2", 1, "cannot specify second RUN and --working"),
        ("--working -O", 1, "--output and --working cannot both be specified"),
        ("-p ../x", 1, "is not inside the run directory"),
        ("-c none-such-program", 1, "cannot find 'none-such-program'"),
        ("-Fo none", 1, "no matching runs"),
        ("-Fd none", 1, "no matching runs"),
        ("1 99", 1, "could not find a run matching '99'"),
    ],
)
def test_wrong_use_is_told(guild: Guild, runs: tuple[Run, Run], args: str, code: int, said: str) -> None:
    outcome = guild(f"diff -c true {args}")
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err


def test_one_run_is_not_enough(guild: Guild, home: Path) -> None:
    assert "no matching runs" in guild("diff").err
    make_run(home, "a")
    assert "diff requires two runs" in guild("diff").err


def test_special_files_are_not_waited_for(guild: Guild, runs: tuple[Run, Run]) -> None:
    import os

    os.mkfifo(runs[0].path / "pipe")
    assert "neither a file nor a directory" in guild("diff -p pipe -c cat").err


def test_a_manifest_with_files_behind_a_link_writes_nothing_there(
    guild: Guild, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    far = tmp_path / "far"
    far.mkdir()
    old = runs[0]
    (old.path / "x").symlink_to(far)
    (far / "f").touch()
    write_manifest(
        old.guild_dir / layout.MANIFEST,
        [ManifestEntry("s", "t.py", SHA, "x/new"), ManifestEntry("s", "x", SHA, "x"),
         ManifestEntry("s", "x/f", SHA, "x/f")],
    )  # fmt: skip
    outcome = guild(["diff", "-s", "-c", "sh -c 'ls $0/x'"])
    assert (outcome.code, outcome.out) == (0, "f\n")
    assert [path.name for path in far.iterdir()] == ["f"]


def test_the_command_of_the_settings_is_used(guild: Guild, runs: tuple[Run, Run], tmp_path: Path) -> None:
    settings = tmp_path / "none.yml"
    settings.write_text("diff: {command: echo 'of  mine'}")
    assert guild("diff -O").out.startswith("of  mine ")
    assert guild("diff -O -c 'echo x'").out.startswith("x ")
    settings.write_text("diff: {command: [1]}")
    assert f"error in {settings}: 'command' of 'diff' should be a text" in guild("diff -O").err
    settings.write_text("diff: {command: none-such-program}")
    assert f"cannot find 'none-such-program', the command of 'diff' in {settings}" in guild("diff -O").err


# Which program: pure.

NO_CONFIG = UserConfig(None, {})
ALL = {"meld", "xxdiff", "dirdiff", "colordiff", "diff"}
DISPLAY = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("environ", "is_terminal", "installed", "expected"),
    [
        (DISPLAY, True, ALL, "meld"),
        (DISPLAY, True, ALL - {"meld"}, "xxdiff"),
        ({"WAYLAND_DISPLAY": "w"}, True, {"meld", "diff"}, "meld"),
        (DISPLAY, False, ALL, "diff"),
        ({}, True, ALL, "colordiff"),
        ({}, False, ALL, "diff"),
        (DISPLAY, True, {"diff"}, "diff"),
    ],
)
def test_the_program_fits_where_its_output_goes(
    environ: dict[str, str], is_terminal: bool, installed: set[str], expected: str
) -> None:
    programs, _ = choose_program("", NO_CONFIG, environ, is_terminal, lambda n: n if n in installed else None)
    assert programs[0][0] == expected


def test_without_any_program_one_is_asked_for() -> None:
    with pytest.raises(GuildError, match="no program to compare with"):
        choose_program("", NO_CONFIG, {}, False, lambda name: None)


def test_dirdiff_is_for_directories_only(tmp_path: Path) -> None:
    programs = [["dirdiff"], ["colordiff", "-ru"]]
    directory = str(tmp_path)
    assert command_for(programs, Pair(directory, directory))[0][0] == "dirdiff"
    assert command_for(programs, Pair(directory, "/dev/null"))[0][0] == "colordiff"
