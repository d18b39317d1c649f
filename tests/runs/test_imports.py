"""Import, of archives that mean well and of those that do not: nothing is written outside of the run."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guild.base.unpack import MAX_VARIABLE
from guild.errors import GuildError
from guild.home import Home
from guild.runs import links
from guild.runs.archives import open_archive
from guild.runs.imports import brought
from guild.runs.links import LinkRule
from guild.runs.store import RunStore
from tests.archived_runs import FIFO, LINK, Member, run_members, tree, zip_of
from tests.made_runs import make_run

Brought = tuple[dict[str, str], list[str]]


def bring(archive: Path, home: Path, rule: LinkRule = links.safe_only, run_id: str = "one") -> Brought:
    """What of the run arrives in `staging/`, without its own data, and the warnings."""
    store = RunStore(Home(home))
    store.create()
    warned: list[str] = []
    with open_archive(archive) as opened:
        run = next(run for run in opened.runs() if run.id == run_id)
        with brought(store, run, rule, warned.append, lambda size: None) as made:
            assert made.parent == store.home.staging
            found = {name: text for name, text in tree(made).items() if not name.startswith(".guild/")}
    assert os.listdir(store.home.staging) == []
    return found, warned


def zipped(tmp_path: Path, *more: Member) -> Path:
    return zip_of(tmp_path / "a.zip", *run_members("one", *more))


def bring_zip(tmp_path: Path, *more: Member, rule: LinkRule = links.safe_only) -> Brought:
    return bring(zipped(tmp_path, *more), tmp_path / "home", rule)


def test_files_directories_and_links_of_a_zip_arrive(tmp_path: Path) -> None:
    found, warned = bring_zip(
        tmp_path,
        ("a", b"a"),
        ("d/e/f", b"f"),
        ("latest", b"d/e/f", LINK),
        ("step", b"../other", LINK),
        ("model", b"../other/model", LINK),
    )
    assert (found, warned) == (
        {"a": "a", "d/e/f": "f", "latest": "-> d/e/f", "model": "-> ../other/model", "step": "-> ../other"},
        [],
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l", "/etc/passwd"),
        ("l", "../.."),
        ("l", "../../secret"),
        ("d/l", "../../../x"),
        (".guild/attrs", "../other/.guild/attrs"),
        (".guild/LOCK", "../x"),
        (".guild/proto", "../../other"),
        (".guild/proto/.guild/attrs", "../../x"),
    ],
)
def test_a_link_that_leads_outside_or_stands_for_the_runs_own_data_is_left_out(
    tmp_path: Path, name: str, text: str
) -> None:
    members = [m for m in run_members("one") if "attrs" not in name or "attrs" not in m[0]]
    path = zip_of(tmp_path / "a.zip", *members, (f"one/{name}", text.encode(), LINK))
    found, warned = bring(path, tmp_path / "home")
    assert found == {}
    assert len(warned) == 1
    assert f"'{name}' is a link" in warned[0]


def test_links_that_lead_outside_together_are_left_out(tmp_path: Path) -> None:
    found, warned = bring_zip(
        tmp_path, ("d/here", b".", LINK), ("d/out", b"here/here/../../../../../etc", LINK), ("d/f", b"f")
    )
    assert found == {"d/f": "f", "d/here": "-> ."}
    assert len(warned) == 1
    assert "'d/out'" in warned[0]


def test_links_are_kept_where_the_archive_is_trusted(tmp_path: Path) -> None:
    found, warned = bring_zip(tmp_path, ("l", b"/etc/hostname", LINK), rule=links.keep_all)
    assert (found, warned) == ({"l": "-> /etc/hostname"}, [])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([("pipe", b"", FIFO)], "neither a file, a directory nor a link"),
        ([("a", b""), ("a/b", b"")], "a file is where its directory should be"),
        ([("l", b"d", LINK), ("l/f", b"x")], "something else has the same name"),
        ([("l", b"", LINK)], "no link that can be made"),
        ([("l", b"x\0y", LINK)], "no link that can be made"),
        ([("l", b"x" * 5000, LINK)], "too long"),
        ([("n" * 300, b"")], "File name too long"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left(
    tmp_path: Path, more: Sequence[Member], why: str
) -> None:
    with pytest.raises((GuildError, OSError), match=why):
        bring_zip(tmp_path, *more)
    assert os.listdir(tmp_path / "home" / "staging") == []


def test_a_file_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuildError, match="more than once"):
        bring_zip(tmp_path, ("f", b"1"), ("./f", b"2"))


def test_a_run_that_is_too_large_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MAX_VARIABLE, "1000000")
    with pytest.raises(GuildError, match=r"run one is too large: 20000\d\d bytes"):
        bring_zip(tmp_path, ("bomb", b"\0" * 2_000_000))


def test_a_run_for_which_there_is_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(GuildError, match="no room for run one: it needs 1"):
        bring_zip(tmp_path, ("f", b"0123456789" * 10))


def test_a_member_with_more_than_it_says_is_no_way_around_that(tmp_path: Path) -> None:
    path = zipped(tmp_path, ("bomb", b"\0" * 100_000))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as z:
        offset = data.index(b"PK\x01\x02", z.getinfo("one/bomb").header_offset)
    at = data.index(b"one/bomb", offset) - 46
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(GuildError, match="'bomb' of run one is damaged in the archive"):
        bring(path, tmp_path / "home")


def test_a_damaged_member_is_named_and_the_next_run_can_be_imported(tmp_path: Path) -> None:
    content = b"0123456789abcdefghijklmnopqrstuvwxyz"
    path = zip_of(tmp_path / "a.zip", *run_members("one", ("f", content)), *run_members("two", ("g", b"g")))
    data = path.read_bytes()
    start = data.index(b"one/f") + 5
    path.write_bytes(data[:start] + b"\xff" * 10 + data[start + 10 :])
    with pytest.raises(GuildError, match="'f' of run one is damaged"):
        bring(path, tmp_path / "home")
    assert bring(path, tmp_path / "home", run_id="two")[0] == {"g": "g"}


def test_a_directory_is_imported_by_the_same_rules(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    run = make_run(tmp_path, "one", where="export")
    (run.path / "f").write_text("f")
    for name, text in {"in": "f", "out": "../../secret", "step": "../other", ".guild/ENV": "../f"}.items():
        os.symlink(text, run.path / name)
    os.mkfifo(run.path / "pipe")
    found, warned = bring(tmp_path / "export", tmp_path / "home")
    assert found == {"f": "f", "in": "-> f", "step": "-> ../other"}
    assert len(warned) == 3
    found, warned = bring(tmp_path / "export", tmp_path / "home", links.copy_resources)
    assert found == {"f": "f", "in": "-> f", "out": "secret", "step": "-> ../other"}
    found, warned = bring(tmp_path / "export", tmp_path / "home", links.keep_all)
    assert found["out"] == f"-> {os.path.realpath(tmp_path)}/secret"


def test_the_opref_must_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "export" / "one" / ".guild").mkdir(parents=True)
    os.symlink("../f", tmp_path / "export" / "one" / ".guild" / "opref")
    with pytest.raises(GuildError, match="no complete run"):
        bring(tmp_path / "export", tmp_path / "home")


def test_times_of_a_zip_are_kept(tmp_path: Path) -> None:
    store = RunStore(Home(tmp_path / "home"))
    store.create()
    with open_archive(zipped(tmp_path, ("f", b"f"))) as opened:
        rule = links.safe_only
        with brought(store, opened.runs()[0], rule, print, lambda size: None) as made:
            assert os.stat(made / "f").st_mtime < 400_000_000  # a zip's own beginning of time, 1980


NAMES = st.lists(st.sampled_from(["..", ".", "", "a", "b", ".guild", "attrs"]), min_size=1, max_size=4)
MEMBERS = st.tuples(
    NAMES.map("/".join),
    st.sampled_from([b"x", b"..", b"../..", b"/", b"a", b"."]),
    st.sampled_from([LINK, 0]),
)


@settings(max_examples=150, deadline=None)
@given(members=st.lists(MEMBERS, max_size=6))
def test_no_archive_at_all_writes_outside_of_its_run(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, int]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    path = tmp_path / "a.zip"
    unique = {f"one/{name}": (f"one/{name}", data, mode) for name, data, mode in members if name}
    given = {m[0]: m for m in [*run_members("one"), *unique.values()]}
    zip_of(path, *given.values())
    before = path.read_bytes()
    try:
        bring(path, tmp_path / "home")
    except (GuildError, OSError, StopIteration):
        pass
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "home"] or sorted(os.listdir(tmp_path)) == ["a.zip"]
    assert path.read_bytes() == before
    if (tmp_path / "home").exists():
        assert sorted(os.listdir(tmp_path / "home")) == ["cache", "locks", "runs", "staging", "trash"]
        assert os.listdir(tmp_path / "home" / "runs") == os.listdir(tmp_path / "home" / "staging") == []
