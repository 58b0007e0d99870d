"""The built-in functions that the compiler knows, and the conversions that built-in classes are when they are called.

In: calls. Out: calls of the library, instructions and loops, with CPython's order of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.assignment import Element, whole
from krait.check.class_values import class_of_value
from krait.check.coerce import adapt, checked_as, coerce, common_type, is_subtype, member_value, takes, to_float, to_int
from krait.check.comparisons import compare
from krait.check.conditions import condition, length_of, truth
from krait.check.context import Context
from krait.check.displays import make_tuple, new_list
from krait.check.exception_classes import is_subclass
from krait.check.hashing import hash_of
from krait.check.invoke import invoke, text_of, try_invoke
from krait.check.items import made_slice
from krait.check.iteration import WRAPPERS, Plan, allow_any_order, comprehension_loops, members_of, plan
from krait.check.mapped import by_key, reduced, summed
from krait.check.mixing import mixed_value
from krait.check.operators import binary
from krait.check.relations import wanted_class
from krait.check.set_order import has_random_hash, require_order
from krait.check.throwing import used_at_once
from krait.check.tuples import field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import (
    BOOL,
    F32,
    FLOAT,
    INT,
    U32,
    U64,
    ClassDecl,
    ClassType,
    Infer,
    Intrinsic,
    Optional,
    Type,
    Union,
    is_known,
    members_of_union,
    prune,
)
from krait.check.unification import unify
from krait.check.unions import by_member, each_pair
from krait.check.unsafe import fixed_to_int
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

Rule = Callable[[Context, tree.Call, Type | None], hir.Expr]
_R = TypeVar("_R", bound=Rule)

BUILTINS: dict[str, Rule] = {}
"""The rule for each function that the compiler knows."""
_CONVERSIONS: dict[str, Rule] = {}
"""The rule for calls of each built-in class."""


def builtin(*names: str) -> Callable[[_R], _R]:
    """Register the rule for a built-in function."""

    def register(rule: _R) -> _R:
        BUILTINS.update(dict.fromkeys(names, rule))
        return rule

    return register


def conversion(name: str) -> Callable[[_R], _R]:
    """Register the rule for calls of a built-in class."""

    def register(rule: _R) -> _R:
        _CONVERSIONS[name] = rule
        return rule

    return register


def plain_args(ctx: Context, node: tree.Call, least: int, most: int) -> tuple[tree.expr, ...]:
    """Return the arguments of a function that takes so many, and none by keyword."""
    name = node.func.id if isinstance(node.func, tree.Name) else "this"
    if node.keywords:
        raise ctx.refuse(
            node.keywords[0].span, f"`{name}` takes no keyword argument `{node.keywords[0].arg}`, or not yet in Krait"
        )
    if not least <= len(node.args) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ctx.refuse(
            node.span, f"`{name}` takes {wanted} argument{'' if wanted == '1' else 's'}, not {len(node.args)}"
        )
    return node.args


def keywords_of(ctx: Context, node: tree.Call, *allowed: str) -> dict[str, tree.expr]:
    """Return the arguments by keyword, which may have these names."""
    name = node.func.id if isinstance(node.func, tree.Name) else "this"
    for keyword in node.keywords:
        if keyword.arg not in allowed:
            raise ctx.refuse(keyword.span, f"`{name}` takes no keyword argument `{keyword.arg}`, or not yet in Krait")
    return {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}


# --- text ----------------------------------------------------------------------------------------------------------


@builtin("repr")
def repr_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``repr(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    value = ctx.expr(arg)
    require_order(ctx, value.type, arg.span)
    return text_of(ctx, value, "__repr__", arg.span)


# --- numbers -------------------------------------------------------------------------------------------------------


@builtin("len")
def len_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``len(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    members = members_of(ctx, arg)
    value = ctx.expr(arg) if members is None else members
    if isinstance(prune(value.type), Infer):
        raise ctx.unknown(arg.span, "this value")
    made = length_of(ctx, value, node.span)
    if made is None:
        raise ctx.refuse(arg.span, f"a `{value.type}` has no length")
    return made


@builtin("abs")
def abs_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``abs(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    value = ctx.expr(arg)
    t = prune(value.type)
    if t is FLOAT:
        return hir.Op(FLOAT, "f64.abs", [value])
    made = try_invoke(ctx, to_int(value) if t is BOOL else value, "__abs__", [], node.span)
    if made is None:
        raise ctx.refuse(arg.span, f"`abs` does not take a `{t}`")
    return made


@builtin("divmod")
def divmod_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``divmod(a, b)``."""
    args = plain_args(ctx, node, 2, 2)
    left, right = ctx.attempt([(arg, None) for arg in args])
    if any(isinstance(t := prune(value.type), Union) and not t.alias for value in (left, right)):
        return each_pair(ctx, left, right, lambda a, b: _divided(ctx, a, b, node))
    return _divided(ctx, left, right, node)


