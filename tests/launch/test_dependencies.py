"""Resolving: what each kind of source puts into a run and where, what is recorded, and what is refused."""

import gzip
import hashlib
import os
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from guild.errors import DependencyError, GuildError
from guild.launch.dependencies import Resolver, copy_into, install, resolve, target_of
from guild.ops.opdef import Dependency, FlagDef, Rename, ResourceSource
from guild.runs import attrs, layout
from guild.runs.generated import files_below
from guild.runs.manifest import read_manifest
from guild.runs.run import Run
from tests.launch.web import serve


@dataclass
class Scene:
    """A project, and a run in the making."""

    base: Path
    says: list[str] = field(default_factory=list)
    warns: list[str] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    name: str = "run"

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def run(self) -> Run:
        return Run(self.base / "runs" / self.name)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def resolver(self, flags: Mapping[str, Any] | None = None, **kw: Any) -> Resolver:
        run = self.run
        (run.guild_dir / layout.ATTRS).mkdir(parents=True, exist_ok=True)
        work = run.guild_dir / layout.RESOLVING / os.urandom(4).hex()
        work.mkdir(parents=True)
        options: dict[str, Any] = {
            "flags": flags or {}, "find_run": self.runs.get, "staging": False, "say": self.says.append,
            "warn": self.warns.append, **kw,
        }  # fmt: skip
        return Resolver(run=run, final=run.path, work=work, cache=self.base / "cache", **options)

    def dep(self, *sources: ResourceSource, name: str = "res", **kw: Any) -> Dependency:
        return Dependency(name, sources, str(self.project), **kw)

    def put(self, *deps: Dependency, reuse: Run | None = None, **kw: Any) -> dict[str, str]:
        """Resolve and install; what the run then holds, as paths with contents."""
        found = resolve(self.resolver(**kw), deps, reuse)
        self.warns += install(self.run.path, found)
        return self.held()

    def file(self, target: str, **kw: Any) -> dict[str, str]:
        return self.put(self.dep(ResourceSource("file", target, **kw)))

    def held(self) -> dict[str, str]:
        held = {}
        for name in files_below(self.run.path):
            path = self.run.path / name
            held[name] = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
        return held

    def manifest(self) -> list[str]:
        path = self.run.guild_dir / layout.MANIFEST
        return [e.to_line().strip() for e in read_manifest(path)]

    def deps(self) -> Any:
        return self.run.attr("deps")

    def ended(self, run_id: str, files: Mapping[str, str], op: str = "prep", code: int = 0) -> Run:
        """A run that has ended, with generated files and one of source code."""
        run = Run(self.base / "runs" / run_id)
        (run.guild_dir / layout.ATTRS).mkdir(parents=True)
        (run.guild_dir / layout.OPREF).write_text(f"guildfile:/p/guild.yml abc '' {op}")
        attrs.write_new_attrs(run.guild_dir, {"started": 1, "exit_status": code, "id": run_id})
        for name, text in {"code.py": "", **files}.items():
            (run.path / name).parent.mkdir(parents=True, exist_ok=True)
            (run.path / name).write_text(text)
        (run.guild_dir / layout.MANIFEST).write_text(f"s code.py {'0' * 40} code.py\n")
        self.runs[run_id] = run
        return run


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.write({"data.txt": "data", "d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b"})
    return made


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


# Files.


def test_a_file_is_copied_and_recorded(scene: Scene) -> None:
    assert scene.file("data.txt") == {"data.txt": "data"}
    assert scene.manifest() == [f"d data.txt {sha1('data')} file:data.txt"]
    assert scene.deps() == {
        "res": {"file:data.txt": {"uri": "file:data.txt", "paths": ["../../project/data.txt"]}}
    }
    assert scene.says == ["Resolving res"]


def test_a_directory_is_copied_whole(scene: Scene) -> None:
    assert scene.file("d") == {"d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b"}
    assert scene.manifest() == ["d d - file:d"]


def test_a_file_is_looked_for_in_the_parents_too(scene: Scene) -> None:
    dep = Dependency("res", (ResourceSource("file", "data.txt"),), str(scene.project / "d/e"))
    assert scene.put(dep) == {"data.txt": "data"}


def test_a_missing_file_is_named(scene: Scene) -> None:
    with pytest.raises(DependencyError, match="'file:nix' in res resource: cannot find source file 'nix'") as e:
        scene.file("nix")
    assert str(scene.project) in e.value.hint
    assert scene.held() == {}


