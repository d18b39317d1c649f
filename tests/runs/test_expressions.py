"""Filter expressions as text and as trees: precedence, quoting, and where a fault lies."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.runs.expressions import (
    UNDEFINED,
    And,
    Comparison,
    Expr,
    Name,
    Not,
    Op,
    Or,
    Value,
    parse_expression,
    word_value,
)

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["and", "NOT", "in", "flag:x", "attr:", "a b", "it's", '"', "\\", "\\'", "1", "true", "undefined", ""]
)
WORDS = st.sampled_from(
    [
        *("1", "-2", "+3", ".5", "1.", "1e-3", "1e99999", "007", "true", "False", "undefined", "nan"),
        *("x", "a/b:c-d_e.f#g*", "2024-11-30", "0:00:05"),
    ]
)
NAMES = st.builds(Name, st.sampled_from(["", "attr", "flag", "scalar"]), TEXTS)
SCALAR_VALUES = st.builds(Value, TEXTS) | WORDS.map(word_value)


def lists_of(items: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(items, max_size=3).map(lambda found: Value(tuple(found)))


VALUES = st.recursive(SCALAR_VALUES, lists_of, max_leaves=5)
COMPARISONS = st.builds(
    Comparison, NAMES, st.sampled_from([op for op in Op if op not in (Op.IN, Op.NOT_IN)]), VALUES
) | st.builds(
    Comparison,
    NAMES,
    st.sampled_from([Op.IN, Op.NOT_IN]),
    lists_of(SCALAR_VALUES),
)


def several(items: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    many = st.lists(items, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, items) | st.builds(And, many) | st.builds(Or, many)


EXPRS: st.SearchStrategy[Expr] = st.recursive(COMPARISONS, several, max_leaves=8)


def eq(name: str, word: str) -> Comparison:
    return Comparison(Name("", name), Op.EQ, word_value(word))


A, B, C = (eq(name, "1") for name in "abc")


@given(EXPRS)
def test_an_expression_printed_reads_as_itself(expr: Expr) -> None:
    assert parse_expression(str(expr)) == expr


@given(EXPRS, EXPRS, EXPRS)
def test_not_binds_tighter_than_and_which_binds_tighter_than_or(x: Expr, y: Expr, z: Expr) -> None:
    a, b, c = (f"({item})" for item in (x, y, z))
    assert parse_expression(f"{a} and {b} or {c}") == parse_expression(f"({a} and {b}) or {c}")
    assert parse_expression(f"{a} or {b} and {c}") == parse_expression(f"{a} or ({b} and {c})")
    assert parse_expression(f"not {a} and {b}") == parse_expression(f"(not {a}) and {b}")
    assert parse_expression(f"not {a} or {b}") == parse_expression(f"(not {a}) or {b}")
    assert parse_expression(f"{a} and {b} and {c}") == And((x, y, z))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a = 1 and b = 1 or c = 1", Or((And((A, B)), C))),
        ("a = 1 or b = 1 and c = 1", Or((A, And((B, C))))),
        ("(a = 1 or b = 1) and c = 1", And((Or((A, B)), C))),
        ("not a = 1 and b = 1", And((Not(A), B))),
        ("NOT not a=1", Not(Not(A))),
        ("((a is 1))", A),
        ("a==1", A),
        ("a <> 1", Comparison(Name("", "a"), Op.NE, word_value("1"))),
        ("a is not 1", Comparison(Name("", "a"), Op.NE, word_value("1"))),
        ("a IS undefined", Comparison(Name("", "a"), Op.EQ, Value(UNDEFINED, "undefined"))),
        ("a<=-1e-3", Comparison(Name("", "a"), Op.LE, Value(-0.001, "-1e-3"))),
        ("flag:a contains 'b c'", Comparison(Name("flag", "a"), Op.CONTAINS, Value("b c"))),
        ('attr:"a b" Not Contains x', Comparison(Name("attr", "a b"), Op.NOT_CONTAINS, Value("x", "x"))),
        (
            "scalar:logs#a not in [1,'1', x]",
            Comparison(
                Name("scalar", "logs#a"), Op.NOT_IN, Value((Value(1, "1"), Value("1"), Value("x", "x")))
            ),
        ),
        ("a in []", Comparison(Name("", "a"), Op.IN, Value(()))),
        ("'in' = 'it\\'s'", Comparison(Name("", "in"), Op.EQ, Value("it's"))),
        ('a = "C:\\new \\\\ \\""', Comparison(Name("", "a"), Op.EQ, Value('C:\\new \\ "'))),
        ("operation:train = 1", Comparison(Name("", "operation:train"), Op.EQ, Value(1, "1"))),
    ],
)
def test_an_expression_reads_as_its_tree(text: str, want: Expr) -> None:
    assert parse_expression(text) == want


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", 1), ("01", 1), ("1.", 1.0), ("1E0", 1.0), ("-.5", -0.5), ("1e999", float("inf")), ("TRUE", True)]
    + [(word, word) for word in ("1_000", "1:30", "0x10", "2024-11-30", "nan", "yes", "١", "1e", ".")],
)
def test_a_word_is_a_number_only_if_it_looks_like_one(word: str, value: object) -> None:
    found = word_value(word).value
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "position", "unexpected"),
    [
        ("loss", 5, "end"),
        ("loss = ", 8, "end"),
        ("= 1", 1, "'='"),
        ("a = 1 and", 10, "end"),
        ("(a = 1", 7, "end"),
        ("a = 1)", 6, "')'"),
        ("()", 2, "')'"),
        ("label = my run", 12, "'run'"),
        ("a ~ 1", 3, "'~'"),
        ("a = 1 & b = 1", 7, "'&'"),
        ("a > 1 > 0", 7, "'>'"),
        ("a in 1", 6, "'1'"),
        ("a in [1 2]", 9, "'2'"),
        ("a in [1, 2", 11, "end"),
        ("a not 1", 7, "'1'"),
        ("a is not in [1]", 10, "'in'"),
        ("a = not", 5, "'not'"),
        ("1 = a", 1, "'1'"),
        ("flag: a = 1", 7, "'a'"),
        ("flag: 'a' = 1", 7, "\"'a'\""),
        ("a = 'b", 5, '"\'"'),
        ("a ! 1", 3, "'!'"),
    ],
)
def test_a_fault_is_shown_with_its_place(text: str, position: int, unexpected: str) -> None:
    with pytest.raises(GuildError) as e:
        parse_expression(text)
    assert e.value.message.startswith(
        f"syntax error in filter at position {position}: unexpected {unexpected}"
    )
    assert "loss < 0.3" in e.value.hint


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_filter_is_refused_and_does_not_mean_every_run(text: str) -> None:
    with pytest.raises(GuildError, match="the filter is empty"):
        parse_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000 + "a = 1" + ")" * 5_000,
        "not " * 5_000 + "a = 1",
        "a = " + "[" * 5_000 + "]" * 5_000,
        "((((" * 10_000,
    ],
)
def test_a_filter_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(GuildError, match="nested too deeply at position"):
        parse_expression(text)


def test_a_long_filter_is_taken_and_one_beyond_measure_refused() -> None:
    text = " or ".join(["a = 1"] * 10_000)
    expr = parse_expression(text)
    assert isinstance(expr, Or)
    assert len(expr.items) == 10_000
    assert parse_expression(f"a = {'9' * 9_000}") is not None
    with pytest.raises(GuildError, match=r"too long: .* characters"):
        parse_expression("a = 1 or " * 100_000)


PIECES = st.sampled_from(
    [*"()[],='\"\\", "and ", "or ", "not ", " in ", "a ", "1 ", "is ", "flag:", "<", "!="]
)


@given(st.text() | st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    limit = sys.getrecursionlimit()
    try:
        expr = parse_expression(text)
    except GuildError:
        pass
    else:
        assert parse_expression(str(expr)) == expr
    assert sys.getrecursionlimit() == limit
