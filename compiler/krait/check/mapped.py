"""`map` and `filter` in loops, and the `key=` of `sorted`, `min`, `max` and `list.sort`.

In: calls. Out: plans that call the function for each item, a lambda's body standing in the place of its call; calls of
`krait.keyed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from krait.check import hir
from krait.check.assignment import whole
from krait.check.cells import write_local
from krait.check.classes import class_named
from krait.check.coerce import coerce
from krait.check.conditions import truth
from krait.check.context import Context
from krait.check.getters import getter, lambda_of
from krait.check.iteration import WRAPPERS, Plan, plan
from krait.check.mixing import mixed, stands_for
from krait.check.names import scan
from krait.check.nested import share_targets
from krait.check.relations import dict_of
from krait.check.scopes import module_named
from krait.check.types import (
    BOOL,
    FLOAT,
    NONE,
    ClassDecl,
    FunctionDecl,
    FunctionType,
    Infer,
    Intrinsic,
    Local,
    ModuleDecl,
    Optional,
    Type,
    prune,
)
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

_HELD = "$function"


@dataclass(frozen=True, slots=True)
class _Function:
    """What is called for each item: an expression, and the variable in it that holds a function or its object."""

    node: tree.expr
    held: Local | None = None


def _map(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    if len(args) < 2 or node.keywords:
        raise ctx.refuse(node.span, "`map` takes a function, and something to go through for each of its parameters")
    setup, function = _held(ctx, args[0])
    parts = [plan(ctx, arg) for arg in args[1:]]
    if len(parts) > 1 and not all(part.indexed for part in parts):
        raise ctx.later(node.span, "`map` over several things of which one is read as it goes", "make lists first")
    setup += [statement for part in parts for statement in part.setup]
    with ctx.collect() as step:
        for part in parts:
            for statement in part.step:
                ctx.emit(statement)
        value = _call(ctx, function, [whole(ctx, part.item, node.span) for part in parts], node.span)
        current = ctx.temp(value.type)
        ctx.emit(hir.Assign(ctx.line, current, value))
    test = parts[-1].test
    for part in reversed(parts[:-1]):
        assert part.test is not None and test is not None
        test = hir.Conditional(BOOL, part.test, test, hir.Const(BOOL, False))
    return Plan(hir.LocalGet(value.type, current), test, setup, step, indexed=False)


def _filter(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    """The test goes on to the next item that passes."""
    if len(args) != 2 or node.keywords:
        raise ctx.refuse(node.span, "`filter` takes a function and something to go through")
    nothing = isinstance(args[0], tree.Constant) and args[0].value is None
    setup, function = ([], _Function(args[0])) if nothing else _held(ctx, args[0])
    inner = plan(ctx, args[1])
    item = whole(ctx, inner.item, node.span)
    current, found, label = ctx.temp(item.type), ctx.temp(BOOL), hir.LoopLabel()
    kept = hir.LocalGet(item.type, current)
    with ctx.collect() as round_:
        for part in inner.step:
            ctx.emit(part)
        ctx.emit(hir.Assign(ctx.line, current, item))
        passes = truth(ctx, kept if nothing else _call(ctx, function, [kept], node.span), node.span)
        success: hir.Block = [hir.Assign(ctx.line, found, hir.Const(BOOL, True)), hir.Break(ctx.line, label)]
        ctx.emit(hir.If(ctx.line, passes, success, []))
    search: hir.Block = [
        hir.Assign(ctx.line, found, hir.Const(BOOL, False)),
        hir.While(ctx.line, label, inner.test, round_, []),
    ]
    test = hir.Let(BOOL, search, hir.LocalGet(BOOL, found))
    return Plan(kept, test, [*setup, *inner.setup], [], indexed=False)


WRAPPERS.update({"map": _map, "filter": _filter})


def _held(ctx: Context, node: tree.expr) -> tuple[hir.Block, _Function]:
    """Return a function that is called again and again, and what is to be run before."""
    if isinstance(node, tree.Call):
        node = getter(ctx, node) or node
    match node:
        case tree.Lambda(args=arguments, body=body) if not arguments.defaults and not scan([body]).has_walrus:
            return [], _Function(node)
        case tree.Name(id=name) if name not in ctx.scope:
            if isinstance(ctx.lookup(name), FunctionDecl | ClassDecl | Intrinsic):
                return [], _Function(node)
        case tree.Attribute(value=tree.Name(id=name)) if name not in ctx.scope:
            if isinstance(ctx.lookup(name), ClassDecl | ModuleDecl):
                return [], _Function(node)
        case _:
            pass
    method = _method_of(ctx, node)
    value = ctx.expr(node if method is None else method.value)
    local = Local(_HELD, value.type, stable=True)
    ctx.function.locals.append(local)
    callee: tree.expr = tree.Name(_HELD, tree.LOAD, node.span)
    if method is not None:
        callee = tree.Attribute(callee, method.attr, tree.LOAD, method.span)
    return [hir.Assign(ctx.line, local, value)], _Function(callee, local)


def _method_of(ctx: Context, node: tree.expr) -> tree.Attribute | None:
    """Return what names a method of an object, which can be called without a function that keeps the object."""
    if not isinstance(node, tree.Attribute) or module_named(ctx, node.value) or class_named(ctx, node.value):
        return None
    with ctx.world.silence(), ctx.collect(), suppress(Refusal):
        found = ctx.world.find_method(ctx.expr(node.value).type, node.attr)
        return node if found is not None and found[0].kind == "method" else None
    return None


def _call(ctx: Context, function: _Function, args: Sequence[hir.Expr], span: Span) -> hir.Expr:
    """Return the call of a function with values; statements that belong before it are emitted."""
    node = function.node
    names = [f"${at}" for at in range(len(args))]
    if isinstance(node, tree.Lambda):
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        if len(names) != len(args) or node.args.vararg or node.args.kwonlyargs or node.args.kwarg:
            count = f"{len(args)} argument{'' if len(args) == 1 else 's'}"
            raise ctx.refuse(node.span, f"expected a function that takes {count}, found one that takes {len(names)}")
    bound = {name: Local(name, arg.type, annotated=True) for name, arg in zip(names, args, strict=True)}
    ctx.function.locals.extend(bound.values())
    if function.held is not None:
        bound[function.held.name] = function.held
    with ctx.naming(*bound.values()):
        if isinstance(node, tree.Lambda):
            share_targets(ctx, list(bound.values()), [node.body])
        for name, arg in zip(names, args, strict=True):
            write_local(ctx, bound[name], arg)
        if isinstance(node, tree.Lambda):
            return ctx.expr(node.body)
        return ctx.expr(tree.Call(node, tuple(tree.Name(name, tree.LOAD, span) for name in names), (), span))


# --- key= ----------------------------------------------------------------------------------------------------------


def by_key(
    ctx: Context, name: str, values: hir.Expr, item: Type, key: tree.expr, others: Sequence[hir.Expr], span: Span
) -> hir.Expr:
    """Return the call of a function of ``krait.keyed`` with a list, the function of its keys, and further arguments."""
    wanted = FunctionType((item,), Infer())
    match key:
        case tree.Attribute(value=mapping, attr="get"):
            before, function = _value_of_key(ctx, mapping, key, wanted)
        case _:
            before, function = [], ctx.expr(key, wanted)
    results = {"sort_by": NONE, "sorted_by": values.type}
    function = coerce(ctx, function, wanted, key.span)
    made = ctx.library(
        "krait.keyed", name, [values, function, *others], results.get(name, item), span, item, wanted.result
    )
    return hir.Let(made.type, before, made) if before else made


def _value_of_key(
    ctx: Context, mapping: tree.expr, key: tree.expr, wanted: FunctionType
) -> tuple[hir.Block, hir.Expr]:
    """``key=mapping.get`` of a dict whose values are no None: as all values are compared, all keys must be there."""
    value = ctx.expr(mapping)
    parts = dict_of(ctx.world, value.type)
    if parts is None or isinstance(prune(parts.args[1]), Optional):
        return [], ctx.expr(key, wanted)
    kept = Local("$mapping", value.type, stable=True)
    ctx.function.locals.append(kept)
    span = key.span
    names = (tree.Name("$mapping", tree.LOAD, span), tree.Name("$key", tree.LOAD, span))
    known = tree.Call(tree.Name(f"{LIBRARY}krait.keyed.known", tree.LOAD, span), names, (), span)
    with ctx.naming(kept):
        return [hir.Assign(ctx.line, kept, value)], ctx.expr(lambda_of(("$key",), known, span), wanted)


# --- reduce --------------------------------------------------------------------------------------------------------


def reduced(
    ctx: Context, values: hir.Expr, item: Type, function: tree.expr, initial: hir.Expr | None, span: Span
) -> hir.Expr:
    """Return ``functools.reduce`` of a list."""
    if initial is not None and stands_for(item, initial.type):
        initial = coerce(ctx, initial, mixed(FLOAT), span)  # what the function returns can be either
    whole = item if initial is None else initial.type
    wanted = FunctionType((whole, item), whole)
    taken = coerce(ctx, ctx.expr(function, wanted), wanted, function.span)
    if initial is None:
        return ctx.library("functools", "_reduce", [taken, values], item, span, item)
    return ctx.library("functools", "_reduce_from", [taken, values, initial], whole, span, item, whole)


# --- sum of objects ------------------------------------------------------------------------------------------------


def summed(ctx: Context, values: hir.Expr, start: hir.Expr | None, span: Span) -> hir.Expr:
    """Return ``sum`` of a list of objects: one is added to the other, the first to the start, or to 0.

    The sum of no objects without a start is an int in CPython; here ValueError is raised.
    """
    listed = Local("$all", values.type, stable=True)
    total, each = Local("$total"), Local("$each")
    ctx.function.locals += [listed, total, each]
    read = {name: tree.Name(name, tree.LOAD, span) for name in ("$all", "$total", "$each")}
    target = {name: tree.Name(name, tree.STORE, span) for name in ("$total", "$each")}
    with ctx.naming(listed, total, each), ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, listed, values))
        first: tree.expr = tree.Constant(0, span)
        rest: tree.expr = read["$all"]
        if start is None:
            ctx.emit(hir.If(ctx.line, truth(ctx, ctx.expr(read["$all"]), span), [],
                            ctx.raising("ValueError", "the sum of no objects is the int 0", span)))  # fmt: skip
            zero = tree.Constant(0, span)
            first = tree.BinOp(first, tree.ADD, tree.Subscript(read["$all"], zero, tree.LOAD, span), span)
            rest = tree.Subscript(read["$all"], tree.Slice(tree.Constant(1, span), None, None, span), tree.LOAD, span)
        begun = start if start is not None else ctx.expr(first)
        total.type = begun.type
        ctx.emit(hir.Assign(ctx.line, total, begun))
        added = tree.BinOp(read["$total"], tree.ADD, read["$each"], span)
        ctx.statement(tree.For(target["$each"], rest, (tree.Assign((target["$total"],), added, span),), (), span))
    return hir.Let(begun.type, body, hir.LocalGet(begun.type, total))
