"""The abstract syntax tree of Krait.

In: nothing (the parser builds these nodes). Out: one class per node of CPython 3.12's ``ast`` module, with the same
class names, field names and field order, so that whoever knows ``ast`` knows this tree.

The differences from ``ast``, all of them:

* every node but the operators and contexts has a last field ``span`` (of :class:`krait.diagnostics.Span`);
* sequences are tuples, and nodes are not meant to be changed (type checkers refuse it);
* nodes compare and hash by identity, so that they can be keys of the checker's side tables;
* operators and contexts are singletons (``ADD is ADD``) and carry no span;
* ``type_comment``, ``type_ignores`` and ``Constant.kind`` do not exist (Krait ignores type comments), and there is no
  ``Await``, no ``Async…`` node and no ``comprehension.is_async``.

Invariant: a tree that the parser hands out is complete (no missing children, no error nodes), and its depth is bounded
(``svm.limits`` has the limits), so that recursive walkers cannot overflow.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from types import EllipsisType

from krait.diagnostics import Span
from krait.syntax.base import AST as AST
from krait.syntax.base import excepthandler as excepthandler
from krait.syntax.base import expr as expr
from krait.syntax.base import mod as mod
from krait.syntax.base import node
from krait.syntax.base import pattern as pattern
from krait.syntax.base import stmt as stmt
from krait.syntax.base import type_param as type_param
from krait.syntax.symbols import *  # noqa: F403  -- the contexts and operators are part of the tree
from krait.syntax.symbols import boolop, cmpop, expr_context, operator, unaryop

_Node = typing.TypeVar("_Node", bound=AST)

ConstantValue: typing.TypeAlias = "str | bytes | int | float | complex | bool | EllipsisType | None"
"""What a Constant holds. An ``int`` is not bounded here: the checker refuses what does not fit."""

PatternNode: typing.TypeAlias = pattern
"""The class ``pattern``, for the classes whose field has that name."""


# --- the module ----------------------------------------------------------------------------------------------------


@node
class Module(mod):
    """A source file."""
    body: tuple[stmt, ...]
    span: Span


# --- statements ----------------------------------------------------------------------------------------------------


@node
class FunctionDef(stmt):
    """``def``."""
    name: str
    args: arguments
    body: tuple[stmt, ...]
    decorator_list: tuple[expr, ...]
    returns: expr | None
    type_params: tuple[type_param, ...]
    span: Span


@node
class ClassDef(stmt):
    """``class``."""
    name: str
    bases: tuple[expr, ...]
    keywords: tuple[keyword, ...]
    body: tuple[stmt, ...]
    decorator_list: tuple[expr, ...]
    type_params: tuple[type_param, ...]
    span: Span


@node
class Return(stmt):
    """``return``."""
    value: expr | None
    span: Span


@node
class Delete(stmt):
    """``del``."""
    targets: tuple[expr, ...]
    span: Span


@node
class Assign(stmt):
    """``a = b = value``."""
    targets: tuple[expr, ...]
    value: expr
    span: Span


@node
class TypeAlias(stmt):
    """``type name[type_params] = value``."""
    name: Name
    type_params: tuple[type_param, ...]
    value: expr
    span: Span


@node
class AugAssign(stmt):
    """``target op= value``."""
    target: Name | Attribute | Subscript
    op: operator
    value: expr
    span: Span


@node
class AnnAssign(stmt):
    """``target: annotation = value``; ``simple`` is 1 for a name without parentheses, else 0."""
    target: Name | Attribute | Subscript
    annotation: expr
    value: expr | None
    simple: int
    span: Span


@node
class For(stmt):
    """``for``."""
    target: expr
    iter: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@node
class While(stmt):
    """``while``."""
    test: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@node
class If(stmt):
    """``if``; an ``elif`` is an If alone in ``orelse``."""
    test: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@node
class With(stmt):
    """``with``."""
    items: tuple[withitem, ...]
    body: tuple[stmt, ...]
    span: Span


@node
class Match(stmt):
    """``match``."""
    subject: expr
    cases: tuple[match_case, ...]
    span: Span


@node
class Raise(stmt):
    """``raise exc from cause``."""
    exc: expr | None
    cause: expr | None
    span: Span


@node
class Try(stmt):
    """``try`` with ``except``."""
    body: tuple[stmt, ...]
    handlers: tuple[ExceptHandler, ...]
    orelse: tuple[stmt, ...]
    finalbody: tuple[stmt, ...]
    span: Span


@node
class TryStar(stmt):
    """``try`` with ``except*``."""
    body: tuple[stmt, ...]
    handlers: tuple[ExceptHandler, ...]
    orelse: tuple[stmt, ...]
    finalbody: tuple[stmt, ...]
    span: Span


@node
class Assert(stmt):
    """``assert test, msg``."""
    test: expr
    msg: expr | None
    span: Span


@node
class Import(stmt):
    """``import``."""
    names: tuple[alias, ...]
    span: Span


@node
class ImportFrom(stmt):
    """``from module import names``; ``level`` counts the leading dots."""
    module: str | None
    names: tuple[alias, ...]
    level: int
    span: Span


@node
class Global(stmt):
    """``global``."""
    names: tuple[str, ...]
    span: Span


@node
class Nonlocal(stmt):
    """``nonlocal``."""
    names: tuple[str, ...]
    span: Span


@node
class Expr(stmt):
    """An expression as a statement."""
    value: expr
    span: Span


@node
class Pass(stmt):
    """``pass``."""
    span: Span


@node
class Break(stmt):
    """``break``."""
    span: Span


@node
class Continue(stmt):
    """``continue``."""
    span: Span


# --- expressions ---------------------------------------------------------------------------------------------------


@node
class BoolOp(expr):
    """``a and b and c``."""
    op: boolop
    values: tuple[expr, ...]
    span: Span


@node
class NamedExpr(expr):
    """``target := value``."""
    target: Name
    value: expr
    span: Span


@node
class BinOp(expr):
    """``left op right``."""
    left: expr
    op: operator
    right: expr
    span: Span


@node
class UnaryOp(expr):
    """``op operand``."""
    op: unaryop
    operand: expr
    span: Span


@node
class Lambda(expr):
    """``lambda args: body``."""
    args: arguments
    body: expr
    span: Span


@node
class IfExp(expr):
    """``body if test else orelse``."""
    test: expr
    body: expr
    orelse: expr
    span: Span


@node
class Dict(expr):
    """``{key: value}``; the key of ``**mapping`` is None."""
    keys: tuple[expr | None, ...]
    values: tuple[expr, ...]
    span: Span


@node
class Set(expr):
    """``{a, b}``."""
    elts: tuple[expr, ...]
    span: Span


@node
class ListComp(expr):
    """``[elt for …]``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@node
