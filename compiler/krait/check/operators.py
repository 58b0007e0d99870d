"""Binary and unary operators.

In: checked operands. Out: instructions for numbers, calls of methods for everything else; CPython's results or its
exceptions at run time. Ints are checked for overflow, except under a mask that makes the result exact (see `ring`).
"""

from __future__ import annotations

from contextlib import suppress

from krait.check import hir
from krait.check.coerce import member_value, to_float, to_int
from krait.check.conditions import condition
from krait.check.constants import INT_MAX, INT_MIN, known_int, literal_int
from krait.check.context import Context, expression
from krait.check.enums import LOOKUP
from krait.check.invoke import find_method, invoke, try_invoke
from krait.check.late_templates import is_template, percent_of_several, percent_of_value
from krait.check.mixing import has_floats, meets_ints
from krait.check.reflected import derived_first
from krait.check.setlike import OPERATORS, set_operation
from krait.check.templates import percent
from krait.check.texts import literal_text
from krait.check.tuple_operators import tuple_operation
from krait.check.types import (
    BOOL,
    F32,
    FIXED,
    FLOAT,
    I32,
    INT,
    NONE,
    U8,
    U16,
    U64,
    ClassType,
    Infer,
    Instance,
    Optional,
    Type,
    Union,
    prune,
)
from krait.check.unions import by_member, each_pair
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

SYMBOLS: dict[type[tree.operator], str] = {
    tree.Add: "+",
    tree.Sub: "-",
    tree.Mult: "*",
    tree.Div: "/",
    tree.FloorDiv: "//",
    tree.Mod: "%",
    tree.Pow: "**",
    tree.LShift: "<<",
    tree.RShift: ">>",
    tree.BitAnd: "&",
    tree.BitOr: "|",
    tree.BitXor: "^",
    tree.MatMult: "@",
}
METHODS: dict[type[tree.operator], str] = {
    tree.Add: "add",
    tree.Sub: "sub",
    tree.Mult: "mul",
    tree.Div: "truediv",
    tree.FloorDiv: "floordiv",
    tree.Mod: "mod",
    tree.Pow: "pow",
    tree.LShift: "lshift",
    tree.RShift: "rshift",
    tree.BitAnd: "and",
    tree.BitOr: "or",
    tree.BitXor: "xor",
    tree.MatMult: "matmul",
}
_CHECKED: dict[type[tree.operator], str] = {
    tree.Add: "i64.add_throw",
    tree.Sub: "i64.sub_throw",
    tree.Mult: "i64.mul_throw",
}
_PLAIN: dict[type[tree.operator], str] = {
    tree.Add: "add",
    tree.Sub: "sub",
    tree.Mult: "mul",
    tree.BitAnd: "and",
    tree.BitOr: "or",
    tree.BitXor: "xor",
    tree.LShift: "shl",
    tree.RShift: "shr_u",
    tree.FloorDiv: "div_u",
    tree.Mod: "rem_u",
}
_NUMBERS = (INT, FLOAT, BOOL)
_POWERS: dict[object, str] = {2.0: "_squared", 0.5: "_rooted"}
"""The method for a power of a float whose exponent is one of these literals."""


@expression(tree.BinOp)
def bin_op(ctx: Context, node: tree.BinOp, expected: Type | None) -> hir.Expr:
    """``left op right``."""
    value = literal_int(node)
    if value is not None:
        return int_constant(ctx, value, expected, node.span)
    if isinstance(node.op, tree.Mod) and (template := literal_text(ctx, node.left)) is not None:
        return percent(ctx, template, node)
    masked = _masked(ctx, node) if expected is None or prune(expected) not in FIXED else None
    if masked is not None:
        return masked
    if isinstance(node.op, tree.Mod) and isinstance(node.right, tree.Tuple) and literal_int(node.left) is None:
        left = ctx.expr(node.left)
        if is_template(ctx, left.type):
            return percent_of_several(ctx, left, node.right, node.span)
        return binary(ctx, node.op, left, ctx.expr(node.right), node)
    left, right = operands(ctx, node.left, node.right, expected)
    return binary(ctx, node.op, left, right, node)


