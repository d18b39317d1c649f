import os
import subprocess
import sys
from pathlib import Path

import pytest

from guild.ops.select import NOCOPY
from tests.commands.conftest import Guild


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory, without a Guild home named or active."""
    made = tmp_path / "user"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    for name in ("GUILD_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return made


def home_chosen_in(directory: Path) -> str:
    code = "import os; from pathlib import Path; from guild.home import choose_home\n"
    code += "print(choose_home(None, os.environ, Path.cwd()))"
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_directory_gets_a_home_that_commands_there_use(guild: Guild, tmp_path: Path, user: Path) -> None:
    outcome = guild("init new/place")
    place = tmp_path / "project" / "new" / "place"
    assert (outcome.code, outcome.out) == (0, f"Guild environment initialized in {place}\n")
    assert {p.name for p in (place / ".guild").iterdir()} >= {"runs", "trash", "cache", NOCOPY}
    assert home_chosen_in(place) == str(place / ".guild")
    assert (place / ".guild/cache/resources").resolve() == user / ".guild/cache/resources"


def test_downloads_may_be_its_own(guild: Guild, tmp_path: Path, user: Path) -> None:
    assert guild("init -l").code == 0
    resources = tmp_path / "project/.guild/cache/resources"
    assert resources.is_dir()
    assert not resources.is_symlink()


def test_what_is_there_is_kept(guild: Guild, tmp_path: Path, user: Path) -> None:
    kept = tmp_path / "project/.guild/runs/mine"
    kept.mkdir(parents=True)
    outcome = guild("init")
    assert (outcome.code, kept.is_dir()) == (0, True)
    assert "is there already; it is kept" in outcome.err
    assert guild("init").code == 0


def test_another_home_or_the_one_in_use_is_linked(
    guild: Guild, tmp_path: Path, user: Path, home: Path
) -> None:
    assert guild(["init", "-h", str(tmp_path / "other"), "a"]).code == 0
    assert (tmp_path / "project/a/.guild").resolve() == tmp_path / "other"
    assert (tmp_path / "other" / "runs").is_dir()
    assert guild("init -H b").code == 0
    assert (tmp_path / "project/b/.guild").resolve() == home
    refused = guild(["init", "-h", str(tmp_path / "third"), "a"])
    assert refused.code == 1
    assert "it is there already" in refused.err
    assert not (tmp_path / "third").exists()


def test_senseless_places_are_refused_by_name(guild: Guild, tmp_path: Path, user: Path) -> None:
    (tmp_path / "project/file").touch()
    for place in ("/", "file", str(user), "x/.guild"):
        outcome = guild(["init", place])
        assert outcome.code == 1
        assert os.path.basename(place) in outcome.err
    assert not (user / ".guild").exists()


def test_a_home_that_is_named_for_every_command_is_pointed_out(
    guild: Guild, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUILD_HOME", "/elsewhere")
    assert "GUILD_HOME is set" in guild("init").err


def test_a_virtual_environment_is_made_after_asking(guild: Guild, tmp_path: Path, user: Path) -> None:
    (tmp_path / "project/lib").mkdir()
    declined = guild(f"init --python {sys.executable} -P lib -n mine", input="n\n")
    assert declined.code == 4
    assert f"Python interpreter: {sys.executable}" in declined.err
    place = tmp_path / "project/venv"
    assert not place.exists()
    outcome = guild(f"init --python {sys.executable} -P lib -n mine -y")
    assert outcome.code == 0, outcome
    assert f"source {place}/bin/activate" in outcome.err
    assert (place / ".guild/runs").is_dir()
    assert "mine" in (place / "pyvenv.cfg").read_text()
    done = subprocess.run(
        [str(place / "bin/python"), "-c", "import sys; print(sys.path)"], capture_output=True, text=True
    )
    assert str(tmp_path / "project/lib") in done.stdout
    again = guild("init --venv -y")
    assert again.code == 0
    assert (place / "lib").is_dir()


def test_no_virtual_environment_is_made_among_other_files(guild: Guild, tmp_path: Path, user: Path) -> None:
    (tmp_path / "project/train.py").touch()
    outcome = guild("init --venv -y .")
    assert outcome.code == 1
    assert "holds other files" in outcome.err
    assert not (tmp_path / "project/.guild").exists()


def test_requirements_are_those_of_the_project_or_those_given(
    guild: Guild, tmp_path: Path, user: Path
) -> None:
    (tmp_path / "project/requirements.txt").write_text("six\n")
    (tmp_path / "project/other.txt").write_text("six\n")
    assert "requirements.txt" in guild("init --venv", input="n\n").err
    assert "requirements.txt" not in guild("init --no-reqs", input="n\n").err
    given = guild("init -r other.txt -r 'left-pad>=1'", input="n\n").err
    assert "other.txt" in given
    assert "left-pad>=1" in given
    assert "requirements.txt" not in given


@pytest.mark.parametrize("version", ["2.3", "nonsense", "./no-such"])
def test_a_python_that_is_not_there_is_named(guild: Guild, user: Path, version: str) -> None:
    outcome = guild(f"init --venv -p {version} -y")
    assert outcome.code == 1
    assert version in outcome.err


def test_a_failed_installation_ends_with_a_clear_word(guild: Guild, tmp_path: Path, user: Path) -> None:
    outcome = guild("init -y -r ./no-such-file-or-package", input="")
    assert outcome.code == 1
    assert "cannot install the packages" in outcome.err
