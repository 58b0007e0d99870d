"""Bodies: bytes to instructions and back, and the builder by which compilers write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svm.errors import MalformedError, UsageError
from svm.isa import FUNCREF, I32, I64, OPS, RESERVED
from svm.module import CodeBuilder, Instruction, constant, decode_body, encode_body
from svm.module.code import encode_instruction
from tests.strategies import instructions


@settings(max_examples=120, deadline=None)
@given(st.lists(instructions, min_size=1, max_size=20))
def test_instructions_come_back_with_their_offsets(found: list[Instruction]) -> None:
    body = encode_body(found)
    again = decode_body(body)
    assert [(op.name, args) for op, args, _ in again] == [(op.name, args) for op, args, _ in found]
    starts = [each.offset for each in again]
    assert [body[a:b] for a, b in zip(starts, [*starts[1:], len(body)], strict=True)] == [
        encode_instruction(op.name, args) for op, args, _ in again
    ]


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_instructions_or_malformed(body: bytes) -> None:
    try:
        found = decode_body(body)
    except MalformedError as error:
        assert 0 <= (error.place.offset or 0) <= len(body)  # noqa: PT017  # success is as good
        return
    assert [each[:2] for each in decode_body(encode_body(found))] == [each[:2] for each in found]


# Bytes, what is said of them, the instruction and offset that are blamed.
MALFORMED: dict[str, tuple[str, str, str | None, int]] = {
    "opcode": ("01 ff", "illegal opcode 0xff", None, 1),
    "prefixed": ("fc 12", "illegal opcode 0xfc12", None, 0),
    "ours": ("e0 7f", "illegal opcode 0xe07f", None, 0),
    "prefixed-far": ("fc 80 02", "illegal opcode 0xfc", None, 0),
    "simd": ("fd 0c", "opcode 0xfd belongs to a feature that is not supported: SIMD", None, 0),
    "prefix-cut": ("01 fc", "unexpected end of an integer", None, 2),
    "prefix-long": ("fc 80 80 80 80 80 00", "integer representation too long", None, 1),
    "immediate-cut": ("20", "unexpected end of an instruction", "local.get", 0),
    "integer-cut": ("41 80", "unexpected end of an integer", "i32.const", 2),
    "i32-large": ("41 ff ff ff ff 0f", "integer too large", "i32.const", 1),
    "i32-long": ("41 80 80 80 80 80 00", "integer representation too long", "i32.const", 1),
    "i64-large": ("42 ff ff ff ff ff ff ff ff ff 01", "integer too large", "i64.const", 1),
    "float-cut": ("01 44 00 00", "unexpected end of an instruction", "f64.const", 1),
    "block-type": ("02 41", "malformed block type", "block", 1),
    "block-of-vectors": ("02 7b", "not supported: SIMD (v128)", "block", 1),
    "block-cut": ("02", "unexpected end of an instruction", "block", 0),
    "reference-type": ("d0 7f", "malformed reference type: i32", "ref.null", 1),
    "no-reference-type": ("d0 00", "malformed value type: 0x00", "ref.null", 1),
    "select-type": ("1c 01 40", "malformed value type: 0x40", "select_typed", 2),
    "select-types": ("1c 05 7f", "unexpected end: a vector is longer than its body", "select_typed", 2),
    "labels": ("0e ff ff ff ff 0f 00", "unexpected end: a vector is longer than its body", "br_table", 6),
    "labels-cut": ("0e 01 00", "unexpected end of an integer", "br_table", 3),
    "catch-ref": ("1f 40 01 01 00 00", "exception references are not supported (catch_ref)", "try_table", 3),
    "memory": ("3f 01", "zero byte expected: memories but the first are not supported", "memory.size", 1),
    "second-memory": ("fc 0a 00 01", "zero byte expected", "memory.copy", 3),
    "offset": ("28 02 ff ff ff ff 1f", "integer too large", "i32.load", 2),
}


@pytest.mark.parametrize(("body", "message", "instruction", "offset"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_instruction_is_refused(body: str, message: str, instruction: str | None, offset: int) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_body(bytes.fromhex(body))
    assert message in caught.value.message
    assert (caught.value.place.instruction, caught.value.place.offset) == (instruction, offset)


@pytest.mark.parametrize("code", RESERVED)
def test_codes_of_other_features_are_refused_by_their_name(code: int) -> None:
    with pytest.raises(MalformedError, match="a feature that is not supported") as caught:
        decode_body(bytes((code, 0)))
    assert RESERVED[code] in caught.value.message


def test_integers_may_be_longer_than_they_need_be() -> None:
    found = decode_body(bytes.fromhex("41 85 80 80 80 00  fc 8b 80 00 00  20 80 00"))
    assert [(op.name, args, offset) for op, args, offset in found] == [
        ("i32.const", (5,), 0),
        ("memory.fill", (0,), 6),
        ("local.get", (0,), 11),
    ]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("i32.nope", (), "no instruction is named 'i32.nope'"),
        ("i32.const", (), "i32.const takes 1 immediates, not 0"),
        ("i32.add", (1,), "i32.add takes 0 immediates, not 1"),
        ("f32.const", (1 << 32,), "bad immediate of f32.const"),
        ("call", (-1,), "bad immediate of call"),
        ("call", ("f",), "bad immediate of call"),
        ("memory.size", (256,), "bad immediate of memory.size"),
        ("try_table", (None, 5), "bad immediate of try_table"),
        ("i32.const", (1 << 31,), "bad immediate of i32.const.*no signed integer of 32 bits"),
        ("i64.const", (-(1 << 63) - 1,), "bad immediate of i64.const.*no signed integer of 64 bits"),
        ("i32.const", (1.5,), "bad immediate of i32.const"),
        ("call", (1 << 32,), "bad immediate of call.*no unsigned integer of 32 bits"),
        ("block", (-1,), "bad immediate of block.*no unsigned integer of 32 bits"),
        ("br_table", ((1 << 32,), 0), "bad immediate of br_table.*no unsigned integer of 32 bits"),
        ("i32.load", (2, 1 << 32), "bad immediate of i32.load.*no unsigned integer of 32 bits"),
    ],
)
def test_a_wrong_instruction_cannot_be_encoded(name: str, args: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_instruction(name, args)


def test_a_constant_is_an_expression() -> None:
    assert constant("i32.const", -1) == b"\x41\x7f\x0b"
    assert constant("ref.null", FUNCREF) == b"\xd0\x70\x0b"


def built(*calls: tuple[object, ...]) -> list[tuple[object, ...]]:
    code = CodeBuilder()
    for name, *args in calls:
        code(str(name), *args)
    body, _ = code.finish()
    return [(op.name, *args) for op, args, _ in decode_body(body)][:-1]


def test_the_builder_fills_in_what_is_left_out() -> None:
    assert built(
        ("i32.load",),
        ("i64.store32", 0),
        ("i32.load8_u", 0, 7),
        ("memory.copy",),
        ("memory.init", 3),
        ("memory.size",),
        ("i32.const", 0xFFFF_FFFF),
        ("i64.const", (1 << 64) - 2),
        ("f32.const", 1.5),
        ("f32.const", 1e39),
        ("f64.const", 1.5),
        ("f64.const", 0x7FF8 << 48),
        ("br_table", [0, 1], 2),
        ("block", I64),
        ("try_table", None, [("catch", 1, 0), ("catch_all", 2)]),
        ("select_typed", (I32,)),
    ) == [
        ("i32.load", 2, 0),
        ("i64.store32", 0, 0),
        ("i32.load8_u", 0, 7),
        ("memory.copy", 0, 0),
        ("memory.init", 3, 0),
        ("memory.size", 0),
        ("i32.const", -1),
        ("i64.const", -2),
        ("f32.const", 0x3FC0_0000),
        ("f32.const", 0x7F80_0000),
        ("f64.const", 0x3FF8 << 48),
        ("f64.const", 0x7FF8 << 48),
        ("br_table", (0, 1), 2),
        ("block", I64),
        ("try_table", None, (("catch", 1, 0), ("catch_all", 2))),
        ("select_typed", (I32,)),
    ]


def test_the_builder_refuses_what_is_no_instruction() -> None:
    code = CodeBuilder()
    with pytest.raises(UsageError, match=r"no instruction is named 'i32\.nope'"):
        code("i32.nope", 1)
    with pytest.raises(UsageError, match=r"i32\.add takes 0 immediates, not 1"):
        code("i32.add", 1)
    with pytest.raises(UsageError, match=r"bad immediate of i32\.const"):
        code("i32.const", "5")
    with pytest.raises(UsageError, match=r"bad immediate of i32\.const"):
        code("i32.const", 1 << 32)
    assert code.finish() == (b"\x0b", ())


def test_the_builder_keeps_lines() -> None:
    code = CodeBuilder()
    code("nop")
    code.line(0, 3)
    code("i32.const", 1000)
    code.line(0, 3)  # the same line again is no new entry
    code("drop")
    code.line(1, 7)
    code.line(1, 8)  # no instruction began line 7
    code("nop")
    assert code.offset == 6
    body, entries = code.finish()
    assert len(body) == 7
    assert entries == ((1, 0, 3), (5, 1, 8))


def test_every_row_can_be_built_without_immediates_or_says_how_many_it_takes() -> None:
    for op in OPS.values():
        code = CodeBuilder()
        try:
            code(op.name)
        except UsageError as error:
            assert "immediates, not 0" in str(error)  # noqa: PT017  # success is as good
