"""Exceptions and generators: what is thrown into one, and what leaves its body.

In: the checked body of a generator function. Out: what its machine raises where it runs already or raises
StopIteration, and the loop by which ``yield from`` hands on what is thrown. Only programs that throw exceptions into
generators have that loop (`World.throws`), and only they and generators that might meet StopIteration are guarded.

CPython closes a generator when nothing refers to it any more, which is not known here. So those are counted that stand
where their end would do something, and a program that ends while there are any raises RuntimeError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from krait.check import hir
from krait.check.coerce import coerce, is_none
from krait.check.context import Context
from krait.check.decorators import MANAGED
from krait.check.invoke import find_method, invoke
from krait.check.machine import Guards
from krait.check.signatures import field_type
from krait.check.stopping import asks_iterators
from krait.check.types import (
    BOOL,
    INT,
    NEVER,
    NONE,
    ClassDecl,
    ClassType,
    FunctionDecl,
    Local,
    Optional,
    Type,
    optional,
    prune,
)
from krait.check.world import World
from krait.diagnostics import Span
from krait.syntax import tree

LAZY = "<iterator>"
"""The name of the generator function that stands for an iterator of CPython's which is no generator."""


def is_generator(function: hir.Function) -> bool:
    """Return whether the generator of a function is one of CPython's too, into which exceptions can be thrown."""
    return not function.module.library and function.name != LAZY


def is_iterator(t: Type | None) -> bool:
    """Return whether values of a type are the objects of generator functions, or the library's iterators."""
    t = prune(t) if t is not None else None
    return isinstance(t, ClassType) and any(part.module.name == "krait.iterator" for part in t.decl.mro())


def kept_fields(world: World, cls: ClassType, fields: Mapping[str, Type]) -> dict[str, Type]:
    """Return the fields that objects of a class have: iterators have those for what is thrown only if that is done."""
    if world.throws or not is_iterator(cls) or any(part.name == "Managed" for part in cls.decl.mro()):
        return {**fields}
    return {name: t for name, t in fields.items() if name not in ("_thrown", "_is_generator")}


def is_managed(function: hir.Function) -> bool:
    """Return whether a context manager runs the generator, so that it is run to its end."""
    return function.instance.decl.name.endswith(MANAGED)


def guards(ctx: Context) -> Guards | None:
    """Return what a generator does that runs already, or that an exception leaves; None where neither is seen."""
    node = ctx.function.instance.decl.node
    if not is_generator(ctx.function) or not (ctx.world.throws or asks_iterators(ctx.world, node)):
        return None
    base = ctx.world.library_class("BaseException")
    caught = ctx.temp(base)
    running = ctx.library("krait.iterator", "refuse_running", [], NEVER, node.span)
    left = ctx.library("krait.iterator", "leaving", [hir.LocalGet(base, caught)], base, node.span)
    return Guards([hir.Evaluate(0, running)], caught, [hir.Raise(0, left)])


def made_yield(ctx: Context, value: hir.Expr, span: Span, *, delegates: bool) -> hir.Yield:
    """Return a ``yield`` of a value, counted while the generator stands there if its end would do something."""
    made = hir.Yield(span.start_line, value, delegates, [], [])
    if (ctx.closings or ctx.finals) and not is_managed(ctx.function):
        ctx.world.found_closings = True
        for block, change in ((made.before, 1), (made.behind, -1)):
            count = ctx.library("krait.iterator", "count_standing", [hir.Const(INT, change)], NONE, span)
            block.append(hir.Evaluate(0, count))
    return made


def refuse_standing(world: World, function: hir.Function) -> None:
    """Have the code of the main module end with an error if a generator stands where its end would do something."""
    base = world.library_class("BaseException")
    check = world.library_function("krait.iterator", "refuse_standing")
    function.callees.append((check, function.instance.decl.node.span))
    caught = Local("$", base)
    function.locals.append(caught)

    def refuse(error: hir.Expr) -> hir.Stmt:
        return hir.If(0, hir.RunsAsProgram(BOOL), [hir.Evaluate(0, hir.Call(NONE, check, [error]))], [])

    error = hir.LocalGet(base, caught)
    left: hir.Block = [refuse(hir.Cast(optional(base), error)), hir.Raise(0, error)]
    function.body[:] = [hir.Handle(0, [*function.body], caught, left), refuse(hir.Const(optional(base), None))]


