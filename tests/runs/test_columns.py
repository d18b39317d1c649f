import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.runs.columns import QUALIFIERS, WITH_STEP, Column, parse_column, parse_columns

names = st.text(min_size=1, max_size=12) | st.sampled_from(
    [*QUALIFIERS, "step", "as", "attr:x", "=a", ".b", "#", "a#b", "a b", "it's", '"', "\\", "a,b", " "]
)
shown = st.just("") | names


@st.composite
def columns(draw: st.DrawFn) -> Column:
    if draw(st.booleans()):
        return Column(draw(st.sampled_from(["attr", "flag"])), draw(names), shown=draw(shown))
    qualifier = draw(st.sampled_from(["", *QUALIFIERS]))
    prefix = draw(st.none() | names.map(lambda n: n.replace("#", "_")))
    step = draw(st.booleans()) and qualifier in WITH_STEP
    return Column("scalar", draw(names), prefix, qualifier, step, draw(shown))


@given(columns())
def test_a_column_that_is_written_is_read_as_itself(column: Column) -> None:
    assert parse_column(str(column)) == column


@given(st.lists(columns(), max_size=4))
def test_lists_too(several: list[Column]) -> None:
    assert parse_columns(", ".join(map(str, several))) == tuple(several)


@given(st.text(alphabet=" ,.=#\"'\\:abminsteplow", max_size=20) | st.text(max_size=20))
def test_any_text_is_columns_or_an_error_that_names_it(text: str) -> None:
    try:
        found = parse_columns(text)
    except GuildError as e:
        said = e.message
    else:
        said = text if all(column.name for column in found) else ""
    assert text in said


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("loss", Column("scalar", "loss")),
        ("min loss", Column("scalar", "loss", qualifier="min")),
        ("max val/acc step", Column("scalar", "val/acc", qualifier="max", step=True)),
        ("sub#loss as l", Column("scalar", "loss", "sub", shown="l")),
        (".guild#loss", Column("scalar", "loss", ".guild")),
        ("#loss", Column("scalar", "loss")),
        ("loss as 'validation loss'", Column("scalar", "loss", shown="validation loss")),
        ("'a b'", Column("scalar", "a b")),
        ("'=a'", Column("scalar", "=a")),
        ("'step'", Column("scalar", "step")),
        ("=lr", Column("flag", "lr")),
        ("flag:lr as rate", Column("flag", "lr", shown="rate")),
        ('="a b"', Column("flag", "a b")),
        (".stopped", Column("attr", "stopped")),
        ("attr:label", Column("attr", "label")),
        ("scalar:loss", Column("scalar", "loss")),
        ("loss as step", Column("scalar", "loss", shown="step")),
    ],
)
def test_the_forms_of_a_column(text: str, column: Column) -> None:
    assert parse_column(text) == column
    assert parse_column(f"  {text} ") == column


def test_headings_are_guilds_with_the_qualifier_left_out_unless_it_is_needed() -> None:
    def headings(text: str) -> tuple[str, str]:
        column = parse_column(text)
        return column.heading, column.full_heading

    assert headings("loss") == ("loss", "loss")
    assert headings("min loss step") == ("loss step", "min loss step")
    assert headings("max sub#acc") == ("sub acc", "max sub acc")
    assert headings("max acc as best") == ("best", "best")
    assert headings(".label") == ("label", "label")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("foo bar", "unexpected 'bar' at 5"),
        ("loss,", "a name is missing beside a comma"),
        ("loss, ,acc", "a name is missing beside a comma"),
        ("min", "a name is missing after 'min' at 1"),
        ("step", "'step' at 1 is no name"),
        ("loss as", "a heading is missing after 'as' at 6"),
        ("=", "a name is missing after '=' at 1"),
        ("loss, attr:", "a name is missing after 'attr:' at 7"),
        ("min =lr", "'min' is for scalars, but 'lr' is a flag"),
        (".label step", "'step' is for scalars, but 'label' is an attribute"),
        ("avg loss step", "'avg' of 'loss' has no step"),
        ("'loss", "the quote at 1 is not closed"),
        ("''", "'' at 1 is no name"),
        ("loss step step", "unexpected 'step' at 11"),
    ],
)
def test_an_error_points_at_the_text(text: str, what: str) -> None:
    with pytest.raises(GuildError) as e:
        parse_columns(text)
    assert e.value.message.startswith(f"invalid column '{text}': {what}")


def test_no_columns_in_an_empty_text_and_a_single_one_is_asked_for() -> None:
    assert parse_columns("  ") == ()
    for text in ("", "a,b"):
        with pytest.raises(GuildError, match="one column is needed here"):
            parse_column(text)
