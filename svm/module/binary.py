"""The `.svmb` format: a module to bytes and back (docs/svmb.md describes it).

`decode(encode(module)) == module` for every module.  `decode` raises MalformedError, with section, entry and file
offset, for whatever is no module; it never reads past the bytes, and allocates no more than a small multiple of them.
"""

from __future__ import annotations

from collections.abc import Callable

from svm import limits
from svm.digest import digest
from svm.errors import MalformedError, Place
from svm.isa import VERSION
from svm.module.leb import unsigned
from svm.module.model import (
    Custom,
    DataSegment,
    ElementSegment,
    Function,
    Global,
    Lines,
    Mode,
    Module,
    NameKind,
    Names,
    Tag,
)
from svm.module.pieces import (
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
from svm.module.reader import Reader, sections

__all__ = ["MAGIC", "NUMBERED", "SECTIONS", "decode", "encode"]

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

NUMBERED = dict(enumerate(SECTIONS))


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


class _Reader(Reader):
    """Reads the sections of a `.svmb`."""

    def mode(self) -> Mode:
        return self.choice({mode.value: mode for mode in Mode}, "segment mode")

    def global_(self) -> Global:
        return Global(self.global_type(), self.blob())

    def element(self) -> ElementSegment:
        mode, kind = self.mode(), self.value_type()
        table, offset = (self.u32(), self.blob()) if mode is Mode.ACTIVE else (0, None)
        return ElementSegment(self.vector(self.blob, limits.MAX_TABLE_ELEMENTS), kind, mode, table, offset)

    def data_(self) -> DataSegment:
        mode = self.mode()
        memory, offset = (self.u32(), self.blob()) if mode is Mode.ACTIVE else (0, None)
        return DataSegment(self.blob(), mode, memory, offset)

    def names(self) -> Names:
        kinds = {kind.value: kind for kind in NameKind}
        most = limits.MAX_FUNCTIONS * len(NameKind)
        module = self.text()
        items = self.vector(lambda: (self.choice(kinds, "kind of name"), self.u32(), self.text()), most)
        return Names(module, items, self.vector(lambda: (self.u32(), self.u32(), self.text()), most))


def _read_section(reader: _Reader, name: str, parts: dict[str, object]) -> None:
    vectors: dict[str, tuple[Callable[[], object], int]] = {
        "capability": (reader.capability, limits.MAX_IMPORTS),
        "type": (reader.function_type, limits.MAX_TYPES),
        "import": (reader.import_, limits.MAX_IMPORTS),
        "function": (reader.u32, limits.MAX_FUNCTIONS),
        "table": (reader.table_type, limits.MAX_TABLES),
        "memory": (reader.memory_type, limits.MAX_IMPORTS),
        "tag": (lambda: Tag(reader.tag_type()), limits.MAX_TAGS),
        "global": (reader.global_, limits.MAX_GLOBALS),
        "export": (reader.export, limits.MAX_EXPORTS),
        "element": (reader.element, limits.MAX_ELEMENT_SEGMENTS),
        "data": (reader.data_, limits.MAX_DATA_SEGMENTS),
        "code": (reader.body, limits.MAX_FUNCTIONS),
    }
    if name in vectors:
        read, most = vectors[name]
        parts[name] = reader.vector(read, most)
    else:
        parts[name] = {"start": reader.u32, "name": reader.names, "line": reader.lines}[name]()
    reader.finish()


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
    customs: list[Custom] = []
    for name, at, end in sections(data, len(MAGIC) + 4, NUMBERED):
        reader = _Reader(data, at, end, name)
        if name == SECTIONS[0]:
            customs.append(Custom(reader.text(), reader.rest()))
        else:
            _read_section(reader, name, parts)
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
    own = digest(data).hex()
    return Module(functions=functions, customs=tuple(customs), version=version, digest=own, **fields)  # type: ignore[arg-type]  # by section name
