"""Inheritance in guildfiles, through files as users write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildfileError
from guild.ops.found import Found
from guild.ops.guildfile import Guildfile, load_guildfile
from guild.ops.opdef import FlagDef
from guild.ops.trees import filled, merge, place_of, plain, tree_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guild.yml"


def load(path: Path, text: str, **others: str) -> Guildfile:
    path.write_text(text)
    for name, content in others.items():
        (path.parent / f"{name}.yml").write_text(content)
    return load_guildfile(path)


def find(path: Path, text: str, model: str | None = None, op: str | None = None) -> Found:
    return load(path, text).find(model, op)


def defaults(found: Found) -> dict[str, Any]:
    return {f.name: f.default for f in found.opdef.flags}


def fault(guildfile: Guildfile, model: str | None = None, op: str | None = None) -> str:
    with pytest.raises(GuildfileError) as e:
        guildfile.find(model, op)
    return e.value.message


# `extends`.

BASES = """
- config: base
  operations:
    train:
      main: train
      description: of base
      tags: [a, b]
      env: {A: 1, B: 1}
      flags: {x: {default: 1, description: X}, y: 2, z: 3}
    _test: test
- config: other
  description: of other
  operations:
    train: {description: of other, label: of other, env: {C: 1}}
"""


def test_a_model_has_the_operations_that_it_extends_and_its_own_attributes_prevail(path: Path) -> None:
    text = BASES + (
        "- model: m\n  extends: base\n  operations:\n    more: x\n"
        "    train: {tags: c, env: {B: 2}, flags: {x: 5, y: {min: 0}, w: 4}}\n"
    )
    guildfile = load(path, text)
    assert [o.name for o in guildfile.operations(hidden=True)] == ["m:train", "m:_test", "m:more"]
    opdef = guildfile.find("m", "train").opdef
    assert (opdef.description, opdef.tags, opdef.env) == ("of base", ("c",), {"A": "1", "B": "2"})
    assert opdef.cmd_args[3] == "train"
    assert opdef.flags == (
        FlagDef("x", default=5, description="X"),
        FlagDef("y", default=2, min=0),
        FlagDef("z", default=3),
        FlagDef("w", default=4),
    )


def test_of_several_parents_the_first_prevails(path: Path) -> None:
    text = BASES + "- model: m\n  extends: [base, other]\n"
    guildfile = load(path, text)
    opdef = guildfile.find("m", "train").opdef
    assert (opdef.description, opdef.label) == ("of base", "of other")
    assert opdef.env == {"A": "1", "B": "1", "C": "1"}
    assert [m.description for m in guildfile.models] == ["of other"]


def test_models_extend_models_and_configs_extend_configs(path: Path) -> None:
    text = (
        "- config: c\n  extends: base\n- model: a\n  extends: c\n  default: yes\n"
        "- model: b\n  extends: a\n  operations: {train: {label: b}}\n"
    )
    guildfile = load(path, BASES + text)
    assert guildfile.find("b", "train").opdef.label == "b"
    assert guildfile.find("b", "train").opdef.description == "of base"
    assert guildfile.find(None, "train").opdef.opspec == "a:train", "being the default is not inherited"


def test_a_model_may_extend_a_config_of_its_name(path: Path) -> None:
    text = "- config: m\n  operations: {a: x}\n- model: m\n  extends: m\n"
    assert find(path, text, "m", "a").opdef.opspec == "m:a"


def test_resources_sourcecode_and_references_are_inherited(path: Path) -> None:
    text = (
        "- config: c\n  resources: {data: [file: d.txt]}\n  sourcecode: {root: src}\n  references: [r]\n"
        "- model: m\n  extends: c\n  sourcecode: {dest: code}\n  operations: {a: {requires: data}}\n"
    )
    guildfile = load(path, text)
    opdef = guildfile.find("m", "a").opdef
    assert (opdef.sourcecode.root, opdef.sourcecode.dest) == ("src", "code")
    assert guildfile.models[0].references == ("r",)
    assert [d.name for d in opdef.requires] == ["data"]


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("bas", ":13: m.extends: no model or config 'bas' (did you mean 'base'?)"),
        ("pkg/model", ":13: m.extends: 'pkg/model' is of a package, and packages are not supported"),
        ("[3]", ":13: m.extends: expected a name, got int 3"),
        ("m", ":13: m.extends: a circle of 'extends' (m -> m)"),
    ],
)
def test_what_cannot_be_extended_breaks_that_model_alone(path: Path, extends: str, said: str) -> None:
    text = (
        "- config: base\n  operations:\n    train: train\n\n\n- model: good\n  extends: base\n\n\n\n\n"
        f"- model: m\n  extends: {extends}\n  operations: {{a: x}}\n"
    )
    guildfile = load(path, text)
    assert said in fault(guildfile, "m", "a")
    assert guildfile.find("good", "train").opdef.opspec == "good:train"
    assert [(o.name, bool(o.fault)) for o in guildfile.check()[0]] == [("good:train", False), ("m:a", True)]


def test_a_circle_of_extends_names_the_chain(path: Path) -> None:
    text = (
        "- {config: a, extends: b}\n- {config: b, extends: a}\n- {model: m, extends: a, operations: {o: x}}\n"
    )
    assert fault(load(path, text), "m", "o").endswith(
        "guild.yml:2: b.extends: a circle of 'extends' (a -> b -> a)"
    )


# `params`.


def test_parameters_are_filled_in_and_keep_their_type_where_they_stand_alone(path: Path) -> None:
    text = (
        "- config: c\n  params: {n: 1, s: '1', l: [1, 2], t: yes, nest: '{{ s }}{{n}}', none: }\n"
        "  operations:\n    op:\n      exec: echo '{{ l }}' {{ gone }}\n      description: d {{ n }}\n"
        "      flags: {n: '{{ n }}', s: '{{s}}', l: '{{ l }}', t: '{{ t }}', nest: '{{ nest }}',"
        " nul: '{{ none }}', text: 'a{{ n }}', list: ['{{ n }}', {a: '{{ t }}'}], '{{ n }}': key}\n"
        "- model: m\n  extends: c\n  params: {n: 2}\n"
    )
    found = find(path, text, "m", "op")
    assert found.opdef.cmd_args == ("echo", "[1, 2]", "{{", "gone", "}}")
    assert found.opdef.description == "d 2"
    assert defaults(found) == {
        "n": 2, "s": "1", "l": [1, 2], "t": True, "nest": "12", "nul": None, "text": "a2",
        "list": [2, {"a": True}], "{{ n }}": "key",
    }  # fmt: skip


def test_parameters_that_hold_each_other_are_a_fault(path: Path) -> None:
    text = "- model: m\n  params: {a: 'x{{ b }}', b: '{{ a }}'}\n  operations: {o: x}\n"
    assert ":2: m.params: these parameters hold each other" in fault(load(path, text), "m", "o")


def test_parameters_that_are_no_mapping_are_a_fault(path: Path) -> None:
    text = "- model: m\n  params: [a]\n  operations: {o: x}\n"
    assert ":2: m.params: expected a mapping, got list" in fault(load(path, text), "m", "o")


# `operation-defaults`.


def test_defaults_hold_for_operations_that_do_not_say_otherwise(path: Path) -> None:
    text = (
        "- config: c\n  operation-defaults: {label: L, env: {A: 1}, flags: {x: 1}}\n"
        "- model: m\n  extends: c\n  operation-defaults: {env: {B: 2}}\n"
        "  operations: {a: train, b: {env: {A: 3}, flags: {y: 2}}}\n"
    )
    guildfile = load(path, text)
    a, b = guildfile.find("m", "a"), guildfile.find("m", "b")
    assert (a.opdef.label, a.opdef.env, defaults(a)) == ("L", {"A": "1", "B": "2"}, {"x": 1})
    assert (b.opdef.label, b.opdef.env, defaults(b)) == ("L", {"A": "3"}, {"y": 2})
    assert a.opdef.cmd_args[3] == "train"


def test_defaults_that_are_no_mapping_are_a_fault(path: Path) -> None:
    text = "- model: m\n  operation-defaults: 3\n  operations: {o: x}\n"
    assert ":2: m.operation-defaults: expected a mapping" in fault(load(path, text), "m", "o")


# `$include`.

SHARED = """
- config: c
  params: {q: of-config}
  flags: {lr: {default: 1, description: 'LR {{ q }}'}, bs: 2, n: 3}
  operations:
    one: {exec: one, description: One}
    two: {exec: two}
