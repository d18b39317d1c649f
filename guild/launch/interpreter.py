"""`python-requires`: the interpreter that an operation wants."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

from guild.errors import GuildError

_TERM = re.compile(r"(===|==|~=|!=|<=|>=|<|>)?\s*v?([0-9]+(?:\.[0-9]+)*)(\.\*)?")
_NAME = re.compile(r"python[0-9.]*")
_LIMIT = 10.0  # seconds that an interpreter has to tell its version
_ASK = "import sys; print('.'.join(map(str, sys.version_info[:3])))"

Version = tuple[int, ...]


def find_interpreter(requirement: str, default: str, environ: Mapping[str, str]) -> str:
    """An interpreter whose version fits (`>=3.8,<3.12`, `3.10`): `default` if it does, else the newest of
    those on PATH. Raises GuildError where there is none, and for a requirement that is none."""
    terms = parse(requirement)
    version = _version(default, environ)
    if version is not None and fits(version, terms):
        return default
    found = [(v, path) for path in _on_path(environ) if (v := _version(path, environ)) and fits(v, terms)]
    if not found:
        has = (
            f"{default} is {'.'.join(map(str, version))}" if version else f"{default} does not say what it is"
        )
        raise GuildError(
            f"cannot find a python interpreter for requirement '{requirement}'",
            f"{has}. Put another one on PATH, or name one with GUILD_PYTHON_EXE.",
        )
    return max(found)[1]


def parse(requirement: str) -> list[tuple[str, Version, bool]]:
    """(operator, version, whether it ends with `.*`) of each part. Raises GuildError."""
    terms = []
    for part in requirement.split(","):
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise GuildError(
                f"python-requires: invalid version requirement '{requirement}'", "Write '>=3.8,<3.12'."
            )
        version = tuple(int(n) for n in match[2].split("."))
        terms.append((match[1] or "==", version, bool(match[3]) or not match[1]))
    return terms


def fits(version: Version, terms: list[tuple[str, Version, bool]]) -> bool:
    return all(_fits(version, *term) for term in terms)


def _fits(version: Version, operator: str, wanted: Version, is_prefix: bool) -> bool:
    size = max(len(version), len(wanted))
    have, want = _padded(version, size), _padded(wanted, size)
    if operator in ("==", "==="):
        return version[: len(wanted)] == wanted if is_prefix else have == want
    if operator == "!=":
        return version[: len(wanted)] != wanted if is_prefix else have != want
    if operator == "~=":
        return have >= want and version[: len(wanted) - 1] == wanted[:-1]
    return {"<": have < want, "<=": have <= want, ">": have > want, ">=": have >= want}[operator]


def _padded(version: Version, size: int) -> Version:
    return version + (0,) * (size - len(version))


def _version(path: str, environ: Mapping[str, str]) -> Version | None:
    if path == sys.executable:
        return sys.version_info[:3]
    try:
        done = subprocess.run(
            [path, "-c", _ASK],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
        )
        return tuple(int(n) for n in done.stdout.decode("ascii").strip().split("."))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _on_path(environ: Mapping[str, str]) -> list[str]:
    """The Python interpreters on PATH, each file once, the first ones first."""
    found: dict[str, str] = {}
    for directory in environ.get("PATH", os.defpath).split(os.pathsep):
        try:
            names = sorted(os.listdir(directory or "."))
        except OSError:
            continue
        for name in names:
            path = os.path.join(directory, name)
            if _NAME.fullmatch(name) and os.access(path, os.X_OK) and os.path.isfile(path):
                found.setdefault(os.path.realpath(path), path)
    return list(found.values())
