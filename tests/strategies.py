"""Hypothesis strategies for modules and their parts, driven by the instruction table.

`modules()` gives any module that the binary format can hold: most are invalid, many are odd (names in any order, line
tables that point nowhere, bodies that are no instructions), so that reading and writing is tried on all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from svm.errors import MalformedError
from svm.isa import OPS, REFERENCE_TYPES, FuncType, Immediate, Op, ValueType
from svm.module import (
    Capability,
    Custom,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Function,
    FunctionLines,
    Global,
    GlobalType,
    Import,
    Instruction,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    Names,
    TableType,
    Tag,
    decode_body,
    encode_body,
)

u32 = st.integers(0, 2**32 - 1)
small = st.integers(0, 4)
indices = st.one_of(small, small, u32)
texts = st.one_of(
    st.sampled_from(["", "a", "b", "fib", "a b", 'q"uo\\te', "new\nline", "ünï", "\U0001f40d", "x" * 200, "12", "$"]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
value_types = st.sampled_from(list(ValueType))
reference_types = st.sampled_from(sorted(REFERENCE_TYPES))


def _double(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


f32_bits = st.one_of(u32, st.sampled_from([0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001, 0x7F80_0000, 0x8000_0000, 1]))
f64_bits = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0x7FF8 << 48, 0xFFF8 << 48, (0x7FF0 << 48) + 1, 0x7FF0 << 48, 1 << 63, 1]),
    st.floats(allow_nan=False).map(_double),
)
_catches = st.one_of(st.tuples(st.just("catch"), indices, indices), st.tuples(st.just("catch_all"), indices))

IMMEDIATES: dict[Immediate, st.SearchStrategy[Any]] = {
    **dict.fromkeys(Immediate, indices),
    Immediate.BLOCK: st.one_of(st.none(), value_types, indices),
    Immediate.LABELS: st.lists(indices, max_size=4).map(tuple),
    Immediate.MEMORY: st.just(0),
    Immediate.I32: st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, -1, -(2**31), 2**31 - 1, 63, 64])),
    Immediate.I64: st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, -1, -(2**63), 2**63 - 1, -64])),
    Immediate.F32: f32_bits,
    Immediate.F64: f64_bits,
    Immediate.REFTYPE: reference_types,
    Immediate.TYPES: st.lists(value_types, max_size=3).map(tuple),
    Immediate.CATCHES: st.lists(_catches, max_size=3).map(tuple),
}


def instruction(op: Op) -> st.SearchStrategy[Instruction]:
    """An instruction with any immediates."""
    parts: list[st.SearchStrategy[Any]] = []
    for kind in op.immediates:
        parts.extend((small, indices) if kind is Immediate.MEMARG else (IMMEDIATES[kind],))
    return st.tuples(*parts).map(lambda args: Instruction(op, args))


instructions = st.sampled_from(list(OPS.values())).flatmap(instruction)
END = Instruction(OPS["end"])


def nested(found: Iterable[Instruction]) -> list[Instruction]:
    """Instructions with ends dropped and added until every block, and the body, ends where it must."""
    out, depth = [], 0
    for each in found:
        if each.op.name == "end":
            if not depth:
                continue
            depth -= 1
        depth += Immediate.BLOCK in each.op.immediates
        out.append(each)
    return out + [END] * (depth + 1)


code = st.lists(instructions, max_size=12).map(nested)
# Instructions and bytes in no order; integers that are longer than they need be.
odd_bodies = st.one_of(
    st.lists(instructions, max_size=4).map(encode_body),
    st.binary(max_size=12),
    st.sampled_from([b"", b"\x41\x80\x00\x0b", b"\x02\x40\x41\x85\x80\x00\x0c\x81\x00\x0b\x0b"]),
)
bodies = st.one_of(code.map(encode_body), code.map(encode_body), odd_bodies)
_CONSTANT = [OPS[name] for name in ("i32.const", "i64.const", "f64.const", "ref.func", "ref.null", "global.get")]
constants = st.one_of(
    st.sampled_from(_CONSTANT).flatmap(instruction).map(lambda each: encode_body([each, END])),
    bodies,
)

types = st.builds(FuncType, *[st.lists(value_types, max_size=4).map(tuple)] * 2)
bounds = st.tuples(indices, st.none() | indices)
table_types = st.builds(lambda kind, size: TableType(kind, *size), value_types, bounds)
memory_types = bounds.map(lambda size: MemoryType(*size))
global_types = st.builds(GlobalType, value_types, st.booleans())
EXTERNS: dict[ExternKind, st.SearchStrategy[Any]] = {
    ExternKind.FUNC: indices,
    ExternKind.TABLE: table_types,
    ExternKind.MEMORY: memory_types,
    ExternKind.GLOBAL: global_types,
    ExternKind.TAG: indices,
}
imports = st.sampled_from(ExternKind).flatmap(
    lambda kind: st.builds(Import, texts, texts, st.just(kind), EXTERNS[kind])
)
functions = st.builds(
    Function,
    small,
    st.lists(st.tuples(st.one_of(small, u32), value_types), max_size=3).map(tuple),
    bodies,
)
modes = st.sampled_from(Mode)


@st.composite
def elements(draw: st.DrawFn) -> ElementSegment:
    """An element segment of any mode; only an active one has a place."""
    mode = draw(modes)
    place = (draw(indices), draw(constants)) if mode is Mode.ACTIVE else (0, None)
    return ElementSegment(tuple(draw(st.lists(constants, max_size=3))), draw(value_types), mode, *place)


@st.composite
def data_segments(draw: st.DrawFn) -> DataSegment:
    """A data segment of any mode."""
    mode = draw(modes)
    place = (draw(indices), draw(constants)) if mode is Mode.ACTIVE else (0, None)
    return DataSegment(draw(st.binary(max_size=100)), mode, *place)


def _places(body: bytes) -> list[int]:
    try:
        return [each.offset for each in decode_body(body)]
    except MalformedError:
        return []


@st.composite
def lines_of(draw: st.DrawFn, own: tuple[Function, ...], first: int) -> Lines:
    """A line table: mostly one as compilers make, sometimes one that fits nothing."""
    files = tuple(draw(st.lists(texts, max_size=3)))
    if draw(st.booleans()):
        entry = st.tuples(u32, indices, st.integers(-100, 2**30))
        odd = st.builds(FunctionLines, indices, st.lists(entry, max_size=4).map(sorted).map(tuple))
        return Lines(files, tuple(draw(st.lists(odd, max_size=3))))
    found = []
    for index, function in enumerate(own, first):
        places = _places(function.body)
        if places and draw(st.booleans()):
            offsets = sorted(draw(st.sets(st.sampled_from(places), max_size=5)))
            found.append(FunctionLines(index, tuple((at, draw(small), draw(st.integers(1, 500))) for at in offsets)))
    return Lines(files, tuple(found))


name_items = st.tuples(st.sampled_from(NameKind), indices, texts)
local_names = st.tuples(small, indices, texts)


def _maybe_sorted(items: st.SearchStrategy[Any], key: Any) -> st.SearchStrategy[Any]:
    lists = st.lists(items, max_size=8)
    return st.one_of(lists, lists.map(lambda found: sorted(found, key=key))).map(tuple)


names = st.builds(
    Names,
    texts,
    _maybe_sorted(name_items, lambda each: (each[0].value, each[1])),
    _maybe_sorted(local_names, lambda each: each[:2]),
)


def several(items: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=most).map(tuple)


@st.composite
def modules(draw: st.DrawFn) -> Module:
    """Any module that the binary format can hold."""
    own, imported = draw(several(functions)), draw(several(imports))
    return Module(
        types=draw(several(types)),
        imports=imported,
        functions=own,
        tables=draw(several(table_types, 2)),
        memories=draw(several(memory_types, 2)),
        tags=draw(several(st.builds(Tag, indices), 2)),
        globals=draw(several(st.builds(Global, global_types, constants), 2)),
        exports=draw(several(st.builds(Export, texts, st.sampled_from(ExternKind), indices))),
        start=draw(st.none() | indices),
        elements=draw(several(elements(), 2)),
        data=draw(several(data_segments(), 2)),
        capabilities=draw(several(st.builds(Capability, texts, texts), 2)),
        names=draw(names),
        lines=draw(lines_of(own, sum(each.kind is ExternKind.FUNC for each in imported))),
        customs=draw(several(st.builds(Custom, texts, st.binary(max_size=60)), 2)),
    )


def shortened(body: bytes) -> bytes:
    """A body in the shortest encoding of its instructions, if it has any."""
    try:
        return encode_body(decode_body(body))
    except MalformedError:
        return body
