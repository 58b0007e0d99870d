"""The intrinsics of `krait.unsafe`: memory, fixed-width numbers, floats' bits.

In: calls of intrinsics. Out: the instructions that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable

from krait.check import border, hir
from krait.check.coerce import can_be_object, coerce, to_int
from krait.check.comparisons import has_plain_order
from krait.check.constants import literal_int
from krait.check.context import Context
from krait.check.hashing import key_bits, same_key
from krait.check.operators import narrowed
from krait.check.set_order import has_random_hash
from krait.check.signatures import declared_fields
from krait.check.types import (
    BOOL,
    F32,
    FLOAT,
    I32,
    INT,
    NEVER,
    NONE,
    U8,
    U16,
    U32,
    U64,
    ClassType,
    Primitive,
    Type,
    prune,
    resolve,
)
from krait.syntax import tree

_ACCESS: dict[str, Type] = {"u8": U8, "u16": U16, "u32": U32, "u64": U64, "i64": INT, "f64": FLOAT}

_INSTRUCTIONS: dict[str, tuple[str, tuple[Type, ...], Type]] = {
    "memory_size": ("memory.size", (), U32),
    "memory_grow": ("memory.grow", (U32,), U32),
    "memory_copy": ("memory.copy", (U32, U32, U32), NONE),
    "memory_fill": ("memory.fill", (U32, U32, U32), NONE),
    "float_bits": ("i64.reinterpret_f64", (FLOAT,), U64),
    "float_from_bits": ("f64.reinterpret_i64", (U64,), FLOAT),
    "sqrt": ("f64.sqrt", (FLOAT,), FLOAT),
    "floor": ("f64.floor", (FLOAT,), FLOAT),
    "ceil": ("f64.ceil", (FLOAT,), FLOAT),
    "trunc": ("f64.trunc", (FLOAT,), FLOAT),
    "nearest": ("f64.nearest", (FLOAT,), FLOAT),
    "fabs": ("f64.abs", (FLOAT,), FLOAT),
    "copysign": ("f64.copysign", (FLOAT, FLOAT), FLOAT),
    "clz": ("i64.clz", (U64,), U64),
    "ctz": ("i64.ctz", (U64,), U64),
    "popcnt": ("i64.popcnt", (U64,), U64),
    "truncate": ("i64.trunc_f64_s", (FLOAT,), INT),
    "float_divide": ("f64.div", (FLOAT, FLOAT), FLOAT),
    "int_quotient": ("i64.div_s", (INT, INT), INT),
    "int_remainder": ("i64.rem_s", (INT, INT), INT),
    "wrapping_add": ("i64.add", (INT, INT), INT),
    "wrapping_sub": ("i64.sub", (INT, INT), INT),
    "wrapping_mul": ("i64.mul", (INT, INT), INT),
}
"""Intrinsics that are one instruction: its name, the operands' types, the result's."""


def intrinsic(ctx: Context, name: str, node: tree.Call, types: tuple[Type, ...], expected: Type | None) -> hir.Expr:
    """Return what a call of an intrinsic stands for."""
    if node.keywords:
        raise ctx.refuse(node.span, f"`{name}` takes no keyword arguments")
    kind, _, width = name.rpartition("_")
    if kind in ("load", "store") and width in _ACCESS:
        return _access(ctx, kind, _ACCESS[width], node)
    if name in ("load", "store"):
        return _access(ctx, name, _type_argument(ctx, node, types), node)
    if name in _INSTRUCTIONS:
        op, params, result = _INSTRUCTIONS[name]
        return hir.Op(result, op, _operands(ctx, node, params))
    if name in _SPECIAL:
        count, make = _SPECIAL[name]
        if len(node.args) != count and not (name == "new_object" and len(node.args) == 1):
            raise ctx.refuse(node.span, f"this takes {count} arguments, not {len(node.args)}")
        return make(ctx, node, types)
    raise ctx.refuse(node.span, f"`{name}` cannot be called here")


def _operands(ctx: Context, node: tree.Call, params: tuple[Type, ...]) -> list[hir.Expr]:
    if len(node.args) != len(params):
        raise ctx.refuse(node.span, f"this takes {len(params)} arguments, not {len(node.args)}")
    values = ctx.attempt(zip(node.args, params, strict=True))
    out: list[hir.Expr] = []
    for value, param, arg in zip(values, params, node.args, strict=True):
        # A byte or 16-bit unit in a register is a u32 already.
        if param is U32 and prune(value.type) in (U8, U16):
            value = hir.Cast(U32, value)
        out.append(coerce(ctx, value, param, arg.span))
    return out


def _type_argument(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> Type:
    if len(types) != 1:
        raise ctx.refuse(node.span, "this needs one type in brackets: `load[int](address)`")
    return types[0]


def _type_arguments(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> tuple[Type, ...]:
    if not types:
        raise ctx.refuse(node.span, "this needs types in brackets: `size_of[int]()`")
    return types


def _access(ctx: Context, kind: str, t: Type, node: tree.Call) -> hir.Expr:
    """``load…(address, offset)`` and ``store…(address, value, offset)``."""
    count = 1 if kind == "load" else 2
    if not count <= len(node.args) <= count + 1:
        raise ctx.refuse(node.span, f"this takes {count} or {count + 1} arguments, not {len(node.args)}")
    offset = 0
    if len(node.args) > count:
        found = literal_int(node.args[count])
        if found is None or not 0 <= found < 2**32:
            raise ctx.refuse(node.args[count].span, "the offset must be a literal")
        offset = found
    address = coerce(ctx, ctx.expr(node.args[0], U32), U32, node.args[0].span)
    if kind == "load":
        return hir.Load(t, address, offset)
    value = coerce(ctx, ctx.expr(node.args[1], t), t, node.args[1].span)
    return hir.Let(NONE, [hir.Store(ctx.line, t, address, value, offset)], hir.Const(NONE, None))


def _size_of(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.SizeOf(U32, _type_arguments(ctx, node, types))


def _offset_of(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.SizeOf(U32, _type_arguments(ctx, node, types), offset=True)


def _new_items(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    (count,) = _operands(ctx, node, (U32,))
    return hir.NewItems(U32, _type_arguments(ctx, node, types), count, node.span.start_line)


def _address_of(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    value = ctx.expr(node.args[0])
    if isinstance(prune(value.type), Primitive):
        raise ctx.refuse(node.span, f"a `{value.type}` has no address")
    return hir.Cast(U32, value)


def _object_at(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.Cast(_type_argument(ctx, node, types), _operands(ctx, node, (U32,))[0])


def _new_object(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    t = _type_argument(ctx, node, types)
    if not isinstance(prune(t), ClassType):
        raise ctx.refuse(node.span, f"`{t}` is not a class of objects on the heap")
    resolved = resolve(t)
    assert isinstance(resolved, ClassType)
    declared_fields(ctx.world, resolved)
    extra = _operands(ctx, node, (U32,))[0] if node.args else None
    if isinstance(extra, hir.Const) and extra.value == 0:
        extra = None
    return hir.New(t, extra, node.span.start_line)


def _memory_compare(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.Op(INT, "i64.extend_i32_s", [hir.Op(I32, "memory.compare", _operands(ctx, node, (U32, U32, U32)))])


def _memory_find(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    """The offset of the first such byte, -1 if there is none; the instruction gives its address, or the range's end."""
    start, byte, length = _operands(ctx, node, (U32, U32, U32))
    held_start, first = ctx.hold(start)
    held_byte, wanted = ctx.hold(byte)
    held_length, count = ctx.hold(length)
    distance = ctx.temp(U32)
    found = hir.Op(U32, "i32.sub", [hir.Op(U32, "memory.find", [first, wanted, count]), first])
    kept = hir.LocalGet(U32, distance)
    body = [*held_start, *held_byte, *held_length, hir.Assign(ctx.line, distance, found)]
    present = hir.Op(BOOL, "i32.ne", [kept, count])
    offset = hir.Op(INT, "i64.extend_i32_u", [kept])
    return hir.Let(INT, body, hir.Conditional(INT, present, offset, hir.Const(INT, -1)))


