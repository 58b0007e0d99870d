"""Modules as WebAssembly binaries, for an outside oracle: the container only, as bodies are encoded alike.

In comes a module without svm's own instructions, out come the bytes of a `.wasm` with its names, lines and capabilities
left out (WebAssembly core 2.0, chapter 5; tags as in the exception handling proposal).
"""

from __future__ import annotations

from collections.abc import Iterable

from svm.isa import FUNCREF, FuncType
from svm.module import (
    DataSegment,
    ElementSegment,
    Function,
    GlobalType,
    Import,
    MemoryType,
    Mode,
    Module,
    TableType,
)
from svm.module.leb import unsigned

__all__ = ["write_wasm"]


def write_wasm(module: Module) -> bytes:
    """The module as a `.wasm` file."""
    out = b"\0asm\x01\0\0\0"
    out += section(1, map(function_type, module.types))
    out += section(2, map(import_, module.imports))
    out += section(3, (unsigned(item.type) for item in module.functions))
    out += section(4, map(table_type, module.tables))
    out += section(5, map(memory_type, module.memories))
    out += section(13, (b"\0" + unsigned(item.type) for item in module.tags))
    out += section(6, (global_type(item.type) + item.init for item in module.globals))
    out += section(7, (text(item.name) + bytes((item.kind.value,)) + unsigned(item.index) for item in module.exports))
    if module.start is not None:
        out += raw_section(8, unsigned(module.start))
    out += section(9, map(element_segment, module.elements))
    if module.data:
        out += raw_section(12, unsigned(len(module.data)))
    out += section(10, map(code, module.functions))
    out += section(11, map(data_segment, module.data))
    return out


def raw_section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + unsigned(len(content)) + content


def section(number: int, items: Iterable[bytes]) -> bytes:
    found = list(items)
    return raw_section(number, unsigned(len(found)) + b"".join(found)) if found else b""


def text(value: str) -> bytes:
    data = value.encode()
    return unsigned(len(data)) + data


def function_type(kind: FuncType) -> bytes:
    return b"\x60" + unsigned(len(kind.params)) + bytes(kind.params) + unsigned(len(kind.results)) + bytes(kind.results)


def limits(minimum: int, maximum: int | None) -> bytes:
    return b"\0" + unsigned(minimum) if maximum is None else b"\1" + unsigned(minimum) + unsigned(maximum)


def table_type(kind: TableType) -> bytes:
    return bytes((kind.element,)) + limits(kind.minimum, kind.maximum)


def memory_type(kind: MemoryType) -> bytes:
    return limits(kind.minimum, kind.maximum)


def global_type(kind: GlobalType) -> bytes:
    return bytes((kind.type, kind.mutable))


def import_(item: Import) -> bytes:
    kinds = {TableType: table_type, MemoryType: memory_type, GlobalType: global_type, int: unsigned}
    described = kinds[type(item.type)](item.type)  # type: ignore[operator]  # each takes its own kind
    return text(item.module) + text(item.name) + bytes((item.kind.value,)) + described


def element_segment(item: ElementSegment) -> bytes:
    items = unsigned(len(item.items)) + b"".join(item.items)
    if item.mode is Mode.ACTIVE:
        assert item.offset is not None
        return b"\x06" + unsigned(item.table) + item.offset + bytes((item.type,)) + items
    return (b"\x05" if item.mode is Mode.PASSIVE else b"\x07") + bytes((item.type or FUNCREF,)) + items


def data_segment(item: DataSegment) -> bytes:
    head = b"\1" if item.mode is Mode.PASSIVE else b"\0" + (item.offset or b"")
    return head + unsigned(len(item.data)) + item.data


def code(item: Function) -> bytes:
    runs = b"".join(unsigned(count) + bytes((kind,)) for count, kind in item.locals)
    content = unsigned(len(item.locals)) + runs + item.body
    return unsigned(len(content)) + content
