"""Functions of the library that are written out: as the expressions that a program could have written in their place.

In: calls of `itertools`, `functools`, `operator`, `bisect` and `heapq` whose result depends on how many things they are
given, and of which types. Out: generator expressions, lambdas, operators, and calls of the library's own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from krait.check import hir
from krait.check.builtins import builtin, list_of_items
from krait.check.constants import literal_int
from krait.check.context import Context
from krait.check.function_values import wanted_function
from krait.check.getters import getter, lambda_of
from krait.check.mixing import stands_for
from krait.check.scopes import function_called
from krait.check.signatures import signature
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Intrinsic,
    Local,
    Type,
    Union,
    prune,
)
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

_LONGEST = 5
"""Tuples of so many items have types of their own, as type checkers know them; longer ones are of any length."""


def _name(name: str, span: Span) -> tree.Name:
    return tree.Name(name, tree.LOAD, span)


def _call(name: str, args: Sequence[tree.expr], span: Span) -> tree.Call:
    return tree.Call(_name(f"{LIBRARY}{name}", span), tuple(args), (), span)


def _each(item: tree.expr, target: str, source: tree.expr, span: Span) -> tree.GeneratorExp:
    """``(item for target in source)``."""
    part = tree.comprehension(tree.Name(target, tree.STORE, span), source, (), span)
    return tree.GeneratorExp(item, (part,), span)


def _arguments(ctx: Context, node: tree.Call, least: int, most: int, *names: str) -> list[tree.expr | None]:
    """Return the arguments by position, None for those left out; the last ones can be given by these names."""
    given: list[tree.expr | None] = [*node.args]
    if len(given) > most or any(isinstance(arg, tree.Starred) for arg in node.args):
        raise ctx.refuse(node.span, f"this takes {least} to {most} arguments, one by one")
    given += [None] * (most - len(given))
    for keyword in node.keywords:
        place = most - len(names) + names.index(keyword.arg) if keyword.arg in names else -1
        if place < 0 or given[place] is not None:
            raise ctx.refuse(keyword.span, f"this takes no keyword argument `{keyword.arg}` here")
        given[place] = keyword.value
    if any(arg is None for arg in given[:least]):
        raise ctx.refuse(node.span, f"this takes {least} to {most} arguments")
    return given


def _of_length(vectors: tree.expr, length: int, span: Span) -> tree.expr:
    """Tuples of any length as tuples of this one."""
    if not 0 < length <= _LONGEST:
        return vectors
    items = tuple(
        tree.Subscript(_name("$row", span), tree.Constant(at, span), tree.LOAD, span) for at in range(length)
    )
    return _each(tree.Tuple(items, tree.LOAD, span), "$row", vectors, span)


# --- itertools -----------------------------------------------------------------------------------------------------


@builtin("itertools.chain.from_iterable")
def _chain_from_iterable(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    (source,) = _arguments(ctx, node, 1, 1)
    assert source is not None
    outer = tree.comprehension(tree.Name("$part", tree.STORE, node.span), source, (), node.span)
    inner = tree.comprehension(tree.Name("$item", tree.STORE, node.span), _name("$part", node.span), (), node.span)
    return ctx.expr(tree.GeneratorExp(_name("$item", node.span), (outer, inner), node.span), expected)


@builtin("itertools.tee")
def _tee(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``tee(items, n)``: n iterators, which share what not all of them have had."""
    source, number = _arguments(ctx, node, 1, 2)
    count = 2 if number is None else literal_int(number)
    assert source is not None
    if count is None or not 1 <= count <= _LONGEST:
        raise ctx.later(node.span, "`tee` with a number that is no literal from 1 to 5", "make a list of the items")
    span = node.span
    with _held(ctx, ["$shared"], [_call("itertools._shared", (source, tree.Constant(count, span)), span)]) as before:
        readers = [tree.Constant(at, span) for at in range(count)]
        parts = tuple(_call("itertools._tee", (_name("$shared", span), reader), span) for reader in readers)
        made = ctx.expr(tree.Tuple(parts, tree.LOAD, span), expected)
    return hir.Let(made.type, before, made)


