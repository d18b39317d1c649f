import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops.found import ImportSpec, merge, wanted
from guild.ops.opdef import Choice, FlagDef, OpDef
from guild.ops.opref import OpRef
from guild.ops.resolve import Context, OpSpec, Provider, Resolved, parse_opspec, resolve

OTHER = OpDef(OpRef("builtin", "guildai", "1", "", "other"), "other", ("other",), "")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "project").mkdir()
    # An interpreter that cannot be started: only what is read is imported.
    return Context(tmp_path / "project", tmp_path / "cache", "/nonexistent/python", {})


@pytest.fixture
def write(context: Context) -> Callable[..., None]:
    def files(guildfile: str, **scripts: str) -> None:
        (context.cwd / "guild.yml").write_text(guildfile)
        for name, text in scripts.items():
            path = context.cwd / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return files


def other(opspec: str, context: Context) -> OpDef | None:
    return OTHER if opspec == "other" else None


def broken(opspec: str, context: Context) -> OpDef | None:
    raise GuildError("broken provider")


def opdef(context: Context, opspec: str | None, providers: Sequence[Provider] = ()) -> OpDef:
    return resolve(opspec, context, providers).opdef


# Opspecs.


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (None, OpSpec()),
        ("", OpSpec()),
        ("train", OpSpec(op="train")),
        ("train.py", OpSpec(op="train.py")),
        (":train", OpSpec(model="", op="train")),
        ("m:train", OpSpec(model="m", op="train")),
        ("p/train", OpSpec("p", op="train")),
        ("p/m:train", OpSpec("p", "m", "train")),
        ("a/b/c.py", OpSpec("a/b", op="c.py")),
    ],
)
def test_an_opspec_names_package_model_and_operation(text: str | None, spec: OpSpec) -> None:
    assert parse_opspec(text) == spec


@pytest.mark.parametrize("text", ["a/b:c:d", "m1:", "p/", "a:b:c", ":"])
def test_what_is_no_opspec_is_invalid(context: Context, text: str) -> None:
    with pytest.raises(OperationNotFound) as e:
        resolve(text, context, [other])
    assert e.value.message == f"invalid operation '{text}'"


# The order.


def test_the_guildfile_comes_before_the_providers(context: Context, write: Callable[..., None]) -> None:
    write("other: {exec: mine}\n")
    assert opdef(context, "other", [broken, other]).cmd_args == ("mine",)


def test_what_the_guildfile_does_not_have_is_looked_for_by_providers_in_order(
    context: Context, write: Callable[..., None]
) -> None:
    write("train: {exec: mine}\n")
    assert opdef(context, "other", [other, broken]) == OTHER
    with pytest.raises(GuildError, match="broken provider"):
        resolve("other", context, [broken, other])


def test_a_provider_may_have_warnings(context: Context) -> None:
    full = Resolved(OTHER, ("careful",), True)
    assert resolve("other", context, [lambda opspec, context: full]) == full


def test_if_nobody_knows_an_operation_the_first_error_is_told(
    context: Context, write: Callable[..., None]
) -> None:
    write("train: {exec: mine}\n")
    with pytest.raises(OperationNotFound, match="operation 'tran' is not defined for this project"):
        resolve("tran", context, [other])


def test_without_a_guildfile_an_operation_cannot_be_found(context: Context) -> None:
    with pytest.raises(OperationNotFound, match="cannot find operation p/m:train"):
        resolve("p/m:train", context, [other])
    with pytest.raises(OperationNotFound, match="cannot find a default operation"):
        resolve(None, context, [broken])


def test_the_default_operation_is_the_guildfiles(context: Context, write: Callable[..., None]) -> None:
    write("train: {exec: mine}\n")
    assert opdef(context, None, [broken]).opspec == "train"


