"""For scripts: the run that they are executed in.

    from guild.op_util import current_run

    run = current_run()
    print(run["flags"], run.id)
    run.write_attr("dataset", "v2")

Python 3.8 syntax, standard library; PyYAML where attributes are more than plain values.
"""

from __future__ import annotations

import os
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class NoCurrentRun(Exception):
    """This process is executed in no run."""


class OpRef(NamedTuple):
    """What a run is of: `op_name` is the operation, `model_name` its model, '' for none."""

    pkg_type: str
    pkg_name: str
    pkg_version: str
    model_name: str
    op_name: str


class CurrentRun:
    """A run, by its attributes: `run["flags"]`, `run.get("label")`, `"tags" in run`."""

    status = "running"

    def __init__(self, run_id: str, path: str) -> None:
        self.id = run_id
        self.path = path

    @property
    def dir(self) -> str:
        """The run directory."""
        return self.path

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def opref(self) -> OpRef:
        import shlex

        with open(self.guild_path("opref"), encoding="utf-8") as f:
            package, version, model, op = shlex.split(f.read())
        kind, _, name = package.partition(":")
        return OpRef(kind, name, version, model, op)

    @property
    def timestamp(self) -> int | None:
        """When it was started, in microseconds since 1970."""
        found: int | None = self.get("started")
        return found

    def guild_path(self, *names: str) -> str:
        """A path below the run's own `.guild`."""
        return os.path.join(self.path, ".guild", *names)

    def attr_names(self) -> list[str]:
        """Names of all attributes, sorted."""
        return sorted(n for n in os.listdir(self.guild_path("attrs")) if not n.startswith("."))

    def iter_attrs(self) -> Iterator[tuple[str, Any]]:
        """(name, value) of all attributes, by name."""
        return ((name, self[name]) for name in self.attr_names())

    def has_attr(self, name: str) -> bool:
        return name in self

    def __iter__(self) -> Iterator[str]:
        return iter(self.attr_names())

    def __contains__(self, name: object) -> bool:
        return _is_name(name) and os.path.isfile(self._attr_path(str(name)))

    def __getitem__(self, name: str) -> Any:
        """Raises KeyError for an attribute that is not there."""
        if not _is_name(name):
            raise KeyError(name)
        try:
            with open(self._attr_path(name), encoding="utf-8") as f:
                text = f.read()
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(name) from None
        return _decode(text)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def write_attr(self, name: str, value: Any, raw: bool = False) -> None:
        """Set an attribute: plain values, lists and mappings of these; with `raw` a text that is YAML.

        Raises ValueError for another value, and for what is no name.
        """
        path = self._attr_path(name)
        text = str(value) if raw else _encode(value)
        temp = self.guild_path(".tmp-attr-%d" % os.getpid())
        with open(temp, "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(temp, path)

    def del_attr(self, name: str) -> None:
        """Remove an attribute; one that is not there is no matter. Raises ValueError for what is no name."""
        try:
            os.unlink(self._attr_path(name))
        except FileNotFoundError:
            pass

    def _attr_path(self, name: str) -> str:
        if not _is_name(name):
            raise ValueError("invalid name of an attribute: %r" % (name,))
        return self.guild_path("attrs", name)

    def __repr__(self) -> str:
        return "<guild run %s>" % self.id


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and "/" not in name and not name.startswith(".")


def current_run() -> CurrentRun:
    """The run of this process. Raises NoCurrentRun outside of runs."""
    path, run_id = os.environ.get("RUN_DIR"), os.environ.get("RUN_ID")
    if not path or not run_id:
        raise NoCurrentRun("this process is executed in no run: start it by 'guild run'")
    return CurrentRun(run_id, path)


def _decode(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        return _decode_plain(text)
    return yaml.safe_load(text)


def _decode_plain(text: str) -> Any:
    """Without a YAML library: a value, a list or a mapping of these, with lists in it, one value a line."""
    from guild.op_main import decode

    if text[:1] in ("{", "[", '"'):
        import json

        try:
            return json.loads(text)
        except ValueError:
            pass
    lines = text.splitlines()
    if lines and all(line.startswith("- ") for line in lines):
        return [decode(line[2:]) for line in lines]
    found: dict[Any, Any] = {}
    items: Any = None
    for line in lines:
        name, sep, value = line.partition(": ")
        if items is not None and line.startswith("- "):
            items.append(decode(line[2:]))
        elif sep and not line.startswith((" ", "- ")):
            found[decode(name)], items = decode(value), None
        elif line.endswith(":") and not line.startswith((" ", "- ")):
            items = found[decode(line[:-1])] = []
        else:
            return decode(text.strip())
    return found if lines else None


def _encode(value: Any) -> str:
    """Raises ValueError for what attributes cannot hold."""
    try:
        import yaml
    except ImportError:
        import json

        try:
            return json.dumps(value) + "\n"  # which YAML reads, too
        except TypeError as e:
            raise ValueError("an attribute holds plain values, lists and mappings: %s" % e) from None
    try:
        text: str = yaml.safe_dump(value, default_flow_style=False, allow_unicode=True)
    except yaml.YAMLError:
        kind = type(value).__name__
        raise ValueError(
            "an attribute holds plain values, lists and mappings of these, and not all of this %s is" % kind
        ) from None
    return text[: -len("...\n")] if text.endswith("\n...\n") else text