def _divided(ctx: Context, left: hir.Expr, right: hir.Expr, node: tree.Call) -> hir.Expr:
    args = node.args
    if FLOAT in (prune(left.type), prune(right.type)):
        dividend = coerce(ctx, _real(left), FLOAT, args[0].span)
        return invoke(ctx, dividend, "__divmod__", [(_real(right), args[1].span)], node.span)
    made = try_invoke(ctx, left, "__divmod__", [(right, args[1].span)], node.span)
    if made is not None and isinstance(prune(left.type), ClassType):
        return made
    held_left, a = ctx.hold(left)
    held_right, b = ctx.hold(right)
    shape = tree.BinOp(args[0], tree.FLOOR_DIV, args[1], node.span)
    pair = make_tuple(ctx, [binary(ctx, tree.FLOOR_DIV, a, b, shape), binary(ctx, tree.MOD, a, b, shape)], node.span)
    return hir.Let(pair.type, [*held_left, *held_right], pair)


def _real(value: hir.Expr) -> hir.Expr:
    """A number as a float; what is none stays what it is."""
    return to_float(value) if prune(value.type) in (INT, BOOL) else value


@builtin("pow")
def pow_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``pow(a, b)``."""
    if len(node.args) == 3:
        numbers = [coerce(ctx, value, INT, node.span) for value in ctx.attempt((arg, INT) for arg in node.args)]
        return ctx.library("krait.modular", "power", numbers, INT, node.span)
    base, exponent = plain_args(ctx, node, 2, 2)
    return ctx.expr(tree.BinOp(base, tree.POW, exponent, node.span))


@builtin("typing.cast")
def cast(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``cast(type, value)``: CPython believes it; here it is asked."""
    annotation, given = plain_args(ctx, node, 2, 2)
    wanted = Annotations(ctx.world, ctx.module, ctx.params, ctx.instance).type(annotation)
    value = ctx.expr(given, wanted)
    fitted = adapt(ctx, value, wanted)
    if fitted is not None:
        return fitted
    if not any(is_subtype(wanted, part) or prune(part) == prune(wanted) for part in members_of_union(value.type)):
        raise ctx.mismatch(given.span, wanted, value.type)
    return checked_as(ctx, value, wanted, "the value of this cast", node.span)


@builtin("hash")
def hash_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``hash(x)``; what depends on a text differs from run to run in CPython, so only ``__hash__`` may ask for it."""
    (arg,) = plain_args(ctx, node, 1, 1)
    value = ctx.expr(arg)
    if not ctx.module.library and ctx.instance.decl.name != "__hash__" and has_random_hash(ctx, value.type):
        raise ctx.refuse(
            node.span,
            f"the hash of a `{value.type}` differs from run to run in CPython",
            "ask for it in a method `__hash__` only",
        )
    return hash_of(ctx, value, node.span)


@builtin("isinstance")
def isinstance_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``isinstance(x, Class)``."""
    plain_args(ctx, node, 2, 2)
    return condition(ctx, node).value


