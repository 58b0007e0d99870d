"""`print`, `ascii`, `format` and `sys.exit`.

In: calls. Out: calls of the library that give or write the text of each part in order.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import builtin, keywords_of, plain_args, repr_
from krait.check.coerce import coerce, to_int
from krait.check.conditions import truth
from krait.check.context import Context
from krait.check.formats import formatted, plain_text
from krait.check.invoke import invoke, text_of
from krait.check.set_order import require_order
from krait.check.types import BOOL, INT, NEVER, NONE, Optional, Type, Union, prune
from krait.syntax import tree


@builtin("ascii")
def ascii_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``ascii(x)``."""
    text = repr_(ctx, node, None)
    return ctx.library("krait.templates", "escaped", [text], text.type, node.span)


@builtin("format")
def format_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``format(x, spec)``."""
    args = plain_args(ctx, node, 1, 2)
    value = ctx.expr(args[0])
    if len(args) == 1:
        return plain_text(ctx, value, args[0].span)
    spec = coerce(ctx, ctx.expr(args[1]), ctx.world.str_type, args[1].span)
    require_order(ctx, value.type, args[0].span)
    return formatted(ctx, value, spec, node.span)


@builtin("print")
def print_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``print(…, sep=…, end=…, file=…, flush=…)``."""
    given = keywords_of(ctx, node, "sep", "end", "file", "flush")
    if any(isinstance(arg, tree.Starred) for arg in node.args):
        return _print_all(ctx, node, given)
    world = ctx.world
    values = ctx.attempt([(arg, None) for arg in node.args])
    options = {name: ctx.expr(value) for name, value in given.items()}
    body: hir.Block = []
    kept: list[hir.Expr] = []
    for value in (*values, *options.values()):
        if prune(value.type) is NONE:
            body.append(hir.Evaluate(ctx.line, value))
            kept.append(hir.Const(NONE, None))
            continue
        held, again = ctx.hold(value) if len(values) + len(options) > 1 else ([], value)
        body += held
        kept.append(again)
    named = dict(zip(options, kept[len(values) :], strict=True))

    def option(name: str, default: str) -> hir.Expr:
        if name not in named or prune(named[name].type) is NONE:
            return hir.Text(world.str_type, default)
        return coerce(ctx, named[name], world.str_type, given[name].span)

    sep, end = option("sep", " "), option("end", "\n")
    parts: list[hir.Expr] = []
    for index, (value, arg) in enumerate(zip(kept, node.args, strict=False)):
        if index:
            parts.append(sep)
        require_order(ctx, value.type, arg.span)
        parts.append(text_of(ctx, value, "__str__", arg.span))
    parts.append(end)
    stream = named.get("file")
    for part in _merged(ctx, parts):
        if stream is not None and prune(stream.type) is not NONE:
            written = invoke(ctx, stream, "write", [(part, node.span)], node.span)
        else:
            written = ctx.library("krait.io", "write", [part], NONE, node.span)
        body.append(hir.Evaluate(ctx.line, written))
    if "flush" in named:
        flushed = (
            invoke(ctx, stream, "flush", [], node.span)
            if stream is not None and prune(stream.type) is not NONE
            else ctx.library("krait.io", "flush", [], NONE, node.span)
        )
        body.append(hir.If(ctx.line, truth(ctx, named["flush"], node.span), [hir.Evaluate(ctx.line, flushed)], []))
    return hir.Let(NONE, body, hir.Const(NONE, None))


def _print_all(ctx: Context, node: tree.Call, given: dict[str, tree.expr]) -> hir.Expr:
    """``print`` of arguments whose number is known when it runs: their texts, joined, are printed as one."""
    text, span = ctx.world.str_type, node.span
    each = tree.Name("$each", tree.LOAD, span)
    target = tree.Name("$each", tree.STORE, span)
    parts: list[tree.expr] = []
    for arg in node.args:
        if isinstance(arg, tree.Starred):
            part = tree.Call(tree.Name("str", tree.LOAD, span), (each,), (), span)
            source = tree.comprehension(target, arg.value, (), span)
            listed: tree.expr = tree.ListComp(part, (source,), span)
            parts.append(tree.Starred(listed, tree.LOAD, span))
        else:
            parts.append(tree.JoinedStr((tree.FormattedValue(arg, ord("s"), None, span),), span))
    listed = tree.List(tuple(parts), tree.LOAD, span)
    sep = given.get("sep", tree.Constant(" ", span))
    if isinstance(sep, tree.Constant) and sep.value is None:
        sep = tree.Constant(" ", span)
    joined = tree.Call(tree.Attribute(sep, "join", tree.LOAD, span), (listed,), (), span)
    keywords = tuple(keyword for keyword in node.keywords if keyword.arg != "sep")
    return ctx.expr(tree.Call(node.func, (joined,), keywords, span), text)


def _merged(ctx: Context, parts: list[hir.Expr]) -> list[hir.Expr]:
    """Return the same text in fewer pieces: constant neighbours are joined, empty ones dropped."""
    out: list[hir.Expr] = []
    for part in parts:
        if isinstance(part, hir.Text):
            if not part.value:
                continue
            if out and isinstance(out[-1], hir.Text):
                out[-1] = hir.Text(part.type, out[-1].value + part.value)
                continue
        out.append(part)
    return out


@builtin("sys.exit")
def sys_exit(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``sys.exit()``, ``sys.exit(status)``, ``sys.exit("text")``."""
    if node.keywords or len(node.args) > 1:
        raise ctx.refuse(node.span, "`sys.exit` takes at most one argument")
    value: hir.Expr = ctx.expr(node.args[0]) if node.args else hir.Const(NONE, None)
    t = prune(value.type)
    if t is NONE:
        quietly = ctx.library("krait.exceptions", "exit_quietly", [], NONE, node.span)
        done: hir.Expr = hir.Let(NONE, [hir.Evaluate(ctx.line, value)], quietly)
    elif t in (INT, BOOL):
        status = to_int(value) if t is BOOL else value
        done = ctx.library("krait.exceptions", "exit_with_status", [status], NONE, node.span)
    elif isinstance(t, Optional | Union):
        done = ctx.library("krait.exceptions", "exit_with", [value], NONE, node.span, t)
    else:
        text = text_of(ctx, value, "__str__", node.args[0].span)
        done = ctx.library("krait.exceptions", "exit_with_text", [text], NONE, node.span)
    ctx.flow = ctx.flow.stop()
    return hir.Let(NEVER, [hir.Evaluate(ctx.line, done), hir.Trap(ctx.line)], hir.Const(NEVER, None))
