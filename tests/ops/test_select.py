"""Which files of a project are its source code: in git, elsewhere, and by rules."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.ops import git
from guild.ops.opdef import SelectRule, SourceRules
from guild.ops.select import Selection, is_text, select_source

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
needs_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def tree(root: Path, *names: str) -> Path:
    return write(root, dict.fromkeys(names, "x\n"))


def in_git(root: Path, *args: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True, timeout=30)


def commit(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    in_git(root, "init")
    in_git(root, "add", "--force", ".")
    in_git(root, "commit", "--message", "all", "--allow-empty")


def select(root: Path, *rules: SelectRule, **kw: Any) -> Selection:
    options = {"python": True, "environ": {"PATH": os.environ["PATH"]}, **kw}
    return select_source(root, SourceRules(rules=rules), **options)


def include(pattern: str, kind: str = "") -> SelectRule:
    return SelectRule(True, pattern, kind)


def exclude(pattern: str, kind: str = "") -> SelectRule:
    return SelectRule(False, pattern, kind)


# Without git.


def test_text_files_are_taken_those_of_a_directory_before_its_sub_directories(tmp_path: Path) -> None:
    tree(tmp_path, "z.py", "a/b.py", "a.py", "a/sub/c.csv", ".dotfile")
    write(tmp_path, {"m.bin": b"\0\1", "empty": ""})
    chosen = select(tmp_path)
    assert chosen.files == [".dotfile", "a.py", "empty", "z.py", "a/b.py", "a/sub/c.csv"]
    assert chosen.skipped == ["m.bin"]
    assert chosen.warnings == []


def test_hidden_and_marked_directories_and_those_of_tools_are_left_out(tmp_path: Path) -> None:
    left = ("__pycache__/x", "v/bin/activate", "w/Scripts/activate", "build/x", "dist/x", "p.egg-info/x")
    tree(tmp_path, "a.py", ".hid/x", "n/.guild-nocopy", "n/x", *left)
    assert select(tmp_path).files == ["a.py"]
    assert select(tmp_path).skipped[:2] == [".hid/", "__pycache__/"]
    assert [f.partition("/")[0] for f in select(tmp_path, python=False).files] == [
        *("a.py", "__pycache__", "build", "dist", "p.egg-info", "v", "w"),
    ]


def test_a_file_that_is_too_big_is_skipped_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {"edge": b"x" * (1 << 20), "big": b"x" * ((1 << 20) + 1)})
    chosen = select(tmp_path)
    assert chosen.files == ["edge"]
    assert len(chosen.warnings) == 1
    assert chosen.warnings[0].startswith("Skipping source code file big because it's too big.")


def test_no_more_than_a_hundred_files_are_taken_by_default(tmp_path: Path) -> None:
    tree(tmp_path, *(f"f{i:03}" for i in range(103)))
    chosen = select(tmp_path)
    assert chosen.files == [f"f{i:03}" for i in range(100)]
    assert [w[:69] for w in chosen.warnings] == [
        "Found more than 100 source code files but will only copy 100 as a safe"[:69]
    ]
    assert select(tmp_path, exclude("f10*")).warnings == []
    assert len(select(tmp_path, include("*")).files) == 103


def test_the_limits_can_be_set_in_the_environment(tmp_path: Path) -> None:
    tree(tmp_path, "a", "b")
    write(tmp_path, {"c": b"12345"})
    limits = {"MAX_DEFAULT_SOURCECODE_COUNT": "1", "MAX_DEFAULT_SOURCECODE_FILE_SIZE": "x"}
    assert select(tmp_path, environ=limits).files == ["a"]
    limits = {"MAX_DEFAULT_SOURCECODE_FILE_SIZE": "4"}
    assert select(tmp_path, environ=limits).files == ["a", "b"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tree(tmp_path / "p", "a.py", "real/x.py")
    tree(tmp_path, "outside/y.py")
    (root / "file-link").symlink_to("a.py")
    (root / "out").symlink_to("../outside")
    (root / "real/up").symlink_to("..")
    (root / "real/self").symlink_to("self")
    (root / "dangling").symlink_to("nothing")
    assert select(root).files == ["a.py", "file-link", "out/y.py", "real/x.py"]


def test_what_is_no_regular_file_is_skipped_without_hanging(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tmp_path)  # names of sockets are short
        try:
            listener.bind("sock")
        finally:
            os.chdir(here)
        for rules in ((), (include("*"),), (include("*", "binary"),)):
            chosen = select(tmp_path, *rules)
            assert chosen.files == ["a.py"]
            assert chosen.skipped == ["fifo", "sock"]


@needs_user
def test_what_cannot_be_read_is_named_in_a_warning(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "secret.py", "closed/x.py")
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        chosen = select(tmp_path)
        assert chosen.files == ["a.py"]
        assert [w.split()[4] for w in chosen.warnings] == ["secret.py", "closed"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.py", "secret.py")
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith("secret.py"))
    for rules in ((), (include("*"),)):
        chosen = select(tmp_path, *rules)
        assert chosen.files == ["a.py"]
        assert chosen.warnings == ["Skipping source code file secret.py because it cannot be read."]


def test_odd_names_are_names(tmp_path: Path) -> None:
    odd = ["new\nline", "quo'te", "sp ace", os.fsdecode(b"\xff.py"), "é", "[x]*"]
    tree(tmp_path, *odd)
    assert select(tmp_path).files == sorted(odd)
    assert select(tmp_path, exclude("*"), include("é")).files == ["é"]


def test_a_root_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match=r"cannot read the source code directory '.*gone'"):
        select(tmp_path / "gone")


def test_no_source_code_is_wanted(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    assert select_source(tmp_path, SourceRules(disabled=True), python=True).files == []


def test_dependencies_are_no_source_code(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "data.csv", "sub/data.csv")
    chosen = select(tmp_path, include("*.csv"), exclude=["data.csv"])
    assert chosen.files == ["a.py", "sub/data.csv"]


@pytest.mark.parametrize("name", [".guild", "my-runs"])
def test_a_home_within_the_project_is_never_copied_into_itself(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path / "p", "a.py", f"{name}/runs/1/x.py")
    (root / "link").symlink_to(name)
    for rules in ((), (include("*"), include(f"{name}/*"), include(name, "dir"))):
        assert select(root, *rules, avoid=[root / name]).files == ["a.py"]


def test_a_home_that_is_the_project_leaves_its_parts_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "runs/1/x.py", "cache/y", "trash/runs/1/x", "sub/runs/z.py")
    assert select(tmp_path, avoid=[tmp_path]).files == ["a.py", "sub/runs/z.py"]


def test_a_project_within_the_home_is_a_project(tmp_path: Path) -> None:
    root = tree(tmp_path / "home/p", "a.py", "sub/b.py")
    assert select(root, avoid=[tmp_path / "home"]).files == ["a.py", "sub/b.py"]


# Rules.


@pytest.mark.parametrize(
    ("rules", "files"),
    [
        ((exclude("*"), include("a.py")), ["a.py", "sub/a.py"]),
        ((exclude("*"), include("/a.py")), ["a.py"]),
        ((exclude("*"), include("sub")), ["sub/a.py", "sub/deep/b.txt"]),
        ((exclude("*"), include("sub/*.py")), ["sub/a.py"]),
        ((exclude("*"), include("sub/**/*.txt")), ["sub/deep/b.txt"]),
        ((exclude("*"), include("./sub/a.py")), ["sub/a.py"]),
        ((exclude("*"), include(".")), ["a.py", "b.txt", "m.bin", "sub/a.py", "sub/deep/b.txt"]),
        ((exclude("*.py"),), ["b.txt", "sub/deep/b.txt"]),
        ((exclude("*.py"), include("sub/a.py")), ["b.txt", "sub/a.py", "sub/deep/b.txt"]),
        ((include("a.py"), exclude("*.py")), ["b.txt", "sub/deep/b.txt"]),
        ((exclude("sub"),), ["a.py", "b.txt"]),
        ((exclude("sub/"),), ["a.py", "b.txt"]),
        ((exclude("deep", "dir"),), ["a.py", "b.txt", "sub/a.py"]),
        ((exclude("sub/deep", "dir"),), ["a.py", "b.txt", "sub/a.py"]),
        ((exclude("sub*", "dir"), include("sub", "dir")), ["a.py", "b.txt", "sub/a.py", "sub/deep/b.txt"]),
        ((include("*", "binary"),), ["a.py", "b.txt", "m.bin", "sub/a.py", "sub/deep/b.txt"]),
        ((exclude("*", "text"),), []),
        ((exclude("[ab].py"),), ["b.txt", "sub/deep/b.txt"]),
        ((exclude("*"), include("build")), ["build/x.py"]),
        ((exclude("*"), include("build/x.py")), ["build/x.py"]),
        ((exclude("*"), include(".hid/x.py")), [".hid/x.py"]),
        ((exclude("*"), include("x.py")), []),
        ((exclude("*"), include("build", "dir"), include("x.py")), ["build/x.py"]),
    ],
)
def test_the_last_rule_that_matches_counts(
    tmp_path: Path, rules: tuple[SelectRule, ...], files: list[str]
) -> None:
    tree(tmp_path, "a.py", "b.txt", "sub/a.py", "sub/deep/b.txt", "build/x.py", ".hid/x.py")
    write(tmp_path, {"m.bin": b"\0"})
    assert select(tmp_path, *rules).files == files


def test_rules_may_lift_the_limit_of_size(tmp_path: Path) -> None:
    write(tmp_path, {"big.csv": b"x" * (2 << 20)})
    assert select(tmp_path, include("*.csv")) == Selection(
        ["big.csv"], [], [], select(tmp_path, include("*.csv")).described
    )


def test_a_directory_that_is_excluded_whole_is_not_looked_into(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "data/x", "data/deep/y")
    assert select(tmp_path, exclude("data")).skipped == ["data/"]
    assert select(tmp_path, exclude("data"), include("data/x")).files == ["a.py", "data/x"]


def test_the_rules_are_described_in_their_order(tmp_path: Path) -> None:
    tree(tmp_path, "sub/x")
    described = select(tmp_path, exclude("*"), include("sub"), exclude("*.dat", "binary")).described
    assert described[:3] == [
        "exclude dir .*",
        "exclude dir * containing .guild-nocopy",
        "include text * size < 1048577, max match 100",
    ]
    assert described[-3:] == ["exclude *", "include sub/*", "exclude binary *.dat"]
    assert "exclude dir __pycache__" not in select(tmp_path, python=False).described


# Text.


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"", True),
        (b"plain\n", True),
        ("déjà vu".encode(), True),
        ("déjà vu, café".encode("latin-1"), True),
        ("wide".encode("utf-16"), True),
        (b"a\0b", False),
        (bytes(range(128, 256)), False),
        (b"x" * 8191 + "é".encode()[:1], True),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(1, 32)) * 4, False),
    ],
)
def test_text_is_told_from_binary_by_content(head: bytes, text: bool) -> None:
    assert is_text(head) is text


@given(st.binary(max_size=200))
def test_no_content_is_too_odd_to_be_told(head: bytes) -> None:
    assert isinstance(is_text(head), bool)


@given(st.text(max_size=100))
def test_utf_8_without_nul_is_text(text: str) -> None:
    assert is_text(text.replace("\0", "").encode())


# In git.


@needs_git
def test_in_git_all_that_is_not_ignored_is_taken(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.log\nvenv/\n", "m.bin": b"\0", "big": b"x" * (2 << 20)})
    tree(tmp_path, "a.py", ".github/w.yml", "build/b", "gone.py", "a.log", "forced.log", "venv/x.py", "sub/c")
    in_git(tmp_path, "init")
    in_git(tmp_path, "add", "--force", "a.py", "gone.py", "forced.log", "m.bin")
    (tmp_path / "gone.py").unlink()
    chosen = select(tmp_path)
    assert chosen.files == ["a.py", "big", "forced.log", "m.bin", ".github/w.yml", "build/b", "sub/c"]
    assert {"a.log", ".gitignore", "venv/", ".git/"} <= {*chosen.skipped}
    assert chosen.warnings == []
    assert "gitignore + guildignore patterns" in chosen.described


@needs_git
def test_guildignore_has_its_say_in_git_over_tracked_files_too(tmp_path: Path) -> None:
    write(tmp_path, {".guildignore": "*.dat\n/top.txt\nsub2/\n!keep.dat\n"})
    tree(tmp_path, "a.py", "b.dat", "keep.dat", "top.txt", "sub/top.txt", "sub/c.dat", "sub2/x")
    commit(tmp_path)
    tree(tmp_path, "new.dat")
    assert select(tmp_path).files == ["a.py", "keep.dat", "sub/top.txt"]
    assert select(tmp_path / "sub").files == ["c.dat", "top.txt"]  # its root has none


@needs_git
def test_a_project_may_lie_deep_in_a_work_tree(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.log\n"})
    root = tree(tmp_path / "x/p", "a.py", "b.log", "sub/c.py")
    commit(tmp_path)
    (root / "b.log").touch()
    in_git(tmp_path, "rm", "--cached", "x/p/b.log")
    assert select(root).files == ["a.py", "sub/c.py"]


@needs_git
def test_a_project_that_git_ignores_as_a_whole_is_taken_by_the_other_rules(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "tmp/\n"})
    tree(tmp_path, "tmp/p/a.py")
    in_git(tmp_path, "init")
    assert select(tmp_path / "tmp/p").files == ["a.py"]


@needs_git
def test_rules_reach_what_git_ignores_if_they_name_its_place(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "data/\n*.csv\n"})
    tree(tmp_path, "a.py", "b.csv", "data/x.csv", "data/deep/y.csv", "data/z.py")
    in_git(tmp_path, "init")
    assert select(tmp_path).files == ["a.py"]
    assert select(tmp_path, include("*.csv")).files == ["a.py", "b.csv"]
    assert select(tmp_path, include("data/x.csv")).files == ["a.py", "data/x.csv"]
    assert select(tmp_path, include("data")).files == ["a.py", "data/x.csv", "data/z.py", "data/deep/y.csv"]
    assert select(tmp_path, exclude("*"), include("a.py")).files == ["a.py"]


@needs_git
def test_work_trees_within_are_part_of_the_project(tmp_path: Path) -> None:
    write(tmp_path / "nested", {".gitignore": "*.log\n"})
    tree(tmp_path / "nested", "n.py", "n.log")
    commit(tmp_path / "nested")
    in_git(tmp_path / "nested", "rm", "--cached", "n.log")
    tree(tmp_path, "a.py")
    in_git(tmp_path, "init")
    assert select(tmp_path).files == ["a.py", "nested/n.py"]
    in_git(tmp_path, "add", ".")  # as a submodule has it
    assert select(tmp_path).files == ["a.py", "nested/n.py"]


@needs_git
def test_links_in_git_are_followed(tmp_path: Path) -> None:
    root = tree(tmp_path / "p", "a.py", "real/x.py")
    tree(tmp_path, "outside/y.py", "outside/__pycache__/z")
    (root / "out").symlink_to("../outside")
    (root / "up").symlink_to("..")
    (root / "dangling").symlink_to("nothing")
    commit(root)
    files = select(root).files
    assert files[:3] == ["a.py", "out/y.py", "real/x.py"]
    assert "up/outside/y.py" in files
    assert not [f for f in files if f.startswith("up/p/")]


@needs_git
def test_odd_names_are_names_in_git(tmp_path: Path) -> None:
    odd = ["new\nline", "quo'te", "sp ace", os.fsdecode(b"\xff.py"), "é", "[x]*"]
    tree(tmp_path, *odd)
    commit(tmp_path)
    assert select(tmp_path).files == sorted(odd)


@needs_git
def test_a_home_within_a_git_project_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", ".guild/runs/1/x", "other-home/runs/1/x")
    in_git(tmp_path, "init")
    assert select(tmp_path, avoid=[tmp_path / "other-home"]).files == ["a.py"]


def test_without_git_itself_a_work_tree_is_a_directory_like_others(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "b.log", ".git/HEAD")
    write(tmp_path, {".gitignore": "*.log\n"})
    chosen = select(tmp_path, environ={"PATH": "/nowhere"})
    assert chosen.files == [".gitignore", "a.py", "b.log"]


@needs_git
def test_the_variables_of_a_git_hook_do_not_mislead(tmp_path: Path) -> None:
    other, root = tmp_path / "other", tmp_path / "p"
    tree(other, "other.py")
    tree(root, "a.py", "b.log")
    write(root, {".gitignore": "*.log\n"})
    commit(other)
    in_git(root, "init")
    hook = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "/x"}
    environ = {"PATH": os.environ["PATH"], **hook}
    assert select(root, environ=environ).files == ["a.py"]


def test_git_that_hangs_is_given_up(tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "git"
    write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 60\n"})
    fake.chmod(0o755)
    environ = {"PATH": f"{fake.parent}:{os.environ['PATH']}"}
    assert git.run_git(tmp_path, ["status"], environ, 0.05) is None


def test_where_no_git_directory_is_git_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "run_git", lambda *args: pytest.fail("asked"))
    monkeypatch.setattr(os.path, "lexists", lambda path: not str(path).endswith(".git"))
    assert git.list_files(tmp_path, {}) is None
