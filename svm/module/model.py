"""A module as a value: frozen, comparable, the same whether it came from `.svmb`, `.svmt`, `.wasm` or a compiler.

Index spaces are WebAssembly's: imports of a kind come first, then the module's own.  Bodies and constant expressions
are kept as bytes (see `svm.module.code`), so that a large module is read without decoding what is never called.
Nothing here is checked; `validate` does that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from svm.isa import FUNCREF, VERSION, FuncType, ValueType
from svm.record import field, record

__all__ = [
    "INTERFACE_SECTION",
    "Capability",
    "Custom",
    "DataSegment",
    "ElementSegment",
    "Export",
    "ExternKind",
    "ExternType",
    "Function",
    "FunctionLines",
    "Global",
    "GlobalType",
    "Import",
    "Lines",
    "MemoryType",
    "Mode",
    "Module",
    "NameKind",
    "Names",
    "Origin",
    "TableType",
    "Tag",
]

INTERFACE_SECTION = "svm.interface"
"""The custom section in which an interface lies (`svm.module.interface`)."""


class ExternKind(Enum):
    """What can be imported and exported, with its code in the binary format."""

    FUNC = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4

    def __str__(self) -> str:
        return self.name.lower()


class Mode(Enum):
    """When a segment is used: at instantiation, by instructions, or (elements only) never, its functions merely
    declared.
    """

    ACTIVE = 0
    PASSIVE = 1
    DECLARATIVE = 2

    def __str__(self) -> str:
        return self.name.lower()


@record
class TableType:
    """Type of a table: its elements and how many there may be."""

    element: ValueType
    minimum: int
    maximum: int | None = None

    def __str__(self) -> str:
        return f"{self.minimum}..{'' if self.maximum is None else self.maximum} {self.element}"


@record
class MemoryType:
    """Type of a memory: how many pages of 64 KiB there may be."""

    minimum: int
    maximum: int | None = None

    def __str__(self) -> str:
        return f"{self.minimum}..{'' if self.maximum is None else self.maximum}"


@record
class GlobalType:
    """Type of a global."""

    type: ValueType
    mutable: bool = False

    def __str__(self) -> str:
        return f"mut {self.type}" if self.mutable else str(self.type)


ExternType = int | TableType | MemoryType | GlobalType
"""Type of an import: a type index for functions and tags."""


@record
class Import:
    """Something that the host or another instance must give, by module and name."""

    module: str
    name: str
    kind: ExternKind
    type: ExternType


@record
class Function:
    """A function: its type's index, its locals as (count, type) runs without the parameters, and its body.

    `body` is encoded instructions that end in `end`.
    """

    type: int
    locals: tuple[tuple[int, ValueType], ...] = ()
    body: bytes = b"\x0b"


@record
class Global:
    """A global; `init` is a constant expression that ends in `end`."""

    type: GlobalType
    init: bytes


@record
class Tag:
    """An exception tag: the index of a type that has no results."""

    type: int


@record
class Export:
    """Something that the host and other instances can reach by name."""

    name: str
    kind: ExternKind
    index: int


@record
class ElementSegment:
    """References for tables; `items` and `offset` are constant expressions.  `table` and `offset` matter if active."""

    items: tuple[bytes, ...]
    type: ValueType = FUNCREF
    mode: Mode = Mode.PASSIVE
    table: int = 0
    offset: bytes | None = None


@record
class DataSegment:
    """Bytes for memory; `offset` is a constant expression, and matters if active."""

    data: bytes
    mode: Mode = Mode.PASSIVE
    memory: int = 0
    offset: bytes | None = None


@record
class Capability:
    """Something that the module asks of its host, readable before it runs: `console`, `clock`, `entropy`, `storage`, …

    reason: for a person, may be empty.
    """

    name: str
    reason: str = ""


@record
class Custom:
    """A section that svm does not know, kept as it was."""

    name: str
    data: bytes


class NameKind(Enum):
    """What can have a name, with its code in the binary format."""

    FUNCTION = 1
    TYPE = 2
    TABLE = 3
    MEMORY = 4
    GLOBAL = 5
    TAG = 6
    ELEMENT = 7
    DATA = 8

    def __str__(self) -> str:
        return self.name.lower()


@record
class Names:
    """Names for people: of the module, of indices by kind, and of locals.  They mean nothing to the program.

    items: (kind, index, name).  locals: (function index, local index, name).
    """

    module: str = ""
    items: tuple[tuple[NameKind, int, str], ...] = ()
    locals: tuple[tuple[int, int, str], ...] = ()

    def of(self, kind: NameKind) -> dict[int, str]:
        """Index to name, for one kind."""
        return {index: name for item, index, name in self.items if item is kind}


@record
class FunctionLines:
    """Source lines of one function: (body offset, file index, line from 1), offsets ascending; each holds until the
    next.
    """

    function: int
    entries: tuple[tuple[int, int, int], ...]


@record
class Lines:
    """The line table: source files, and the lines of functions in order of their index."""

    files: tuple[str, ...] = ()
    functions: tuple[FunctionLines, ...] = ()


@record
class Origin:
    """What a module from a `.wasm` keeps of its file besides.  Its bodies may not use svm's own instructions.

    data_count: whether the data segments are counted before the code; otherwise no body may name one.  lines: gives
    the line table of the debug information, which is only read when it is asked for.
    """

    data_count: bool
    lines: Callable[[], Lines] | None = None


@record
class Module:
    """A whole module.  digest: that of the file (`svm.digest`) that it was read from, in hexadecimal, if it was.

    origin: of a module from a `.wasm`.
    """

    types: tuple[FuncType, ...] = ()
    imports: tuple[Import, ...] = ()
    functions: tuple[Function, ...] = ()
    tables: tuple[TableType, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    tags: tuple[Tag, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elements: tuple[ElementSegment, ...] = ()
    data: tuple[DataSegment, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    names: Names = field(default=Names())
    lines: Lines = field(default=Lines())
    customs: tuple[Custom, ...] = ()
    version: int = VERSION
    digest: str | None = field(default=None, compare=False, repr=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def imported(self, kind: ExternKind) -> tuple[Import, ...]:
        """The imports of a kind, in order of their index."""
        return tuple(item for item in self.imports if item.kind is kind)
