import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guild.base import yamlio
from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops.found import Found
from guild.ops.guildfile import Guildfile, load_guildfile
from guild.ops.opdef import (
    FLAG_ARGS,
    Choice,
    FlagDef,
    OpDef,
    OptimizerDef,
    ResourceSource,
    SelectRule,
    SourceRules,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guild.yml"


def load(path: Path, text: str) -> Guildfile:
    path.write_text(text)
    return load_guildfile(path)


def op(path: Path, attrs: str, name: str = "op") -> OpDef:
    """The operation of a guildfile with one operation, whose attributes are given as one line of YAML."""
    return load(path, f"{name}: {{{attrs}}}\n").find(None, None).opdef


def fault(path: Path, text: str, model: str | None = None, name: str | None = None) -> str:
    """What is said about an operation that is wrong, or a file that is."""
    with pytest.raises(GuildfileError) as e:
        load(path, text).find(model, name)
    return e.value.message


# Models and names.

MODELS = """
- model: resnet18
  operations:
    train: {main: train, description: "One.\\n\\nMore."}
    _prepare: {main: prepare}
- model: resnet50
  operations:
    train: train50
"""


def test_operations_of_a_mapping_belong_to_no_model(path: Path) -> None:
    guildfile = load(path, "b: {description: Bee, default: yes}\na: run --fast\n_h: {}\n")
    assert [(o.name, o.description, o.default) for o in guildfile.operations()] == [
        ("b", "Bee", True),
        ("a", "", False),
    ]
    assert [o.name for o in guildfile.operations(hidden=True)] == ["b", "a", "_h"]


def test_operations_of_models_show_the_model(path: Path) -> None:
    assert [(o.name, o.description) for o in load(path, MODELS).operations()] == [
        ("resnet18:train", "One."),
        ("resnet50:train", ""),
    ]


def test_the_opref_names_the_file_and_its_digest(path: Path) -> None:
    opref = load(path, MODELS).find("18", "train").opdef.opref
    digest = hashlib.md5(MODELS.encode()).hexdigest()
    assert str(opref) == f"guildfile:{path} {digest} resnet18 train"


@pytest.mark.parametrize(
    ("model", "name", "opspec"),
    [
        ("resnet18", "train", "resnet18:train"),
        ("18", "train", "resnet18:train"),
        ("net50", None, "resnet50:train"),
        ("18", None, "resnet18:train"),
        ("18", "_prepare", "resnet18:_prepare"),
    ],
)
def test_a_part_of_a_model_name_will_do(path: Path, model: str, name: str | None, opspec: str) -> None:
    assert load(path, MODELS).find(model, name).opdef.opspec == opspec


def test_of_several_models_that_match_the_one_called_so_counts(path: Path) -> None:
    text = "- model: net\n  operations: {t: a}\n- model: net2\n  operations: {t: b}\n"
    assert load(path, text).find("net", "t").opdef.opspec == "net:t"


@pytest.mark.parametrize(
    ("model", "name", "said", "hint"),
    [
        ("resnet", "train", "there are multiple models that match 'resnet'", "  resnet50"),
        ("vgg", "train", "cannot find operation vgg:train", "guild operations"),
        ("resnet18", "tran", "operation 'tran' is not defined for model 'resnet18'", "Did you mean 'train'?"),
        ("18", "x", "operation 'x' is not defined for model 'resnet18'", "Try 'guild operations resnet18'"),
        (None, "train", "cannot find operation train", "Did you mean resnet18:train or resnet50:train?"),
        (None, None, "cannot find a default operation", "guild operations"),
    ],
)
def test_what_is_not_there_is_named(path: Path, model: str | None, name: str, said: str, hint: str) -> None:
    with pytest.raises(OperationNotFound) as e:
        load(path, MODELS).find(model, name)
    assert e.value.message == said
    assert hint in e.value.hint


def test_a_model_that_is_the_default_or_without_a_name_needs_none(path: Path) -> None:
    marked = MODELS.replace("resnet50\n", "resnet50\n  default: yes\n")
    assert load(path, marked).find(None, "train").opdef.opspec == "resnet50:train"
    anonymous = MODELS + "- operations: {train: x}\n"
    assert load(path, anonymous).find(None, "train").opdef.opspec == "train"
    assert load(path, anonymous).find("", "train").opdef.opspec == "train"
    assert load(path, marked).find("", "train").opdef.opspec == "resnet50:train"


def test_the_default_operation_is_the_marked_one_else_the_only_visible_one(path: Path) -> None:
    assert load(path, "a: {}\nb: {default: yes}\n").find(None, None).opdef.opspec == "b"
    assert load(path, "a: {}\n_b: {}\n").find(None, None).opdef.opspec == "a"
    with pytest.raises(OperationNotFound, match="a default operation is not defined for this project"):
        load(path, "a: {}\nb: {}\n").find(None, None)


# Commands.


@pytest.mark.parametrize(
    ("command", "is_python"),
    [
        ("${python_exe} -m train", True),
        ("${guild_python_exe} train.py", True),
        ("python train.py", False),
        ("sh -c '${python_exe} train.py'", False),
    ],
)
def test_a_command_of_pythons_is_a_python_program(path: Path, command: str, is_python: bool) -> None:
    opdef = op(path, f'exec: "{command}"')
    assert opdef.is_python == is_python
    assert ("python_script" in opdef.plugins) == is_python


@pytest.mark.parametrize(
    ("attrs", "name", "words"),
    [
        ("main: train", "op", ["train"]),
        ("main: train.py --x 1", "op", ["train", "--x", "1"]),
        ("main: pkg/mod 'a b'", "op", ["pkg/mod", "a b"]),
        ("main: [pkg.mod, a b, 3]", "op", ["pkg.mod", "a b", "3"]),
        ("", "prepare-data.py", ["prepare_data"]),
    ],
)
def test_main_is_a_module_and_its_arguments(path: Path, attrs: str, name: str, words: list[str]) -> None:
    opdef = op(path, attrs, name)
    assert opdef.cmd_args == ("${python_exe}", "-um", "guild.op_main", *words, "--", FLAG_ARGS)
    assert opdef.is_python
    assert opdef.plugins == ("cpu", "disk", "memory", "perf", "python_script")
    assert opdef.project_dir == str(path.parent)


def test_an_operation_that_is_a_text_is_its_main(path: Path) -> None:
    found = load(path, "op: train --x 1\n").find(None, None)
    assert found.opdef.cmd_args[3:6] == ("train", "--x", "1")
    assert found.imports.script == "train"


def test_exec_is_a_command_and_wins_over_main(path: Path) -> None:
    opdef = op(path, "main: train, exec: \"echo 'a b' ${flag_args} ${x}\"")
    assert opdef.cmd_args == ("echo", "a b", FLAG_ARGS, "${x}")
    assert not opdef.is_python
    assert opdef.plugins == ("cpu", "disk", "memory", "perf")
    assert op(path, "exec: echo").cmd_args == ("echo",), "no flags unless they are asked for"


# Attributes.


def test_attributes_of_an_operation_are_read(path: Path) -> None:
    opdef = op(
        path,
        "exec: x, description: D, label: '${x}', tags: a, env: {A: yes, B: 1.5, C: , D: no, E: t}, "
        "env-secrets: [S, T], objective: {maximize: acc}, delete-on-success: yes, pip-freeze: no, "
        "python-requires: '>=3.8', run-attrs: {a: [1]}, handle-keyboard-interrupt: yes, default: yes",
    )
    assert (opdef.description, opdef.label, opdef.tags) == ("D", "${x}", ("a",))
    assert opdef.env == {"A": "1", "B": "1.5", "C": "", "D": "", "E": "t"}
    assert opdef.env_secrets == ("S", "T")
    assert (opdef.objective, opdef.delete_on_success, opdef.pip_freeze) == ("-acc", True, False)
    assert (opdef.python_requires, opdef.run_attrs) == (">=3.8", {"a": [1]})
    assert opdef.handle_keyboard_interrupt
    assert opdef.default


@pytest.mark.parametrize(
    ("attrs", "patterns"),
    [
        ("exec: x", None),
        ("exec: x, output-scalars: no", []),
        ("exec: x, output-scalars: {a: b}", [{"a": "b"}]),
    ],
)
def test_output_scalars_are_the_defaults_none_or_patterns(path: Path, attrs: str, patterns: Any) -> None:
    assert op(path, attrs).output_scalars == patterns


def test_the_interpreter_that_a_model_requires_holds_for_its_operations(path: Path) -> None:
    text = "- model: m\n  python-requires: '>=3.9'\n  operations: {a: x, b: {python-requires: '>=3.11'}}\n"
    guildfile = load(path, text)
    assert guildfile.find("m", "a").opdef.python_requires == ">=3.9"
    assert guildfile.find("m", "b").opdef.python_requires == ">=3.11"


def test_attributes_of_guilds_own_are_not_set_by_an_operation(path: Path) -> None:
    found = load(path, "op: {run-attrs: {id: 1, mine: 2}}\n").find(None, None)
    assert found.opdef.run_attrs == {"mine": 2}
    assert ["'id' is an attribute of Guild's own" in w for w in found.warnings] == [True]


# Flags.


def flag(path: Path, data: str) -> FlagDef:
    return op(path, f"main: x, flags: {{f: {data}}}").flags[0]


@pytest.mark.parametrize("value", ["1", "1.5", "text", "yes", "null", "[1, 2]", "2020-01-01"])
def test_a_bare_value_is_the_default_of_a_flag(path: Path, value: str) -> None:
    assert flag(path, value) == FlagDef("f", default=yamlio.load(value))


def test_attributes_of_a_flag_are_read(path: Path) -> None:
    assert flag(
        path,
        "{default: 1, description: D, type: int, required: yes, allow-other: yes, min: 0, max: 2.5, "
        "alias: g, arg-name: h, arg-skip: no, arg-switch: no, arg-split: ',', arg-encoding: {yes: t, b: 2}, "
        "env-encoding: {1: one}, env-name: N, null-label: none, distribution: log-uniform, mine: 1}",
    ) == FlagDef(
        "f",
        default=1,
        description="D",
        type="int",
        required=True,
        allow_other=True,
        min=0,
        max=2.5,
        alias="g",
        arg_name="h",
        arg_skip=False,
        arg_switch=False,
        has_arg_switch=True,
        arg_split=",",
        arg_encoding={"yes": "t", "b": "2"},
        env_encoding={"1": "one"},
        env_name="N",
        null_label="none",
        distribution="log-uniform",
        extra={"mine": 1},
    )


def test_choices_are_values_or_say_more(path: Path) -> None:
    text = "{choices: [1, {value: b, description: D, alias: c, flags: {x: 1}}]}"
    assert flag(path, text).choices == (Choice(1), Choice("b", "D", "c", {"x": 1}))


def test_flags_may_be_no_arguments_unless_they_say_so(path: Path) -> None:
    flags = op(path, "default-flag-arg-skip: yes, flags: {a: 1, b: {arg-skip: no}}").flags
    assert [f.arg_skip for f in flags] == [True, False]


def found(path: Path, attrs: str) -> Found:
    return load(path, f"op: {{main: x, {attrs}}}\n").find(None, None)


@pytest.mark.parametrize(
    ("attrs", "all_flags", "names"),
    [
        ("flags: {a: 1}", False, None),
        ("flags-import: all", True, ()),
        ("flags-import: yes", True, ()),
        ("flags-import: no", False, ()),
        ("flags-import: [a, b]", False, ("a", "b")),
    ],
)
def test_which_flags_to_import(path: Path, attrs: str, all_flags: bool, names: Any) -> None:
    spec = found(path, f"flags-import-skip: s, python-path: lib, {attrs}").imports
    assert (spec.all, spec.names, spec.skip, spec.python_path) == (all_flags, names, ("s",), ("lib",))


@pytest.mark.parametrize(
    "dest", ["args", "args:click", "globals", "global:p", "dict:p", "namespace:p", "none"]
)
def test_where_flags_go_may_be_said(path: Path, dest: str) -> None:
    assert found(path, f"flags-dest: '{dest}'").imports.dest == dest
    assert found(path, "tags: a").imports.dest is None


# Source code.

ALL_OUT = SelectRule(False, "*")
SOURCES = [
    ("no", SourceRules(disabled=True)),
    ("[]", SourceRules(disabled=True)),
    ("yes", SourceRules()),
    ("'*.py'", SourceRules(rules=(ALL_OUT, SelectRule(True, "*.py")))),
    ("[a, b]", SourceRules(rules=(ALL_OUT, SelectRule(True, "a"), SelectRule(True, "b")))),
    ("[exclude: a, include: b]", SourceRules(rules=(SelectRule(False, "a"), SelectRule(True, "b")))),
    ("{exclude: [a, b]}", SourceRules(rules=(SelectRule(False, "a"), SelectRule(False, "b")))),
    ("[exclude: {dir: [a]}]", SourceRules(rules=(SelectRule(False, "a", "dir"),))),
    ("{root: src, dest: code}", SourceRules(root="src", dest="code")),
    ("{root: .., select: a}", SourceRules(root="..", rules=(ALL_OUT, SelectRule(True, "a")))),
    ("{select: no}", SourceRules(disabled=True)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "rules"), SOURCES)
def test_source_code_rules(path: Path, spec: str, rules: SourceRules) -> None:
    assert op(path, f"main: x, sourcecode: {spec}").sourcecode == rules


def test_rules_of_a_model_come_before_those_of_the_operation(path: Path) -> None:
    text = (
        "- model: m\n  sourcecode: {root: src, select: [exclude: a]}\n"
        "  operations: {x: {sourcecode: [include: b]}, y: {}, z: {sourcecode: no}}\n"
    )
    guildfile = load(path, text)
    both = (SelectRule(False, "a"), SelectRule(True, "b"))
    assert guildfile.find("m", "x").opdef.sourcecode == SourceRules(root="src", rules=both)
    assert guildfile.find("m", "y").opdef.sourcecode == SourceRules(root="src", rules=both[:1])
    assert guildfile.find("m", "z").opdef.sourcecode.disabled


def test_an_operation_may_take_some_where_its_model_takes_nothing(path: Path) -> None:
    text = "- model: m\n  sourcecode: no\n  operations: {x: {sourcecode: [include: b]}}\n"
    rules = load(path, text).find("m", "x").opdef.sourcecode
    assert rules == SourceRules(rules=(ALL_OUT, SelectRule(True, "b")))


# What is wrong.


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("train: [\n", "{path}: line 2: "),
        ("train:\n\tmain: x\n", "{path}: line 2: "),
        ("3\n", "{path}: expected a mapping of operations or a list, got int 3"),
        ("- foo: 1\n", "{path}:1: item 1: expected one of model, config, package, include"),
        ("- just\n", "{path}:1: item 1: expected a mapping"),
        ("- model: a\n- model: a\n", "{path}:2: item 2: duplicate model 'a'"),
        ("- model: [a]\n", "{path}:1: item 1.model: expected a text"),
        ("- {model: a, config: b}\n", "{path}:1: item 1: expected one of"),
        ("- model: a\n  operations: 3\n", "{path}:2: a.operations: expected a mapping"),
        ("a: !!python/object:os.system {}\n", "{path}: line 1: "),
    ],
)
def test_a_file_of_the_wrong_form_is_refused_with_its_line(path: Path, text: str, at: str) -> None:
    with pytest.raises(GuildfileError) as e:
        load(path, text)
    assert e.value.message.startswith(f"error in {at.format(path=path)}")


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"train: \xff\xfe\x00\n")
    with pytest.raises(GuildfileError, match=f"error in {path}"):
        load_guildfile(path)


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    with pytest.raises(GuildfileError, match=f"error in {path}: No such file"):
        load_guildfile(path)


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ("flags: 3", "flags: expected a mapping, got int 3"),
        ("flags: {x: {type: foo}}", "flags.x.type: expected one of string, int, "),
        ("flags: {x: {type: strin}}", "(did you mean 'string'?)"),
        ("flags: {on: 3}", "flags: expected a text for a name, got bool True (put it in quotes)"),
        ("flags: {x: {min: a}}", "flags.x.min: expected a number, got str 'a'"),
        ("flags: {x: {required: 1}}", "flags.x.required: expected yes or no, got int 1"),
        ("flags: {x: {choices: a}}", "flags.x.choices: expected a list"),
        ("flags: {x: {choices: [{name: a}]}}", "flags.x.choices.item 1: expected 'value'"),
        ("flags: {x: {choices: [{value: 1, flags: 2}]}}", "flags.x.choices.item 1.flags: expected a mapping"),
        ("flags: {x: {arg-encoding: 1}}", "flags.x.arg-encoding: expected a mapping"),
        ("flags: {x: {arg-split: [a]}}", "flags.x.arg-split: expected a text"),
        ("flags-import: 3", "flags-import: expected yes, all, no, or a list"),
        ("flags-dest: nowhere", "flags-dest: expected one of args, "),
        ("tags: {a: 1}", "tags: expected a text"),
        ("env: 4", "env: expected a mapping"),
        ("env: {A: [1]}", "env: expected a text"),
        ("main: {a: 1}", "main: expected a text"),
        ("main: ''", "main: the command is empty"),
        ("exec: ''", "exec: the command is empty"),
        ('exec: "echo \'a"', "exec: cannot be split into words"),
        ("default: 1", "default: expected yes or no"),
        ("objective: {most: a}", "objective: expected a text, or one of"),
        ("sourcecode: {foo: 1}", "sourcecode: expected one of root, dest"),
        ("sourcecode: [foo: 1]", "sourcecode.item 1: expected include or exclude"),
        ("sourcecode: [include: {any: a}]", "sourcecode.item 1: expected a pattern"),
        ("run-attrs: 3", "run-attrs: expected a mapping"),
        ("optimizers: [b]\n  optimizer: a", "optimizers: 'optimizer' and 'optimizers' cannot both"),
        ("optimizers: [{x: 1}]", "optimizers.item 1: expected an 'algorithm'"),
        ("optimizers: {a: {default: yes}, b: {default: yes}}", "optimizers: only one can be the default"),
        ("default-max-trials: 0", "default-max-trials: expected a whole number from 1"),
        ("compare: {a: 1}", "compare: expected a text"),
    ],
)
def test_a_wrong_attribute_is_named_with_its_line(path: Path, attrs: str, said: str) -> None:
    text = f"good: x\nop:\n  label: l\n  {attrs}\n"
    message = fault(path, text, name="op")
    assert message.startswith(f"error in {path}:4: op.")
    assert said in message
    assert load_guildfile(path).find(None, "good").opdef.opspec == "good", "the others can be used"