class SetComp(expr):
    """``{elt for …}``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@node
class DictComp(expr):
    """``{key: value for …}``."""
    key: expr
    value: expr
    generators: tuple[comprehension, ...]
    span: Span


@node
class GeneratorExp(expr):
    """``(elt for …)``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@node
class Yield(expr):
    """``yield value``."""
    value: expr | None
    span: Span


@node
class YieldFrom(expr):
    """``yield from value``."""
    value: expr
    span: Span


@node
class Compare(expr):
    """``left op a op b``: as many ``ops`` as ``comparators``."""
    left: expr
    ops: tuple[cmpop, ...]
    comparators: tuple[expr, ...]
    span: Span


@node
class Call(expr):
    """``func(args, keywords)``."""
    func: expr
    args: tuple[expr, ...]
    keywords: tuple[keyword, ...]
    span: Span


@node
class FormattedValue(expr):
    """A field of an f-string; ``conversion`` is -1 or the code of ``s``, ``r`` or ``a``."""
    value: expr
    conversion: int
    format_spec: JoinedStr | None
    span: Span


@node
class JoinedStr(expr):
    """An f-string: Constants of text and FormattedValues."""
    values: tuple[expr, ...]
    span: Span


@node
class Constant(expr):
    """A literal."""
    value: ConstantValue
    span: Span


@node
class Attribute(expr):
    """``value.attr``."""
    value: expr
    attr: str
    ctx: expr_context
    span: Span


@node
class Subscript(expr):
    """``value[slice]``."""
    value: expr
    slice: expr
    ctx: expr_context
    span: Span


@node
class Starred(expr):
    """``*value``."""
    value: expr
    ctx: expr_context
    span: Span


@node
class Name(expr):
    """A name."""
    id: str
    ctx: expr_context
    span: Span


@node
class List(expr):
    """``[a, b]``."""
    elts: tuple[expr, ...]
    ctx: expr_context
    span: Span


@node
class Tuple(expr):
    """``a, b`` with or without parentheses."""
    elts: tuple[expr, ...]
    ctx: expr_context
    span: Span


@node
class Slice(expr):
    """``lower:upper:step``, only inside a Subscript."""
    lower: expr | None
    upper: expr | None
    step: expr | None
    span: Span


# --- parts of statements and expressions ---------------------------------------------------------------------------


