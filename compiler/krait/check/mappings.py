"""Dicts: displays, comprehensions, conversions, and those methods whose result depends on what they are given.

In: syntax. Out: calls of the library's `dict`.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import conversion, gather, list_of_items
from krait.check.coerce import adapt, coerce, type_of_items
from krait.check.context import Context, expression
from krait.check.invoke import invoke
from krait.check.iteration import comprehension_loops
from krait.check.relations import dict_of, wanted_class
from krait.check.tuples import tuple_type
from krait.check.types import INT, NONE, U32, ClassType, Infer, Type, is_known, optional, prune, union
from krait.check.unification import unify
from krait.diagnostics import Span
from krait.syntax import tree


def is_dict(ctx: Context, t: Type) -> bool:
    """Return whether a type is a ``dict``, or a class that derives from it."""
    return dict_of(ctx.world, t) is not None


def wanted_parts(ctx: Context, expected: Type | None) -> tuple[Type | None, Type | None]:
    """Return the types of keys and values of the dict that a context would like, None where it does not say."""
    wanted = wanted_class(expected, ctx.world.dict_type(INT, INT).decl)
    return (None, None) if wanted is None else (wanted.args[0], wanted.args[1])


def new_dict(ctx: Context, key: Type, value: Type, room: int, span: Span) -> tuple[ClassType, hir.Expr]:
    """Return the type of a new, empty dict, and the dict."""
    t = ctx.world.dict_type(key, value)
    return t, ctx.library("krait.dict", "dict_with_room", [hir.Const(U32, room)], t, span, key, value)


@expression(tree.Dict)
def dict_display(ctx: Context, node: tree.Dict, expected: Type | None) -> hir.Expr:
    """``{key: value, **mapping}``."""
    wanted = wanted_parts(ctx, expected)
    whole = ctx.world.dict_type(wanted[0] or Infer(), wanted[1] or Infer())
    pairs = list(zip(node.keys, node.values, strict=True))
    nodes: list[tuple[tree.expr, Type | None]] = []
    for key_node, value_node in pairs:
        nodes += [(value_node, whole)] if key_node is None else [(key_node, wanted[0]), (value_node, wanted[1])]
    checked = iter(ctx.attempt(nodes))
    parts: list[tuple[hir.Expr | None, hir.Expr]] = []
    for key_node, _ in pairs:
        key = None if key_node is None else next(checked)
        parts.append((key, next(checked)))
    key_type = _part_type(ctx, node, parts, wanted[0], of_keys=True)
    value_type = _part_type(ctx, node, parts, wanted[1], of_keys=False)
    t, made = new_dict(ctx, key_type, value_type, len(pairs), node.span)
    if not pairs:
        return made
    local = ctx.temp(t)
    kept = hir.LocalGet(t, local)
    body: hir.Block = [hir.Assign(ctx.line, local, made)]
    for (key, value), (key_node, value_node) in zip(parts, pairs, strict=True):
        if key is None or key_node is None:
            call = invoke(ctx, kept, "update", [(value, value_node.span)], node.span)
        else:
            call = invoke(ctx, kept, "__setitem__", [(key, key_node.span), (value, value_node.span)], node.span)
        body.append(hir.Evaluate(ctx.line, call))
    return hir.Let(t, body, kept)


def _part_type(
    ctx: Context,
    node: tree.Dict,
    parts: list[tuple[hir.Expr | None, hir.Expr]],
    wanted: Type | None,
    *,
    of_keys: bool,
) -> Type:
    """Return the type of the keys, or of the values, of a display."""
    if wanted is not None and is_known(wanted):
        return wanted
    known: list[tuple[hir.Expr, Span]] = []
    for (key, value), key_node, value_node in zip(parts, node.keys, node.values, strict=True):
        if key is None or key_node is None:
            t = dict_of(ctx.world, value.type)
            if t is None:
                raise ctx.mismatch(value_node.span, "a dict", value.type)
            known.append((hir.Const(t.args[0 if of_keys else 1], None), value_node.span))
        else:
            known.append((key, key_node.span) if of_keys else (value, value_node.span))
    return type_of_items(ctx, known, wanted, f"the {'keys' if of_keys else 'values'} of a dict")


@expression(tree.DictComp)
def dict_comp(ctx: Context, node: tree.DictComp, expected: Type | None) -> hir.Expr:
    """``{key: value for …}``."""
    wanted = wanted_parts(ctx, expected)
    key_type, value_type = wanted[0] or Infer(), wanted[1] or Infer()
    t, made = new_dict(ctx, key_type, value_type, 0, node.span)
    local = ctx.temp(t)

    def add() -> None:
        key = ctx.expr(node.key, key_type)
        held, kept = ctx.hold(coerce(ctx, key, key_type, node.key.span))
        for part in held:
            ctx.emit(part)
        value = coerce(ctx, ctx.expr(node.value, value_type), value_type, node.value.span)
        args = [(kept, node.key.span), (value, node.value.span)]
        ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, hir.LocalGet(t, local), "__setitem__", args, node.span)))

    with ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, local, made))
        comprehension_loops(ctx, node.generators, add, [node.key, node.value])
    return hir.Let(t, body, hir.LocalGet(t, local))


# --- methods -------------------------------------------------------------------------------------------------------


def dict_method(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """Return a call of ``get``, ``pop`` or ``setdefault`` as what its arguments make of it; None for other calls."""
    t = dict_of(ctx.world, receiver.type)
    shape = (func.attr, len(node.args))
    if t is not None and func.attr == "update" and node.keywords and len(node.args) <= 1:
        return _update_by_names(ctx, receiver, node, t)
    if t is None or node.keywords or shape not in _SHAPES:
        return None
    key_type, value_type = t.args
    key = coerce(ctx, ctx.expr(node.args[0], key_type), key_type, node.args[0].span)
    plain, with_none = _SHAPES[shape]
    name = plain or with_none
    default: hir.Expr = hir.Const(NONE, None)
    if len(node.args) == 2:
        default = ctx.expr(node.args[1], value_type)
        fitted = adapt(ctx, default, value_type)
        if fitted is None and func.attr != "setdefault" and adapt(ctx, default, optional(value_type)) is None:
            return _value_or_other(ctx, receiver, key, default, func.attr, node)
        name = with_none if fitted is None and with_none else plain
    args = [(key, node.args[0].span)]
    if shape != ("pop", 1):
        args.append((default, node.args[-1].span if len(node.args) == 2 else node.span))
    return invoke(ctx, receiver, name, args, node.span)


def _update_by_names(ctx: Context, receiver: hir.Expr, node: tree.Call, t: ClassType) -> hir.Expr:
    """``d.update(other, key=value)``: all values first."""
    values = {"$mapping": receiver}
    if node.args:
        values["$other"] = ctx.expr(node.args[0], t)
        if dict_of(ctx.world, values["$other"].type) is None:
            raise ctx.later(node.span, "`update` of pairs and of keyword arguments at once", "write two calls")
    keys = tuple(tree.Constant(part.arg, part.span) if part.arg is not None else None for part in node.keywords)
    display = tree.Dict(keys, tuple(keyword.value for keyword in node.keywords), node.span)
    values["$named"] = coerce(ctx, ctx.expr(display, t), t, node.span)

    def updated() -> hir.Expr:
        first, *others = (tree.Name(name, tree.LOAD, node.span) for name in values)
        func = tree.Attribute(first, "update", tree.LOAD, node.span)
        *before, last = (ctx.expr(tree.Call(func, (other,), (), node.span)) for other in others)
        return hir.Let(NONE, [hir.Evaluate(ctx.line, call) for call in before], last) if before else last

    return ctx.let(values, updated)


def _value_or_other(
    ctx: Context, receiver: hir.Expr, key: hir.Expr, default: hir.Expr, name: str, node: tree.Call
) -> hir.Expr:
    """``get`` and ``pop`` with a default of another type than the values."""
    if not is_known(default.type):
        raise ctx.unknown(node.args[1].span, "this value")
    parts = [ctx.hold(value) for value in (receiver, key, default)]
    held, (mapping, wanted, other) = [part for block, _ in parts for part in block], [kept for _, kept in parts]
    args = [(wanted, node.args[0].span)]
    found = invoke(ctx, mapping, "pop" if name == "pop" else "__getitem__", args, node.span)
    t = union([found.type, default.type])
    chosen, given = adapt(ctx, found, t), adapt(ctx, other, t)
    assert chosen is not None and given is not None
    test = invoke(ctx, mapping, "__contains__", args, node.span)
    return hir.Let(t, held, hir.Conditional(t, test, chosen, given))


_SHAPES = {
    ("get", 1): ("", "_get_optional"),
    ("get", 2): ("get", "_get_optional"),
    ("pop", 1): ("pop", ""),
    ("pop", 2): ("_pop_default", "_pop_optional"),
    ("setdefault", 1): ("setdefault", ""),
    ("setdefault", 2): ("setdefault", ""),
}
"""The method of the library by name and number of arguments: for a default that can be a value, for one that cannot."""


# --- conversions ---------------------------------------------------------------------------------------------------


@conversion("dict")
def to_dict(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``dict(…)``: of nothing, a dict, pairs, or keyword arguments."""
    if len(node.args) > 1:
        raise ctx.refuse(node.span, f"`dict` takes at most 1 argument, not {len(node.args)}")
    keys = tuple(tree.Constant(keyword.arg, keyword.span) for keyword in node.keywords)
    display = tree.Dict(keys, tuple(keyword.value for keyword in node.keywords), node.span)
    if not node.args:
        return ctx.expr(display, expected)
    made, is_new = dict_of_items(ctx, node.args[0], node.span, expected)
    if not is_new:
        made = invoke(ctx, made, "_plain", [], node.span)
    if not node.keywords:
        return made
    local = ctx.temp(made.type)
    kept = hir.LocalGet(made.type, local)
    more = coerce(ctx, ctx.expr(display, made.type), made.type, node.span)
    call = invoke(ctx, kept, "update", [(more, node.span)], node.span)
    return hir.Let(made.type, [hir.Assign(ctx.line, local, made), hir.Evaluate(ctx.line, call)], kept)


