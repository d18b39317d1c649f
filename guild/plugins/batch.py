"""The built-in batch operations, as data: `+` runs all combinations, `random` searches."""

from collections.abc import Sequence

from guild import __version__
from guild.errors import GuildError
from guild.launch.batch import DEFAULT_MAX_TRIALS
from guild.ops.found import PYTHON_PLUGINS
from guild.ops.opdef import OpDef, OptimizerDef, SourceRules
from guild.ops.opref import OpRef

__all__ = [
    "DEFAULT_MAX_TRIALS", "GRID", "RANDOM", "default_optimizer", "is_built_in", "names", "provide",
    "provide_named",
]  # fmt: skip

GRID, RANDOM = "+", "random"
_MODULES = {GRID: "guild.batch_main", RANDOM: "guild.plugins.random_main"}
_MODELS = {GRID: "", RANDOM: "skopt"}  # as Guild 0.9 has them
# Optimizers of Guild 0.9 that need a library of their own.
_ABSENT = ("gp", "forest", "gbrt", "bayesian", "gaussian")


def provide_named(opspec: str) -> OpDef | None:
    """The batch operation of this name. Raises GuildError for one of Guild 0.9's that is not there."""
    name = opspec.removeprefix("skopt:")
    if name in _ABSENT:
        raise GuildError(
            f"optimizer '{opspec}' is not available",
            "Use random, or an operation of your own (docs/guide.md).",
        )
    return provide(name) if name in _MODULES else None


def provide(name: str) -> OpDef:
    """`+` or `random`. Its process runs the trials that the run has recorded."""
    return OpDef(
        opref=OpRef("builtin", "guildai", __version__, _MODELS[name], name),
        opspec=f"{_MODELS[name]}:{name}" if _MODELS[name] else name,
        cmd_args=("${guild_python_exe}", "-um", _MODULES[name]),
        project_dir="",
        sourcecode=SourceRules(disabled=True),
        plugins=PYTHON_PLUGINS,
        output_scalars=[],
        delete_on_success=True,
        pip_freeze=False,
        can_stage_trials=True,
    )


def is_built_in(opdef: OpDef) -> bool:
    return opdef.opref.type == "builtin" and opdef.opref.op in _MODULES


def default_optimizer(optimizers: Sequence[OptimizerDef]) -> OptimizerDef | None:
    """The one that is marked as default, else the only one."""
    marked = [o for o in optimizers if o.default]
    return marked[0] if marked else optimizers[0] if len(optimizers) == 1 else None


def names(optimizer: OptimizerDef, chosen: str | None) -> bool:
    """Whether an optimizer is the one that was chosen by this name; by none, the default."""
    return chosen in (optimizer.name, optimizer.opspec) or (chosen is None and optimizer.default)
