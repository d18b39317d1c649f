from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.home import Home
from guild.runs import layout
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.selection import find_one, look, select, staged_places
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.made_runs import damage, make_run


def runs_named(*ids: str) -> list[Run]:
    return [Run(Path("/nowhere/runs") / run_id) for run_id in ids]


def ids(runs: list[Run]) -> list[str]:
    return [run.id for run in runs]


FIVE = runs_named("aaa1", "bbb2", "ccc3", "abc4", "12ff")


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["1"], ["aaa1"]),
        (["5"], ["12ff"]),
        (["2:3"], ["bbb2", "ccc3"]),
        ([":2"], ["aaa1", "bbb2"]),
        (["4:"], ["abc4", "12ff"]),
        ([":"], ["aaa1", "bbb2", "ccc3", "abc4", "12ff"]),
        (["6:"], []),
        (["99999999999999999999:"], []),
        (["3:2"], []),
        ([":0"], []),
        (["ab"], ["abc4"]),
        (["12f"], ["12ff"]),
        (["/elsewhere/runs/ccc3"], ["ccc3"]),
        (["3", "1", "2:3"], ["ccc3", "aaa1", "bbb2"]),
    ],
)
def test_runs_are_named_by_number_range_or_beginning_of_id(specs: list[str], expected: list[str]) -> None:
    assert ids(select(FIVE, specs)) == expected


@pytest.mark.parametrize(
    "spec",
    [
        "6",
        "0",
        "0:2",
        "12",
        "/runs/zz",
        "zz",
        "AAA",
        "",
        "-1",
        "7:8",
        "1:6",
        ":99999999999999999999",
        "1:x",
        "::",
        "²",
    ],
)
def test_what_names_no_run_is_an_error_that_says_so(spec: str) -> None:
    with pytest.raises(GuildError, match="could not find a run matching '"):
        select(FIVE, [spec])


def test_a_beginning_of_several_ids_lists_them() -> None:
    with pytest.raises(GuildError) as e:
        select(FIVE, ["a"])
    assert e.value.message == "'a' matches multiple runs:\n  aaa1\n  abc4"


def test_a_whole_id_is_not_ambiguous_though_another_begins_with_it() -> None:
    assert ids(select(runs_named("run10", "run1"), ["run1"])) == ["run1"]


@given(st.integers(0, 8), st.lists(st.from_regex(r"[0-9]{0,2}:?[0-9]{0,2}", fullmatch=True), max_size=4))
def test_a_selection_holds_only_runs_of_the_list_and_none_twice(count: int, specs: list[str]) -> None:
    runs = runs_named(*(f"{n}x{n}" for n in range(count)))
    try:
        chosen = ids(select(runs, specs))
    except GuildError:
        return
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(ids(runs))


def test_a_look_is_newest_first_with_runs_without_a_time_last(tmp_path: Path) -> None:
    make_run(tmp_path, "old", started=1)
    make_run(tmp_path, "none", started=None, status="error")
    make_run(tmp_path, "new", started=2)
    make_run(tmp_path, "initialized", started=None, status="error", attrs={"initialized": 3})
    store = RunStore(Home(tmp_path))
    assert [s.id for s in look(store.runs())] == ["new", "old", "initialized", "none"]


def test_a_damaged_run_hides_no_other_and_is_shown_with_a_question_mark(tmp_path: Path) -> None:
    make_run(tmp_path, "good")
    bad = make_run(tmp_path, "bad", opref="not an opref", attrs={"label": "x", "tags": []})
    for attr in ("started", "label", "tags", "exit_status"):
        damage(bad, attr)
    store = RunStore(Home(tmp_path))
    seen = {s.id: s for s in look(store.runs(), Filters(labels=("-",)))}
    assert set(seen) == {"good", "bad"}
    assert (seen["bad"].operation, seen["bad"].status, seen["good"].operation) == (
        "?",
        RunStatus.ERROR,
        "train",
    )
    assert [s.id for s in look(store.runs(), Filters(operations=("train",)))] == ["good"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("train", {"plain", "in-model"}),
        ("m:train", {"in-model"}),
        ("m:", {"in-model", "packaged"}),
        ("tr", set()),
        ("tr*", {"plain", "in-model", "batch", "search"}),
        ("train+", {"batch"}),
        ("train+skopt:random", {"search"}),
        ("pkg/m:go", {"packaged"}),
        ("go", {"packaged"}),
        ("pkg/go", {"packaged"}),
        ("other/m:go", set()),
        ("^tr", {"plain", "batch", "search"}),
        ("n$", {"plain", "in-model"}),
        ("?", {"damaged"}),
    ],
)
def test_an_operation_filter_compares_whole_names_unless_it_is_a_pattern(
    tmp_path: Path, spec: str, expected: set[str]
) -> None:
    make_run(tmp_path, "plain")
    make_run(tmp_path, "in-model", model="m")
    make_run(tmp_path, "packaged", opref="package:pkg 1.0 m go")
    make_run(tmp_path, "damaged", opref="")
    for run_id, batch in (("batch", "'' +"), ("search", "skopt random")):
        run = make_run(tmp_path, run_id, opref=f"builtin:guildai 0.9.0 {batch}")
        proto = run.guild_dir / layout.PROTO / layout.GUILD_DIR
        proto.mkdir(parents=True)
        (proto / layout.OPREF).write_text("script:/p '' '' train")
    found = look(RunStore(Home(tmp_path)).runs(), Filters(operations=(spec,)))
    assert {s.id for s in found} == expected


