"""Values where a certain type is wanted.

In: a checked expression and the type that its context needs. Out: the expression with what the conversion takes, or a
refusal. What is converted: a class to its base, a value or None to an optional. What is not, on purpose: `int` to
`float` and `bool` to `int`, for the text of the value would change from what CPython prints.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.context import Context
from krait.check.tuples import field_name, is_tuple, is_vector, tuple_type
from krait.check.types import (
    BOOL,
    FIXED,
    FLOAT,
    INT,
    NEVER,
    NONE,
    U32,
    ClassType,
    Infer,
    Instance,
    Optional,
    Primitive,
    Type,
    ancestor,
    base_of,
    optional,
    prune,
    unify,
)
from krait.check.world import Refusal
from krait.diagnostics import Note, Span


def coerce(ctx: Context, value: hir.Expr, target: Type, span: Span, *, note: Note | None = None) -> hir.Expr:
    """Return ``value`` as the type ``target``, or refuse it at ``span``; ``note`` says why that type is wanted."""
    adapted = adapt(ctx, value, target)
    if adapted is None:
        raise _refusal(ctx, value, prune(target), span, note)
    return adapted


def adapt(ctx: Context, value: hir.Expr, target: Type) -> hir.Expr | None:
    """Return ``value`` as the type ``target``, None if that cannot be."""
    source, target = prune(value.type), prune(target)
    if source is target:
        return value
    if source is NEVER:
        return hir.Cast(target, value)
    if isinstance(target, Infer) and source is NONE:
        unify(target, Optional(Infer()))
        target = prune(target)
    if isinstance(target, Optional):
        return _to_optional(ctx, value, source, target)
    if unify(source, target):
        return value
    if isinstance(source, ClassType) and isinstance(target, ClassType):
        if is_tuple(source.decl) and is_vector(target.decl):
            return _to_vector(ctx, value, source, target)
        if is_subtype(source, target):
            return hir.Cast(target, value)
    return None


def is_subtype(source: Type, target: Type) -> bool:
    """Return whether objects of the class ``source`` are objects of ``target``, determining inference variables."""
    source, target = prune(source), prune(target)
    if not isinstance(source, ClassType) or not isinstance(target, ClassType):
        return False
    up = ancestor(source, target.decl)
    return up is not None and unify(up, target)


def _to_vector(ctx: Context, value: hir.Expr, source: ClassType, target: ClassType) -> hir.Expr | None:
    """Return a tuple of known length as one of any length."""
    world, span, item = ctx.world, Span(ctx.line, 0, ctx.line, 0), target.args[0]
    held, kept = ctx.hold(value)
    local = ctx.temp(world.list_type(item))
    items = hir.LocalGet(world.list_type(item), local)
    room = hir.Const(U32, len(source.args))
    made = ctx.library("krait.list", "with_capacity", [room], items.type, span, item)
    body: hir.Block = [*held, hir.Assign(ctx.line, local, made)]
    push, owner_args = world.find_method(items.type, "_push") or (None, ())
    assert push is not None
    for index, part in enumerate(source.args):
        fitted = adapt(ctx, hir.FieldGet(part, kept, field_name(index)), item)
        if fitted is None:
            return None
        body.append(hir.Evaluate(ctx.line, ctx.call(Instance(push, owner_args), [items, fitted], NONE, span)))
    return hir.Let(target, body, ctx.library("krait.tuple", "tuple_of_list", [items], target, span, item))


def _to_optional(ctx: Context, value: hir.Expr, source: Type, target: Optional) -> hir.Expr | None:
    if source is NONE:
        nothing = hir.Const(target, None)
        return nothing if isinstance(value, hir.Const) else hir.Let(target, [hir.Evaluate(ctx.line, value)], nothing)
    if isinstance(source, Optional):
        if unify(source.inner, target.inner):
            return value
        return hir.Cast(target, value) if is_subtype(source.inner, target.inner) else None
    inside = adapt(ctx, value, target.inner)
    return None if inside is None else wrap(ctx, inside, target)


def wrap(ctx: Context, value: hir.Expr, target: Optional) -> hir.Expr:
    """Return a value that is not None as an optional: an object stays itself, a number gets a box."""
    if not isinstance(prune(value.type), Primitive):
        return hir.Cast(target, value)
    box_type = _box_type(ctx, value.type)
    held, item = ctx.hold(value)
    box = ctx.temp(box_type)
    body = [
        *held,
        hir.Assign(ctx.line, box, hir.New(box_type, None, ctx.line)),
        hir.FieldSet(ctx.line, hir.LocalGet(box_type, box), field_name(0), item),
    ]
    return hir.Let(target, body, hir.Cast(target, hir.LocalGet(box_type, box)))


def unwrap(ctx: Context, value: hir.Expr) -> hir.Expr:
    """Return the value of an optional that is known not to be None."""
    source = prune(value.type)
    assert isinstance(source, Optional)
    inner = prune(source.inner)
    if isinstance(inner, Primitive):
        return hir.FieldGet(inner, hir.Cast(_box_type(ctx, inner), value), field_name(0))
    return hir.Cast(inner, value)


def _box_type(ctx: Context, inner: Type) -> ClassType:
    return tuple_type(ctx.world, (inner,))


def is_none(value: hir.Expr) -> hir.Expr:
    """Return the test whether an optional is None."""
    return hir.Op(BOOL, "i32.eqz", [value])


def negate(value: hir.Expr) -> hir.Expr:
    """Return the opposite of a bool."""
    if isinstance(value, hir.Const):
        return hir.Const(BOOL, not value.value)
    return hir.Op(BOOL, "i32.eqz", [value])


def require(ctx: Context, value: hir.Expr, exception: str, message: str, span: Span) -> hir.Expr:
    """Return the value of an optional, which raises the exception at run time if it is None."""
    local = ctx.temp(value.type)
    kept = hir.LocalGet(value.type, local)
    body = [
        hir.Assign(ctx.line, local, value),
        hir.If(ctx.line, is_none(kept), ctx.raising(exception, message, span), []),
    ]
    inner = unwrap(ctx, kept)
    return hir.Let(inner.type, body, inner)


def to_int(value: hir.Expr) -> hir.Expr:
    """Return a bool as an int."""
    if isinstance(value, hir.Const):
        return hir.Const(INT, int(value.value or 0))
    return hir.Op(INT, "i64.extend_i32_u", [value])


def to_float(value: hir.Expr) -> hir.Expr:
    """Return a number as a float, rounded as CPython rounds."""
    source = prune(value.type)
    if source is FLOAT:
        return value
    if isinstance(value, hir.Const):
        return hir.Const(FLOAT, float(value.value or 0))
    return hir.Op(FLOAT, "f64.convert_i64_s", [to_int(value) if source is BOOL else value])


def common_type(ctx: Context, values: Sequence[tuple[hir.Expr, Span]], expected: Type | None, what: str) -> Type:
    """Return the type that all ``values`` can have: of a list's items, or of the two sides of a conditional."""
    result: Type = Infer()
    wanted = prune(expected) if expected is not None else None
    if (
        wanted is not None
        and not isinstance(wanted, Infer | Primitive)
        and all(_would_fit(prune(value.type), wanted) for value, _ in values)
    ):
        return wanted
    has_none = any(prune(value.type) is NONE or isinstance(prune(value.type), Optional) for value, _ in values)
    first: tuple[Type, Span] | None = None
    for value, span in values:
        source = prune(value.type)
        if source in (NONE, NEVER):
            continue
        inner = source.inner if isinstance(source, Optional) else source
        if unify(result, inner):
            first = first or (inner, span)
            continue
        merged = _common_base(prune(result), prune(inner))
        if merged is None:
            assert first is not None
            raise _no_common_type(ctx, what, first, (inner, span))
        result = merged
    return optional(result) if has_none else prune(result)