@builtin("itertools.islice")
def _islice(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    given = [arg for arg in _arguments(ctx, node, 2, 4) if arg is not None]
    if len(given) == 2:
        return ctx.expr(_call("itertools._islice_to", given, node.span), expected)
    step = [] if len(given) == 4 else [tree.Constant(1, node.span)]
    return ctx.expr(_call("itertools._islice_from", [*given, *step], node.span), expected)


@builtin("itertools.accumulate")
def _accumulate(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    source, function, initial = _arguments(ctx, node, 1, 3, "func", "initial")
    if len(node.args) > 2:
        raise ctx.refuse(node.args[2].span, "`accumulate` takes the first value by name", "write `initial=…`")
    assert source is not None
    if function is None or (isinstance(function, tree.Constant) and function.value is None):
        pair = _name("$sum", node.span), _name("$item", node.span)
        function = lambda_of(("$sum", "$item"), tree.BinOp(pair[0], tree.ADD, pair[1], node.span), node.span)
    if initial is None or (isinstance(initial, tree.Constant) and initial.value is None):
        return ctx.expr(_call("itertools._accumulate", (source, function), node.span), expected)
    return ctx.expr(_call("itertools._accumulate_from", (source, function, initial), node.span), expected)


@builtin("itertools.filterfalse")
def _filterfalse(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    function, source = _arguments(ctx, node, 2, 2)
    assert function is not None and source is not None
    if isinstance(function, tree.Constant) and function.value is None:
        function = lambda_of(("$item",), _call("bool", (_name("$item", node.span),), node.span), node.span)
    return ctx.expr(_call("itertools._filterfalse", (function, source), node.span), expected)


@builtin("itertools.starmap")
def _starmap(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    function, source = _arguments(ctx, node, 2, 2)
    assert function is not None and source is not None
    row = tree.Starred(_name("$row", node.span), tree.LOAD, node.span)
    return ctx.expr(_each(tree.Call(function, (row,), (), node.span), "$row", source, node.span), expected)


@builtin("itertools.product")
def _product(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Of things of one type by the library; of several types as the loops that it is, within one another."""
    repeat: tree.expr = tree.Constant(1, node.span)
    for keyword in node.keywords:
        if keyword.arg != "repeat":
            raise ctx.refuse(keyword.span, f"`product` takes no keyword argument `{keyword.arg}`")
        repeat = keyword.value
    span = node.span
    times = literal_int(repeat)
    if times == 1 and 2 <= len(node.args) <= _LONGEST:
        names = [f"$pool{at}" for at in range(len(node.args))]
        with _held(ctx, names, [_call("list", (arg,), span) for arg in node.args]) as before:
            items = tuple(_name(f"$item{at}", span) for at in range(len(names)))
            loops = tuple(
                tree.comprehension(tree.Name(f"$item{at}", tree.STORE, span), _name(name, span), (), span)
                for at, name in enumerate(names)
            )
            made = ctx.expr(tree.GeneratorExp(tree.Tuple(items, tree.LOAD, span), loops, span), expected)
        return hir.Let(made.type, before, made)
    pools = tree.List(tuple(_call("list", (arg,), span) for arg in node.args), tree.LOAD, span)
    vectors = _call("itertools._product", (pools, repeat), span)
    return ctx.expr(_of_length(vectors, (times or 0) * len(node.args), span), expected)


@builtin("itertools.combinations", "itertools.combinations_with_replacement", "itertools.permutations")
def _choices(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    symbol = function_called(ctx, node)
    name = symbol.name.rpartition(".")[2] if isinstance(symbol, Intrinsic) else ""
    source, length = _arguments(ctx, node, 1 if name == "permutations" else 2, 2, "r")
    assert source is not None
    length = length or tree.Constant(None, node.span)
    vectors = _call(f"itertools._{name}", (source, length), node.span)
    return ctx.expr(_of_length(vectors, literal_int(length) or 0, node.span), expected)


@builtin("itertools.zip_longest")
def _zip_longest(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Of two things; with a value to fill up with, items have their own types, else they can be None."""
    fill = next((keyword.value for keyword in node.keywords if keyword.arg == "fillvalue"), None)
    if len(node.args) != 2 or len(node.keywords) != (fill is not None):
        raise ctx.later(node.span, "`zip_longest` of other than two things", "write a loop")
    if fill is None or (isinstance(fill, tree.Constant) and fill.value is None):
        return ctx.expr(_call("itertools._zip_longest", node.args, node.span), expected)
    with _held(ctx, ("$fill",), (fill,)) as before:
        value = _name("$fill", fill.span)
        made = ctx.expr(_call("itertools._zip_longest_with", (*node.args, value, value), node.span), expected)
    return hir.Let(made.type, before, made)


@builtin("itertools.groupby")
def _groupby(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    source, key = _arguments(ctx, node, 1, 2, "key")
    assert source is not None
    if key is None or (isinstance(key, tree.Constant) and key.value is None):
        key = lambda_of(("$item",), _name("$item", node.span), node.span)
    return ctx.expr(_call("itertools._groupby", (source, key), node.span), expected)


@contextmanager
def _held(ctx: Context, names: Sequence[str], nodes: Sequence[tree.expr]) -> Iterator[hir.Block]:
    """Evaluate expressions into variables of such names, which what is checked within can use."""
    values = ctx.attempt((node, None) for node in nodes)
    kept = [Local(name, value.type, stable=True) for name, value in zip(names, values, strict=True)]
    ctx.function.locals.extend(kept)
    with ctx.naming(*kept):
        yield [hir.Assign(ctx.line, local, value) for local, value in zip(kept, values, strict=True)]


# --- bisect and heapq ----------------------------------------------------------------------------------------------


def _of_bisect(name: str) -> Callable[[Context, tree.Call, Type | None], hir.Expr]:
    def rule(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
        key = next((keyword.value for keyword in node.keywords if keyword.arg == "key"), None)
        rest = tuple(keyword for keyword in node.keywords if keyword.arg != "key")
        plain = tree.Call(_name(f"{LIBRARY}bisect.{name}", node.span), node.args, rest, node.span)
        if key is None or (isinstance(key, tree.Constant) and key.value is None):
            return ctx.expr(plain, expected)
        items, x, low, high = _arguments(ctx, plain, 2, 4, "lo", "hi")
        assert items is not None and x is not None
        low, high = low or tree.Constant(0, node.span), high or tree.Constant(None, node.span)
        sided = name if "_" in name else f"{name}_right"
        return ctx.expr(_call(f"bisect._{sided}_by", (items, x, low, high, key), node.span), expected)

    return rule


for _function in ("bisect", "bisect_left", "bisect_right", "insort", "insort_left", "insort_right"):
    builtin(f"bisect.{_function}")(_of_bisect(_function))


def _of_heapq(name: str, backwards: bool) -> Callable[[Context, tree.Call, Type | None], hir.Expr]:
    def rule(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
        count, items, key = _arguments(ctx, node, 2, 3, "key")
        assert count is not None and items is not None
        if key is None or (isinstance(key, tree.Constant) and key.value is None):
            return ctx.expr(_call(f"heapq._{name}", (count, items), node.span), expected)
        span = node.span
        with _held(ctx, ("$count",), (count,)) as before:
            given = [tree.keyword("key", key, span), tree.keyword("reverse", tree.Constant(backwards, span), span)]
            whole = tree.Call(_name(f"{LIBRARY}sorted", span), (items,), tuple(given), span)
            zero = tree.Constant(0, span)
            most = _call("max", (_name("$count", span), zero), span)
            made = ctx.expr(tree.Subscript(whole, tree.Slice(None, most, None, span), tree.LOAD, span), expected)
        return hir.Let(made.type, before, made)

    return rule


@builtin("heapq.merge")
def _merge(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``merge(a, b, …, key=…, reverse=…)``, or with a star before a list of what to go through."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if given.keys() - {"key", "reverse"}:
        raise ctx.refuse(node.span, "`merge` takes what to go through, `key` and `reverse`")
    span = node.span
    sources: list[tree.expr] = []
    for arg in node.args:
        if not isinstance(arg, tree.Starred):
            sources.append(_call("iter", (arg,), span))
            continue
        part = tree.comprehension(tree.Name("$source", tree.STORE, span), arg.value, (), span)
        each = tree.ListComp(_call("iter", (_name("$source", span),), span), (part,), span)
        sources.append(tree.Starred(each, tree.LOAD, span))
    listed, backwards = tree.List(tuple(sources), tree.LOAD, span), given.get("reverse", tree.Constant(False, span))
    key = given.get("key")
    if key is None or (isinstance(key, tree.Constant) and key.value is None):
        return ctx.expr(_call("heapq._merge", (listed, backwards), span), expected)
    return ctx.expr(_call("heapq._merge_by", (listed, key, backwards), span), expected)


builtin("heapq.nsmallest")(_of_heapq("smallest", False))
builtin("heapq.nlargest")(_of_heapq("largest", True))


# --- math ----------------------------------------------------------------------------------------------------------


@builtin("math.log")
def _log(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    given = [arg for arg in _arguments(ctx, node, 1, 2) if arg is not None]
    return ctx.expr(_call("math._log" if len(given) == 1 else "math._log_to", given, node.span), expected)


@builtin("math.hypot")
def _hypot(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    values = tuple(_call("float", (arg,), node.span) for arg in node.args)
    return ctx.expr(_call("math._hypot", (tree.List(values, tree.LOAD, node.span),), node.span), expected)


@builtin("math.prod")
def _prod(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Of ints or floats; ints and a float as a start are multiplied as floats from the first one on."""
    if len(node.args) != 1 or any(keyword.arg != "start" for keyword in node.keywords):
        raise ctx.refuse(node.span, "`prod` takes numbers, and `start`")
    start: tree.expr = node.keywords[0].value if node.keywords else tree.Constant(1, node.span)
    items = list_of_items(ctx, node.args[0], node.span)
    values = {"$items": items, "$start": ctx.expr(start)}
    t = prune(items.type)
    item = prune(t.args[0]) if isinstance(t, ClassType) else t
    as_floats = item is FLOAT or (prune(values["$start"].type) is FLOAT and not isinstance(item, Union))
    kind = "floats" if as_floats else "numbers" if isinstance(item, Union) else "ints"
    given: tuple[tree.expr, ...] = (_name("$items", node.span), _name("$start", node.span))
    if as_floats:
        given = (_as_floats(items, _name("$items", node.span)), _call("float", given[1:], node.span))
    return ctx.let(values, lambda: ctx.expr(_call(f"math._prod_of_{kind}", given, node.span), expected))


@builtin("math.fsum")
def _fsum(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    (source,) = _arguments(ctx, node, 1, 1)
    assert source is not None
    return _of_floats(ctx, "math._fsum", (source,), node.span)


@builtin("math.dist")
def _dist(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    p, q = _arguments(ctx, node, 2, 2)
    assert p is not None and q is not None
    return _of_floats(ctx, "math._dist", (p, q), node.span)


def _of_floats(ctx: Context, name: str, sources: Sequence[tree.expr], span: Span) -> hir.Expr:
    """Return a call with lists of floats, made of what holds numbers."""
    values = {f"$floats{at}": list_of_items(ctx, source, source.span) for at, source in enumerate(sources)}
    args = tuple(_as_floats(value, _name(at, span)) for at, value in values.items())
    return ctx.let(values, lambda: ctx.expr(_call(name, args, span)))


def _as_floats(value: hir.Expr, name: tree.Name) -> tree.expr:
    t = prune(value.type)
    item = prune(t.args[0]) if isinstance(t, ClassType) else t
    if item not in (INT, BOOL) and not stands_for(FLOAT, item):
        return name
    each = tree.comprehension(tree.Name("$each", tree.STORE, name.span), name, (), name.span)
    return tree.ListComp(_call("float", (_name("$each", name.span),), name.span), (each,), name.span)


@builtin("math.gcd", "math.lcm")
def _common(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Of any number of ints: two at a time."""
    symbol = function_called(ctx, node)
    name = symbol.name if isinstance(symbol, Intrinsic) else "math.gcd"
    if node.keywords or any(isinstance(arg, tree.Starred) for arg in node.args):
        raise ctx.refuse(node.span, "this takes ints, one by one")
    neutral = tree.Constant(0 if name == "math.gcd" else 1, node.span)
    whole: tree.expr = node.args[0] if len(node.args) > 1 else neutral
    for arg in node.args[1:] if len(node.args) > 1 else node.args:
        whole = _call(name, (whole, arg), node.span)
    return ctx.expr(whole, expected)


# --- operator ------------------------------------------------------------------------------------------------------

_BINARY: dict[str, tree.operator] = {
    "add": tree.ADD,
    "sub": tree.SUB,
    "mul": tree.MULT,
    "truediv": tree.DIV,
    "floordiv": tree.FLOOR_DIV,
    "mod": tree.MOD,
    "pow": tree.POW,
    "matmul": tree.MAT_MULT,
    "and_": tree.BIT_AND,
    "or_": tree.BIT_OR,
    "xor": tree.BIT_XOR,
    "lshift": tree.LSHIFT,
    "rshift": tree.RSHIFT,
    "concat": tree.ADD,
}
_COMPARING: dict[str, tree.cmpop] = {
    "eq": tree.EQ,
    "ne": tree.NOT_EQ,
    "lt": tree.LT,
    "le": tree.LTE,
    "gt": tree.GT,
    "ge": tree.GTE,
    "is_": tree.IS,
    "is_not": tree.IS_NOT,
}
_UNARY: dict[str, tree.unaryop] = {"neg": tree.USUB, "pos": tree.UADD, "not_": tree.NOT, "invert": tree.INVERT}


_Maker = Callable[[tuple[tree.expr, ...], Span], tree.expr]


def _operator(name: str, count: int, make: _Maker) -> None:
    """Register a function of ``operator`` with so many arguments, as the expression that it is."""

    def rule(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
        if len(node.args) != count or node.keywords or any(isinstance(arg, tree.Starred) for arg in node.args):
            raise ctx.refuse(node.span, f"`{name}` takes {count} argument{'s' if count > 1 else ''}, one by one")
        return ctx.expr(make(node.args, node.span), expected)

    builtin(f"operator.{name}")(rule)


def _binary(op: tree.operator) -> _Maker:
    return lambda args, span: tree.BinOp(args[0], op, args[1], span)


def _comparing(op: tree.cmpop) -> _Maker:
    return lambda args, span: tree.Compare(args[0], (op,), (args[1],), span)


def _unary(op: tree.unaryop) -> _Maker:
    return lambda args, span: tree.UnaryOp(op, args[0], span)


for _name_of, _op in _BINARY.items():
    _operator(_name_of, 2, _binary(_op))
for _name_of, _cmp in _COMPARING.items():
    _operator(_name_of, 2, _comparing(_cmp))
for _name_of, _sign in _UNARY.items():
    _operator(_name_of, 1, _unary(_sign))
_operator("contains", 2, lambda args, span: tree.Compare(args[1], (tree.IN,), (args[0],), span))
_operator("getitem", 2, lambda args, span: tree.Subscript(args[0], args[1], tree.LOAD, span))
_operator("truth", 1, lambda args, span: _call("bool", args, span))
_operator("abs", 1, lambda args, span: _call("abs", args, span))


@builtin("operator.itemgetter", "operator.attrgetter", "operator.methodcaller")
def _getter(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    made = getter(ctx, node)
    assert made is not None
    return ctx.expr(made, expected)


# --- functools -----------------------------------------------------------------------------------------------------


@builtin("functools.partial")
def _partial(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``partial(function, …)``: a lambda that has the arguments, which are evaluated now."""
    span = node.span
    if not node.args or any(isinstance(arg, tree.Starred) for arg in node.args):
        raise ctx.refuse(span, "`partial` takes a function, and arguments one by one")
    function, *args = node.args
    decl = _named_function(ctx, function)
    nodes = [*([] if decl is not None else [function]), *args, *(keyword.value for keyword in node.keywords)]
    names = [f"$held{at}" for at in range(len(nodes))]
    if decl is not None:
        params = [param for param in signature(ctx.world, decl).params if not param.keyword_only and not param.variadic]
        named = {keyword.arg for keyword in node.keywords}
        open_params = [param for param in params[len(args) :] if param.name not in named]
        required = [param.type for param in open_params if param.default is None]
    else:
        required = []
    with _held(ctx, names, nodes) as before:
        rest = iter(_name(name, span) for name in names)
        callee = function if decl is not None else next(rest)
        if decl is None:
            t = prune(ctx.scope["$held0"].type or Infer())
            if not isinstance(t, FunctionType):
                raise ctx.refuse(function.span, "`partial` takes a function")
            required = list(t.params[len(args) :])
        held = [next(rest) for _ in args]
        keywords = tuple(tree.keyword(keyword.arg, next(rest), keyword.span) for keyword in node.keywords)
        wanted = wanted_function(expected) or FunctionType(tuple(required), Infer())
        own = [f"${at}" for at in range(len(wanted.params))]
        call = tree.Call(callee, (*held, *(_name(name, span) for name in own)), keywords, span)
        made = ctx.expr(lambda_of(own, call, span), wanted)
    return hir.Let(made.type, before, made)


def _named_function(ctx: Context, node: tree.expr) -> FunctionDecl | None:
    """Return the function of a module that an expression names."""
    symbol = ctx.lookup(node.id) if isinstance(node, tree.Name) and node.id not in ctx.scope else None
    return symbol if isinstance(symbol, FunctionDecl) and not symbol.all_type_params else None