def thrown_argument(ctx: Context, decl: FunctionDecl, node: tree.Call) -> tree.Call:
    """Return a call of ``throw`` that names the class of the exception, and its argument, with the exception itself."""
    if decl.name != "throw" or decl.module.name not in ("krait.iterator", "krait.generator") or node.keywords:
        return node
    match node.args:
        case (tree.Name(id=name) as cls, *given) if name not in ctx.scope and isinstance(ctx.lookup(name), ClassDecl):
            while given and isinstance(given[-1], tree.Constant) and given[-1].value is None:
                given.pop()
            return tree.Call(node.func, (tree.Call(cls, tuple(given), (), node.span),), (), node.span)
        case _:
            return node


def refuse_own_close(ctx: Context, t: Type | None, span: Span) -> None:
    """Refuse to go through an object that would be told itself what is thrown, where anything is."""
    if ctx.world.throws and isinstance(t, ClassType) and any(find_method(ctx, t, name) for name in ("close", "throw")):
        hint = "go through it with `for`, and call its methods where they are needed"
        raise ctx.later(span, "`yield from` an object that has a `close` or `throw` of its own", hint)


def used_at_once(ctx: Context, node: tree.GeneratorExp, make: Callable[[], hir.Expr]) -> hir.Expr:
    """Return what is made of a generator expression without an object for it: StopIteration does not leave that."""
    first, *others = node.generators
    if not any(asks_iterators(ctx.world, part) for part in (node.elt, *first.ifs, *others)):
        return make()
    base = ctx.world.library_class("BaseException")
    caught = ctx.temp(base)
    with ctx.collect() as body:
        value = make()
        result = ctx.temp(value.type)
        ctx.emit(hir.Assign(ctx.line, result, value))
    left = ctx.library("krait.iterator", "leaving", [hir.LocalGet(base, caught)], base, node.span)
    handled = hir.Handle(ctx.line, body, caught, [hir.Raise(0, left)])
    return hir.Let(value.type, [handled], hir.LocalGet(value.type, result))


def hand_on_thrown(ctx: Context, inner: hir.Expr, span: Span) -> None:
    """Emit, behind a ``yield`` of an item of another generator, that what has been thrown is thrown into that one.

    The items that it gives then are yielded in turn, until nothing is thrown; its end is that of the loop around.
    """
    assert ctx.generator is not None and ctx.generator.type is not None and ctx.yields is not None
    own = hir.LocalGet(ctx.generator.type, ctx.generator)
    source = prune(inner.type)
    thrown = optional(ctx.world.library_class("BaseException"))
    assert isinstance(source, ClassType) and isinstance(thrown, Optional)
    item = field_type(ctx.world, source, "_current")
    assert item is not None
    kept = ctx.temp(thrown)
    error = hir.LocalGet(thrown, kept)
    around, again = ctx.loops[-1], hir.LoopLabel()
    with ctx.collect() as body:
        ctx.emit(hir.Assign(ctx.line, kept, hir.FieldGet(thrown, own, "_thrown")))
        ctx.emit(hir.If(0, is_none(error), [hir.Break(0, again)], []))
        ctx.emit(hir.FieldSet(0, own, "_thrown", hir.Const(thrown, None)))
        goes_on = invoke(ctx, inner, "_hand_on", [(hir.Cast(thrown.inner, error), span)], span)
        ctx.emit(hir.If(ctx.line, goes_on, [], [hir.Break(0, around.label)]))
        value = coerce(ctx, hir.FieldGet(item, inner, "_current"), ctx.yields, span)
        ctx.emit(made_yield(ctx, value, span, delegates=True))
    ctx.emit(hir.While(ctx.line, again, None, body, []))
    around.breaks.append(ctx.flow)


__all__ = [
    "LAZY",
    "guards",
    "hand_on_thrown",
    "is_generator",
    "is_iterator",
    "is_managed",
    "kept_fields",
    "made_yield",
    "refuse_own_close",
    "refuse_standing",
    "thrown_argument",
    "used_at_once",
]
