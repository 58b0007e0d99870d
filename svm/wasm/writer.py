"""`write`: a module to a `.wasm` file (docs/wasm.md says what comes out).

In comes any module, out come the bytes of one for any runtime of WebAssembly: core 2.0, with the exception-handling
proposal's tags, `throw` and `try_table` where the module uses them.  Bodies need no encoding, for ours is
WebAssembly's; `expand` has replaced what WebAssembly does not have.
"""

from __future__ import annotations

import re
from itertools import groupby

from svm.isa import FUNCREF, OPS
from svm.module import (
    DataSegment,
    ElementSegment,
    ExternKind,
    Import,
    Lines,
    Mode,
    Module,
    NameKind,
    Names,
    constant,
)
from svm.module.leb import read_u32, unsigned
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
from svm.wasm.alone import stand_alone
from svm.wasm.expand import expand
from svm.wasm.layout import (
    CAPABILITY_SECTION,
    HEADER,
    LINE_SECTION,
    LOCAL_NAMES,
    MODULE_NAME,
    NAME_KINDS,
    NAME_SECTION,
    SECTIONS,
    TAG_ATTRIBUTE,
)

__all__ = ["write"]

# memory.init or data.drop, or bytes that look so: then a count of the data segments must stand before the code.
_USES_DATA = re.compile(rb"\xfc[\x08\x09\x88\x89]")


def write(module: Module) -> bytes:
    """The module as a `.wasm` file.  It should be valid; bodies are not looked into but for our own instructions.

    Raises InvalidError where a function outgrows a limit without them, MalformedError for a body that is no code.
    """
    module = expand(stand_alone(module))
    vectors: dict[str, list[bytes]] = {
        "type": [function_type(item) for item in module.types],
        "import": [_import(item) for item in module.imports],
        "function": [unsigned(item.type) for item in module.functions],
        "table": [extern_type(item) for item in module.tables],
        "memory": [extern_type(item) for item in module.memories],
        "tag": [bytes((TAG_ATTRIBUTE,)) + unsigned(item.type) for item in module.tags],
        "global": [extern_type(item.type) + item.init for item in module.globals],
        "export": [export(item) for item in module.exports],
        "element": [_element(item) for item in module.elements],
        "code": [code(item) for item in module.functions],
        "data": [_data(item) for item in module.data],
    }
    payloads = {name: vector(items) for name, items in vectors.items() if items}
    if module.start is not None:
        payloads["start"] = unsigned(module.start)
    if module.data and any(_USES_DATA.search(item.body) for item in module.functions):
        payloads["data count"] = unsigned(len(module.data))
    out = bytearray(HEADER)
    for name, number in SECTIONS.items():
        if name in payloads:
            out += bytes((number,)) + sized(payloads[name])
    for name, data in _customs(module):
        out += b"\0" + sized(text(name) + data)
    return bytes(out)


def _import(item: Import) -> bytes:
    attribute = bytes((TAG_ATTRIBUTE,)) if item.kind is ExternKind.TAG else b""
    return text(item.module) + text(item.name) + bytes((item.kind.value,)) + attribute + extern_type(item.type)


# The first byte of an element segment says what follows: bit 0 that it is not active, bit 1 that its table (or that it
# is declarative) and type are given, bit 2 that it holds expressions and not indices of functions.
_ELEMENT_MODES = {Mode.ACTIVE: 0, Mode.PASSIVE: 1, Mode.DECLARATIVE: 3}
_GIVEN, _EXPRESSIONS = 2, 4
_FUNCTIONS = 0  # the kind of elements that are given as indices
_REF_FUNC = bytes((OPS["ref.func"].code,))


def _element(item: ElementSegment) -> bytes:
    """An element segment: by indices of functions where it can be, as older runtimes know only those."""
    indices = _function_indices(item)
    flags = _ELEMENT_MODES[item.mode] | (0 if indices is not None else _EXPRESSIONS)
    out = b""
    if item.mode is Mode.ACTIVE:
        if item.table or item.type is not FUNCREF:
            flags |= _GIVEN
            out += unsigned(item.table)
        out += item.offset or b""
    if flags & (_GIVEN | _ELEMENT_MODES[Mode.PASSIVE]):
        out += bytes((_FUNCTIONS if indices is not None else item.type,))
    items = [unsigned(index) for index in indices] if indices is not None else list(item.items)
    return bytes((flags,)) + out + vector(items)


def _function_indices(item: ElementSegment) -> list[int] | None:
    """What the segment's expressions name, if each is the shortest encoding of a `ref.func`."""
    if item.type is not FUNCREF:
        return None
    found = []
    for expression in item.items:
        if expression[:1] != _REF_FUNC:
            return None
        index, _ = read_u32(expression, 1)
        if expression != constant("ref.func", index):
            return None
        found.append(index)
    return found


_PASSIVE_DATA, _DATA_OF = 1, 2


def _data(item: DataSegment) -> bytes:
    if item.mode is Mode.PASSIVE:
        return bytes((_PASSIVE_DATA,)) + sized(item.data)
    where = bytes((_DATA_OF,)) + unsigned(item.memory) if item.memory else b"\0"
    return where + (item.offset or b"") + sized(item.data)


def _customs(module: Module) -> list[tuple[str, bytes]]:
    """The custom sections: names, what is svm's own, and those that svm does not know."""
    found = []
    if module.names != Names():
        found.append((NAME_SECTION, _names(module.names)))
    if module.capabilities:
        found.append((CAPABILITY_SECTION, capability_list(module.capabilities)))
    if module.lines != Lines():
        found.append((LINE_SECTION, line_table(module.lines)))
    return found + [(item.name, item.data) for item in module.customs]


def _names(names: Names) -> bytes:
    """The name section: a subsection for each kind, in which indices ascend and each has one name."""
    parts = {NAME_KINDS[kind]: _name_map(names.of(kind)) for kind in NameKind if names.of(kind)}
    if names.module:
        parts[MODULE_NAME] = text(names.module)
    if names.locals:
        functions = groupby(sorted(names.locals, key=lambda entry: entry[0]), key=lambda entry: entry[0])
        parts[LOCAL_NAMES] = vector(
            [
                unsigned(function) + _name_map({local: name for _, local, name in entries})
                for function, entries in functions
            ]
        )
    return b"".join(bytes((number,)) + sized(parts[number]) for number in sorted(parts))


def _name_map(names: dict[int, str]) -> bytes:
    return vector([unsigned(index) + text(names[index]) for index in sorted(names)])