def test_a_copy_can_be_written_and_keeps_its_mode(scene: Scene) -> None:
    os.chmod(scene.project / "data.txt", 0o555)
    scene.file("data.txt")
    assert (scene.run.path / "data.txt").stat().st_mode & 0o777 == 0o755


def test_a_link_leads_from_the_final_directory(scene: Scene) -> None:
    """The run is made elsewhere, at another depth, and moved."""
    made = scene.resolver()
    r = Resolver(**{**made.__dict__, "final": scene.base / "deep/er/runs/1"})
    dep = scene.dep(ResourceSource("file", "d", target_path="in/it"), target_type="link")
    install(scene.run.path, resolve(r, [dep]))
    r.final.parent.mkdir(parents=True)
    scene.run.path.rename(r.final)
    link = r.final / "in/it/d"
    assert not os.readlink(link).startswith("/")
    assert link.resolve() == scene.project / "d"


def test_the_type_of_a_source_wins_over_that_of_its_resource(scene: Scene) -> None:
    copied = ResourceSource("file", "data.txt", target_type="copy")
    linked = ResourceSource("file", "d/a1.csv")
    held = scene.put(scene.dep(copied, linked, target_type="link"))
    assert held == {"data.txt": "data", "a1.csv": "-> ../../project/d/a1.csv"}


def test_the_digest_of_a_file_is_checked(scene: Scene) -> None:
    right = hashlib.sha256(b"data").hexdigest()
    assert scene.file("data.txt", sha256=right) == {"data.txt": "data"}
    scene.name = "other"
    with pytest.raises(DependencyError, match=f"has the sha256 {right}, not {'0' * 64}"):
        scene.file("data.txt", sha256="0" * 64)


# Select, rename, places.


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ({"select": (r".*\.csv",)}, {"a1.csv", "a10.csv"}),
        ({"select": ("a1.csv", "e/.*")}, {"a1.csv", "b.txt"}),
        ({"select": ("csv",)}, set()),
        ({"select_max": r"a([0-9]+)\.csv"}, {"a10.csv"}),
        ({"select_min": r"a([0-9]+)\.csv"}, {"a1.csv"}),
        ({"select": ("a1[.]csv",), "select_max": r"a(.+)\.csv"}, {"a1.csv"}),
        ({"select_max": r"([ab].*)"}, set()),
    ],
)
def test_select_takes_paths_that_match_as_a_whole(scene: Scene, select: Any, names: set[str]) -> None:
    assert set(scene.file("d", **select)) == names


def test_what_is_selected_is_recorded_by_its_own_name(scene: Scene) -> None:
    scene.file("d", select=("e/.*",))
    assert scene.manifest() == [f"d b.txt {sha1('b')} file:d/e/b.txt"]


def target(member: str, source: Mapping[str, Any] | None = None, **dep: Any) -> str:
    return target_of(Dependency("x", (), "/", **dep), ResourceSource("file", "x", **(source or {})), member)


def test_a_target_is_the_name_below_the_target_path() -> None:
    assert target("a/b.txt") == "b.txt"
    assert target("a/b.txt", target_path="t") == "t/b.txt"
    assert target("a/b.txt", {"target_path": "s"}, target_path="t") == "s/b.txt"
    assert target("a/b.txt", {"target_path": ""}, target_path="t") == "b.txt"
    assert target("a/b.txt", preserve_path=True) == "a/b.txt"
    assert target("a/b.txt", {"preserve_path": False}, preserve_path=True) == "b.txt"
    assert target("d/") == "d"


def test_only_the_first_match_is_renamed() -> None:
    assert target("aa.txt", {"rename": (Rename("a", "b"),)}) == "ba.txt"
    assert target("x-1.txt", {"rename": (Rename(r"(.*)-(\d)", r"\2/\1"),)}) == "1/x.txt"
    assert target("a", {"rename": (Rename("a", "b"), Rename("b", "c"))}) == "c"


@pytest.mark.parametrize(
    "source",
    [
        {"target_path": ".."}, {"target_path": "/etc"}, {"target_path": ".guild/attrs"},
        {"rename": (Rename("a", "../../x"),)}, {"rename": (Rename("a", ".guild"),)},
        {"rename": (Rename("a", ""),)}, {"rename": (Rename("a", r"\9"),)},
    ],
)  # fmt: skip
def test_no_target_is_outside_of_the_run_or_in_its_records(source: Any) -> None:
    with pytest.raises(GuildError):
        target("a", source)


