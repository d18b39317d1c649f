"""Downloads: once, whole, what was expected; gone on with after a break, stopped at once when asked to."""

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from guild.base.locks import file_lock
from guild.errors import GuildError
from guild.launch.download import download
from tests.launch.web import Web, serve

DATA = os.urandom(700_000)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def web() -> Iterator[Web]:
    with serve(**{"a.bin": DATA, "empty": b""}) as found:
        yield found


def fails(web: Web, cache: Path, why: str, name: str = "a.bin", **kw: Any) -> GuildError:
    with pytest.raises(GuildError, match=why) as e:
        download(f"{web.url}/{name}", cache, **kw)
    assert not [p for p in cache.rglob("*") if p.name == name]
    return e.value


def test_a_file_is_downloaded_once(web: Web, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(
        f"{web.url}/a.bin", tmp_path, progress=lambda what, done, total: seen.append((done, total))
    )
    assert path.name == "a.bin"
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert download(f"{web.url}/a.bin", tmp_path) == path
    assert len(web.asked) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == [".guild-cache-lock", "a.bin"]


def test_an_empty_file_and_one_of_unknown_length_are_downloaded(web: Web, tmp_path: Path) -> None:
    assert download(f"{web.url}/empty", tmp_path).read_bytes() == b""
    web.lengths = False
    assert download(f"{web.url}/a.bin", tmp_path).read_bytes() == DATA


def test_the_same_name_elsewhere_is_another_file(web: Web, tmp_path: Path) -> None:
    web.files["/d/a.bin"] = b"other"
    assert download(f"{web.url}/d/a.bin", tmp_path).read_bytes() == b"other"
    assert download(f"{web.url}/a.bin", tmp_path).read_bytes() == DATA
    assert download(f"{web.url}/d/a.bin?v=2", tmp_path) != download(f"{web.url}/d/a.bin", tmp_path)


@pytest.mark.parametrize("path", ["..%2F..%2Fx", "%2e%2e", ".guild-cache-lock", "", "a%2Fb", "a%00b"])
def test_no_address_names_a_place_outside_of_its_directory(web: Web, tmp_path: Path, path: str) -> None:
    web.files[f"/{path}"] = b"1"
    found = download(f"{web.url}/{path}", tmp_path)
    assert found.read_bytes() == b"1"
    assert found.parent.parent == tmp_path


def test_the_right_digest_is_accepted_in_any_case(web: Web, tmp_path: Path) -> None:
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA.upper()).read_bytes() == DATA


def test_a_wrong_digest_is_refused_and_nothing_kept(web: Web, tmp_path: Path) -> None:
    error = fails(web, tmp_path, f"its sha256 is {SHA}, not {'0' * 64}", sha256="0" * 64)
    assert "sha256" in error.hint
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [".guild-cache-lock"]
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA


def test_a_file_in_the_cache_that_is_not_what_is_expected_is_downloaded_anew(
    web: Web, tmp_path: Path
) -> None:
    path = download(f"{web.url}/a.bin", tmp_path)
    path.write_bytes(b"damaged")
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA


def test_after_a_broken_connection_it_goes_on_where_it_was(web: Web, tmp_path: Path) -> None:
    web.cut = 300_000
    error = fails(web, tmp_path, f"ended after 300000 of {len(DATA)} bytes")
    assert "goes on" in error.hint
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA
    assert web.asked[-1] == ("/a.bin", "bytes=300000-")


def test_a_file_that_changed_between_is_downloaded_from_its_beginning(web: Web, tmp_path: Path) -> None:
    web.cut = 300_000
    fails(web, tmp_path, "ended after")
    web.files["/a.bin"], web.tag = b"new", '"2"'
    assert download(f"{web.url}/a.bin", tmp_path).read_bytes() == b"new"


@pytest.mark.parametrize("tag", ['"1"', ""])
def test_where_the_server_cannot_resume_it_begins_again(web: Web, tmp_path: Path, tag: str) -> None:
    web.resumes, web.tag, web.cut = False, tag, 300_000
    fails(web, tmp_path, "ended after")
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA


def test_an_answer_with_another_part_than_the_one_asked_for_is_not_joined(web: Web, tmp_path: Path) -> None:
    web.cut = 300_000
    fails(web, tmp_path, "ended after")
    web.shift = -1000
    assert download(f"{web.url}/a.bin", tmp_path).read_bytes() == DATA


def test_all_but_the_end_of_an_attempt_is_enough(web: Web, tmp_path: Path) -> None:
    """The process ended after the last byte: nothing is left to be asked for."""
    path = download(f"{web.url}/a.bin", tmp_path)
    path.rename(path.with_name("a.bin.part"))
    path.with_name("a.bin.part.tag").write_text(web.tag)
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA


def test_what_is_not_there_is_named(web: Web, tmp_path: Path) -> None:
    error = fails(web, tmp_path, "the server answers 404", "missing.bin")
    assert f"{web.url}/missing.bin" in error.message


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/x", "refused"),
        ("file:///etc/passwd", "expected an http, https or ftp address"),
        ("http://127.0.0.1:99999/x", "cannot download"),
        ("http://[bad/x", "cannot download"),
        ("http:///x", "cannot download"),
        ("http://exa mple/x y", "cannot download"),
        ("data:,x", "expected an http"),
        ("plain", "expected an http"),
    ],
)
def test_an_address_that_will_not_do_is_an_error(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(GuildError, match=why):
        download(url, tmp_path)


def test_two_that_need_a_file_at_once_download_it_once(web: Web, tmp_path: Path) -> None:
    web.stalls_at = 1000
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(download, f"{web.url}/a.bin", tmp_path, sha256=SHA) for _ in range(2)]
        assert web.stalled.wait(30)
        web.go_on.set()
        assert {f.result(30).read_bytes() for f in both} == {DATA}
    assert len(web.asked) == 1


def test_a_download_of_which_nothing_comes_is_stopped_at_once_and_gone_on_with_later(
    web: Web, tmp_path: Path
) -> None:
    web.stalls_at = 1000
    got = threading.Event()
    stop = fails(
        web, tmp_path, "stopped", progress=lambda what, done, total: got.set() if done == 1000 else None,
        stopped=got.is_set,
    )  # fmt: skip
    assert "a.bin" in stop.message
    web.go_on.set()
    assert download(f"{web.url}/a.bin", tmp_path, sha256=SHA).read_bytes() == DATA
    assert web.asked[-1][1] == "bytes=1000-"


def test_who_waits_for_the_download_of_another_can_be_stopped(web: Web, tmp_path: Path) -> None:
    path = download(f"{web.url}/a.bin", tmp_path)
    looks: list[int] = []

    def stopped() -> bool:
        looks.append(1)
        return len(looks) > 2

    with file_lock(path.parent / ".guild-cache-lock", 1), pytest.raises(GuildError, match="stopped"):
        download(f"{web.url}/a.bin", tmp_path, stopped=stopped)
