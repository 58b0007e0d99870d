"""Sets: displays, comprehensions, conversions, and the methods that take anything that can be iterated over.

In: syntax. Out: calls of the library's `set` and `frozenset`; a frozenset holds a set that nobody changes.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import conversion, gather
from krait.check.coerce import coerce, type_of_items
from krait.check.constants import literal_int
from krait.check.context import Context, expression
from krait.check.invoke import invoke
from krait.check.iteration import allow_any_order, comprehension_loops
from krait.check.mappings import is_dict
from krait.check.set_order import require_order
from krait.check.setlike import as_set, frozen, set_kind
from krait.check.throwing import used_at_once
from krait.check.types import NONE, ClassType, Infer, Type, is_known, members_of_union, prune
from krait.diagnostics import Span
from krait.syntax import tree

_FOLDED = 3
"""Constants from which on CPython's compiler makes a display from a frozenset."""


def _wanted_item(expected: Type | None) -> Type | None:
    for wanted in map(prune, members_of_union(expected) if expected is not None else ()):
        if isinstance(wanted, ClassType) and set_kind(wanted) in ("set", "frozenset"):
            return wanted.args[0]
    return None


def _empty(ctx: Context, item: Type, span: Span) -> tuple[ClassType, hir.Expr]:
    t = ctx.world.library_class("set", item)
    return t, ctx.library("krait.set", "empty_set", [], t, span, item)


@expression(tree.Set)
def set_display(ctx: Context, node: tree.Set, expected: Type | None) -> hir.Expr:
    """``{a, b, *items}``."""
    if any(isinstance(item, tree.Starred) for item in node.elts):
        return _starred_display(ctx, node, expected)
    wanted = _wanted_item(expected)
    values = ctx.attempt((item, wanted) for item in node.elts)
    spans = [item.span for item in node.elts]
    item_type = (
        wanted
        if wanted is not None and is_known(wanted)
        else type_of_items(ctx, list(zip(values, spans, strict=True)), wanted, "the items of a set")
    )
    t, made = _empty(ctx, item_type, node.span)
    local = ctx.temp(t)
    kept = hir.LocalGet(t, local)
    body: hir.Block = [hir.Assign(ctx.line, local, made)]
    for value, span in zip(values, spans, strict=True):
        body.append(hir.Evaluate(ctx.line, invoke(ctx, kept, "add", [(value, span)], node.span)))
    result: hir.Expr = kept
    if len(node.elts) >= _FOLDED and all(map(is_constant, node.elts)):
        constant = ctx.library("krait.set", "constant_items", [kept], t, node.span, item_type)
        result = invoke(ctx, constant, "copy", [], node.span)
    return hir.Let(t, body, result)


def is_constant(node: tree.expr) -> bool:
    """Return whether CPython's compiler knows the value of an expression."""
    if isinstance(node, tree.Tuple):
        return all(map(is_constant, node.elts))
    if isinstance(node, tree.UnaryOp) and isinstance(node.op, tree.USub):
        node = node.operand
    return isinstance(node, tree.Constant) or literal_int(node) is not None


def _starred_display(ctx: Context, node: tree.Set, expected: Type | None) -> hir.Expr:
    item = _wanted_item(expected) or Infer()
    t, made = _empty(ctx, item, node.span)
    local = ctx.temp(t)
    kept = hir.LocalGet(t, local)
    with ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, local, made))
        for element in node.elts:
            if isinstance(element, tree.Starred):
                call = _with_items(ctx, kept, "update", element.value, node.span)
            else:
                value = coerce(ctx, ctx.expr(element, item), item, element.span)
                call = invoke(ctx, kept, "add", [(value, element.span)], node.span)
            ctx.emit(hir.Evaluate(ctx.line, call))
    return hir.Let(t, body, kept)


@expression(tree.SetComp)
def set_comp(ctx: Context, node: tree.SetComp, expected: Type | None) -> hir.Expr:
    """``{elt for …}``."""
    item = _wanted_item(expected) or Infer()
    t, made = _empty(ctx, item, node.span)
    local = ctx.temp(t)
    allow_any_order(ctx, node)

    def add() -> None:
        value = coerce(ctx, ctx.expr(node.elt, item), item, node.elt.span)
        call = invoke(ctx, hir.LocalGet(t, local), "add", [(value, node.elt.span)], node.span)
        ctx.emit(hir.Evaluate(ctx.line, call))

    with ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, local, made))
        comprehension_loops(ctx, node.generators, add, [node.elt])
    return hir.Let(t, body, hir.LocalGet(t, local))


# --- conversions ---------------------------------------------------------------------------------------------------


