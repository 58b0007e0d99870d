"""Expressions turned into targets: `a, (b.c, *d) = ...` is parsed as an expression first.

In: an expression in Load context. Out: the same with Store or Del context, new nodes where the context is in a node.
Errors go to the reporter, and the expression stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from krait.syntax import tree

Reporter: TypeAlias = Callable[..., None]
"""Called as `report(message, span, label=..., hints=...)`."""

_NAMES: dict[type[tree.AST], str] = {
    tree.Attribute: "attribute",
    tree.Subscript: "subscript",
    tree.Starred: "starred",
    tree.Name: "name",
    tree.List: "list",
    tree.Tuple: "tuple",
    tree.Lambda: "lambda",
    tree.Call: "function call",
    tree.BoolOp: "expression",
    tree.BinOp: "expression",
    tree.UnaryOp: "expression",
    tree.GeneratorExp: "generator expression",
    tree.Yield: "yield expression",
    tree.YieldFrom: "yield expression",
    tree.ListComp: "list comprehension",
    tree.SetComp: "set comprehension",
    tree.DictComp: "dict comprehension",
    tree.Dict: "dict literal",
    tree.Set: "set display",
    tree.JoinedStr: "f-string expression",
    tree.FormattedValue: "f-string expression",
    tree.Compare: "comparison",
    tree.IfExp: "conditional expression",
    tree.NamedExpr: "named expression",
}


def describe(node: tree.expr) -> str:
    """What an expression is, in CPython's words: `function call`, `literal`, `True`."""
    if isinstance(node, tree.Constant):
        if node.value is None or node.value is True or node.value is False:
            return str(node.value)
        return "ellipsis" if node.value is ... else "literal"
    return _NAMES.get(type(node), "expression")


def store(node: tree.expr, report: Reporter, verb: str = "assign to", hint: str = "") -> tree.expr:
    """`node` as the target of an assignment, loop or `with`."""
    if type(node) is tree.Name:
        return tree.Name(node.id, tree.STORE, node.span)
    if type(node) is tree.Starred:
        report("a starred target must be in a list or tuple", node.span, hints=["add a comma: `*name, = ...`"])
        return node
    return _with_context(node, tree.STORE, report, verb, hint)


def delete(node: tree.expr, report: Reporter) -> tree.expr:
    """`node` as the target of `del`."""
    return _with_context(node, tree.DEL, report, "delete", "")


def _with_context(node: tree.expr, ctx: tree.expr_context, report: Reporter, verb: str, hint: str) -> tree.expr:
    match node:
        case tree.Name():
            return tree.Name(node.id, ctx, node.span)
        case tree.Attribute():
            return tree.Attribute(node.value, node.attr, ctx, node.span)
        case tree.Subscript():
            return tree.Subscript(node.value, node.slice, ctx, node.span)
        case tree.Tuple() | tree.List():
            starred = [item for item in node.elts if isinstance(item, tree.Starred)]
            if len(starred) > 1 and ctx is tree.STORE:
                report("more than one starred target in an assignment", starred[1].span)
            elts = tuple(_with_context(item, ctx, report, verb, hint) for item in node.elts)
            return type(node)(elts, ctx, node.span)
        case tree.Starred() if ctx is tree.STORE and not isinstance(node.value, tree.Starred):
            return tree.Starred(_with_context(node.value, ctx, report, verb, hint), ctx, node.span)
    report(f"cannot {verb} {describe(node)}", node.span, hints=[hint] if hint else [])
    return node


def single(node: tree.expr, report: Reporter, what: str) -> tree.Name | tree.Attribute | tree.Subscript | None:
    """`node` as the target of an augmented or annotated assignment, None (and reported) if it cannot be one."""
    match node:
        case tree.Name():
            return tree.Name(node.id, tree.STORE, node.span)
        case tree.Attribute():
            return tree.Attribute(node.value, node.attr, tree.STORE, node.span)
        case tree.Subscript():
            return tree.Subscript(node.value, node.slice, tree.STORE, node.span)
    report(f"{describe(node)} cannot be the target of {what}", node.span,
           hints=["write one name, attribute or subscript"])
    return None