@pytest.mark.parametrize("opspec", ["train", None])
def test_a_broken_guildfile_is_an_error_for_what_no_provider_knows(
    context: Context, write: Callable[..., None], opspec: str | None
) -> None:
    write("train: [\n")
    with pytest.raises(GuildfileError) as e:
        resolve(opspec, context, [other])
    assert e.value.message.startswith(f"error in {context.cwd / 'guild.yml'}: line 2: ")
    assert e.value.hint == f"guildfile in {context.cwd} contains an error"


def test_a_broken_guildfile_is_a_warning_for_what_a_provider_knows(
    context: Context, write: Callable[..., None]
) -> None:
    write("train: [\n")
    resolved = resolve("other", context, [other])
    assert resolved.opdef.opspec == "other"
    assert resolved.warnings[0].startswith(f"error in {context.cwd / 'guild.yml'}: line 2: ")


def test_a_wrong_operation_is_an_error_where_it_is_asked_for(
    context: Context, write: Callable[..., None]
) -> None:
    write("train: {exec: x, tags: {}}\nother: {exec: mine}\n")
    assert opdef(context, "other").cmd_args == ("mine",)
    with pytest.raises(GuildfileError) as e:
        resolve("train", context, [])
    assert e.value.message.startswith(f"error in {context.cwd / 'guild.yml'}:1: train.tags: ")
    assert "contains an error" in e.value.hint


# Flags of the script.


@pytest.mark.parametrize(
    ("attrs", "defaults"),
    [
        ("main: train", {}),
        ("main: train, flags: {x: 5}", {"x": 5}),
        ("main: train, flags: {x: {}, y: {}}", {"x": 1, "y": 2}),
        ("main: train, flags: {x: null}", {"x": None}),
        ("main: train, flags: {new: 3}", {"new": 3}),
        ("main: train, flags-import: all", {"x": 1, "y": 2, "z": 3}),
        ("main: train, flags-import: yes, flags-import-skip: [y]", {"x": 1, "z": 3}),
        ("main: train, flags-import: [y]", {"y": 2}),
        ("main: train, flags-import: [y], flags: {x: {}}", {"x": None, "y": 2}),
        ("main: train, flags-import: all, flags: {z: 4, n: {arg-name: y}}", {"x": 1, "z": 4, "n": None}),
    ],
)
def test_flags_of_the_script_are_merged_in(
    context: Context, write: Callable[..., None], attrs: str, defaults: dict[str, Any]
) -> None:
    write(f"op: {{{attrs}}}\n", train="x = 1\ny = 2\nz = 3\n")
    found = resolve("op", context, [])
    assert {f.name: f.default for f in found.opdef.flags} == defaults
    assert (found.opdef.flags_dest, found.warnings, found.refreshed) == ("globals", (), False)


@pytest.mark.parametrize("no", ["no", "[]"])
def test_without_an_import_the_flags_are_arguments(
    context: Context, write: Callable[..., None], no: str
) -> None:
    write(f"op: {{main: train, flags-import: {no}, flags: {{x: 3}}}}\n", train="x = 1\n")
    found = resolve("op", context, []).opdef
    assert ({f.name: f.default for f in found.flags}, found.flags_dest) == ({"x": 3}, "args")


def test_what_the_guildfile_leaves_out_is_the_scripts() -> None:
    script = FlagDef("x", default=1, description="D", type="int", required=True, choices=(Choice(1),))
    script = replace(script, arg_name="no-x", arg_switch=False, has_arg_switch=True, arg_split=True)

    def merged(said: set[str], **own: Any) -> FlagDef:
        spec = ImportSpec(said={"x": frozenset(said)})
        [flag] = merge([FlagDef("x", **own)], [script, FlagDef("y")], spec)
        return flag

    assert merged(set()) == replace(script, required=False), "a default is there"
    assert merged({"default"}) == replace(script, default=None)
    assert merged({"default"}, default=2) == replace(script, default=2, required=False)
    assert merged({"choices", "type"}) == replace(script, choices=(), type=None, required=False)
    assert merged({"required"}, required=True) == script
    assert merged({"alias"}, alias="a") == replace(script, alias="a", required=False)
    own = merged({"arg_switch"}, arg_switch=True, has_arg_switch=True)
    assert own == replace(script, arg_switch=True, required=False)


