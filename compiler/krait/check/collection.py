"""What the classes of `collections` do by what they are given: counting a dict or items, which end an entry leaves.

In: calls of their constructors and methods. Out: calls of the methods of `stdlib/collections.kr` for each case.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import gather
from krait.check.conditions import truth
from krait.check.context import Context
from krait.check.invoke import invoke
from krait.check.mappings import is_dict
from krait.check.types import INT, ClassDecl, ClassType, FunctionDecl, Intrinsic, prune
from krait.syntax import tree


def counted(ctx: Context, decl: ClassDecl, node: tree.Call) -> tuple[tree.Call, tree.expr | None]:
    """Return how a counter is made, and what it counts afterwards: of keyword arguments, a dict."""
    if ctx.module.library or not _is(decl, "Counter") or not (node.args or node.keywords):
        return node, None
    if len(node.args) + bool(node.keywords) > 1:
        raise ctx.refuse(node.span, "`Counter` takes one thing to count, or keyword arguments")
    source = node.args[0] if node.args else tree.Call(
        tree.Name("dict", tree.LOAD, node.span), (), node.keywords, node.span
    )
    return tree.Call(node.func, (), (), node.span), source


def count(ctx: Context, counter: hir.Expr, source: tree.expr) -> hir.Expr:
    """Return a counter that has counted what an expression gives."""
    held, kept = ctx.hold(counter)
    held.append(hir.Evaluate(ctx.line, _given(ctx, kept, source, "update", "_count")))
    return hir.Let(counter.type, held, kept)


def with_factory(ctx: Context, decl: ClassDecl, node: tree.Call) -> tree.Call:
    """Return how a ``defaultdict`` is made: with the text of what makes its values."""
    if ctx.module.library or not _is(decl, "defaultdict"):
        return node
    args = list(node.args)
    keywords = tuple(keyword for keyword in node.keywords if keyword.arg not in ("default_factory", "items"))
    if keywords:
        if len(args) > 1:
            raise ctx.later(node.span, "a `defaultdict` of a dict and keyword arguments", "call `update`")
        args.append(tree.Call(tree.Name("dict", tree.LOAD, node.span), (), keywords, node.span))
    shown = tree.keyword("shown_", tree.Constant(_shown(ctx, args[0] if args else None), node.span), node.span)
    return tree.Call(node.func, tuple(args), (shown,), node.span)


def _shown(ctx: Context, factory: tree.expr | None) -> str:
    """Return the text that CPython shows for a function without arguments; addresses are none of CPython's."""
    if factory is None or (isinstance(factory, tree.Constant) and factory.value is None):
        return "None"
    symbol = ctx.lookup(factory.id) if isinstance(factory, tree.Name) and factory.id not in ctx.scope else None
    if isinstance(symbol, Intrinsic):
        return f"<class '{symbol.name}'>"
    if isinstance(symbol, ClassDecl):
        module = "" if symbol.module.name.startswith("krait.") else f"{symbol.module.name}."
        return f"<class '{'__main__.' if symbol.module.is_main else module}{symbol.name}'>"
    name = symbol.name if isinstance(symbol, FunctionDecl) else "<lambda>"
    return f"<function {name} at 0x000000000000>"


def collection_method(ctx: Context, receiver: hir.Expr, node: tree.Call, func: tree.Attribute) -> hir.Expr | None:
    """Return a call of a method whose meaning depends on its arguments; None for other calls."""
    t = prune(receiver.type)
    if ctx.module.library or not isinstance(t, ClassType):
        return None
    if _is(t.decl, "Counter") and func.attr in ("update", "subtract") and (node.args or node.keywords):
        if len(node.args) + bool(node.keywords) > 1:
            raise ctx.refuse(node.span, f"`{func.attr}` takes one thing to count, or keyword arguments")
        _, source = counted(ctx, t.decl, node)
        assert source is not None
        names = ("update", "_count") if func.attr == "update" else ("_subtract", "_subtract_items")
        return _given(ctx, receiver, source, *names)
    if _is(t.decl, "OrderedDict") and func.attr == "popitem" and (node.args or node.keywords):
        values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "last")]
        if len(values) != 1 or len(node.args) + len(node.keywords) > 1:
            raise ctx.refuse(node.span, "`popitem` takes `last`")
        last = truth(ctx, ctx.expr(values[0]), values[0].span)
        return invoke(ctx, receiver, "_popitem_from", [(last, values[0].span)], node.span)
    return None


def _given(ctx: Context, receiver: hir.Expr, source: tree.expr, of_dict: str, of_items: str) -> hir.Expr:
    held, kept = ctx.hold(receiver)
    items, _ = gather(ctx, source, source.span, None, (ctx.world.dict_type(INT, INT).decl,))
    made = invoke(ctx, kept, of_dict if is_dict(ctx, items.type) else of_items, [(items, source.span)], source.span)
    return hir.Let(made.type, held, made) if held else made


def _is(decl: ClassDecl, name: str) -> bool:
    return decl.name == name and decl.module.name == "collections" and decl.module.library


__all__ = ["collection_method", "count", "counted", "with_factory"]
