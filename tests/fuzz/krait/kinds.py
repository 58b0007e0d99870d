"""Types of generated programs, their patterns with type variables, and what a type can do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["BOOL", "FLOAT", "INT", "LOOSE", "NONE", "STR", "Kind", "bind", "fill", "parse_kind"]

LOOSE = "# ints stand for floats\n"
"""How a program begins in which they do."""
_TOKEN = re.compile(r"\w+|[\[\],]")


@dataclass(frozen=True)
class Kind:
    """A type: its name, and those of its items.  A name of one capital letter is a variable of a pattern."""

    name: str
    items: tuple[Kind, ...] = ()

    def __str__(self) -> str:
        """As an annotation."""
        if self.name == "optional":
            return f"{self.items[0]} | None"
        if self.name == "callable":
            *params, result = map(str, self.items)
            return f"Callable[[{', '.join(params)}], {result}]"
        if self.name == "many":
            return f"tuple[{self.items[0]}, ...]"
        return f"{self.name}[{', '.join(map(str, self.items))}]" if self.items else self.name

    @property
    def is_variable(self) -> bool:
        """Whether it stands for any kind in a pattern."""
        return len(self.name) == 1

    def parts(self) -> Iterator[Kind]:
        """The kind, and all kinds within."""
        yield self
        for item in self.items:
            yield from item.parts()


INT, FLOAT, BOOL, STR, NONE = map(Kind, ("int", "float", "bool", "str", "None"))


def parse_kind(text: str) -> Kind:
    """The kind that a text names: `dict[str, list[T]]`, `optional[int]`, `callable[int, str]`."""
    tokens = _TOKEN.findall(text)[::-1]

    def kind() -> Kind:
        name, items = tokens.pop(), []
        if tokens and tokens[-1] == "[":
            while tokens.pop() != "]":
                items.append(kind())
        return Kind(name, tuple(items))

    return kind()


def bind(pattern: Kind, kind: Kind, bound: Mapping[str, Kind]) -> dict[str, Kind] | None:
    """What the variables of a pattern stand for if it is to be a kind, given what some do; None if it cannot be."""
    if pattern.is_variable:
        if bound.get(pattern.name, kind) != kind:
            return None
        return {**bound, pattern.name: kind}
    if pattern.name != kind.name or len(pattern.items) != len(kind.items):
        return None
    found: dict[str, Kind] | None = dict(bound)
    for mine, its in zip(pattern.items, kind.items, strict=True):
        found = bind(mine, its, found) if found is not None else None
    return found


def fill(pattern: Kind, bound: Mapping[str, Kind]) -> Kind:
    """The kind that a pattern is, with its variables replaced."""
    if pattern.is_variable:
        return bound[pattern.name]
    return Kind(pattern.name, tuple(fill(item, bound) for item in pattern.items))
