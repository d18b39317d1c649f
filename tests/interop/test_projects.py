"""The same commands in the same projects make the same runs as with Guild 0.9, file by file.

Both work side by side, each on a home of its own, in the background; each test waits for its project.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.run_trees import Difference, Side, differences, facts
from tests.interop.same_projects import NAMES, Made, compared, make, make_project
from tests.launch.web import serve

# Differences that are let through: where (`PROJECT/COMMAND[/NUMBER] PLACE`; a batch or a workflow is number
# 0, then come its runs), and the reason.
BUILT_IN_PATH = meant("PYTHONPATH of a batch, a workflow, a queue")
INSIDE = meant("Environment of trials and steps")
STAGED = meant("Environment of a staged run")
PACKAGES = meant("Attribute `pip_freeze`")
TYPED = meant("Attribute `user_flags` of a run that is started or restarted")
PROTOTYPE = meant("Prototype of a batch")
MANIFEST = meant("Manifest of trials, and of what is found at a start")
SCALARS = meant("Scalars of a batch")
GENERATED = meant("`config:`, a copy in `.guild/generated`")
QUOTED = meant("`config:` of a YAML file, texts such as `y`")
NOT_MET = meant("A run whose dependencies cannot be met")
SECRETS = meant("`.guild/ENV`, secrets")
AFTER = meant("`post-process`")
SETTINGS = meant("Flags for other runs (`operation:prepare`) in a filled config file")
CACHE = meant("Downloads of Guild 0.9 in the cache")
COPY = meant("`guild run ./x.sh`")
WAIT = meant("`queue`, default of `wait-for-running`")
LOST = meant("`queue`, `on-lost`")
SOURCE = meant("`--restart --force-sourcecode`, manifest and digest")
LOCATION = meant("`--dep PATH` in the attribute `op`, location")
TWICE = meant("Attribute `tags`, a tag that is given twice")
STEP_PARAMS = meant("Attribute `run_params` of a step, `run_dir`")
ROWS = meant("Attributes `trials` and `stage_trials`")

ALLOWED: Mapping[str, str] = {
    "*.guild/attrs/platform python_version": "each runs on a Python of its own",
    "*/* .guild/ENV mode": SECRETS,
    "shell/staged/0 .guild/ENV API_TOKEN": SECRETS,
    "shell/staged/0 .guild/ENV HIDDEN": SECRETS,
    # Batches, workflows and queues.
    "*/0 .guild/*env PYTHONPATH": BUILT_IN_PATH,
    "*/0 .guild/ENV PYTHONPATH": BUILT_IN_PATH,
    "*/0 .guild/attrs/op op-cmd.cmd-env.PYTHONPATH": BUILT_IN_PATH,
    "*/0 .guild/attrs/op output-scalars": SCALARS,
    "[as]*/0 .guild/events.out.tfevents mode": SCALARS,
    "*/0 .guild/attrs/label mode": meant("Label of a batch"),
    "*/0 .guild/proto/.guild/PENDING mode": PROTOTYPE,
    "*/0 .guild/proto/.guild/attrs/deps mode": PROTOTYPE,
    "*/0 .guild/proto/.guild/manifest": PROTOTYPE,
    "*/0 .guild/proto/notes mode": PROTOTYPE,
    "search/staged/0 .guild/output *": PROTOTYPE,
    "search/staged/0 .guild/output.index streams": PROTOTYPE,
    "search/start stderr": PROTOTYPE,
    "search/staged/0 .guild/attrs/run_params *": meant(
        "Attribute `run_params` of a batch that is started again"
    ),
    "search/staged/0 .guild/attrs/stage_trials mode": ROWS,
    "search/*/[012] .guild/attrs/trials mode": ROWS,
    # Trials and steps.
    "*/* .guild/attrs/env NO_IMPORT_FLAGS_PROGRESS": INSIDE,  # which the tests set for both
    "again/staged/0 .guild/ENV NO_IMPORT_FLAGS_PROGRESS": INSIDE,
    "*/[0-9] .guild/attrs/env NO_OP_INTERRUPTED_MSG": INSIDE,
    "*/[0-9] .guild/attrs/env NO_WARN_RUNDIR": INSIDE,
    "*/[0-9] .guild/attrs/env GUILD_RUNS_PARENT": INSIDE,
    "*/[0-9] .guild/attrs/env CMD_DIR": INSIDE,
    "training/start/[0-9] .guild/attrs/env FLAG_*": INSIDE,
    "inherit/batch/[12] .guild/attrs/env PYTHONPATH": INSIDE,
    "search/*/[0-9] .guild/attrs/random_seed": meant("Random seed of trials"),
    "inherit/batch/2 .guild/attrs/random_seed": meant("Random seed of trials"),
    "training/start/[0-9] .guild/attrs/random_seed": "both draw that of a step",
    "hello/calls/[12] .guild/attrs/random_seed": "both draw that of a step",
    "again/workflow/1 .guild/attrs/random_seed": "both draw that of a step",
    "again/flow-again/0 .guild/attrs/random_seed": "both draw that of a step",
    "*/[0-9] .guild/attrs/run_params run_dir": STEP_PARAMS,
    "search/*/[0-9] .guild/manifest": MANIFEST,
    # Runs that are staged, and what is started again.
    "*/* .guild/attrs/pip_freeze mode": PACKAGES,
    "*/* .guild/attrs/env PWD": STAGED,
    "again/gpus/0 .guild/attrs/env *": STAGED,
    "*/* .guild/attrs/user_flags*": TYPED,
    "training/named/0 .guild/attrs/user_flags*": meant(
        "Attribute `user_flags`, a flag that is typed by its alias"
    ),
    "data/latest/0 .guild/manifest": MANIFEST,
    "again/restaged stderr": meant("`--restart RUN --stage`, dependencies"),
    "again/staged/0 .guild/ENV FLAG_X": meant("`.guild/ENV` of a run that is started with new flags"),
    "again/first/0 .guild/manifest": SOURCE,
    "again/first/0 .guild/attrs/sourcecode_digest": SOURCE,
    "again/queue/0 .guild/attrs/* *wait-for-running*": WAIT,
    "again/queue/0 .guild/attrs/label": WAIT,
    "again/queue/0 .guild/attrs/env FLAG_WAIT_FOR_RUNNING": WAIT,
    "again/queue/0 .guild/attrs/* *on-lost": LOST,
    "again/queue/0 .guild/attrs/env FLAG_ON_LOST": LOST,
    # Dependencies.
    "*/missing/0 .guild/attrs/exit_status mode": NOT_MET,
    "*/missing/0 .guild/attrs/stopped mode": NOT_MET,
    "*/* .guild/attrs/deps *.paths*": GENERATED,
    "*/* .guild/generated mode": GENERATED,
    "flags/yaml stdout": QUOTED,
    "flags/yaml/0 *": QUOTED,
    "data/restart stdout": SETTINGS,
    "data/config/0 .guild/manifest": SETTINGS,
    "data/config/0 .guild/output stdout": SETTINGS,
    "data/config/0 conf.json": SETTINGS,
    "data/archives std*": AFTER,
    "data/archives/0 *": AFTER,
    "data/web stderr": CACHE,
    "data/again stderr": CACHE,
    "data/*/0 .guild/attrs/deps *.paths*": CACHE,
    "*/0 .guild/attrs/op deps*location": LOCATION,
    # The rest.
    "flags/argparse/0 .guild/attrs/op *no-cache*": meant("`arg-switch: no` in the attribute `op`"),
    "flags/forced/0 .guild/attrs/op op-cmd.cmd-flags.zz": meant(
        "`--force-flags`, flags that the operation does not have"
    ),
    "shell/file/0 .guild/attrs/cmd [[]0]": COPY,
    "shell/file/0 .guild/attrs/op op-cmd.cmd-args[[]0]": COPY,
    "shell/file/0 .guild/attrs/env GUILD_OP": COPY,
    "shell/options/0 .guild/attrs/tags *": TWICE,
    "hello/summary/0 events.out.tfevents of the machine": meant(
        "Scalars `sys/...` beside those of a `SummaryWriter`"
    ),
}


@dataclass(frozen=True)
class Jobs:
    """What the two do in each project, in the background."""

    theirs: Mapping[str, "Future[Made]"]
    ours: Mapping[str, "Future[Made]"]

    def differences(self, name: str) -> list[Difference]:
        return list(compared(name, self.theirs[name].result(), self.ours[name].result()))


@pytest.fixture(scope="module")
def jobs(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with serve() as web, ThreadPoolExecutor(2) as executor:
        theirs, ours = {}, {}
        for name in NAMES:
            base: Path = tmp_path_factory.mktemp(name)
            directory = make_project(name, base, web.url)
            for path in ("arch.zip", "conf.json"):
                if name == "data":
                    web.files[f"/{path}"] = (directory / path).read_bytes()
            theirs[name] = executor.submit(make, name, base, peer)
            ours[name] = executor.submit(make, name, base, None)
        yield Jobs(theirs, ours)


def _run(base: Path, **texts: str) -> Path:
    """A run directory with these files; in their names `_` stands for `/`."""
    for name, text in {
        ".guild_attrs_flags": "a: 1\n",
        ".guild_attrs_started": f"{10**15}\n",
        **texts,
    }.items():
        path = base / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return base


@pytest.mark.parametrize(
    ("texts", "places"),
    [
        ({}, []),
        ({"b": "b"}, ["b mode"]),
        ({"a": "A"}, ["a"]),
        ({".guild_attrs_flags": "a: 2\nb: [1]\n"}, [".guild/attrs/flags a", ".guild/attrs/flags b[0]"]),
        ({".guild_attrs_flags": "{a: 1}\n"}, [".guild/attrs/flags form"]),
        ({".guild_attrs_started": f"{10**15 + 1}\n"}, []),
        ({".guild_attrs_started": "1\n"}, [".guild/attrs/started"]),
        ({".guild_ENV": "export A=1\nexport C=home\n"}, [".guild/ENV A"]),
        ({".guild_output.index": "00000000\1"}, [".guild/output stderr", ".guild/output stdout",
          ".guild/output.index streams"]),
        ({".guild_manifest": "s run0 b\n"}, [".guild/manifest"]),
        ({"d_e_f": "", "d_g": ""}, ["d mode"]),
    ],
)  # fmt: skip
def test_each_place_at_which_two_runs_differ_is_named(
    tmp_path: Path, texts: dict[str, str], places: list[str]
) -> None:
    same = {"a": "a", ".guild_ENV": "export A=home\nexport C=home\n", ".guild_output": "x\n"}
    same |= {".guild_output.index": "00000000\0", ".guild_manifest": "s run0 a\n"}
    known = {"home": "HOME", "run0": "RUN"}
    theirs, ours = _run(tmp_path / "theirs", **same), _run(tmp_path / "ours", **{**same, **texts})
    sides = [facts(run, Side(tmp_path, known)) for run in (theirs, ours)]
    assert [each.where for each in differences(*sides)] == places


@pytest.mark.parametrize("name", NAMES)
def test_a_project_gives_the_same_runs(name: str, jobs: Jobs) -> None:
    found = jobs.differences(name)
    bad = [each for each in found if not any(fnmatch.fnmatchcase(each.where, place) for place in ALLOWED)]
    assert not bad, "\n".join(map(str, bad))


def test_nothing_is_allowed_that_does_not_differ(jobs: Jobs) -> None:
    found = [each.where for name in NAMES for each in jobs.differences(name)]
    unused = [place for place in ALLOWED if not fnmatch.filter(found, place)]
    assert not unused


def test_the_projects_make_runs_of_many_kinds(jobs: Jobs) -> None:
    made = {what for name in NAMES for what in jobs.ours[name].result().facts()}
    assert {"grid/3", "start/2", "calls/2", "queue/0", "random/0"} <= made
    assert len(made) > 120
