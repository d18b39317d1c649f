"""Downloads of dependencies: once, to the cache; resumed where they were interrupted, and checked."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from guild.base import files
from guild.base.locks import LockBusy, file_lock
from guild.errors import GuildError

_CHUNK = 1 << 18
_TIMEOUT = 60.0  # seconds without a byte
_LOOK = 0.1  # seconds between two looks at whether to stop

Progress = Callable[[str, int, int | None], None]


def download(
    url: str,
    cache: Path,
    *,
    sha256: str = "",
    progress: Progress = lambda what, done, total: None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """The file that a URL names, in the cache. Of two processes that need it one waits for the other.

    Raises GuildError where it cannot be had, is another one than `sha256` says, or `stopped` says so; what
    has come by then is kept, and the next call goes on from there.
    """
    import hashlib

    directory = cache / hashlib.sha224("\n".join(_parts(url)).encode()).hexdigest()
    os.makedirs(directory, exist_ok=True)
    target = directory / _name(url)
    with _alone(directory, url, stopped):
        if target.is_file() and _is_expected(target, sha256):
            say(f"Using cached file {target}")
        else:
            _Transfer(url, directory / f"{target.name}.part").follow(progress, stopped)
            _finish(url, directory / f"{target.name}.part", target, sha256)
    return target


@contextmanager
def _alone(directory: Path, url: str, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of a directory of the cache, however long the others take."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(file_lock(directory / ".guild-cache-lock", _LOOK))
                break
            except LockBusy:
                if stopped():
                    raise GuildError(f"stopped while waiting for another download of '{url}'") from None
        yield


def _is_expected(path: Path, sha256: str) -> bool:
    return not sha256 or files.sha256_file(path) == sha256.lower()


def _finish(url: str, part: Path, target: Path, sha256: str) -> None:
    """Raises GuildError, and removes what was downloaded, if its digest is not the expected one."""
    files.remove_file(_tag_of(part))
    if not _is_expected(part, sha256):
        digest = files.sha256_file(part)
        files.remove_file(part)
        raise GuildError(
            f"'{url}' is not what was expected: its sha256 is {digest}, not {sha256.lower()}",
            "If the new one is right, correct 'sha256' in the guildfile.",
        )
    files.move(part, target)


def _parts(url: str) -> tuple[str, ...]:
    """Raises GuildError for what is no address of the web."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise GuildError(f"cannot download '{url}': {e}") from None
    if parts.scheme not in ("http", "https", "ftp"):
        raise GuildError(f"cannot download '{url}': expected an http, https or ftp address")
    return tuple(parts)


def _name(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2].replace("\0", "")
    return name if name not in ("", ".", "..") and not name.startswith(".guild-cache") else "download"


def _tag_of(part: Path) -> Path:
    """Holds what tells whether the server still has the same file."""
    return part.with_name(part.name + ".tag")


class _Transfer:
    """The download of one file to `part`, in a thread of its own: nothing else can be left at any time,
    while a name is looked up or a server says nothing."""

    def __init__(self, url: str, part: Path) -> None:
        self._url, self._part = url, part
        self._done = 0
        self._total: int | None = None
        self._error: BaseException | None = None
        self._writing = threading.Lock()
        self._is_left = False

    def follow(self, progress: Progress, stopped: Callable[[], bool]) -> None:
        """Until its end. Raises GuildError."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not stopped():
                thread.join(_LOOK)
                progress(self._url, self._done, self._total)
        finally:
            with self._writing:
                self._is_left = True
        if thread.is_alive():
            raise GuildError(f"stopped while '{self._url}' was downloaded")
        if self._error is not None:
            raise self._error
        progress(self._url, self._done, self._total)  # it may have come before the first look

    def _run(self) -> None:
        import http.client
        import urllib.error

        try:
            self._fetch()
        except GuildError as e:
            self._error = e
        except urllib.error.HTTPError as e:
            self._fail(f"the server answers {e.code} {e.reason}")
        except (urllib.error.URLError, http.client.HTTPException, ValueError) as e:
            self._fail(str(getattr(e, "reason", None) or e))
        except OSError as e:
            self._fail(e.strerror or str(e))
        except Exception as e:  # else it would look as if all had come
            self._fail(f"{type(e).__name__}: {e}")

    def _fail(self, why: str) -> None:
        self._error = GuildError(f"cannot download '{self._url}': {why}")

    def _fetch(self) -> None:
        """To the end of the file, from where an earlier attempt ended if the server can do that."""
        import urllib.error

        tag = _tag_of(self._part)
        have = self._part.stat().st_size if self._part.is_file() and tag.is_file() else 0
        if have:
            try:
                with self._ask({"Range": f"bytes={have}-", "If-Range": tag.read_text()}) as answer:
                    is_rest = answer.status == 206
                    if not is_rest or answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                        self._receive(answer, have if is_rest else 0)
                        return
            except urllib.error.HTTPError as e:
                if e.code != 416:  # nothing is left, or it is another file now
                    raise
                e.close()
        with self._ask({}) as answer:
            self._receive(answer, 0)

    def _ask(self, headers: Mapping[str, str]) -> Any:
        import urllib.request

        own = {"User-Agent": "guild", "Accept-Encoding": "identity"}
        request = urllib.request.Request(self._url, headers={**own, **headers})
        return urllib.request.urlopen(request, timeout=_TIMEOUT)

    def _receive(self, answer: Any, done: int) -> None:
        """Write an answer to the end; `done` bytes of the file are there already."""
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length and length.isdigit() else None
        self._done, self._total = done, total
        with self._writing:
            if self._is_left:
                return
            if not done:
                self._part.write_bytes(b"")
            _remember(_tag_of(self._part), answer.headers)
        with open(self._part, "ab", buffering=0) as out:
            read = getattr(answer, "read1", answer.read)
            while chunk := read(_CHUNK):
                with self._writing:
                    if self._is_left:
                        return
                    files.write_all(out.fileno(), chunk)
                self._done += len(chunk)
        if total is not None and self._done < total:
            raise GuildError(
                f"cannot download '{self._url}': the connection ended after {self._done} of {total} bytes",
                "Run the command again: it goes on from there.",
            )


def _remember(tag: Path, headers: Mapping[str, str]) -> None:
    strong = headers.get("ETag") or ""
    known = strong if strong and not strong.startswith("W/") else headers.get("Last-Modified")
    if known:
        tag.write_text(known)
    else:
        files.remove_file(tag)
