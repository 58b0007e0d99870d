"""Tuples: one generic class for each length, its source made when a program first needs that length.

In: a length. Out: the class, written in Krait and checked like any other, so that comparison, text and hashing of
tuples need nothing of their own in the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.data import DataField
from krait.check.loader import parse_library
from krait.check.types import ClassDecl, ClassType, ModuleDecl, Type, base_of, prune
from krait.check.world import World
from krait.diagnostics import Span
from krait.syntax import tree

MAX_LENGTH = 64
"""Items of a tuple."""


_PRIME_1, _PRIME_2, _PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
_NOT_MINUS_ONE = 1546275796
"""What CPython's hash of tuples is made of (`Objects/tupleobject.c`; a simplification of Collet's xxHash)."""


def tuple_type(world: World, items: tuple[Type, ...]) -> ClassType:
    """Return the type of tuples of the ``items``."""
    return ClassType(_tuple_class(world, len(items)), items)


def is_tuple(decl: ClassDecl) -> bool:
    """Return whether a class is one of these."""
    return decl.name == "tuple" and decl.module.name.startswith("krait.tuple.")


def is_vector(decl: ClassDecl) -> bool:
    """Return whether a class is that of tuples of any length."""
    return decl.name == "tuple" and decl.module.name == "krait.tuple"


def plain_tuple(value: hir.Expr) -> hir.Expr:
    """Return an object of a ``NamedTuple`` as the tuple that it is, any other value as itself."""
    t = prune(value.type)
    if not isinstance(t, ClassType) or t.decl.data is None or not t.decl.data.named:
        return value
    base = base_of(t)
    assert base is not None
    return hir.Cast(base, value)


def named_fields(t: Type) -> tuple[DataField, ...] | None:
    """Return the fields of a ``NamedTuple``, None for any other type."""
    t = prune(t)
    data = t.decl.data if isinstance(t, ClassType) else None
    return tuple(data.fields) if data is not None and data.named else None


def field_names_of(fields: Sequence[DataField], span: Span) -> tree.expr:
    """``_fields``: the names of the fields."""
    return tree.Tuple(tuple(tree.Constant(item.name, span) for item in fields), tree.LOAD, span)


def field_name(index: int) -> str:
    """Return the name of the field of item ``index``."""
    return f"item{index}"


def _tuple_class(world: World, length: int) -> ClassDecl:
    name = f"krait.tuple.{length}"
    module = world.modules.get(name)
    if module is None:
        text = _source(length)
        filename = f"<krait>/tuple{length}.kr"
        module = ModuleDecl(name, filename, text, parse_library(text, filename), library=True)
        world.add_module(module)
    decl = module.symbols["tuple"]
    assert isinstance(decl, ClassDecl)
    return decl


def _source(length: int) -> str:
    """Return the source of the class of tuples of ``length`` items."""
    items = range(length)
    params = f"[{', '.join(f'T{i}' for i in items)}]" if length else ""
    own = f"tuple[{', '.join(f'T{i}' for i in items)}]" if length else "tuple[()]"
    lines = ["from krait.unsafe import key_bits, u64", f"class tuple{params}:", f'    """A tuple of {length} items."""']
    lines += [f"    item{i}: T{i}" for i in items]
    lines += [f"    def __init__(self{''.join(f', item{i}: T{i}' for i in items)}) -> None:"]
    lines += [f"        self.item{i} = item{i}" for i in items] or ["        pass"]
    lines += ["    def __len__(self) -> int:", f"        return {length}"]
    equal = " and ".join(f"self.item{i} == other.item{i}" for i in items) or "True"
    lines += [f"    def __eq__(self, other: {own}) -> bool:", f"        return {equal}"]
    for method, operator, at_end in (("lt", "<", False), ("le", "<=", True), ("gt", ">", False), ("ge", ">=", True)):
        lines.append(f"    def __{method}__(self, other: {own}) -> bool:")
        for i in items:
            lines.append(f"        if not (self.item{i} == other.item{i}):")
            lines.append(f"            return self.item{i} {operator} other.item{i}")
        lines.append(f"        return {at_end}")
    lines += ["    def __hash__(self) -> int:", f"        acc: u64 = {_PRIME_5}"]
    for i in items:
        lines.append(f"        acc = acc + u64(hash(self.item{i})) * {_PRIME_2}")
        lines.append(f"        acc = (acc << 31 | acc >> 33) * {_PRIME_1}")
    lines.append(f"        acc = acc + {length ^ _PRIME_5 ^ 3527539}")
    lines.append(f"        return {_NOT_MINUS_ONE} if int(acc) == -1 else int(acc)")
    lines += ["    def _key_bits(self) -> u64:", "        bits: u64 = 0"]
    for i in items:
        lines.append(f"        bits = (bits ^ key_bits(self.item{i})) * {_PRIME_1}")
        lines.append("        bits = bits ^ bits >> 32")
    lines.append("        return bits")
    inner = ' + ", " + '.join(f"repr(self.item{i})" for i in items) or '""'
    close = ",)" if length == 1 else ")"
    lines += ["    def __repr__(self) -> str:", f'        return "(" + {inner} + "{close}"']
    lines += ["    def __str__(self) -> str:", "        return self.__repr__()"]
    return "\n".join(lines) + "\n"
