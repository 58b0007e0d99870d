"""`with`: what it stands for in terms of `try`.

In: syntax. Out: the statements that the language reference gives for it. `__exit__` is called once, with the exception
that ended the body or with three times None; what it returns says whether an exception is swallowed.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import adapt
from krait.check.conditions import truth
from krait.check.context import Context, expression, statement
from krait.check.invoke import find_method, invoke, receiver_for, result_of
from krait.check.scopes import function_called
from krait.check.signatures import library_type, signature
from krait.check.types import BOOL, NONE, Infer, Instance, Intrinsic, Local, Type, prune, substitute
from krait.diagnostics import Span
from krait.syntax import tree
from krait.syntax.base import node

_MANAGER, _RAISED, _EXCEPTION, _VALUE = "$manager", "$raised", "$exception", "$value"


@node
class _Exit(tree.expr):
    """The call of ``__exit__``: with the exception at hand if ``raised``."""

    raised: bool
    span: Span


@statement(tree.With)
def with_(ctx: Context, given: tree.With) -> None:
    """``with manager as target, …:``."""
    first, *others = given.items
    body = given.body if not others else (tree.With(tuple(others), given.body, given.span),)
    suppressed = _suppressed(ctx, first, body)
    if suppressed is not None:
        ctx.statement(suppressed)
        return
    manager = ctx.expr(first.context_expr)
    t = prune(manager.type)
    where = first.context_expr.span
    if isinstance(t, Infer):
        raise ctx.unknown(where, "this value")
    for method in ("__enter__", "__exit__"):
        if find_method(ctx, t, method) is None:
            raise ctx.refuse(where, f"a `{t}` is no context manager: it has no `{method}`")
    own = {_MANAGER: Local(_MANAGER, t, stable=True), _RAISED: Local(_RAISED, BOOL)}
    ctx.function.locals.extend(own.values())
    ctx.emit(hir.Assign(ctx.line, own[_MANAGER], manager))
    entered = invoke(ctx, hir.LocalGet(t, own[_MANAGER]), "__enter__", [], where)
    if prune(entered.type) is NONE or first.optional_vars is None:
        ctx.emit(hir.Evaluate(ctx.line, entered))
    else:
        own[_VALUE] = Local(_VALUE, entered.type, stable=True)
        ctx.function.locals.append(own[_VALUE])
        ctx.emit(hir.Assign(ctx.line, own[_VALUE], entered))
    ctx.emit(hir.Assign(0, own[_RAISED], hir.Const(BOOL, False)))
    with ctx.naming(*own.values()):
        ctx.statement(_as_try(given, first, body))


def _suppressed(ctx: Context, item: tree.withitem, body: tuple[tree.stmt, ...]) -> tree.Try | None:
    """Return ``with suppress(…):`` as the ``try`` that it is, None for other managers."""
    match item.context_expr:
        case tree.Call(args=args, keywords=()) as call if isinstance(found := function_called(ctx, call), Intrinsic):
            if found.name != "contextlib.suppress" or not args:
                return None
        case _:
            return None
    kinds = args[0] if len(args) == 1 else tree.Tuple(args, tree.LOAD, call.span)
    handler = tree.ExceptHandler(kinds, None, (tree.Pass(call.span),), call.span)
    return tree.Try(body, (handler,), (), (), call.span)


def _as_try(given: tree.With, item: tree.withitem, body: tuple[tree.stmt, ...]) -> tree.Try:
    span = given.span
    before: tuple[tree.stmt, ...] = ()
    if item.optional_vars is not None:
        value = tree.Name(_VALUE, tree.LOAD, item.context_expr.span)
        before = (tree.Assign((item.optional_vars,), value, item.context_expr.span),)
    swallowed = tree.UnaryOp(tree.NOT, _Exit(True, span), span)
    handler = tree.ExceptHandler(
        None,
        None,
        (
            tree.Assign((tree.Name(_RAISED, tree.STORE, span),), tree.Constant(True, span), span),
            tree.If(swallowed, (tree.Raise(None, None, span),), (), span),
        ),
        span,
    )
    guarded = tree.Try((*before, *body), (handler,), (), (), span)
    unless = tree.UnaryOp(tree.NOT, tree.Name(_RAISED, tree.LOAD, span), span)
    last = tree.If(unless, (tree.Expr(_Exit(False, span), span),), (), span)
    return tree.Try((guarded,), (), (), (last,), span)


@expression(_Exit)
def exit_(ctx: Context, call: _Exit, expected: Type | None) -> hir.Expr:
    """The call of ``__exit__``, as a bool: whether it swallows the exception."""
    manager = ctx.scope[_MANAGER]
    assert manager.type is not None
    value = hir.LocalGet(manager.type, manager)
    found = find_method(ctx, manager.type, "__exit__")
    assert found is not None
    decl, owner_args = found
    sig = signature(ctx.world, decl)
    instance = Instance(decl, owner_args)
    arguments: list[hir.Expr] = []
    if call.raised:
        arguments = _of_exception(ctx, ctx.caught[-1], call.span)
    args: list[hir.Expr] = [receiver_for(ctx, decl, value)]
    for at, param in enumerate(sig.params):
        wanted = substitute(param.type, instance.env)
        adapted = adapt(ctx, arguments[at] if at < len(arguments) else hir.Const(NONE, None), wanted)
        assert adapted is not None, "what `__exit__` is given has the types of its signature"
        args.append(adapted)
    made = ctx.call(instance, args, result_of(ctx, instance, instance.env, call.span), call.span, virtual=True)
    return truth(ctx, made, call.span)


def _of_exception(ctx: Context, caught: Local, span: Span) -> list[hir.Expr]:
    """Return the class, the exception and the traceback that ``__exit__`` is given."""
    assert caught.type is not None
    exception = hir.LocalGet(caught.type, caught)
    kind = ctx.world.library_class("BaseException")
    given = [hir.TypeName(ctx.world.str_type, exception), hir.Cast(kind, exception)]
    return [
        ctx.library("krait.exceptions", "class_of", given, library_type(ctx.world, "ExceptionClass"), span),
        hir.Cast(kind, exception),
        ctx.library("krait.exceptions", "traceback_of", [], library_type(ctx.world, "TracebackType"), span),
    ]
