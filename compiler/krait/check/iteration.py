"""`for` loops and comprehensions over ranges, lists, texts, and what is built from them.

In: the expression that is iterated over, and what to do for each item. Out: loops without an iterator object: `range`
becomes a counted loop; lists, texts, `enumerate`, `zip` and `reversed` become an index and a test.

Invariant: an index moves on before the loop's body runs, so that `continue` needs no code of its own, and a list that
changes while it is iterated over behaves as in CPython.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeAlias

from krait.check import hir
from krait.check.assignment import Element, assign_element
from krait.check.classes import class_named
from krait.check.coerce import adapt, coerce, member_value, require, type_of_items
from krait.check.columns import rows_of
from krait.check.conditions import condition
from krait.check.constants import INT_MAX, INT_MIN, literal_int
from krait.check.context import Context, Loop
from krait.check.displays import list_of
from krait.check.enums import MEMBERS
from krait.check.flow import Flow, join
from krait.check.invoke import find_method, invoke, try_invoke
from krait.check.names import names_of_target, scan
from krait.check.nested import share_targets
from krait.check.relations import dict_of
from krait.check.scopes import touch_declaration
from krait.check.set_order import has_random_hash
from krait.check.setlike import set_kind
from krait.check.signatures import field_type
from krait.check.spread import spread
from krait.check.tuples import field_name, is_tuple, plain_tuple
from krait.check.types import BOOL, INT, U32, ClassDecl, ClassType, Infer, Instance, Intrinsic, Local, Optional, prune
from krait.diagnostics import Span
from krait.syntax import tree

Body: TypeAlias = Callable[[], None]


@dataclass(slots=True)
class Plan:
    """How to go through something: run ``setup``; while ``test``, run ``step``, and ``item`` is the item.

    indexed: going through it has no effect but on its own variables, so it can be part of a `zip`.
    """

    item: Element
    test: hir.Expr | None
    setup: hir.Block = field(default_factory=list)
    step: hir.Block = field(default_factory=list)
    indexed: bool = True


def for_each(
    ctx: Context,
    target: tree.expr,
    source: tree.expr,
    body: Body,
    orelse: Sequence[tree.stmt],
    changed: Sequence[tree.AST],
    declare: Body | None = None,
) -> None:
    """Emit a loop that binds ``target`` to each item of ``source`` and runs ``body``.

    changed: what the loop contains.  declare: makes the variables of the target, once ``source`` has been evaluated.
    """
    args = _range_args(ctx, source)
    if args is not None:
        _range_loop(ctx, target, args, source, body, orelse, changed, declare)
        return
    made = plan(ctx, source)
    if declare is not None:
        declare()
    for part in made.setup:
        ctx.emit(part)
    loop = Loop(hir.LoopLabel())
    enter_loop(ctx, changed)
    entry = ctx.flow
    with ctx.collect() as block:
        _bind(ctx, made, target)
        _run_body(ctx, loop, body)
    ctx.flow = join(entry, ctx.flow, *loop.continues)
    rest = ctx.block(orelse)
    ctx.emit(hir.While(ctx.line, loop.label, made.test, block, rest))
    ctx.flow = join(ctx.flow, *loop.breaks)


def _bind(ctx: Context, made: Plan, target: tree.expr) -> None:
    """Emit the step to the next item and the assignment of this one."""
    for part in made.step:
        ctx.emit(part)
    assign_element(ctx, target, made.item)


def _run_body(ctx: Context, loop: Loop, body: Body) -> None:
    ctx.loops.append(loop)
    try:
        body()
    finally:
        ctx.loops.pop()


def enter_loop(ctx: Context, changed: Sequence[tree.AST]) -> None:
    """Forget what tests have shown about variables that the loop itself changes."""
    names = scan(changed)
    variables = [variable for name in names.assigned if (variable := ctx.variable(name)) is not None]
    ctx.flow = ctx.flow.without(variables, names.fields)


def comprehension_loops(
    ctx: Context, generators: Sequence[tree.comprehension], body: Body, elements: Sequence[tree.expr]
) -> None:
    """Emit the nested loops of a comprehension, whose targets are variables of their own.

    elements: what the body evaluates; functions in it may share the targets.
    """
    first, *others = generators

    def inside() -> None:
        if others:
            comprehension_loops(ctx, others, body, elements)
        else:
            body()

    def filtered() -> None:
        _filter(ctx, first.ifs, inside)

    def bind_targets() -> None:
        targets = {node.id: Local(node.id, span=node.span) for node in names_of_target(first.target)}
        ctx.function.locals.extend(targets.values())
        within.enter_context(ctx.naming(*targets.values()))
        share_targets(ctx, [*targets.values()], [*elements, *first.ifs, *others])

    before = ctx.flow
    with ExitStack() as within:
        for_each(ctx, first.target, first.iter, filtered, (), [first, *others], bind_targets)
    ctx.flow = Flow(before.reachable, before.bound, ctx.flow.narrowed)


def _filter(ctx: Context, tests: Sequence[tree.expr], body: Body) -> None:
    if not tests:
        body()
        return
    test = condition(ctx, tests[0])
    ctx.flow = test.true
    with ctx.collect() as block:
        _filter(ctx, tests[1:], body)
    ctx.emit(hir.If(ctx.line, test.value, block, []))
    ctx.flow = join(ctx.flow, test.false)


# --- range ---------------------------------------------------------------------------------------------------------


def _range_args(ctx: Context, node: tree.expr) -> tuple[tree.expr, ...] | None:
    """Return the arguments if ``node`` is a call of the built-in ``range``."""
    match node:
        case tree.Call(func=tree.Name(id="range") as func, args=args, keywords=()) if func.id not in ctx.scope:
            symbol = ctx.lookup("range")
            if not isinstance(symbol, Intrinsic):
                return None
            args = spread(ctx, node).args
            if not 1 <= len(args) <= 3:
                raise ctx.refuse(node.span, f"`range` takes one to three arguments, not {len(args)}")
            return args
        case _:
            return None


def range_bounds(
    ctx: Context, args: tuple[tree.expr, ...], span: Span
) -> tuple[hir.Block, hir.Expr, hir.Expr, hir.Expr]:
    """Return statements that check the step, and start, stop and step, to be evaluated in this order behind them."""
    values = [
        coerce(ctx, member_value(ctx, value), INT, node.span)
        for value, node in zip(ctx.attempt((arg, INT) for arg in args), args, strict=True)
    ]
    zero, one = hir.Const(INT, 0), hir.Const(INT, 1)
    if len(values) == 1:
        return [], zero, values[0], one
    if len(values) == 2:
        return [], values[0], values[1], one
    step = literal_int(args[2])
    if step is not None and step != 0:
        return [], values[0], values[1], hir.Const(INT, step)
    block: hir.Block = []
    kept: list[hir.Expr] = []
    for value in values:
        held, again = ctx.hold(value)
        block += held
        kept.append(again)
    block.append(
        hir.If(
            ctx.line,
            hir.Op(BOOL, "i64.eqz", [kept[2]]),
            ctx.raising("ValueError", "range() arg 3 must not be zero", span),
            [],
        )
    )
    return block, kept[0], kept[1], kept[2]


def _range_loop(
    ctx: Context,
    target: tree.expr,
    args: tuple[tree.expr, ...],
    source: tree.expr,
    body: Body,
    orelse: Sequence[tree.stmt],
    changed: Sequence[tree.AST],
    declare: Body | None,
) -> None:
    before, start, stop, step = range_bounds(ctx, args, source.span)
    if declare is not None:
        declare()
    for part in before:
        ctx.emit(part)
    loop = Loop(hir.LoopLabel())
    counter = ctx.temp(INT)
    enter_loop(ctx, changed)
    entry = ctx.flow
    with ctx.collect() as block:
        assign_element(ctx, target, hir.LocalGet(INT, counter))
        _run_body(ctx, loop, body)
    ctx.flow = join(entry, ctx.flow, *loop.continues)
    rest = ctx.block(orelse)
    ctx.emit(hir.ForRange(ctx.line, loop.label, counter, start, stop, step, block, rest))
    ctx.flow = join(ctx.flow, *loop.breaks)


def _range_plan(ctx: Context, args: tuple[tree.expr, ...], span: Span, backwards: bool) -> Plan:
    """A range as part of something else: its present value and how many are left."""
    before, *bounds = range_bounds(ctx, args, span)
    setup, kept = list(before), []
    for bound in bounds:
        held, again = ctx.hold(bound)
        setup += held
        kept.append(again)
    start, stop, step = kept
    left, current, item = ctx.temp(INT), ctx.temp(INT), ctx.temp(INT)
    setup.append(hir.Assign(ctx.line, left, range_length(start, stop, step)))
    one = hir.Const(INT, 1)
    rest, now = hir.LocalGet(INT, left), hir.LocalGet(INT, current)
    if backwards:
        last = hir.Op(INT, "i64.add", [start, hir.Op(INT, "i64.mul", [hir.Op(INT, "i64.sub", [rest, one]), step])])
        setup.append(hir.Assign(ctx.line, current, last))
    else:
        setup.append(hir.Assign(ctx.line, current, start))
    stepped = [
        hir.Assign(ctx.line, item, now),
        hir.Assign(ctx.line, left, hir.Op(INT, "i64.sub", [rest, one])),
        hir.Assign(ctx.line, current, hir.Op(INT, "i64.sub" if backwards else "i64.add", [now, step])),
    ]
    test = hir.Op(BOOL, "i64.ne", [rest, hir.Const(INT, 0)])
    return Plan(hir.LocalGet(INT, item), test, setup, list[hir.Stmt](stepped))


def range_length(start: hir.Expr, stop: hir.Expr, step: hir.Expr) -> hir.Expr:
    """The number of items of a range, unsigned: the difference is computed modulo 2**64, so it cannot overflow."""
    zero, one = hir.Const(INT, 0), hir.Const(INT, 1)

    def length(low: hir.Expr, high: hir.Expr, by: hir.Expr) -> hir.Expr:
        span = hir.Op(INT, "i64.sub", [hir.Op(INT, "i64.sub", [high, low]), one])
        count = hir.Op(INT, "i64.add", [hir.Op(INT, "i64.div_u", [span, by]), one])
        return hir.Conditional(INT, hir.Op(BOOL, "i64.lt_s", [low, high]), count, zero)

    down = length(stop, start, hir.Op(INT, "i64.sub", [zero, step]))
    if isinstance(step, hir.Const):
        return length(start, stop, step) if isinstance(step.value, int) and step.value > 0 else down
    return hir.Conditional(INT, hir.Op(BOOL, "i64.gt_s", [step, zero]), length(start, stop, step), down)


# --- everything else -----------------------------------------------------------------------------------------------


def plan(ctx: Context, node: tree.expr) -> Plan:
    """Return how to go through what an expression gives."""
    args = _range_args(ctx, node)
    if args is not None:
        return _range_plan(ctx, args, node.span, backwards=False)
    members = members_of(ctx, node)
    if members is not None:
        return _value_plan(ctx, members, node.span)
    match node:
        case tree.Call(func=tree.Name(id=name), args=call_args) if name in WRAPPERS and name not in ctx.scope:
            if isinstance(ctx.lookup(name), Intrinsic):
                return WRAPPERS[name](ctx, node, call_args)
        case tree.Tuple(elts=items) | tree.List(elts=items) if (numbers := _numbers(items)) is not None:
            return _numbers_plan(ctx, numbers)
        case tree.Tuple():
            return _value_plan(ctx, ctx.expr(tree.List(node.elts, node.ctx, node.span)), node.span)
        case _:
            pass
    return _value_plan(ctx, ctx.expr(node), node.span)


def members_of(ctx: Context, node: tree.expr) -> hir.Expr | None:
    """Return the list of an enum's members if an expression names the enum, else None."""
    cls = class_named(ctx, node) if isinstance(node, tree.Name | tree.Attribute) else None
    if cls is None or not cls.decl.enum:
        return None
    made = ctx.call(Instance(cls.decl.methods[MEMBERS]), [], ctx.world.list_type(cls), node.span)
    return touch_declaration(ctx, cls.decl, node, made)