def test_a_bad_regular_expression_is_an_error_that_shows_it(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    with pytest.raises(GuildError, match=r"invalid regular expression for --operation: '\^\('"):
        look(RunStore(Home(tmp_path)).runs(), Filters(operations=("^(",)))


def test_filters_of_different_kinds_must_all_hold(tmp_path: Path) -> None:
    make_run(tmp_path, "a", attrs={"label": "best one", "tags": ["x"], "marked": True})
    make_run(tmp_path, "b", attrs={"label": "best", "tags": ["y"]}, status="error")
    make_run(tmp_path, "c", status="staged", attrs={"sourcecode_digest": "d1g"})
    store = RunStore(Home(tmp_path))

    def found(**kinds: object) -> set[str]:
        return {s.id for s in look(store.runs(), Filters(**kinds))}  # type: ignore[arg-type]

    assert found(labels=("best",)) == {"a", "b"}
    assert found(labels=("best",), tags=("x", "z")) == {"a"}
    assert found(labels=("one", "-")) == {"a", "c"}
    assert found(unlabeled=True) == {"c"}
    assert found(marked=True) == {"a"}
    assert found(marked=False) == {"b", "c"}
    assert found(digest="d1") == {"c"}
    assert found(statuses=frozenset({RunStatus.ERROR, RunStatus.STAGED})) == {"b", "c"}
    assert found(not_statuses=frozenset({RunStatus.ERROR, RunStatus.STAGED})) == {"a"}


def test_no_status_is_read_that_no_filter_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "a", attrs={"label": "x"})
    monkeypatch.setattr(Run, "status", lambda self: pytest.fail("status was read"))
    assert [s.id for s in look(RunStore(Home(tmp_path)).runs(), Filters(labels=("x",)))] == ["a"]


def test_a_status_is_shown_as_it_was_filtered(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", status="staged")
    (seen,) = look([run], Filters(statuses=frozenset({RunStatus.STAGED})))
    (run.guild_dir / layout.STAGED).unlink()
    assert seen.status is RunStatus.STAGED


def test_find_one_takes_numbers_ids_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(Home(tmp_path / "home"))
    new = make_run(store.home.path, "a" * 32, started=2)
    old = make_run(store.home.path, "b" * 32, started=1)
    aside = make_run(tmp_path, "aside", where="elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_one(store, "1").path == new.path
    assert find_one(store, "2").path == old.path
    assert find_one(store, "bb").path == old.path
    assert find_one(store, "a" * 32).path == new.path
    for text in (str(aside.path), "./aside", "../elsewhere/aside", "aside/"):
        assert find_one(store, text).path == aside.path
    assert find_one(store, "1", [old, new]).path == old.path


@pytest.mark.parametrize(
    ("text", "says"),
    [("3", "could not find a run matching '3'"), ("./x", "not a run directory"), (":", "multiple")],
)
def test_find_one_refuses_what_is_not_one_run(tmp_path: Path, text: str, says: str) -> None:
    store = RunStore(Home(tmp_path))
    make_run(tmp_path, "a1")
    make_run(tmp_path, "a2")
    with pytest.raises(GuildError, match=says):
        find_one(store, text)


def test_places_among_the_staged_are_those_of_the_queue(tmp_path: Path) -> None:
    make_run(tmp_path, "second", started=2, status="staged")
    make_run(tmp_path, "first", started=1, status="staged")
    make_run(tmp_path, "done", started=0)
    make_run(tmp_path, "queue", started=0, status="staged", opref="builtin:guildai 0.9.0 '' queue")
    assert staged_places(RunStore(Home(tmp_path)).runs()) == ["first", "second"]


def test_seen_reads_the_operation_of_a_batch(tmp_path: Path) -> None:
    run = make_run(tmp_path, "q", opref="builtin:guildai 0.9.0 '' queue")
    (run.guild_dir / layout.PROTO).mkdir()  # how a queue marks itself
    seen = Seen(run)
    assert (seen.operation, seen.proto, seen.is_batch) == ("queue", None, True)
