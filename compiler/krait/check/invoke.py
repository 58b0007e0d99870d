"""Calls of methods and functions with arguments that are already checked.

In: a receiver, a method's name, checked arguments. Out: a call of an instance, with arguments adapted to its
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from krait.check import hir
from krait.check.byteslike import fitted_bytes
from krait.check.coerce import adapt, coerce, is_none, require, unwrap
from krait.check.context import Context
from krait.check.promoted import promoted, takes_ints
from krait.check.signatures import OPEN_RESULT, open_result, signature
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    U32,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Instance,
    Optional,
    Type,
    TypeParam,
    Union,
    ancestor,
    is_known,
    prune,
    substitute,
)
from krait.check.unions import by_member, of_object
from krait.check.world import Refusal, Request
from krait.diagnostics import Span

Argument = tuple[hir.Expr, Span]


def fresh_instance(decl: FunctionDecl, owner_args: Sequence[Type]) -> tuple[Instance, dict[TypeParam, Type]]:
    """Return an instance of ``decl`` whose own type parameters are yet to be inferred."""
    args = (*owner_args, *map(Infer.of, decl.type_params))
    instance = Instance(decl, args)
    return instance, instance.env


def result_of(ctx: Context, instance: Instance, env: Mapping[TypeParam, Type], span: Span) -> Type:
    """Return what a call of an instance gives, whose arguments are known, but for what functions among them take."""
    decl, world = instance.decl, ctx.world
    open_functions = [t for t in instance.args if isinstance(prune(t), FunctionType) and not is_known(t)]
    if open_functions and decl not in world.asked and world.infer_result is not None and decl.open_params:
        world.asked.add(decl)
        world.infer_result(world, instance)  # what it calls them with says what they take
        world.asked.discard(decl)
    said = signature(world, decl).result
    if said is not OPEN_RESULT:
        return substitute(said, env)
    if not all(map(is_known, instance.args)):
        raise ctx.unknown(span, f"an argument of `{decl.name}`")
    world.requests.setdefault(instance.resolved(), Request(ctx.module, span, ctx.instance))
    return open_result(world, instance)


def find_method(ctx: Context, t: Type, name: str) -> tuple[FunctionDecl, tuple[Type, ...]] | None:
    """Return a method of values of the type, None if there is none; of a union, that of its first type."""
    t = prune(t)
    if isinstance(t, Union):
        methods = [find_method(ctx, member, name) for member in t.members]
        return methods[0] if methods and all(methods) else None
    found = ctx.world.find_method(t, name)
    return found if found is not None and found[0].kind in ("method", "property") else None


def invoke(ctx: Context, receiver: hir.Expr, name: str, args: Sequence[Argument], span: Span) -> hir.Expr:
    """Return the call of a method that exists; arguments that do not fit are refused where they stand."""
    if isinstance(prune(receiver.type), Union):
        return by_member(ctx, receiver, lambda part: invoke(ctx, part, name, args, span))
    found = find_method(ctx, receiver.type, name)
    assert found is not None, f"{receiver.type} has no {name}"
    decl, owner_args = found
    sig = signature(ctx.world, decl)
    instance, env = fresh_instance(decl, owner_args)
    given = [
        coerce(ctx, fitted_bytes(ctx, decl, value, param.type, where), substitute(param.type, env), where)
        for param, (value, where) in zip(sig.params, args, strict=True)
    ]
    arguments = [receiver_for(ctx, decl, receiver), *given]
    return ctx.call(instance, arguments, result_of(ctx, instance, env, span), span, virtual=True)


def try_invoke(ctx: Context, receiver: hir.Expr, name: str, args: Sequence[Argument], span: Span) -> hir.Expr | None:
    """Return the call of a method if it exists and takes such arguments, else None."""
    found = find_method(ctx, receiver.type, name)
    if found is None:
        return None
    t = prune(receiver.type)
    if isinstance(t, Union):
        return _try_members(ctx, receiver, name, args, span)
    decl, owner_args = found
    sig = signature(ctx.world, decl)
    instance, env = fresh_instance(decl, owner_args)
    if len(sig.params) != len(args):
        return None
    given = []
    ints: dict[str, Type] = {}
    for param, (value, where) in zip(sig.params, args, strict=True):
        wanted = substitute(param.type, env)
        adapted = adapt(ctx, fitted_bytes(ctx, decl, value, param.type, where), wanted)
        if adapted is None and wanted is FLOAT and prune(value.type) is INT and takes_ints(ctx, decl):
            ints[param.name] = INT
            adapted = value
        if adapted is None:
            return None
        given.append(adapted)
    if ints:
        variant = promoted(ctx, decl, ints)
        if variant is None:
            return None
        instance = Instance(variant)
        sig = signature(ctx.world, variant)
        given = [coerce(ctx, value, param.type, span) for value, param in zip(given, sig.params, strict=True)]
    arguments = [receiver_for(ctx, decl, receiver), *given]
    return ctx.call(instance, arguments, result_of(ctx, instance, env, span), span, virtual=True)


def _try_members(
    ctx: Context, receiver: hir.Expr, name: str, args: Sequence[Argument], span: Span
) -> hir.Expr | None:
    """Return the call of a method that all types of a union have, None if one of them takes no such arguments."""
    held: hir.Block = []
    kept: list[Argument] = []
    for value, where in args:
        block, again = ctx.hold(value)
        held += block
        kept.append((again, where))

    def act(part: hir.Expr) -> hir.Expr:
        made = try_invoke(ctx, part, name, kept, span)
        if made is None:
            raise Refusal(name)
        return made

    try:
        result = by_member(ctx, receiver, act)
    except Refusal:
        return None
    return hir.Let(result.type, held, result) if held else result


def receiver_for(ctx: Context, decl: FunctionDecl, receiver: hir.Expr) -> hir.Expr:
    """Return the receiver as the type that the method's class gives to ``self``."""
    assert decl.owner is not None
    if decl.owner.primitive is not None or ctx.world.class_of(receiver.type) is None:
        return receiver
    owner = ctx.world.class_of(receiver.type)
    assert owner is not None
    if owner[0] is decl.owner:
        return receiver
    up = ancestor(ClassType(*owner), decl.owner)
    assert up is not None
    return hir.Cast(up, receiver)