def test_all_faults_of_an_operation_are_told_at_once(path: Path) -> None:
    text = "- model: m\n  operations:\n    op:\n      tags: {}\n      flags:\n        x: {min: a}\n"
    assert fault(path, text, "m", "op").splitlines() == [
        f"error in {path}:6: m.operations.op.flags.x.min: expected a number, got str 'a'",
        f"error in {path}:4: m.operations.op.tags: expected a text, got dict {{}}",
    ]


@pytest.mark.parametrize(("data", "said"), [("3", "int 3"), ("", "nothing"), ("[a]", "list ['a']")])
def test_an_operation_of_the_wrong_form_leaves_the_others_alone(path: Path, data: str, said: str) -> None:
    text = f"a: x\ntrain: {data}\n"
    expected = f"error in {path}:2: train: expected a text or a mapping, got {said}"
    assert fault(path, text, name="train") == expected
    assert load_guildfile(path).find(None, "a").opdef.opspec == "a"
    listed, _ = load_guildfile(path).check()
    assert [(o.name, o.fault) for o in listed] == [("a", ""), ("train", expected)]


def test_a_notebook_is_refused_when_it_is_to_be_run(path: Path) -> None:
    guildfile = load(path, "op: {notebook: x.ipynb}\nother: {}\n")
    assert [o.name for o in guildfile.operations()] == ["op", "other"]
    with pytest.raises(GuildError, match=r"guild.yml: op.notebook: notebooks need a plugin"):
        guildfile.find(None, "op")


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ("main: x, steps: [a]", ["guild.yml: op.steps: 'steps' has no effect beside 'main'"]),
        (
            "main: x, steps: [a], exec: y",
            [
                "guild.yml: op.main: 'main' has no effect beside 'exec'",
                "guild.yml: op.steps: 'steps' has no effect beside 'exec'",
            ],
        ),
        ("main: x, steps: , exec: ", []),
    ],
)
def test_exec_wins_over_main_which_wins_over_steps(path: Path, attrs: str, said: list[str]) -> None:
    found = load(path, f"op: {{{attrs}}}\n").find(None, None)
    assert list(found.warnings) == said
    assert found.opdef.steps == ()
    assert found.opdef.is_python == ("exec: y" not in attrs)