def _would_fit(source: Type, wanted: Type) -> bool:
    if isinstance(wanted, Optional):
        return (
            source is NONE
            or source == wanted
            or source == prune(wanted.inner)
            or _would_fit(source, prune(wanted.inner))
        )
    return is_subtype(source, wanted)


def _common_base(a: Type, b: Type) -> Type | None:
    if not isinstance(a, ClassType) or not isinstance(b, ClassType):
        return None
    up: ClassType | None = a
    while up is not None and ancestor(b, up.decl) != up:
        up = base_of(up)
    return up


def _no_common_type(ctx: Context, what: str, first: tuple[Type, Span], other: tuple[Type, Span]) -> Refusal:
    types = {prune(first[0]), prune(other[0])}
    hints = ["write the ints as floats: `1.0`"] if types == {INT, FLOAT} else []
    return ctx.refuse(
        other[1],
        f"{what} must have one type, but here are `{first[0]}` and `{other[0]}`",
        *hints,
        label=f"this is `{other[0]}`",
        notes=[Note(f"`{first[0]}` here", first[1])],
    )


def _refusal(ctx: Context, value: hir.Expr, target: Type, span: Span, note: Note | None) -> Refusal:
    source = prune(value.type)
    notes = [note] if note is not None else []
    hints: list[str] = []
    wanted = prune(target.inner) if isinstance(target, Optional) else target
    if wanted is FLOAT and source is INT:
        if isinstance(value, hir.Const) and ctx.text_at(span)[:1] in "-0123456789":
            hints.append(f"write `{float(value.value or 0)!r}`: an int prints as an int")
        else:
            hints.append("write `float(…)` around it: an int prints as an int")
    elif wanted is INT and source is BOOL:
        hints.append("write `int(…)` around it: a bool prints as True or False")
    elif wanted is INT and source is FLOAT:
        hints.append("write `int(…)` to cut off the fraction, `round(…)` to round")
    elif isinstance(source, Optional) and prune(source.inner) == wanted:
        hints.append("test it first: `if x is not None:`")
    elif source is NONE:
        hint = f"what may be None has the type `{target} | None`"
        return ctx.refuse(span, f"expected `{target}`, found `None`", hint, label="this is `None`", notes=notes)
    elif isinstance(wanted, ClassType) and wanted == ctx.world.str_type:
        hints.append("write `str(…)` around it")
    elif wanted in (INT, FLOAT) and source == ctx.world.str_type:
        hints.append(f"write `{wanted}(…)` to read the number in the text")
    elif wanted in FIXED or source in FIXED:
        hints.append(f"write `{wanted}(…)` around it")
    return ctx.mismatch(span, target, source, *hints, notes=notes)
