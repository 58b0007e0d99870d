"""Truth: what `if`, `while`, `and`, `or`, `not` and conditional expressions ask.

In: expressions. Out: bools, and what is known where they are true and where they are false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from krait.check import hir
from krait.check.class_values import class_of_value, derives_from, is_among, is_class
from krait.check.classes import class_named
from krait.check.coerce import adapt, common_type, is_none, is_of, is_subtype, member_value, negate, unwrap
from krait.check.context import Context, expression
from krait.check.flow import Flow, Path, join
from krait.check.invoke import find_method, try_invoke
from krait.check.protocols import conforming
from krait.check.relations import class_meant
from krait.check.roots import is_mark, is_root
from krait.check.tuples import is_tuple, is_vector
from krait.check.types import (
    BOOL,
    FIXED,
    FLOAT,
    INT,
    NEVER,
    NONE,
    U32,
    U64,
    ClassDecl,
    ClassType,
    GlobalVar,
    Infer,
    Intrinsic,
    Optional,
    Primitive,
    Type,
    Union,
    is_object,
    members_of_union,
    optional,
    prune,
    resolve,
    union,
)
from krait.check.unions import by_member, expands_objects, of_object
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


@dataclass(slots=True)
class Condition:
    """A bool, with the flows behind it where it is true and where it is false."""

    value: hir.Expr
    true: Flow
    false: Flow


def truth(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return whether a value counts as true."""
    t = prune(value.type)
    if t is BOOL or t is NEVER:
        return value
    if t is INT or t is U64:
        return hir.Op(BOOL, "i64.ne", [value, hir.Const(t, 0)])
    if t is FLOAT:
        return hir.Op(BOOL, "f64.ne", [value, hir.Const(FLOAT, 0.0)])
    if t in FIXED:
        return hir.Op(BOOL, "i32.ne", [value, hir.Const(t, 0)])
    if t is NONE:
        return hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], hir.Const(BOOL, False))
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    asked_object = of_object(ctx, "any_truth", [value], BOOL, span)
    if asked_object is not None:
        return asked_object
    if isinstance(t, Optional):
        return _optional_truth(ctx, value, t, span)
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: truth(ctx, part, span))
    asked = try_invoke(ctx, value, "__bool__", [], span)
    if asked is not None:
        return asked
    length = length_of(ctx, value, span)
    if length is not None:
        return hir.Op(BOOL, "i64.ne", [length, hir.Const(INT, 0)])
    return hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], hir.Const(BOOL, True))


def length_of(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr | None:
    """Return what ``__len__`` says, None if there is no such method. A class of a program may say what is no length."""
    made = try_invoke(ctx, member_value(ctx, value, "__len__"), "__len__", [], span)
    classes = [t for t in members_of_union(value.type) if isinstance(t, ClassType) and not t.decl.module.library]
    if made is None or not classes or prune(made.type) is not INT:
        return made
    return ctx.library("krait.object", "length", [made], INT, span)


def _optional_truth(ctx: Context, value: hir.Expr, t: Optional, span: Span) -> hir.Expr:
    inner = prune(t.inner)
    plain = isinstance(inner, ClassType) and not (
        find_method(ctx, inner, "__bool__") or find_method(ctx, inner, "__len__")
    )
    if plain:
        return negate(is_none(value))
    held, kept = ctx.hold(value)
    choice = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, False), truth(ctx, unwrap(ctx, kept), span))
    return hir.Let(BOOL, held, choice) if held else choice


