"""What the project says of the flags of a run that does not tell it itself."""

from guild.launch.flag_types import with_types
from guild.ops.opdef import Choice, FlagDef


def test_types_come_from_the_project_and_how_flags_are_passed_from_the_run() -> None:
    recorded = [FlagDef("x", arg_name="the-x", env_name="X"), FlagDef("gone"), FlagDef("old", arg_skip=True)]
    known = [
        FlagDef("x", type="int", min=1, choices=(Choice(1),), arg_name="another"),
        FlagDef("old", type="string"),
        FlagDef("new", type="float"),
    ]
    assert with_types(recorded, known) == (
        FlagDef("x", type="int", min=1, choices=(Choice(1),), arg_name="the-x", env_name="X"),
        FlagDef("gone"),
        FlagDef("old", type="string", arg_skip=True),
    )


def test_a_switch_is_that_of_the_run_unless_it_is_one_that_is_not_recorded() -> None:
    on, off = ({"arg_switch": value, "has_arg_switch": True} for value in (True, False))
    for recorded, known, found in (({}, off, off), ({}, on, {}), (on, off, on), (off, {}, off)):
        (flag,) = with_types([FlagDef("x", **recorded)], [FlagDef("x", **known)])  # type: ignore[arg-type]
        assert flag == FlagDef("x", **found)  # type: ignore[arg-type]
