"""Commands in this process: `guild("runs -s")` is what the command line would do."""

import io
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from guild import cli
from tests.helpers import Outcome

Guild = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def guild(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Guild:
    """`guild(args, input="")`: run a command in this process, with a home of its own."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def run(args: str | Sequence[str], input: str = "") -> Outcome:
        words = shlex.split(args) if isinstance(args, str) else list(args)
        monkeypatch.setattr(sys, "stdin", io.StringIO(input))
        capfdbinary.readouterr()
        code = cli._run(["-H", str(home), *words])
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))

    return run
