"""RunSpec: what is compiled of an operation, its flags and the command line, and the attribute `op`."""

from dataclasses import replace
from typing import Any

import pytest

from guild.launch.spec import Place, RunRequest, RunSpec, build, op_attr
from guild.ops.flags import Assignment
from guild.ops.opdef import FLAG_ARGS, FlagDef, OpDef
from guild.ops.opref import OpRef

OP = OpDef(
    opref=OpRef("guildfile", "/p/guild.yml", "", "", "a"),
    opspec="a",
    cmd_args=("${python_exe}", "-um", "guild.op_main", "a", "--", FLAG_ARGS),
    project_dir="/p",
    is_python=True,
)


def built(opdef: OpDef = OP, request: RunRequest | None = None, **flags: Any) -> RunSpec:
    return build(opdef, Assignment(flags, {}), request or RunRequest(), Place("/p", "/py", "/gpy", "/guild"))


@pytest.mark.parametrize(
    ("request_", "own", "label"),
    [
        (RunRequest(), None, "x=1"),
        (RunRequest(), "own ${x}", "own 1"),
        (RunRequest(tags=("b", "a")), None, "b a x=1"),
        (RunRequest(tags=("b", "a")), "own ${x}", "b a x=1"),
        (RunRequest(label="said", tags=("b",)), "own ${x}", "said"),
        (RunRequest(label="", tags=("b",)), "own ${x}", ""),
    ],
)
def test_a_label_is_that_of_the_command_the_tags_or_the_operation(
    request_: RunRequest, own: str | None, label: str
) -> None:
    assert built(replace(OP, label=own), request_, x=1).label == label


def test_the_flags_of_a_command_are_recorded_where_there_are_any() -> None:
    assert "cmd-flags" not in op_attr(built())["op-cmd"]
    with_flag = built(replace(OP, flags=(FlagDef("x", arg_skip=True),)), x=1)
    assert op_attr(with_flag)["op-cmd"]["cmd-flags"] == {"x": {"arg-skip": True}}


def test_where_flags_go_is_told_to_the_process_if_it_was_said() -> None:
    assert "FLAGS_DEST" not in built().own_env
    assert built(replace(OP, flags_dest="globals", says_dest=True)).own_env["FLAGS_DEST"] == "globals"
