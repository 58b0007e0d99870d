"""Values where a certain type is wanted.

In: a checked expression and the type that its context needs. Out: the expression with what the conversion takes, or a
refusal. What is converted: a class to its base, a value or None to an optional. What is not, on purpose: `int` to
`float` and `bool` to `int`, for the text of the value would change from what CPython prints.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.context import Context
from krait.check.mixing import meets_ints, mixed_value
from krait.check.relations import class_meant, common_base, derives
from krait.check.tuples import field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import (
    BOOL,
    FIXED,
    FLOAT,
    INT,
    NEVER,
    NONE,
    OBJECT,
    U32,
    ClassDecl,
    ClassType,
    FunctionType,
    Infer,
    Instance,
    Optional,
    Primitive,
    Type,
    Union,
    ancestor,
    is_known,
    is_object,
    members_of_union,
    optional,
    prune,
    resolve,
    union,
)
from krait.check.unification import unify
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Note, Span
from krait.syntax import tree


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
    if isinstance(target, Infer) and ctx.mixes_items:
        unify(target, mixed_value(source))
        target = prune(target)
    if is_object(source) and not is_object(target) and not isinstance(target, Infer):
        return _from_object(ctx, value, target)
    if isinstance(target, Optional):
        return _to_optional(ctx, value, source, target)
    if isinstance(target, Union):
        return _to_union(ctx, value, source, target)
    if unify(source, target):
        return value
    if isinstance(target, ClassType) and is_vector(target.decl):
        plain = plain_tuple(value)
        source = prune(plain.type)
        if isinstance(source, ClassType) and is_tuple(source.decl):
            return _to_vector(ctx, plain, source, target)
        if isinstance(source, ClassType) and is_vector(source.decl):
            return _copied(ctx, value, target) if _would_fit(*map(prune, source.args + target.args)) else None
    if isinstance(source, ClassType) and isinstance(target, ClassType) and is_tuple(target.decl):
        if source.decl is target.decl:
            return _to_tuple(ctx, value, source, target)
    if isinstance(source, Union) and target is INT and set(source.members) == {INT, BOOL}:
        return _from_object(ctx, value, target)  # what `isinstance(x, int)` has shown: a bool is refused
    is_function = isinstance(source, FunctionType) and isinstance(target, FunctionType) and _does_for(source, target)
    if is_function or (isinstance(target, FunctionType) and isinstance(source, ClassType) and _is_called(source)):
        assert isinstance(target, FunctionType)
        return ctx.world.function_of(ctx, value, target) if ctx.world.function_of is not None else None
    return hir.Cast(target, value) if is_subtype(source, target) else None


def _does_for(source: FunctionType, target: FunctionType) -> bool:
    """Return whether a function takes what another one is given, and returns what that returns, each as it is."""
    if len(source.params) != len(target.params) or not (is_known(source) and is_known(target)):
        return False
    pairs = [*zip(target.params, source.params, strict=True), (source.result, target.result)]
    return all(prune(b) is NONE or _would_fit(prune(a), prune(b)) for a, b in pairs)


def _is_called(t: ClassType) -> bool:
    """Return whether objects of a class of the program, or classes, can be called."""
    return class_meant(t) is not None or (not t.decl.module.library and t.decl.find_method("__call__") is not None)


def is_subtype(source: Type, target: Type) -> bool:
    """Return whether objects of the class ``source`` are objects of ``target``, determining inference variables."""
    source, target = prune(source), prune(target)
    if isinstance(source, Union) and isinstance(target, ClassType) and source.alias != OBJECT:
        return all(is_subtype(member, target) for member in source.members)
    if not isinstance(source, ClassType) or not isinstance(target, ClassType):
        return False
    up = ancestor(source, target.decl)
    return up is not None and (unify(up, target) or derives(up, target))


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


def _copied(ctx: Context, value: hir.Expr, target: ClassType) -> hir.Expr:
    """Return a tuple of any length as one whose items may be of more types."""
    span = Span(ctx.line, 0, ctx.line, 0)
    source = tree.comprehension(tree.Name("$each", tree.STORE, span), tree.Name("$all", tree.LOAD, span), (), span)
    items = tree.GeneratorExp(tree.Name("$each", tree.LOAD, span), (source,), span)
    call = tree.Call(tree.Name(f"{LIBRARY}tuple", tree.LOAD, span), (items,), (), span)
    return ctx.let({"$all": value}, lambda: ctx.expr(call, target))


def _to_tuple(ctx: Context, value: hir.Expr, source: ClassType, target: ClassType) -> hir.Expr | None:
    """Return a tuple as one of the same length with items of other types, which is a new one."""
    held, kept = ctx.hold(value)
    items: list[hir.Expr] = []
    for at, (own, wanted) in enumerate(zip(source.args, target.args, strict=True)):
        fitted = adapt(ctx, hir.FieldGet(own, kept, field_name(at)), wanted)
        if fitted is None:
            return None
        block, item = ctx.hold(fitted)
        held += block
        items.append(item)
    local = ctx.temp(target)
    made = hir.LocalGet(target, local)
    held.append(hir.Assign(ctx.line, local, hir.New(target, None, ctx.line)))
    held += [hir.FieldSet(ctx.line, made, field_name(at), item) for at, item in enumerate(items)]
    return hir.Let(target, held, made)


def _to_optional(ctx: Context, value: hir.Expr, source: Type, target: Optional) -> hir.Expr | None:
    if source is NONE:
        nothing = hir.Const(target, None)
        return nothing if isinstance(value, hir.Const) else hir.Let(target, [hir.Evaluate(ctx.line, value)], nothing)
    if isinstance(source, Optional):
        wanted = prune(target.inner)
        if is_object(wanted):
            return hir.Cast(target, value) if _note(ctx, source) else None
        if unify(source.inner, target.inner):
            return value
        fits = takes(wanted, source.inner) if isinstance(wanted, Union) else is_subtype(source.inner, wanted)
        return hir.Cast(target, value) if fits else None
    inside = adapt(ctx, value, target.inner)
    return None if inside is None else wrap(ctx, inside, target)


def _from_object(ctx: Context, value: hir.Expr, target: Type) -> hir.Expr | None:
    """Return an object as the type that it is said to have, which is asked when it runs."""
    if target in (NONE, NEVER, *FIXED):
        return None
    span = ctx.span_of_line(ctx.line)
    held, kept = ctx.hold(value)
    inner = prune(target.inner) if isinstance(target, Optional) else target
    if isinstance(inner, Infer):
        return None
    test = is_of(ctx, kept, inner)
    if isinstance(prune(value.type), Optional):
        test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, isinstance(target, Optional)), test)
    failed = ctx.raising("TypeError", f"this object is no `{target}`", span)
    return hir.Let(target, [*held, hir.If(ctx.line, test, [], failed)], as_known(ctx, kept, target))


def can_be_object(t: Type) -> bool:
    """Return whether values of a type can become objects."""
    for part in map(prune, members_of_union(t)):
        iterates = isinstance(part, ClassType) and part.decl.module.name == "krait.iterator"
        if part in (NONE, NEVER, *FIXED) or iterates:
            return False
    return True


def _note(ctx: Context, t: Type) -> bool:
    """Note that values of a type become objects; False if they cannot."""
    if not can_be_object(t):
        return False
    for part in map(prune, members_of_union(t)):
        if not is_object(part) and part not in ctx.world.anything.members:
            ctx.world.anything.members += (part,)
    return True


def _to_union(ctx: Context, value: hir.Expr, source: Type, target: Union) -> hir.Expr | None:
    if isinstance(source, Infer):
        unify(source, target)
        return value
    if target.alias == OBJECT and not isinstance(source, Optional):
        return wrap(ctx, value, target) if _note(ctx, source) else None
    if isinstance(source, Optional) or source == target:
        return None if isinstance(source, Optional) else value
    if _has_functions(target):
        return None
    if takes(target, source):
        return wrap(ctx, value, target)
    for member in target.members if not isinstance(source, Union) else ():
        fitted = adapt(ctx, value, member)
        if fitted is not None:
            return wrap(ctx, fitted, target)
    return None


def _has_functions(t: Type) -> bool:
    """Return whether a union has types of several functions: which of them a function is cannot be asked."""
    return sum(isinstance(prune(member), FunctionType) for member in members_of_union(t)) > 1


def takes(target: Union, source: Type) -> bool:
    """Return whether each value of a type, or of the types of a union, is one of those of a union as it stands."""
    members = [resolve(member) for member in target.members]

    def is_taken(part: Type) -> bool:
        bases = [member for member in members if isinstance(member, ClassType)]
        return (is_known(part) and resolve(part) in members) or any(_derives(part, base) for base in bases)

    return all(map(is_taken, members_of_union(source)))


def _derives(t: Type, base: ClassType) -> bool:
    """Return whether a class derives from another, nothing being inferred from it."""
    t = prune(t)
    return isinstance(t, ClassType) and derives(t, base)


def wrap(ctx: Context, value: hir.Expr, target: Optional | Union) -> hir.Expr:
    """Return a value as an optional, not None, or as a union: an object stays itself, a number gets a box."""
    if not isinstance(prune(value.type), Primitive):
        return hir.Cast(target, value)
    made = box_type(ctx, value.type)
    held, item = ctx.hold(value)
    box = ctx.temp(made)
    body = [
        *held,
        hir.Assign(ctx.line, box, hir.New(made, None, ctx.line)),
        hir.FieldSet(ctx.line, hir.LocalGet(made, box), "value", item),
    ]
    return hir.Let(target, body, hir.Cast(target, hir.LocalGet(made, box)))


def unwrap(ctx: Context, value: hir.Expr) -> hir.Expr:
    """Return the value of an optional that is known not to be None."""
    source = prune(value.type)
    assert isinstance(source, Optional)
    return as_known(ctx, value, source.inner)


def as_known(ctx: Context, value: hir.Expr, known: Type) -> hir.Expr:
    """Return a value as the type, among those that it may have, that it is known to have."""
    source, known = prune(value.type), prune(known)
    if isinstance(known, Primitive) and not isinstance(source, Primitive):
        return hir.FieldGet(known, hir.Cast(box_type(ctx, known), value), "value")
    return value if source == known else hir.Cast(known, value)


def is_of(ctx: Context, value: hir.Expr, member: Type) -> hir.Expr:
    """Return the test whether a value that may have several types, and is not None, has this one."""
    member = prune(member)
    if isinstance(member, Union):
        first, *others = member.members
        result = is_of(ctx, value, first)
        for other in others:
            result = hir.Conditional(BOOL, result, hir.Const(BOOL, True), is_of(ctx, value, other))
        return result
    if isinstance(member, Primitive):
        cls = box_type(ctx, member)
    elif isinstance(member, FunctionType):
        base = ctx.world.library_symbol("krait.function", "function")
        assert isinstance(base, ClassDecl)
        cls = ClassType(base)
    else:
        assert isinstance(member, ClassType)
        cls = member
    return hir.IsInstance(BOOL, value, cls)


def checked_as(ctx: Context, value: hir.Expr, known: Type, name: str, span: Span, wrong: str = "") -> hir.Expr:
    """Return a value as the type that a test has shown; asked again, for a call may have changed it since.

    wrong: what TypeError says if it is no such value; without it, that ``name`` has changed.
    """
    source, known = prune(value.type), prune(known)
    if source == known:
        return value
    message = wrong or f"'{name}' is None"
    if isinstance(source, Optional):
        if prune(source.inner) == known:
            return require(ctx, value, "TypeError", message, span)
        if not isinstance(known, Optional):
            value = require(ctx, value, "TypeError", message, span)
    held, kept = ctx.hold(value)
    test = is_of(ctx, kept, known.inner if isinstance(known, Optional) else known)
    if isinstance(known, Optional):
        test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, True), test)
    changed = ctx.raising("TypeError", wrong or f"'{name}' is no longer a {known}", span)
    return hir.Let(known, [*held, hir.If(ctx.line, test, [], changed)], as_known(ctx, kept, known))


def box_type(ctx: Context, inner: Type) -> ClassType:
    """Return the type of the object that holds a number where it may be None, or of another type."""
    decl = ctx.world.library_symbol("krait.object", "Box")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl, (inner,))


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


def member_value(ctx: Context, value: hir.Expr, *asked: str) -> hir.Expr:
    """Return a member of an enum of ints or texts as what it is, any other value as itself.

    asked: methods that come first, if its class has one.
    """
    t = prune(value.type)
    if not isinstance(t, ClassType) or any(name in t.decl.methods for name in asked):
        return value
    if t.decl.enum in ("int", "int flag"):
        return hir.FieldGet(INT, value, "value")
    return hir.FieldGet(ctx.world.str_type, value, "value") if t.decl.enum == "str" else value


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


def type_of_items(ctx: Context, values: Sequence[tuple[hir.Expr, Span]], expected: Type | None, what: str) -> Type:
    """Return the type that items have: that of all of them, with ints besides floats where a check asks for that."""
    common = common_type(ctx, values, expected, what)
    return mixed_value(common) if ctx.mixes_items else common


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
        if any(unify(member, inner) for member in members_of_union(result) if _are_alike(member, inner)):
            continue
        merged = common_base(prune(result), prune(inner)) or _common_tuple(prune(result), prune(inner))
        if merged is None and Infer in (type(prune(result)), type(prune(inner))):
            assert first is not None
            raise _no_common_type(ctx, what, first, (inner, span))
        result = merged or union((result, inner))
        if _has_functions(result):
            raise _no_common_type(ctx, what, first or (inner, span), (inner, span))
    return optional(result) if has_none else prune(result)


def _are_alike(a: Type, b: Type) -> bool:
    """Return whether two types are of the same class, whatever their items are."""
    a, b = prune(a), prune(b)
    return isinstance(a, ClassType) and isinstance(b, ClassType) and a.decl is b.decl


def _would_fit(source: Type, wanted: Type) -> bool:
    if isinstance(wanted, Optional):
        return (
            source is NONE
            or source == wanted
            or source == prune(wanted.inner)
            or _would_fit(source, prune(wanted.inner))
        )
    if is_object(wanted):
        return source is not NEVER
    if isinstance(wanted, FunctionType) and isinstance(source, ClassType):
        return _is_called(source)
    if isinstance(wanted, Union):
        parts = (source,) if not isinstance(source, Union) else source.members
        return all(any(_would_fit(prune(part), prune(member)) for member in wanted.members) for part in parts)
    if source == wanted:
        return True
    return is_subtype(source, wanted)


def _common_tuple(a: Type, b: Type) -> Type | None:
    """Return the tuple whose items can be those of two tuples of the same length."""
    if not isinstance(a, ClassType) or not isinstance(b, ClassType) or a.decl is not b.decl or not is_tuple(a.decl):
        return None
    return ClassType(a.decl, tuple(x if unify(x, y) else union((x, y)) for x, y in zip(a.args, b.args, strict=True)))


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
    ctx.world.meets_ints |= meets_ints(target, source)
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
