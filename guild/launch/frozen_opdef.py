"""OpDef and BatchPlan as a recipe keeps them: from plain JSON data back to frozen values."""

from typing import Any

from guild.launch.job import BatchPlan
from guild.ops.opdef import (
    Check,
    Choice,
    Dependency,
    FlagDef,
    OpDef,
    OptimizerDef,
    Rename,
    ResourceSource,
    SelectRule,
    SourceRules,
    Step,
)
from guild.ops.opref import OpRef

Data = dict[str, Any]
_TEXTS = ("cmd_args", "tags", "env_secrets", "plugins", "steps_attr", "compare", "references")


def read_opdef(data: Data) -> OpDef:
    """What `dataclasses.asdict` made of it. Raises KeyError, TypeError, ValueError for other data."""
    source = dict(data["sourcecode"])
    source["rules"] = tuple(SelectRule(**rule) for rule in source["rules"])
    parts = {**data, "opref": OpRef(**data["opref"]), "sourcecode": SourceRules(**source)}
    parts["flags"] = tuple(
        FlagDef(**{**f, "choices": tuple(Choice(**c) for c in f["choices"])}) for f in data["flags"]
    )
    parts["requires"] = tuple(_dependency(d) for d in data.get("requires", ()))
    parts["steps"] = tuple(_step(s) for s in data.get("steps", ()))
    parts["optimizers"] = tuple(OptimizerDef(**o) for o in data.get("optimizers", ()))
    for name in _TEXTS:
        parts[name] = tuple(parts.get(name) or ())
    return OpDef(**parts)


def _dependency(data: Data) -> Dependency:
    return Dependency(**{**data, "sources": tuple(_source(s) for s in data["sources"])})


def _source(data: Data) -> ResourceSource:
    renames = tuple(Rename(**r) for r in data["rename"])
    return ResourceSource(**{**data, "rename": renames, "select": tuple(data["select"])})


def _step(data: Data) -> Step:
    checks = tuple(Check(**c) for c in data["expect"])
    return Step(**{**data, "expect": checks, "batch_files": tuple(data["batch_files"])})


def read_plan(data: Data) -> BatchPlan:
    return BatchPlan(**{**data, "trials": tuple(data["trials"]), "rows": tuple(data["rows"])})
