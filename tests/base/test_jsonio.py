import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base import jsonio


@pytest.mark.parametrize("data", [b"[" * 100_000, '{"a":' * 50_000, b"\xff", b"", b"9" * 5000])
def test_what_cannot_be_read_is_no_value(data: bytes | str) -> None:
    with pytest.raises(ValueError):
        jsonio.load(data)


@given(st.binary(max_size=50))
def test_anything_is_a_value_or_a_value_error(data: bytes) -> None:
    try:
        jsonio.load(data)
    except ValueError:
        pass
