"""What is a switch, told by the command that Guild 0.9 recorded."""

import pytest

from guild.launch.command import render_command
from guild.launch.switches import with_switches
from guild.ops.opdef import FLAG_ARGS, FlagDef

TEMPLATE = ("python", "-m", "train", FLAG_ARGS)


def command(value: bool, dest: str = "args", **how: object) -> list[str]:
    flags = [FlagDef("a", **how), FlagDef("n")]  # type: ignore[arg-type]
    return render_command(TEMPLATE, {"a": value, "n": 3}, flags, dest, {})


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("how", "is_switch"),
    [
        ({"arg_switch": False, "has_arg_switch": True}, True),
        ({"arg_switch": False, "has_arg_switch": True, "arg_name": "no-a"}, True),
        ({}, False),
        ({"arg_skip": True}, False),
    ],
)
def test_a_switch_is_told_from_a_value(value: bool, how: dict[str, object], is_switch: bool) -> None:
    recorded = {name: how[name] for name in ("arg_name", "arg_skip") if name in how}
    bare = FlagDef("a", **recorded)  # type: ignore[arg-type]
    for dest in ("args", "globals"):
        (found,) = with_switches([bare], {"a": value}, TEMPLATE, command(value, dest, **how))
        assert (found.has_arg_switch, found.arg_switch) == ((True, False) if is_switch else (False, None))


@pytest.mark.parametrize("value", [True, False])
def test_a_trial_may_have_the_command_of_its_prototype(value: bool) -> None:
    flags = [FlagDef("a"), FlagDef("b", arg_switch=False, has_arg_switch=True)]
    for dest in ("args", "globals"):
        cmd = render_command(TEMPLATE, {"a": [True, False], "b": [True, False]}, flags, dest, {})
        found = with_switches([FlagDef("a"), FlagDef("b")], {"a": value, "b": value}, TEMPLATE, cmd)
        assert list(found) == flags


def test_what_is_recorded_stays_and_without_a_command_nothing_is_told() -> None:
    known = FlagDef("a", arg_switch=True, has_arg_switch=True)
    assert with_switches([known], {"a": True}, TEMPLATE, ["python"]) == (known,)
    assert with_switches([FlagDef("a")], {"a": True}, TEMPLATE, []) == (FlagDef("a"),)
    assert with_switches([FlagDef("a")], {"a": True}, ("sh", "run.sh"), ["sh", "run.sh"]) == (FlagDef("a"),)