def _data(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    match node.args:
        case (tree.Constant(value=bytes(content)),):
            return hir.Data(U32, content)
        case _:
            raise ctx.refuse(node.span, "`data` takes a literal of bytes")


def _place(name: str) -> Callable[[Context, tree.Call, tuple[Type, ...]], hir.Expr]:
    return lambda ctx, node, types: hir.Place(U32, name)


def _mark_globals(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.MarkGlobals(NONE)


def _trap(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    ctx.flow = ctx.flow.stop()
    return hir.Let(NEVER, [hir.Trap(ctx.line)], hir.Const(NEVER, None))


def _resume(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    """``resume(iterator)``: run the body of a generator up to its next item."""
    held, kept = ctx.hold(ctx.expr(node.args[0]))
    made = hir.CallIndirect(BOOL, hir.FieldGet(U32, kept, "code"), [kept], node.span.start_line)
    return hir.Let(BOOL, held, made) if held else made


def _type_name(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.TypeName(ctx.world.str_type, ctx.expr(node.args[0]))


def _key_bits(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return key_bits(ctx, ctx.expr(node.args[0]), node.args[0].span)


def _same_key(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    left, right = (ctx.expr(arg) for arg in node.args)
    return same_key(ctx, left, right, node.span)


def _known_order(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    """Whether the order of a set of such items is the same in every run of CPython."""
    return hir.Const(BOOL, not has_random_hash(ctx, _type_argument(ctx, node, types)))


def _keeps_arguments(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    """Whether exceptions keep arguments of such a type, for the program to ask for."""
    t = _type_argument(ctx, node, types)
    ctx.world.gives_arguments |= prune(t) != ctx.world.str_type
    return hir.Const(BOOL, ctx.world.keeps_arguments and can_be_object(t))


def _plain_order(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.Const(BOOL, has_plain_order(_type_argument(ctx, node, types)))


def _is_int(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.Const(BOOL, prune(_type_argument(ctx, node, types)) is INT)


def _is_text(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return hir.Const(BOOL, prune(_type_argument(ctx, node, types)) == ctx.world.str_type)


def _encode(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return border.encode(ctx, ctx.expr(node.args[0]), node.span)


def _encode_fields(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return border.encode_fields(ctx, ctx.expr(node.args[0]), node.span)


def _decode(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return border.decode(ctx, _type_argument(ctx, node, types), ctx.expr(node.args[0]), node.span)


def _decode_fields(ctx: Context, node: tree.Call, types: tuple[Type, ...]) -> hir.Expr:
    return border.decode_fields(ctx, _type_argument(ctx, node, types), ctx.expr(node.args[0]), node.span)


_SPECIAL: dict[str, tuple[int, Callable[[Context, tree.Call, tuple[Type, ...]], hir.Expr]]] = {
    "size_of": (0, _size_of),
    "offset_of": (0, _offset_of),
    "address_of": (1, _address_of),
    "object_at": (1, _object_at),
    "new_items": (1, _new_items),
    "new_object": (0, _new_object),
    "memory_compare": (3, _memory_compare),
    "memory_find": (3, _memory_find),
    "data": (1, _data),
    **{name: (0, _place(name)) for name in ("heap_base", "size_classes", "stack_end", "stack_start", "type_table")},
    "mark_globals": (0, _mark_globals),
    "trap": (0, _trap),
    "type_name": (1, _type_name),
    "resume": (1, _resume),
    "key_bits": (1, _key_bits),
    "same_key": (2, _same_key),
    "known_order": (0, _known_order),
    "keeps_arguments": (0, _keeps_arguments),
    "plain_order": (0, _plain_order),
    "is_int": (0, _is_int),
    "is_text": (0, _is_text),
    "encode": (1, _encode),
    "encode_fields": (1, _encode_fields),
    "decode": (1, _decode),
    "decode_fields": (1, _decode_fields),
}
"""Other intrinsics: how many arguments each takes (`new_object` one more, if need be), and what it stands for."""


# --- conversions ---------------------------------------------------------------------------------------------------


def convert_fixed(ctx: Context, target: Primitive, node: tree.Call) -> hir.Expr:
    """``u32(x)`` and its kin: cut to the width, or widen with zeros (an i32 with its sign)."""
    if len(node.args) != 1 or node.keywords:
        raise ctx.refuse(node.span, f"`{target}` takes one argument")
    literal = literal_int(node.args[0])
    if literal is not None:
        return ctx.expr(node.args[0], target)
    value = ctx.expr(node.args[0])
    made = _converted(value, target)
    if made is None:
        raise ctx.mismatch(node.args[0].span, "a float" if target is F32 else "an integer", value.type)
    return made


def _converted(value: hir.Expr, target: Primitive) -> hir.Expr | None:
    source = prune(value.type)
    if target is F32:
        return hir.Op(F32, "f32.demote_f64", [value]) if source is FLOAT else None
    if target is U64:
        if source in (INT, U64):
            return hir.Cast(U64, value)
        if source is I32:
            return hir.Op(U64, "i64.extend_i32_s", [value])
        return hir.Op(U64, "i64.extend_i32_u", [value]) if source in (U8, U16, U32, BOOL) else None
    if source in (INT, U64):
        return narrowed(hir.Op(target, "i32.wrap_i64", [value]))
    if source in (U8, U16, U32, I32, BOOL):
        return narrowed(hir.Cast(target, value))
    return None


def fixed_to_int(value: hir.Expr) -> hir.Expr | None:
    """Return a fixed-width integer as an int; None for any other type."""
    source = prune(value.type)
    if source is U64:
        return hir.Cast(INT, value)
    if source is I32:
        return hir.Op(INT, "i64.extend_i32_s", [value])
    if source in (U8, U16, U32):
        return hir.Op(INT, "i64.extend_i32_u", [value])
    return to_int(value) if source is BOOL else None
