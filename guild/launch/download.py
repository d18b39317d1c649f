"""Downloads of dependencies: once, to the cache; resumed where they were interrupted, and checked."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from guild.base import files
from guild.base.locks import file_lock
from guild.errors import GuildError

_CHUNK = 1 << 18
_TIMEOUT = 60.0  # seconds without a byte
_LOCK_SECONDS = 24 * 3600.0

Progress = Callable[[str, int, int | None], None]


def download(
    url: str,
    cache: Path,
    *,
    sha256: str = "",
    progress: Progress = lambda what, done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """The file that a URL names, in the cache. Of two processes that need it one waits for the other.

    Raises GuildError where it cannot be had, or is another one than `sha256` says.
    """
    import hashlib

    directory = cache / hashlib.sha224("\n".join(_parts(url)).encode()).hexdigest()
    os.makedirs(directory, exist_ok=True)
    target = directory / _name(url)
    part = directory / f"{target.name}.part"
    with file_lock(directory / ".guild-cache-lock", _LOCK_SECONDS):
        if not target.is_file():
            _fetch(url, part, progress, stopped)
            _check(url, part, sha256)
            files.move(part, target)
            files.remove_file(part.with_name(part.name + ".tag"))
        else:
            _check(url, target, sha256)
    return target


def _parts(url: str) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    return tuple(urlsplit(url))


def _name(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2].replace("\0", "")
    return name if name not in ("", ".", "..") and not name.startswith(".guild-cache") else "download"


def _fetch(url: str, part: Path, progress: Progress, stopped: Callable[[], bool]) -> None:
    """To the end of the file, from where an earlier attempt ended if the server can do that."""
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import urlsplit

    if urlsplit(url).scheme not in ("http", "https", "ftp"):
        raise GuildError(f"cannot download '{url}': expected an http, https or ftp address")
    tag = part.with_name(part.name + ".tag")  # tells whether the server still has the same file
    have = part.stat().st_size if part.is_file() and tag.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "guild", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag.read_text())
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            resumed = have > 0 and getattr(answer, "status", 200) == 206
            _remember(tag, answer.headers)
            _receive(url, answer, part, have if resumed else 0, progress, stopped)
    except urllib.error.HTTPError as e:
        if e.code == 416 and have:  # nothing is left, or it is another file now
            files.remove_file(part)
            _fetch(url, part, progress, stopped)
            return
        raise GuildError(f"cannot download '{url}': the server answers {e.code} {e.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, ValueError) as e:
        raise GuildError(f"cannot download '{url}': {getattr(e, 'reason', None) or e}") from None
    except OSError as e:
        raise GuildError(f"cannot download '{url}': {e.strerror or e}") from None


def _receive(
    url: str, answer: Any, part: Path, done: int, progress: Progress, stopped: Callable[[], bool]
) -> None:
    """Write an answer to the end; `done` bytes of the file are there already."""
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length and length.isdigit() else None
    with open(part, "ab" if done else "wb") as out:
        while chunk := answer.read(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            progress(url, done, total)
            if stopped():
                raise GuildError(f"stopped while '{url}' was downloaded")
    if total is not None and done < total:
        raise GuildError(
            f"cannot download '{url}': the connection ended after {done} of {total} bytes",
            "Run the command again: it goes on from there.",
        )


def _remember(tag: Path, headers: Mapping[str, str]) -> None:
    strong = headers.get("ETag") or ""
    known = strong if strong and not strong.startswith("W/") else headers.get("Last-Modified")
    if known:
        tag.write_text(known)
    else:
        files.remove_file(tag)


def _check(url: str, path: Path, sha256: str) -> None:
    """Raises GuildError, and removes the file, if its digest is not the expected one."""
    if not sha256:
        return
    digest = files.sha256_file(path)
    if digest != sha256.lower():
        files.remove_file(path)
        raise GuildError(
            f"'{url}' is not what was expected: its sha256 is {digest}, not {sha256.lower()}",
            "If the new one is right, correct 'sha256' in the guildfile.",
        )