@builtin("issubclass")
def issubclass_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``issubclass(Class, Class)``."""
    plain_args(ctx, node, 2, 2)
    return is_subclass(ctx, *node.args)


@builtin("type")
def type_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``type(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    return class_of_value(ctx, ctx.expr(arg), node.span)


# --- items ---------------------------------------------------------------------------------------------------------


@builtin("min", "max")
def min_max(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``min`` and ``max``, of several arguments or of a list."""
    name = node.func.id if isinstance(node.func, tree.Name) else "min"
    given = keywords_of(ctx, node, "default", "key")
    key = given.get("key")
    if key is not None and isinstance(key, tree.Constant) and key.value is None:
        key = None
    if key is None:
        allow_any_order(ctx, *node.args)
    if not node.args:
        raise ctx.refuse(node.span, f"`{name}` takes at least one argument")
    if any(isinstance(arg, tree.Starred) for arg in node.args):
        whole = tree.Call(node.func, (tree.List(node.args, tree.LOAD, node.span),), node.keywords, node.span)
        return ctx.expr(whole, expected)
    if len(node.args) == 1:
        return _least_of_list(ctx, name, node, given.get("default"), key)
    if key is not None:
        listed = ctx.expr(tree.List(node.args, tree.LOAD, node.span))
        return _by_key(ctx, f"{name}_by", listed, key, [], node.span)
    values = ctx.attempt([(arg, expected) for arg in node.args])
    pairs = [(value, arg.span) for value, arg in zip(values, node.args, strict=True)]
    t = common_type(ctx, pairs, None, f"the arguments of `{name}`")
    body: hir.Block = []
    kept: list[hir.Expr] = []
    for value in values:
        adapted = adapt(ctx, value, t)
        assert adapted is not None
        held, again = ctx.hold(adapted)
        body += held
        kept.append(again)
    best = ctx.temp(t)
    now = hir.LocalGet(t, best)
    body.append(hir.Assign(ctx.line, best, kept[0]))
    kind = tree.Lt if name == "min" else tree.Gt
    for value, (_, span) in zip(kept[1:], pairs[1:], strict=True):
        better = compare(ctx, kind, value, now, (span, pairs[0][1], node.span))
        body.append(hir.If(ctx.line, better, [hir.Assign(ctx.line, best, value)], []))
    return hir.Let(t, body, now)


def _by_key(
    ctx: Context, name: str, values: hir.Expr, key: tree.expr, others: list[hir.Expr], span: Span
) -> hir.Expr:
    t = prune(values.type)
    assert isinstance(t, ClassType)
    return by_key(ctx, name, values, t.args[0], key, others, span)


def _least_of_list(
    ctx: Context, name: str, node: tree.Call, default: tree.expr | None, key: tree.expr | None
) -> hir.Expr:
    values = list_of_items(ctx, node.args[0], node.span)
    t = prune(values.type)
    assert isinstance(t, ClassType)
    item = t.args[0]

    def least(given: hir.Expr) -> hir.Expr:
        if key is not None:
            return _by_key(ctx, f"{name}_by", given, key, [], node.span)
        return ctx.library("krait.list", f"list_{name}", [given], item, node.span, item)

    if default is None:
        return least(values)
    held, kept = ctx.hold(values)
    other = ctx.expr(default, item)
    whole = common_type(ctx, [(hir.Const(item, None), node.span), (other, default.span)], None, "the result")
    fitted = adapt(ctx, other, whole)
    assert fitted is not None
    held_other, instead = ctx.hold(fitted)
    found = adapt(ctx, least(kept), whole)
    assert found is not None
    item = whole
    test = truth(ctx, kept, node.span)
    return hir.Let(item, [*held, *held_other], hir.Conditional(item, test, found, instead))


@builtin("sorted")
def sorted_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``sorted(items, reverse=…)``."""
    given = keywords_of(ctx, node, "reverse", "key")
    if len(node.args) != 1:
        raise ctx.refuse(node.span, f"`sorted` takes 1 argument, not {len(node.args)}")
    if "key" not in given:
        allow_any_order(ctx, node.args[0])
    values = list_of_items(ctx, node.args[0], node.span, expected)
    backwards: hir.Expr = hir.Const(BOOL, False)
    if "reverse" in given:
        backwards = truth(ctx, ctx.expr(given["reverse"]), given["reverse"].span)
    t = prune(values.type)
    assert isinstance(t, ClassType)
    key = given.get("key")
    if key is not None and not (isinstance(key, tree.Constant) and key.value is None):
        return _by_key(ctx, "sorted_by", values, key, [backwards], node.span)
    return ctx.library("krait.list", "sorted_list", [values, backwards], t, node.span, t.args[0])


def sort_list(ctx: Context, receiver: hir.Expr, node: tree.Call) -> hir.Expr | None:
    """Return ``xs.sort(key=…, reverse=…)``, None if no key is given."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    key = given.get("key")
    if key is None or node.args or given.keys() - {"key", "reverse"}:
        return None
    backwards: hir.Expr = hir.Const(BOOL, False)
    if "reverse" in given:
        backwards = truth(ctx, ctx.expr(given["reverse"]), given["reverse"].span)
    if isinstance(key, tree.Constant) and key.value is None:
        return invoke(ctx, receiver, "sort", [(backwards, node.span)], node.span)
    return _by_key(ctx, "sort_by", receiver, key, [backwards], node.span)


