"""LEB128: shortest when written, strict when read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svm.errors import MalformedError
from svm.module.leb import read_s32, read_s33, read_s64, read_u32, read_u64, signed, unsigned

Reader = Callable[[bytes, int], tuple[int, int]]
UNSIGNED = [pytest.param(read_u32, 32, id="u32"), pytest.param(read_u64, 64, id="u64")]
SIGNED = [
    pytest.param(read_s32, 32, id="s32"),
    pytest.param(read_s33, 33, id="s33"),
    pytest.param(read_s64, 64, id="s64"),
]


@pytest.mark.parametrize(("read", "width"), UNSIGNED)
@given(data=st.data())
def test_unsigned_integers_come_back(read: Reader, width: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << width) - 1))
    encoded = unsigned(value)
    assert read(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))
    assert len(encoded) == max(1, (value.bit_length() + 6) // 7)


@pytest.mark.parametrize(("read", "width"), SIGNED)
@given(data=st.data())
def test_signed_integers_come_back(read: Reader, width: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(-(1 << width - 1), (1 << width - 1) - 1))
    encoded = signed(value)
    assert read(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))


def test_integers_may_be_longer_than_they_need_be() -> None:
    assert read_u32(b"\x85\x80\x80\x80\x00", 0) == (5, 5)
    assert read_s32(b"\xfb\xff\xff\xff\x7f", 0) == (-5, 5)
    assert read_s64(b"\xff" * 9 + b"\x7f", 0) == (-1, 10)
    assert read_s33(b"\xc0\x80\x80\x80\x00", 0) == (0x40, 5)


@pytest.mark.parametrize(
    ("read", "data", "message", "offset"),
    [
        pytest.param(read_u32, b"", "unexpected end", 0, id="u32-empty"),
        pytest.param(read_u32, b"\x80\x80", "unexpected end", 2, id="u32-cut"),
        pytest.param(read_u32, b"\x80\x80\x80\x80\x80\x00", "too long", 0, id="u32-six-bytes"),
        pytest.param(read_u32, b"\xff\xff\xff\xff\x10", "too large", 0, id="u32-unused-bits"),
        pytest.param(read_u32, b"\xff\xff\xff\xff\x7f", "too large", 0, id="u32-all-bits"),
        pytest.param(read_u64, b"\x80" * 10 + b"\x00", "too long", 0, id="u64-eleven-bytes"),
        pytest.param(read_u64, b"\xff" * 9 + b"\x02", "too large", 0, id="u64-unused-bits"),
        pytest.param(read_s32, b"\xff\xff\xff\xff\x0f", "too large", 0, id="s32-bits-unlike-sign"),
        pytest.param(read_s32, b"\x80\x80\x80\x80\x70", "too large", 0, id="s32-negative-unlike-sign"),
        pytest.param(read_s32, b"\x80\x80\x80\x80\x80\x00", "too long", 0, id="s32-six-bytes"),
        pytest.param(read_s33, b"\x80\x80\x80\x80\x10", "too large", 0, id="s33-too-large"),
        pytest.param(read_s64, b"\xff" * 9 + b"\x01", "too large", 0, id="s64-bits-unlike-sign"),
        pytest.param(read_s64, b"\x80" * 10 + b"\x00", "too long", 0, id="s64-eleven-bytes"),
    ],
)
def test_what_is_no_integer_is_refused(read: Reader, data: bytes, message: str, offset: int) -> None:
    with pytest.raises(MalformedError) as caught:
        read(data, 0)
    assert message in caught.value.message
    assert caught.value.place.offset == offset


def test_the_bounds_of_each_width() -> None:
    assert read_s32(b"\xff\xff\xff\xff\x07", 0)[0] == 2**31 - 1
    assert read_s32(b"\x80\x80\x80\x80\x78", 0)[0] == -(2**31)
    assert read_u32(b"\xff\xff\xff\xff\x0f", 0)[0] == 2**32 - 1
    assert read_s33(b"\xff\xff\xff\xff\x0f", 0)[0] == 2**32 - 1
    assert read_s64(b"\x80" * 9 + b"\x7f", 0)[0] == -(2**63)