def test_what_is_there_already_stays_with_a_warning(scene: Scene) -> None:
    scene.file("d/a1.csv", rename=(Rename("a1.csv", "data.txt"),))
    assert scene.file("data.txt") == {"data.txt": "1"}
    assert scene.warns == ["data.txt already exists, skipping"]
    assert len(scene.manifest()) == 1


def test_what_is_there_already_is_replaced_on_request(scene: Scene) -> None:
    scene.file("d/a1.csv", rename=(Rename("a1.csv", "data.txt"),))
    assert scene.file("data.txt", replace_existing=True) == {"data.txt": "data"}
    assert scene.warns == []


def test_directories_of_one_name_are_merged(scene: Scene) -> None:
    scene.write({"other/d/a1.csv": "new", "other/d/e/c.txt": "c"})
    old, new = ResourceSource("file", "d"), ResourceSource("file", "other/d")
    held = scene.put(scene.dep(old, new))
    assert held == {"d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b", "d/e/c.txt": "c"}


def test_nothing_is_put_into_the_project_through_a_link(scene: Scene) -> None:
    linked = scene.dep(ResourceSource("file", "d"), target_type="link")
    below = scene.dep(ResourceSource("file", "data.txt", target_path="d/e"), name="below")
    with pytest.raises(DependencyError, match="'d/e/data.txt'.*'d' is a link"):
        scene.put(linked, below)
    assert files_below(scene.project / "d") == ["a1.csv", "a10.csv", "e/b.txt"]


def test_nothing_is_put_where_a_file_is_in_the_way(scene: Scene) -> None:
    below = ResourceSource("file", "d/a1.csv", target_path="data.txt")
    with pytest.raises(DependencyError, match="'data.txt' is no directory"):
        scene.put(scene.dep(ResourceSource("file", "data.txt"), below))


# Nothing found.


def test_an_optional_source_may_be_missing(scene: Scene) -> None:
    assert scene.file("nix", optional=True) == {}
    assert scene.says[-1] == "Could not resolve file:nix - skipping because dependency is optional"
    assert scene.deps() == {"res": {}}


def test_an_empty_source_warns_fails_or_says_nothing(scene: Scene) -> None:
    scene.file("d", select=("nix",))
    assert scene.warns == ["nothing resolved for file:d"]
    scene.warns.clear()
    scene.put(scene.dep(ResourceSource("file", "d", select=("nix",), warn_if_empty=False), name="quiet"))
    assert scene.warns == []
    with pytest.raises(DependencyError, match="nothing resolved for file:d"):
        scene.put(scene.dep(ResourceSource("file", "d", select=("nix",), fail_if_empty=True), name="fails"))


def test_with_force_a_missing_dependency_is_a_warning(scene: Scene) -> None:
    assert scene.put(
        scene.dep(ResourceSource("file", "nix"), ResourceSource("file", "data.txt")), force=True
    ) == {"data.txt": "data"}
    assert "a dependency was not met: could not resolve 'file:nix'" in scene.warns[0]


def test_force_does_not_go_on_after_a_stop(scene: Scene) -> None:
    with pytest.raises(DependencyError, match="stopped"):
        scene.put(scene.dep(ResourceSource("file", "data.txt")), force=True, stopped=lambda: True)
    assert scene.held() == {}


# Once, and again.


def test_a_source_is_resolved_once_unless_always(scene: Scene) -> None:
    scene.file("data.txt")
    scene.write({"data.txt": "new"})
    assert scene.file("data.txt") == {"data.txt": "data"}
    assert scene.says[-1] == "Skipping resolution of file:data.txt because it's already resolved"
    held = scene.file("data.txt", always_resolve=True, replace_existing=True)
    assert held == {"data.txt": "new"}


def test_what_has_not_changed_is_taken_from_an_earlier_run(scene: Scene) -> None:
    dep = scene.dep(ResourceSource("file", "data.txt"), ResourceSource("file", "d"))
    scene.put(dep)
    old, scene.name = scene.run, "new"
    (scene.project / "data.txt").unlink()
    assert scene.put(dep, reuse=old)["data.txt"] == "data"
    assert scene.manifest() == ["d data.txt " + sha1("data") + " file:data.txt", "d d - file:d"]


