"""Comparisons, chained or not.

In: checked operands. Out: bools: instructions for numbers (an int and a float are compared exactly), method calls for
objects, address comparison for `is`.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.classes import class_named
from krait.check.coerce import adapt, is_none, member_value, negate, to_int, unwrap
from krait.check.conditions import condition
from krait.check.constants import literal_int
from krait.check.context import Context, expression
from krait.check.exception_classes import same_exception_class
from krait.check.identity import identical
from krait.check.invoke import find_method, invoke, try_invoke
from krait.check.literals import is_before_literal, is_in_literal, is_literal
from krait.check.mixing import meets_ints
from krait.check.names import object_of_type
from krait.check.operators import operands
from krait.check.reflected import by_derived, derived_first
from krait.check.relations import class_meant
from krait.check.roots import is_mark, is_root
from krait.check.setlike import set_operation
from krait.check.tuples import field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import (
    BOOL,
    F32,
    FIXED,
    FLOAT,
    I32,
    INT,
    NONE,
    U32,
    U64,
    ClassType,
    Infer,
    Optional,
    Type,
    Union,
    base_of,
    prune,
    resolve,
)
from krait.check.unions import each_pair, expands_objects, of_object
from krait.check.unlike import are_unlike
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

_SYMBOLS: dict[type[tree.cmpop], str] = {
    tree.Eq: "==",
    tree.NotEq: "!=",
    tree.Lt: "<",
    tree.LtE: "<=",
    tree.Gt: ">",
    tree.GtE: ">=",
    tree.Is: "is",
    tree.IsNot: "is not",
    tree.In: "in",
    tree.NotIn: "not in",
}
_INSTRUCTION: dict[type[tree.cmpop], str] = {
    tree.Eq: "eq",
    tree.NotEq: "ne",
    tree.Lt: "lt",
    tree.LtE: "le",
    tree.Gt: "gt",
    tree.GtE: "ge",
}
_MIRRORED: dict[type[tree.cmpop], type[tree.cmpop]] = {
    tree.Eq: tree.Eq,
    tree.NotEq: tree.NotEq,
    tree.Lt: tree.Gt,
    tree.LtE: tree.GtE,
    tree.Gt: tree.Lt,
    tree.GtE: tree.LtE,
}
_EXACT_BITS = 53


@expression(tree.Compare)
def compare_chain(ctx: Context, node: tree.Compare, expected: Type | None) -> hir.Expr:
    """``a < b < c``: each operand once, the rest only while the tests hold."""
    if len(node.ops) == 1:
        none_test = isinstance(node.comparators[0], tree.Constant) and node.comparators[0].value is None
        if none_test and isinstance(node.ops[0], tree.Is | tree.IsNot | tree.Eq | tree.NotEq):
            return condition(ctx, node).value
        return single(ctx, node.left, node.ops[0], node.comparators[0], node.span)
    left, first = _sides(ctx, node.left, node.ops[0], node.comparators[0])
    held_left, left = ctx.hold(left)
    held, kept = ctx.hold(first)
    span = node.left.span.to(node.comparators[0].span)
    test = compare(ctx, type(node.ops[0]), left, kept, (node.left.span, node.comparators[0].span, span))
    result = hir.Let(BOOL, [*held_left, *held], test)
    before = ctx.flow
    rest = _rest(ctx, kept, node, 1)
    ctx.flow = before
    return hir.Conditional(BOOL, result, rest, hir.Const(BOOL, False))


def _rest(ctx: Context, left: hir.Expr, node: tree.Compare, index: int) -> hir.Expr:
    """The tests of a chain from number ``index`` on; ``left`` can be repeated."""
    operand = node.comparators[index]
    right = ctx.expr(operand, left.type if prune(left.type) in FIXED else None)
    spans = (node.comparators[index - 1].span, operand.span, node.comparators[index - 1].span.to(operand.span))
    if index == len(node.ops) - 1:
        return compare(ctx, type(node.ops[index]), left, right, spans)
    held, kept = ctx.hold(right)
    test = hir.Let(BOOL, held, compare(ctx, type(node.ops[index]), left, kept, spans))
    return hir.Conditional(BOOL, test, _rest(ctx, kept, node, index + 1), hir.Const(BOOL, False))


def _sides(ctx: Context, left: tree.expr, op: tree.cmpop, right: tree.expr) -> tuple[hir.Expr, hir.Expr]:
    """Check two operands, which are values of a kind unless one is sought in the other."""
    if isinstance(op, tree.In | tree.NotIn):
        return ctx.expr(left), ctx.expr(right)
    return operands(ctx, left, right, None)


def single(ctx: Context, left: tree.expr, op: tree.cmpop, right: tree.expr, span: Span) -> hir.Expr:
    """One comparison of two expressions."""
    if isinstance(op, tree.Is | tree.IsNot | tree.Eq | tree.NotEq):
        same = _same_class(ctx, left, right)
        if same is not None:
            return same if isinstance(op, tree.Is | tree.Eq) else negate(same)
        kind = same_exception_class(ctx, left, right, isinstance(op, tree.Is | tree.Eq))
        if kind is not None:
            return kind
    if isinstance(op, tree.In | tree.NotIn):
        found = _in_literal(ctx, left, right, span)
        if found is not None:
            return found if isinstance(op, tree.In) else negate(found)
    if isinstance(right, tree.List | tree.Dict | tree.Set | tree.Tuple) and isinstance(op, tree.Eq | tree.NotEq):
        a = ctx.expr(left)
        b = ctx.expr(right, a.type)
    elif object_of_type(left) is not None:
        a = ctx.expr(left)
        b = ctx.expr(right, ctx.world.class_type(None))
    else:
        a, b = _sides(ctx, left, op, right)
    return compare(ctx, type(op), a, b, (left.span, right.span, span))


def _same_class(ctx: Context, left: tree.expr, right: tree.expr) -> hir.Expr | None:
    """``type(a) is type(b)`` and ``type(a) is Class``, where no types of items matter; None for anything else."""
    sides: list[hir.Expr] = []
    args = set[tuple[Type, ...]]()
    subjects = [object_of_type(node) for node in (left, right)]
    if subjects == [None, None]:
        return None
    with ctx.collect() as block:
        for node, subject in zip((left, right), subjects, strict=True):
            value = ctx.expr(subject) if subject is not None else None
            t = prune(value.type) if value is not None else class_named(ctx, node)
            if not isinstance(t, ClassType) or class_meant(t) is not None:
                return None
            args.add(tuple(map(resolve, t.args)))
            if value is not None and not is_mark(t) and not is_root(t.decl):
                sides.append(hir.TypeId(U32, value))
                continue
            known: hir.Expr = hir.ClassId(U32, base_of(t) or t if is_mark(t) else t)  # CPython has no classes for marks
            sides.append(known if value is None else hir.Let(U32, [hir.Evaluate(ctx.line, value)], known))
    return hir.Let(BOOL, block, hir.Op(BOOL, "i32.eq", sides)) if len(args) == 1 else None


def _in_literal(ctx: Context, left: tree.expr, right: tree.expr, span: Span) -> hir.Expr | None:
    """``x in (a, b)`` and ``x in range(a, b)`` without making the tuple or range; None for anything else."""
    match right:
        case tree.Tuple(elts=elts) | tree.List(elts=elts) | tree.Set(elts=elts) if elts and all(
            isinstance(item, tree.Constant) or literal_int(item) is not None for item in elts
        ):
            local_body, kept = ctx.hold(member_value(ctx, ctx.expr(left), "__eq__"))
            result: hir.Expr = hir.Const(BOOL, False)
            for item in reversed(elts):
                value = member_value(ctx, ctx.expr(item))
                if are_unlike(ctx, kept.type, value.type) or _none_and_value(kept.type, value.type):
                    continue
                both_none = prune(kept.type) is NONE and prune(value.type) is NONE
                test = hir.Const(BOOL, True) if both_none else equal(ctx, kept, value, (left.span, item.span, span))
                result = hir.Conditional(BOOL, test, hir.Const(BOOL, True), result)
            return hir.Let(BOOL, local_body, result)
        case tree.Call(func=tree.Name(id="range"), args=(start, stop), keywords=()):
            parts: list[hir.Expr] = []
            body: hir.Block = []
            for node in (left, start, stop):
                value = ctx.expr(node)
                held, kept = ctx.hold(to_int(value) if prune(value.type) is BOOL else value)
                if prune(kept.type) is not INT:
                    raise ctx.mismatch(node.span, INT, kept.type)
                body += held
                parts.append(kept)
            below = hir.Op(BOOL, "i64.lt_s", [parts[0], parts[2]])
            above = hir.Op(BOOL, "i64.le_s", [parts[1], parts[0]])
            inside = hir.Conditional(BOOL, above, below, hir.Const(BOOL, False))
            return hir.Let(BOOL, body, inside)
        case _:
            return None


def _none_and_value(a: Type, b: Type) -> bool:
    """Return whether one of two values is None, and the other is not."""
    a, b = prune(a), prune(b)
    return (a is NONE) is not (b is NONE) and not isinstance(a, Optional) and not isinstance(b, Optional)


def compare(
    ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]
) -> hir.Expr:
    """Return ``left op right`` for checked operands; ``spans`` are those of the operands and of the whole."""
    if kind in (tree.In, tree.NotIn):
        found = _contains(ctx, left, right, spans)
        return found if kind is tree.In else negate(found)
    if kind in (tree.Is, tree.IsNot):
        same = identical(ctx, left, right, spans)
        return same if kind is tree.Is else negate(same)
    left, right = (member_value(ctx, value, f"__{_INSTRUCTION[kind]}__") for value in (left, right))
    if isinstance(prune(left.type), Union) or isinstance(prune(right.type), Union):
        if kind not in (tree.Eq, tree.NotEq):
            return each_pair(ctx, left, right, lambda a, b: compare(ctx, kind, a, b, spans))
    numeric = _numeric(ctx, kind, left, right, spans)
    if numeric is not None:
        return numeric
    if kind is tree.Eq:
        return equal(ctx, left, right, spans)
    if kind is tree.NotEq:
        made = try_invoke(ctx, left, "__ne__", [(right, spans[1])], spans[2])
        return made if made is not None else negate(equal(ctx, left, right, spans))
    return _ordered(ctx, kind, left, right, spans)


# --- numbers -------------------------------------------------------------------------------------------------------


def _numeric(
    ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]
) -> hir.Expr | None:
    a, b = prune(left.type), prune(right.type)
    name = _INSTRUCTION[kind]
    if a in FIXED or F32 in (a, b) or b in FIXED:
        if a is not b:
            raise ctx.refuse(spans[2], f"`{a}` and `{b}` do not compare", "convert one of them")
        if a is F32:
            return hir.Op(BOOL, f"f32.{name}", [left, right])
        sign = "" if kind in (tree.Eq, tree.NotEq) else "_s" if a is I32 else "_u"
        return hir.Op(BOOL, f"{'i64' if a is U64 else 'i32'}.{name}{sign}", [left, right])
    if not (a in (INT, FLOAT, BOOL) and b in (INT, FLOAT, BOOL)):
        return None
    if a is BOOL and b is BOOL and kind in (tree.Eq, tree.NotEq):
        return hir.Op(BOOL, f"i32.{name}", [left, right])
    x = to_int(left) if a is BOOL else left
    y = to_int(right) if b is BOOL else right
    if prune(x.type) is INT and prune(y.type) is INT:
        return hir.Op(BOOL, f"i64.{name}" + ("" if kind in (tree.Eq, tree.NotEq) else "_s"), [x, y])
    if prune(x.type) is FLOAT and prune(y.type) is FLOAT:
        return hir.Op(BOOL, f"f64.{name}", [x, y])
    return _mixed(ctx, kind, x, y, spans[2])


def _mixed(ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, span: Span) -> hir.Expr:
    """Compare an int with a float exactly: converting the int first would round it."""
    for value in (left, right):
        if isinstance(value, hir.Const) and isinstance(value.value, int) and abs(value.value) <= 2**_EXACT_BITS:
            number = hir.Const(FLOAT, float(value.value))
            pair = [number, right] if value is left else [left, number]
            return hir.Op(BOOL, f"f64.{_INSTRUCTION[kind]}", list[hir.Expr](pair))
    body: hir.Block = []
    if prune(left.type) is FLOAT:
        body, kept = ctx.hold(left)
        left, right, kind = right, kept, _MIRRORED[kind]
    # The library answers -1, 0, 1, or 2 where the float is NaN.
    order = ctx.library("krait.float", "compare_int_float", [left, right], INT, span)
    test: hir.Expr
    if kind is tree.GtE:
        one = hir.Const(INT, 1)
        test = hir.Op(BOOL, "i64.eq", [hir.Op(INT, "i64.or", [order, one]), one])
    else:
        instruction, value_of = {
            tree.Eq: ("eq", 0),
            tree.NotEq: ("ne", 0),
            tree.Lt: ("eq", -1),
            tree.LtE: ("le_s", 0),
            tree.Gt: ("eq", 1),
        }[kind]
        test = hir.Op(BOOL, f"i64.{instruction}", [order, hir.Const(INT, value_of)])
    return hir.Let(BOOL, body, test) if body else test


# --- objects -------------------------------------------------------------------------------------------------------


def equal(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    """Return ``left == right``."""
    numeric = _numeric(ctx, tree.Eq, left, right, spans)
    if numeric is not None:
        return numeric
    if isinstance(left, hir.Text) and isinstance(right, hir.Text):
        return hir.Const(BOOL, left.value == right.value)
    a, b = prune(left.type), prune(right.type)
    for t, span in ((a, spans[0]), (b, spans[1])):
        if isinstance(t, Infer):
            raise ctx.unknown(span, "this value")
    asked = of_object(ctx, "any_equal", [left, right], BOOL, spans[2])
    if asked is not None:
        return asked
    if isinstance(a, Optional) or isinstance(b, Optional) or NONE in (a, b):
        return _equal_optional(ctx, left, right, spans)
    if isinstance(a, Union) or isinstance(b, Union):
        return each_pair(ctx, left, right, lambda x, y: equal_members(ctx, x, y, spans))
    if a == b == ctx.world.str_type and isinstance(left, hir.Text) is not isinstance(right, hir.Text):
        text, literal = (right, left) if isinstance(left, hir.Text) else (left, right)
        assert isinstance(literal, hir.Text)
        tested = is_literal(ctx, text, literal.value, spans[2])
        if tested is not None:
            return tested
    if isinstance(a, ClassType) and isinstance(b, ClassType) and is_tuple(a.decl) and is_vector(b.decl):
        left = adapt(ctx, left, b) or left
    ordered = derived_first(ctx, left, right, "__eq__", spans[2], lambda x, y: _equal_objects(ctx, x, y, spans))
    return ordered if ordered is not None else _equal_objects(ctx, left, right, spans)


def _equal_objects(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    """Return what the left operand's ``__eq__`` says; without one, whether both are the same object."""
    made = set_operation(ctx, "__eq__", left, right, spans[2], compares=True) or try_invoke(
        ctx, left, "__eq__", [(right, spans[1])], spans[2]
    )
    if made is not None:
        return made
    a, b = prune(left.type), prune(right.type)
    if isinstance(a, ClassType) and isinstance(b, ClassType) and find_method(ctx, a, "__eq__") is None:
        if a.decl.is_subclass(b.decl) or b.decl.is_subclass(a.decl):
            held, first = ctx.hold(left)
            held_right, second = ctx.hold(right)
            same = hir.Op(BOOL, "i32.eq", [first, second])
            asked = by_derived(ctx, first, "__eq__", same, lambda own: _equal_objects(ctx, own, second, spans))
            return hir.Let(BOOL, [*held, *held_right], asked)
    if isinstance(b, ClassType) and not b.decl.module.library and find_method(ctx, b, "__eq__") is not None:
        held, first = ctx.hold(left)
        held_right, second = ctx.hold(right)
        asked_back = try_invoke(ctx, second, "__eq__", [(first, spans[0])], spans[2])
        if asked_back is not None:
            return hir.Let(BOOL, [*held, *held_right], asked_back)
    if (ctx.instance.decl.open_params or is_mark(a) or is_mark(b)) and are_unlike(ctx, a, b):  # for other types
        both: hir.Block = [hir.Evaluate(ctx.line, left), hir.Evaluate(ctx.line, right)]
        return hir.Let(BOOL, both, hir.Const(BOOL, False))
    ctx.world.meets_ints |= meets_ints(a, b)
    raise ctx.refuse(spans[2], f"a `{a}` is never equal to a `{b}`", *_conversion(ctx, a, b))


