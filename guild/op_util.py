"""For scripts: the run that they are executed in.

    from guild.op_util import current_run

    run = current_run()
    print(run["flags"], run.id)
    run.write_attr("dataset", "v2")

Python 3.8 syntax, standard library; PyYAML where attributes are more than plain values.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class NoCurrentRun(Exception):
    """This process is executed in no run."""


class CurrentRun:
    """A run, by its attributes: `run["flags"]`, `run.get("label")`, `"tags" in run`."""

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

    def guild_path(self, *names: str) -> str:
        """A path below the run's own `.guild`."""
        return os.path.join(self.path, ".guild", *names)

    def attr_names(self) -> list[str]:
        return sorted(n for n in os.listdir(self.guild_path("attrs")) if not n.startswith("."))

    def __iter__(self) -> Iterator[str]:
        return iter(self.attr_names())

    def __contains__(self, name: str) -> bool:
        return os.path.isfile(self._attr_path(name))

    def __getitem__(self, name: str) -> Any:
        """Raises KeyError for an attribute that is not there."""
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

    def write_attr(self, name: str, value: Any) -> None:
        """Set an attribute: plain values, lists and mappings of these. Raises ValueError for another name."""
        path = self._attr_path(name)
        temp = self.guild_path(".tmp-attr-%d" % os.getpid())
        with open(temp, "w", encoding="utf-8") as f:
            f.write(_encode(value))
        os.replace(temp, path)

    def _attr_path(self, name: str) -> str:
        if not name or "/" in name or name.startswith("."):
            raise ValueError("invalid name of an attribute: %r" % name)
        return self.guild_path("attrs", name)


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
    """Without a YAML library: a value, or a mapping from names to values, one a line."""
    from guild.op_main import decode

    lines = text.splitlines()
    pairs = [line.partition(": ") for line in lines]
    if lines and all(sep and not name.startswith((" ", "-")) for name, sep, _ in pairs):
        return {decode(name): decode(value) for name, _, value in pairs}
    if lines and all(line.startswith("- ") for line in lines):
        return [decode(line[2:]) for line in lines]
    return {} if text.strip() == "{}" else [] if text.strip() == "[]" else decode(text.strip())


def _encode(value: Any) -> str:
    try:
        import yaml
    except ImportError:
        import json

        return json.dumps(value) + "\n"  # which YAML reads, too
    text: str = yaml.safe_dump(value, default_flow_style=False, allow_unicode=True)
    return text[: -len("...\n")] if text.endswith("\n...\n") else text
