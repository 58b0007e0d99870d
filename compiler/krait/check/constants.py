"""Ints that are known when a program is compiled.

In: syntax. Out: the value of an expression of int literals and (where asked) constant variables of the module,
computed as CPython does, without a bound; None where the value is not known or would be huge.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from krait.check.context import Context
from krait.check.types import INT, GlobalVar
from krait.syntax import tree

_MAX_BITS = 256

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_OPERATORS: dict[type[tree.operator], Callable[[int, int], int]] = {
    tree.Add: operator.add,
    tree.Sub: operator.sub,
    tree.Mult: operator.mul,
    tree.FloorDiv: operator.floordiv,
    tree.Mod: operator.mod,
    tree.BitAnd: operator.and_,
    tree.BitOr: operator.or_,
    tree.BitXor: operator.xor,
    tree.LShift: operator.lshift,
    tree.RShift: operator.rshift,
    tree.Pow: operator.pow,
}


def literal_int(node: tree.expr) -> int | None:
    """Return the value of an expression made of int literals alone."""
    return _value(None, node)


def known_int(ctx: Context, node: tree.expr) -> int | None:
    """Return the value of an expression of int literals and constant variables of modules."""
    return _value(ctx, node)


def _value(ctx: Context | None, node: tree.expr) -> int | None:
    match node:
        case tree.Constant(value=int(value)) if not isinstance(value, bool):
            return value
        case tree.Name(id=name) if ctx is not None and name not in ctx.scope:
            symbol = ctx.lookup(name)
            if not isinstance(symbol, GlobalVar) or not _is_bound(ctx, symbol):
                return None
            return symbol.constant if symbol.type is INT and isinstance(symbol.constant, int) else None
        case tree.UnaryOp(op=op, operand=operand):
            inner = _value(ctx, operand)
            return _apply_unary(op, inner) if inner is not None else None
        case tree.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            a = _value(ctx, left)
            b = _value(ctx, right) if a is not None else None
            return _apply(op, a, b) if a is not None and b is not None else None
        case _:
            return None


def _is_bound(ctx: Context, symbol: GlobalVar) -> bool:
    if ctx.is_module_code:
        return ctx.flow.is_bound(symbol) or symbol.module is not ctx.module
    return symbol.module.library or symbol in (symbol.module.bound or ())


def _apply_unary(op: tree.unaryop, value: int) -> int | None:
    match op:
        case tree.USub():
            return -value
        case tree.UAdd():
            return value
        case tree.Invert():
            return ~value
        case _:
            return None


def _apply(op: tree.operator, a: int, b: int) -> int | None:
    """Return ``a op b``, None if it raises or is too big to be of interest."""
    if isinstance(op, tree.FloorDiv | tree.Mod) and b == 0:
        return None
    if isinstance(op, tree.LShift | tree.RShift) and not 0 <= b <= _MAX_BITS:
        return None
    if isinstance(op, tree.Pow) and not (0 <= b <= _MAX_BITS and a.bit_length() * b <= _MAX_BITS):
        return None
    result = _OPERATORS[type(op)](a, b)
    return result if result.bit_length() <= _MAX_BITS else None