- config: d
  flags: {lr: 10, $include: c#n}
- model: m
  operations:
    x: {exec: x, flags: {a: 1, b: {default: 2}}}
"""


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("{$include: c}", {"lr": 1, "bs": 2, "n": 3}),
        ("{$include: 'c#bs,n', z: 0}", {"bs": 2, "n": 3, "z": 0}),
        ("{$include: 'm:x'}", {"a": 1, "b": 2}),
        ("{$include: 'm:x#b'}", {"b": 2}),
        ("{$include: ['m:x#a', 'c#lr'], lr: 9}", {"a": 1, "lr": 9}),
        ("{$include: [c, d]}", {"lr": 10, "bs": 2, "n": 3}),
        ("{$include: [d, c]}", {"n": 3, "lr": 1, "bs": 2}),
        ("{$include: ':o2'}", {"n": 3}),
        ("{$include: }", {}),
    ],
)
def test_flags_are_included(path: Path, flags: str, expected: dict[str, Any]) -> None:
    text = (
        SHARED
        + f"- operations:\n    o: {{exec: o, flags: {flags}}}\n"
        + "    o2: {exec: o, flags: {$include: d#n}}\n"
    )
    assert defaults(find(path, text, None, "o")) == expected


def test_included_flags_are_completed_and_filled_in(path: Path) -> None:
    text = (
        SHARED
        + "- model: n\n  params: {q: mine}\n  operations: {o: {flags: {$include: c, lr: 5, bs: {min: 1}}}}\n"
    )
    flags = find(path, text, "n", "o").opdef.flags
    assert flags[0] == FlagDef("lr", default=5, description="LR mine")
    assert flags[1] == FlagDef("bs", default=2, min=1)
    text = SHARED + "- operations: {o: {flags: {$include: c}}}\n"
    assert find(path, text, None, "o").opdef.flags[0].description == "LR of-config"


def test_includes_of_flags_add_up_along_extends(path: Path) -> None:
    text = SHARED + (
        "- config: p\n  operations: {o: {flags: {$include: 'c#bs'}}}\n"
        "- model: n\n  extends: p\n  operations: {o: {flags: {$include: 'm:x#a'}}}\n"
    )
    assert defaults(find(path, text, "n", "o")) == {"bs": 2, "a": 1}


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ("c", ["one", "two", "own"]),
        ("'c#two'", ["two", "own"]),
        ("'m:x'", ["x", "own"]),
        ("['m:x', c#one]", ["x", "one", "own"]),
        ("m", ["x", "own"]),
    ],
)
def test_operations_are_included(path: Path, include: str, names: list[str]) -> None:
    text = SHARED + f"- model: n\n  operations:\n    $include: {include}\n    own: x\n"
    assert [o.name for o in load(path, text).operations() if o.name.startswith("n:")] == [
        f"n:{n}" for n in names
    ]


def test_an_included_operation_is_completed(path: Path) -> None:
    text = SHARED + "- model: n\n  operations:\n    $include: c#one\n    one: {label: L}\n"
    opdef = find(path, text, "n", "one").opdef
    assert (opdef.description, opdef.label, opdef.cmd_args) == ("One", "L", ("one",))


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("cc", "no model or config 'cc'"),
        ("o", "no model or config 'o' (did you mean 'n:o'?)"),
        ("k:x", "no model 'k'"),
        ("'m:y'", "no operation 'y' in model 'm'"),
        ("'c#lr,ba'", "'c#lr,ba': no flag 'ba'"),
        ("3", "expected CONFIG, CONFIG#NAME,... or MODEL:OPERATION, got int 3"),
        ("'a:b:c'", "expected CONFIG"),
        ("'n:o'", "a circle of '$include' (n:o -> n:o)"),
        ("'n:p'", "a circle of '$include' (n:o -> n:p -> n:o)"),
    ],
)
def test_flags_that_cannot_be_included_break_that_operation_alone(
    path: Path, include: str, said: str
) -> None:
    text = (
        f"- model: n\n  operations:\n    o:\n      flags:\n        $include: {include}\n"
        "    good: x\n    p: {flags: {$include: 'n:o'}}\n" + SHARED
    )
    guildfile = load(path, text)
    message = fault(guildfile, "n", "o")
    at = "7: n.operations.p" if ":p" in include else "5: n.operations.o"
    assert f"guild.yml:{at}.flags.$include: {said}" in message
    assert guildfile.find("n", "good").opdef.opspec == "n:good"


def test_operations_that_cannot_be_included_break_that_model_alone(path: Path) -> None:
    text = SHARED + "- model: n\n  operations:\n    $include: [c#on, zz]\n    o: x\n"
    guildfile = load(path, text)
    said = fault(guildfile, "n", "o").splitlines()
    assert "n.operations.$include: 'c#on': no operation 'on' (did you mean 'one'?)" in said[0]
    assert "no model or config 'zz'" in said[1]
    assert guildfile.find("m", "x").opdef.opspec == "m:x"


# `include`.


def test_items_of_included_files_stand_in_their_place(path: Path) -> None:
    (path.parent / "sub").mkdir()
    (path.parent / "sub" / "inc.yml").write_text("- include: more.yml\n- model: b\n  operations: {t: x}\n")
    (path.parent / "sub" / "more.yml").write_text("plain: {exec: echo, sourcecode: {root: src}}\n")
    guildfile = load(path, "- include: sub/inc.yml\n- model: a\n  extends: b\n- include: [sub/more.yml]\n")
    assert [o.name for o in guildfile.operations()] == ["plain", "b:t", "a:t"]
    assert guildfile.find(None, "plain").opdef.project_dir == str(path.parent)


def test_a_config_may_be_included_from_another_file(path: Path) -> None:
    guildfile = load(
        path,
        "- include: shared.yml\n- model: a\n  extends: c\n",
        shared="- config: c\n  operations: {o: {flags: {x: 1}}}\n",
    )
    assert defaults(guildfile.find("a", "o")) == {"x": 1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.yml", "cannot include 'gone.yml': no such file"),
        ("pkg.mod", "(a module cannot be included)"),
        ("gpkg.mnist", "packages are not supported"),
        ("sub", "which is a directory"),
        ("{a: 1}", "expected a text"),
        ("guild.yml", "a circle of 'include'"),
    ],
)
def test_what_cannot_be_included_fails_the_file(path: Path, name: str, said: str) -> None:
    (path.parent / "sub").mkdir()
    with pytest.raises(GuildfileError) as e:
        load(path, f"- operations: {{a: x}}\n- include: {name}\n")
    assert e.value.message.startswith(f"error in {path}:2: item 2.include: ")
    assert said in e.value.message


def test_a_circle_of_includes_names_the_chain(path: Path) -> None:
    with pytest.raises(GuildfileError) as e:
        load(path, "- include: a.yml\n", a="- include: b.yml\n", b="- include: a.yml\n")
    a, b = path.parent / "a.yml", path.parent / "b.yml"
    assert e.value.message == f"error in {b}:1: item 1.include: a circle of 'include' ({a} -> {b} -> {a})"


def test_all_that_is_wrong_with_the_form_of_several_files_is_told(path: Path) -> None:
    with pytest.raises(GuildfileError) as e:
        load(path, "- include: a.yml\n- foo: 1\n", a="- bar: 1\n- model: [x]\n")
    assert [line.partition(": ")[0] for line in e.value.message.splitlines()] == [
        f"error in {path.parent}/a.yml:1", f"error in {path.parent}/a.yml:2", f"error in {path}:2",
    ]  # fmt: skip


def test_a_model_that_an_included_file_has_too_is_a_fault(path: Path) -> None:
    with pytest.raises(GuildfileError, match=r"guild.yml:2: m: duplicate model 'm', which is in .*a.yml"):
        load(path, "- include: a.yml\n- model: m\n", a="- model: m\n")


# Where things stand.


def test_faults_and_warnings_name_the_place_where_they_stand(path: Path) -> None:
    guildfile = load(
        path,
        "- include: inc.yml\n- model: m\n  extends: c\n  operations:\n    o:\n"
        "      flags:\n        x: {max: a}\n",
        inc="\n\n- config: c\n  operations:\n    o:\n      flgs: 1\n      tags: {}\n"
        "      flags: {x: {min: a}}\n    p: {lable: x}\n",
    )
    assert fault(guildfile, "m", "o").splitlines() == [
        f"error in {path.parent}/inc.yml:8: c.operations.o.flags.x.min: expected a number, got str 'a'",
        f"error in {path}:7: m.operations.o.flags.x.max: expected a number, got str 'a'",
        f"error in {path.parent}/inc.yml:7: c.operations.o.tags: expected a text, got dict {{}}",
    ]
    said = "inc.yml: c.operations.p.lable: unknown attribute 'lable' (did you mean 'label'?)"
    assert guildfile.find("m", "p").warnings == (said,)


def test_a_fault_of_an_inherited_resource_names_its_place_and_leaves_other_operations_alone(
    path: Path,
) -> None:
    text = (
        "- config: c\n  resources:\n    data: [{}]\n- model: m\n  extends: c\n"
        "  operations: {a: {requires: data}, b: x, d: {requires: gone}}\n"
    )
    guildfile = load(path, text)
    assert f"error in {path}:3: c.resources.data" in fault(guildfile, "m", "a")
    assert f"error in {path}:6: m.operations.d.requires" in fault(guildfile, "m", "d")
    assert guildfile.find("m", "b").opdef.opspec == "m:b"


def test_a_resource_of_another_model_is_found(path: Path) -> None:
    text = (
        "- model: a\n  resources: {data: [file: a.txt]}\n"
        "- model: b\n  operations: {o: {requires: 'a:data'}, p: {requires: data}}\n"
    )
    guildfile = load(path, text)
    [dependency] = guildfile.find("b", "o").opdef.requires
    assert [s.target for s in dependency.sources] == ["a.txt"]
    assert fault(guildfile, "b", "p").startswith(f"error in {path}:4: b.operations.p.requires: ")


def test_a_mapping_of_operations_may_include_flags(path: Path) -> None:
    text = "a: {flags: {x: 1}}\nb: {flags: {$include: ':a', y: {min: z}}}\n"
    guildfile = load(path, text)
    assert guildfile.find(None, "a").opdef.opspec == "a"
    assert fault(guildfile, None, "b").startswith(f"error in {path}:2: b.flags.y.min: expected a number")


# Trees.

DATA = st.recursive(
    st.none() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from(["a", "b", "c", "flags", "$include"]), inner, max_size=3)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)


@given(data=DATA)
def test_a_tree_holds_its_data(data: Any) -> None:
    assert plain(tree_of(data, Path("f"), ())) == data


@given(child=DATA, parent=DATA)
def test_merging_keeps_the_child_and_adds_only_from_the_parent(child: Any, parent: Any) -> None:
    merged = plain(merge(tree_of(child, Path("c"), ()), tree_of(parent, Path("p"), ())))
    assert _holds(merged, child)
    if isinstance(child, Mapping) and isinstance(parent, Mapping):
        assert set(merged) == {*child, *parent}


def _holds(merged: Any, child: Any) -> bool:
    if not isinstance(child, Mapping):
        return bool(merged == child)
    return all(name == "$include" or _holds(merged[name], value) for name, value in child.items())


@given(child=DATA, parent=DATA)
def test_each_part_of_a_merged_tree_knows_its_file(child: Any, parent: Any) -> None:
    merged = merge(tree_of(child, Path("c"), ("x",)), tree_of(parent, Path("p"), ("y",)))
    if not isinstance(child, Mapping) or not isinstance(parent, Mapping):
        return
    for name in {*child, *parent} - {"$include"}:
        expected = (Path("c"), ("x", name)) if name in child else (Path("p"), ("y", name))
        assert place_of(merged, (name,)) == expected
        assert place_of(merged, (name, "nowhere", 1))[1][-2:] == ("nowhere", 1)


@given(text=st.text("{} ab", max_size=12))
def test_without_the_parameter_a_text_stays_as_it_is(text: str) -> None:
    assert filled(text, {"other": 1}) == text
