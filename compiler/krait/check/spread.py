"""What follows a star in a call or display, taken apart where its length is known.

In: arguments or items as they are written. Out: the same without stars before tuples of known length; what has been
evaluated on the way is in variables of its own, so that the order is CPython's.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.context import Context
from krait.check.names import object_of_type
from krait.check.tuples import is_tuple, plain_tuple
from krait.check.types import ClassType, Local, Parameter, prune
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree


def spread(ctx: Context, node: tree.Call) -> tree.Call:
    """Return a call with what follows a star taken apart, where its length is known; evaluated here, in order."""
    if not any(isinstance(arg, tree.Starred) for arg in node.args):
        return node
    func = _function_first(ctx, node.func)
    args: list[tree.expr] = []
    for arg in node.args:
        inner = arg.value if isinstance(arg, tree.Starred) else arg
        if isinstance(inner, tree.Constant | tree.Lambda | tree.List | tree.Dict | tree.GeneratorExp):
            if isinstance(inner, tree.List) and isinstance(arg, tree.Starred):
                args += inner.elts
                continue
            args.append(arg)
            continue
        if isinstance(arg, tree.Starred) and isinstance(inner, tree.Tuple):
            args += inner.elts
            continue
        if not isinstance(arg, tree.Starred) and isinstance(inner, tree.Name):
            args.append(arg)
            continue
        value = plain_tuple(ctx.expr(inner))
        name = kept_value(ctx, value, inner)
        t = prune(value.type)
        if not isinstance(arg, tree.Starred):
            args.append(name)
        elif isinstance(t, ClassType) and is_tuple(t.decl):
            places = [tree.Constant(at, arg.span) for at in range(len(t.args))]
            args += [tree.Subscript(name, place, tree.LOAD, arg.span) for place in places]
        else:
            args.append(tree.Starred(name, tree.LOAD, arg.span))
    return tree.Call(func, tuple(args), node.keywords, node.span)


def kept_value(ctx: Context, value: hir.Expr, node: tree.expr) -> tree.Name:
    """Emit the evaluation of a value; return the name of the variable that has it then."""
    local = Local(f"$arg{len(ctx.function.locals)}", value.type, stable=True)
    ctx.function.locals.append(local)
    ctx.emit(hir.Assign(ctx.line, local, value))
    ctx.scope[local.name] = local
    ctx.flow = ctx.flow.bind(local)
    return tree.Name(local.name, tree.LOAD, node.span)


def _function_first(ctx: Context, func: tree.expr) -> tree.expr:
    """Return what is called, after the evaluation of what a call in it gives: that comes before the arguments."""
    match func:
        case tree.Attribute(value=tree.Call(func=tree.Name(id="super"))):
            return func
        case tree.Attribute(value=tree.Call() | tree.Subscript() as value) if object_of_type(value) is None:
            return tree.Attribute(kept_value(ctx, ctx.expr(value), value), func.attr, func.ctx, func.span)
        case tree.Call() if object_of_type(func) is None:
            return kept_value(ctx, ctx.expr(func), func)
        case _:
            return func


def items_of_list(
    ctx: Context, name: str, params: Sequence[Parameter], given: int, starred: tree.Starred, only: int | None
) -> list[tree.expr]:
    """Return what the last positional parameters get of a star before a list, whose length is asked here; and what is
    left for ``*args``, if the function has that.

    name: of the function, as CPython's errors show it.  given: how many arguments stand before, ``self`` among them.
    only: how many are given to keyword-only parameters, None if the function takes any number by position.
    """
    span = starred.span
    value = ctx.expr(starred.value)
    t = prune(value.type)
    if not (isinstance(t, ClassType) and t.decl.name == "list" and t.decl.module.name == "krait.list"):
        value = ctx.expr(tree.Call(_library("list", span), (starred.value,), (), span))
    kept = kept_value(ctx, value, starred.value)
    count = tree.Call(_library("len", span), (kept,), (), span)
    required = sum(param.default is None for param in params)
    for length in range(required):
        names = [repr(param.name) for param in params[length:required]]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}{',' * (len(names) > 2)} and {names[-1]}"
        text = f"{name}() missing {len(names)} required positional argument{'s' * (len(names) > 1)}: {listed}"
        message: tree.expr = tree.Constant(text, span)
        _raise_if(ctx, tree.Compare(count, (tree.EQ,), (tree.Constant(length, span),), span), message, span)
    if only is not None:
        _refuse_more(ctx, name, (given + required, given + len(params)), given, only, kept, span)
    found: list[tree.expr] = []
    for at, param in enumerate(params):
        place = tree.Constant(at, span)
        item: tree.expr = tree.Subscript(kept, place, tree.LOAD, span)
        if param.default is not None:
            item = tree.IfExp(tree.Compare(count, (tree.GT,), (place,), span), item, param.default, span)
        found.append(item)
    if only is None:
        left = tree.Slice(tree.Constant(len(params), span), None, None, span)
        found.append(tree.Starred(tree.Subscript(kept, left, tree.LOAD, span), tree.LOAD, span))
    return found


def _refuse_more(
    ctx: Context, name: str, bounds: tuple[int, int], given: int, only: int, kept: tree.expr, span: Span
) -> None:
    """Have TypeError raised where a list has more items than a function takes."""
    least, most = bounds
    count = tree.Call(_library("len", span), (kept,), (), span)
    takes = str(most) if least == most else f"from {least} to {most}"
    plural = "" if least == most == 1 else "s"
    number = tree.BinOp(count, tree.ADD, tree.Constant(given, span), span)
    others = f" positional arguments (and {only} keyword-only argument{'s' * (only > 1)})" if only else ""
    parts = (
        tree.Constant(f"{name}() takes {takes} positional argument{plural} but ", span),
        tree.FormattedValue(number, -1, None, span),
        tree.Constant(f"{others} were given", span),
    )
    message = tree.JoinedStr(parts, span)
    _raise_if(ctx, tree.Compare(count, (tree.GT,), (tree.Constant(most - given, span),), span), message, span)


def _library(name: str, span: Span) -> tree.Name:
    return tree.Name(f"{LIBRARY}{name}", tree.LOAD, span)


def _raise_if(ctx: Context, test: tree.expr, message: tree.expr, span: Span) -> None:
    error = tree.Call(_library("TypeError", span), (message,), (), span)
    ctx.statement(tree.If(test, (tree.Raise(error, None, span),), (), span))