def test_an_operation_of_steps_runs_them(path: Path) -> None:
    opdef = (
        load(path, "op: {steps: [a x=1, run: b], flags: {f: 1}, sourcecode: '*.py'}\n").find(None, None).opdef
    )
    assert opdef.cmd_args == ("${guild_python_exe}", "-um", "guild.steps_main")
    assert [s.opspec for s in opdef.steps] == ["a", "b"]
    assert opdef.steps_attr == ("a x=1", {"run": "b"})
    assert (opdef.is_python, opdef.sourcecode.disabled, opdef.flags_dest) == (False, True, "args")
    assert [f.name for f in opdef.flags] == ["f"]


def test_a_config_file_for_flags_is_a_dependency(path: Path) -> None:
    found = load(path, "op: {flags-dest: 'config:sub/c.yml'}\n").find(None, None)
    assert found.imports.dest == "config:sub/c.yml"
    [dependency] = found.opdef.requires
    assert (dependency.name, dependency.location) == ("config:sub/c.yml", str(path.parent))
    assert dependency.sources == (
        ResourceSource("config", "sub/c.yml", replace_existing=True, always_resolve=True),
    )


@pytest.mark.parametrize(
    ("attrs", "optimizers"),
    [
        ("optimizer: gp", [OptimizerDef("gp", "gp", default=True)]),
        ("optimizer: {algorithm: gp, x: 1}", [OptimizerDef("gp", "gp", {"x": 1}, True)]),
        ("optimizers: [gp, b]", [OptimizerDef("gp", "gp"), OptimizerDef("b", "b")]),
        (
            "optimizers: {a: gp, b: {x: 1, default: yes}, c: {algorithm: d}, e: }",
            [
                OptimizerDef("a", "gp"),
                OptimizerDef("b", "b", {"x": 1}, True),
                OptimizerDef("c", "d"),
                OptimizerDef("e", "e"),
            ],
        ),
        ("optimizers: [{algorithm: gp, default: yes}]", [OptimizerDef("gp", "gp", default=True)]),
    ],
)
def test_optimizers_are_names_or_say_more(path: Path, attrs: str, optimizers: list[OptimizerDef]) -> None:
    assert list(op(path, attrs).optimizers) == optimizers