def test_what_an_earlier_run_has_changed_is_not_taken_from_it(scene: Scene) -> None:
    dep = scene.dep(ResourceSource("file", "data.txt"))
    scene.put(dep)
    (scene.run.path / "data.txt").write_text("changed by the job")
    old, scene.name = scene.run, "new"
    assert scene.put(dep, reuse=old) == {"data.txt": "data"}


# Flags.


def test_a_flag_tells_another_place(scene: Scene) -> None:
    source = ResourceSource("file", "data.txt", flag_name="data")
    assert scene.put(scene.dep(source), flags={"data": "d/a1.csv"}) == {"a1.csv": "1"}
    assert scene.deps() == {
        "res": {"data": {"uri": "file:data.txt", "paths": ["../../project/d/a1.csv"], "config": "d/a1.csv"}}
    }
    scene.name = "other"
    assert scene.put(scene.dep(source), flags={"data": str(scene.project / "d/a10.csv")}) == {"a10.csv": "10"}


def test_a_flag_that_leads_nowhere_is_an_error(scene: Scene) -> None:
    source = ResourceSource("file", "data.txt", flag_name="data")
    with pytest.raises(DependencyError, match="cannot find source file 'nix'"):
        scene.put(scene.dep(source), flags={"data": "nix"})


# Archives.


def zipped(scene: Scene, **files: str) -> None:
    with zipfile.ZipFile(scene.project / "arch.zip", "w") as z:
        for name, text in files.items():
            z.writestr(name, text)


def test_an_archive_is_unpacked(scene: Scene) -> None:
    zipped(scene, **{"z1.txt": "1", "s/z2.txt": "2"})
    assert scene.file("arch.zip") == {"z1.txt": "1", "s/z2.txt": "2"}
    assert scene.manifest() == ["d s - file:arch.zip s", f"d z1.txt {sha1('1')} file:arch.zip z1.txt"]
    assert scene.says == ["Resolving res", f"Unpacking {scene.project / 'arch.zip'}"]


def test_an_archive_is_copied_if_it_is_not_to_be_unpacked(scene: Scene) -> None:
    (scene.project / "arch.gz").write_bytes(gzip.compress(b"x", mtime=0))
    dep = scene.dep(ResourceSource("file", "arch.gz", unpack=False))
    install(scene.run.path, resolve(scene.resolver(), [dep]))
    other = scene.dep(ResourceSource("file", "arch.gz", target_path="o"), name="o", default_unpack=False)
    install(scene.run.path, resolve(scene.resolver(), [other]))
    assert files_below(scene.run.path) == ["arch.gz", "o/arch.gz"]


def test_the_type_of_an_archive_can_be_given(scene: Scene) -> None:
    with tarfile.open(scene.project / "blob", "w") as t:
        t.add(scene.project / "data.txt", "x.txt")
    assert scene.file("blob", type="tar") == {"x.txt": "data"}


def test_select_and_rename_apply_to_what_is_in_an_archive(scene: Scene) -> None:
    zipped(scene, **{"s/a.txt": "1", "s/b.txt": "2"})
    held = scene.file("arch.zip", select=(".*a.txt",), rename=(Rename("a", "c"),))
    assert held == {"c.txt": "1"}
    assert scene.manifest() == [f"d c.txt {sha1('1')} file:arch.zip s/a.txt"]
    scene.name = "other"
    assert scene.file("arch.zip", select=(".*",), preserve_path=True) == {"s/a.txt": "1", "s/b.txt": "2"}


def test_an_archive_that_changed_is_unpacked_anew(scene: Scene) -> None:
    zipped(scene, a="1")
    scene.file("arch.zip")
    zipped(scene, a="2", b="3")
    scene.name = "other"
    assert scene.file("arch.zip") == {"a": "2", "b": "3"}


def test_a_refused_archive_leaves_nothing_in_the_run(scene: Scene) -> None:
    zipped(scene, **{"a": "1", "../b": "2"})
    with pytest.raises(DependencyError, match="member '../b' is refused"):
        scene.file("arch.zip")
    assert scene.held() == {}
    assert list((scene.base / "cache").iterdir()) == []


