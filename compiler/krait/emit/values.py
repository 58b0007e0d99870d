"""Expressions: constants, variables, instructions, fields, objects.

In: expressions of the typed tree. Out: code that pushes their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krait.check import hir
from krait.check.types import NEVER, U32, ClassType, FunctionDecl, Instance, Local, Type, resolve
from krait.emit.emitter import BodyEmitter, emits, type_of
from krait.emit.layout import DESCRIPTOR, is_reference, item_layout, load_instruction, value_type
from krait.emit.objects import call_function
from krait.emit.paths import Path
from krait.emit.shared import OVERFLOW_TAG
from krait.emit.statics import STACK_START
from svm import isa

_NAME_IN_DESCRIPTOR = 8


@emits(hir.Const)
def const(out: BodyEmitter, node: hir.Const) -> None:
    """Push a number."""
    t = value_type(node.type)
    if t is isa.I64:
        out.code("i64.const", node.value or 0)
    elif t is isa.F64 or t is isa.F32:
        out.code(f"{t}.const", float(node.value) if node.value is not None else 0.0)
    elif t is isa.I32:
        out.code("i32.const", int(node.value or 0))


@emits(hir.Text)
def text(out: BodyEmitter, node: hir.Text) -> None:
    """Push the address of a literal."""
    out.code("i32.const", out.shared.statics.text(node.value))


@emits(hir.Octets)
def octets(out: BodyEmitter, node: hir.Octets) -> None:
    """Push the address of a literal of bytes."""
    cls = resolve(node.type)
    assert isinstance(cls, ClassType)
    out.code("i32.const", out.shared.statics.octets(node.value, out.shared.ids.of(cls), out.shared.layout(cls)))


@emits(hir.Data)
def data(out: BodyEmitter, node: hir.Data) -> None:
    """Push the address of static bytes."""
    out.code("i32.const", out.shared.statics.data(node.value))


@emits(hir.LocalGet)
def local_get(out: BodyEmitter, node: hir.LocalGet) -> None:
    """Push a local, or what stands for it."""
    if node.checked:
        out.code("local.get", out.flag(node.local))
        _unless(out, "UnboundLocalError", node, unbound_message(node.local.name))
    given = out.given.get(node.local)
    if given is not None:
        out.expr(given)
    elif value_type(type_of(node.local)) is not None:
        out.code("local.get", out.local(node.local))


@emits(hir.GlobalGet)
def global_get(out: BodyEmitter, node: hir.GlobalGet) -> None:
    """Push a module's variable."""
    if node.checked:
        out.code("global.get", out.shared.flag_index(node.var))
        _unless(out, "NameError", node, f"name '{node.var.name}' is not defined")
    kept = out.kept_local(node)
    if kept is not None:
        out.code("local.get", kept)
    elif value_type(node.type) is not None:
        out.code("global.get", out.shared.global_index(node.var))


def _unless(out: BodyEmitter, exception: str, node: hir.LocalGet | hir.GlobalGet, message: str) -> None:
    """Raise an exception if the bool on the stack is false."""
    out.code("i32.eqz")
    out.open("if")
    raise_error(out, exception, node, message)
    out.close()


def raise_error(out: BodyEmitter, exception: str, node: hir.LocalGet | hir.GlobalGet | hir.RaiseUnbound,
                message: str) -> None:
    """Raise an exception."""
    out.code("i32.const", out.shared.statics.text(message))
    out.mark(node.line)
    call_function(out, out.shared.raiser_index(exception), out.roots(node))
    out.code("unreachable")


def unbound_message(name: str) -> str:
    """Return CPython's words for a local variable that has no value."""
    return f"cannot access local variable '{name}' where it is not associated with a value"


# --- instructions --------------------------------------------------------------------------------------------------


def operands(out: BodyEmitter, args: Sequence[hir.Expr]) -> None:
    """Push several values, evaluated from left to right.

    Constants and locals before one whose code opens blocks are pushed after it, which nothing but speed can tell.
    References wait in locals, where the collector finds them, while it may run.
    """
    facts = out.shared.facts
    last = max((at for at, arg in enumerate(args) if facts.of(arg).blocks), default=0)
    collecting = max((at for at, arg in enumerate(args) if facts.of(arg).collects), default=0)
    kept = [at < collecting and is_reference(arg.type) for at, arg in enumerate(args)]
    first = next((at for at in range(last) if kept[at] or is_stable(out, args[at], args[at + 1 :])), last)
    pending = len(out.pending)
    for arg in args[:first]:
        out.expr(arg)
    held: list[tuple[hir.Expr, int | None]] = []
    for at in range(first, last + 1 if first < last else first):
        index = None
        if not is_stable(out, args[at], args[at + 1 :]):
            t = value_type(args[at].type)
            out.expr(args[at])
            if t is not None:
                index = out.take(t)
                out.code("local.set", index)
        held.append((args[at], index))
        if kept[at]:
            out.keep(args[at], index)
    del out.pending[pending:]
    for arg, index in held:
        if index is None:
            out.expr(arg)
        else:
            out.code("local.get", index)
    out.leave(index for _, index in held if index is not None)
    for arg in args[first + len(held) :]:
        out.expr(arg)