def test_attributes_for_batches_and_lists_are_read(path: Path) -> None:
    opdef = op(path, "default-max-trials: 7, can-stage-trials: yes, compare: [loss], references: [a, b]")
    assert (opdef.default_max_trials, opdef.can_stage_trials) == (7, True)
    assert (opdef.compare, opdef.references) == (("loss",), ("a", "b"))


def test_attributes_that_nobody_knows_give_a_warning(path: Path) -> None:
    guildfile = load(
        path,
        "- model: m\n  descripton: D\n  operations:\n    a: {flgs: {}, flags: {x: {defualt: 1, size: 1}}}\n"
        "    b: {colour: red}\n",
    )
    of_a = (
        "guild.yml: m.descripton: unknown attribute 'descripton' (did you mean 'description'?)",
        "guild.yml: m.operations.a.flgs: unknown attribute 'flgs' (did you mean 'flags'?)",
        "guild.yml: m.operations.a.flags.x.defualt: unknown attribute 'defualt' (did you mean 'default'?)",
    )
    assert guildfile.find("m", "a").warnings == of_a
    assert guildfile.check()[1] == (*of_a, "guild.yml: m.operations.b.colour: unknown attribute 'colour'")


def test_an_operation_may_be_called_like_an_item(path: Path) -> None:
    names = ["model", "include", "config", "package"]
    guildfile = load(path, "".join(f"{name}: {{main: x}}\n" for name in names))
    assert [o.name for o in guildfile.operations()] == names