def operands(ctx: Context, left: tree.expr, right: tree.expr, expected: Type | None) -> tuple[hir.Expr, hir.Expr]:
    """Check two operands; an int literal takes the fixed-width type of the other one."""
    wanted = expected if expected is not None and prune(expected) in (*FIXED, F32) else None
    if literal_int(left) is not None:
        b = ctx.expr(right, wanted)
        a = ctx.expr(left, b.type if prune(b.type) in FIXED else None)
        return a, b
    if wanted is None and expected is not None and isinstance(left, _DISPLAYS):
        wanted = _of_floats(expected)
    if wanted is None and isinstance(left, _DISPLAYS):
        with ctx.world.silence(), ctx.collect(), suppress(Refusal):
            wanted = _of_floats(ctx.expr(right).type)
    a = ctx.expr(left, wanted)
    own = _of_floats(a.type) if isinstance(right, _DISPLAYS) else None
    return a, ctx.expr(right, a.type if prune(a.type) in (*FIXED, F32) else own)


_DISPLAYS = (tree.List, tree.ListComp, tree.Set, tree.SetComp, tree.Dict, tree.DictComp)


def _of_floats(t: Type) -> Type | None:
    """Return the type of what holds floats, for the ints in a display beside it; None for any other type."""
    return t if has_floats(t) else None


def _as_flags(ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr) -> tuple[hir.Expr, hir.Expr] | None:
    """Return an ``IntFlag`` and what is combined with it as two of them; None for other operands and operators."""
    sides = (left, right)
    kinds = [t for value in sides if isinstance(t := prune(value.type), ClassType) and t.decl.enum == "int flag"]
    if not kinds or not isinstance(op, tree.BitOr | tree.BitAnd | tree.BitXor):
        return None
    flag, lookup = kinds[0], Instance(kinds[0].decl.methods[LOOKUP])
    found: list[hir.Expr] = []
    for value in sides:
        t = prune(value.type)
        if t is INT or t is BOOL:
            value = ctx.call(lookup, [to_int(value) if t is BOOL else value], flag, ctx.span_of_line(ctx.line))
        found.append(value)
    return (found[0], found[1]) if all(prune(value.type) == flag for value in found) else None


def int_constant(ctx: Context, value: int, expected: Type | None, span: Span) -> hir.Expr:
    """Return an int literal as what the context wants of it: a fixed-width integer, else an int."""
    wanted = prune(expected) if expected is not None else INT
    if wanted in FIXED:
        bits = 64 if wanted is U64 else 32 if wanted not in (U8, U16) else 8 if wanted is U8 else 16
        low, high = (-(2**31), 2**31) if wanted is I32 else (0, 2**bits)
        if not low <= value < high:
            raise ctx.refuse(span, f"{value} does not fit into `{wanted}`")
        return hir.Const(wanted, value)
    if not INT_MIN <= value <= INT_MAX:
        raise ctx.refuse(span, "this int does not fit into 64 bits", "an int lies between -2**63 and 2**63 - 1")
    return hir.Const(INT, value)