def test_whether_flags_are_wanted_at_all() -> None:
    one = [FlagDef("x")]
    assert wanted([], ImportSpec(all=True))
    assert wanted(one, ImportSpec())
    assert wanted([], ImportSpec(names=("x",)))
    assert not wanted([], ImportSpec())
    assert not wanted(one, ImportSpec(names=()))


@pytest.mark.parametrize(
    ("attrs", "dest"),
    [
        ("main: options", "args"),
        ("main: options, flags-import: no, flags: {x: 1}", "args"),
        ("main: clicks", "args:click"),
        ("main: plain", "globals"),
        ("main: plain, flags-dest: 'dict:p'", "dict:p"),
        ("main: guild.pass, flags: {x: 1}, flags-import: all", "args"),
        ("main: http.server 80, flags-import: all", "args"),
        ("main: guild.pass, flags-dest: globals", "globals"),
        ("exec: echo, flags: {x: 1}", "args"),
    ],
)
def test_no_script_is_run_to_know_where_flags_go(
    context: Context, write: Callable[..., None], attrs: str, dest: str
) -> None:
    write(f"op: {{{attrs}}}\n", options="import argparse\n", clicks="import click\n", plain="p = {}\n")
    found = resolve("op", context, [])
    assert (found.opdef.flags_dest, found.warnings) == (dest, ())


def test_a_main_that_is_not_there_is_a_warning_where_flags_are_wanted(
    context: Context, write: Callable[..., None]
) -> None:
    write("op: {main: nope, flags: {x: 1}}\nnone: {main: nope}\n")
    found = resolve("op", context, [])
    assert found.warnings == (f"cannot import flags from nope: no such script in {context.cwd}",)
    assert resolve("none", context, []).warnings == ()
    quiet = replace(context, environ={"NO_WARN_FLAGS_IMPORT": "1"})
    assert resolve("op", quiet, []).warnings == ()


def test_warnings_of_guildfile_and_import_come_together(context: Context, write: Callable[..., None]) -> None:
    write("op: {main: train, flgs: 1, flags-import: all}\n", train="def f(:\n")
    first, second = resolve("op", context, []).warnings
    assert first.startswith("guild.yml: op.flgs: unknown attribute")
    assert second.startswith(f"cannot import flags from {context.cwd / 'train.py'}: line 1: ")


@pytest.mark.parametrize(
    ("attrs", "default"),
    [
        ("main: x", "top"),
        ("main: src/x", "src"),
        ("main: src.x", "src"),
        ("main: x, sourcecode: {root: src}", "src"),
        ("main: x, python-path: src", "src"),
        ("main: x.py", "top"),
    ],
)
def test_the_script_is_looked_for_where_the_run_has_it(
    context: Context, write: Callable[..., None], attrs: str, default: str
) -> None:
    write(f"op: {{{attrs}, flags-import: all}}\n", x="where = 'top'\n", src__x="where = 'src'\n")
    assert [f.default for f in opdef(context, "op").flags] == [default]


def test_arguments_of_main_go_to_the_script_when_it_is_asked_for_its_options(
    context: Context, write: Callable[..., None]
) -> None:
    write(
        "op: {main: train sub --x, flags-import: all}\n",
        train="import argparse, sys\np = argparse.ArgumentParser()\n"
        "p.add_argument('--seen', default=' '.join(sys.argv[1:]))\np.parse_args()\n",
    )
    found = resolve("op", replace(context, python_exe=sys.executable), [])
    assert [(f.name, f.default) for f in found.opdef.flags] == [("seen", "sub --x --help")]
    assert found.refreshed
    # The interpreter cannot be started, so this comes from the cache.
    again = resolve("op", replace(context, python_exe=sys.executable), [])
    assert (again.opdef, again.refreshed) == (found.opdef, False)
