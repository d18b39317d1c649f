"""Files, archives, addresses and config files that a run depends on, by real commands."""

import io
import os
import signal
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import Outcome, Project, wait_until
from tests.launch.web import Web, serve

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

SHOW = """
import os
for name in sorted(os.listdir('.')):
    if name != 'src' and name[0] != '.':
        print(name + ':', open(name).read().strip() if os.path.isfile(name) else sorted(os.listdir(name)))
"""
NO_SOURCE = "  sourcecode: {dest: src}\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with serve(**{"big.bin": b"x" * 5000}) as found:
        yield found


def train(*requires: str, more: str = "") -> dict[str, str]:
    """A project whose operation shows what is in its directory."""
    listed = "".join(f"    - {line}\n" for line in requires)
    return {
        "guild.yml": f"train:\n  main: show\n{NO_SOURCE}{more}  requires:\n{listed}",
        "show.py": SHOW,
        "data.txt": "data",
        "d/a.txt": "a",
        "d/b.txt": "b",
    }


def run(p: Project, args: str = "train", **kw: Any) -> Outcome:
    done = p.guild(f"run {args} -y", **kw)
    assert done.code == 0, done
    return done


def stage(p: Project, args: str = "train") -> str:
    return run(p, f"{args} --stage").out.split(" staged as ")[1].split()[0]


def only(p: Project) -> dict[str, Any]:
    (found,) = p.runs()
    return found


def archive(path: Path, **files: str) -> None:
    with tarfile.open(path, "w:gz") as t:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text.encode()))


def test_a_run_has_its_files_before_it_begins(project: Make) -> None:
    p = project(train("file: data.txt", "{file: d, select: a.*, target-path: in}"))
    done = run(p)
    assert done.out == "data.txt: data\nin: ['a.txt']\n"
    assert "Resolving file:data.txt" in done.err
    path = p.home / "runs" / only(p)["id"]
    assert (path / ".guild/manifest").read_text().splitlines()[-1].endswith(" file:d/a.txt")
    assert not (path / ".guild/resolving").exists()


def test_staging_freezes_files_whatever_becomes_of_the_project(project: Make) -> None:
    p = project(
        train("file: data.txt", "file: d", "file: arch.tar.gz", "config: c.json", more="  flags: {x: 1}\n")
    )
    p.write({"c.json": '{"x": 0}'})
    archive(p.directory / "arch.tar.gz", **{"z.txt": "z"})
    run_id = stage(p, "train x=2")
    p.directory.rename(p.directory.with_name("gone"))
    p.directory.mkdir()
    done = run(p, f"--start {run_id}")
    assert done.out == "c.json: {\"x\": 2}\nd: ['a.txt', 'b.txt']\ndata.txt: data\nz.txt: z\n"


def test_a_linked_file_is_not_frozen_and_its_link_holds(project: Make) -> None:
    p = project(train("{file: data.txt, target-type: link}"))
    run_id = stage(p)
    assert not os.readlink(p.home / "runs" / run_id / "data.txt").startswith("/")
    p.write({"data.txt": "new"})
    assert run(p, f"--start {run_id}").out == "data.txt: new\n"


def test_what_is_missing_is_said_before_anything_is_staged(project: Make) -> None:
    p = project(train("file: nix"))
    failed = p.guild("run train --stage -y")
    assert failed.code == 1
    assert "could not resolve 'file:nix'" in failed.err
    assert "Traceback" not in failed.err
    assert p.runs() == []
    assert list((p.home / "staging").iterdir()) == []


def test_a_run_whose_file_is_missing_ends_as_an_error_with_the_reason(project: Make) -> None:
    p = project(train("file: nix"))
    failed = p.guild("run train -y")
    assert failed.code == 1
    assert "cannot find source file 'nix'" in failed.err
    assert only(p)["status"] == "error"
    assert "cannot find source file 'nix'" in p.guild("runs info").out
    forced = run(p, "train --force-deps")
    assert "WARNING: a dependency was not met" in forced.err


def test_a_flag_tells_another_file(project: Make) -> None:
    p = project(train("{file: data.txt, flag-name: data}"))
    assert run(p).out == "data.txt: data\n"
    assert run(p, "train data=d/b.txt").out == "b.txt: b\n"
    assert p.guild("run train data=nix -y").code == 1