def is_stable(out: BodyEmitter, value: hir.Expr, others: Sequence[hir.Expr | hir.Stmt]) -> bool:
    """Return whether a value is the same, and free of effects, if it is evaluated after others."""
    if isinstance(value, hir.LocalGet) and not value.checked:
        value = out.given.get(value.local, value)
    if isinstance(value, hir.LocalGet):
        return not value.checked and not any(value.local in out.shared.facts.of(other).sets for other in others)
    return isinstance(value, hir.Const | hir.Text | hir.Octets) or out.kept_local(value) is not None


@emits(hir.Op)
def op(out: BodyEmitter, node: hir.Op) -> None:
    """Push the result of an instruction."""
    name, args = node.op, node.args
    value = _constant(out, node)
    if value is not None:
        out.code(f"{name[:3]}.const", value)
        return
    if name in ("i32.mul", "i32.add") and (factor := _constant(out, args[1])) is not None:
        if _add_or_multiply(out, name, args[0], factor):
            return
    if name == "i64.extend_i32_u" and _load_extended(out, args[0]):
        return
    operands(out, args)
    if name.endswith("_throw"):
        out.code(name, OVERFLOW_TAG)
    else:
        out.code(name)


def _add_or_multiply(out: BodyEmitter, name: str, value: hir.Expr, constant: int) -> bool:
    """Emit `value + constant` or `value * constant` if there is a shorter way; return whether."""
    if name == "i32.mul" and constant > 0 == constant & (constant - 1):
        out.expr(value)
        if constant > 1:
            out.code("i32.const", constant.bit_length() - 1)
            out.code("i32.shl")
        return True
    if name == "i32.add" and constant == 0:
        out.expr(value)
        return True
    return False


def _constant(out: BodyEmitter, node: hir.Expr) -> int | None:
    """Return the value of an int that is known now, None for others."""
    if isinstance(node, hir.LocalGet) and node.local in out.given:
        node = out.given[node.local]
    match node:
        case hir.Const(value=int(value)) if value_type(node.type) is not None:
            return int(value)
        case hir.SizeOf():
            return _size(node)
        case hir.Cast(value=inner):
            return _constant(out, inner)
        case hir.Op(op=name, args=args) if name in _FOLDED:
            known = [found for arg in args if (found := _constant(out, arg)) is not None]
            return _FOLDED[name](*known) if len(known) == len(args) else None
        case _:
            return None


def _signed32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


_FOLDED: dict[str, Callable[..., int]] = {
    "i32.wrap_i64": _signed32,
    "i32.mul": lambda a, b: _signed32(a * b),
    "i32.add": lambda a, b: _signed32(a + b),
    "i64.extend_i32_u": lambda a: a % 2**32,
}
"""Instructions whose value the emitter itself finds where the operands are known: what element accesses are made of."""


def _load_extended(out: BodyEmitter, value: hir.Expr) -> bool:
    """Emit the load of a u32 as an i64 in one instruction, if a load is what is to be extended; return whether."""
    if out.kept_local(value) is not None:
        return False
    if isinstance(value, hir.FieldGet) and resolve(value.type) is U32:
        offset, _ = field(out, value.object, value.name)
        out.expr(value.object)
    elif isinstance(value, hir.Load) and resolve(value.type) is U32:
        offset = value.offset
        out.expr(value.address)
    else:
        return False
    out.code("i64.load32_u", 2, offset)
    return True


@emits(hir.Let)
def let(out: BodyEmitter, node: hir.Let) -> None:
    """Run statements, then push a value."""
    out.block(node.body, node.value)
    out.expr(node.value)


@emits(hir.Cast)
def cast(out: BodyEmitter, node: hir.Cast) -> None:
    """Push the same bits."""
    out.expr(node.value)
    if resolve(node.value.type) is NEVER:
        out.code("unreachable")


@emits(hir.Load)
def load(out: BodyEmitter, node: hir.Load) -> None:
    """Push what is in memory."""
    element = out.element(node)
    if element is not None:
        check_element(out, node, element)
        out.code("local.get", out.local(element))
        return
    out.expr(node.address)
    name, align = load_instruction(node.type)
    out.code(name, align, node.offset)


