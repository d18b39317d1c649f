from pathlib import Path
from typing import Any

import pytest

from guild.config import UserConfig, config_path, read_sections, user_config
from guild.errors import GuildError

AT = Path("/c.yml")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "user" / ".guild").mkdir(parents=True)
    return {"HOME": str(tmp_path / "user")}


def test_settings_are_in_the_users_home_in_the_directory_or_where_the_environment_says(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    def command() -> Any:
        return user_config(environ, tmp_path).get("diff", "command")

    assert command() is None
    (tmp_path / "user" / ".guild" / "config.yml").write_text("diff: {command: of-user}")
    assert command() == "of-user"
    (tmp_path / "guild-config.yml").write_text("diff: {command: of-directory}")
    assert command() == "of-directory"
    (tmp_path / "other.yml").write_text("diff: {command: of-environment}")
    environ["GUILD_CONFIG"] = "other.yml"
    assert command() == "of-environment"
    environ["GUILD_CONFIG"] = ""
    assert command() is None


def test_the_users_home_is_meant_even_where_it_has_no_guild_directory(tmp_path: Path) -> None:
    path = config_path({"HOME": str(tmp_path / "nobody"), "GUILD_HOME": "/elsewhere"}, tmp_path)
    assert path == tmp_path / "nobody" / ".guild" / "config.yml"


def test_a_file_that_is_missing_or_empty_holds_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["GUILD_CONFIG"] = str(tmp_path / "none.yml")
    assert user_config(environ, tmp_path) == UserConfig(None, {})
    (tmp_path / "none.yml").write_text("# nothing yet\n")
    assert user_config(environ, tmp_path).get("diff", "command", "x") == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("diff: [", "error in {path}, line "),
        ("- 1", "error in {path}: it holds a list"),
        ("5", "it holds a value"),
    ],
)
def test_a_file_of_another_form_is_named(
    tmp_path: Path, environ: dict[str, str], text: str, said: str
) -> None:
    path = tmp_path / "guild-config.yml"
    path.write_text(text)
    with pytest.raises(GuildError) as error:
        user_config(environ, tmp_path)
    assert said.format(path=path) in error.value.message


def test_a_directory_in_its_place_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "guild-config.yml").mkdir()
    with pytest.raises(GuildError, match=r"cannot read .*guild-config\.yml"):
        user_config(environ, tmp_path)


def test_items_extend_others_of_their_section_and_the_later_wins() -> None:
    remotes = {
        "base": {"host": "h", "port": 1, "user": "u"},
        "more": {"port": 2},
        "mine": {"extends": ["base", "more"], "user": "me"},
        "ours": {"extends": "mine"},
    }
    sections = read_sections({"remotes": remotes}, AT)
    assert sections["remotes"]["mine"] == {"host": "h", "port": 2, "user": "me"}
    assert sections["remotes"]["ours"] == sections["remotes"]["mine"]
    assert sections["remotes"]["base"] == remotes["base"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"a": {"extends": "b"}}, "'a' extends 'b', which is not there"),
        ({"a": {"extends": {"b": 1}}}, "which is not there"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "extends itself: a -> b -> a"),
    ],
)
def test_what_cannot_be_extended_is_named(section: dict[str, Any], said: str) -> None:
    with pytest.raises(GuildError, match=r"error in /c\.yml") as error:
        read_sections({"s": section}, AT)
    assert said in error.value.message


def test_a_setting_of_another_type_is_named() -> None:
    config = UserConfig(AT, read_sections({"diff": {"command": 5}, "other": 3, 1: {2: "x"}}, AT))
    with pytest.raises(GuildError, match="'command' of 'diff' should be a text"):
        config.text("diff", "command")
    assert config.text("diff", "none") == ""
    assert config.get("other", "x") is None
    assert config.get("1", "2") == "x"