@node
class comprehension(AST):
    """``for target in iter if …``."""
    target: expr
    iter: expr
    ifs: tuple[expr, ...]
    span: Span


@node
class ExceptHandler(excepthandler):
    """``except type as name:``."""
    type: expr | None
    name: str | None
    body: tuple[stmt, ...]
    span: Span


@node
class arguments(AST):
    """Parameters; ``defaults`` belong to the last of posonlyargs + args, ``kw_defaults`` to each of kwonlyargs."""
    posonlyargs: tuple[arg, ...]
    args: tuple[arg, ...]
    vararg: arg | None
    kwonlyargs: tuple[arg, ...]
    kw_defaults: tuple[expr | None, ...]
    kwarg: arg | None
    defaults: tuple[expr, ...]
    span: Span


@node
class arg(AST):
    """One parameter."""
    arg: str
    annotation: expr | None
    span: Span


@node
class keyword(AST):
    """``arg=value`` of a call or class; ``arg`` is None for ``**value``."""
    arg: str | None
    value: expr
    span: Span


@node
class alias(AST):
    """``name as asname`` of an import."""
    name: str
    asname: str | None
    span: Span


@node
class withitem(AST):
    """``context_expr as optional_vars``."""
    context_expr: expr
    optional_vars: expr | None
    span: Span


@node
class match_case(AST):
    """``case pattern if guard:``."""
    pattern: PatternNode
    guard: expr | None
    body: tuple[stmt, ...]
    span: Span


# --- patterns ------------------------------------------------------------------------------------------------------


@node
class MatchValue(pattern):
    """A literal or dotted name, compared by ``==``."""
    value: expr
    span: Span


@node
class MatchSingleton(pattern):
    """``None``, ``True`` or ``False``, compared by ``is``."""
    value: bool | None
    span: Span


@node
class MatchSequence(pattern):
    """``[a, b]``."""
    patterns: tuple[pattern, ...]
    span: Span


@node
class MatchMapping(pattern):
    """``{key: pattern, **rest}``."""
    keys: tuple[expr, ...]
    patterns: tuple[pattern, ...]
    rest: str | None
    span: Span


@node
class MatchClass(pattern):
    """``cls(patterns, kwd_attrs=kwd_patterns)``."""
    cls: expr
    patterns: tuple[pattern, ...]
    kwd_attrs: tuple[str, ...]
    kwd_patterns: tuple[pattern, ...]
    span: Span


@node
class MatchStar(pattern):
    """``*name``; None for ``*_``."""
    name: str | None
    span: Span


@node
class MatchAs(pattern):
    """``pattern as name``; both None for ``_``."""
    pattern: PatternNode | None
    name: str | None
    span: Span


@node
class MatchOr(pattern):
    """``a | b``."""
    patterns: tuple[pattern, ...]
    span: Span


# --- type parameters -----------------------------------------------------------------------------------------------


@node
class TypeVar(type_param):
    """``T: bound``."""
    name: str
    bound: expr | None
    span: Span


@node
class ParamSpec(type_param):
    """``**P``."""
    name: str
    span: Span


@node
class TypeVarTuple(type_param):
    """``*Ts``."""
    name: str
    span: Span


def iter_child_nodes(parent: AST) -> Iterator[AST]:
    """The direct children of ``parent`` that are nodes with a span, in field order."""
    for name in parent._children:
        value = getattr(parent, name)
        if type(value) is not tuple:
            if value is not None:
                yield value
        elif None in value:
            yield from (item for item in value if item is not None)
        else:
            yield from value


def walk(root: AST) -> Iterator[AST]:
    """``root`` and all nodes below it, parents before their children; not recursive."""
    pending = [root]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(iter_child_nodes(current))


def rebuilt(parent: _Node, change: Callable[[AST], AST | Sequence[AST]]) -> _Node:
    """``parent`` with other children: what ``change`` gives for each; of those in a sequence, none, one or several.

    The node itself, if it gives all of them back.
    """
    values: list[object] = []
    same = True
    for name in parent._fields:
        value = getattr(parent, name)
        if name in parent._children and type(value) is tuple:
            found: list[object] = []
            for item in value:
                made = None if item is None else change(item)
                found += made if isinstance(made, Sequence) else (made,)
            same = same and len(found) == len(value) and all(map(is_, found, value))
            value = tuple(found)
        elif name in parent._children and value is not None:
            made = change(value)
            (only,) = made if isinstance(made, Sequence) else (made,)
            same, value = same and only is value, only
        values.append(value)
    return parent if same else type(parent)(*values, parent.span)  # type: ignore[call-arg]  # it has one