def check_element(out: BodyEmitter, node: hir.Expr, element: Local) -> None:
    """Raise what reading an element of a list raises, if the variable that is kept for it is None.

    Then the index is out of range, or an overflow on the way to it.
    """
    if element in out.certain:
        return
    assert isinstance(node, hir.Load) and isinstance(node.address, hir.Call)
    call, line = node.address, out.line_now
    owner, index, message = call.args
    out.code("local.get", out.local(element))
    out.code("i32.eqz")
    out.open("if")
    outer = out.element(owner)
    if outer is not None:
        check_element(out, owner, outer)
    out.expr(index)
    out.code("drop")
    out.expr(message)
    out.mark(call.line)
    refusal = call.callee.decl.module.symbols["_no_place"]
    assert isinstance(refusal, FunctionDecl)
    call_function(out, out.shared.function_index(Instance(refusal)), out.roots(call))
    out.code("unreachable")
    out.close()
    out.mark(line)


@emits(hir.SizeOf)
def size(out: BodyEmitter, node: hir.SizeOf) -> None:
    """Push the bytes of an item."""
    out.code("i32.const", _size(node))


def _size(node: hir.SizeOf) -> int:
    layout = item_layout(node.of)
    return layout.last if node.offset else layout.size


@emits(hir.RunsAsProgram)
def runs_as_program(out: BodyEmitter, node: hir.RunsAsProgram) -> None:
    """Push whether the module runs as a program."""
    out.code("global.get", out.shared.program_index)


@emits(hir.Place)
def place(out: BodyEmitter, node: hir.Place) -> None:
    """Push an address that is known here."""
    shared = out.shared
    match node.name:
        case "heap_base":
            out.code("global.get", shared.heap_base_index)
        case "stack_end":
            out.code("global.get", shared.stack_index)
        case "stack_start":
            out.code("i32.const", STACK_START)
        case "type_table":
            out.code("i32.const", shared.statics.descriptors)
        case "size_classes":
            out.code("i32.const", shared.statics.size_classes)
        case _:
            raise AssertionError(node.name)


# --- objects -------------------------------------------------------------------------------------------------------


def field(out: BodyEmitter, owner: hir.Expr, name: str) -> tuple[int, Type]:
    """Return the offset and type of a field of what ``owner`` gives."""
    cls = resolve(owner.type)
    assert isinstance(cls, ClassType)
    layout = out.shared.layout(cls)
    return layout.offsets[name], layout.types[name]


@emits(hir.FieldGet)
def field_get(out: BodyEmitter, node: hir.FieldGet) -> None:
    """Push a field."""
    kept = out.kept_local(node)
    if kept is not None:
        out.code("local.get", kept)
        return
    offset, t = field(out, node.object, node.name)
    element = out.element(node.object)
    if element is not None:
        check_element(out, node.object, element)
        kept = out.kept.get(Path(element, (node.name,)))
        if kept is not None:
            out.code("local.get", kept)
            return
        out.code("local.get", out.local(element))
    else:
        out.expr(node.object)
    name, align = load_instruction(t)
    out.code(name, align, offset)


@emits(hir.IsInstance)
def is_instance(out: BodyEmitter, node: hir.IsInstance) -> None:
    """Push whether an object is of a class: a range of type ids."""
    out.expr(node.object)
    out.code("i32.load", 2, 0)
    cls = resolve(node.cls)
    assert isinstance(cls, ClassType)
    first, count = out.shared.ids.range_of(cls)
    out.code("i32.const", first)
    if count == 1:
        out.code("i32.eq")
        return
    out.code("i32.sub")
    out.code("i32.const", count)
    out.code("i32.lt_u")


@emits(hir.TypeId)
def type_id(out: BodyEmitter, node: hir.TypeId) -> None:
    """Push the number of an object's class."""
    out.expr(node.object)
    out.code("i32.load", 2, 0)


@emits(hir.ClassId)
def class_id(out: BodyEmitter, node: hir.ClassId) -> None:
    """Push the number of a class."""
    cls = resolve(node.cls)
    assert isinstance(cls, ClassType)
    out.code("i32.const", out.shared.ids.of(cls))


@emits(hir.ClassObject)
def class_object(out: BodyEmitter, node: hir.ClassObject) -> None:
    """Push the address of the static object of a class."""
    out.code("i32.const", _address_of_class(out, node))


def _address_of_class(out: BodyEmitter, node: hir.ClassObject) -> int:
    of = resolve(node.type)
    instances = resolve(node.instances) if node.instances is not None else None
    assert isinstance(of, ClassType) and (instances is None or isinstance(instances, ClassType))
    base = _address_of_class(out, node.base) if node.base is not None else 0
    texts = {"_name": node.name, "_module": node.module, "_shown": node.shown}
    return out.shared.statics.class_object(of, out.shared.layout(of), texts, instances, base)


@emits(hir.TypeName)
def type_name(out: BodyEmitter, node: hir.TypeName) -> None:
    """Push the name of an object's class, which its descriptor has."""
    out.expr(node.object)
    out.code("i32.load", 2, 0)
    out.code("i32.const", DESCRIPTOR)
    out.code("i32.mul")
    out.code("i32.load", 2, out.shared.statics.descriptors + _NAME_IN_DESCRIPTOR)
