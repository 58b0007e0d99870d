"""The index spaces of a module that is being made, as its functions see them: imports first, then its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from svm.isa import FuncType, ValueType
from svm.module import DataSegment, ElementSegment, GlobalType, TableType

__all__ = ["Spaces", "Types"]

Types = tuple[ValueType, ...]


@dataclass
class Spaces:
    """What a function of the module may refer to.

    size: about how many expressions and statements a function has.  pages: of the memory at first, None without one.
    ticks: the global that counts what may still loop or be called.  declared: functions that `ref.func` may name.
    references: (table, place) of functions that lie in tables at first, by their index.
    """

    random: Random
    size: int
    types: list[FuncType] = field(default_factory=list)
    functions: list[FuncType] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    globals: list[GlobalType] = field(default_factory=list)
    tags: list[Types] = field(default_factory=list)
    elements: list[ElementSegment] = field(default_factory=list)
    data: list[DataSegment] = field(default_factory=list)
    pages: int | None = None
    ticks: int = 0
    declared: list[int] = field(default_factory=list)
    references: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _numbers: dict[FuncType, int] = field(default_factory=dict)

    def type(self, params: Types, results: Types) -> int:
        """Index of a function type."""
        kind = FuncType(params, results)
        found = self._numbers.get(kind)
        if found is None:
            found = self._numbers[kind] = len(self.types)
            self.types.append(kind)
        return found

    def some(self, kinds: tuple[ValueType, ...], most: int) -> Types:
        """Up to so many types; seldom a lot of them, for engines treat those in another way."""
        if self.random.random() < 0.02:
            most = 24
        return tuple(self.random.choices(kinds, k=self.random.randrange(most + 1)))

    def globals_of(self, kind: ValueType, *, mutable: bool = False) -> list[int]:
        """Globals of a type, without the one that counts ticks."""
        return [
            at
            for at, item in enumerate(self.globals)
            if item.type is kind and at != self.ticks and (item.mutable or not mutable)
        ]

    def tables_of(self, kind: ValueType) -> list[int]:
        """Tables whose elements are of a type."""
        return [at for at, item in enumerate(self.tables) if item.element is kind]
