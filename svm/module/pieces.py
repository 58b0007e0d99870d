"""Pieces of modules as bytes, those that `.svmb` and `.wasm` have alike.

In come parts of the model, out come the bytes that both containers hold for them.  How an integer, a text, a type or a
function is written stands here once; what only one of the formats has stands with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from svm.isa import FuncType
from svm.module.leb import unsigned
from svm.module.model import (
    Capability,
    Export,
    ExternType,
    Function,
    GlobalType,
    Lines,
    MemoryType,
    TableType,
)

__all__ = [
    "FUNCTION_TYPE",
    "capability_list",
    "code",
    "export",
    "extern_type",
    "function_type",
    "line_table",
    "sized",
    "text",
    "vector",
]

FUNCTION_TYPE = 0x60
"""The byte that a function type begins with."""


def vector(items: Sequence[bytes]) -> bytes:
    """A count, then the items."""
    return unsigned(len(items)) + b"".join(items)


def sized(data: bytes) -> bytes:
    """A length, then the bytes."""
    return unsigned(len(data)) + data


def text(value: str) -> bytes:
    """A length, then UTF-8."""
    return sized(value.encode())


def _bounds(minimum: int, maximum: int | None) -> bytes:
    return bytes((0,)) + unsigned(minimum) if maximum is None else bytes((1,)) + unsigned(minimum) + unsigned(maximum)


def extern_type(kind: ExternType) -> bytes:
    """The type of a table, memory or global; of a function or tag, the index of its type."""
    match kind:
        case TableType(element, minimum, maximum):
            return bytes((element,)) + _bounds(minimum, maximum)
        case MemoryType(minimum, maximum):
            return _bounds(minimum, maximum)
        case GlobalType(value, mutable):
            return bytes((value, mutable))
    return unsigned(kind)


def function_type(item: FuncType) -> bytes:
    """A function type."""
    return bytes((FUNCTION_TYPE,)) + sized(bytes(item.params)) + sized(bytes(item.results))


def export(item: Export) -> bytes:
    """An export."""
    return text(item.name) + bytes((item.kind.value,)) + unsigned(item.index)


def code(item: Function) -> bytes:
    """A function's locals and body, with their length before them."""
    runs = [unsigned(count) + bytes((kind,)) for count, kind in item.locals]
    return sized(vector(runs) + item.body)


def capability_list(items: Sequence[Capability]) -> bytes:
    """What a module asks of its host."""
    return vector([text(item.name) + text(item.reason) for item in items])


def line_table(lines: Lines) -> bytes:
    """The line table.  Offsets and lines ascend mostly, so both are written as differences (lines zigzag-coded)."""
    functions = []
    for item in lines.functions:
        entries, last_offset, last_line = [], 0, 0
        for offset, file, line in item.entries:
            step = line - last_line
            entries.append(
                unsigned(offset - last_offset) + unsigned(file) + unsigned(step << 1 if step >= 0 else (-step << 1) - 1)
            )
            last_offset, last_line = offset, line
        functions.append(unsigned(item.function) + vector(entries))
    return vector([text(file) for file in lines.files]) + vector(functions)