def _value_plan(ctx: Context, value: hir.Expr, span: Span) -> Plan:
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "what is iterated over")
    if isinstance(t, Optional):
        value = require(ctx, value, "TypeError", "'NoneType' object is not iterable", span)
        t = prune(value.type)
    value = plain_tuple(value)
    t = prune(value.type)
    if isinstance(t, ClassType) and is_tuple(t.decl):
        return _tuple_plan(ctx, value, t, span)
    if isinstance(t, ClassType) and find_method(ctx, t, "_at") is not None:
        return _indexed_plan(ctx, value, t, span)
    is_table = isinstance(t, ClassType) and (view_of(t) or set_kind(t))
    if isinstance(t, ClassType) and (is_table or find_method(ctx, t, "_step") is not None):
        return _table_plan(ctx, value, t, span)
    if (
        isinstance(t, ClassType)
        and find_method(ctx, t, "_advance") is None
        and find_method(ctx, t, "__iter__") is not None
    ):
        value = invoke(ctx, value, "__iter__", [], span)
        t = prune(value.type)
    if isinstance(t, ClassType) and find_method(ctx, t, "_advance") is not None:
        return _stream_plan(ctx, value, t, span)
    if isinstance(t, ClassType) and find_method(ctx, t, "__next__") is not None:
        return _iterator_plan(ctx, value, t, span)
    made = by_index(ctx, value, span)
    if made is not None:
        return _value_plan(ctx, made, span)
    raise ctx.refuse(span, f"a `{t}` cannot be iterated over", label="not iterable")