def condition(ctx: Context, node: tree.expr) -> Condition:
    """Check an expression whose truth is asked; ``ctx.flow`` is left at where the two ways join."""
    match node:
        case tree.UnaryOp(op=tree.Not(), operand=operand):
            inner = condition(ctx, operand)
            return Condition(negate(inner.value), inner.false, inner.true)
        case tree.BoolOp(op=op, values=values):
            return _junction(ctx, isinstance(op, tree.And), values)
        case tree.Compare(
            left=left,
            ops=(tree.Is() | tree.IsNot() | tree.Eq() | tree.NotEq() as op,),
            comparators=(tree.Constant(value=None),),
        ):
            return _none_test(ctx, left, isinstance(op, tree.Is | tree.Eq), node)
        case tree.Compare(left=left, ops=(tree.Is() | tree.IsNot() as op,), comparators=(right,)) if (
            (marked := _narrowed_by_mark(ctx, left, right) or _narrowed_by_mark(ctx, right, left)) is not None
        ):
            test, (variable, mark, rest) = ctx.expr(node), marked
            if isinstance(test, hir.Const):
                return Condition(test, *_ways(ctx, bool(test.value)))
            is_it, is_other = ctx.flow.narrow(variable, mark), ctx.flow.narrow(variable, rest)
            return Condition(test, is_it, is_other) if isinstance(op, tree.Is) else Condition(test, is_other, is_it)
        case tree.Call(func=tree.Name(id="isinstance"), args=(subject, cls), keywords=()):
            return _isinstance_test(ctx, subject, cls, node)
        case _:
            value = _raw(ctx, node)
            test = truth(ctx, value, node.span)
            path = access_path(ctx, node)
            known = ctx.flow
            t = prune(value.type)
            if path is not None and isinstance(t, Optional):
                return Condition(test, known.narrow(path, prune(t.inner)), known)
            if isinstance(test, hir.Const):
                return Condition(test, *_ways(ctx, bool(test.value)))
            return Condition(test, known, known)


def _ways(ctx: Context, answer: bool) -> tuple[Flow, Flow]:
    """Where a test whose answer is known goes on, and the way that is never gone."""
    return (ctx.flow, ctx.flow.stop()) if answer else (ctx.flow.stop(), ctx.flow)


def _narrowed_by_mark(ctx: Context, subject: tree.expr, mark: tree.expr) -> tuple[Path, Type, Type] | None:
    """Return what ``subject is MARK`` says of a variable: which it is, the mark's type, and its other types."""
    path = access_path(ctx, subject)
    if path is None or not isinstance(mark, tree.Name | tree.Attribute):
        return None
    with ctx.world.silence(), ctx.collect():
        try:
            cls, t = prune(ctx.expr(mark).type), prune(ctx.expr(subject).type)
        except Refusal:
            return None
    if not is_mark(cls):
        return None
    others = [part for part in members_of_union(t) if prune(part) != cls]
    rest = union(others) if others and not is_object(t) else t
    return path, cls, optional(rest) if isinstance(t, Optional) else rest


def _raw(ctx: Context, node: tree.expr) -> hir.Expr:
    """Return a value that may be None although an earlier test says otherwise: a call may have changed it since."""
    if isinstance(node, tree.Attribute) or (isinstance(node, tree.Name) and node.id not in ctx.scope):
        ctx.attribute_base = node
    return ctx.expr(node)


def _junction(ctx: Context, is_and: bool, values: tuple[tree.expr, ...]) -> Condition:
    first, *others = values
    result = condition(ctx, first)
    for node in others:
        ctx.flow = result.true if is_and else result.false
        if ctx.is_idle:
            break
        part = condition(ctx, node)
        if is_and:
            value = hir.Conditional(BOOL, result.value, part.value, hir.Const(BOOL, False))
            result = Condition(value, part.true, join(result.false, part.false))
        else:
            value = hir.Conditional(BOOL, result.value, hir.Const(BOOL, True), part.value)
            result = Condition(value, join(result.true, part.true), part.false)
    ctx.flow = join(result.true, result.false)
    return result


def _none_test(ctx: Context, left: tree.expr, positive: bool, node: tree.expr) -> Condition:
    path = access_path(ctx, left)
    value = _raw(ctx, left)
    t = prune(value.type)
    known = ctx.flow
    if isinstance(t, Infer):
        raise ctx.unknown(left.span, "this value")
    if not isinstance(t, Optional):
        answer = hir.Const(BOOL, (t is NONE) == positive)
        never = known.stop() if ctx.instance.decl.open_params else known
        ends = (known, never) if answer.value else (never, known)
        return Condition(hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], answer), *ends)
    test = is_none(value)
    some = known.narrow(path, prune(t.inner)) if path is not None else known
    return Condition(test, known, some) if positive else Condition(negate(test), some, known)


