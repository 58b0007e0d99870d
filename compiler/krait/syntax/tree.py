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
(``krait.syntax.lexer`` and ``krait.syntax.parser`` hold the limits), so that recursive walkers cannot overflow.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from types import EllipsisType
from typing import Any, ClassVar, cast

from krait.diagnostics import Span
from krait.syntax.symbols import *  # noqa: F403  -- the contexts and operators are part of the tree
from krait.syntax.symbols import boolop, cmpop, expr_context, operator, unaryop

_C = typing.TypeVar("_C", bound="type[Any]")


class AST:
    """Root of all nodes. ``_fields`` names the children in order, without ``span``."""
    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    span: Span


@typing.dataclass_transform(eq_default=False, frozen_default=True)
def _node(cls: _C) -> _C:
    """Make a node class: slots, no ``__eq__``; frozen for type checkers alone, for speed."""
    made = cast(_C, dataclass(slots=True, eq=False)(cls))
    made._fields = tuple(field.name for field in fields(made) if field.name != "span")
    return made


# --- abstract classes, as in ast ---------------------------------------------------------------------------------


class mod(AST):
    """A whole source."""
    __slots__ = ()


class stmt(AST):
    """A statement."""
    __slots__ = ()


class expr(AST):
    """An expression."""
    __slots__ = ()


class pattern(AST):
    """A pattern of a ``case``."""
    __slots__ = ()


class type_param(AST):
    """A type parameter of a function, class or type alias (PEP 695)."""
    __slots__ = ()


class excepthandler(AST):
    """A handler of a ``try``."""
    __slots__ = ()


ConstantValue: typing.TypeAlias = "str | bytes | int | float | complex | bool | EllipsisType | None"
"""What a Constant holds. An ``int`` is not bounded here: the checker refuses what does not fit."""

PatternNode: typing.TypeAlias = pattern
"""The class ``pattern``, for the classes whose field has that name."""


# --- the module ----------------------------------------------------------------------------------------------------


@_node
class Module(mod):
    """A source file."""
    body: tuple[stmt, ...]
    span: Span


# --- statements ----------------------------------------------------------------------------------------------------


@_node
class FunctionDef(stmt):
    """``def``."""
    name: str
    args: arguments
    body: tuple[stmt, ...]
    decorator_list: tuple[expr, ...]
    returns: expr | None
    type_params: tuple[type_param, ...]
    span: Span


@_node
class ClassDef(stmt):
    """``class``."""
    name: str
    bases: tuple[expr, ...]
    keywords: tuple[keyword, ...]
    body: tuple[stmt, ...]
    decorator_list: tuple[expr, ...]
    type_params: tuple[type_param, ...]
    span: Span


@_node
class Return(stmt):
    """``return``."""
    value: expr | None
    span: Span


@_node
class Delete(stmt):
    """``del``."""
    targets: tuple[expr, ...]
    span: Span


@_node
class Assign(stmt):
    """``a = b = value``."""
    targets: tuple[expr, ...]
    value: expr
    span: Span


@_node
class TypeAlias(stmt):
    """``type name[type_params] = value``."""
    name: Name
    type_params: tuple[type_param, ...]
    value: expr
    span: Span


@_node
class AugAssign(stmt):
    """``target op= value``."""
    target: Name | Attribute | Subscript
    op: operator
    value: expr
    span: Span


@_node
class AnnAssign(stmt):
    """``target: annotation = value``; ``simple`` is 1 for a name without parentheses, else 0."""
    target: Name | Attribute | Subscript
    annotation: expr
    value: expr | None
    simple: int
    span: Span


@_node
class For(stmt):
    """``for``."""
    target: expr
    iter: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@_node
class While(stmt):
    """``while``."""
    test: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@_node
class If(stmt):
    """``if``; an ``elif`` is an If alone in ``orelse``."""
    test: expr
    body: tuple[stmt, ...]
    orelse: tuple[stmt, ...]
    span: Span


@_node
class With(stmt):
    """``with``."""
    items: tuple[withitem, ...]
    body: tuple[stmt, ...]
    span: Span


@_node
class Match(stmt):
    """``match``."""
    subject: expr
    cases: tuple[match_case, ...]
    span: Span


