"""LEB128 integers (DWARF 5, section 7.6), as strict as WebAssembly: no longer than the width needs, unused bits as
they must be.
"""

from __future__ import annotations

from svm.errors import MalformedError, Place

__all__ = ["read_s32", "read_s33", "read_s64", "read_u32", "read_u64", "signed", "unsigned"]


def unsigned(value: int) -> bytes:
    """The shortest encoding of a non-negative integer."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """The shortest encoding of a signed integer."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def _read(data: bytes, at: int, width: int) -> tuple[int, int]:
    """The raw groups of an integer of at most `width` bits, and where the next thing begins."""
    result = shift = 0
    start = at
    longest = (width + 6) // 7
    while True:
        if at >= len(data):
            raise MalformedError("unexpected end of an integer", Place(offset=at))
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at
        if at - start == longest:
            raise MalformedError("integer representation too long", Place(offset=start))


def _read_unsigned(data: bytes, at: int, width: int) -> tuple[int, int]:
    value, end = _read(data, at, width)
    if value >> width:
        raise MalformedError("integer too large", Place(offset=at))
    return value, end


def _read_signed(data: bytes, at: int, width: int) -> tuple[int, int]:
    value, end = _read(data, at, width)
    if data[end - 1] & 0x40:
        value -= 1 << 7 * (end - at)
    if not -(1 << width - 1) <= value < 1 << width - 1:
        raise MalformedError("integer too large", Place(offset=at))
    return value, end


def read_u32(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned 32-bit integer at `at`, and where the next thing begins."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    return _read_unsigned(data, at, 32)


def read_u64(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned 64-bit integer at `at`, and where the next thing begins."""
    return _read_unsigned(data, at, 64)


def read_s32(data: bytes, at: int) -> tuple[int, int]:
    """A signed 32-bit integer at `at`, and where the next thing begins."""
    return _read_signed(data, at, 32)


def read_s33(data: bytes, at: int) -> tuple[int, int]:
    """A signed 33-bit integer (a block type) at `at`, and where the next thing begins."""
    return _read_signed(data, at, 33)


def read_s64(data: bytes, at: int) -> tuple[int, int]:
    """A signed 64-bit integer at `at`, and where the next thing begins."""
    return _read_signed(data, at, 64)