def dict_of_items(ctx: Context, node: tree.expr, span: Span, expected: Type | None) -> tuple[hir.Expr, bool]:
    """Return a dict of what an expression gives, a dict or pairs, and whether it is a new one."""
    wanted = wanted_parts(ctx, expected)
    pair: Type = tuple_type(ctx.world, (wanted[0] or Infer(), wanted[1] or Infer()))
    match node:
        case tree.ListComp(elt=tree.Tuple()) | tree.GeneratorExp(elt=tree.Tuple()):
            is_display = True
        case tree.List(elts=parts) | tree.Tuple(elts=parts):
            is_display = not all(isinstance(part, tree.List | tree.Call) for part in parts)
        case _:
            is_display = isinstance(node, tree.Call) and is_known(pair)
    pairs, is_new = gather(
        ctx, node, span, ctx.world.list_type(pair) if is_display else expected, (ctx.world.dict_type(INT, INT).decl,)
    )
    if is_dict(ctx, pairs.type):
        return pairs, is_new
    t = prune(pairs.type)
    item = prune(t.args[0]) if isinstance(t, ClassType) else t
    if isinstance(item, ClassType) and item.decl is ctx.world.list_type(INT).decl:
        part = item.args[0]
        made = ctx.world.dict_type(part, part)
        return ctx.library("krait.dict", "dict_of_rows", [pairs], made, span, part), True
    if not unify(item, pair) or not isinstance(item := prune(item), ClassType):
        raise ctx.mismatch(node.span, "a dict, or pairs of keys and values", pairs.type)
    made = ctx.world.dict_type(*item.args)
    return ctx.library("krait.dict", "dict_of_pairs", [pairs], made, span, *item.args), True


def dict_from_keys(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``dict.fromkeys(keys, value)``; without a value, all are None."""
    if not 1 <= len(node.args) <= 2 or node.keywords:
        raise ctx.refuse(node.span, "`dict.fromkeys` takes the keys, and perhaps a value")
    wanted = wanted_parts(ctx, expected)
    keys = list_of_items(ctx, node.args[0], node.span)
    value = ctx.expr(node.args[1], wanted[1]) if len(node.args) == 2 else hir.Const(NONE, None)
    value_type = wanted[1] or Infer()
    fitted = coerce(ctx, value, value_type, node.span)
    t = prune(keys.type)
    assert isinstance(t, ClassType)
    made = ctx.world.dict_type(t.args[0], value_type)
    return ctx.library("krait.dict", "dict_from_keys", [keys, fitted], made, node.span, t.args[0], value_type)