def equal_members(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    """Equality of values of two types of unions: values of unlike types are never equal."""
    left, right = (member_value(ctx, value, "__eq__") for value in (left, right))
    if are_unlike(ctx, left.type, right.type):
        return hir.Const(BOOL, False)
    if not expands_objects(ctx):
        return equal(ctx, left, right, spans)
    with ctx.world.silence():
        try:
            return equal(ctx, left, right, spans)
        except Refusal:
            message = f"a `{left.type}` and a `{right.type}` are compared as objects"
    return hir.Let(BOOL, ctx.raising("TypeError", message, spans[2]), hir.Const(BOOL, False))


def _equal_optional(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    """Equality where one side or both may be None: equal if both are, else if the values are."""
    if NONE in (prune(left.type), prune(right.type)):
        held, kept = ctx.hold(right if prune(left.type) is NONE else left)
        return hir.Let(BOOL, held, is_none(kept))
    held_left, a = ctx.hold(left)
    held_right, b = ctx.hold(right)
    a_optional, b_optional = (isinstance(prune(x.type), Optional) for x in (a, b))
    values = equal(ctx, unwrap(ctx, a) if a_optional else a, unwrap(ctx, b) if b_optional else b, spans)
    false = hir.Const(BOOL, False)
    result: hir.Expr
    if a_optional and b_optional:
        result = hir.Conditional(BOOL, is_none(a), is_none(b), hir.Conditional(BOOL, is_none(b), false, values))
    else:
        result = hir.Conditional(BOOL, is_none(a if a_optional else b), false, values)
    return hir.Let(BOOL, [*held_left, *held_right], result)


def has_plain_order(t: Type) -> bool:
    """Return whether ``<`` of two values of the type runs no code but the library's."""
    t = prune(t)
    if isinstance(t, ClassType) and t.decl.module.library:
        return t.decl.name in ("str", "bytes") or (is_tuple(t.decl) and all(has_plain_order(arg) for arg in t.args))
    return t in (INT, FLOAT, BOOL)


def _ordered(
    ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]
) -> hir.Expr:
    for value, span in ((left, spans[0]), (right, spans[1])):
        if isinstance(prune(value.type), Infer):
            raise ctx.unknown(span, "this value")
    tested = _ordered_literal(ctx, kind, left, right, spans[2])
    if tested is not None:
        return tested
    method, mirrored = f"__{_INSTRUCTION[kind]}__", f"__{_INSTRUCTION[_MIRRORED[kind]]}__"
    if find_method(ctx, left.type, method) is not None:

        def ask(first: hir.Expr, second: hir.Expr) -> hir.Expr:
            return invoke(ctx, first, method, [(second, spans[1])], spans[2])

        made = derived_first(ctx, left, right, mirrored, spans[2], ask)
        if made is not None:
            return made
    made = set_operation(ctx, method, left, right, spans[2], compares=True) or try_invoke(
        ctx, left, method, [(right, spans[1])], spans[2]
    )
    if made is not None:
        return made
    if find_method(ctx, right.type, mirrored) is not None and prune(left.type) == prune(right.type):
        held_left, first = ctx.hold(left)
        held_right, second = ctx.hold(right)
        return hir.Let(BOOL, [*held_left, *held_right], invoke(ctx, second, mirrored, [(first, spans[0])], spans[2]))
    if ctx.module.name.startswith("krait.tuple.") or ctx.is_made:
        return _failing(ctx, kind, left, right, spans[2])
    raise _incomparable(ctx, kind, left, right, spans)


def _failing(ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, span: Span) -> hir.Expr:
    """Return what raises CPython's TypeError: items of tuples are compared only where those before them are equal."""
    names = [t.decl.name if isinstance(t := prune(value.type), ClassType) else str(t) for value in (left, right)]
    message = f"'{_SYMBOLS[kind]}' not supported between instances of '{names[0]}' and '{names[1]}'"
    body: hir.Block = [hir.Evaluate(ctx.line, left), hir.Evaluate(ctx.line, right)]
    return hir.Let(BOOL, [*body, *ctx.raising("TypeError", message, span)], hir.Const(BOOL, False))


def _ordered_literal(
    ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, span: Span
) -> hir.Expr | None:
    """Return the comparison of a text with a literal of one character; None for others."""
    if isinstance(left, hir.Text):
        left, right, kind = right, left, _MIRRORED[kind]
    if not isinstance(right, hir.Text) or isinstance(left, hir.Text) or prune(left.type) != ctx.world.str_type:
        return None
    up_to = kind in (tree.LtE, tree.Gt)
    made = is_before_literal(ctx, left, right.value, span, or_equal=up_to)
    return negate(made) if made is not None and kind in (tree.Gt, tree.GtE) else made


def _incomparable(
    ctx: Context, kind: type[tree.cmpop], left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]
) -> Refusal:
    a, b = prune(left.type), prune(right.type)
    symbol, name = _SYMBOLS[kind], f"__{_INSTRUCTION[kind]}__"
    hints = _conversion(ctx, a, b)
    if isinstance(a, ClassType) and a == b and not a.decl.module.library:
        hints = [f"give the class a method `def {name}(self, other: {a}) -> bool:`"]
    elif isinstance(a, Optional) or isinstance(b, Optional):
        hints = ["test for None first: `if x is not None:`"]
    return ctx.refuse(spans[2], f"`{symbol}` does not compare `{a}` and `{b}`", *hints)