def test_an_archive_cannot_touch_the_records_of_a_run(scene: Scene) -> None:
    zipped(scene, **{".guild/attrs/exit_status": "0"})
    with pytest.raises(DependencyError, match="no place in the run directory"):
        scene.file("arch.zip")
    assert scene.run.attr("exit_status") is None


def test_a_command_after_unpacking_is_run_once(scene: Scene) -> None:
    zipped(scene, a="1")
    options: dict[str, Any] = {"post_process": "cat a >> b"}
    assert scene.file("arch.zip", **options) == {"a": "1", "b": "1"}
    scene.name = "other"
    assert scene.file("arch.zip", **options) == {"a": "1", "b": "1"}


def test_a_command_that_fails_is_an_error_and_begins_from_the_archive_again(scene: Scene) -> None:
    zipped(scene, a="1")
    with pytest.raises(DependencyError, match="ended with 3: echo 2 > a; exit 3"):
        scene.file("arch.zip", post_process="echo 2 > a; exit 3")
    assert scene.held() == {}
    assert scene.file("arch.zip") == {"a": "1"}


# Addresses, modules, config files.


def test_what_an_address_holds_is_downloaded_and_recorded(scene: Scene) -> None:
    with serve(**{"x.txt": b"web"}) as web:
        url = f"{web.url}/x.txt"
        assert scene.put(scene.dep(ResourceSource("url", url))) == {"x.txt": "web"}
        assert scene.manifest() == [f"d x.txt {sha1('web')} {url}"]
        assert scene.deps()["res"][url]["uri"] == url
        scene.name = "local"
        local = ResourceSource("url", url, flag_name="x")
        assert scene.put(scene.dep(local), flags={"x": "data.txt"}) == {"data.txt": "data"}
        with pytest.raises(DependencyError, match="answers 404"):
            scene.put(scene.dep(ResourceSource("url", f"{web.url}/y"), name="y"))


def test_a_module_must_be_there(scene: Scene) -> None:
    assert scene.put(scene.dep(ResourceSource("module", "json"))) == {}
    assert scene.deps() == {"res": {"module:json": {"uri": "module:json", "paths": []}}}
    assert scene.warns == []
    with pytest.raises(DependencyError, match="No module named 'nix_nix'") as e:
        scene.put(scene.dep(ResourceSource("module", "nix_nix", help="pip install nix"), name="m"))
    assert e.value.hint == "pip install nix"


