"""What a plugin is, and which are built in.

@plugin: a third party names a `Plugin` in the entry-point group `guild.plugins`. Entry points are looked at
only when no built-in knows an operation (reading them takes longer than most commands).
"""

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from guild.ops.opdef import OpDef
from guild.ops.resolve import Context, Provider, Resolved

GROUP = "guild.plugins"

# Asked in this order, after the project's guildfile. Python scripts first, any executable file last.
_BEFORE = ("guild.plugins.python_script:provide", "guild.plugins.queue:provide_named")
_AFTER = ("guild.plugins.exec_script:provide",)


@dataclass(frozen=True)
class Plugin:
    """A name and a function that tells the operation of an opspec, None if it is not its own."""

    name: str
    provide: Provider | None = None


def providers() -> list[Provider]:
    """All providers of operations, each loaded when it is first asked."""
    return [*map(_lazy, _BEFORE), _third_party, *map(_lazy, _AFTER)]


def _lazy(target: str) -> Provider:
    module, _, name = target.partition(":")

    def provide(opspec: str, context: Context) -> Resolved | OpDef | None:
        function: Provider = getattr(importlib.import_module(module), name)
        return function(opspec, context)

    return provide


def _third_party(opspec: str, context: Context) -> Resolved | OpDef | None:
    for plugin in _load():
        found = plugin.provide(opspec, context) if plugin.provide else None
        if found is not None:
            return found
    return None


def _load() -> Iterator[Plugin]:
    """Third-party plugins; one that fails to load is named and skipped."""
    if os.environ.get("GUILD_THIRD_PARTY_PLUGINS") == "no":
        return
    import warnings
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        try:
            plugin = entry.load()
        except Exception as e:
            warnings.warn(f"plugin {entry.name} cannot be loaded: {e}", stacklevel=2)
            continue
        if isinstance(plugin, Plugin):
            yield plugin
