"""What each kind of source but a plain file stands for: archives, addresses, modules, config files, runs."""

import gzip
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from guild.errors import DependencyError
from guild.launch.dependencies import install, resolve
from guild.ops.opdef import FlagDef, Rename, ResourceSource
from guild.runs.generated import files_below
from tests.launch.scene import Scene, sha1
from tests.launch.web import serve


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.write({"data.txt": "data", "d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b"})
    return made


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
    with pytest.raises(DependencyError, match=r"member '\.\./b' is refused"):
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
    said = [text for text in scene.says if text.startswith("Post processing file:arch.zip resource in ")]
    assert [text.endswith(": 'cat a >> b'") for text in said] == [True]


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
        assert scene.manifest() == [f"d x.txt {sha1('web')} {url} x.txt"]
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
        flags={"b": 3, "a.c": "x z", "operation:prep": "id", "data": "other", "n": None},
        dependency_flags=frozenset(("operation:prep", "data")),  # by whatever name
        flag_defs=[FlagDef("a.c", arg_split="shlex")],
    )
    assert held == {"c.yml": "a:\n  c:\n  - x\n  - z\nb: 3\np: 4\n"}
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
    assert {name: bool(sources) for name, sources in scene.deps().items()} == {"res": False, "d": True}
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