@builtin("sum")
def sum_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``sum(items, start)``."""
    given = keywords_of(ctx, node, "start")
    if not 1 <= len(node.args) <= 2:
        raise ctx.refuse(node.span, f"`sum` takes 1 or 2 arguments, not {len(node.args)}")
    allow_any_order(ctx, node.args[0])
    values = list_of_items(ctx, node.args[0], node.span)
    t = prune(values.type)
    assert isinstance(t, ClassType)
    item = prune(t.args[0])
    start_node = node.args[1] if len(node.args) == 2 else given.get("start")
    start = ctx.expr(start_node) if start_node is not None else hir.Const(INT, 0)
    if item is FLOAT:
        first = coerce(ctx, _real(start), FLOAT, node.span)
        return ctx.library("krait.builtins", "sum_float", [values, first], FLOAT, node.span)
    if item is BOOL:
        total = _count_true(ctx, values, t, node.span)
    elif item is INT or isinstance(item, Infer):
        whole = start if prune(start.type) is INT else hir.Const(INT, 0)
        ints = coerce(ctx, values, ctx.world.list_type(INT), node.span)
        total = ctx.library("krait.builtins", "sum_int", [ints, whole], INT, node.span)
        if whole is start:
            return total
    elif isinstance(item, Union) and set(item.members) == {INT, FLOAT} and prune(start.type) in (INT, FLOAT, item):
        first = coerce(ctx, start, item, node.span)
        return ctx.library("krait.builtins", "sum_numbers", [values, first], item, node.span)
    elif isinstance(item, ClassType) and item != ctx.world.str_type:
        return summed(ctx, values, start if start_node is not None else None, node.span)
    else:
        hint = 'use `"".join(…)` for texts' if item == ctx.world.str_type else "write a loop"
        raise ctx.refuse(node.args[0].span, f"`sum` adds numbers, not `{item}`", hint)
    if start_node is None:
        return total
    shape = tree.BinOp(node.args[0], tree.ADD, start_node, node.span)
    return binary(ctx, tree.ADD, total, start, shape)


def _count_true(ctx: Context, values: hir.Expr, t: ClassType, span: Span) -> hir.Expr:
    """The sum of bools."""
    count = ctx.temp(INT)
    total = hir.LocalGet(INT, count)

    def add(item: hir.Expr) -> hir.Block:
        return [hir.Assign(ctx.line, count, hir.Op(INT, "i64.add", [total, to_int(item)]))]

    body = [hir.Assign(ctx.line, count, hir.Const(INT, 0)), *_loop_over(ctx, values, t, span, add)]
    return hir.Let(INT, body, total)


def _loop_over(
    ctx: Context, values: hir.Expr, t: ClassType, span: Span, each: Callable[[hir.Expr], hir.Block]
) -> hir.Block:
    """Return a loop over a list that nothing changes meanwhile."""
    held, kept = ctx.hold(values)
    index = ctx.temp(U32)
    at = hir.LocalGet(U32, index)
    item = invoke(ctx, kept, "_at", [(at, span)], span)
    step = hir.Assign(ctx.line, index, hir.Op(U32, "i32.add", [at, hir.Const(U32, 1)]))
    test = hir.Op(BOOL, "i32.lt_u", [at, hir.FieldGet(U32, kept, "length")])
    loop = hir.While(ctx.line, hir.LoopLabel(), test, [*each(item), step], [])
    return [*held, hir.Assign(ctx.line, index, hir.Const(U32, 0)), loop]


@builtin("functools.reduce")
def reduce(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``reduce(function, items, initial)``."""
    if not 2 <= len(node.args) <= 3 or node.keywords:
        raise ctx.refuse(node.span, "`reduce` takes a function, items, and perhaps a first value")
    values = list_of_items(ctx, node.args[1], node.span)
    t = prune(values.type)
    assert isinstance(t, ClassType)
    initial = ctx.expr(node.args[2], expected) if len(node.args) == 3 else None
    return reduced(ctx, values, t.args[0], node.args[0], initial, node.span)