@conversion("set")
def to_set(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``set(…)``."""
    return _made(ctx, node, expected)


@conversion("frozenset")
def to_frozenset(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``frozenset(…)``."""
    if len(node.args) == 1 and not isinstance(node.args[0], tree.GeneratorExp):
        items, kind = _gathered(ctx, node.args[0], node.span, _wanted_item(expected))
        if kind == "frozenset":
            return items
        return frozen(ctx, _copied(ctx, items, kind, node.span), node.span)
    return frozen(ctx, _made(ctx, node, expected), node.span)


def _made(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    name = node.func.id if isinstance(node.func, tree.Name) else "set"
    if node.keywords or len(node.args) > 1:
        raise ctx.refuse(node.span, f"`{name}` takes at most 1 argument")
    wanted = _wanted_item(expected)
    if not node.args:
        return _empty(ctx, wanted or Infer(), node.span)[1]
    if isinstance(node.args[0], tree.GeneratorExp):
        inner = node.args[0]
        item = ctx.world.library_class("set", wanted) if wanted is not None else None
        made = tree.SetComp(inner.elt, inner.generators, inner.span)
        return used_at_once(ctx, inner, lambda: ctx.expr(made, item))
    items, kind = _gathered(ctx, node.args[0], node.span, wanted)
    return _copied(ctx, items, kind, node.span)


def _gathered(ctx: Context, node: tree.expr, span: Span, item: Type | None) -> tuple[hir.Expr, str]:
    """Return what an expression gives: a set, a frozenset, or a list of its items, and which of them."""
    allow_any_order(ctx, node)
    wanted = ctx.world.list_type(item) if item is not None else None
    keep = tuple(ctx.world.library_class(name).decl for name in ("set", "frozenset", "dict"))
    items, _ = gather(ctx, node, span, wanted, keep)
    if is_dict(ctx, items.type):
        keys = invoke(ctx, invoke(ctx, items, "keys", [], span), "_list", [], span)
        return keys, "dict"
    return items, set_kind(items.type) or "list"


def _copied(ctx: Context, items: hir.Expr, kind: str, span: Span) -> hir.Expr:
    """Return a new set of what `_gathered` gives."""
    if kind in ("set", "frozenset"):
        return invoke(ctx, as_set(ctx, items, span), "copy", [], span)
    t = prune(items.type)
    assert isinstance(t, ClassType)
    maker = "set_of_keys" if kind == "dict" else "set_of_list"
    return ctx.library("krait.set", maker, [items], ctx.world.library_class("set", t.args[0]), span, t.args[0])


# --- methods -------------------------------------------------------------------------------------------------------

_CHANGING = ("update", "intersection_update", "difference_update", "symmetric_difference_update")
_COMBINING = ("union", "intersection", "difference", "symmetric_difference")
_ASKING = ("issubset", "issuperset", "isdisjoint")
_OF_LISTS = ("update", "union", "intersection", "intersection_update", "difference", "difference_update")
"""Methods that go through a list in its order, instead of through a set of it."""


def set_method(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """Return a call of a method that takes anything that can be iterated over; None for other calls."""
    kind, name = set_kind(receiver.type), func.attr
    if kind == "set" and name == "pop":
        require_order(ctx, receiver.type, node.span)
    if kind not in ("set", "frozenset") or name not in (*_CHANGING, *_COMBINING, *_ASKING):
        return None
    if kind == "frozenset" and name in _CHANGING:
        raise ctx.refuse(func.span, f"`frozenset` has no method `{name}`", "a frozenset does not change: use a `set`")
    many = name not in ("symmetric_difference", "symmetric_difference_update", *_ASKING)
    if node.keywords or (len(node.args) != 1 and not many):
        raise ctx.refuse(node.span, f"`{name}` takes 1 argument, not {len(node.args)}")
    held, kept = ctx.hold(as_set(ctx, receiver, node.span))
    if name in _CHANGING:
        calls = [_with_items(ctx, kept, name, arg, node.span) for arg in node.args]
        return hir.Let(NONE, [*held, *(hir.Evaluate(ctx.line, call) for call in calls)], hir.Const(NONE, None))
    result = kept if node.args else invoke(ctx, kept, "copy", [], node.span)
    for arg in node.args:
        result = _with_items(ctx, result, name, arg, node.span)
    if kind == "frozenset" and name in _COMBINING:
        result = frozen(ctx, result, node.span)
    return hir.Let(result.type, held, result) if held else result


def _with_items(ctx: Context, receiver: hir.Expr, name: str, arg: tree.expr, span: Span) -> hir.Expr:
    """Return the call of a method of a set with what one argument gives."""
    t = prune(receiver.type)
    assert isinstance(t, ClassType)
    items, kind = _gathered(ctx, arg, span, t.args[0])
    if kind in ("set", "frozenset"):
        return invoke(ctx, receiver, name, [(as_set(ctx, items, span), arg.span)], span)
    if name in _OF_LISTS:
        return invoke(ctx, receiver, f"_{name}_list", [(items, arg.span)], span)
    method = "_symmetric_difference_with" if name == "symmetric_difference" else name
    return invoke(ctx, receiver, method, [(_copied(ctx, items, kind, span), arg.span)], span)
