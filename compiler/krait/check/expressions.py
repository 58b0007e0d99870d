"""Names, literals, displays, attributes and subscripts.

In: syntax. Out: typed expressions. Calls, operators and comparisons have modules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.assignment import assign_name
from krait.check.classes import class_named
from krait.check.coerce import adapt, coerce, require, type_of_items
from krait.check.constants import literal_int
from krait.check.context import Context, expression
from krait.check.displays import list_of, make_tuple, new_list
from krait.check.enums import BY_NAME
from krait.check.invoke import find_method, invoke
from krait.check.items import PLAIN_BOUNDS, key_type, made_slice, read_item, slice_bounds, takes_slices
from krait.check.iteration import comprehension_loops
from krait.check.mixing import has_floats, mixed_items, stands_for
from krait.check.operators import int_constant
from krait.check.relations import wanted_class
from krait.check.scopes import read_name
from krait.check.spread import spread
from krait.check.tuples import MAX_LENGTH, field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import (
    BOOL,
    F32,
    FLOAT,
    INT,
    NONE,
    ClassType,
    Infer,
    Instance,
    Optional,
    Type,
    Union,
    is_known,
    members_of_union,
    prune,
    resolve,
)
from krait.check.unions import by_member, joined
from krait.syntax import tree


@expression(tree.Constant)
def constant(ctx: Context, node: tree.Constant, expected: Type | None) -> hir.Expr:
    """A literal."""
    match node.value:
        case bool(value):
            return hir.Const(BOOL, value)
        case int(value):
            return int_constant(ctx, value, expected, node.span)
        case float(value):
            return hir.Const(F32 if expected is not None and prune(expected) is F32 else FLOAT, value)
        case str(value):
            return hir.Text(ctx.world.str_type, value)
        case None:
            return hir.Const(NONE, None)
        case bytes(value):
            return hir.Octets(ctx.world.library_class("bytes"), value)
        case complex():
            raise ctx.later(node.span, "complex numbers", "keep the two parts in two floats")
        case _:
            raise ctx.refuse(node.span, "`...` is no value in Krait")


@expression(tree.Name)
def name(ctx: Context, node: tree.Name, expected: Type | None) -> hir.Expr:
    """A variable."""
    return read_name(ctx, node, expected)


@expression(tree.NamedExpr)
def named_expr(ctx: Context, node: tree.NamedExpr, expected: Type | None) -> hir.Expr:
    """``name := value``."""
    value = ctx.expr(node.value, expected)
    with ctx.collect() as block:
        assign_name(ctx, node.target.id, value, node.target.span, node.value.span)
    read = read_name(ctx, tree.Name(node.target.id, tree.LOAD, node.target.span))
    return hir.Let(read.type, block, read)


# --- displays ------------------------------------------------------------------------------------------------------


@expression(tree.List)
def list_display(ctx: Context, node: tree.List, expected: Type | None) -> hir.Expr:
    """``[a, b, c]``."""
    wanted = wanted_class(expected, ctx.world.list_type(INT).decl)
    item_wanted = wanted.args[0] if wanted is not None else None
    if any(isinstance(item, tree.Starred) for item in node.elts):
        return ctx.expr(_joined(node), expected)
    with ctx.collect() as before:
        values = ctx.attempt((item, item_wanted) for item in node.elts)
    numbers = _of_numbers(values) if item_wanted is None else None
    if numbers is not None:
        item_wanted, values = numbers, ctx.attempt((item, numbers) for item in node.elts)
    else:
        ctx.out += before
    spans = [item.span for item in node.elts]
    if item_wanted is not None and not isinstance(prune(item_wanted), Infer):
        item_type = prune(item_wanted)
        values = [coerce(ctx, value, item_type, span) for value, span in zip(values, spans, strict=True)]
    else:
        item_type = type_of_items(ctx, list(zip(values, spans, strict=True)), item_wanted, "the items of a list")
        adapted = [adapt(ctx, value, item_type) for value in values]
        values = [value for value in adapted if value is not None]
        assert len(values) == len(adapted)
    return list_of(ctx, values, item_type, node.span)


def _of_numbers(values: Sequence[hir.Expr]) -> Type | None:
    """Return the type of items that hold floats, some of them, and ints, the others; None for any other items."""
    types = [resolve(value.type) for value in values if is_known(value.type)]
    whole = next((mixed_items(t) for t in types if has_floats(t)), None) if len(types) == len(values) else None
    alike = whole is not None and all(t == whole or stands_for(whole, t) for t in types)
    return whole if alike and len(set(types)) > 1 else None


def _joined(node: tree.List) -> tree.expr:
    """Return the sum of lists that a list with starred items is."""
    parts: list[tree.expr] = []
    for item in node.elts:
        if isinstance(item, tree.Starred):
            target = tree.Name("$each", tree.STORE, item.span)
            source = tree.comprehension(target, item.value, (), item.span)
            parts.append(tree.ListComp(tree.Name("$each", tree.LOAD, item.span), (source,), item.span))
        elif parts and isinstance(parts[-1], tree.List):
            parts[-1] = tree.List((*parts[-1].elts, item), tree.LOAD, node.span)
        else:
            parts.append(tree.List((item,), tree.LOAD, node.span))
    whole = parts[0]
    for part in parts[1:]:
        whole = tree.BinOp(whole, tree.ADD, part, node.span)
    return whole


@expression(tree.Tuple)
def tuple_display(ctx: Context, node: tree.Tuple, expected: Type | None) -> hir.Expr:
    """``a, b``."""
    if len(node.elts) > MAX_LENGTH:
        raise ctx.refuse(node.span, f"a tuple has at most {MAX_LENGTH} items", "use a list")
    parts: tuple[Type | None, ...] = (None,) * len(node.elts)
    for wanted in map(prune, members_of_union(expected) if expected is not None else ()):
        if isinstance(wanted, ClassType) and is_tuple(wanted.decl) and len(wanted.args) == len(node.elts):
            parts = wanted.args
        elif isinstance(wanted, ClassType) and is_vector(wanted.decl):
            parts = wanted.args * len(node.elts)
    if any(isinstance(item, tree.Starred) for item in node.elts):
        return _starred_tuple(ctx, node, expected)
    values = ctx.attempt(zip(node.elts, parts, strict=True))
    for index, (value, part) in enumerate(zip(values, parts, strict=True)):
        if part is not None:
            values[index] = coerce(ctx, value, part, node.elts[index].span)
        elif prune(value.type) is NONE:
            values[index] = coerce(ctx, value, Infer(), node.elts[index].span)
    return make_tuple(ctx, values, node.span)


def _starred_tuple(ctx: Context, node: tree.Tuple, expected: Type | None) -> hir.Expr:
    """``a, *b``: of known length if all that is taken apart is; else a tuple of any length."""
    made = spread(ctx, tree.Call(tree.Name("tuple", tree.LOAD, node.span), node.elts, (), node.span))
    if not any(isinstance(item, tree.Starred) for item in made.args):
        return ctx.expr(tree.Tuple(made.args, tree.LOAD, node.span), expected)
    wanted = wanted_class(expected, ctx.world.vector_type(INT).decl)
    item = wanted.args[0] if wanted is not None else Infer()
    items = ctx.expr(tree.List(made.args, tree.LOAD, node.span), ctx.world.list_type(item))
    t = prune(items.type)
    assert isinstance(t, ClassType)
    return ctx.library("krait.tuple", "tuple_of_list", [items], ctx.world.vector_type(t.args[0]), node.span, t.args[0])


@expression(tree.ListComp)
def list_comp(ctx: Context, node: tree.ListComp, expected: Type | None) -> hir.Expr:
    """``[elt for …]``: a list, a loop that appends to it, and targets that nobody else sees."""
    wanted = wanted_class(expected, ctx.world.list_type(INT).decl)
    item: Type = wanted.args[0] if wanted is not None else Infer()
    t, made = new_list(ctx, item, 0, node.span)
    local = ctx.temp(t)

    def append() -> None:
        value = ctx.expr(node.elt, item)
        fitted = coerce(ctx, value, item, node.elt.span)
        ctx.emit(
            hir.Evaluate(ctx.line, invoke(ctx, hir.LocalGet(t, local), "append", [(fitted, node.elt.span)], node.span))
        )

    with ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, local, made))
        comprehension_loops(ctx, node.generators, append, [node.elt])
    return hir.Let(t, body, hir.LocalGet(t, local))


# --- subscripts ----------------------------------------------------------------------------------------------------


@expression(tree.Subscript)
def subscript(ctx: Context, node: tree.Subscript, expected: Type | None) -> hir.Expr:
    """``value[index]`` and ``value[a:b:c]``; ``Enum["NAME"]``."""
    cls = class_named(ctx, node.value) if isinstance(node.value, tree.Name | tree.Attribute) else None
    if cls is not None and cls.decl.enum:
        name = coerce(ctx, ctx.expr(node.slice), ctx.world.str_type, node.slice.span)
        return ctx.call(Instance(cls.decl.methods[BY_NAME]), [name], cls, node.span)
    value = ctx.expr(node.value)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.value.span, "this value")
    if isinstance(t, Optional):
        value = require(ctx, value, "TypeError", "'NoneType' object is not subscriptable", node.span)
    return _of_value(ctx, value, node)


def _of_value(ctx: Context, value: hir.Expr, node: tree.Subscript) -> hir.Expr:
    """``value[…]`` of a checked value that is not None."""
    value = plain_tuple(value)
    t = prune(value.type)
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: _of_value(ctx, part, node))
    if isinstance(node.slice, tree.Slice):
        if isinstance(t, ClassType) and is_tuple(t.decl):
            known = _tuple_slice(ctx, value, t, node.slice)
            if known is not None:
                return known
            value = as_vector(ctx, value, t)
        if takes_slices(ctx, t, "__getitem__"):
            bounds = (node.slice.lower, node.slice.upper, node.slice.step)
            return read_item(ctx, value, made_slice(ctx, bounds, node.slice.span), node.slice.span, node.span)
        return _slice(ctx, value, node.slice, node)
    if isinstance(t, ClassType) and is_tuple(t.decl):
        return _tuple_item(ctx, value, t, node)
    if find_method(ctx, t, "__getitem__") is None:
        raise ctx.refuse(node.span, f"a `{t}` has no items", label="cannot be indexed")
    return read_item(ctx, value, ctx.expr(node.slice, key_type(ctx, t)), node.slice.span, node.span)


def _tuple_item(ctx: Context, value: hir.Expr, t: ClassType, node: tree.Subscript) -> hir.Expr:
    index = literal_int(node.slice)
    count = len(t.args)
    if index is None:
        return read_item(ctx, as_vector(ctx, value, t), ctx.expr(node.slice), node.slice.span, node.span)
    if not -count <= index < count:
        raise ctx.refuse(node.slice.span, f"tuple index out of range: the tuple has {count} items")
    return hir.FieldGet(t.args[index % count], value, field_name(index % count))


def as_vector(ctx: Context, value: hir.Expr, t: ClassType) -> hir.Expr:
    """Return a tuple of known length as one of any length, whose items can be any of its own."""
    parts = [NONE if isinstance(part := prune(item), Optional) and not is_known(part) else part for item in t.args]
    made = adapt(ctx, value, ctx.world.vector_type(joined(parts or [INT])))
    assert made is not None
    return made


def _tuple_slice(ctx: Context, value: hir.Expr, t: ClassType, node: tree.Slice) -> hir.Expr | None:
    """A slice of a tuple: of known length where the bounds are literals."""
    bounds: list[int | None] = []
    for part in (node.lower, node.upper, node.step):
        number = literal_int(part) if part is not None else None
        if part is not None and number is None:
            return None
        bounds.append(number)
    if bounds[2] == 0:
        return None
    held, kept = ctx.hold(value)
    chosen = range(len(t.args))[slice(*bounds)]
    items: list[hir.Expr] = [hir.FieldGet(t.args[index], kept, field_name(index)) for index in chosen]
    made = make_tuple(ctx, items, node.span)
    return hir.Let(made.type, held, made)


def _slice(ctx: Context, value: hir.Expr, node: tree.Slice, whole: tree.Subscript) -> hir.Expr:
    bounds = [(bound, whole.span) for bound in slice_bounds(ctx, node)]
    method = "_slice" if len(bounds) == len(PLAIN_BOUNDS) else "_slice_step"
    if find_method(ctx, value.type, method) is None:
        raise ctx.refuse(whole.span, f"a `{value.type}` cannot be sliced")
    return invoke(ctx, value, method, bounds, whole.span)


@expression(tree.Starred)
def starred(ctx: Context, node: tree.Starred, expected: Type | None) -> hir.Expr:
    """``*value`` before an argument of what does not take any number of them."""
    raise ctx.later(node.span, "`*` before an argument of this function", "write the arguments out")


@expression(tree.Slice)
def slice_(ctx: Context, node: tree.Slice, expected: Type | None) -> hir.Expr:
    """``a:b`` that is not all that the brackets hold."""
    raise ctx.refuse(node.span, "a slice cannot be one of several indices", "index one after the other: `xs[1:3][0]`")