def test_a_dependency_of_the_command_line_is_a_link(project: Make) -> None:
    p = project(train("file: data.txt"))
    assert run(p, "train --dep d").out == "d: ['a.txt', 'b.txt']\ndata.txt: data\n"
    path = p.home / "runs" / only(p)["id"] / "d"
    assert path.is_symlink()
    assert path.resolve() == (p.directory / "d").resolve()
    failed = p.guild("run train --dep nix -y")
    assert (failed.code, "--dep nix: there is no file or directory" in failed.err) == (1, True)


def test_an_archive_that_changed_is_unpacked_anew(project: Make) -> None:
    p = project(train("file: arch.tar.gz"))
    archive(p.directory / "arch.tar.gz", a="1")
    assert run(p).out == "a: 1\n"
    archive(p.directory / "arch.tar.gz", a="22", b="3")
    assert run(p).out == "a: 22\nb: 3\n"


def test_a_hostile_archive_leaves_a_run_that_says_so_and_nothing_else(project: Make) -> None:
    p = project(train("file: arch.tar.gz"))
    archive(p.directory / "arch.tar.gz", **{"a": "1", "../../../evil": "2"})
    failed = p.guild("run train -y")
    assert failed.code == 1
    assert "member '../../../evil' is refused" in failed.err
    assert not list(p.home.rglob("evil"))
    assert not list((p.home / "cache" / "resources").iterdir())
    assert sorted(x.name for x in (p.home / "runs" / only(p)["id"]).iterdir()) == [".guild", "src"]


def test_what_an_address_holds_is_downloaded_once_for_all_runs(project: Make, web: Web) -> None:
    p = project(train(f"url: {web.url}/big.bin"))
    run_id = stage(p)
    run(p)
    assert len(web.asked) == 1
    run(p, f"--start {run_id}")
    assert [(p.home / "runs" / r["id"] / "big.bin").stat().st_size for r in p.runs()] == [5000, 5000]


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("c.yml", "x: 1\nnet: {depth: 3}\n", "c.yml: net:\n  depth: 3\nx: 2\n"),
        ("c.json", '{"x": 1, "net": {"depth": 3}}', 'c.json: {"net": {"depth": 3}, "x": 2}\n'),
        (
            "c.ini",
            "[DEFAULT]\nx = 1\n[net]\ndepth = 3\n",
            "c.ini: [DEFAULT]\nx = 2\n\n[net]\ndepth = 3\nx = 1\n",
        ),
    ],
)
def test_flags_of_a_config_file_are_imported_and_written_to_it(
    project: Make, name: str, text: str, shown: str
) -> None:
    guildfile = f"train:\n  main: show\n{NO_SOURCE}  flags-dest: 'config:{name}'\n  flags-import: all\n"
    p = project({"guild.yml": guildfile, "show.py": SHOW, name: text})
    assert run(p, "train x=2").out == shown
    deep = run(p, "train net.depth=5").out
    assert "5" in deep
    assert (p.directory / name).read_text() == text
    assert "net.depth=5" in p.runs()[0]["label"].split()


def test_a_staged_config_file_gets_the_flags_of_a_restage(project: Make) -> None:
    guildfile = f"train:\n  main: show\n{NO_SOURCE}  flags-dest: config:c.json\n  flags-import: all\n"
    p = project({"guild.yml": guildfile, "show.py": SHOW, "c.json": '{"x": 1, "y": 1}'})
    run_id = stage(p, "train x=2")
    p.write({"c.json": '{"x": 0, "y": 0}'})
    run(p, f"--restage {run_id} x=3")
    assert run(p, f"--start {run_id}").out == 'c.json: {"x": 3, "y": 1}\n'


def test_each_trial_of_a_batch_has_its_own_config_file(project: Make) -> None:
    guildfile = f"train:\n  main: show\n{NO_SOURCE}  flags-dest: config:c.json\n  flags-import: all\n"
    p = project({"guild.yml": guildfile, "show.py": SHOW, "c.json": '{"x": 1}'})
    done = run(p, "train x=[2,3]")
    assert [line for line in done.out.splitlines() if line] == ['c.json: {"x": 2}', 'c.json: {"x": 3}']


def test_a_file_that_is_there_already_stays_with_a_warning(project: Make) -> None:
    p = project(train("file: data.txt", "{file: d/a.txt, rename: a data}", "{file: d/b.txt, rename: b data}"))
    done = run(p)
    assert done.out == "data.txt: data\n"
    assert done.err.count(f"WARNING: {only(p)['run_dir']}/data.txt already exists, skipping copy") == 2


