"""Which files of a run its operation made."""

import os
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.generated import files_below, generated_top
from guild.runs.manifest import ManifestEntry
from guild.runs.run import Run


def run_with(base: Path, names: list[str], manifest: str | None = "") -> Run:
    run = Run(base / "run")
    run.guild_dir.mkdir(parents=True)
    for name in names:
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).touch()
    if manifest is not None:
        (run.guild_dir / layout.MANIFEST).write_text(manifest)
    return run


def entry(kind: str, path: str) -> str:
    return ManifestEntry(kind, path, "-", "x").to_line()


def test_what_was_copied_into_a_run_is_not_generated(tmp_path: Path) -> None:
    manifest = entry("s", "train.py") + entry("d", "data.txt") + entry("d", "dir") + entry("s", "pkg/a.py")
    names = ["train.py", "data.txt", "dir/x", "pkg/a.py", "pkg/made", "out.txt", "made/deep/x"]
    assert generated_top(run_with(tmp_path, names, manifest)) == ["made", "out.txt"]


def test_links_are_generated_like_files(tmp_path: Path) -> None:
    run = run_with(tmp_path, ["out.txt"])
    (run.path / "latest").symlink_to("out.txt")
    (run.path / "lost").symlink_to("nowhere")
    assert generated_top(run) == ["latest", "lost", "out.txt"]


@pytest.mark.parametrize("manifest", [None, ""])
def test_without_a_manifest_or_with_an_empty_one_all_is_generated(
    tmp_path: Path, manifest: str | None
) -> None:
    assert generated_top(run_with(tmp_path, ["a", "b/c"], manifest)) == ["a", "b"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="run"):
        generated_top(Run(tmp_path / "run"))


def test_files_below_are_sorted_and_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    run = run_with(tmp_path, ["b", "a/x", "a/.guild/y", "empty/x"])
    (run.path / "empty/x").unlink()
    (run.path / "loop").symlink_to(".")
    os.mkfifo(run.path / "pipe")
    assert files_below(run.path) == ["a/.guild/y", "a/x", "b", "loop", "pipe"]
    assert files_below(run.path, frozenset(("a", "b", ".guild"))) == ["loop", "pipe"]