def _isinstance_test(ctx: Context, subject: tree.expr, cls: tree.expr, node: tree.expr) -> Condition:
    """``isinstance`` with classes by name, or with one that is a value."""
    value = ctx.expr(subject)
    if isinstance(prune(value.type), Infer):
        raise ctx.unknown(subject.span, "this value")
    if not _is_value(ctx, cls):
        return _instance_test(ctx, value, subject, classes_wanted(ctx, cls), cls.span)
    held, kept = ctx.hold(value)
    kind = ctx.expr(cls)
    meant = class_meant(kind.type)
    if not is_class(ctx, kind.type):
        raise ctx.refuse(cls.span, "`isinstance` needs the name of a class here, or a `type[C]`")
    held_kind, same_kind = ctx.hold(kind)
    if not isinstance(meant, ClassType | Primitive):
        test = derives_from(ctx, class_of_value(ctx, kept, subject.span), same_kind, subject.span)
        return Condition(hir.Let(BOOL, [*held, *held_kind], test), ctx.flow, ctx.flow)
    found = _instance_test(ctx, kept, subject, [meant], cls.span)
    before = [*held, *(held_kind or [hir.Evaluate(ctx.line, kind)])]
    same_for_all = not isinstance(meant, ClassType) or not ctx.world.subclasses(meant)
    if same_for_all or isinstance(prune(value.type), Primitive):
        return Condition(hir.Let(BOOL, before, found.value), found.true, found.false)
    of_kind = is_among(hir.TypeId(U32, kept), same_kind)
    test = hir.Conditional(BOOL, found.value, of_kind, hir.Const(BOOL, False))
    return Condition(hir.Let(BOOL, before, test), found.true, ctx.flow)


def _is_value(ctx: Context, cls: tree.expr) -> bool:
    """Return whether what stands for a class is a variable or a call, not a name of a class or of several."""
    if isinstance(cls, tree.Name) and cls.id not in ctx.scope:
        return isinstance(ctx.lookup(cls.id), GlobalVar)
    is_value = isinstance(cls, tree.Name | tree.Attribute | tree.Subscript | tree.Call)
    return is_value and class_named(ctx, cls) is None


def _instance_test(
    ctx: Context, value: hir.Expr, subject: tree.expr, wanted: list[ClassType | Primitive | str], span: Span
) -> Condition:
    """``isinstance``: known at compile time, or asked of the object, for each type that the value may have."""
    if any(isinstance(one, ClassType) and is_root(one.decl) for one in wanted):
        return _constant(ctx, value, subject, True)
    t = prune(value.type)
    known = ctx.flow
    members: Sequence[Type] = members_of_union(t)
    if is_object(t) and expands_objects(ctx):
        members = list(map(resolve, ctx.world.anything.members))
    elif is_object(t):
        wanted = _of_objects(ctx, wanted, span)
    sure, narrower, rest = list[Type](), list[Type](), list[Type]()
    for member in members:
        answers = [_known_instance(member, one) for one in wanted]
        if True in answers:
            sure.append(member)
            continue
        rest.append(member)
        pairs = zip(wanted, answers, strict=True)
        narrower += [one for one, answer in pairs if answer is None and not isinstance(one, str)]
    if not rest and not isinstance(t, Optional):
        return _constant(ctx, value, subject, True)
    if not sure and not narrower:
        return _constant(ctx, value, subject, False)
    held, kept = ctx.hold(value)
    if rest:
        tests = [is_of(ctx, kept, one) for one in (*sure, *narrower)]
        test = tests[0]
        for other in tests[1:]:
            test = hir.Conditional(BOOL, test, hir.Const(BOOL, True), other)
        if isinstance(t, Optional):
            test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, False), test)
    else:
        test = negate(is_none(kept))
    path = access_path(ctx, subject)
    true, false = known, known
    if path is not None:
        true = known.narrow(path, union([*sure, *narrower]))
        if sure and rest:
            false = known.narrow(path, optional(union(rest)) if isinstance(t, Optional) else union(rest))
    return Condition(hir.Let(BOOL, held, test) if held else test, true, false)


def _of_objects(
    ctx: Context, wanted: list[ClassType | Primitive | str], span: Span
) -> list[ClassType | Primitive | str]:
    """Return the classes that an ``object`` can be tested for: a bool is an int, too, and types say what items are."""
    for one in wanted:
        if isinstance(one, str) or (isinstance(one, ClassType) and one.args):
            hint = "write the types that it may have, such as `list[int] | str`"
            raise ctx.later(span, "`isinstance` of an `object` with a class that has types for its items", hint)
    return [*wanted, BOOL] if INT in wanted and BOOL not in wanted else wanted


def _constant(ctx: Context, value: hir.Expr, subject: tree.expr, answer: bool) -> Condition:
    """A test whose answer is known; the other way is never gone."""
    result = hir.Const(BOOL, answer)
    pure = isinstance(subject, tree.Name | tree.Attribute) and access_path(ctx, subject) is not None
    test: hir.Expr = result if pure else hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], result)
    return Condition(test, *_ways(ctx, answer))


