from pathlib import Path

import pytest

from guild.errors import GuildfileError
from guild.ops.guildfile import load_guildfile
from guild.ops.project import MainScript, find_guildfile, find_main


def test_a_guildfile_is_looked_for_in_the_directory_itself_only(tmp_path: Path) -> None:
    (tmp_path / "guild.yml").write_text("train: {}\n")
    (tmp_path / "sub").mkdir()
    assert find_guildfile(tmp_path) == tmp_path / "guild.yml"
    assert find_guildfile(tmp_path / "sub") is None


def test_what_is_called_guild_yml_is_meant_to_be_one_and_said_if_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "guild.yml").symlink_to("gone.yml")
    found = find_guildfile(tmp_path)
    assert found is not None
    with pytest.raises(GuildfileError, match=r"error in .*guild.yml: No such file"):
        load_guildfile(found)


@pytest.mark.parametrize(
    ("main", "file", "module"),
    [
        ("train", "train.py", ""),
        ("sub/train", "sub/train.py", ""),
        ("pkg.mod", "pkg/mod.py", "pkg.mod"),
        ("pkg", "pkg/__main__.py", "pkg.__main__"),
        ("sub/pkg.mod", "sub/pkg/mod.py", ""),
        ("v1.2", "v1.2.py", ""),
    ],
)
def test_main_names_a_file_below_the_root(tmp_path: Path, main: str, file: str, module: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    assert find_main(main, [tmp_path]) == MainScript(path, tmp_path, module)


def test_the_first_root_that_has_the_file_counts(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("none", "first", "second")]
    for root in roots[1:]:
        root.mkdir()
        (root / "x.py").touch()
    found = find_main("x", roots)
    assert found is not None
    assert found.path == tmp_path / "first" / "x.py"
    assert find_main("y", roots) is None
