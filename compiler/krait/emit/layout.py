"""How values and objects lie in registers and memory.

In: resolved types. Out: bytecode types, sizes, instructions that load and store, offsets of fields, type ids.

An object begins with its type id (u32) and a word for the collector; fields follow from offset 8 in order of
declaration, each naturally aligned. Type ids are numbers of the descriptor table, given so that the classes that derive
from one follow it directly: an instance test is one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from krait.check.types import (
    BOOL,
    F32,
    FLOAT,
    INT,
    NEVER,
    NONE,
    OWNED,
    U8,
    U16,
    U64,
    ClassType,
    Infer,
    Primitive,
    Type,
    base_of,
    prune,
    resolve,
)
from svm import isa

HEADER = 8
"""Bytes before the first field of an object."""
DESCRIPTOR = 16
"""Bytes of an entry of the descriptor table: u32 size, u32 type id of the base, u32 address of the name, u32 address
of the reference map (0: no references).
"""

_WIDE: dict[Type, isa.ValueType] = {INT: isa.I64, U64: isa.I64, FLOAT: isa.F64, F32: isa.F32}
_LOADS: dict[Type, str] = {
    INT: "i64.load", U64: "i64.load", FLOAT: "f64.load", F32: "f32.load",
    BOOL: "i32.load8_u", U8: "i32.load8_u", U16: "i32.load16_u",
}  # fmt: skip
_STORES: dict[Type, str] = {
    INT: "i64.store", U64: "i64.store", FLOAT: "f64.store", F32: "f32.store",
    BOOL: "i32.store8", U8: "i32.store8", U16: "i32.store16",
}  # fmt: skip


def value_type(t: Type) -> isa.ValueType | None:
    """Return the type of a value in a local or on the stack, None for a type that has no values."""
    t = _root(t)
    if t is NONE or t is NEVER:
        return None
    return _WIDE.get(t, isa.I32) if isinstance(t, Primitive) else isa.I32


def size_of(t: Type) -> int:
    """Return the bytes of a field or element."""
    t = _root(t)
    return t.size if isinstance(t, Primitive) else 4


def load_instruction(t: Type) -> tuple[str, int]:
    """Return the instruction that loads a value, and its alignment exponent."""
    t = _root(t)
    return _LOADS.get(t, "i32.load"), size_of(t).bit_length() - 1


def store_instruction(t: Type) -> tuple[str, int]:
    """Return the instruction that stores a value, and its alignment exponent."""
    t = _root(t)
    return _STORES.get(t, "i32.store"), size_of(t).bit_length() - 1


def is_reference(t: Type) -> bool:
    """Return whether values of the type are addresses of objects, or 0 for None: what the collector must know of."""
    return not isinstance(_root(t), Primitive)


def _root(t: Type) -> Type:
    """Return `resolve(t)` at its root: of a value's place, only that matters whether it is an object's."""
    t = prune(t)
    return INT if isinstance(t, Infer) else t


@dataclass(slots=True)
class ObjectLayout:
    """The fields of a class instance: offset and type of each; ``size`` is where what follows them begins."""

    offsets: dict[str, int] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    size: int = HEADER

    @property
    def references(self) -> list[int]:
        """The offsets of the fields that refer to objects."""
        return [offset for name, offset in self.offsets.items() if is_reference(self.types[name])]

    @property
    def owned(self) -> list[int]:
        """The offsets of the fields that hold addresses of items."""
        return [offset for name, offset in self.offsets.items() if self.types[name] is OWNED]


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """An item of the memory that an object owns: its bytes, where the references in it are, and its last value."""

    size: int
    references: tuple[int, ...]
    last: int = 0


def item_layout(types: tuple[Type, ...]) -> ItemLayout:
    """Lay out an item that consists of values of these types: as fields are, its size a multiple of the widest."""
    layout = object_layout((str(number), t) for number, t in enumerate(types))
    widest = max(map(size_of, types))
    size = (layout.size - HEADER + widest - 1) // widest * widest
    last = layout.offsets[str(len(types) - 1)] - HEADER
    return ItemLayout(size, tuple(offset - HEADER for offset in layout.references), last)


def object_layout(fields: Iterable[tuple[str, Type]]) -> ObjectLayout:
    """Lay out the fields of a class instance."""
    layout = ObjectLayout()
    for name, t in fields:
        size = size_of(t)
        layout.size = (layout.size + size - 1) // size * size
        layout.offsets[name] = layout.size
        layout.types[name] = resolve(t)
        layout.size += size
    return layout


class TypeIds:
    """Numbers for the classes that a program makes objects of or tests for, then for its kinds of items; 0 is none."""

    def __init__(self, classes: Iterable[ClassType], items: Iterable[ItemLayout]) -> None:
        self.order: list[ClassType] = []
        self._first: dict[ClassType, int] = {}
        self._count: dict[ClassType, int] = {}
        known: dict[ClassType, None] = {}
        for cls in classes:
            chain = [cls]
            while (base := base_of(chain[-1])) is not None:
                chain.append(base)
            known.update(dict.fromkeys(reversed(chain)))
        children: dict[ClassType | None, list[ClassType]] = {}
        for cls in known:
            children.setdefault(base_of(cls), []).append(cls)
        for root in children.get(None, ()):
            self._number(root, children)
        self.items = list(dict.fromkeys(map(_as_traced, items)))

    def _number(self, cls: ClassType, children: dict[ClassType | None, list[ClassType]]) -> None:
        self.order.append(cls)
        self._first[cls] = len(self.order)
        for child in children.get(cls, ()):
            self._number(child, children)
        self._count[cls] = len(self.order) - self._first[cls] + 1

    def has(self, cls: ClassType) -> bool:
        """Return whether a class, or one that derives from it, has objects."""
        return cls in self._first

    def of(self, cls: ClassType) -> int:
        """Return the type id of a class."""
        return self._first[cls]

    def range_of(self, cls: ClassType) -> tuple[int, int]:
        """Return the first type id of the class and those that derive from it, and how many there are."""
        return self._first[cls], self._count[cls]

    def of_items(self, layout: ItemLayout) -> int:
        """Return the type id of memory that holds such items."""
        return len(self.order) + 1 + self.items.index(_as_traced(layout))


def _as_traced(layout: ItemLayout) -> ItemLayout:
    """Return what the collector sees of an item: all that hold no references are the same to it."""
    return ItemLayout(layout.size, layout.references) if layout.references else ItemLayout(0, ())
