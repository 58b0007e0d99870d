"""Contexts and operators of the syntax tree: singletons without fields or span, named as in CPython's ``ast``."""

from __future__ import annotations

from typing import ClassVar, Self

__all__ = [
    "ADD",
    "AND",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "DEL",
    "DIV",
    "EQ",
    "FLOOR_DIV",
    "GT",
    "GTE",
    "IN",
    "INVERT",
    "IS",
    "IS_NOT",
    "LOAD",
    "LSHIFT",
    "LT",
    "LTE",
    "MAT_MULT",
    "MOD",
    "MULT",
    "NOT",
    "NOT_EQ",
    "NOT_IN",
    "OR",
    "POW",
    "RSHIFT",
    "STORE",
    "SUB",
    "UADD",
    "USUB",
    "Add",
    "And",
    "BitAnd",
    "BitOr",
    "BitXor",
    "Del",
    "Div",
    "Eq",
    "FloorDiv",
    "Gt",
    "GtE",
    "In",
    "Invert",
    "Is",
    "IsNot",
    "LShift",
    "Load",
    "Lt",
    "LtE",
    "MatMult",
    "Mod",
    "Mult",
    "Not",
    "NotEq",
    "NotIn",
    "Or",
    "Pow",
    "RShift",
    "Store",
    "Sub",
    "Symbol",
    "UAdd",
    "USub",
    "boolop",
    "cmpop",
    "expr_context",
    "operator",
    "unaryop",
]


class Symbol:
    """Root of the contexts and operators: singletons without fields or span, also when a tree is unpickled."""
    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _one: ClassVar[Self]

    def __new__(cls) -> Self:
        if "_one" not in vars(cls):
            cls._one = super().__new__(cls)
        return cls._one

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class expr_context(Symbol):
    """How a name, attribute, subscript, list or tuple is used."""
    __slots__ = ()


class boolop(Symbol):
    """Operator of BoolOp."""
    __slots__ = ()


class operator(Symbol):
    """Operator of BinOp and AugAssign."""
    __slots__ = ()


class unaryop(Symbol):
    """Operator of UnaryOp."""
    __slots__ = ()


class cmpop(Symbol):
    """Operator of Compare."""
    __slots__ = ()


class Load(expr_context):
    """The value is read."""
    __slots__ = ()

class Store(expr_context):
    """The value is set."""
    __slots__ = ()

class Del(expr_context):
    """The value is deleted."""
    __slots__ = ()

class And(boolop):
    """``and``."""
    __slots__ = ()

class Or(boolop):
    """``or``."""
    __slots__ = ()

class Add(operator):
    """``+``."""
    __slots__ = ()

class Sub(operator):
    """``-``."""
    __slots__ = ()

class Mult(operator):
    """``*``."""
    __slots__ = ()

class MatMult(operator):
    """``@``."""
    __slots__ = ()

class Div(operator):
    """``/``."""
    __slots__ = ()

class Mod(operator):
    """``%``."""
    __slots__ = ()

class Pow(operator):
    """``**``."""
    __slots__ = ()

class LShift(operator):
    """``<<``."""
    __slots__ = ()

class RShift(operator):
    """``>>``."""
    __slots__ = ()

class BitOr(operator):
    """``|``."""
    __slots__ = ()

class BitXor(operator):
    """``^``."""
    __slots__ = ()

class BitAnd(operator):
    """``&``."""
    __slots__ = ()

class FloorDiv(operator):
    """``//``."""
    __slots__ = ()

class Invert(unaryop):
    """``~``."""
    __slots__ = ()

class Not(unaryop):
    """``not``."""
    __slots__ = ()

class UAdd(unaryop):
    """Unary ``+``."""
    __slots__ = ()

class USub(unaryop):
    """Unary ``-``."""
    __slots__ = ()

class Eq(cmpop):
    """``==``."""
    __slots__ = ()

class NotEq(cmpop):
    """``!=``."""
    __slots__ = ()

class Lt(cmpop):
    """``<``."""
    __slots__ = ()

class LtE(cmpop):
    """``<=``."""
    __slots__ = ()

class Gt(cmpop):
    """``>``."""
    __slots__ = ()

class GtE(cmpop):
    """``>=``."""
    __slots__ = ()

class Is(cmpop):
    """``is``."""
    __slots__ = ()

class IsNot(cmpop):
    """``is not``."""
    __slots__ = ()

class In(cmpop):
    """``in``."""
    __slots__ = ()

class NotIn(cmpop):
    """``not in``."""
    __slots__ = ()


LOAD = Load()
STORE = Store()
DEL = Del()
AND = And()
OR = Or()
ADD = Add()
SUB = Sub()
MULT = Mult()
MAT_MULT = MatMult()
DIV = Div()
MOD = Mod()
POW = Pow()
LSHIFT = LShift()
RSHIFT = RShift()
BIT_OR = BitOr()
BIT_XOR = BitXor()
BIT_AND = BitAnd()
FLOOR_DIV = FloorDiv()
INVERT = Invert()
NOT = Not()
UADD = UAdd()
USUB = USub()
EQ = Eq()
NOT_EQ = NotEq()
LT = Lt()
LTE = LtE()
GT = Gt()
GTE = GtE()
IS = Is()
IS_NOT = IsNot()
IN = In()
NOT_IN = NotIn()
