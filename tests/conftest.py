"""The fixtures, and two guards: nobody's own home is used, and no test changes the environment for good."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from tests.helpers import Project

# A machine that is busy with something else is no fault: pytest-timeout ends what hangs.
hypothesis.settings.register_profile("guild", deadline=None)
hypothesis.settings.load_profile("guild")

_guard = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything of Guild is imported: HOME is an empty directory; GUILD_HOME cannot exist.

    It lies below a file, so that whoever takes the home from the environment, instead of the one that
    the test gave, meets an error.
    """
    base = tempfile.mkdtemp(prefix="guild-tests-")
    config.stash[_guard] = base
    Path(base, "home").mkdir()
    Path(base, "no-home").touch()
    os.environ["HOME"] = str(Path(base, "home"))
    os.environ["GUILD_HOME"] = str(Path(base, "no-home", "guild"))
    os.environ["GUILD_THIRD_PARTY_PLUGINS"] = "no"
    for name in ("GUILD_HOME_SCHEME", "CONDA_PREFIX", "VIRTUAL_ENV", "XDG_CONFIG_HOME"):
        os.environ.pop(name, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    base = config.stash.get(_guard, None)
    if base:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """Fail a test that leaves os.environ changed (`monkeypatch.setenv` restores it)."""
    before = dict(os.environ)
    yield
    after = dict(os.environ)
    changed = sorted(
        name
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name) and name != "PYTEST_CURRENT_TEST"
    )
    for name in changed:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    assert not changed, f"the test left the environment changed: {', '.join(changed)}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], Project]]:
    """`project({"guild.yml": text, ...})`: a project with a home of its own (which is not created)."""
    made: list[Project] = []

    def make(files: Mapping[str, str] = {}) -> Project:
        made.append(Project(tmp_path, files))
        return made[-1]

    yield make
    for each in made:
        each.close()