@pytest.mark.parametrize("code", ["raise RuntimeError('sick')", "raise SystemExit(3)", "1 +"])
def test_a_module_whose_package_is_broken_is_an_error(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    name = f"sick_{abs(hash(code))}"
    scene.write({f"{name}/__init__.py": code, f"{name}/inner.py": ""})
    monkeypatch.syspath_prepend(str(scene.project))
    with pytest.raises(DependencyError, match=f"module '{name}.inner' cannot be found"):
        scene.put(scene.dep(ResourceSource("module", f"{name}.inner")))


def test_a_config_file_gets_the_flags(scene: Scene) -> None:
    scene.write({"sub/c.yml.in": "b: 1\na: {c: 2}\n"})
    source = ResourceSource("config", "sub/c.yml.in", flag_name="cfg", params={"p": 4})
    held = scene.put(
        scene.dep(source),
        flags={"b": 3, "a.c": "x y", "operation:prep": "id", "n": None},
        flag_defs=[FlagDef("a.c", arg_split="shlex")],
    )
    assert held == {"c.yml": "a:\n  c:\n  - x\n  - y\nb: 3\np: 4\n"}
    assert scene.manifest() == [f"d c.yml {sha1(held['c.yml'])} config:sub/c.yml.in"]


def test_a_config_file_is_a_copy_even_in_a_resource_of_links(scene: Scene) -> None:
    scene.write({"c.json": "{}"})
    assert scene.put(scene.dep(ResourceSource("config", "c.json"), target_type="link")) == {"c.json": "{}"}


# Runs.


def test_the_generated_files_of_a_run_are_copied(scene: Scene) -> None:
    upstream = scene.ended("a" * 32, {"o.txt": "out", "s/p.txt": "p"})
    source = ResourceSource("operation", "prep")
    held = scene.put(scene.dep(source, target_path="up"), flags={"operation:prep": upstream.id})
    assert held == {"up/o.txt": "out", "up/s/p.txt": "p"}
    assert scene.manifest() == [
        f"d up/o.txt {sha1('out')} operation:prep",
        "d up/s - operation:prep",
    ]
    assert scene.deps()["res"]["operation:prep"] == {
        "uri": "operation:prep",
        "paths": [f"../{'a' * 32}/o.txt", f"../{'a' * 32}/s"],
        "config": "a" * 32,
    }
    assert f"Using run {'a' * 32} for operation:prep" in scene.says


def test_select_looks_at_all_files_of_a_run(scene: Scene) -> None:
    upstream = scene.ended("a" * 32, {"o.txt": "out"})
    source = ResourceSource("operation", "prep", select=(r".*\.py",), name="code")
    assert scene.put(scene.dep(source), flags={"code": upstream.id}) == {"code.py": ""}


def test_a_run_may_be_given_as_a_path(scene: Scene) -> None:
    upstream = scene.ended("a" * 32, {"o.txt": "out"})
    source = ResourceSource("operation", "prep")
    assert scene.put(scene.dep(source), flags={"operation:prep": str(upstream.path)}) == {"o.txt": "out"}


def test_at_staging_runs_are_left_for_later(scene: Scene) -> None:
    deps = scene.dep(ResourceSource("operation", "prep")), scene.dep(ResourceSource("file", "d"), name="d")
    scene.put(*deps, staging=True)
    assert set(scene.deps()) == {"d"}
    assert "Skipping resolution of operation:prep because it's being staged" in scene.says
    scene.ended("a" * 32, {"o.txt": "out"})
    assert scene.put(*deps, flags={"operation:prep": "a" * 32})["o.txt"] == "out"


def test_a_run_that_is_not_there_failed_or_is_missing_is_named(scene: Scene) -> None:
    dep = scene.dep(ResourceSource("operation", "prep,other"))
    with pytest.raises(DependencyError, match="no suitable run for prep,other") as e:
        scene.put(dep)
    assert "guild run prep" in e.value.hint
    with pytest.raises(DependencyError, match=f"run {'f' * 32} of prep,other is not there any more"):
        scene.put(dep, flags={"operation:prep,other": "f" * 32})
    scene.ended("b" * 32, {}, code=2)
    with pytest.raises(DependencyError, match=f"run {'b' * 32} of prep,other failed"):
        scene.put(dep, flags={"operation:prep,other": "b" * 32})


def test_a_link_to_the_files_of_a_run_leads_to_it(scene: Scene) -> None:
    scene.ended("a" * 32, {"o.txt": "out"})
    dep = scene.dep(ResourceSource("operation", "prep"), target_type="link")
    assert scene.put(dep, flags={"operation:prep": "a" * 32}) == {"o.txt": f"-> ../{'a' * 32}/o.txt"}


# Copying.


def test_links_in_a_directory_are_copied_as_what_they_lead_to(scene: Scene) -> None:
    (scene.project / "d/twin").symlink_to("e")
    (scene.project / "d/lost").symlink_to("nowhere")
    (scene.project / "d/e/up").symlink_to("..")
    (scene.project / "d/self").symlink_to("self")
    os.mkfifo(scene.project / "d/pipe")
    held = scene.file("d")
    assert held == {"d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b", "d/twin/b.txt": "b"}
    told = {w.split("'")[1].removeprefix(f"{scene.project}/"): w.split("' ")[1] for w in scene.warns}
    assert told == {
        "d/lost": "leads nowhere, it is left out",
        "d/self": "leads nowhere, it is left out",
        "d/pipe": "is no regular file, it is left out",
        "d/e/up": "leads back to where it is, it is left out",
        "d/twin/up": "leads back to where it is, it is left out",
    }


def test_copying_stops_when_asked_to_within_a_large_file_too(scene: Scene) -> None:
    with open(scene.project / "big", "wb") as f:
        f.truncate(1 << 30)
    looks: list[int] = []
    with pytest.raises(GuildError, match="stopped"):
        copy_into(
            scene.resolver(stopped=lambda: looks.append(1) or len(looks) > 1), scene.project / "big",
            scene.base / "copy",
        )  # fmt: skip
    assert (scene.base / "copy").stat().st_size < 1 << 30


def test_a_pipe_is_no_file_to_be_copied(scene: Scene) -> None:
    os.mkfifo(scene.project / "pipe")
    with pytest.raises(DependencyError, match="neither a file nor a directory"):
        scene.file("pipe")
