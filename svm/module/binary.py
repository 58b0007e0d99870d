"""The `.svmb` format: a module to bytes and back (docs/svmb.md describes it).

`decode(encode(module)) == module` for every module.  `decode` raises MalformedError, with section, entry and file
offset, for whatever is no module; it never reads past the bytes, and allocates no more than a small multiple of them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from svm import limits
from svm.errors import MalformedError, Place
from svm.isa import VERSION, FuncType, ValueType
from svm.module.leb import read_u32, unsigned
from svm.module.model import (
    Capability,
    Custom,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    ExternType,
    Function,
    FunctionLines,
    Global,
    GlobalType,
    Import,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    Names,
    TableType,
    Tag,
)
from svm.module.pieces import (
    FUNCTION_TYPE,
    capability_list,
    code,
    export,
    extern_type,
    function_type,
    line_table,
    sized,
    text,
    vector,
)

__all__ = ["MAGIC", "SECTIONS", "decode", "encode"]

MAGIC = b"\0svm"
SECTIONS = (
    "custom",
    "capability",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "tag",
    "global",
    "export",
    "start",
    "element",
    "data",
    "code",
    "name",
    "line",
)
"""Names of the sections by their code, which is also their order in a file; custom sections may stand anywhere."""

_VALUE_TYPES = {int(kind): kind for kind in ValueType}

T = TypeVar("T")


def _element(item: ElementSegment) -> bytes:
    out = bytes((item.mode.value, item.type))
    if item.mode is Mode.ACTIVE:
        out += unsigned(item.table) + sized(item.offset or b"")
    return out + vector([sized(expression) for expression in item.items])


def _data(item: DataSegment) -> bytes:
    out = bytes((item.mode.value,))
    if item.mode is Mode.ACTIVE:
        out += unsigned(item.memory) + sized(item.offset or b"")
    return out + sized(item.data)


def _names(names: Names) -> bytes:
    items = [bytes((kind.value,)) + unsigned(index) + text(name) for kind, index, name in names.items]
    inner = [unsigned(function) + unsigned(local) + text(name) for function, local, name in names.locals]
    return text(names.module) + vector(items) + vector(inner)


def encode(module: Module) -> bytes:
    """The module as a `.svmb` file.  Sections that would be empty are left out."""
    imports = [
        text(item.module) + text(item.name) + bytes((item.kind.value,)) + extern_type(item.type)
        for item in module.imports
    ]
    vectors: dict[str, list[bytes]] = {
        "type": [function_type(item) for item in module.types],
        "import": imports,
        "function": [unsigned(item.type) for item in module.functions],
        "table": [extern_type(item) for item in module.tables],
        "memory": [extern_type(item) for item in module.memories],
        "tag": [unsigned(item.type) for item in module.tags],
        "global": [extern_type(item.type) + sized(item.init) for item in module.globals],
        "export": [export(item) for item in module.exports],
        "element": [_element(item) for item in module.elements],
        "data": [_data(item) for item in module.data],
        "code": [code(item) for item in module.functions],
    }
    payloads = {name: vector(items) for name, items in vectors.items() if items}
    if module.capabilities:
        payloads["capability"] = capability_list(module.capabilities)
    if module.start is not None:
        payloads["start"] = unsigned(module.start)
    if module.names != Names():
        payloads["name"] = _names(module.names)
    if module.lines != Lines():
        payloads["line"] = line_table(module.lines)
    out = bytearray(MAGIC + module.version.to_bytes(4, "little"))
    for number, name in enumerate(SECTIONS):
        if name in payloads:
            out += bytes((number,)) + sized(payloads[name])
    for item in module.customs:
        out += bytes((0,)) + sized(text(item.name) + item.data)
    return bytes(out)


class _Reader:
    """Reads one section; every failure names section, entry and file offset."""

    def __init__(self, data: bytes, at: int, end: int, section: str | None) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.section = section
        self.item: int | None = None

    def fail(self, message: str, offset: int | None = None) -> MalformedError:
        return MalformedError(
            message, Place(section=self.section, item=self.item, offset=self.at if offset is None else offset)
        )

    def byte(self) -> int:
        if self.at >= self.end:
            raise self.fail("unexpected end")
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        try:
            value, at = read_u32(self.data, self.at)
        except MalformedError as error:
            raise self.fail(error.message) from None
        if at > self.end:
            raise self.fail("unexpected end of an integer")
        self.at = at
        return value

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise self.fail(f"unexpected end: {size} bytes expected, {self.end - self.at} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def blob(self) -> bytes:
        return self.take(self.u32())

    def text(self) -> str:
        start = self.at
        size = self.u32()
        if size > limits.MAX_NAME_BYTES:
            raise self.fail(f"a name of {size} bytes is longer than {limits.MAX_NAME_BYTES}", start)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise self.fail("malformed UTF-8 encoding", start) from None

    def vector(self, read: Callable[[], T], most: int) -> tuple[T, ...]:
        start = self.at
        count = self.u32()
        if count > most:
            raise self.fail(f"{count} entries are more than the limit of {most}", start)
        if count > self.end - self.at:
            raise self.fail(f"unexpected end: {count} entries expected", start)
        out = []
        outer = self.item
        for index in range(count):
            if outer is None:
                self.item = index
            out.append(read())
        self.item = outer
        return tuple(out)

    def choice(self, table: dict[int, T], what: str) -> T:
        start = self.at
        code = self.byte()
        if code not in table:
            raise self.fail(f"{code:#04x} is no {what}", start)
        return table[code]

    # Pieces of the model

    def value_type(self) -> ValueType:
        return self.choice(_VALUE_TYPES, "value type")

    def bounds(self) -> tuple[int, int | None]:
        bounded = self.choice({0: False, 1: True}, "flag of bounds")
        minimum = self.u32()
        return minimum, self.u32() if bounded else None

    def table_type(self) -> TableType:
        return TableType(self.value_type(), *self.bounds())

    def memory_type(self) -> MemoryType:
        return MemoryType(*self.bounds())

    def global_type(self) -> GlobalType:
        return GlobalType(self.value_type(), self.choice({0: False, 1: True}, "mutability"))

    def extern_kind(self) -> ExternKind:
        return self.choice({kind.value: kind for kind in ExternKind}, "kind of import or export")

    def mode(self) -> Mode:
        return self.choice({mode.value: mode for mode in Mode}, "segment mode")

    def function_type(self) -> FuncType:
        self.choice({FUNCTION_TYPE: None}, "function type")
        params = self.vector(self.value_type, limits.MAX_CALL_PARAMS)
        return FuncType(params, self.vector(self.value_type, limits.MAX_CALL_RESULTS))

    def import_(self) -> Import:
        module, name, kind = self.text(), self.text(), self.extern_kind()
        readers: dict[ExternKind, Callable[[], ExternType]] = {
            ExternKind.TABLE: self.table_type,
            ExternKind.MEMORY: self.memory_type,
            ExternKind.GLOBAL: self.global_type,
        }
        return Import(module, name, kind, readers.get(kind, self.u32)())

    def global_(self) -> Global:
        return Global(self.global_type(), self.blob())

    def export(self) -> Export:
        return Export(self.text(), self.extern_kind(), self.u32())

    def element(self) -> ElementSegment:
        mode, kind = self.mode(), self.value_type()
        table, offset = (self.u32(), self.blob()) if mode is Mode.ACTIVE else (0, None)
        return ElementSegment(self.vector(self.blob, limits.MAX_TABLE_ELEMENTS), kind, mode, table, offset)

    def data_(self) -> DataSegment:
        mode = self.mode()
        memory, offset = (self.u32(), self.blob()) if mode is Mode.ACTIVE else (0, None)
        return DataSegment(self.blob(), mode, memory, offset)

    def code(self) -> tuple[tuple[tuple[int, ValueType], ...], bytes]:
        start = self.at
        size = self.u32()
        if size > limits.MAX_BODY_BYTES:
            raise self.fail(f"a body of {size} bytes is longer than {limits.MAX_BODY_BYTES}", start)
        if size > self.end - self.at:
            raise self.fail(f"unexpected end: {size} bytes expected, {self.end - self.at} left", start)
        inner = _Reader(self.data, self.at, self.at + size, self.section)
        inner.item = self.item
        runs = inner.vector(lambda: (inner.u32(), inner.value_type()), limits.MAX_LOCALS)
        self.at += size
        return runs, inner.take(inner.end - inner.at)

    def capability(self) -> Capability:
        return Capability(self.text(), self.text())

    def names(self) -> Names:
        kinds = {kind.value: kind for kind in NameKind}
        most = limits.MAX_FUNCTIONS * len(NameKind)
        module = self.text()
        items = self.vector(lambda: (self.choice(kinds, "kind of name"), self.u32(), self.text()), most)
        return Names(module, items, self.vector(lambda: (self.u32(), self.u32(), self.text()), most))

    def lines(self) -> Lines:
        files = self.vector(self.text, limits.MAX_FUNCTIONS)
        return Lines(files, self.vector(self.function_lines, limits.MAX_FUNCTIONS))

    def function_lines(self) -> FunctionLines:
        function = self.u32()
        offset = line = 0

        def entry() -> tuple[int, int, int]:
            nonlocal offset, line
            offset += self.u32()
            file, step = self.u32(), self.u32()
            line += -(step + 1 >> 1) if step & 1 else step >> 1
            return offset, file, line

        return FunctionLines(function, self.vector(entry, limits.MAX_BODY_BYTES))


def _read_section(reader: _Reader, name: str, parts: dict[str, object]) -> None:
    vectors: dict[str, tuple[Callable[[], object], int]] = {
        "capability": (reader.capability, limits.MAX_IMPORTS),
        "type": (reader.function_type, limits.MAX_TYPES),
        "import": (reader.import_, limits.MAX_IMPORTS),
        "function": (reader.u32, limits.MAX_FUNCTIONS),
        "table": (reader.table_type, limits.MAX_TABLES),
        "memory": (reader.memory_type, limits.MAX_IMPORTS),
        "tag": (lambda: Tag(reader.u32()), limits.MAX_TAGS),
        "global": (reader.global_, limits.MAX_GLOBALS),
        "export": (reader.export, limits.MAX_EXPORTS),
        "element": (reader.element, limits.MAX_ELEMENT_SEGMENTS),
        "data": (reader.data_, limits.MAX_DATA_SEGMENTS),
        "code": (reader.code, limits.MAX_FUNCTIONS),
    }
    if name in vectors:
        read, most = vectors[name]
        parts[name] = reader.vector(read, most)
    else:
        parts[name] = {"start": reader.u32, "name": reader.names, "line": reader.lines}[name]()
    if reader.at != reader.end:
        raise reader.fail(f"section size mismatch: {reader.end - reader.at} bytes are left over")


def _sections(data: bytes, parts: dict[str, object]) -> tuple[Custom, ...]:
    customs: list[Custom] = []
    at, last = len(MAGIC) + 4, 0
    while at < len(data):
        header = _Reader(data, at, len(data), None)
        code, size = header.byte(), header.u32()
        if code >= len(SECTIONS):
            raise header.fail(f"malformed section id {code}", at)
        if size > len(data) - header.at:
            raise header.fail(
                f"the {SECTIONS[code]} section has {size} bytes, but only {len(data) - header.at} are left", at
            )
        reader = _Reader(data, header.at, header.at + size, SECTIONS[code])
        at = reader.end
        if code == 0:
            if len(customs) == limits.MAX_CUSTOM_SECTIONS:
                raise reader.fail(f"more custom sections than the limit of {limits.MAX_CUSTOM_SECTIONS}")
            customs.append(Custom(reader.text(), reader.take(reader.end - reader.at)))
            continue
        if code <= last:
            why = "stands twice" if SECTIONS[code] in parts else f"must stand before the {SECTIONS[last]} section"
            raise reader.fail(f"the {SECTIONS[code]} section {why}", header.at)
        last = code
        _read_section(reader, SECTIONS[code], parts)
    return tuple(customs)


def decode(data: bytes) -> Module:
    """The module in the bytes of a `.svmb` file.

    Raises MalformedError where they are none.  Bodies are not looked into: `validate` does that.
    """
    data = bytes(data)
    if len(data) > limits.MAX_MODULE_BYTES:
        raise MalformedError(f"a file of {len(data)} bytes is larger than the limit of {limits.MAX_MODULE_BYTES}")
    if data[: len(MAGIC)] != MAGIC:
        raise MalformedError("magic header not detected: this is no .svmb file", Place(offset=0))
    if len(data) < len(MAGIC) + 4:
        raise MalformedError("unexpected end of the header", Place(offset=len(data)))
    version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "little")
    if version != VERSION:
        raise MalformedError(
            f"version {version} of the format is not known; this svm knows {VERSION}", Place(offset=len(MAGIC))
        )
    parts: dict[str, object] = {}
    customs = _sections(data, parts)
    types, codes = parts.pop("function", ()), parts.pop("code", ())
    assert isinstance(types, tuple) and isinstance(codes, tuple)
    if len(types) != len(codes):
        raise MalformedError(f"{len(types)} functions are declared, but {len(codes)} have code", Place(section="code"))
    renamed = {
        "capability": "capabilities",
        "type": "types",
        "import": "imports",
        "table": "tables",
        "memory": "memories",
        "tag": "tags",
        "global": "globals",
        "export": "exports",
        "element": "elements",
        "name": "names",
        "line": "lines",
    }
    functions = tuple(Function(kind, runs, body) for kind, (runs, body) in zip(types, codes, strict=True))
    fields = {renamed.get(name, name): part for name, part in parts.items()}
    return Module(functions=functions, customs=customs, version=version, digest=sha256(data).hexdigest(), **fields)  # type: ignore[arg-type]  # by section name