def test_an_empty_file_has_no_operations(path: Path) -> None:
    assert load(path, "").operations() == []
    assert load(path, "[]\n").operations() == []


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("ab$:{}.* -", max_size=5))
WORDS = """main exec flags sourcecode env tags x type choices value default model operations run-attrs
    objective include exclude root select steps flags-import label description min arg-split flags-dest
    $include extends params operation-defaults config requires resources optimizer optimizers algorithm
    notebook references extra compare package"""
NAMES = st.sampled_from(WORDS.split())
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=DATA)
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "guild.yml"
    path.write_bytes(yamlio.encode(data))
    try:
        guildfile = load_guildfile(path)
    except GuildfileError:
        return
    assert all(isinstance(text, str) for text in guildfile.check()[1])
    for summary in guildfile.operations(hidden=True):
        model, _, name = summary.name.rpartition(":")
        try:
            assert guildfile.find(model or None, name or None).opdef.cmd_args
        except GuildError:
            pass  # anything else is a fault of the reader


def test_an_operation_whose_name_is_no_text_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "guild.yml"
    path.write_text("ok: show\n1.5: show\nyes: show\n")
    found = load_guildfile(path)
    assert [op.name for op in found.operations()] == ["ok"]
    assert found.find(None, "ok").opdef.name == "ok"
    warnings = found.check()[1]
    assert [w.partition(", got ")[2] for w in warnings] == [
        "float 1.5 (put it in quotes); left out", "bool True (put it in quotes); left out",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "a:b", "a=b", "@a", ""])
def test_an_operation_that_cannot_be_named_is_pointed_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "guild.yml"
    path.write_text(f"'{name}': show\nok: show\n")
    faults = {op.name: op.fault for op in load_guildfile(path).check()[0]}
    assert faults["ok"] == ""
    assert "cannot be run, since its name" in faults[name]


@pytest.mark.parametrize("dest", [".guild/attrs", "..", "/tmp", "a/../.."])
def test_source_code_stays_below_the_run_directory_and_out_of_guilds_files(tmp_path: Path, dest: str) -> None:
    path = tmp_path / "guild.yml"
    path.write_text(f"a: {{main: show, sourcecode: {{dest: {dest}}}}}\n")
    with pytest.raises(GuildfileError, match="expected a directory below the run directory"):
        load_guildfile(path).find(None, "a")
