"""Resolving: what is put into a run and where, what is recorded, what is taken over, what is refused."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from guild.errors import DependencyError, GuildError
from guild.launch.copying import copy_into
from guild.launch.dependencies import Resolver, install, resolve, target_of
from guild.ops.opdef import Dependency, Rename, ResourceSource
from guild.runs.generated import files_below
from tests.launch.scene import Scene, sha1


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.write({"data.txt": "data", "d/a1.csv": "1", "d/a10.csv": "10", "d/e/b.txt": "b"})
    return made


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


def test_a_file_is_not_looked_for_in_the_parents(scene: Scene) -> None:
    dep = Dependency("res", (ResourceSource("file", "data.txt"),), str(scene.project / "d/e"))
    with pytest.raises(DependencyError, match=r"cannot find source file 'data.txt'"):
        scene.put(dep)


def test_a_missing_file_is_named(scene: Scene) -> None:
    with pytest.raises(
        DependencyError, match="'file:nix' in res resource: cannot find source file 'nix'"
    ) as e:
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
    assert target("a", {"rename": (Rename("a", "b"), Rename("b", "c"))}) == "b"


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
    assert scene.warns == [f"{scene.run.path}/data.txt already exists, skipping copy"]
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
    with pytest.raises(DependencyError, match=r"'d/e/data.txt'.*'d' is a link"):
        scene.put(linked, below)
    assert files_below(scene.project / "d") == ["a1.csv", "a10.csv", "e/b.txt"]


def test_nothing_is_put_where_a_file_is_in_the_way(scene: Scene) -> None:
    below = ResourceSource("file", "d/a1.csv", target_path="data.txt")
    with pytest.raises(DependencyError, match=r"'data.txt' is no directory"):
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
    assert scene.manifest() == ["d data.txt " + sha1("new") + " file:data.txt"]


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


def test_the_path_that_a_flag_tells_is_seen_from_where_the_command_was_given(scene: Scene) -> None:
    source = ResourceSource("file", "d/a1.csv", flag_name="data")
    scene.write({"d/data.txt": "inner"})
    inner = str(scene.project / "d")
    assert scene.put(scene.dep(source), flags={"data": "data.txt"}, cwd=inner) == {"data.txt": "inner"}
    assert scene.manifest()[-1].endswith(" file:d/data.txt")
    assert scene.says[-1] == "Using data.txt for data"
    scene.name = "other"
    scene.write({"d/d/a1.csv": "not this"})
    assert scene.put(scene.dep(source), flags={"data": "d/a1.csv"}, cwd=inner) == {"a1.csv": "1"}


def test_a_flag_that_leads_nowhere_is_an_error(scene: Scene) -> None:
    source = ResourceSource("file", "data.txt", flag_name="data")
    with pytest.raises(DependencyError, match="cannot find source file 'nix'"):
        scene.put(scene.dep(source), flags={"data": "nix"})


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

    def stopped() -> bool:
        looks.append(1)
        return len(looks) > 1

    with pytest.raises(GuildError, match="stopped"):
        copy_into(scene.project / "big", scene.base / "copy", scene.warns.append, stopped)
    assert (scene.base / "copy").stat().st_size < 1 << 30


def test_a_pipe_is_no_file_to_be_copied(scene: Scene) -> None:
    os.mkfifo(scene.project / "pipe")
    with pytest.raises(DependencyError, match="neither a file nor a directory"):
        scene.file("pipe")