def by_index(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr | None:
    """Return an iterator over an object that has ``__getitem__`` alone, which is asked for 0, 1, … until IndexError.

    None if there is no such method, or if it takes no int.
    """
    return _items_from(ctx, "by_index", value, span)


def _items_from(ctx: Context, name: str, value: hir.Expr, span: Span) -> hir.Expr | None:
    """Return the iterator of a function of the library over an object that has ``__getitem__``."""
    with ctx.world.silence():
        first = try_invoke(ctx, hir.LocalGet(value.type, Local("$")), "__getitem__", [(hir.Const(INT, 0), span)], span)
    if first is None:
        return None
    iterator = ctx.world.library_symbol("krait.iterator", "Iterator")
    assert isinstance(iterator, ClassDecl)
    result = ClassType(iterator, (first.type,))
    return ctx.library("krait.iteration", name, [value], result, span, value.type, first.type)


def _numbers(items: Sequence[tree.expr]) -> list[int] | None:
    """Return the values of items that are all literals of ints."""
    values = [value for item in items if (value := literal_int(item)) is not None and INT_MIN <= value <= INT_MAX]
    return values if values and len(values) == len(items) else None


def _numbers_plan(ctx: Context, values: list[int]) -> Plan:
    """A display of constant ints, which nobody can change: static data instead of a list."""
    address, end, current = ctx.temp(U32), ctx.temp(U32), ctx.temp(INT)
    at = hir.LocalGet(U32, address)
    size = struct.calcsize("<q")
    setup = [
        hir.Assign(ctx.line, address, hir.Data(U32, struct.pack(f"<{len(values)}q", *values))),
        hir.Assign(ctx.line, end, hir.Op(U32, "i32.add", [at, hir.Const(U32, size * len(values))])),
    ]
    step = [
        hir.Assign(ctx.line, current, hir.Load(INT, at)),
        hir.Assign(ctx.line, address, hir.Op(U32, "i32.add", [at, hir.Const(U32, size)])),
    ]
    test = hir.Op(BOOL, "i32.ne", [at, hir.LocalGet(U32, end)])
    return Plan(hir.LocalGet(INT, current), test, list[hir.Stmt](setup), list[hir.Stmt](step))


def _indexed_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """A list or a text: an index, and the length asked anew each time."""
    sequence, index = ctx.temp(t), ctx.temp(U32)
    kept, at = hir.LocalGet(t, sequence), hir.LocalGet(U32, index)
    item = invoke(ctx, kept, "_at", [(at, span)], span)
    current = ctx.temp(item.type)
    setup = [hir.Assign(ctx.line, sequence, value), hir.Assign(ctx.line, index, hir.Const(U32, 0))]
    step = [
        hir.Assign(ctx.line, current, item),
        hir.Assign(ctx.line, index, hir.Op(U32, "i32.add", [at, hir.Const(U32, 1)])),
    ]
    test = hir.Op(BOOL, "i32.lt_u", [at, hir.FieldGet(U32, kept, "length")])
    return Plan(hir.LocalGet(item.type, current), test, list[hir.Stmt](setup), list[hir.Stmt](step))


def _backwards_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """A list or a text from its end; CPython stops when a list has shrunk below the index."""
    sequence, index = ctx.temp(t), ctx.temp(U32)
    kept, at = hir.LocalGet(t, sequence), hir.LocalGet(U32, index)
    item = invoke(ctx, kept, "_at", [(at, span)], span)
    current = ctx.temp(item.type)
    one = hir.Const(U32, 1)
    length = hir.FieldGet(U32, kept, "length")
    setup = [hir.Assign(ctx.line, sequence, value), hir.Assign(ctx.line, index, hir.Op(U32, "i32.sub", [length, one]))]
    step = [hir.Assign(ctx.line, current, item), hir.Assign(ctx.line, index, hir.Op(U32, "i32.sub", [at, one]))]
    test = hir.Op(BOOL, "i32.lt_u", [at, hir.FieldGet(U32, kept, "length")])  # -1 is the greatest u32, and so ends it
    return Plan(hir.LocalGet(item.type, current), test, list[hir.Stmt](setup), list[hir.Stmt](step))


def view_of(t: ClassType) -> str:
    """Return ``keys``, ``values`` or ``items`` for the type of such a view of a dict, else nothing."""
    is_view = t.decl.module.name == "krait.dict" and t.decl.name.startswith("dict_")
    return t.decl.name.removeprefix("dict_") if is_view else ""


def allow_any_order(ctx: Context, *nodes: tree.expr) -> None:
    """Note expressions whose items are used in such a way that their order does not show."""
    for node in nodes:
        ctx.any_order.add(node.span)
        if isinstance(node, tree.GeneratorExp | tree.ListComp | tree.SetComp):
            ctx.any_order.update(generator.iter.span for generator in node.generators)


def _table_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """A dict, a view of one, or a set: the number of an entry; the table says which is the next, 0 at the end."""
    view = view_of(t)
    if set_kind(t) == "frozenset":
        value = hir.FieldGet(ctx.world.library_class("set", t.args[0]), value, "items")
    if set_kind(t) in ("set", "frozenset") and span not in ctx.any_order and has_random_hash(ctx, t.args[0]):
        raise ctx.refuse(
            span,
            f"the order of a `{t}` differs from run to run in CPython",
            "go through it in order: `sorted(…)`",
        )
    if view:
        mapping = field_type(ctx.world, t, "mapping")
        assert mapping is not None
        value = hir.FieldGet(mapping, value, "mapping")
    table, entry, size = ctx.temp(value.type), ctx.temp(U32), ctx.temp(U32)
    kept, at = hir.LocalGet(value.type, table), hir.LocalGet(U32, entry)
    setup = [
        hir.Assign(ctx.line, table, value),
        hir.Assign(ctx.line, size, hir.FieldGet(U32, kept, "length")),
        hir.Assign(ctx.line, entry, hir.Const(U32, 0)),
    ]
    following = invoke(ctx, kept, "_step", [(at, span), (hir.LocalGet(U32, size), span)], span)
    test = hir.Let(
        BOOL, [hir.Assign(ctx.line, entry, following)], hir.Op(BOOL, "i32.ne", [at, hir.Const(U32, 0)])
    )
    step: list[hir.Stmt] = []
    items: list[hir.Expr] = []
    for method in {"values": ("_value",), "items": ("_key", "_value")}.get(view, ("_key",)):
        part = invoke(ctx, kept, method, [(at, span)], span)
        current = ctx.temp(part.type)
        step.append(hir.Assign(ctx.line, current, part))
        items.append(hir.LocalGet(part.type, current))
    return Plan(items[0] if len(items) == 1 else tuple(items), test, list[hir.Stmt](setup), step)


def _stream_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """An object of the library that is asked for one item after the other."""
    stream = ctx.temp(t)
    kept = hir.LocalGet(t, stream)
    item_type = field_type(ctx.world, t, "_current")
    assert item_type is not None
    test = invoke(ctx, kept, "_advance", [], span)
    setup: hir.Block = [hir.Assign(ctx.line, stream, value)]
    return Plan(hir.FieldGet(item_type, kept, "_current"), test, setup, indexed=False)


def _iterator_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """An object whose ``__next__`` gives one item after the other, and raises StopIteration at the end."""
    iterator, going_on = ctx.temp(t), ctx.temp(BOOL)
    caught_type = ctx.world.library_class("BaseException")
    caught = ctx.temp(caught_type)
    following = invoke(ctx, hir.LocalGet(t, iterator), "__next__", [], span)
    current = ctx.temp(following.type)
    kept = hir.LocalGet(caught_type, caught)
    ended = hir.IsInstance(BOOL, kept, ctx.world.library_class("StopIteration"))
    handler: hir.Block = [
        hir.If(0, ended, [hir.Assign(0, going_on, hir.Const(BOOL, False))], [hir.Raise(0, kept)])
    ]
    ask: hir.Block = [
        hir.Assign(ctx.line, going_on, hir.Const(BOOL, True)),
        hir.Handle(ctx.line, [hir.Assign(ctx.line, current, following)], caught, handler),
    ]
    test = hir.Let(BOOL, ask, hir.LocalGet(BOOL, going_on))
    setup: hir.Block = [hir.Assign(ctx.line, iterator, value)]
    return Plan(hir.LocalGet(following.type, current), test, setup, indexed=False)


def _tuple_plan(ctx: Context, value: hir.Expr, t: ClassType, span: Span) -> Plan:
    """A tuple whose items have one type: the list of them."""
    held, kept = ctx.hold(value)
    items = [(hir.FieldGet(item, kept, field_name(index)), span) for index, item in enumerate(t.args)]
    common = INT if not items else type_of_items(
        ctx, [(value, where) for value, where in items], None, "the items of a tuple that is iterated over"
    )
    adapted = [value for value in (adapt(ctx, item, common) for item, _ in items) if value is not None]
    made = _value_plan(ctx, list_of(ctx, adapted, common, span), span)
    made.setup[:0] = held
    return made


def _enumerate(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    start_nodes = [*args[1:], *(keyword.value for keyword in node.keywords if keyword.arg == "start")]
    if not args or len(start_nodes) > 1 or any(keyword.arg != "start" for keyword in node.keywords):
        raise ctx.refuse(node.span, "`enumerate` takes what to go through, and perhaps a start")
    inner = plan(ctx, args[0])
    start: hir.Expr = hir.Const(INT, 0)
    if start_nodes:
        start = coerce(ctx, ctx.expr(start_nodes[0], INT), INT, start_nodes[0].span)
    following, counter = ctx.temp(INT), ctx.temp(INT)
    count = hir.LocalGet(INT, following)
    inner.setup.append(hir.Assign(ctx.line, following, start))
    inner.step.append(hir.Assign(ctx.line, counter, count))
    inner.step.append(hir.Assign(ctx.line, following, hir.Op(INT, "i64.add_throw", [count, hir.Const(INT, 1)])))
    inner.item = (hir.LocalGet(INT, counter), inner.item)
    return inner


def _zip(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    is_strict = _is_strict(ctx, node)
    if not args:
        raise ctx.later(node.span, "`zip` of nothing", "write `[]`")
    if is_strict and any(isinstance(arg, tree.Starred) for arg in args):
        raise ctx.later(node.span, "`zip(*…, strict=True)`", "compare the lengths first")
    if any(isinstance(arg, tree.Starred) for arg in args):
        return _zip_of_rows(ctx, node, args)
    parts = [plan(ctx, arg) for arg in args]
    items = tuple(part.item for part in parts)
    setup = [statement for part in parts for statement in part.setup]
    if is_strict and len(parts) > 1:
        return Plan(items, _all_or_none(ctx, parts, node.span), setup, [], indexed=False)
    if not all(part.indexed for part in parts):
        return Plan(items, _in_turn(parts), setup, [], indexed=False)
    test: hir.Expr | None = parts[-1].test
    for part in reversed(parts[:-1]):
        assert part.test is not None and test is not None
        test = hir.Conditional(BOOL, part.test, test, hir.Const(BOOL, False))
    step = [statement for part in parts for statement in part.step]
    return Plan(items, test, setup, step)


def _zip_of_rows(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    """``zip(*rows)``: the columns, as tuples of any length."""
    rows = ctx.expr(rows_of(ctx, args, node.span))
    t = prune(rows.type)
    row = prune(t.args[0]) if isinstance(t, ClassType) else t
    if not isinstance(row, ClassType) or row.decl is not ctx.world.list_type(INT).decl:
        raise ctx.later(node.span, f"`zip(*…)` of things of the type `{row}`", "make lists of them")
    columns = ctx.world.list_type(ctx.world.vector_type(row.args[0]))
    made = ctx.library("krait.tuple", "columns_of", [rows], columns, node.span, row.args[0])
    return _value_plan(ctx, made, node.span)


def _in_turn(parts: Sequence[Plan]) -> hir.Expr:
    """Go on in one thing after the other, as far as there is an item; return whether all had one."""
    result: hir.Expr = hir.Const(BOOL, True)
    for part in reversed(parts):
        assert part.test is not None
        result = hir.Conditional(BOOL, part.test, hir.Let(BOOL, part.step, result), hir.Const(BOOL, False))
    return result


def _is_strict(ctx: Context, node: tree.Call) -> bool:
    """Return whether a call of `zip` says that all it is given must be equally long."""
    match node.keywords:
        case ():
            return False
        case (tree.keyword(arg="strict", value=tree.Constant(value=bool(said))),):
            return said
        case _:
            raise ctx.refuse(node.keywords[0].span, "`zip` takes no keyword but `strict=True`")


def _all_or_none(ctx: Context, parts: Sequence[Plan], span: Span) -> hir.Expr:
    """Go on in one thing after the other; return whether they had an item.  ValueError unless all had, or none."""
    first, other = ctx.temp(BOOL), ctx.temp(BOOL)
    body: hir.Block = []
    for at, part in enumerate(parts):
        assert part.test is not None
        local = other if at else first
        body += [hir.Assign(ctx.line, local, part.test), hir.If(ctx.line, hir.LocalGet(BOOL, local), part.step, [])]
        if at:
            before = "argument 1" if at == 1 else f"arguments 1-{at}"
            shorter, longer = (
                ctx.raising("ValueError", f"zip() argument {at + 1} is {than} than {before}", span)
                for than in ("shorter", "longer")
            )
            wrong = hir.If(ctx.line, hir.LocalGet(BOOL, first), shorter, longer)
            differ = hir.Op(BOOL, "i32.ne", [hir.LocalGet(BOOL, first), hir.LocalGet(BOOL, other)])
            body.append(hir.If(ctx.line, differ, [wrong], []))
    return hir.Let(BOOL, body, hir.LocalGet(BOOL, first))


def _reversed(ctx: Context, node: tree.Call, args: tuple[tree.expr, ...]) -> Plan:
    if len(args) != 1 or node.keywords:
        raise ctx.refuse(node.span, "`reversed` takes one argument")
    range_args = _range_args(ctx, args[0])
    if range_args is not None:
        return _range_plan(ctx, range_args, node.span, backwards=True)
    value = ctx.expr(args[0])
    t = prune(value.type)
    if isinstance(t, ClassType) and find_method(ctx, t, "_at") is not None:
        return _backwards_plan(ctx, value, t, node.span)
    if isinstance(t, Infer):
        raise ctx.unknown(args[0].span, "this value")
    if dict_of(ctx.world, t) is not None:
        value = invoke(ctx, value, "keys", [], node.span)
        t = prune(value.type)
    if isinstance(t, ClassType) and view_of(t):
        listed = invoke(ctx, value, "_list", [], node.span)
        listed_type = prune(listed.type)
        assert isinstance(listed_type, ClassType)
        return _backwards_plan(ctx, listed, listed_type, node.span)
    if isinstance(t, ClassType) and find_method(ctx, t, "__reversed__") is not None:
        return _value_plan(ctx, invoke(ctx, value, "__reversed__", [], node.span), node.span)
    made = _from_the_end(ctx, value, node.span)
    if made is not None:
        return _value_plan(ctx, made, node.span)
    value = plain_tuple(value)
    t = prune(value.type)
    if isinstance(t, ClassType) and is_tuple(t.decl) and t.args:
        vector = coerce(ctx, value, ctx.world.vector_type(t.args[0]), node.span)
        return _backwards_plan(ctx, vector, ctx.world.vector_type(t.args[0]), node.span)
    raise ctx.refuse(args[0].span, f"a `{t}` cannot be gone through backwards")


def _from_the_end(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr | None:
    """Return an iterator over an object that has ``__len__`` and ``__getitem__``, from its last item to its first."""
    return _items_from(ctx, "from_the_end", value, span) if find_method(ctx, value.type, "__len__") else None


WRAPPERS: dict[str, Callable[[Context, tree.Call, tuple[tree.expr, ...]], Plan]] = {
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
}
"""The functions of the built-in scope that a plan goes through without an object."""

__all__ = [
    "WRAPPERS",
    "Plan",
    "allow_any_order",
    "comprehension_loops",
    "enter_loop",
    "for_each",
    "plan",
    "range_bounds",
    "range_length",
]
