"""What dataclasses and named tuples offer besides their methods: `replace`, `asdict`, `astuple`, `_replace`, `_fields`.

In: syntax, and an object whose fields are known. Out: the display or constructor that a program could have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krait.check import hir
from krait.check.builtins import builtin
from krait.check.byteslike import byte_kind
from krait.check.context import Context
from krait.check.data import DataField
from krait.check.signatures import field_type
from krait.check.tuples import is_tuple, is_vector, named_fields
from krait.check.types import BOOL, FLOAT, INT, ClassType, Optional, Type, Union, prune
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

_RECORD, _CLASS = "$record", "$class"


def record_method(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """Return a call of a method that all named tuples have; None for other calls."""
    fields = named_fields(receiver.type)
    if fields is None or node.args or func.attr not in ("_replace", "_asdict"):
        return None
    if func.attr == "_asdict":
        return ctx.let({_RECORD: receiver}, lambda: ctx.expr(_as_dict(fields, node.span)))
    return _replaced(ctx, receiver, fields, node)


@builtin("dataclasses.replace")
def replace(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``replace(object, field=value, …)``."""
    value, fields = _data(ctx, node)
    return _replaced(ctx, value, fields, node)


@builtin("dataclasses.asdict")
def asdict(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``asdict(object)``; objects of dataclasses within it become dicts too."""
    return _copied(ctx, node, _pairs, expected)


@builtin("dataclasses.astuple")
def astuple(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``astuple(object)``; objects of dataclasses within it become tuples too."""
    return _copied(ctx, node, _values, expected)


def _data(ctx: Context, node: tree.Call) -> tuple[hir.Expr, tuple[DataField, ...]]:
    """Return the object that a function of `dataclasses` is given, and its fields."""
    if len(node.args) != 1:
        raise ctx.refuse(node.span, "this takes one object")
    value = ctx.expr(node.args[0])
    t = prune(value.type)
    data = t.decl.data if isinstance(t, ClassType) else None
    if data is None or data.named:
        raise ctx.mismatch(node.args[0].span, "an object of a dataclass", t)
    return value, tuple(data.fields)


_Display = Callable[[Sequence[tuple[str, tree.expr]], Span], tree.expr]


def _pairs(items: Sequence[tuple[str, tree.expr]], span: Span) -> tree.expr:
    return tree.Dict(tuple(tree.Constant(name, span) for name, _ in items), tuple(value for _, value in items), span)


def _values(items: Sequence[tuple[str, tree.expr]], span: Span) -> tree.expr:
    return tree.Tuple(tuple(value for _, value in items), tree.LOAD, span)


def _copied(ctx: Context, node: tree.Call, display: _Display, expected: Type | None) -> hir.Expr:
    value, fields = _data(ctx, node)
    t = prune(value.type)
    assert isinstance(t, ClassType)
    parts: list[tuple[str, tree.expr]] = []
    for item in fields:
        own = field_type(ctx.world, t, item.name)
        part = _written(ctx, own, _read(item.name, node.span), display) if own is not None else None
        if part is None:
            hint = "write the dict or tuple out"
            raise ctx.later(node.span, f"`asdict` and `astuple` with a field `{item.name}` of the type `{own}`", hint)
        parts.append((item.name, part))
    return ctx.let({_RECORD: value}, lambda: ctx.expr(display(parts, node.span), expected))


def _written(ctx: Context, t: Type, node: tree.expr, display: _Display, depth: int = 0) -> tree.expr | None:
    """Return what makes a copy of a value, objects of dataclasses in it being displays; None if that is not known."""
    t, span = prune(t), node.span
    if _is_plain(ctx, t):
        return node
    if isinstance(t, Optional):
        inner = _written(ctx, t.inner, node, display, depth)
        nothing = tree.Constant(None, span)
        is_none = tree.Compare(node, (tree.IS,), (nothing,), span)
        return tree.IfExp(is_none, nothing, inner, span) if inner is not None else None
    if not isinstance(t, ClassType) or depth > _DEPTH:
        return None
    if t.decl.data is not None and not t.decl.data.named and not ctx.world.subclasses(t):
        return _display_of(ctx, t, node, display, depth)
    if t.decl.module.library and t.decl.name == "set" and _is_plain(ctx, t.args[0]):
        return tree.Call(tree.Attribute(node, "copy", tree.LOAD, span), (), (), span)
    if not is_vector(t.decl) and not (t.decl.module.library and t.decl.name in ("list", "dict")):
        return None
    name = f"$part{depth}"
    part, target = tree.Name(name, tree.LOAD, span), tree.Name(name, tree.STORE, span)
    item = _written(ctx, t.args[-1], part, display, depth + 1)
    if item is None or not _is_plain(ctx, t.args[0] if len(t.args) > 1 else INT):
        return None
    if is_vector(t.decl):
        items = tree.GeneratorExp(item, (tree.comprehension(target, node, (), span),), span)
        return tree.Call(tree.Name(f"{LIBRARY}tuple", tree.LOAD, span), (items,), (), span)
    if t.decl.name == "list":
        return tree.ListComp(item, (tree.comprehension(target, node, (), span),), span)
    key = tree.Name(f"$key{depth}", tree.LOAD, span)
    both = tree.Tuple((tree.Name(key.id, tree.STORE, span), target), tree.STORE, span)
    pairs = tree.Call(tree.Attribute(node, "items", tree.LOAD, span), (), (), span)
    return tree.DictComp(key, item, (tree.comprehension(both, pairs, (), span),), span)


_DEPTH = 8
"""How far objects that hold objects are followed: a class that holds its own kind has no end."""


def _display_of(ctx: Context, t: ClassType, node: tree.expr, display: _Display, depth: int) -> tree.expr | None:
    assert t.decl.data is not None
    found: list[tuple[str, tree.expr]] = []
    for item in t.decl.data.fields:
        own = field_type(ctx.world, t, item.name)
        read = tree.Attribute(node, item.name, tree.LOAD, node.span)
        value = _written(ctx, own, read, display, depth + 1) if own is not None else None
        if value is None:
            return None
        found.append((item.name, value))
    return display(found, node.span)


def _is_plain(ctx: Context, t: Type) -> bool:
    t = prune(t)
    if isinstance(t, Optional):
        return _is_plain(ctx, t.inner)
    if isinstance(t, Union):
        return all(_is_plain(ctx, member) for member in t.members)
    if isinstance(t, ClassType) and (is_tuple(t.decl) or is_vector(t.decl)):
        return all(_is_plain(ctx, item) for item in t.args)
    is_immutable = isinstance(t, ClassType) and (bool(t.decl.enum) or byte_kind(t) == "bytes")
    return t in (INT, FLOAT, BOOL) or t == ctx.world.str_type or is_immutable


def _replaced(ctx: Context, value: hir.Expr, fields: Sequence[DataField], node: tree.Call) -> hir.Expr:
    """Return a new object with some fields given, the others as they are."""
    t = prune(value.type)
    assert isinstance(t, ClassType)
    if ctx.world.subclasses(t):
        raise ctx.later(node.span, f"a copy of a `{t}`, from which other classes derive", "call the class")
    given = {keyword.arg for keyword in node.keywords}
    rest = [item for item in fields if item.init and item.name not in given]
    keywords = (*node.keywords, *(tree.keyword(item.name, _read(item.name, node.span), node.span) for item in rest))
    made = tree.Call(tree.Name(_CLASS, tree.LOAD, node.span), (), keywords, node.span)
    hidden = ctx.classes.get(_CLASS)
    ctx.classes[_CLASS] = t
    try:
        return ctx.let({_RECORD: value}, lambda: ctx.expr(made))
    finally:
        del ctx.classes[_CLASS]
        if hidden is not None:
            ctx.classes[_CLASS] = hidden


def _as_dict(fields: Sequence[DataField], span: Span) -> tree.expr:
    keys = tuple(tree.Constant(item.name, span) for item in fields)
    return tree.Dict(keys, tuple(_read(item.name, span) for item in fields), span)


def _read(name: str, span: Span) -> tree.expr:
    return tree.Attribute(tree.Name(_RECORD, tree.LOAD, span), name, tree.LOAD, span)


__all__ = ["record_method"]