SEQUENCE, MAPPING, TUPLE = "$sequence", "$mapping", "tuple"
"""What patterns of sequences and mappings take, and all tuples: classes that are no one type, by name."""


def _known_instance(t: Type, wanted: ClassType | Primitive | str) -> bool | None:
    """Return whether all values of the type are of the class, None if some are."""
    t = prune(t)
    if is_object(t):
        return None
    if isinstance(wanted, str):
        return isinstance(t, ClassType) and _is_of_kind(t.decl, wanted)
    if isinstance(wanted, Primitive) or not isinstance(t, ClassType):
        int_like = isinstance(t, ClassType) and t.decl.enum in ("int", "int flag")
        return t is wanted or (wanted is INT and (t is BOOL or int_like))
    if t.decl.is_subclass(wanted.decl):
        return True
    if t.decl.enum == "str" and wanted.decl.module.name == "krait.str":
        return True
    return None if is_subtype(wanted, t) else False


def _is_of_kind(decl: ClassDecl, kind: str) -> bool:
    if kind == MAPPING:
        return any(base.module.name == "krait.dict" and base.name == "dict" for base in decl.mro())
    is_list = kind == SEQUENCE and decl.module.name == "krait.list" and decl.name == "list"
    return any(is_tuple(base) for base in decl.mro()) or is_vector(decl) or is_list


def classes_wanted(ctx: Context, node: tree.expr) -> list[ClassType | Primitive | str]:
    """Return the classes that the second argument of ``isinstance`` names."""
    match node:
        case tree.Tuple(elts=parts):
            return [cls for part in parts for cls in classes_wanted(ctx, part)]
        case tree.BinOp(op=tree.BitOr(), left=left, right=right):
            return [*classes_wanted(ctx, left), *classes_wanted(ctx, right)]
        case tree.Name(id=name) if name not in ctx.scope:
            symbol = ctx.lookup(name)
            if isinstance(symbol, Intrinsic) and symbol.name == "type":
                return [ctx.world.class_type(None)]
            if name in (SEQUENCE, MAPPING) or (isinstance(symbol, Intrinsic) and symbol.name == TUPLE):
                return [name]
        case _:
            pass
    cls = class_named(ctx, node)
    if cls is None:
        raise ctx.refuse(node.span, "`isinstance` needs the name of a class here")
    if cls.decl.protocol:
        return [ClassType(decl) for decl in conforming(ctx.world, cls.decl)] or [cls]
    return [cls.decl.primitive or cls]


def access_path(ctx: Context, node: tree.expr) -> Path | None:
    """Return the variable and fields that an expression reads, if that is all it does."""
    match node:
        case tree.Name(id=name):
            found = ctx.scope.get(name)
            if found is not None:
                return (found,)
            symbol = ctx.module.symbols.get(name)
            return (symbol,) if isinstance(symbol, GlobalVar) else None
        case tree.Attribute(value=tree.Name() | tree.Attribute() as value, attr=attr) if (
            (cls := class_named(ctx, value)) is not None
        ):
            shared = cls.decl.find_variable(attr)
            return (shared.var, attr) if shared is not None else None
        case tree.Attribute(value=value, attr=attr):
            before = access_path(ctx, value)
            return (*before, attr) if before is not None else None
        case tree.NamedExpr(target=target):
            return access_path(ctx, target)
        case _:
            return None


def narrow_by_value(path: Path, ctx: Context, declared: Type, value: hir.Expr) -> None:
    """After an optional variable was given a value that is not None, it is known not to be None."""
    declared, given = prune(declared), prune(value.type)
    if given in (NONE, NEVER) or not isinstance(declared, Optional | Union):
        return
    members = members_of_union(declared)
    if isinstance(given, Optional) or (len(members) > 1 and isinstance(given, Infer)):
        return
    fitting = [member for member in members if prune(member) == given] if len(members) > 1 else []
    if isinstance(given, Union) and given != declared:
        fitting = [given]
    if isinstance(declared, Optional):
        fitting.append(prune(declared.inner))
    if fitting:
        ctx.flow = ctx.flow.narrow(path, fitting[0])


