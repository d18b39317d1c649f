"""Which directory is the home, and where things are in it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guild.home import Home, choose_home


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's home directory; the project is `work/project` below it."""
    (tmp_path / "user/work/project").mkdir(parents=True)
    return tmp_path / "user"


@pytest.fixture
def choose(user: Path) -> Callable[..., Path]:
    def chosen(option: str | None = None, cwd: Path | None = None, **environ: str) -> Path:
        full: Mapping[str, str] = {"HOME": str(user), **environ}
        return choose_home(option, full, cwd or user / "work/project")

    return chosen


def test_without_anything_it_is_below_the_users_home(choose: Callable[..., Path], user: Path) -> None:
    assert choose() == user / ".guild"
    assert choose(GUILD_HOME="", VIRTUAL_ENV="", CONDA_PREFIX="") == user / ".guild"


def test_the_option_wins_over_the_variable_and_both_over_the_rest(
    choose: Callable[..., Path], user: Path
) -> None:
    (user / "work/.guild").mkdir()
    assert choose("/x", GUILD_HOME="/y") == Path("/x")
    assert choose(GUILD_HOME="/y", GUILD_HOME_SCHEME="pre-0.9") == Path("/y")


def test_a_relative_home_is_made_absolute_from_the_working_directory(
    choose: Callable[..., Path], user: Path
) -> None:
    assert choose("../h") == user / "work/h"
    assert choose(GUILD_HOME="h") == user / "work/project/h"


def test_a_tilde_in_the_variable_is_the_users_home(choose: Callable[..., Path]) -> None:
    assert choose(GUILD_HOME="~/h") == Path.home() / "h"


def test_the_nearest_one_above_is_taken_up_to_the_users_home(choose: Callable[..., Path], user: Path) -> None:
    (user.parent / ".guild").mkdir()
    assert choose() == user / ".guild", "what lies above the user's home is not asked"
    (user / ".guild").mkdir()
    assert choose() == user / ".guild"
    (user / "work/.guild").mkdir()
    assert choose() == user / "work/.guild"
    (user / "work/project/.guild").mkdir()
    assert choose() == user / "work/project/.guild"


def test_a_file_of_that_name_is_no_home(choose: Callable[..., Path], user: Path) -> None:
    (user / "work/.guild").touch()
    assert choose() == user / ".guild"


def test_outside_the_users_home_the_way_up_goes_to_the_root(
    choose: Callable[..., Path], tmp_path: Path, user: Path
) -> None:
    other = tmp_path / "srv/data/project"
    other.mkdir(parents=True)
    assert choose(cwd=other) == user / ".guild"
    (tmp_path / "srv/.guild").mkdir()
    assert choose(cwd=other) == tmp_path / "srv/.guild"


def test_an_active_environment_counts_if_it_has_a_home(
    choose: Callable[..., Path], user: Path, tmp_path: Path
) -> None:
    (user / "work/.guild").mkdir()
    conda, venv = tmp_path / "conda", tmp_path / "venv"
    active = {"CONDA_PREFIX": str(conda), "VIRTUAL_ENV": str(venv)}
    assert choose(**active) == user / "work/.guild"
    (venv / ".guild").mkdir(parents=True)
    assert choose(**active) == venv / ".guild"
    (conda / ".guild").mkdir(parents=True)
    assert choose(**active) == conda / ".guild"


def test_the_old_scheme_takes_the_environment_whether_or_not_it_has_a_home(
    choose: Callable[..., Path], user: Path, tmp_path: Path
) -> None:
    (user / "work/.guild").mkdir()
    old = {"GUILD_HOME_SCHEME": "pre-0.9"}
    assert choose(**old) == (user / ".guild").resolve()
    assert choose(**old, VIRTUAL_ENV=str(tmp_path / "v")) == (tmp_path / "v/.guild").resolve()


def test_choosing_makes_nothing(choose: Callable[..., Path], user: Path) -> None:
    assert not choose().exists()
    assert sorted(p.name for p in user.iterdir()) == ["work"]


def test_things_are_where_guild_0_9_has_them() -> None:
    home = Home(Path("/h"))
    assert [str(p) for p in (home.runs, home.trash, home.lock, home.cache)] == [
        "/h/runs",
        "/h/trash/runs",
        "/h/locks/run-status",
        "/h/cache",
    ]
    assert home.staging.parent == home.runs.parent, "same depth, so that relative links hold"
