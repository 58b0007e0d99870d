"""Methods of `str`, bytes and tuples whose arguments decide what they are: a tuple of prefixes, a table, a template.

In: a checked receiver and call syntax. Out: the call, or None for calls that need nothing of the kind.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.byteslike import byte_kind
from krait.check.coerce import adapt, coerce, member_value, to_int
from krait.check.context import Context
from krait.check.globals import only_assignment
from krait.check.invoke import invoke
from krait.check.late_templates import format_at_run_time
from krait.check.tuples import is_tuple, is_vector, plain_tuple
from krait.check.types import BOOL, INT, ClassType, GlobalVar, Optional, Type, Union, optional, prune
from krait.diagnostics import Span
from krait.syntax import tree

_TEXT = "$text"


def literal_text(ctx: Context, node: tree.expr) -> str | None:
    """Return the text that an expression is: a literal, or a variable of a module that is never anything else."""
    match node:
        case tree.Constant(value=str(text)):
            return text
        case tree.Name(id=name) if name not in ctx.scope:
            symbol = ctx.lookup(name)
            if isinstance(symbol, GlobalVar) and name not in symbol.module.reassigned:
                assigned = only_assignment(symbol)
                if assigned is not None and isinstance(assigned.value, tree.Constant):
                    value = assigned.value.value
                    return value if isinstance(value, str) else None
    return None


def text_method(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """Return a call whose first argument is a tuple, or a table; None for other calls."""
    t = prune(receiver.type)
    is_text = t == ctx.world.str_type
    if func.attr in ("startswith", "endswith") and (is_text or byte_kind(t)) and node.args:
        return _with_any(ctx, receiver, node, func)
    if func.attr == "format" and is_text:
        return format_at_run_time(ctx, receiver, node)
    if func.attr == "format_map" and is_text and len(node.args) == 1:
        mapping = tree.keyword(None, node.args[0], node.span)
        return format_at_run_time(ctx, receiver, tree.Call(func, (), (mapping,), node.span))
    if func.attr == "translate" and is_text and len(node.args) == 1:
        return _translated(ctx, receiver, node.args[0], node.span)
    plain = prune(plain_tuple(receiver).type)
    if func.attr in ("index", "count") and isinstance(plain, ClassType) and is_tuple(plain.decl):
        item = plain.args[0] if plain.args else INT
        fitted = adapt(ctx, receiver, ctx.world.vector_type(item))
        if fitted is not None:
            values = [(coerce(ctx, ctx.expr(arg), INT if at else item, arg.span), arg.span)
                      for at, arg in enumerate(node.args)]  # fmt: skip
            values += [(hir.Const(INT, bound), node.span) for bound in (0, 2**63 - 1)[len(values) - 1 :]]
            return invoke(ctx, fitted, func.attr, values[: 3 if func.attr == "index" else 1], node.span)
    return None


def as_number(ctx: Context, receiver: hir.Expr, name: str) -> hir.Expr:
    """Return a bool as the int that it is, and a member of an enum of ints or texts as what it is, if they are asked
    for something that only that has.
    """
    t = prune(receiver.type)
    if t is BOOL and ctx.world.find_method(BOOL, name) is None:
        return to_int(receiver)
    plain = member_value(ctx, receiver)
    if plain is receiver or not isinstance(t, ClassType) or name in t.decl.variables or name in ("name", "value"):
        return receiver
    is_its_own = ctx.world.find_method(t, name) is not None or ctx.world.find_method(plain.type, name) is None
    return receiver if is_its_own else plain


def _with_any(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """``text.startswith((a, b), …)``: one prefix after the other."""
    given = node.args[0]
    if not isinstance(given, tree.Tuple | tree.Name | tree.Attribute):
        return None
    if not isinstance(given, tree.Tuple):
        with ctx.world.silence():
            t = prune(ctx.expr(given).type)
        if not isinstance(t, ClassType) or not (is_tuple(t.decl) or is_vector(t.decl)):
            return None
    name = tree.Attribute(tree.Name(_TEXT, tree.LOAD, func.span), func.attr, tree.LOAD, func.span)
    each = tree.Name("$each", tree.LOAD, node.span)
    test = tree.Call(name, (each, *node.args[1:]), (), node.span)
    source = tree.comprehension(tree.Name("$each", tree.STORE, node.span), given, (), node.span)
    found = tree.Call(
        tree.Name("any", tree.LOAD, node.span), (tree.GeneratorExp(test, (source,), node.span),), (), node.span
    )
    is_empty = isinstance(given, tree.Tuple) and not given.elts
    return ctx.let({_TEXT: receiver}, lambda: hir.Const(BOOL, False) if is_empty else ctx.expr(found))


# --- tables --------------------------------------------------------------------------------------------------------


def _translated(ctx: Context, receiver: hir.Expr, table: tree.expr, span: Span) -> hir.Expr:
    """``text.translate(table)``: the table as one of texts, None for what is left out."""
    text = ctx.world.str_type
    value = ctx.expr(table)
    t = prune(value.type)
    wanted = ctx.world.dict_type(INT, optional(text))
    if isinstance(t, ClassType) and t.decl is wanted.decl and prune(t.args[0]) is INT and t != wanted:
        names = [tree.Name(name, tree.LOAD, span) for name in ("$key", "$value")]
        target = tree.Tuple(tuple(tree.Name(name.id, tree.STORE, span) for name in names), tree.STORE, span)
        items = tree.Call(
            tree.Attribute(tree.Name("$table", tree.LOAD, span), "items", tree.LOAD, span), (), (), span
        )
        source = tree.comprehension(target, items, (), span)
        pieces = tree.DictComp(names[0], _piece(names[1], t.args[1], span), (source,), span)
        value = ctx.let({"$table": value}, lambda: ctx.expr(pieces, wanted))
    fitted = coerce(ctx, value, wanted, span)
    return ctx.library("krait.tables", "translated", [receiver, fitted], text, span)


def _piece(value: tree.expr, t: Type, span: Span) -> tree.expr:
    """Return the text that an entry of a table stands for."""
    t = prune(t)
    if isinstance(t, Optional):
        test = tree.Compare(value, (tree.IS,), (tree.Constant(None, span),), span)
        return tree.IfExp(test, tree.Constant(None, span), _piece(value, t.inner, span), span)
    point = tree.Call(tree.Name("chr", tree.LOAD, span), (value,), (), span)
    if isinstance(t, Union):
        kind = tree.Name("int", tree.LOAD, span)
        test_int = tree.Call(tree.Name("isinstance", tree.LOAD, span), (value, kind), (), span)
        return tree.IfExp(test_int, point, value, span)
    return point if t is INT else value


def make_table(ctx: Context, node: tree.Call) -> hir.Expr:
    """``str.maketrans(…)``."""
    text, span = ctx.world.str_type, node.span
    if len(node.args) == 1:
        value = ctx.expr(node.args[0])
        t = prune(value.type)
        made = ctx.world.dict_type(text, t.args[1] if isinstance(t, ClassType) and len(t.args) == 2 else text)
        if isinstance(t, ClassType) and t == ctx.world.dict_type(INT, made.args[1]):
            return invoke(ctx, value, "copy", [], span)
        fitted = coerce(ctx, value, made, span)
        result = ctx.world.dict_type(INT, made.args[1])
        return ctx.library("krait.tables", "table_of_keys", [fitted], result, span, made.args[1])
    values = [coerce(ctx, ctx.expr(arg), text, arg.span) for arg in node.args]
    if len(values) == 2:
        return ctx.library("krait.tables", "table_of_texts", values, ctx.world.dict_type(INT, INT), span)
    if len(values) != 3 or node.keywords:
        raise ctx.refuse(span, "`str.maketrans` takes one to three arguments")
    return ctx.library("krait.tables", "table_with_deletions", values, ctx.world.dict_type(INT, optional(INT)), span)


__all__ = ["as_number", "literal_text", "make_table", "text_method"]