@_node
class Raise(stmt):
    """``raise exc from cause``."""
    exc: expr | None
    cause: expr | None
    span: Span


@_node
class Try(stmt):
    """``try`` with ``except``."""
    body: tuple[stmt, ...]
    handlers: tuple[ExceptHandler, ...]
    orelse: tuple[stmt, ...]
    finalbody: tuple[stmt, ...]
    span: Span


@_node
class TryStar(stmt):
    """``try`` with ``except*``."""
    body: tuple[stmt, ...]
    handlers: tuple[ExceptHandler, ...]
    orelse: tuple[stmt, ...]
    finalbody: tuple[stmt, ...]
    span: Span


@_node
class Assert(stmt):
    """``assert test, msg``."""
    test: expr
    msg: expr | None
    span: Span


@_node
class Import(stmt):
    """``import``."""
    names: tuple[alias, ...]
    span: Span


@_node
class ImportFrom(stmt):
    """``from module import names``; ``level`` counts the leading dots."""
    module: str | None
    names: tuple[alias, ...]
    level: int
    span: Span


@_node
class Global(stmt):
    """``global``."""
    names: tuple[str, ...]
    span: Span


@_node
class Nonlocal(stmt):
    """``nonlocal``."""
    names: tuple[str, ...]
    span: Span


@_node
class Expr(stmt):
    """An expression as a statement."""
    value: expr
    span: Span


@_node
class Pass(stmt):
    """``pass``."""
    span: Span


@_node
class Break(stmt):
    """``break``."""
    span: Span


@_node
class Continue(stmt):
    """``continue``."""
    span: Span


# --- expressions ---------------------------------------------------------------------------------------------------


@_node
class BoolOp(expr):
    """``a and b and c``."""
    op: boolop
    values: tuple[expr, ...]
    span: Span


@_node
class NamedExpr(expr):
    """``target := value``."""
    target: Name
    value: expr
    span: Span


@_node
class BinOp(expr):
    """``left op right``."""
    left: expr
    op: operator
    right: expr
    span: Span


@_node
class UnaryOp(expr):
    """``op operand``."""
    op: unaryop
    operand: expr
    span: Span


@_node
class Lambda(expr):
    """``lambda args: body``."""
    args: arguments
    body: expr
    span: Span


@_node
class IfExp(expr):
    """``body if test else orelse``."""
    test: expr
    body: expr
    orelse: expr
    span: Span


@_node
class Dict(expr):
    """``{key: value}``; the key of ``**mapping`` is None."""
    keys: tuple[expr | None, ...]
    values: tuple[expr, ...]
    span: Span


@_node
class Set(expr):
    """``{a, b}``."""
    elts: tuple[expr, ...]
    span: Span


@_node
class ListComp(expr):
    """``[elt for …]``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@_node
class SetComp(expr):
    """``{elt for …}``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@_node
class DictComp(expr):
    """``{key: value for …}``."""
    key: expr
    value: expr
    generators: tuple[comprehension, ...]
    span: Span


@_node
class GeneratorExp(expr):
    """``(elt for …)``."""
    elt: expr
    generators: tuple[comprehension, ...]
    span: Span


@_node
class Yield(expr):
    """``yield value``."""
    value: expr | None
    span: Span


@_node
class YieldFrom(expr):
    """``yield from value``."""
    value: expr
    span: Span


@_node
class Compare(expr):
    """``left op a op b``: as many ``ops`` as ``comparators``."""
    left: expr
    ops: tuple[cmpop, ...]
    comparators: tuple[expr, ...]
    span: Span


@_node
class Call(expr):
    """``func(args, keywords)``."""
    func: expr
    args: tuple[expr, ...]
    keywords: tuple[keyword, ...]
    span: Span


@_node
class FormattedValue(expr):
    """A field of an f-string; ``conversion`` is -1 or the code of ``s``, ``r`` or ``a``."""
    value: expr
    conversion: int
    format_spec: JoinedStr | None
    span: Span


@_node
class JoinedStr(expr):
    """An f-string: Constants of text and FormattedValues."""
    values: tuple[expr, ...]
    span: Span


@_node
class Constant(expr):
    """A literal."""
    value: ConstantValue
    span: Span


