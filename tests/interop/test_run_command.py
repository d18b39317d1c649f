"""The command line of `guild run`: the same lines, the same project, each of the two on a home of its own."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.helpers import Outcome, Project, wait_until
from tests.interop import run_lines
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.run_lines import FILES, LITERALS, SPACED, Line
from tests.interop.sameness import Said

# What takes time and is compared elsewhere: the list of packages, the commit.
_ENVIRON = {
    "NO_IMPORT_FLAGS_PROGRESS": "1",
    "PYTHONWARNINGS": "ignore",
    "NO_PIP_FREEZE": "1",
    "NO_VCS_COMMIT": "1",
}


@dataclass(frozen=True)
class Pair:
    """Ours and theirs in one project directory, with a home each."""

    ours: Project
    theirs: Project

    def say(self, line: Line) -> Said:
        """The same line by both, at the same time."""
        started = [project.popen(line.args, env=_ENVIRON) for project in (self.theirs, self.ours)]
        for running in started:
            assert running.process.stdin
            running.process.stdin.write(line.typed.encode())
            running.process.stdin.close()
        outcomes = [running.wait() for running in started]
        theirs, ours = (self._clean(p, o) for p, o in zip((self.theirs, self.ours), outcomes, strict=True))
        return Said(line.args, theirs, ours)

    def _clean(self, project: Project, outcome: Outcome) -> Outcome:
        return Outcome(outcome.code, self._cleaned(project, outcome.out), self._cleaned(project, outcome.err))

    def _cleaned(self, project: Project, text: str) -> str:
        text = text.replace(str(project.home), "HOME")
        text = re.sub(r"\S+/bin/python[0-9.]*", "PYTHON", text)
        text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
        text = re.sub(r"\[[0-9a-f]{8}\]", "[ID]", text)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
        # Tables of Guild 0.9 have blanks at the ends of lines; what asks has one, too.
        assert meant("Blanks at the ends of lines in tables")
        return re.sub(r" +$", "", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Pair]:
    base = tmp_path_factory.mktemp("run")
    ours, theirs = Project(base, FILES), Project(base, {}, (str(peer.guild),), "their-logs")
    ours.home, theirs.home = base / "ours", base / "theirs"
    for project in (ours, theirs):
        project.home.mkdir()
    (ours.directory / "say.sh").chmod(0o755)
    yield Pair(ours, theirs)
    ours.close()
    theirs.close()


def told(project: Project) -> dict[str, str]:
    """The runs of a home by id: operation, state, label, tags, flags."""
    return {
        run.name: _told(run / ".guild")
        for run in (project.home / "runs").glob("*")
        if (run / ".guild").is_dir()
    }


def _told(guild_dir: Path) -> str:
    def attr(name: str) -> object:
        path = guild_dir / "attrs" / name
        return yaml.safe_load(path.read_text()) if path.exists() else None

    state = [name for name in ("STAGED", "PENDING") if (guild_dir / name).exists()]
    opref = (guild_dir / "opref").read_text().split(" ")[-1].strip()
    return repr((opref, state, attr("exit_status"), attr("label"), attr("tags"), attr("flags")))


def differing(pair: Pair, line: Line) -> str:
    """What the two say and make differently, but for what the line allows; nothing where they agree."""
    for row in line.meant:
        assert meant(row)
    before = [set(told(project)) for project in (pair.theirs, pair.ours)]
    said = pair.say(line)
    theirs, ours = (
        sorted(run for id, run in told(project).items() if id not in old)
        for project, old in zip((pair.theirs, pair.ours), before, strict=True)
    )
    found = {
        "code": said.theirs.code == said.ours.code,
        "out": said.theirs.out == said.ours.out,
        "err": said.theirs.err == said.ours.err,
        "runs": theirs == ours,
    }
    wrong = [name for name, same in found.items() if same == (name in line.but)]
    if not wrong:
        return ""
    return f"guild {line.args}: {wrong}, {line.but} may differ\n{said.difference()}\n{theirs}\n{ours}"


def check(pair: Pair, lines: Sequence[Line]) -> None:
    faults = [fault for line in lines if (fault := differing(pair, line))]
    assert not faults, "\n\n".join(faults)


def test_the_same_operation_is_meant(pair: Pair) -> None:
    check(pair, run_lines.SETUP_LINES)


def test_the_same_is_refused(pair: Pair) -> None:
    check(pair, run_lines.ERRORS)


def test_the_same_is_asked(pair: Pair) -> None:
    check(pair, run_lines.ASKED)


def test_the_same_is_shown(pair: Pair) -> None:
    check(pair, run_lines.SHOWN)


def test_the_same_runs_are_made(pair: Pair) -> None:
    check(pair, run_lines.MADE)


def _flags_and_label(pair: Pair, texts: Sequence[str]) -> list[tuple[dict[str, object], str, str]]:
    """What the two make of these texts: flags, label and what is printed (theirs, ours)."""
    args = json.dumps(["run", "show", "-y", "-f", *(f"f{n:03}={text}" for n, text in enumerate(texts))])
    found = []
    for project in (pair.theirs, pair.ours):
        before = set(told(project))
        outcome = project.guild(json.loads(args), env=_ENVIRON)
        assert outcome.code == 0, outcome
        (run,) = set(told(project)) - before
        attrs = project.home / "runs" / run / ".guild/attrs"
        flags = yaml.safe_load((attrs / "flags").read_text())
        label = yaml.safe_load((attrs / "label").read_text())
        found.append(({name: repr(value) for name, value in flags.items()}, label, outcome.out))
    return found


@pytest.mark.parametrize("texts", [LITERALS, SPACED], ids=["words", "blanks"])
def test_texts_without_a_type_are_the_same_values(pair: Pair, texts: list[str]) -> None:
    theirs, ours = _flags_and_label(pair, texts)
    named = {f"f{n:03}": text for n, text in enumerate(texts)}
    assert {named[n]: v for n, v in theirs[0].items() if n in named} == {
        named[n]: v for n, v in ours[0].items() if n in named
    }
    assert theirs[1:] == ours[1:]


def test_what_yaml_takes_for_no_text_is_the_text_that_was_typed(pair: Pair) -> None:
    assert meant(run_lines.ROW_COMMENT)
    texts = ["#a", "a #b", "&a", "|", ">", "?", "  "]
    theirs, ours = _flags_and_label(pair, texts)
    typed = {name: value for name, value in ours[0].items() if name != "x"}
    assert list(typed.values()) == [repr(text.strip()) for text in texts]
    assert not any(theirs[0][name] == value for name, value in typed.items())


def test_values_that_are_not_ascii_are_the_same(pair: Pair) -> None:
    assert meant(run_lines.ROW_ASCII)
    theirs, ours = _flags_and_label(pair, ["é", "日本"])
    assert theirs[0] == ours[0]
    assert theirs[2] == ours[2]
    assert ours[1] == "f000=é f001=日本"


def test_a_run_in_the_background_is_told_of(pair: Pair) -> None:
    for project in (pair.theirs, pair.ours):
        pidfile = project.home / "pid"
        outcome = project.guild(f"run train lr=20 -y --pidfile {pidfile}", env=_ENVIRON)
        assert (outcome.code, outcome.out) == (0, "")
        said = r"big:train started in background as [0-9a-f]{32} \(pidfile (\S+)\)\n"
        assert (found := re.fullmatch(said, outcome.err)), outcome
        assert found[1] == str(pidfile)
        wait_until(lambda p=project: any("'lr': 20," in run and ", 0, " in run for run in told(p).values()))
