"""Functions, bound methods, built-in functions and classes where a value is wanted; calls of such values.

In: what is to become a value, or a value that is called. Out: a lambda around the call, which gives defaults and
conversions their place; a call through the table.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.class_values import class_object, wants_class
from krait.check.coerce import coerce, require
from krait.check.context import Context
from krait.check.signatures import signature
from krait.check.types import (
    INT,
    NEVER,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Intrinsic,
    Local,
    Optional,
    Signature,
    Symbol,
    Type,
    members_of_union,
    open_pack,
    prune,
)
from krait.check.unification import unify
from krait.check.vocabulary import OF_TWO
from krait.diagnostics import Span
from krait.syntax import tree

RECEIVER = "$receiver"


def wanted_function(expected: Type | None) -> FunctionType | None:
    """Return the type of function that the context would like, if it would."""
    for t in map(prune, members_of_union(expected) if expected is not None else ()):
        if isinstance(t, FunctionType) and open_pack(t) is None:
            return t
    return None


def value_of_symbol(ctx: Context, symbol: Symbol, node: tree.expr, expected: Type | None) -> hir.Expr:
    """Return a function, built-in function or class that ``node`` names as a value."""
    match symbol:
        case FunctionDecl():
            return _around(ctx, node, symbol, expected)
        case ClassDecl() if is_class_wanted(ctx, symbol, expected):
            return class_object(ctx, symbol.primitive or ClassType(symbol, symbol.type_params))
        case ClassDecl():
            init = symbol.find_method("__init__")
            return _around(ctx, node, init if symbol.primitive is None else None, expected)
        case Intrinsic(name="tuple") if wants_class(ctx, expected):
            return class_object(ctx, ctx.world.vector_type(INT))
        case Intrinsic(name=name) if not name.startswith(("typing.", "unsafe.")):
            if wanted_function(expected) is None and name.removeprefix("operator.") in OF_TWO:
                expected = FunctionType((Infer(), Infer()), Infer())
            return _around(ctx, node, None, expected)
        case _:
            raise ctx.refuse(node.span, "this is a type, not a value")


def is_class_wanted(ctx: Context, decl: ClassDecl, expected: Type | None) -> bool:
    """Return whether a class as a value is itself; else it is the function that makes objects."""
    if decl.type_params:
        return wants_class(ctx, expected)
    return not any(isinstance(prune(t), FunctionType) for t in members_of_union(expected or INT))


def value_of_local(ctx: Context, local: Local, value: hir.Expr, node: tree.expr, expected: Type | None) -> hir.Expr:
    """Return a function within this one as a value: its object, if it is called by position alone."""
    decl = local.function
    if decl is None:
        return value
    params = signature(ctx.world, decl).params
    wanted = wanted_function(expected)
    if any(param.default is not None or param.keyword_only or param.variadic for param in params):
        return _around(ctx, node, decl, expected)
    return value if wanted is None or len(wanted.params) == len(params) else _around(ctx, node, decl, expected)


def value_of_method(
    ctx: Context, receiver: hir.Expr, decl: FunctionDecl | None, node: tree.Attribute, expected: Type | None
) -> hir.Expr:
    """Return ``receiver.method`` as a value, which keeps the receiver."""
    shape = tree.Attribute(tree.Name(RECEIVER, tree.LOAD, node.value.span), node.attr, node.ctx, node.span)
    return _around_value(ctx, receiver, shape, decl, expected)


def _around_value(
    ctx: Context, receiver: hir.Expr, shape: tree.expr, decl: FunctionDecl | None, expected: Type | None
) -> hir.Expr:
    """Return a lambda that calls what an expression says of a value, which it keeps."""
    return ctx.let({RECEIVER: receiver}, lambda: _around(ctx, shape, decl, expected))


def function_of(ctx: Context, value: hir.Expr, wanted: FunctionType) -> hir.Expr | None:
    """Return an object whose class has ``__call__``, or a class, as a function; None if that is another one."""
    span = Span(ctx.line, 1, ctx.line, 1)
    found = ctx.world.find_method(value.type, "__call__")
    if found is None:
        return _around_value(ctx, value, tree.Name(RECEIVER, tree.LOAD, span), None, wanted)
    node = tree.Attribute(tree.Name(RECEIVER, tree.LOAD, span), "__call__", tree.LOAD, span)
    params = [param for param in signature(ctx.world, found[0]).params if param.default is None]
    if len(params) > len(wanted.params):
        return None
    made = value_of_method(ctx, value, found[0], node, wanted)
    return made if unify(made.type, wanted) else None


def value_of_class_method(ctx: Context, node: tree.Attribute, expected: Type | None) -> hir.Expr:
    """Return ``Class.method`` as a value, which takes the object first."""
    return _around(ctx, node, None, expected)


def _around(ctx: Context, node: tree.expr, decl: FunctionDecl | None, expected: Type | None) -> hir.Expr:
    """Return a lambda that calls what ``node`` names."""
    wanted = wanted_function(expected)
    types: Sequence[Type] = ()
    if decl is not None:
        sig = signature(ctx.world, decl)
        types = [param.type for param in sig.params if not param.keyword_only and not param.variadic]
        plain = not decl.all_type_params
        takes_all = expected is not None and isinstance(t := prune(expected), FunctionType) and open_pack(t) is not None
        if takes_all and plain and not any(param.variadic or param.keywords for param in sig.params):
            return _with_all_parameters(ctx, node, decl, sig)
        if wanted is None:
            required = [
                param.type
                for param in sig.params
                if param.default is None and not param.variadic and not param.keywords
            ]
            wanted = FunctionType(tuple(required if plain else (Infer() for _ in required)), Infer())
        elif plain:
            for own, given in zip(wanted.params, types, strict=False):
                listed = ctx.world.list_type(INT).decl
                takes_any = decl.module.library and isinstance(t := prune(given), ClassType) and t.decl is listed
                if isinstance(prune(own), Infer) and not takes_any:
                    unify(own, given)
    if wanted is None:
        wanted = FunctionType((Infer(),), Infer())
    return _lambda_around(ctx, node, decl, wanted, ())


def _with_all_parameters(ctx: Context, node: tree.expr, decl: FunctionDecl, sig: Signature) -> hir.Expr:
    """Return a function as a value that takes all its parameters by position, as what decorates it is given it."""
    by_name = [param.name for param in sig.params if param.keyword_only]
    wanted = FunctionType(tuple(param.type for param in sig.params), sig.result)
    return _lambda_around(ctx, node, decl, wanted, by_name)


def _lambda_around(
    ctx: Context, node: tree.expr, decl: FunctionDecl | None, wanted: FunctionType, by_name: Sequence[str]
) -> hir.Expr:
    """Return a lambda that calls what ``node`` names, the last arguments being given by name."""
    span = node.span
    names = [f"${at}" for at in range(len(wanted.params))]
    values = [tree.Name(name, tree.LOAD, span) for name in names]
    count = len(values) - len(by_name)
    named = tuple(tree.keyword(name, value, span) for name, value in zip(by_name, values[count:], strict=True))
    arguments = tree.arguments((), tuple(tree.arg(name, None, span) for name in names), None, (), (), None, (), span)
    ctx.lambda_name = name_of_function(ctx, node, decl)
    return ctx.expr(tree.Lambda(arguments, tree.Call(node, tuple(values[:count]), named, span), span), wanted)


def name_of_function(ctx: Context, node: tree.expr, decl: FunctionDecl | None) -> str:
    """Return the ``__name__`` of what an expression names."""
    if decl is not None:
        named = decl.owner.name if decl.owner is not None and decl.name == "__init__" else decl.name
        return named.partition(" (")[0].rpartition(".")[2]
    symbol = ctx.lookup(node.id) if isinstance(node, tree.Name) else None
    if isinstance(symbol, Intrinsic):
        return symbol.name.rpartition(".")[2]
    return node.attr if isinstance(node, tree.Attribute) else node.id if isinstance(node, tree.Name) else ""


def call_value(ctx: Context, value: hir.Expr, node: tree.Call) -> hir.Expr:
    """Return the call of a function that is a value."""
    t = prune(value.type)
    if isinstance(t, Optional) and isinstance(prune(t.inner), FunctionType):
        value = require(ctx, value, "TypeError", "'NoneType' object is not callable", node.span)
        t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.func.span, "this function")
    if not isinstance(t, FunctionType):
        raise ctx.refuse(node.func.span, f"a `{t}` cannot be called", label="not a function")
    if node.keywords:
        raise ctx.refuse(node.keywords[0].span, f"a `{t}` takes arguments by position only")
    if len(node.args) != len(t.params):
        count = len(t.params)
        raise ctx.refuse(
            node.span, f"a `{t}` takes {count} argument{'' if count == 1 else 's'}, not {len(node.args)}"
        )
    held, kept = ctx.hold(value)
    values = ctx.attempt(zip(node.args, t.params, strict=True))
    args = [
        coerce(ctx, given, wanted, arg.span)
        for given, wanted, arg in zip(values, t.params, node.args, strict=True)
    ]
    made = call_object(ctx, kept, args, t.result, node.span)
    return hir.Let(made.type, held, made) if held else made


def call_object(ctx: Context, function: hir.Expr, args: Sequence[hir.Expr], result: Type, span: Span) -> hir.Expr:
    """Return the call of a function's object, which can be evaluated again, with arguments that fit."""
    base = ctx.world.library_symbol("krait.function", "function")
    assert isinstance(base, ClassDecl)
    ctx.note_program_call()
    code = hir.FieldGet(U32, hir.Cast(ClassType(base), function), "code")
    if prune(result) is NEVER:
        ctx.flow = ctx.flow.stop()
    return hir.CallIndirect(result, code, [function, *args], span.start_line)