def test_an_interrupt_ends_a_download_and_the_run_at_once(project: Make, web: Web) -> None:
    p = project(train(f"url: {web.url}/big.bin"))
    web.stalls_at = 1000
    running = p.popen("run train -y")
    assert web.stalled.wait(30)
    running.interrupt()
    assert running.wait(20).code != 0
    stopped = only(p)
    assert stopped["status"] == "terminated"
    assert sorted(x.name for x in (p.home / "runs" / stopped["id"]).iterdir()) == [".guild", "src"]
    web.go_on.set()
    assert run(p).out.startswith("big.bin: xxx")


def test_an_interrupt_while_staging_leaves_no_run(project: Make, web: Web) -> None:
    p = project(train(f"url: {web.url}/big.bin"))
    web.stalls_at = 1000
    running = p.popen("run train --stage -y")
    assert web.stalled.wait(30)
    running.interrupt()
    ended = running.wait(20)
    assert ended.code != 0
    assert "Traceback" not in ended.err
    assert p.runs() == []
    assert list((p.home / "staging").iterdir()) == []


def test_a_stop_ends_a_run_that_is_downloading_in_the_background(project: Make, web: Web) -> None:
    p = project(train(f"url: {web.url}/big.bin"))
    web.stalls_at = 1000
    run(p, "train --background")
    assert web.stalled.wait(30)
    stop = p.guild(f"stop {only(p)['id']} -y")
    assert stop.code == 0, stop
    wait_until(lambda: only(p)["status"] == "terminated")


def test_a_supervisor_killed_while_it_downloads_leaves_a_run_that_the_next_queue_records_as_failed(
    project: Make, web: Web
) -> None:
    p = project(train(f"url: {web.url}/big.bin"))
    web.stalls_at = 1000
    running = p.popen("run train -y")
    assert web.stalled.wait(30)
    running.send_signal(signal.SIGKILL)
    running.process.wait()
    assert p.guild("run queue run-once=yes -y").code == 0
    killed = next(r for r in p.runs() if r["operation"] == "train")
    assert (killed["status"], "ended without a word" in killed["reason"]) == ("error", True)
    web.go_on.set()
    assert "big.bin: xxx" in run(p).out


def test_a_linked_path_is_called_as_it_was_typed(project: Make) -> None:
    p = project(train("file: data.txt"))
    assert "Resolving d\n" in run(p, "train --dep d").err
    attr = Path(only(p)["run_dir"], ".guild/attrs/deps").read_text()
    assert attr.startswith("d:\n  file:d:\n    paths:\n    - ../../../project/d\n")


def test_what_is_no_longer_needed_of_a_run_that_could_not_start_is_gone(project: Make) -> None:
    p = project(train("file: data.txt", "file: nix"))
    assert p.guild("run train -y").code == 1
    guild_dir = Path(only(p)["run_dir"], ".guild")
    assert not (guild_dir / "resolving").exists()
    assert not (guild_dir / "attrs/deps").exists()


def test_a_trial_of_a_staged_batch_tells_where_its_files_came_from(project: Make) -> None:
    p = project(train("file: data.txt", more="  flags: {x: 1}\n"))
    said = run(p, "train x=[1,2] --stage")
    assert said.err == ""  # as in Guild 0.9, of what its trials depend on nothing is said
    batch = only(p)["id"]
    run(p, f"--start {batch}")
    paths = [Path(r["run_dir"], ".guild/attrs/deps").read_text() for r in p.runs()]
    assert ["- ../../../project/data.txt" in text for text in paths] == [True, True]


def test_what_helps_to_get_a_missing_file_is_said(project: Make) -> None:
    p = project(train("{file: nix, help: Make it}"))
    assert p.guild("run train -y").err.endswith("cannot find source file 'nix'\nMake it\n")


def test_a_run_that_is_missing_is_warned_of_at_once(project: Make) -> None:
    p = project(train("{operation: prep, name: up}", "{operation: other, optional: yes}"))
    said = run(p, "train --stage").err
    assert said.count("WARNING") == 1
    assert "WARNING: cannot find a suitable run for required resource 'up'" in said
    deps = Path(only(p)["run_dir"], ".guild/attrs/deps").read_text()
    assert deps == "operation:other: {}\nup: {}\n"
