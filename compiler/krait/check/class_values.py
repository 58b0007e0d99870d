"""Classes as values: their objects, and the choice between the classes that one may be.

In: a class, or what has one. Out: the object that stands for the class, of the type ``type[C]``; tests of it. A class
that has type parameters is a value of the type ``type`` alone, one object for whatever they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator

from krait.check import hir
from krait.check.coerce import is_none, unwrap
from krait.check.context import Context
from krait.check.relations import class_meant
from krait.check.tuples import is_tuple, is_vector
from krait.check.types import (
    BOOL,
    INT,
    NONE,
    U32,
    ClassDecl,
    ClassType,
    Infer,
    Optional,
    Type,
    Union,
    base_of,
    is_known,
    members_of_union,
    prune,
    resolve,
)
from krait.check.unification import unify
from krait.check.unions import by_member, expands_objects, of_object
from krait.diagnostics import Span


def class_object(ctx: Context, t: Type) -> hir.Expr:
    """Return the object of the class whose objects have the type ``t``."""
    made = _class_object(ctx, t)
    meant = class_meant(made.type)
    return hir.Cast(ctx.world.class_type(None), made) if isinstance(meant, ClassType) and meant.args else made


def _class_object(ctx: Context, t: Type) -> hir.ClassObject:
    found = ctx.world.class_of(t)
    assert found is not None
    decl, args = found
    if decl.module.library and (is_tuple(decl) or is_vector(decl)):
        decl, args = ctx.world.vector_type(INT).decl, (INT,)
    inner = ClassType(decl, (INT,) * len(args)) if decl.primitive is None else prune(t)
    module = "builtins" if decl.module.name.startswith("krait.") else decl.module.name
    place = "" if module == "builtins" else f"{module}."
    kind = "flag" if decl.enum.endswith("flag") else "enum"
    shown = f"<{kind} {decl.name!r}>" if decl.enum else f"<class '{place}{decl.qualified_name}'>"
    instances = inner if isinstance(inner, ClassType) and not args else None
    up = INT if inner is BOOL or decl.enum.startswith("int") else ctx.world.str_type if decl.enum == "str" else None
    up = up or (base_of(inner) if isinstance(inner, ClassType) else None)
    base = _class_object(ctx, up) if up is not None else None
    return hir.ClassObject(ctx.world.class_type(inner), decl.qualified_name, module, shown, instances, base)


_SAME_NAMES = frozenset(
    ("str", "int", "float", "bool", "bytes", "bytearray", "list", "dict", "set", "frozenset", "tuple", "range", "slice")
)
"""Classes of the library's own modules that have the names that they have in CPython; exceptions have theirs too."""


def _has_class(ctx: Context, t: Type) -> bool:
    """Return whether values of a type have a class that is known by CPython's name."""
    found = ctx.world.class_of(t)
    if found is None:
        return False
    decl = found[0]
    return not decl.module.name.startswith("krait.") or decl.name in _SAME_NAMES or ctx.world.is_exception(decl)


def wants_class(ctx: Context, expected: Type | None) -> bool:
    """Return whether a context would like a class as a value."""
    plain = ctx.world.class_type(None).decl
    wanted = map(prune, members_of_union(expected)) if expected is not None else ()
    return any(isinstance(t, ClassType) and t.decl.is_subclass(plain) for t in wanted)


def class_of_value(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``type(value)``."""
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    asked = of_object(ctx, "any_type", [value], ctx.world.class_type(None), span)
    if asked is not None:
        return asked
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: class_of_value(ctx, part, span))
    t = resolve(t)
    held, kept = ctx.hold(value)
    if isinstance(t, Optional):
        any_class = ctx.world.class_type(None)
        inner = hir.Cast(any_class, class_of_value(ctx, unwrap(ctx, kept), span))
        nothing = hir.Cast(any_class, _class_of_none(ctx))
        return hir.Let(any_class, held, hir.Conditional(any_class, is_none(kept), nothing, inner))
    if t is NONE:
        return hir.Let(ctx.world.class_type(None), [hir.Evaluate(ctx.line, value)], _class_of_none(ctx))
    if not _has_class(ctx, t):
        return _class_unknown(ctx, value, span)
    result = class_object(ctx, t)
    for cls, test in tests_of_classes(ctx, kept, span) if isinstance(t, ClassType) else ():
        result = hir.Conditional(result.type, test, hir.Cast(result.type, class_object(ctx, cls)), result)
    return hir.Let(result.type, held or [hir.Evaluate(ctx.line, kept)], result)


def _class_of_none(ctx: Context) -> hir.Expr:
    decl = ctx.world.library_symbol("krait.type", "NoneType")
    assert isinstance(decl, ClassDecl)
    return hir.Cast(ctx.world.class_type(None), class_object(ctx, ClassType(decl)))


def _class_unknown(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """The class of what has none here: functions, iterators. Of an object, it turns out when that is asked."""
    if not expands_objects(ctx):
        raise ctx.later(span, f"`type` of a `{value.type}`", "use `callable`, or `isinstance`")
    raised = ctx.raising("TypeError", f"the class of a `{value.type}` is not known", span)
    return hir.Let(ctx.world.class_type(None), raised, _class_of_none(ctx))


def tests_of_classes(ctx: Context, kept: hir.Expr, span: Span) -> Iterator[tuple[ClassType, hir.Expr]]:
    """Each class that may be that of an object, or be a class as a value, other than its own; and the test for it.

    Of two of which one derives from the other, the base comes first.
    """
    meant = class_meant(kept.type)
    t = meant if meant is not None else prune(kept.type)
    if not isinstance(t, ClassType):
        return
    t = ClassType(t.decl, tuple(map(resolve, t.args)))
    if meant is None and _derives_open(ctx, t):
        hint = "use `isinstance`"
        raise ctx.later(span, f"the class of a `{t}`, from which classes with type parameters derive", hint)
    for cls in ctx.world.subclasses(t):
        yield cls, hir.IsInstance(BOOL, kept, ctx.world.class_type(cls) if meant is not None else cls)


def _derives_open(ctx: Context, cls: ClassType) -> bool:
    """Return whether classes derive from another whose type parameters do not follow from those of that one."""
    for decl in ctx.world.derived.get(cls.decl, ()):
        derived = ClassType(decl, tuple(Infer() for _ in decl.type_params))
        up = base_of(derived)
        if up is not None and unify(up, cls) and (not is_known(derived) or _derives_open(ctx, derived)):
            return True
    return False


def is_class(ctx: Context, t: Type) -> bool:
    """Return whether values of a type are classes."""
    plain, parts = ctx.world.class_type(None).decl, map(prune, members_of_union(t))
    return all(isinstance(part, ClassType) and part.decl.is_subclass(plain) for part in parts)


def derives_from(ctx: Context, cls: hir.Expr, base: hir.Expr, span: Span) -> hir.Expr:
    """Return whether a class as a value is another one, or derives from it."""
    plain = ctx.world.class_type(None)
    return ctx.library("krait.type", "derives", [hir.Cast(plain, cls), hir.Cast(plain, base)], BOOL, span)


def is_among(number: hir.Expr, cls: hir.Expr) -> hir.Expr:
    """Return whether the number of a class is that of a class as a value, or of one that derives from it."""
    first, count = hir.FieldGet(U32, cls, "_first"), hir.FieldGet(U32, cls, "_count")
    return hir.Op(BOOL, "i32.lt_u", [hir.Op(U32, "i32.sub", [number, first]), count])


__all__ = ["class_object", "class_of_value", "derives_from", "is_among", "is_class", "tests_of_classes", "wants_class"]
