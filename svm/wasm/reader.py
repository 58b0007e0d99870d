"""`read`: a `.wasm` file to a module.

In come the bytes of a file, out comes the model that a `.svmb` would give, unchecked: `validate` serves both.  Bodies
stay bytes, for theirs are ours.  Invariant: whatever is no module of core 2.0 with exceptions is a MalformedError with
section, entry and file offset; a feature that svm does not have is called by its name; nothing is allocated that is
not a small multiple of the file.

Source: WebAssembly core 2.0, chapter 5; tags as in the exception-handling proposal.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from svm import limits
from svm.digest import digest
from svm.errors import MalformedError, Place
from svm.isa import FUNCREF, REFERENCE_TYPES, FuncType, ValueType
from svm.isa.constants import END, REF_FUNC
from svm.module import (
    Custom,
    DataSegment,
    ElementSegment,
    ExternKind,
    Function,
    Global,
    Lines,
    Mode,
    Module,
    Origin,
    TableType,
    Tag,
)
from svm.module.constants import constant_end
from svm.module.leb import unsigned
from svm.module.reader import Reader, sections
from svm.wasm.layout import (
    CAPABILITY_SECTION,
    DEBUG_SECTIONS,
    HEADER,
    LINE_SECTION,
    NAME_SECTION,
    NUMBERED,
    TAG_ATTRIBUTE,
)
from svm.wasm.names import read_names

__all__ = ["read"]

_MAGIC = HEADER[:4]
_COMPONENT = b"\x0d\0\1\0"  # where a core module has its version

_FOREIGN_FORMS = {**dict.fromkeys((0x4E, 0x4F, 0x50, 0x5E, 0x5F), "garbage collection"), 0x5D: "stack switching"}
_FOREIGN_BOUNDS = {
    **dict.fromkeys((2, 3), "threads (shared memory)"),
    **dict.fromkeys((4, 5, 6, 7), "memory64"),
    **dict.fromkeys(range(8, 16), "custom page sizes"),
}
_TABLE_WITH_INIT = 0x40
_MOST_LOCALS = (1 << 32) - 1

# The first number of an element segment: bit 0 that it is not active; bit 1 that its table is given, or that it is
# declarative; bit 2 that it holds expressions, not indices of functions.
_NOT_ACTIVE, _GIVEN, _EXPRESSIONS = 1, 2, 4
_FUNCTIONS = {0: FUNCREF}  # the kinds of elements that are given as indices

_REF_FUNC, _END = bytes((REF_FUNC,)), bytes((END,))


class _Reader(Reader):
    """Reads the sections of a `.wasm`."""

    def feature(self, code: int, table: dict[int, str], what: str) -> None:
        """Raises MalformedError where a code belongs to a feature that svm does not have."""
        if code in table:
            raise self.fail(f"malformed {what}: {code:#04x} belongs to a feature that is not supported: {table[code]}")

    def peek(self) -> int:
        """The next byte, which is not taken; -1 at the end."""
        return self.data[self.at] if self.at < self.end else -1

    def function_type(self) -> FuncType:
        self.feature(self.peek(), _FOREIGN_FORMS, "function type")
        return super().function_type()

    def bounds(self) -> tuple[int, int | None]:
        self.feature(self.peek(), _FOREIGN_BOUNDS, "limits flags")
        return super().bounds()

    def reference_type(self) -> ValueType:
        start = self.at
        kind = self.value_type()
        if kind not in REFERENCE_TYPES:
            raise self.fail(f"malformed reference type: {kind}", start)
        return kind

    def table_type(self) -> TableType:
        self.feature(self.peek(), {_TABLE_WITH_INIT: "typed function references (initialisers of tables)"}, "table")
        return TableType(self.reference_type(), *self.bounds())

    def tag_type(self) -> int:
        self.choice({TAG_ATTRIBUTE: None}, "tag attribute")
        return self.u32()

    def expression(self) -> bytes:
        """A constant expression, up to its `end`.  Whether it is constant is for `validate` to say."""
        start = self.at
        self.at = constant_end(self.data, start) or self.long_expression(start)
        if self.at > self.end:
            raise self.fail("unexpected end of an expression", start)
        return self.data[start : self.at]

    def long_expression(self, start: int) -> int:
        """Where an expression ends that is no constant of one instruction."""
        from svm.module.code import expression_end  # here, for it needs the instruction table

        try:
            return expression_end(self.data, start)
        except MalformedError as error:
            raise self.fail(error.message, error.place.offset) from None

    def global_(self) -> Global:
        return Global(self.global_type(), self.expression())

    def element(self) -> ElementSegment:
        start = self.at
        flags = self.u32()
        if flags > _NOT_ACTIVE | _GIVEN | _EXPRESSIONS:
            raise self.fail(f"malformed elements segment kind: {flags}", start)
        mode, table, offset = Mode.ACTIVE, 0, None
        if flags & _NOT_ACTIVE:
            mode = Mode.DECLARATIVE if flags & _GIVEN else Mode.PASSIVE
        else:
            table = self.u32() if flags & _GIVEN else 0
            offset = self.expression()
        kind = FUNCREF
        if flags & (_NOT_ACTIVE | _GIVEN):
            kind = self.reference_type() if flags & _EXPRESSIONS else self.choice(_FUNCTIONS, "element kind")
        read = self.expression if flags & _EXPRESSIONS else self.function_reference({})
        return ElementSegment(self.vector(read, limits.MAX_TABLE_ELEMENTS), kind, mode, table, offset)

    def function_reference(self, known: dict[int, bytes]) -> Callable[[], bytes]:
        """A reader of indices of functions as expressions, each of which is made once."""

        def read() -> bytes:
            index = self.u32()
            found = known.get(index)
            if found is None:
                found = known[index] = _REF_FUNC + unsigned(index) + _END
            return found

        return read

    def data_(self) -> DataSegment:
        start = self.at
        flags = self.u32()
        if flags > 2:
            raise self.fail(f"malformed data segment kind: {flags}", start)
        if flags == 1:
            return DataSegment(self.blob())
        memory = self.u32() if flags == 2 else 0
        return DataSegment(mode=Mode.ACTIVE, memory=memory, offset=self.expression(), data=self.blob())

    def function(self) -> tuple[tuple[tuple[int, ValueType], ...], bytes, int]:
        """Locals, instructions, and where these begin in the file."""
        start = self.at
        runs, body = self.body()
        if sum(count for count, _ in runs) > _MOST_LOCALS:
            raise self.fail("too many locals", start)
        return runs, body, self.at - len(body)


def _read_section(reader: _Reader, name: str, parts: dict[str, Any]) -> None:
    vectors: dict[str, tuple[Callable[[], object], int]] = {
        "type": (reader.function_type, limits.MAX_TYPES),
        "import": (reader.import_, limits.MAX_IMPORTS),
        "function": (reader.u32, limits.MAX_FUNCTIONS),
        "table": (reader.table_type, limits.MAX_TABLES),
        "memory": (reader.memory_type, limits.MAX_IMPORTS),
        "tag": (lambda: Tag(reader.tag_type()), limits.MAX_TAGS),
        "global": (reader.global_, limits.MAX_GLOBALS),
        "export": (reader.export, limits.MAX_EXPORTS),
        "element": (reader.element, limits.MAX_ELEMENT_SEGMENTS),
        "code": (reader.function, limits.MAX_FUNCTIONS),
        "data": (reader.data_, limits.MAX_DATA_SEGMENTS),
    }
    if name in vectors:
        read, most = vectors[name]
        parts[name] = reader.vector(read, most)
    else:
        parts[name] = reader.u32()
    reader.finish()


def read(data: bytes) -> Module:
    """The module in the bytes of a `.wasm` file.

    Raises MalformedError where they are none.  Bodies are not looked into: `validate` does that.
    """
    data = bytes(data)
    if len(data) > limits.MAX_MODULE_BYTES:
        raise MalformedError(f"a file of {len(data)} bytes is larger than the limit of {limits.MAX_MODULE_BYTES}")
    _check_header(data)
    parts: dict[str, Any] = {}
    customs: list[Custom] = []
    code_at = 0
    for name, at, end in sections(data, len(HEADER), NUMBERED):
        reader = _Reader(data, at, end, name)
        if name == NUMBERED[0]:
            customs.append(Custom(reader.text(), reader.rest()))
            continue
        if name == "code":
            code_at = at
        _read_section(reader, name, parts)
    functions = _functions(parts.get("function", ()), parts.get("code", ()))
    segments = parts.get("data", ())
    if parts.get("data count", len(segments)) != len(segments):
        raise MalformedError(
            f"data count and data section have inconsistent lengths: {parts['data count']} and {len(segments)}",
            Place(section="data count"),
        )
    return Module(
        types=parts.get("type", ()),
        imports=parts.get("import", ()),
        functions=functions,
        tables=parts.get("table", ()),
        memories=parts.get("memory", ()),
        tags=parts.get("tag", ()),
        globals=parts.get("global", ()),
        exports=parts.get("export", ()),
        start=parts.get("start"),
        elements=parts.get("element", ()),
        data=segments,
        digest=digest(data).hex(),
        origin=Origin("data count" in parts, _debug_lines(parts, customs, code_at)),
        **_known(customs),
    )


def _debug_lines(parts: dict[str, Any], customs: list[Custom], code_at: int) -> Callable[[], Lines] | None:
    """What reads the line table of the debug information, if there is any.  code_at: where the code section begins."""
    found = {item.name: item.data for item in reversed(customs) if item.name in DEBUG_SECTIONS}
    if DEBUG_SECTIONS[0] not in found:
        return None
    from svm.wasm.dwarf import DebugLines  # here, for programs are mostly run without

    imported = sum(item.kind is ExternKind.FUNC for item in parts.get("import", ()))
    bodies = [(start - code_at, len(body)) for _, body, start in parts.get("code", ())]
    return DebugLines(found, imported, bodies)


def _check_header(data: bytes) -> None:
    version = data[len(_MAGIC) : len(HEADER)]
    if data[: len(_MAGIC)] != _MAGIC:
        raise MalformedError("magic header not detected: this is no .wasm file", Place(offset=0))
    if version == _COMPONENT:
        raise MalformedError("unknown binary version: this is a component, a feature that is not supported",
                             Place(offset=len(_MAGIC)))  # fmt: skip
    if len(version) < len(HEADER) - len(_MAGIC):
        raise MalformedError("unexpected end of the header", Place(offset=len(data)))
    if version != HEADER[len(_MAGIC) :]:
        raise MalformedError(f"unknown binary version {int.from_bytes(version, 'little')}", Place(offset=len(_MAGIC)))


def _functions(types: tuple[int, ...], codes: tuple[Any, ...]) -> tuple[Function, ...]:
    if len(types) != len(codes):
        raise MalformedError(
            f"function and code section have inconsistent lengths: {len(types)} and {len(codes)}",
            Place(section="code"),
        )
    return tuple(Function(kind, runs, body) for kind, (runs, body, _) in zip(types, codes, strict=True))


def _known(customs: list[Custom]) -> dict[str, Any]:
    """What the custom sections say that svm knows, and those that it does not.

    One that is damaged is as if it were not there: that is never an error of the module.  Of two, the first counts.
    """
    readers: dict[str, tuple[str, Callable[[Reader], Any]]] = {
        NAME_SECTION: ("names", read_names),
        CAPABILITY_SECTION: ("capabilities", lambda reader: reader.vector(reader.capability, limits.MAX_IMPORTS)),
        LINE_SECTION: ("lines", Reader.lines),
    }
    found: dict[str, Any] = {}
    for item in customs:
        if item.name in readers:
            field, read = readers[item.name]
            with suppress(MalformedError):
                reader = Reader(item.data, 0, len(item.data), item.name)
                content = read(reader)
                reader.finish()
                found.setdefault(field, content)
    return found | {"customs": tuple(item for item in customs if item.name not in readers)}