@expression(tree.BoolOp)
def bool_op(ctx: Context, node: tree.BoolOp, expected: Type | None) -> hir.Expr:
    """``a and b``, ``a or b``: one of the operands, not its truth."""
    is_and = isinstance(node.op, tree.And)
    if all(_is_test(value) for value in node.values):
        return condition(ctx, node).value
    *others, last = node.values
    flows: list[tuple[hir.Expr, tree.expr, Flow]] = []
    for item in others:
        narrowing = condition_flows(ctx, item)
        flows.append((narrowing[0], item, ctx.flow))
        ctx.flow = narrowing[1] if is_and else narrowing[2]
    values = [*((value, item.span) for value, item, _ in flows), (ctx.expr(last, expected), last.span)]
    if not is_and:  # what `or` passes on is true, so not None
        values = [(_known_true(value), span) for value, span in values[:-1]] + [values[-1]]
    t = _chosen_type(ctx, values, expected, "the operands of `and` and `or`")
    ctx.flow = join(ctx.flow, *(flow for _, _, flow in flows))
    result = adapt(ctx, values[-1][0], t)
    for value, item, _ in reversed(flows):
        if t is BOOL and prune(value.type) is BOOL and result is not None:
            fixed = hir.Const(BOOL, not is_and)
            result = hir.Conditional(BOOL, value, *((result, fixed) if is_and else (fixed, result)))
            continue
        local = ctx.temp(value.type)
        kept = hir.LocalGet(value.type, local)
        passed = (
            kept
            if is_and or not isinstance(prune(value.type), Optional) or isinstance(t, Optional)
            else unwrap(ctx, kept)
        )
        kept_as, test = adapt(ctx, passed, t), truth(ctx, kept, item.span)
        assert kept_as is not None and result is not None
        choice = hir.Conditional(t, test, result, kept_as) if is_and else hir.Conditional(t, test, kept_as, result)
        result = hir.Let(t, [hir.Assign(ctx.line, local, value)], choice)
    assert result is not None
    return result


def _chosen_type(ctx: Context, values: Sequence[tuple[hir.Expr, Span]], expected: Type | None, what: str) -> Type:
    """Return the type of what is one of some values: not None if none of them is, even where None is expected."""
    t = common_type(ctx, values, expected, what)
    if isinstance(t, Optional) and not is_object(t) and not any(_may_be_none(value) for value, _ in values):
        return prune(t.inner)
    return t


def _may_be_none(value: hir.Expr) -> bool:
    t = prune(value.type)
    return t is NONE or isinstance(t, Optional | Infer)


def _known_true(value: hir.Expr) -> hir.Expr:
    t = prune(value.type)
    return hir.Cast(prune(t.inner), value) if isinstance(t, Optional) else value


def condition_flows(ctx: Context, node: tree.expr) -> tuple[hir.Expr, Flow, Flow]:
    """Return an expression's value, and the flows behind it where it is true and where it is false."""
    if _is_test(node):
        test = condition(ctx, node)
        return test.value, test.true, test.false
    value = _raw(ctx, node)
    path = access_path(ctx, node)
    t = prune(value.type)
    if path is not None and isinstance(t, Optional):
        return value, ctx.flow.narrow(path, prune(t.inner)), ctx.flow
    return value, ctx.flow, ctx.flow


def _is_test(node: tree.expr) -> bool:
    """Return whether an expression is a bool by its form."""
    match node:
        case tree.Compare() | tree.UnaryOp(op=tree.Not()) | tree.Constant(value=bool()):
            return True
        case tree.BoolOp(values=values):
            return all(_is_test(value) for value in values)
        case tree.Call(func=tree.Name(id="isinstance")):
            return True
        case _:
            return False


@expression(tree.IfExp)
def if_exp(ctx: Context, node: tree.IfExp, expected: Type | None) -> hir.Expr:
    """``a if test else b``."""
    test = condition(ctx, node.test)
    for flow, side in ((test.true, node.orelse), (test.false, node.body)):
        ctx.flow = flow
        if ctx.is_idle:
            ctx.flow = join(test.true, test.false)
            only = ctx.expr(side, expected)
            return hir.Let(only.type, [hir.Evaluate(ctx.line, test.value)], only)
    ctx.flow = test.true
    then = ctx.expr(node.body, expected)
    after_then, ctx.flow = ctx.flow, test.false
    orelse = ctx.expr(node.orelse, expected)
    ctx.flow = join(after_then, ctx.flow)
    sides = [(then, node.body.span), (orelse, node.orelse.span)]
    t = _chosen_type(ctx, sides, expected, "the two sides of `if … else`")
    a, b = adapt(ctx, then, t), adapt(ctx, orelse, t)
    assert a is not None and b is not None
    return hir.Conditional(t, test.value, a, b)
