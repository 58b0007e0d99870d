"""`"…" % values` and `"…".format(values)` with a template that is a literal.

In: templates and values. Out: the f-string that gives the same text, the values being evaluated before, in order.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

from krait.check import hir
from krait.check.context import Context
from krait.check.late_templates import (
    format_at_run_time,
    may_be_several,
    no_tuple,
    percent_of_several,
    percent_of_value,
)
from krait.check.tuples import field_name, is_tuple, plain_tuple
from krait.check.types import BOOL, FLOAT, INT, ClassType, Union, prune
from krait.diagnostics import Span
from krait.syntax import tree

_DIRECTIVE = re.compile(
    r"%(?:\((?P<name>[^()]*)\))?(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<kind>.)", re.DOTALL
)


def percent(ctx: Context, template: str, node: tree.BinOp) -> hir.Expr:
    """Return ``template % values``."""
    right = node.right
    values: list[hir.Expr]
    late = hir.Text(ctx.world.str_type, template)
    if isinstance(right, tree.Tuple) and (_is_late(template) or _has_star(right.elts)):
        return percent_of_several(ctx, late, right, node.span)
    if _is_late(template):
        return percent_of_value(ctx, late, ctx.expr(right), node.span)
    names = [found["name"] for found in _DIRECTIVE.finditer(template) if found["kind"] != "%"]
    if names and all(name is not None for name in names):
        return _percent_of_mapping(ctx, template, names, node)
    if isinstance(right, tree.Tuple):
        values = ctx.attempt((item, None) for item in right.elts)
    else:
        value = plain_tuple(ctx.expr(right))
        t = prune(value.type)
        if isinstance(t, ClassType) and is_tuple(t.decl):
            held, kept = ctx.hold(value)
            values = [hir.FieldGet(item, kept, field_name(at)) for at, item in enumerate(t.args)]
            made = _percent(ctx, template, values, node)
            return hir.Let(made.type, held, made)
        if may_be_several(t):
            return percent_of_value(ctx, late, value, node.span)
        values = [no_tuple(ctx, value, node.span)]
    return _percent(ctx, template, values, node)


def _is_late(template: str) -> bool:
    """Return whether a template has directives that no f-string has."""
    for found in _DIRECTIVE.finditer(template):
        kind = found["kind"]
        if kind in "a*hlL" or (kind in "diuxXo" and found["precision"] is not None):
            return True
        if kind == "%" and found[0] != "%%":
            return True
    return False


def _has_star(items: Sequence[tree.expr]) -> bool:
    return any(isinstance(item, tree.Starred) for item in items)


def _percent(ctx: Context, template: str, values: Sequence[hir.Expr], node: tree.BinOp) -> hir.Expr:
    pieces: list[tree.expr] = []
    end, used = 0, 0
    for found in _DIRECTIVE.finditer(template):
        between = template[end : found.start()]
        if "%" in between:
            raise ctx.refuse(node.left.span, "incomplete format")
        pieces.append(tree.Constant(between, node.span))
        end = found.end()
        if found["kind"] == "%":
            pieces.append(tree.Constant("%", node.span))
            continue
        if used == len(values):
            raise ctx.refuse(node.span, "not enough arguments for format string")
        pieces.append(_directive(ctx, found, values[used], used, node))
        used += 1
    if "%" in template[end:]:
        raise ctx.refuse(node.left.span, "incomplete format")
    if used < len(values):
        raise ctx.refuse(node.span, "not all arguments converted during string formatting")
    pieces.append(tree.Constant(template[end:], node.span))
    given = {f"$value{at}": value for at, value in enumerate(values)}
    return ctx.let(given, lambda: ctx.expr(tree.JoinedStr(tuple(pieces), node.span)))


def _percent_of_mapping(ctx: Context, template: str, names: Sequence[str], node: tree.BinOp) -> hir.Expr:
    """Return ``template % mapping``: each value by its name."""
    match node.right:
        case tree.Dict(keys=keys, values=given) if all(isinstance(key, tree.Constant) for key in keys):
            places = {key.value: at for at, key in enumerate(keys) if isinstance(key, tree.Constant)}
            missing = next((name for name in names if name not in places), None)
            if missing is not None:
                raise ctx.refuse(node.span, f"the template asks for `{missing}`, which is not given")
            held: hir.Block = []
            kept: list[hir.Expr] = []
            for value in ctx.attempt((item, None) for item in given):
                before, again = ctx.hold(value)
                held += before
                kept.append(again)
            made = _percent(ctx, template, [kept[places[name]] for name in names], node)
            return hir.Let(made.type, held, made)
        case _:
            read = tree.Name("$mapping", tree.LOAD, node.right.span)
            names_of = (tree.Constant(name, node.right.span) for name in names)
            items = [tree.Subscript(read, name, tree.LOAD, node.right.span) for name in names_of]

            def filled() -> hir.Expr:
                return _percent(ctx, template, ctx.attempt((item, None) for item in items), node)

            return ctx.let({read.id: ctx.expr(node.right)}, filled)


def _directive(ctx: Context, found: re.Match[str], value: hir.Expr, at: int, node: tree.BinOp) -> tree.expr:
    """Return the field of an f-string that a directive stands for."""
    span, kind, flags = node.span, found["kind"], found["flags"]
    width, precision = found["width"], found["precision"]
    name: tree.expr = tree.Name(f"$value{at}", tree.LOAD, span)
    t = prune(value.type)
    conversion = {"s": ord("s"), "r": ord("r")}.get(kind, -1)
    align = "<" if "-" in flags else ">"
    if kind == "c" and t in (INT, BOOL):
        name = tree.Call(tree.Name("chr", tree.LOAD, span), (name,), (), span)
    if kind in "src":
        spec = (align if width else "") + width + (f".{precision or 0}" if precision is not None else "")
        if kind == "c" and not width:
            spec = ""
    elif kind in "diuxXoeEfFgG":
        parts = [prune(part) for part in (t.members if isinstance(t, Union) else (t,))]
        enums = [part for part in parts if isinstance(part, ClassType) and part.decl.enum == "int"]
        if not all(part in (INT, BOOL, FLOAT) or part in enums for part in parts):
            raise ctx.refuse(span, f"%{kind} format: a real number is required, not `{t}`")
        whole = kind in "diuxXo"
        if whole and t not in (INT, BOOL, *enums) and kind in "xXo":
            raise ctx.refuse(span, f"%{kind} format: an integer is required, not float")
        if whole and t is not INT:
            name = tree.Call(tree.Name("int", tree.LOAD, span), (name,), (), span)
        if not whole and t is not FLOAT:
            name = tree.Call(tree.Name("float", tree.LOAD, span), (name,), (), span)
        sign = "+" if "+" in flags else " " if " " in flags else ""
        fill = "<" if "-" in flags else "0" if "0" in flags and width else ""
        digits = f".{precision or 0}" if precision is not None else ""
        before = f"{sign}{'#' if '#' in flags else ''}{fill if fill == '0' else ''}"
        spec = f"{fill if fill == '<' else ''}{before}{width}{digits}{'d' if kind in 'iu' else kind}"
    else:
        raise ctx.later(span, f"`%{kind}` in a format", "write an f-string")
    return tree.FormattedValue(name, conversion, _spec(spec, span), span)


def _spec(text: str, span: Span) -> tree.JoinedStr | None:
    return tree.JoinedStr((tree.Constant(text, span),), span) if text else None


def format_call(ctx: Context, template: str, node: tree.Call) -> hir.Expr:
    """Return ``template.format(values)``."""
    if _has_star(node.args) or any(part.arg is None for part in node.keywords):
        return format_at_run_time(ctx, hir.Text(ctx.world.str_type, template), node)
    given = ctx.attempt([(arg, None) for arg in node.args] + [(part.value, None) for part in node.keywords])
    names = [f"$value{at}" for at in range(len(node.args))]
    names += [f"$value {part.arg}" for part in node.keywords]
    counter = iter(range(len(node.args) + 1))
    try:
        pieces = _fields(ctx, template, node, set(names), counter)
    except ValueError as error:
        raise ctx.refuse(node.func.span, str(error)) from None
    values = dict(zip(names, given, strict=True))
    return ctx.let(values, lambda: ctx.expr(tree.JoinedStr(tuple(pieces), node.span)))


def _fields(
    ctx: Context, template: str, node: tree.Call, names: set[str], counter: Iterator[int]
) -> list[tree.expr]:
    pieces: list[tree.expr] = []
    span = node.span
    for text, field, spec, conversion in string.Formatter().parse(template):
        pieces.append(tree.Constant(text, span))
        if field is None:
            continue
        root = re.split(r"[.\[]", field, maxsplit=1)[0]
        rest = field[len(root) :]
        if root == "":
            root = str(next(counter))
        name = f"$value{root}" if root.isdigit() else f"$value {root}"
        if name not in names:
            raise ctx.refuse(span, f"the template asks for `{root}`, which is not given")
        value: tree.expr = tree.Name(name, tree.LOAD, span)
        for attribute, key in re.findall(r"\.([^.\[]+)|\[([^\]]+)\]", rest):
            if attribute:
                value = tree.Attribute(value, attribute, tree.LOAD, span)
            else:
                index = tree.Constant(int(key) if key.isdigit() else key, span)
                value = tree.Subscript(value, index, tree.LOAD, span)
        inner = _fields(ctx, spec, node, names, counter) if spec else []
        kind = ord(conversion) if conversion else -1
        pieces.append(tree.FormattedValue(value, kind, tree.JoinedStr(tuple(inner), span) if inner else None, span))
    return pieces