@_node
class Attribute(expr):
    """``value.attr``."""
    value: expr
    attr: str
    ctx: expr_context
    span: Span


@_node
class Subscript(expr):
    """``value[slice]``."""
    value: expr
    slice: expr
    ctx: expr_context
    span: Span


@_node
class Starred(expr):
    """``*value``."""
    value: expr
    ctx: expr_context
    span: Span


@_node
class Name(expr):
    """A name."""
    id: str
    ctx: expr_context
    span: Span


@_node
class List(expr):
    """``[a, b]``."""
    elts: tuple[expr, ...]
    ctx: expr_context
    span: Span


@_node
class Tuple(expr):
    """``a, b`` with or without parentheses."""
    elts: tuple[expr, ...]
    ctx: expr_context
    span: Span


@_node
class Slice(expr):
    """``lower:upper:step``, only inside a Subscript."""
    lower: expr | None
    upper: expr | None
    step: expr | None
    span: Span


# --- parts of statements and expressions ---------------------------------------------------------------------------


@_node
class comprehension(AST):
    """``for target in iter if …``."""
    target: expr
    iter: expr
    ifs: tuple[expr, ...]
    span: Span


@_node
class ExceptHandler(excepthandler):
    """``except type as name:``."""
    type: expr | None
    name: str | None
    body: tuple[stmt, ...]
    span: Span


@_node
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


@_node
class arg(AST):
    """One parameter."""
    arg: str
    annotation: expr | None
    span: Span


@_node
class keyword(AST):
    """``arg=value`` of a call or class; ``arg`` is None for ``**value``."""
    arg: str | None
    value: expr
    span: Span


@_node
class alias(AST):
    """``name as asname`` of an import."""
    name: str
    asname: str | None
    span: Span


@_node
class withitem(AST):
    """``context_expr as optional_vars``."""
    context_expr: expr
    optional_vars: expr | None
    span: Span


@_node
class match_case(AST):
    """``case pattern if guard:``."""
    pattern: PatternNode
    guard: expr | None
    body: tuple[stmt, ...]
    span: Span


# --- patterns ------------------------------------------------------------------------------------------------------


@_node
class MatchValue(pattern):
    """A literal or dotted name, compared by ``==``."""
    value: expr
    span: Span


@_node
class MatchSingleton(pattern):
    """``None``, ``True`` or ``False``, compared by ``is``."""
    value: bool | None
    span: Span


@_node
class MatchSequence(pattern):
    """``[a, b]``."""
    patterns: tuple[pattern, ...]
    span: Span


@_node
class MatchMapping(pattern):
    """``{key: pattern, **rest}``."""
    keys: tuple[expr, ...]
    patterns: tuple[pattern, ...]
    rest: str | None
    span: Span


@_node
class MatchClass(pattern):
    """``cls(patterns, kwd_attrs=kwd_patterns)``."""
    cls: expr
    patterns: tuple[pattern, ...]
    kwd_attrs: tuple[str, ...]
    kwd_patterns: tuple[pattern, ...]
    span: Span


@_node
class MatchStar(pattern):
    """``*name``; None for ``*_``."""
    name: str | None
    span: Span


@_node
class MatchAs(pattern):
    """``pattern as name``; both None for ``_``."""
    pattern: PatternNode | None
    name: str | None
    span: Span


@_node
class MatchOr(pattern):
    """``a | b``."""
    patterns: tuple[pattern, ...]
    span: Span


# --- type parameters -----------------------------------------------------------------------------------------------


@_node
class TypeVar(type_param):
    """``T: bound``."""
    name: str
    bound: expr | None
    span: Span


@_node
class ParamSpec(type_param):
    """``**P``."""
    name: str
    span: Span


@_node
class TypeVarTuple(type_param):
    """``*Ts``."""
    name: str
    span: Span


def iter_child_nodes(node: AST) -> Iterator[AST]:
    """The direct children of ``node`` that are nodes with a span, in field order."""
    for name in node._fields:
        value = getattr(node, name)
        if isinstance(value, AST):
            yield value
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, AST):
                    yield item


def walk(node: AST) -> Iterator[AST]:
    """``node`` and all nodes below it, parents before their children; not recursive."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(iter_child_nodes(current))
