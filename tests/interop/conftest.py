"""The peers, and projects on which ours and theirs work side by side."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import Project
from tests.interop.peers import CURRENT, OLDER, ON_3_8, NoInterpreter, Peer, Release, installed

# In every peer's environment: what it would ask the network for, or say about its age.
PEER_ENVIRON = {"NO_IMPORT_FLAGS_PROGRESS": "1", "PYTHONWARNINGS": "ignore"}


def peer_or_skip(release: Release) -> Peer:
    """The peer; without an interpreter for it the test is skipped, and the reason is printed."""
    try:
        return installed(release)
    except NoInterpreter as error:
        print(f"\nskipped: {error}", file=sys.__stderr__, flush=True)
        pytest.skip(str(error))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install what the chosen tests need before the first one, since a test has two minutes."""
    if session.config.option.collectonly:
        return
    chosen = [item for item in session.items if "tests/interop/" in item.nodeid]
    needed = [(CURRENT, {"peer", "both"}), (ON_3_8, {"peer38"})]
    needed += [(release, {"older_peer"}) for release in OLDER.values()]
    for release, fixtures in needed:
        if any(fixtures & set(getattr(item, "fixturenames", ())) for item in chosen):
            try:
                installed(release)
            except NoInterpreter:
                continue  # each test says so


@pytest.fixture(scope="session")
def peer() -> Peer:
    """Guild 0.9.0 on the best Python for it."""
    return peer_or_skip(CURRENT)


@pytest.fixture(scope="session")
def peer38() -> Peer:
    """Guild 0.9.0 on Python 3.8."""
    return peer_or_skip(ON_3_8)


@pytest.fixture(params=sorted(OLDER))
def older_peer(request: pytest.FixtureRequest) -> Peer:
    """Each of the releases before 0.9."""
    return peer_or_skip(OLDER[request.param])


@dataclass(frozen=True)
class Both:
    """One project directory and one home: `ours` and `theirs` run commands in them."""

    ours: Project
    theirs: Project

    @property
    def directory(self) -> Path:
        return self.ours.directory

    @property
    def home(self) -> Path:
        return self.ours.home

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


def side_by_side(peer: Peer, base: Path, files: Mapping[str, str] = {}) -> Both:
    """Ours and the peer on one project and one home below `base`."""
    ours = Project(base, files)
    ours.home.mkdir(exist_ok=True)  # Guild 0.9 does not create it
    return Both(ours, Project(base, {}, (str(peer.guild),), "their-logs"))


@pytest.fixture
def both(tmp_path: Path, peer: Peer) -> Iterator[Callable[[Mapping[str, str]], Both]]:
    """`both({"train.py": text})`: ours and theirs on one project and one home."""
    made: list[Both] = []

    def make(files: Mapping[str, str] = {}) -> Both:
        made.append(side_by_side(peer, tmp_path, files))
        return made[-1]

    yield make
    for each in made:
        each.close()