def _conversion(ctx: Context, a: Type, b: Type) -> list[str]:
    text = ctx.world.str_type
    if text in (a, b):
        other = a if b == text else b
        if other in (INT, FLOAT):
            return [f"convert the text: `{other}(…)`"]
    return []


def _contains_by_iteration(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    """``left in right`` of an object without ``__contains__``: its items are compared one after the other."""
    t = prune(right.type)
    if not isinstance(t, ClassType) or not any(find_method(ctx, t, name) for name in ("__iter__", "__getitem__")):
        raise ctx.refuse(spans[2], f"`in` does not search a `{t}`")
    held, wanted = ctx.hold(left)
    source = ctx.temp(t)
    body = [*held, hir.Assign(ctx.line, source, right)]
    arguments = [hir.LocalGet(t, source), wanted]
    found = ctx.library("krait.iteration", "contains", arguments, BOOL, spans[2], t, left.type)
    return hir.Let(BOOL, body, found)


def _contains(ctx: Context, left: hir.Expr, right: hir.Expr, spans: tuple[Span, Span, Span]) -> hir.Expr:
    right = plain_tuple(member_value(ctx, right, "__contains__"))
    t = prune(right.type)
    if isinstance(t, Infer):
        raise ctx.unknown(spans[1], "this value")
    if isinstance(t, ClassType) and is_tuple(t.decl):
        held_left, item = ctx.hold(member_value(ctx, left, "__eq__"))
        held_right, kept = ctx.hold(right)
        result: hir.Expr = hir.Const(BOOL, False)
        for index in reversed(range(len(t.args))):
            test = equal(ctx, item, member_value(ctx, hir.FieldGet(t.args[index], kept, field_name(index))), spans)
            result = hir.Conditional(BOOL, test, hir.Const(BOOL, True), result)
        return hir.Let(BOOL, [*held_left, *held_right], result)
    if isinstance(right, hir.Text) and not isinstance(left, hir.Text) and prune(left.type) == t:
        tested = is_in_literal(ctx, left, right, spans[2])
        if tested is not None:
            return tested
    if find_method(ctx, t, "__contains__") is None:
        return _contains_by_iteration(ctx, left, right, spans)
    if ctx.instance.decl.open_params and isinstance(t, ClassType) and t.decl.module.library and len(t.args) in (1, 2):
        if are_unlike(ctx, left.type, t.args[0]):  # for calls with other types, the parameter being an object
            body: hir.Block = [hir.Evaluate(ctx.line, left), hir.Evaluate(ctx.line, right)]
            return hir.Let(BOOL, body, hir.Const(BOOL, False))
    held, item = ctx.hold(left)
    if not held:
        return invoke(ctx, right, "__contains__", [(item, spans[0])], spans[2])
    local = ctx.temp(right.type)
    body = [*held, hir.Assign(ctx.line, local, right)]
    return hir.Let(
        BOOL, body, invoke(ctx, hir.LocalGet(right.type, local), "__contains__", [(item, spans[0])], spans[2])
    )