def present(ctx: Context, receiver: hir.Expr, attribute: str, span: Span) -> hir.Expr:
    """Return a receiver that is not None: an optional one raises AttributeError at run time, as CPython."""
    if isinstance(prune(receiver.type), Optional):
        return require(ctx, receiver, "AttributeError", f"'NoneType' object has no attribute '{attribute}'", span)
    return receiver


def text_of(ctx: Context, value: hir.Expr, how: str, span: Span) -> hir.Expr:
    """Return ``str`` or ``repr`` of a value; ``how`` is ``__str__`` or ``__repr__``."""
    world = ctx.world
    t = prune(value.type)
    asked = of_object(ctx, "any_str" if how == "__str__" else "any_repr", [value], world.str_type, span)
    if asked is not None:
        return asked
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: text_of(ctx, part, how, span))
    if isinstance(value, hir.Text) and how == "__str__":
        return value
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    if world.class_of(t) is None and not isinstance(t, Optional):
        nothing = hir.Text(world.str_type, "None")
        if str(t) == "None":
            return hir.Let(nothing.type, [hir.Evaluate(ctx.line, value)], nothing)
        hint = "call it" if isinstance(t, FunctionType) else "convert it: `int(…)`"
        raise ctx.refuse(span, f"`{t}` has no text", hint)
    if isinstance(t, Optional) and isinstance(prune(t.inner), Infer):
        ctx.unknown_met = True  # so far it has been None alone; if it turns out to be more, it is asked again
        return hir.Let(world.str_type, [hir.Evaluate(ctx.line, value)], hir.Text(world.str_type, "None"))
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = text_of(ctx, unwrap(ctx, kept), how, span)
        choice = hir.Conditional(world.str_type, is_none(kept), hir.Text(world.str_type, "None"), inner)
        return hir.Let(world.str_type, held, choice) if held else choice
    if how == "__str__" and t == world.str_type:
        return value
    if how == "__str__" and find_method(ctx, t, "__str__") is None:
        how = "__repr__"
    made = try_invoke(ctx, value, how, [], span)
    if made is not None:
        return made
    if isinstance(t, ClassType) and not t.decl.module.library:
        return _text_of_object(ctx, value, t, how, span)
    raise ctx.refuse(span, f"`{t}` has no method `{how}`", "print its parts")


def _text_of_object(ctx: Context, value: hir.Expr, t: ClassType, how: str, span: Span) -> hir.Expr:
    """Return the text of an object whose class has none of its own: that of a derived class, else its address."""
    text = ctx.world.str_type
    local = ctx.temp(t)
    kept = hir.LocalGet(t, local)
    parts: list[hir.Expr] = [hir.Text(text, t.decl.module.name), hir.TypeName(text, kept), hir.Cast(U32, kept)]
    result = ctx.library("krait.object", "default_repr", parts, text, span)
    for cls in ctx.world.subclasses(t):
        if "__repr__" in cls.decl.methods or (how == "__str__" and "__str__" in cls.decl.methods):
            own = text_of(ctx, hir.Cast(cls, kept), how, span)
            result = hir.Conditional(text, hir.IsInstance(BOOL, kept, cls), own, result)
    return hir.Let(text, [hir.Assign(ctx.line, local, value)], result)
