"""What archives hold: their members one after the other, whatever the format."""

import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

Stopped = Callable[[], bool]

_LONGEST_LINK = 4096


@dataclass(frozen=True)
class Member:
    """A file, directory or link in an archive. `open` gives the content of a file."""

    name: str
    type: str  # file, dir, link, other
    size: int = 0
    mode: int = 0o644
    link: str = ""
    open: Callable[[], IO[bytes]] | None = None


def _zip_members(archive: Path, stopped: Stopped) -> Iterator[Member]:
    import zipfile

    with zipfile.ZipFile(archive) as z:
        for info in z.infolist():
            name, type = info.filename, zip_type(info)
            if type == "link":
                yield Member(name, type, link=_zip_link(z, info))
            elif type == "file":
                mode = info.external_attr >> 16
                yield Member(name, type, info.file_size, mode, open=partial(z.open, info))
            else:
                yield Member(name, type)


def zip_type(info: Any) -> str:
    """What a member of a zip file is (`Member.type`)."""
    if info.is_dir():
        return "dir"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "link"
    return "file" if kind in (0, stat.S_IFREG) else "other"


def _zip_link(z: Any, info: Any) -> str:
    if info.file_size > _LONGEST_LINK:
        raise ValueError(f"link '{info.filename}' is too long")
    return str(z.read(info).decode("utf-8", "surrogateescape"))


def _tar_members(archive: Path, stopped: Stopped) -> Iterator[Member]:
    import tarfile

    class Header(tarfile.TarInfo):
        """One that is damaged, or missing at the end, is an error; tarfile takes it for the end."""

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> "Header":
            try:
                return super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as e:
                if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                    raise  # the mark of the end
                raise tarfile.ReadError(str(e)) from None

    with tarfile.open(archive, "r:*", tarinfo=Header) as t:
        for info in t:
            if info.isdir():
                yield Member(info.name, "dir")
            elif info.isfile() or info.islnk():
                opened = _tar_open(t, info)
                yield Member(info.name, "file" if opened else "other", info.size, info.mode, open=opened)
            elif info.issym():
                yield Member(info.name, "link", link=info.linkname)
            else:
                yield Member(info.name, "other")
        # To the end of what is compressed, where its check sum is.
        while t.fileobj and t.fileobj.read(1 << 20):
            if stopped():
                return


def _tar_open(t: Any, info: Any) -> Callable[[], IO[bytes]] | None:
    """A hard link is the content of the member that it names, which must be in the archive itself."""
    if info.islnk():
        try:
            info = t.getmember(info.linkname)
        except KeyError:
            return None
        if not info.isfile():
            return None
    return partial(t.extractfile, info)


def _gzip_members(archive: Path, stopped: Stopped) -> Iterator[Member]:
    import gzip

    if not archive.stat().st_size:
        raise EOFError("it is empty")
    name = re.sub(r"\.gz$", "", archive.name, flags=re.IGNORECASE)
    yield Member(name, "file", open=partial(gzip.open, archive))  # type: ignore[arg-type]


MEMBERS: dict[str, Callable[[Path, Stopped], Iterator[Member]]] = {
    "zip": _zip_members,
    "tar": _tar_members,
    "gzip": _gzip_members,
}