@builtin("any", "all")
def any_all(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``any(items)`` and ``all(items)``, which stop at the first item that decides."""
    (arg,) = plain_args(ctx, node, 1, 1)
    if isinstance(arg, tree.GeneratorExp):
        return used_at_once(ctx, arg, lambda: _decided(ctx, node, arg))
    return _decided(ctx, node, arg)


def _decided(ctx: Context, node: tree.Call, arg: tree.expr) -> hir.Expr:
    name = node.func.id if isinstance(node.func, tree.Name) else "any"
    decisive = name == "any"
    allow_any_order(ctx, arg)
    result = ctx.temp(BOOL)
    label = hir.LoopLabel()

    def decide(value: hir.Expr) -> hir.Block:
        test = truth(ctx, value, arg.span)
        found: hir.Block = [hir.Assign(ctx.line, result, hir.Const(BOOL, decisive)), hir.Break(ctx.line, label)]
        return [hir.If(ctx.line, test, found, [])] if decisive else [hir.If(ctx.line, test, [], found)]

    with ctx.collect() as inside:
        if isinstance(arg, tree.GeneratorExp):

            def each() -> None:
                for part in decide(ctx.expr(arg.elt)):
                    ctx.emit(part)

            comprehension_loops(ctx, arg.generators, each, [arg.elt])
        else:
            with ctx.collect() as each_item:
                made = plan(ctx, arg)
                item = whole(ctx, made.item, node.span)
                if isinstance(prune(item.type), Infer):
                    unify(item.type, BOOL)  # an empty list: nothing will be asked of its items
                decision = decide(item)
            for part in (*each_item, *made.setup):
                ctx.emit(part)
            ctx.emit(hir.While(ctx.line, hir.LoopLabel(), made.test, [*made.step, *decision], []))
    # One round of a loop, so that the decision can leave all the loops within it.
    once = hir.While(ctx.line, label, None, [*inside, hir.Break(ctx.line, label)], [])
    body: hir.Block = [hir.Assign(ctx.line, result, hir.Const(BOOL, not decisive)), once]
    return hir.Let(BOOL, body, hir.LocalGet(BOOL, result))


def list_of_items(ctx: Context, node: tree.expr, span: Span, expected: Type | None = None) -> hir.Expr:
    """Return a list of what an expression gives, which is the list itself if it is one."""
    return gather(ctx, node, span, expected)[0]


def gather(
    ctx: Context,
    node: tree.expr,
    span: Span,
    expected: Type | None,
    keep: tuple[ClassDecl, ...] = (),
    vectors: bool = False,
) -> tuple[hir.Expr, bool]:
    """Return a list of what an expression gives, and whether it is a new one that nobody else has.

    An object of a class of ``keep`` is returned as it is, and with ``vectors`` a tuple is.
    """
    members = members_of(ctx, node)
    if members is not None:
        return members, True
    if isinstance(node, tree.GeneratorExp):
        listed = tree.ListComp(node.elt, node.generators, node.span)
        return used_at_once(ctx, node, lambda: ctx.expr(listed, expected)), True
    if isinstance(node, tree.Tuple) and not vectors:
        return ctx.expr(tree.List(node.elts, node.ctx, node.span), expected), True
    if (
        isinstance(node, tree.Call)
        and isinstance(node.func, tree.Name)
        and (node.func.id == "range" or node.func.id in WRAPPERS)
        and isinstance(ctx.lookup(node.func.id), Intrinsic)
        and node.func.id not in ctx.scope
    ):
        return _collected(ctx, plan(ctx, node), span, expected), True
    value = plain_tuple(ctx.expr(node, expected))
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.span, "this value")
    kept = isinstance(t, ClassType) and any(map(t.decl.is_subclass, (ctx.world.list_type(INT).decl, *keep)))
    if (kept and not _holds_more(ctx, expected, t)) or (
        vectors and isinstance(t, ClassType) and (is_tuple(t.decl) or is_vector(t.decl))
    ):
        return value, isinstance(node, tree.List | tree.ListComp | tree.Dict | tree.DictComp)
    if t == ctx.world.str_type:
        return ctx.library("krait.list", "list_of_str", [value], ctx.world.list_type(ctx.world.str_type), span), True
    items = tree.Name("$items", tree.LOAD, node.span)
    return ctx.let({items.id: value}, lambda: _collected(ctx, plan(ctx, items), span, expected)), True


def _holds_more(ctx: Context, expected: Type | None, t: Type) -> bool:
    """Return whether a list is wanted whose items may be those of a list of this type, and others as well."""
    wanted = wanted_class(expected, ctx.world.list_type(INT).decl)
    more = prune(wanted.args[0]) if wanted is not None else None
    return isinstance(more, Union) and isinstance(t, ClassType) and t != wanted and takes(more, t.args[0])


def _collected(ctx: Context, made: Plan, span: Span, expected: Type | None) -> hir.Expr:
    """Return a list of all the items of a plan, of the type that is expected where they fit it."""
    item = _one_value(ctx, made.item, span)
    wanted = wanted_class(expected, ctx.world.list_type(INT).decl)
    whole = wanted.args[0] if wanted is not None else mixed_value(item.type) if ctx.mixes_items else item.type
    if is_known(whole) and is_known(item.type):
        item = adapt(ctx, item, whole) or item
    t, empty = new_list(ctx, item.type, 0, span)
    local = ctx.temp(t)
    append = invoke(ctx, hir.LocalGet(t, local), "append", [(item, span)], span)
    loop = hir.While(ctx.line, hir.LoopLabel(), made.test, [*made.step, hir.Evaluate(ctx.line, append)], [])
    return hir.Let(t, [*made.setup, hir.Assign(ctx.line, local, empty), loop], hir.LocalGet(t, local))


def _one_value(ctx: Context, item: Element, span: Span) -> hir.Expr:
    if isinstance(item, tuple):
        return make_tuple(ctx, [_one_value(ctx, part, span) for part in item], span)
    return item


@builtin("range")
def range_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """A range where a value is wanted."""
    args = plain_args(ctx, node, 1, 3)
    values = [
        coerce(ctx, member_value(ctx, value), INT, arg.span)
        for value, arg in zip(ctx.attempt((arg, INT) for arg in args), args, strict=True)
    ]
    if len(values) == 1:
        values = [hir.Const(INT, 0), *values]
    bounds = [*values, *([hir.Const(INT, 1)] if len(values) == 2 else [])]
    decl = ctx.world.library_symbol("krait.range", "range")
    assert isinstance(decl, ClassDecl)
    return ctx.library("krait.range", "new_range", bounds, ClassType(decl), node.span)


@builtin("super")
def super_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``super()`` alone."""
    raise ctx.later(node.span, "`super()` as a value", "call a method of it: `super().__init__(…)`")


@builtin("tuple")
def tuple_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``tuple(items)``: of any length, unless it is given a tuple."""
    args = plain_args(ctx, node, 0, 1)
    if not args:
        return ctx.expr(tree.Tuple((), tree.LOAD, node.span), expected)
    wanted = prune(expected) if expected is not None else None
    is_wanted = isinstance(wanted, ClassType) and is_vector(wanted.decl)
    item = ctx.world.list_type(wanted.args[0]) if isinstance(wanted, ClassType) and is_wanted else None
    value, is_new = gather(ctx, args[0], node.span, item, vectors=True)
    t = prune(value.type)
    assert isinstance(t, ClassType)
    if is_tuple(t.decl) and ctx.world.subclasses(t):  # a `NamedTuple` becomes a plain tuple
        held, kept = ctx.hold(value)
        plain = make_tuple(ctx, [hir.FieldGet(item, kept, field_name(at)) for at, item in enumerate(t.args)], node.span)
        return hir.Let(plain.type, held, plain)
    if is_tuple(t.decl) or is_vector(t.decl):
        return value
    items = value if is_new else invoke(ctx, value, "copy", [], node.span)
    made = ctx.world.vector_type(t.args[0])
    return ctx.library("krait.tuple", "tuple_of_list", [items], made, node.span, t.args[0])


# --- conversions ---------------------------------------------------------------------------------------------------


def convert(ctx: Context, decl: ClassDecl, node: tree.Call, expected: Type | None) -> hir.Expr | None:
    """Return what a call of a built-in class gives; None if ``decl`` is an ordinary class."""
    if not decl.module.library or not decl.module.name.startswith("krait.") or decl.name not in _CONVERSIONS:
        return None
    return _CONVERSIONS[decl.name](ctx, node, expected)


@conversion("str")
def _to_str(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    args = plain_args(ctx, node, 0, 3)
    if not args:
        return hir.Text(ctx.world.str_type, "")
    if len(args) > 1:
        return ctx.expr(tree.Call(tree.Attribute(args[0], "decode", tree.LOAD, node.span), args[1:], (), node.span))
    value = ctx.expr(args[0])
    require_order(ctx, value.type, args[0].span)
    return text_of(ctx, value, "__str__", args[0].span)


@conversion("slice")
def _to_slice(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``slice(stop)``, ``slice(start, stop)``, ``slice(start, stop, step)``."""
    args = plain_args(ctx, node, 1, 3)
    nothing = tree.Constant(None, node.span)
    start, stop, step = (nothing, args[0], nothing) if len(args) == 1 else (*args, nothing)[:3]
    return made_slice(ctx, (start, stop, step), node.span)


@conversion("bool")
def _to_bool(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    args = plain_args(ctx, node, 0, 1)
    return truth(ctx, ctx.expr(args[0]), args[0].span) if args else hir.Const(BOOL, False)


@conversion("int")
def _to_int(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    given = keywords_of(ctx, node, "base")
    if len(node.args) > 2:
        raise ctx.refuse(node.span, f"`int` takes at most 2 arguments, not {len(node.args)}")
    if not node.args:
        return hir.Const(INT, 0)
    value = ctx.expr(node.args[0])
    base_node = node.args[1] if len(node.args) == 2 else given.get("base")
    t = prune(value.type)
    if t == ctx.world.str_type:
        base = coerce(ctx, ctx.expr(base_node), INT, base_node.span) if base_node is not None else hir.Const(INT, 10)
        return ctx.library("krait.int", "int_from_str", [value, base], INT, node.span)
    if base_node is not None:
        raise ctx.refuse(base_node.span, "only a text has a base")
    if t is INT:
        return value
    fixed = fixed_to_int(value)
    if fixed is not None:
        return fixed
    made = try_invoke(ctx, value, "__int__", [], node.span)
    if made is not None:
        return made
    raise _no_number(ctx, "int", t, node.args[0].span)


@conversion("float")
def _to_float(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    args = plain_args(ctx, node, 0, 1)
    if not args:
        return hir.Const(FLOAT, 0.0)
    value = ctx.expr(args[0])
    t = prune(value.type)
    if t == ctx.world.str_type:
        return ctx.library("krait.float", "float_from_str", [value], FLOAT, node.span)
    if t in (INT, BOOL, FLOAT):
        return to_float(value)
    if isinstance(t, Union) and set(t.members) <= {INT, BOOL, FLOAT}:
        return by_member(ctx, value, to_float)
    if t is F32:
        return hir.Op(FLOAT, "f64.promote_f32", [value])
    fixed = fixed_to_int(value)
    if fixed is not None:
        return hir.Op(FLOAT, "f64.convert_i64_u" if t is U64 else "f64.convert_i64_s", [fixed])
    made = try_invoke(ctx, value, "__float__", [], node.span)
    if made is not None:
        return made
    raise _no_number(ctx, "float", t, args[0].span)


def _no_number(ctx: Context, name: str, t: Type, span: Span) -> Refusal:
    if isinstance(t, Infer):
        return ctx.unknown(span, "this value")
    hints = ["test it first: `if x is not None:`"] if isinstance(t, Optional) else []
    return ctx.refuse(span, f"`{name}` does not take a `{t}`", *hints)


@conversion("list")
def _to_list(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    args = plain_args(ctx, node, 0, 1)
    if not args:
        return ctx.expr(tree.List((), tree.LOAD, node.span), expected)
    value, is_new = gather(ctx, args[0], node.span, expected)
    return value if is_new else invoke(ctx, value, "copy", [], node.span)
