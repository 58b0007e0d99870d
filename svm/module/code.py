"""Bodies: bytes to instructions and back, driven by the instruction table.

The encoding of a body equals WebAssembly's for WebAssembly's instructions, so that bodies can pass from a `.wasm` file
unread.  In come bytes, out come `Instruction`s with the byte offset that traps, branches and line tables speak of.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from svm.errors import MalformedError, Place, UsageError
from svm.isa import (
    BY_CODE,
    EXTENSION,
    OPS,
    PREFIXES,
    REFERENCE_TYPES,
    RESERVED,
    RESERVED_TYPES,
    Form,
    Immediate,
    Op,
    ValueType,
)
from svm.isa.numeric import f32_bits
from svm.module.leb import read_s32, read_s33, read_s64, read_u32, signed, unsigned
from svm.module.reader import value_type

__all__ = [
    "NONE",
    "OTHER",
    "PAIR",
    "SIGNED",
    "UNSIGNED",
    "CodeBuilder",
    "Instruction",
    "constant",
    "decode_body",
    "decoder_of",
    "encode_body",
    "encode_instruction",
    "expression_end",
    "instruction_code",
]


class Instruction(NamedTuple):
    """One instruction: its row, its immediates (a PAIR is two: alignment exponent, offset), its byte offset in the
    body.
    """

    op: Op
    args: tuple[Any, ...] = ()
    offset: int = 0


_VALUE_TYPES = frozenset(map(int, ValueType))
_EMPTY_BLOCK = 0x40


def _read_value_type(data: bytes, at: int) -> tuple[ValueType, int]:
    return value_type(data[at], at), at + 1


def _read_reference_type(data: bytes, at: int) -> tuple[ValueType, int]:
    kind = value_type(data[at], at)
    if kind not in REFERENCE_TYPES:
        raise MalformedError(f"malformed reference type: {kind}", Place(offset=at))
    return kind, at + 1


def _read_block(data: bytes, at: int) -> tuple[ValueType | int | None, int]:
    byte = data[at]
    if byte == _EMPTY_BLOCK:
        return None, at + 1
    if byte in _VALUE_TYPES or byte in RESERVED_TYPES:
        return value_type(byte, at), at + 1
    index, end = read_s33(data, at)
    if index < 0:
        raise MalformedError("malformed block type", Place(offset=at))
    return index, end


def _read_memory(data: bytes, at: int) -> tuple[int, int]:
    if data[at] != 0:
        raise MalformedError("zero byte expected: memories but the first are not supported", Place(offset=at))
    return 0, at + 1


def _read_f32(data: bytes, at: int) -> tuple[int, int]:
    return struct.unpack_from("<I", data, at)[0], at + 4


def _read_f64(data: bytes, at: int) -> tuple[int, int]:
    return struct.unpack_from("<Q", data, at)[0], at + 8


def _read_vector(read: Callable[[bytes, int], tuple[Any, int]]) -> Callable[[bytes, int], tuple[Any, int]]:
    def reader(data: bytes, at: int) -> tuple[Any, int]:
        count, at = read_u32(data, at)
        if count > len(data) - at:
            raise MalformedError("unexpected end: a vector is longer than its body", Place(offset=at))
        items = []
        for _ in range(count):
            item, at = read(data, at)
            items.append(item)
        return tuple(items), at

    return reader


_CATCH_KINDS = {0: "catch", 2: "catch_all"}


def _read_catch(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
    kind = _CATCH_KINDS.get(data[at])
    if kind is None:
        raise MalformedError("exception references are not supported (catch_ref)", Place(offset=at))
    at += 1
    if kind == "catch_all":
        label, at = read_u32(data, at)
        return (kind, label), at
    tag, at = read_u32(data, at)
    label, at = read_u32(data, at)
    return (kind, tag, label), at


_READERS: dict[Immediate, Callable[[bytes, int], tuple[Any, int]]] = {
    **dict.fromkeys(Immediate, read_u32),
    Immediate.BLOCK: _read_block,
    Immediate.LABELS: _read_vector(read_u32),
    Immediate.MEMORY: _read_memory,
    Immediate.I32: read_s32,
    Immediate.I64: read_s64,
    Immediate.F32: _read_f32,
    Immediate.F64: _read_f64,
    Immediate.REFTYPE: _read_reference_type,
    Immediate.TYPES: _read_vector(_read_value_type),
    Immediate.CATCHES: _read_vector(_read_catch),
}
del _READERS[Immediate.MEMARG]


def _readers_of(op: Op) -> tuple[Callable[[bytes, int], tuple[Any, int]], ...]:
    readers: list[Callable[[bytes, int], tuple[Any, int]]] = []
    for kind in op.immediates:
        readers.extend((read_u32, read_u32) if kind is Immediate.MEMARG else (_READERS[kind],))
    return tuple(readers)


NONE, UNSIGNED, SIGNED, PAIR, OTHER = range(5)
"""How a row's immediates are read: there are none, one unsigned or one signed integer (most are a byte, and are read in
line), two unsigned ones, or whatever its readers read.
"""

_Readers = tuple[Callable[[bytes, int], tuple[Any, int]], ...]
_READINGS: dict[Any, int] = {
    (): NONE,
    (read_u32,): UNSIGNED,
    (read_s32,): SIGNED,
    (read_s64,): SIGNED,
    (read_u32, read_u32): PAIR,
}


def decoder_of(op: Op) -> tuple[Op, int, _Readers]:
    """A row, how its immediates are read, and the readers of each."""
    readers = _readers_of(op)
    return op, _READINGS.get(readers, OTHER), readers


_DEPTHS = {"block": 1, "loop": 1, "if": 1, "try_table": 1, "end": -1}  # of the blocks that are open
_DECODERS = {code: decoder_of(op) for code, op in BY_CODE.items()}


def instruction_code(body: bytes, start: int, extensions: bool) -> tuple[int, int]:
    """The code of the instruction at `start`, and where its immediates begin.

    extensions: whether svm's own instructions may be there.  Raises MalformedError for a code that no row has.
    """
    byte, at = body[start], start + 1
    code = byte
    if byte in PREFIXES and (extensions or byte != EXTENSION):
        number, at = read_u32(body, at)
        code = byte << 8 | number if number < 0x100 else -1
    if code in BY_CODE:
        return code, at
    feature = RESERVED.get(byte)
    shown = f"{code if code >= 0 else byte:#04x}"
    if feature:
        raise MalformedError(
            f"opcode {shown} belongs to a feature that is not supported: {feature}", Place(offset=start)
        )
    raise MalformedError(f"illegal opcode {shown}", Place(offset=start))


def decode_body(body: bytes) -> list[Instruction]:
    """The instructions of a body or constant expression, up to its last byte.

    Raises MalformedError, with the offset in the body, for bytes that are no instructions.  Nothing else is checked.
    """
    out: list[Instruction] = []
    at, size = 0, len(body)
    op: Op | None = None
    decoders, new, append = _DECODERS, tuple.__new__, out.append
    try:
        while at < size:
            start, op = at, None
            found = decoders.get(body[at])
            at += 1
            if found is None:
                code, at = instruction_code(body, start, extensions=True)
                found = decoders[code]
            op, reading, readers = found
            args: tuple[Any, ...] = ()
            if reading == UNSIGNED and body[at] < 0x80:
                args = (body[at],)
                at += 1
            elif reading:
                for read in readers:
                    arg, at = read(body, at)
                    args += (arg,)
            append(new(Instruction, (op, args, start)))
    except (IndexError, struct.error):
        raise MalformedError(
            "unexpected end of an instruction", Place(instruction=op.name if op else None, offset=start)
        ) from None
    except MalformedError as error:
        if op is not None and error.place.instruction is None:
            raise MalformedError(error.message, Place(instruction=op.name, offset=error.place.offset)) from None
        raise
    return out


def expression_end(data: bytes, at: int, extensions: bool = False) -> int:
    """Where the expression that begins at `at` ends, behind its last `end`.

    extensions: whether svm's own instructions may be there.  Raises MalformedError, with the offset in `data`, for
    bytes that are no instructions.
    """
    depth, start = 1, at
    try:
        while depth:
            start = at
            code, at = instruction_code(data, at, extensions)
            op, _, readers = _DECODERS[code]
            for read in readers:
                _, at = read(data, at)
            depth += _DEPTHS.get(op.name, 0)
    except (IndexError, struct.error):
        raise MalformedError("unexpected end of an expression", Place(offset=start)) from None
    return at


def _write_u32(arg: int) -> bytes:
    if not 0 <= arg < 1 << 32:
        raise ValueError("it is no unsigned integer of 32 bits")
    return unsigned(arg)


def _write_signed(width: int) -> Callable[[int], bytes]:
    def write(arg: int) -> bytes:
        if not -1 << width - 1 <= arg < 1 << width - 1:
            raise ValueError(f"it is no signed integer of {width} bits")
        return signed(arg)

    return write


def _write_block(arg: ValueType | int | None) -> bytes:
    if arg is None:
        return bytes((_EMPTY_BLOCK,))
    if isinstance(arg, ValueType):
        return bytes((arg,))
    _write_u32(arg)  # an index, which a block type holds as a signed integer of 33 bits
    return signed(arg)


def _write_catches(arg: tuple[tuple[Any, ...], ...]) -> bytes:
    out = bytearray(unsigned(len(arg)))
    for kind, *indices in arg:
        out.append(0 if kind == "catch" else 2)
        for index in indices:
            out += _write_u32(index)
    return bytes(out)


_WRITERS: dict[Immediate, Callable[[Any], bytes]] = {
    **dict.fromkeys(Immediate, _write_u32),
    Immediate.BLOCK: _write_block,
    Immediate.LABELS: lambda arg: unsigned(len(arg)) + b"".join(map(_write_u32, arg)),
    Immediate.MEMORY: lambda arg: bytes((arg,)),
    Immediate.I32: _write_signed(32),
    Immediate.I64: _write_signed(64),
    Immediate.F32: lambda arg: struct.pack("<I", arg),
    Immediate.F64: lambda arg: struct.pack("<Q", arg),
    Immediate.REFTYPE: lambda arg: bytes((arg,)),
    Immediate.TYPES: lambda arg: unsigned(len(arg)) + bytes(arg),
    Immediate.CATCHES: _write_catches,
}


def _writers_of(op: Op) -> tuple[Callable[[Any], bytes], ...]:
    writers: list[Callable[[Any], bytes]] = []
    for kind in op.immediates:
        writers.extend((_write_u32, _write_u32) if kind is Immediate.MEMARG else (_WRITERS[kind],))
    return tuple(writers)


def _code_bytes(code: int) -> bytes:
    return bytes((code,)) if code < 0x100 else bytes((code >> 8,)) + unsigned(code & 0xFF)


_ENCODERS = {op.name: (_code_bytes(op.code), _writers_of(op)) for op in BY_CODE.values()}


def encode_instruction(name: str, args: Iterable[Any] = ()) -> bytes:
    """Bytes of one instruction.  Raises UsageError for an unknown name, a wrong number of immediates or a bad
    immediate.
    """
    if name not in _ENCODERS:
        raise UsageError(f"no instruction is named {name!r}")
    code, writers = _ENCODERS[name]
    args = tuple(args)
    if len(args) != len(writers):
        raise UsageError(f"{name} takes {len(writers)} immediates, not {len(args)}")
    try:
        return code + b"".join([write(arg) for write, arg in zip(writers, args, strict=True)])
    except (struct.error, TypeError, ValueError) as error:
        raise UsageError(f"bad immediate of {name}: {args} ({error})") from None


def encode_body(instructions: Iterable[Instruction]) -> bytes:
    """Bytes of a body; offsets are ignored."""
    return b"".join([encode_instruction(op.name, args) for op, args, _ in instructions])


def constant(name: str, *args: Any) -> bytes:
    """A constant expression of one instruction."""
    return encode_instruction(name, args) + encode_instruction("end")


def _constant_value(kind: Immediate, value: Any) -> Any:
    """A constant as its immediate has it: floats by their bits, integers signed."""
    if isinstance(value, float) and kind in (Immediate.F32, Immediate.F64):
        return f32_bits(value) if kind is Immediate.F32 else struct.unpack("<Q", struct.pack("<d", value))[0]
    if isinstance(value, int) and kind is Immediate.I32 and 1 << 31 <= value < 1 << 32:
        return value - (1 << 32)
    if isinstance(value, int) and kind is Immediate.I64 and 1 << 63 <= value < 1 << 64:
        return value - (1 << 64)
    return value


def _completed(name: str, *args: Any) -> bytes:
    """Bytes of an instruction as `CodeBuilder` takes it, with what may be left out."""
    op = OPS.get(name)
    return encode_instruction(name, _immediates(op, args) if op is not None and op.immediates else args)


def _immediates(op: Op, args: tuple[Any, ...]) -> tuple[Any, ...]:
    kinds = op.immediates
    if op.form in (Form.LOAD, Form.STORE):
        natural = op.size.bit_length() - 1
        return (*args, *(natural, 0)[len(args) :])
    if not args and kinds == (Immediate.BLOCK,):
        return (None,)
    if not args and set(kinds) == {Immediate.MEMORY}:
        return (0,) * len(kinds)
    if kinds[-1] is Immediate.MEMORY and len(args) == len(kinds) - 1:
        return (*args, 0)
    if len(args) == len(kinds) == 1:
        return (_constant_value(kinds[0], args[0]),)
    return args


_REMEMBERED = 1 << 14
_NOT_PLAIN = {Immediate.F32, Immediate.F64, Immediate.LABELS, Immediate.TYPES, Immediate.CATCHES}
_PLAIN = frozenset(op.name for op in BY_CODE.values() if not _NOT_PLAIN.intersection(op.immediates))
"""Instructions whose immediates are told apart by value and type (0.0 and -0.0 are not): a compiler writes the same few
thousand again and again.
"""
_remembered = lru_cache(_REMEMBERED, typed=True)(_completed)


class CodeBuilder:
    """Writes one body, for compilers: call it with an instruction's name and immediates.

    Integers may be given signed or unsigned, floats as Python floats or as bits; memory indices, the memory
    arguments and an empty block type may be left out.
    """

    def __init__(self) -> None:
        self._out = bytearray()
        self._lines: list[tuple[int, int, int]] = []
        self._line: tuple[int, int] | None = None

    def __call__(self, name: str, *args: Any) -> None:
        """Append an instruction."""
        if self._line is not None:
            self._mark()
        self._out += _remembered(name, *args) if name in _PLAIN else _completed(name, *args)

    @property
    def offset(self) -> int:
        """Where the next instruction will begin."""
        return len(self._out)

    def line(self, file: int, line: int) -> None:
        """What follows belongs to this line of this file (an index of the line table's files)."""
        self._line = (file, line)

    def _mark(self) -> None:
        assert self._line is not None
        mark = (len(self._out), *self._line)
        self._line = None
        if self._lines and self._lines[-1][1:] == mark[1:]:
            return
        self._lines.append(mark)

    def finish(self) -> tuple[bytes, tuple[tuple[int, int, int], ...]]:
        """The body, with its last `end`, and its line entries (offset, file, line)."""
        self._out += encode_instruction("end")
        return bytes(self._out), tuple(self._lines)