def binary(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> hir.Expr:
    """Return ``left op right`` for checked operands."""
    if isinstance(op, tree.Mod) and is_template(ctx, left.type):
        return percent_of_value(ctx, left, right, node.span)
    flags = _as_flags(ctx, op, left, right)
    name = METHODS[type(op)]
    plain = member_value(ctx, left, f"__{name}__"), member_value(ctx, right, f"__r{name}__")
    left, right = flags if flags is not None else plain
    a, b = prune(left.type), prune(right.type)
    if isinstance(a, Union) or isinstance(b, Union):
        return each_pair(ctx, left, right, lambda x, y: binary(ctx, op, x, y, node))
    if a in _NUMBERS and b in _NUMBERS:
        return _numeric(ctx, op, left, right, node)
    if a in FIXED or b in FIXED or F32 in (a, b):
        return _fixed(ctx, op, left, right, node)
    return _by_method(ctx, op, left, right, node)


def _spans(node: tree.BinOp | tree.AugAssign) -> tuple[Span, Span]:
    return (node.left.span, node.right.span) if isinstance(node, tree.BinOp) else (node.target.span, node.value.span)


# --- numbers -------------------------------------------------------------------------------------------------------


def _numeric(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> hir.Expr:
    kind = type(op)
    if FLOAT in (prune(left.type), prune(right.type)):
        return _float(ctx, op, left, right, node)
    if prune(left.type) is BOOL and prune(right.type) is BOOL and kind in (tree.BitAnd, tree.BitOr, tree.BitXor):
        return hir.Op(BOOL, f"i32.{_PLAIN[kind]}", [left, right])
    a = to_int(left) if prune(left.type) is BOOL else left
    b = to_int(right) if prune(right.type) is BOOL else right
    if kind in _CHECKED:
        return hir.Op(INT, _CHECKED[kind], [a, b])
    if kind in (tree.BitAnd, tree.BitOr, tree.BitXor):
        return hir.Op(INT, f"i64.{_PLAIN[kind]}", [a, b])
    if kind is tree.MatMult:
        raise _unsupported(ctx, op, left, right, node)
    if isinstance(b, hir.Const) and isinstance(b.value, int):
        quick = _by_constant(ctx, kind, a, b.value, node)
        if quick is not None:
            return quick
    return invoke(ctx, a, f"__{METHODS[kind]}__", [(b, node.span)], node.span)


def _by_constant(
    ctx: Context, kind: type[tree.operator], a: hir.Expr, b: int, node: tree.BinOp | tree.AugAssign
) -> hir.Expr | None:
    """Return ``a op b`` for a constant int ``b`` where that is simpler than the general case."""
    if kind is tree.Pow:
        if b < 0:  # CPython goes by way of floats
            return invoke(ctx, to_float(a), "__pow__", [(hir.Const(FLOAT, float(b)), node.span)], node.span)
        if b == 2:
            held, kept = ctx.hold(a)
            square = hir.Op(INT, "i64.mul_throw", [kept, kept])
            return hir.Let(INT, held, square) if held else square
        return None
    if kind is tree.RShift and b >= 0:
        return hir.Op(INT, "i64.shr_s", [a, hir.Const(INT, min(b, 63))])
    if kind not in (tree.FloorDiv, tree.Mod) or b <= 0:
        return None
    if b & (b - 1) == 0:
        if kind is tree.Mod:
            return hir.Op(INT, "i64.and", [a, hir.Const(INT, b - 1)])
        return hir.Op(INT, "i64.shr_s", [a, hir.Const(INT, b.bit_length() - 1)])
    # Machine division truncates; the remainder's sign says where flooring differs.
    remainder = ctx.temp(INT)
    kept = hir.LocalGet(INT, remainder)
    negative = hir.Op(INT, "i64.shr_s", [kept, hir.Const(INT, 63)])
    if kind is tree.Mod:
        body: hir.Block = [hir.Assign(ctx.line, remainder, hir.Op(INT, "i64.rem_s", [a, hir.Const(INT, b)]))]
        return hir.Let(INT, body, hir.Op(INT, "i64.add", [kept, hir.Op(INT, "i64.and", [negative, hir.Const(INT, b)])]))
    held, dividend = ctx.hold(a)
    body = [*held, hir.Assign(ctx.line, remainder, hir.Op(INT, "i64.rem_s", [dividend, hir.Const(INT, b)]))]
    quotient = hir.Op(INT, "i64.div_s", [dividend, hir.Const(INT, b)])
    return hir.Let(INT, body, hir.Op(INT, "i64.add", [quotient, negative]))


def _float(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> hir.Expr:
    kind = type(op)
    a, b = to_float(left), to_float(right)
    if kind in (tree.Add, tree.Sub, tree.Mult):
        return hir.Op(FLOAT, f"f64.{_PLAIN[kind]}", [a, b])
    if kind is tree.Div and isinstance(b, hir.Const) and b.value != 0:
        return hir.Op(FLOAT, "f64.div", [a, b])
    if kind is tree.Pow and isinstance(b, hir.Const) and b.value in _POWERS:
        return invoke(ctx, a, _POWERS[b.value], [], node.span)
    if kind in (tree.Div, tree.FloorDiv, tree.Mod, tree.Pow):
        return invoke(ctx, a, f"__{METHODS[kind]}__", [(b, node.span)], node.span)
    raise _unsupported(ctx, op, left, right, node)


def _fixed(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> hir.Expr:
    kind, t = type(op), prune(left.type)
    if t is not prune(right.type):
        raise ctx.refuse(
            node.span,
            f"`{left.type}` and `{right.type}` do not mix",
            f"convert one of them: `{t if t in FIXED else prune(right.type)}(…)`",
        )
    if t is F32 or kind not in _PLAIN:
        if t is F32 and kind in (tree.Add, tree.Sub, tree.Mult, tree.Div):
            return hir.Op(t, f"f32.{'div' if kind is tree.Div else _PLAIN[kind]}", [left, right])
        raise _unsupported(ctx, op, left, right, node)
    if t is I32 and kind in (tree.FloorDiv, tree.Mod):
        raise _unsupported(ctx, op, left, right, node)
    name = "shr_s" if t is I32 and kind is tree.RShift else _PLAIN[kind]
    result = hir.Op(t, f"{'i64' if t is U64 else 'i32'}.{name}", [left, right])
    return narrowed(result) if kind not in (tree.BitAnd, tree.BitOr, tree.BitXor) else result


def narrowed(value: hir.Expr) -> hir.Expr:
    """Return an integer cut to the width of its type, for u8 and u16 live in wider registers."""
    t = prune(value.type)
    if t in (U8, U16):
        return hir.Op(t, "i32.and", [value, hir.Const(t, 0xFF if t is U8 else 0xFFFF)])
    return value


# --- arithmetic under a mask ---------------------------------------------------------------------------------------


def _masked(ctx: Context, node: tree.BinOp) -> hir.Expr | None:
    """Return ``expression & mask`` (or ``% 2**n``) computed modulo 2**64, where that gives the exact result.

    Else None.
    """
    mask, inner = _mask_of(ctx, node)
    if mask is None or inner is None or not _is_ring(inner) or id(node) in ctx.not_ring:
        return None
    if mask > INT_MAX:
        raise ctx.refuse(
            node.span,
            "masks wider than 63 bits do not fit into an int",
            "use `u64` of `krait.unsafe`, whose arithmetic wraps",
        )
    with ctx.world.silence():  # whatever is wrong with it, or is not of ints, the ordinary way finds again
        try:
            value = ring(ctx, inner)
        except Refusal:
            value = hir.Const(NONE, None)
    if prune(value.type) is not INT:
        ctx.not_ring.add(id(node))  # masks within it have been tried as well: each is tried once
        return None
    constant = hir.Const(INT, mask)
    # The constant has no effect, so its side does not matter for the order of evaluation.
    return hir.Op(INT, "i64.and", [value, constant])


def _mask_of(ctx: Context, node: tree.BinOp) -> tuple[int | None, tree.expr | None]:
    if isinstance(node.op, tree.BitAnd):
        for mask_node, inner in ((node.right, node.left), (node.left, node.right)):
            mask = known_int(ctx, mask_node)
            if mask is not None and mask >= 0:
                return mask, inner
    elif isinstance(node.op, tree.Mod):
        modulus = known_int(ctx, node.right)
        if modulus is not None and modulus > 0 and modulus & (modulus - 1) == 0:
            return modulus - 1, node.left
    return None, None


def _is_ring(node: tree.expr) -> bool:
    """Return whether the low bits of an expression depend only on the low bits of its operands."""
    match node:
        case tree.BinOp(
            op=tree.Add() | tree.Sub() | tree.Mult() | tree.LShift() | tree.BitAnd() | tree.BitOr() | tree.BitXor()
        ):
            return True
        case tree.UnaryOp(op=tree.USub() | tree.UAdd() | tree.Invert()):
            return True
        case _:
            return False


def ring(ctx: Context, node: tree.expr) -> hir.Expr:
    """Return an expression whose low 64 bits are those of ``node``, computed without overflow checks."""
    value = known_int(ctx, node)
    if value is not None:
        return hir.Const(INT, (value + 2**63) % 2**64 - 2**63)
    if not _is_ring(node):
        leaf = ctx.expr(node)
        return to_int(leaf) if prune(leaf.type) is BOOL else leaf
    if isinstance(node, tree.UnaryOp):
        operand = ring(ctx, node.operand)
        if prune(operand.type) is not INT:
            return unary(ctx, node, operand)
        if isinstance(node.op, tree.UAdd):
            return operand
        if isinstance(node.op, tree.Invert):
            return hir.Op(INT, "i64.xor", [operand, hir.Const(INT, -1)])
        return hir.Op(INT, "i64.sub", [hir.Const(INT, 0), operand])
    assert isinstance(node, tree.BinOp)
    left = ring(ctx, node.left)
    right = ctx.expr(node.right) if isinstance(node.op, tree.LShift) else ring(ctx, node.right)
    if prune(left.type) is not INT or prune(right.type) is not INT:
        return binary(ctx, node.op, left, right, node)
    if isinstance(node.op, tree.LShift):
        return _ring_shift(ctx, left, right, node)
    return hir.Op(INT, f"i64.{_PLAIN[type(node.op)]}", [left, right])


def _ring_shift(ctx: Context, left: hir.Expr, count: hir.Expr, node: tree.BinOp) -> hir.Expr:
    if isinstance(count, hir.Const) and isinstance(count.value, int) and 0 <= count.value < 64:
        return hir.Op(INT, "i64.shl", [left, count])
    value, amount = ctx.temp(INT), ctx.temp(INT)
    kept, by = hir.LocalGet(INT, value), hir.LocalGet(INT, amount)
    zero = hir.Const(INT, 0)
    body: hir.Block = [
        hir.Assign(ctx.line, value, left),
        hir.Assign(ctx.line, amount, count),
        hir.If(
            ctx.line,
            hir.Op(BOOL, "i64.lt_s", [by, zero]),
            ctx.raising("ValueError", "negative shift count", node.span),
            [],
        ),
    ]
    shifted = hir.Op(INT, "i64.shl", [kept, by])
    return hir.Let(INT, body, hir.Conditional(INT, hir.Op(BOOL, "i64.gt_s", [by, hir.Const(INT, 63)]), zero, shifted))


def _is_own(ctx: Context, t: Type, name: str) -> bool:
    """Return whether a method is one that the program has written."""
    found = find_method(ctx, t, name)
    return found is not None and not found[0].module.library


# --- everything else -----------------------------------------------------------------------------------------------


def _by_method(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> hir.Expr:
    left_span, right_span = _spans(node)
    for value, span in ((left, left_span), (right, right_span)):
        if isinstance(prune(value.type), Infer):
            raise ctx.unknown(span, "this operand")
    name = METHODS[type(op)]
    if type(op) is tree.Add and prune(left.type) == prune(right.type) == ctx.world.str_type:
        return sum_of(ctx, left, right, node.span)
    reflected = f"__r{name}__"
    if not _is_own(ctx, left.type, f"__{name}__") and not _is_own(ctx, right.type, reflected):
        joined = tuple_operation(ctx, op, left, right, node.span)
        if joined is not None:
            return joined
    if type(op) in OPERATORS:
        made = set_operation(ctx, OPERATORS[type(op)], left, right, node.span)
        if made is not None:
            return made
    if find_method(ctx, left.type, f"__{name}__") is not None:

        def ask(first: hir.Expr, second: hir.Expr) -> hir.Expr:
            return invoke(ctx, first, f"__{name}__", [(second, right_span)], node.span)

        made = derived_first(ctx, left, right, reflected, node.span, ask)
        if made is not None:
            return made
    made = try_invoke(ctx, left, f"__{name}__", [(right, right_span)], node.span)
    if made is not None:
        return made
    repeats = find_method(ctx, right.type, "__mul__") if isinstance(op, tree.Mult) else None
    if repeats is not None and repeats[0].module.library and prune(left.type) in (INT, BOOL):
        reflected = "__mul__"  # 3 * "ab" and 3 * [0]
        left = to_int(left) if prune(left.type) is BOOL else left
    if find_method(ctx, right.type, reflected) is not None:
        held, first = ctx.hold(left)
        if not held:
            made = try_invoke(ctx, right, reflected, [(first, left_span)], node.span)
        else:
            # The left operand comes first in time, though the call takes it last.
            local = ctx.temp(right.type)
            body = [*held, hir.Assign(ctx.line, local, right)]
            call = try_invoke(ctx, hir.LocalGet(right.type, local), reflected, [(first, left_span)], node.span)
            made = hir.Let(call.type, body, call) if call is not None else None
        if made is not None:
            return made
    raise _unsupported(ctx, op, left, right, node)


def sum_of(ctx: Context, left: hir.Expr, right: hir.Expr, span: Span) -> hir.Expr:
    """Return the sum of two texts."""
    for helper in ("_extended", "_settled"):  # what the emitter may make of it
        ctx.need(Instance(ctx.world.str_type.decl.methods[helper]), span)
    return invoke(ctx, left, "__add__", [(right, span)], span)


def _unsupported(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, node: tree.BinOp | tree.AugAssign
) -> Refusal:
    symbol = SYMBOLS[type(op)]
    a, b = prune(left.type), prune(right.type)
    text = ctx.world.str_type
    hints = []
    if symbol == "+" and text in (a, b):
        hints.append("convert the other side: `str(…)`, or write an f-string")
    elif symbol == "%" and a == text:
        hints.append('write an f-string: `f"{x}"`')
    elif NONE in (a, b) or isinstance(a, Optional) or isinstance(b, Optional):
        hints.append("test for None first: `if x is not None:`")
    ctx.world.meets_ints |= meets_ints(a, b)
    return ctx.refuse(node.span, f"`{symbol}` does not take `{a}` and `{b}`", *hints)


# --- unary ---------------------------------------------------------------------------------------------------------


@expression(tree.UnaryOp)
def unary_op(ctx: Context, node: tree.UnaryOp, expected: Type | None) -> hir.Expr:
    """``-x``, ``+x``, ``~x``, ``not x``."""
    value = literal_int(node)
    if value is not None:
        return int_constant(ctx, value, expected, node.span)
    if isinstance(node.op, tree.Not):
        return condition(ctx, node).value
    return unary(ctx, node, ctx.expr(node.operand, expected))


_UNARY: dict[type[tree.unaryop], tuple[str, str]] = {
    tree.USub: ("-", "__neg__"),
    tree.UAdd: ("+", "__pos__"),
    tree.Invert: ("~", "__invert__"),
}


def unary(ctx: Context, node: tree.UnaryOp, operand: hir.Expr) -> hir.Expr:
    """Return ``op operand`` for a checked operand."""
    symbol, name = _UNARY[type(node.op)]
    operand = member_value(ctx, operand, name)
    t = prune(operand.type)
    if isinstance(t, Union):
        return by_member(ctx, operand, lambda part: unary(ctx, node, part))
    value = to_int(operand) if t is BOOL else operand
    match node.op:
        case tree.USub() if t is FLOAT:
            if isinstance(value, hir.Const):
                assert isinstance(value.value, float)
                return hir.Const(FLOAT, -value.value)
            return hir.Op(FLOAT, "f64.neg", [value])
        case tree.USub() if t in (INT, BOOL):
            return hir.Op(INT, "i64.sub_throw", [hir.Const(INT, 0), value])
        case tree.UAdd() if t in _NUMBERS:
            return value
        case tree.Invert() if t in (INT, BOOL):
            return hir.Op(INT, "i64.xor", [value, hir.Const(INT, -1)])
        case tree.Invert() if t in FIXED:
            kind = "i64" if t is U64 else "i32"
            return narrowed(hir.Op(t, f"{kind}.xor", [value, hir.Const(t, -1)]))
        case tree.USub() if t in FIXED:
            kind = "i64" if t is U64 else "i32"
            return narrowed(hir.Op(t, f"{kind}.sub", [hir.Const(t, 0), value]))
        case _:
            pass
    if isinstance(t, Infer):
        raise ctx.unknown(node.operand.span, "this operand")
    made = try_invoke(ctx, operand, name, [], node.span)
    if made is not None:
        return made
    raise ctx.refuse(node.span, f"`{symbol}` does not take `{t}`")
