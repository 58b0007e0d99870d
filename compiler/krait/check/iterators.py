"""Iterators as values: generator expressions, `iter`, `next`, and `map`, `zip` and their kin where a value is wanted.

In: syntax. Out: objects of `Iterator[T]`. A lazy function of the built-in scope becomes a generator expression over
itself; what it is given is evaluated at once, as in CPython.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.builtins import builtin
from krait.check.closures import make_function
from krait.check.coerce import adapt, common_type
from krait.check.context import Context, expression
from krait.check.generators import iterator_type
from krait.check.invoke import find_method, invoke
from krait.check.iteration import WRAPPERS
from krait.check.nested import nested_decl
from krait.check.throwing import LAZY
from krait.check.types import (
    BOOL,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Instance,
    Intrinsic,
    Local,
    Signature,
    Type,
    prune,
)
from krait.check.vocabulary import LIBRARY
from krait.syntax import tree

_ITEM = "$each"


@expression(tree.GeneratorExp)
def generator_exp(ctx: Context, node: tree.GeneratorExp, expected: Type | None) -> hir.Expr:
    """``(value for … in …)``: a generator function that is called at once; the first ``in`` is evaluated here."""
    kept: dict[str, Local] = {}
    with ctx.collect() as before:
        source = _kept(ctx, node.generators[0].iter, kept)
    body: tree.stmt = tree.Expr(tree.Yield(node.elt, node.elt.span), node.elt.span)
    for at, part in reversed(list(enumerate(node.generators))):
        for test in reversed(part.ifs):
            body = tree.If(test, (body,), (), test.span)
        body = tree.For(part.target, part.iter if at else source, (body,), (), node.span)
    nothing = tree.arguments((), (), None, (), (), None, (), node.span)
    name = LAZY if isinstance(node.elt, tree.Name) and node.elt.id == _ITEM else "<genexpr>"
    decl = nested_decl(ctx, tree.FunctionDef(name, nothing, (body,), (), None, (), node.span))
    assert decl.closure is not None
    wanted = prune(expected) if expected is not None else None
    result = iterator_type(ctx.world, Infer())
    if isinstance(wanted, ClassType) and wanted.decl is result.decl:
        result = wanted
    decl.signature = Signature((), result)
    with ctx.naming(*kept.values()):
        function = make_function(ctx, decl, FunctionType((), result), [])
    own = hir.Cast(ClassType(decl.closure), function)
    made = ctx.call(Instance(decl), [own], result, node.span)
    return hir.Let(result, before, made) if before else made


def _kept(ctx: Context, node: tree.expr, kept: dict[str, Local]) -> tree.expr:
    """Emit the evaluation of what is gone through; return an expression that goes through it later."""
    match node:
        case tree.Call(func=tree.Name(id=name) as func) if name not in ctx.scope and _is_lazy(ctx, name):
            args = tuple(_kept(ctx, arg, kept) for arg in node.args)
            named = tuple(tree.keyword(part.arg, _kept(ctx, part.value, kept), part.span) for part in node.keywords)
            return tree.Call(func, args, named, node.span)
        case tree.Starred(value=inner):
            return tree.Starred(_kept(ctx, inner, kept), node.ctx, node.span)
        case tree.Constant() | tree.Lambda():
            return node
        case tree.Name(id=name) if name not in ctx.scope:
            if isinstance(ctx.lookup(name), FunctionDecl | ClassDecl | Intrinsic):
                return node
        case _:
            pass
    value = ctx.expr(node)
    local = Local(f"$source{len(kept)}", value.type, stable=True)
    ctx.function.locals.append(local)
    ctx.emit(hir.Assign(ctx.line, local, value))
    kept[local.name] = local
    return tree.Name(local.name, tree.LOAD, node.span)


def _is_lazy(ctx: Context, name: str) -> bool:
    return (name == "range" or name in WRAPPERS) and isinstance(ctx.lookup(name), Intrinsic)


@builtin("enumerate", "zip", "reversed", "map", "filter")
def lazy(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """A lazy function where a value is wanted."""
    return ctx.expr(_each_of(node), expected)


def _each_of(node: tree.expr) -> tree.GeneratorExp:
    item = tree.Name(_ITEM, tree.LOAD, node.span)
    target = tree.Name(_ITEM, tree.STORE, node.span)
    return tree.GeneratorExp(item, (tree.comprehension(target, node, (), node.span),), node.span)


@builtin("iter")
def iter_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``iter(items)``."""
    if len(node.args) == 2 and not node.keywords:
        until = tree.Name(f"{LIBRARY}krait.iteration.until", tree.LOAD, node.span)
        return ctx.expr(tree.Call(until, node.args, (), node.span), expected)
    if len(node.args) != 1 or node.keywords:
        raise ctx.refuse(node.span, "`iter` takes 1 or 2 arguments")
    if isinstance(node.args[0], tree.GeneratorExp | tree.Call):
        return _iterator(ctx, ctx.expr(node.args[0]), node, expected)
    with ctx.world.silence():
        value = ctx.expr(node.args[0])
    return _iterator(ctx, value, node, expected)


def _iterator(ctx: Context, value: hir.Expr, node: tree.Call, expected: Type | None) -> hir.Expr:
    t = prune(value.type)
    if isinstance(t, ClassType) and find_method(ctx, t, "__next__") is not None:
        return value
    found = find_method(ctx, t, "__iter__")
    if found is not None and not found[0].module.library:
        return invoke(ctx, value, "__iter__", [], node.span)
    return ctx.expr(_each_of(node.args[0]), expected)


@builtin("next")
def next_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``next(iterator)`` and ``next(iterator, default)``."""
    if not 1 <= len(node.args) <= 2 or node.keywords:
        raise ctx.refuse(node.span, f"`next` takes 1 or 2 arguments, not {len(node.args)}")
    values: Sequence[hir.Expr] = ctx.attempt((arg, None) for arg in node.args)
    t = prune(values[0].type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.args[0].span, "this iterator")
    if not isinstance(t, ClassType) or find_method(ctx, t, "__next__") is None:
        hint = "write `next(iter(…))`"
        raise ctx.refuse(node.args[0].span, f"a `{t}` is no iterator", hint)
    if len(values) == 1:
        return invoke(ctx, values[0], "__next__", [], node.span)
    held, iterator = ctx.hold(values[0])
    kept, default = ctx.hold(values[1])
    following = invoke(ctx, iterator, "__next__", [], node.span)
    pairs = [(following, node.args[0].span), (default, node.args[1].span)]
    common = common_type(ctx, pairs, expected, "the item and the default of `next`")
    item, instead = adapt(ctx, following, common), adapt(ctx, default, common)
    assert item is not None and instead is not None
    result = ctx.temp(common)
    base = ctx.world.library_class("BaseException")
    caught = ctx.temp(base)
    exception = hir.LocalGet(base, caught)
    ended = hir.IsInstance(BOOL, exception, ctx.world.library_class("StopIteration"))
    handler: hir.Block = [
        hir.If(0, ended, [hir.Assign(0, result, instead)], [hir.Raise(0, exception)]),
    ]
    body: hir.Block = [
        *held,
        *kept,
        hir.Handle(ctx.line, [hir.Assign(ctx.line, result, item)], caught, handler),
    ]
    return hir.Let(common, body, hir.LocalGet(common, result))
