"""Attributes: one YAML file each under `.guild/attrs`. Read, write whole, remove."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guild.base import files, yamlio
from guild.runs import layout

# Attributes that are told under names of their own (flags, times, command), or that tell little to people.
KNOWN = frozenset((
    "id", "initialized", "started", "stopped", "exit_status", "cmd", "flags", "user_flags", "label", "tags",
    "marked", "comments", "op", "run_params", "random_seed", "objective", "deps", "env", "host", "user",
    "platform", "plugins", "sourcecode_digest", "vcs_commit", "pip_freeze", "compare", "opdef",
    "resolved_deps",
))  # fmt: skip


class AttrError(ValueError):
    """An attribute's file that cannot be read as one."""


def read_attr(guild_dir: Path, name: str, default: Any = None) -> Any:
    """The attribute's value; `default` where the file is missing, empty or null. Raises AttrError."""
    path = guild_dir / layout.ATTRS / name
    try:
        value = yamlio.decode(files.read_regular(path))
    except (FileNotFoundError, NotADirectoryError):
        return default
    except (OSError, ValueError) as e:
        raise AttrError(f"{path}: {e}") from None
    return default if value is None else value


def attr_names(guild_dir: Path) -> list[str]:
    """Names of all attributes, sorted; none where there is no such directory."""
    try:
        with os.scandir(guild_dir / layout.ATTRS) as entries:
            return sorted(e.name for e in entries if e.is_file())
    except OSError:
        return []


def write_attr(guild_dir: Path, name: str, value: Any, *, sync: bool = False) -> None:
    """Replace an attribute as a whole. Its temporary file lies outside `attrs`, where all are attributes."""
    path = guild_dir / layout.ATTRS / name
    files.write_whole(path, yamlio.encode(value, ascii=True), temp_dir=guild_dir, sync=sync)


def write_new_attrs(guild_dir: Path, attrs: Mapping[str, Any]) -> None:
    """Write attributes of a run in the making, which nobody else reads yet."""
    directory = guild_dir / layout.ATTRS
    os.makedirs(directory, exist_ok=True)
    for name, value in attrs.items():
        with open(directory / name, "wb") as f:
            f.write(yamlio.encode(value, ascii=True))


def delete_attr(guild_dir: Path, name: str) -> bool:
    """Remove an attribute; whether it was there."""
    return files.remove_file(guild_dir / layout.ATTRS / name)


def write_opref(guild_dir: Path, opref: str) -> None:
    """Replace the operation reference as a whole: an empty one breaks Guild 0.9 for all runs."""
    files.write_whole(guild_dir / layout.OPREF, opref.encode("utf-8", "surrogateescape"))


def mark_as_batch(guild_dir: Path) -> None:
    """An empty `proto`: keeps a queue out of compare, here and in Guild 0.9."""
    os.makedirs(guild_dir / layout.PROTO, exist_ok=True)
