"""Archives read in place: what is in them is shown, whatever else is wrong with them."""

from pathlib import Path

import pytest

from guild.base.tfrecord import first_record, scalar_record
from guild.errors import GuildError
from guild.runs.archives import ZipArchive, is_plain_id, open_archive
from guild.runs.seen import Seen
from guild.runs.status import RunStatus
from tests.archived_runs import LINK, OPREF, run_members, zip_of
from tests.made_runs import make_run


def seen_in(path: Path) -> dict[str, Seen]:
    with open_archive(path) as archive:
        found = {run.id: Seen(run) for run in archive.runs()}
        for each in found.values():
            assert each.operation
            assert each.status
            assert each.label is not None
            assert each.timestamp != 0
        return found


def test_the_runs_of_a_zip_are_read_in_place(tmp_path: Path) -> None:
    more = [(".guild/attrs/label", b"best"), (".guild/attrs/flags", b"x: 1"), (".guild/proto/", b"")]
    path = zip_of(tmp_path / "a.zip", *run_members("one", *more), *run_members("two", (".guild/STAGED", b"")))
    seen = seen_in(path)
    assert (seen["one"].label, seen["one"].timestamp) == ("best", 1)
    assert (seen["one"].status, seen["two"].status) == (RunStatus.COMPLETED, RunStatus.STAGED)
    with open_archive(path) as archive:
        one = next(run for run in archive.runs() if run.id == "one")
        assert one.map_attr("flags") == {"x": 1}
        assert (one.has("proto"), one.has("attrs"), one.has("attrs/label"), one.has("att")) == (
            *(True, True, True),
            False,
        )


def test_a_lock_in_a_zip_makes_no_run_running(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", ("one/.guild/opref", OPREF), ("one/.guild/LOCK", b"1"))
    assert seen_in(path)["one"].status is RunStatus.ERROR


def test_the_runs_of_a_directory_are_those_that_are_directories(tmp_path: Path) -> None:
    make_run(tmp_path, "one", where="export")
    make_run(tmp_path, "two", where="elsewhere")
    export = tmp_path / "export"
    (export / "link").symlink_to(tmp_path / "elsewhere" / "two")
    (export / ".guild-nocopy").touch()
    (export / "no-run").mkdir()
    assert list(seen_in(export)) == ["one"]


def test_a_damaged_member_hides_itself_alone(tmp_path: Path) -> None:
    label = b"a label that is quite long, to be found again: 0123456789"
    path = zip_of(tmp_path / "a.zip", *run_members("one", (".guild/attrs/label", label)), *run_members("two"))
    data = path.read_bytes()
    start = data.index(b"one/.guild/attrs/label") + len(b"one/.guild/attrs/label")
    path.write_bytes(data[:start] + b"\xff" * 20 + data[start + 20 :])
    seen = seen_in(path)
    assert (seen["one"].label, seen["one"].status, len(seen)) == ("", RunStatus.COMPLETED, 2)


def test_an_attribute_that_unpacks_to_something_huge_counts_as_damaged(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", *run_members("one", (".guild/attrs/label", b"x" * (5 << 20))))
    assert path.stat().st_size < 1 << 16
    assert seen_in(path)["one"].label == ""


def test_names_that_are_no_runs_are_passed_over(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "a.zip",
        *run_members("good"),
        *run_members("../evil"),
        *run_members("/evil"),
        *run_members(".hidden"),
        *run_members("new\nline"),
        ("top", b"x"),
        ("no-run/file", b"x"),
    )
    assert list(seen_in(path)) == ["good"]
    with open_archive(path) as archive:
        assert isinstance(archive, ZipArchive)
        assert archive.outside[0] == "../evil/.guild/opref"


def test_what_comes_twice_is_known(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(
            tmp_path / "a.zip",
            *run_members("one", ("f", b"1"), ("f", b"2")),
            *run_members("two", ("g", b"1"), ("./g", b"2")),
            *run_members("three", ("d/", b""), ("d//", b"")),
        )
    with open_archive(path) as archive:
        assert isinstance(archive, ZipArchive)
        assert archive.twice == {"one", "two"}


def test_a_link_is_no_attribute(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", *run_members("one", (".guild/attrs/label", b"/etc/passwd", LINK)))
    assert seen_in(path)["one"].label == "/etc/passwd"  # its text: nothing is followed


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 40])
def test_a_file_that_is_no_zip_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(GuildError, match=r"cannot read '.*a\.zip'"), open_archive(path):
        pass


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match=r"archive '.*none' does not exist"), open_archive(tmp_path / "none"):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", ".guild", "a/b", "a\nb", "a\x1bb", "x" * 300, "\udcff"])
def test_such_a_name_is_no_id(name: str) -> None:
    assert not is_plain_id(name)


def test_the_scalars_of_a_run_in_a_zip_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    whole = b"".join((first_record(), scalar_record("loss", 0.5, 1), scalar_record("loss", 0.25, 2)))
    name = "events.out.tfevents.1.host.1.0"
    more = [(f".guild/{name}", whole), (f"logs/{name}", whole[:-3]), (f"bad/{name}", b"\xff" * 50)]
    with open_archive(zip_of(tmp_path / "a.zip", *run_members("one", *more))) as archive:
        (scalars,) = [Seen(run).scalars for run in archive.runs()]
    assert [(s.key, s.last_val, s.last_step, s.count) for s in scalars] == [
        ("loss", 0.25, 2, 2),
        ("logs#loss", 0.5, 1, 1),
    ]
