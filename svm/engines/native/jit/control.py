"""Instructions that are not rows of the table's LLVM column: control, calls, variables, and the guest's state.

What compiled code does not do itself (calls to the host, growing, tables' bulk instructions, throwing) it leaves to the
interpreter and its driver, at the instruction: see `FunctionWriter.leave`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from svm.engines.native.context import COMPILED, FOREIGN, LIMIT, Exit, Field, FunctionField, header
from svm.engines.native.expand import LLVM_TYPES, expand
from svm.engines.native.jit.compiled import entry_symbol
from svm.engines.native.jit.frames import CONTEXT, frame_type, zero_of
from svm.engines.native.jit.throwing import catch, throw
from svm.engines.native.jit.writer import Control, FunctionWriter, Operand
from svm.isa import F32, F64, FUNCREF, I32, I64, FuncType, TrapKind, ValueType
from svm.lower import BULK_CHUNK, SLOT_BYTES, operand_counts
from svm.module.checked import FUNCTION

__all__ = ["INWARDS", "RULES", "begin_else", "finish", "go_out", "go_round", "leave_loop", "start_loop"]

INWARDS = ".in"
"""The section of loops for what lies further in: what goes round such a loop goes on in another section."""

_RARE = ", !prof !0"
_PLAIN = ", !llvm.loop !8"


# Structure


def _open(t: FunctionWriter, otherwise: bool = False) -> None:
    t.keep()
    t.controls.append(Control(t.function.blocks[t.at], t.at, list(t.stack), otherwise, t.section))


def _block(t: FunctionWriter, *args: Any) -> None:
    _open(t)


def _try_table(t: FunctionWriter, *args: Any) -> None:
    _open(t)
    caught = {key for _, key in t.controls[-1].block.catches}
    for control in t.controls:
        control.reached |= control.key in caught  # by the interpreter; but a loop there can be entered


def _loop(t: FunctionWriter, *args: Any) -> None:
    key, block = t.at, t.function.blocks[t.at]
    charge = t.code.charges.loops[key]
    t.bring(key, block.type.params)
    t.drop_to(len(t.stack) - len(block.type.params))
    t.keep()
    t.charge(charge.cost)
    t.do(f"br label %{t.entrance(key)}")
    t.push_kept(key, block.type.params)
    t.kept = len(t.stack)
    start_loop(t, key)


def start_loop(t: FunctionWriter, key: int) -> None:
    """The latch of a loop, to which branches back go, and its start."""
    block = t.function.blocks[key]
    below = t.stack[: len(t.stack) - len(block.type.params)]
    t.controls.append(Control(block, key, below, False, t.section))
    t.controls[-1].joined = key in t.counted or key in t.batched
    _latch(t, key, f"A{key}{t.section}")
    t.label(f"H{key}{t.section}")


def go_round(t: FunctionWriter, key: int) -> None:
    """The latch for those that come from a section further in: a way into the loop, and so none round it."""
    _latch(t, key, f"A{key}{INWARDS}")


def go_out(t: FunctionWriter, key: int) -> None:
    """The same where the loop is not there: the interpreter goes on with it."""
    _take(t, key, f"A{key}{INWARDS}")
    t.leave(Exit.CHANGED, t.code.targets[key], t.live[key + 1], t.stack)


def _latch(t: FunctionWriter, key: int, label: str) -> None:
    _take(t, key, label)
    if key in t.batched:
        t.do(f"br label %P{key}{t.section}")
    else:
        t.do(f"br label %H{key}{t.section}{_PLAIN if key in t.counted else ''}")


def _take(t: FunctionWriter, key: int, label: str) -> None:
    """Take the charge of another round."""
    charge = t.code.charges.loops[key]
    t.label(label)
    left = t.charge(charge.cost)
    if charge.test:
        empty = t.let(f"icmp slt i64 {left}, 0")
        t.leave_if(empty, Exit.FUEL, t.code.targets[key], t.live[key + 1], t.stack)


def _if(t: FunctionWriter, *args: Any) -> None:
    key = t.at
    condition = t.let(f"icmp ne i32 {t.pop()}, 0")
    _open(t, otherwise=True)
    t.do(f"br i1 {condition}, label %T{key}{t.section}, label %X{key}{t.section}")
    t.label(f"T{key}{t.section}")


def begin_else(t: FunctionWriter) -> None:
    """Where the condition of an `if` did not hold."""
    control = t.controls[-1]
    if not control.otherwise:  # this section begins behind the condition
        t.reachable = False
        return
    control.otherwise = False
    t.label(f"X{control.key}{control.section}")
    t.stack[:] = control.stack
    t.kept = len(t.stack)
    t.reachable = True


def _else(t: FunctionWriter) -> None:
    control = t.controls[-1]
    _fall(t, control)
    begin_else(t)


def _fall(t: FunctionWriter, control: Control) -> None:
    """Reach a block's end."""
    t.bring(control.key, control.block.type.results)
    t.do(f"br label %E{control.key}{control.section}")
    control.reached = True


def _end(t: FunctionWriter) -> None:
    control = t.controls[-1]
    if control.key == FUNCTION:
        t.branch(FUNCTION)
    elif control.block.kind == "loop":
        if control.joined:
            t.do(f"br label %J{control.key}{control.section}")
            t.label(f"J{control.key}{control.section}")
        if control.left:
            leave_loop(t, control)
        finish(t)
    else:
        _fall(t, control)
        finish(t)


def leave_loop(t: FunctionWriter, control: Control) -> None:
    """Go past the end of a loop, to which a section further in comes too."""
    for at, (value, type_) in enumerate(zip(_results(t, control), control.block.type.results, strict=True)):
        kind = LLVM_TYPES[type_]
        t.write(t.variable(f"%o{control.key}.{at}", kind), kind, value)
    t.do(f"br label %O{control.key}")
    control.left = True


def _results(t: FunctionWriter, control: Control) -> list[str]:
    count = len(control.block.type.results)
    return [t.value(operand) for operand in t.stack[len(t.stack) - count :]]


def finish(t: FunctionWriter) -> None:
    """After a block's last instruction, where control may come from a branch."""
    control = t.controls.pop()
    if control.key == FUNCTION:
        return
    if control.block.kind == "loop":
        if control.left:
            t.label(f"O{control.key}")
            t.reachable = True
            t.stack[:] = control.stack
            for at, type_ in enumerate(control.block.type.results):
                t.stack.append(Operand(t.variable(f"%o{control.key}.{at}", LLVM_TYPES[type_]), type_, True))
            t.kept = len(t.stack)
        return
    if control.otherwise:
        t.label(f"X{control.key}{control.section}")
        t.stack[:] = control.stack
        t.kept = len(t.stack)
        _fall(t, control)
    if not control.reached:
        return
    t.label(f"E{control.key}{control.section}")
    t.reachable = True
    t.stack[:] = control.stack[: control.block.height]
    t.kept = len(t.stack)
    t.push_kept(control.key, control.block.type.results)
    t.kept = len(t.stack)


# Branches


def _br(t: FunctionWriter, *args: Any) -> None:
    t.branch(t.function.targets[t.at][0])


def _br_if(t: FunctionWriter, *args: Any) -> None:
    key = t.function.targets[t.at][0]
    if t.at in t.settled:
        t.take()
        if t.settled[t.at]:
            t.branch(key)
        return
    condition = t.let(f"icmp ne i32 {t.pop()}, 0")
    name = t.name()
    if not t.function.blocks[key].branch_types:
        t.do(f"br i1 {condition}, label %{t.target(key)}, label %past{name}")
    else:
        t.do(f"br i1 {condition}, label %take{name}, label %past{name}")
        t.label(f"take{name}")
        t.bring(key, t.function.blocks[key].branch_types)
        t.do(f"br label %{t.target(key)}")
    t.label(f"past{name}")


def _br_table(t: FunctionWriter, *args: Any) -> None:
    index, name = t.pop(), t.name()
    keys = t.function.targets[t.at]
    labels = {key: f"case{name}.{at}" for at, key in enumerate(dict.fromkeys(keys))}
    cases = " ".join(f"i32 {at}, label %{labels[key]}" for at, key in enumerate(keys[:-1]))
    t.do(f"switch i32 {index}, label %{labels[keys[-1]]} [{cases}]")
    for key, label in labels.items():
        t.label(label)
        t.branch(key)


def _return(t: FunctionWriter, *args: Any) -> None:
    t.branch(FUNCTION)


def _unreachable(t: FunctionWriter) -> None:
    t.trap(TrapKind.UNREACHABLE)


# Leaving to the driver


def _leave(t: FunctionWriter, status: int, params: int, results: Sequence[ValueType], aux: str = "0") -> None:
    """Stop at this instruction, which the driver runs.  What follows runs only if it is entered at a loop in it."""
    t.leave(status, t.sites[t.offset], t.live[t.at], t.stack, aux)
    t.label(f"after{t.name()}")
    t.drop_to(len(t.stack) - params)
    for type_ in results:
        t.push(zero_of(type_), type_)


def _state(t: FunctionWriter, *args: Any) -> None:
    op = t.function.code[t.at].op
    params, results = operand_counts(op)
    _leave(t, Exit.STATE, params, (I32,) * results)


# Calls


def _call(t: FunctionWriter, index: int) -> None:
    type_ = t.around.context.functions[index]
    if index < t.around.imported:
        _call_import(t, type_, index)
    elif index in t.around.together:
        first = _first(t, type_)
        _check_call(t, index, first)
        arguments = _arguments(t, type_)
        fp = t.slot(first)
        result = t.let(f"call {frame_type(type_)} @{t.callee(index)}({_actual(t, fp, type_, arguments)})")
        _returned(t, type_, first, fp, *_parts(t, type_, result))
    else:
        entry = t.let(f"call ptr @entry_of(ptr %ctx, i64 {t.around.number(index)})")
        _call_entry(t, type_, entry, Exit.CALL, str(index))


def _call_import(t: FunctionWriter, type_: FuncType, index: int) -> None:
    """Call a host function that native code can call; anything else is the driver's.

    The caller's frame is written only if the call does not come back; its place, which Python may ask for, is always.
    """
    entry = t.let(f"call ptr @entry_of(ptr %ctx, i64 {t.around.number(index)})")
    host = t.let(f"icmp eq i32 {_field(t, entry, FunctionField.INSTANCE, 'i32')}, {FOREIGN}")
    number = t.let(f"select i1 {host}, i64 {t.around.number(index)}, i64 0")  # 0 is none
    place = t.let(f"getelementptr ptr, ptr {t.context(Field.HOSTS)}, i64 {number}")
    record = t.let(f"load ptr, ptr {place}, align 8, !tbaa !3")
    ask = t.let(f"icmp eq ptr {record}, null")
    site = t.sites[t.offset]
    t.leave_if(ask, Exit.CALL, site, t.live[t.at], t.stack, str(index))
    first = _first(t, type_)
    fp = t.slot(first)
    for at, (argument, param) in enumerate(zip(_arguments(t, type_), type_.params, strict=True)):
        t.store_slot(at, argument, param, fp)
    own = t.let(f"call ptr @entry_of(ptr %ctx, i64 {t.number})")
    back = header(site + t.code.sites[site].size, first * SLOT_BYTES + COMPILED)
    word = t.let(f"add i64 {_field(t, own, FunctionField.CODE, 'i64')}, {back}")
    t.do(f"store i64 {word}, ptr {t.slot(len(type_.params), fp)}, align 8, !tbaa !4")
    call = f"i64 {t.context(Field.HOST)}(ptr %ctx, i64 {t.read('%fuel', 'i64')}, ptr {fp}, ptr {record})"
    status = t.let(f"call {call}")
    value = t.load_slot(0, type_.results[0], fp) if len(type_.results) == 1 else ""
    _returned(t, type_, first, fp, status, value)


def _first(t: FunctionWriter, type_: FuncType) -> int:
    """Slot of the callee's frame: where the first argument lies."""
    return t.operand_slot(len(t.stack) - len(type_.params))


def _arguments(t: FunctionWriter, type_: FuncType) -> list[str]:
    return t.pops(len(type_.params))


def _actual(t: FunctionWriter, fp: str, type_: FuncType, arguments: list[str]) -> str:
    values = [f"{LLVM_TYPES[kind]} {value}" for kind, value in zip(type_.params, arguments, strict=True)]
    return ", ".join([CONTEXT, f"i64 {t.read('%fuel', 'i64')}", f"ptr {fp}", *values])


def _parts(t: FunctionWriter, type_: FuncType, result: str) -> tuple[str, str]:
    """Fuel or status, and the result, of a call."""
    kind = frame_type(type_)
    if kind == "i64":
        return result, ""
    return t.let(f"extractvalue {kind} {result}, 0"), t.let(f"extractvalue {kind} {result}, 1")


def _check_call(t: FunctionWriter, index: int, first: int) -> None:
    """Trap where the frame of a callee in the unit does not fit the guest's stack.

    Who calls the copy of a twin asks for it and for what it calls, and leaves the call to the interpreter where that
    may not fit: so there is one test for two calls.
    """
    frame = t.around.codes[index].layout.slots * SLOT_BYTES
    if t.callee(index) != entry_symbol(index):
        beyond = _beyond(t, first, str(t.around.reach(index)))
        t.leave_if(beyond, Exit.CHANGED, t.sites[t.offset], t.live[t.at], t.stack)
    elif not (t.inner and index == t.function.index):
        t.trap_if(_beyond(t, first, str(frame)), TrapKind.CALL_STACK_EXHAUSTED)


def _beyond(t: FunctionWriter, first: int, size: str) -> str:
    """Whether the guest's stack ends before so many bytes from a slot."""
    end = t.let(f"getelementptr i8, ptr {t.slot(first)}, i64 {size}")
    return t.let(f"icmp ugt ptr {end}, {t.context(Field.STACK_END)}")


def _returned(t: FunctionWriter, type_: FuncType, first: int, fp: str, status: str, value: str) -> None:
    """After a call: on, or out."""
    name = t.name()
    below = t.let(f"icmp slt i64 {status}, 0")  # a status, or fuel that is used up but not tested yet
    t.do(f"br i1 {below}, label %below{name}, label %warm{name}{_RARE}")
    with t.aside():
        t.label(f"below{name}")
        t.do(f"br i1 {t.let(f'icmp slt i64 {status}, {LIMIT}')}, label %cold{name}, label %warm{name}")
        t.label(f"cold{name}")
        catch(t, status)
        site = t.sites[t.offset]
        t.spill(t.live[t.at + 1], t.stack)
        header = t.slot(len(type_.params), fp)
        back = site + t.code.sites[site].size
        place = f"i64 {t.number}, i64 {back}, i64 {first * SLOT_BYTES}"
        t.out_by("pass", f"ptr %ctx, i64 {status}, ptr {header}, {place}")
    t.label(f"warm{name}")
    t.write("%fuel", "i64", status)
    t.load_size()
    if len(type_.results) == 1:
        t.push(value, type_.results[0])
    else:
        for at, kind in enumerate(type_.results):
            t.push(t.load_slot(at, kind, fp), kind)


def _call_entry(t: FunctionWriter, type_: FuncType, entry: str, status: int, aux: str) -> None:
    """Call what an entry of the function table names: compiled code, else the interpreter; the driver is asked about a
    function that was never called.
    """
    first, operands = _first(t, type_), list(t.stack)
    size = t.let(f"zext i32 {_field(t, entry, FunctionField.SLOTS, 'i32')} to i64")
    t.trap_if(_beyond(t, first, size), TrapKind.CALL_STACK_EXHAUSTED)
    native = _field(t, entry, FunctionField.NATIVE, "ptr")
    arguments = _arguments(t, type_)
    fp, name, kind = t.slot(first), t.name(), frame_type(type_)
    status_at = t.variable("%status", "i64")
    single = type_.results[0] if len(type_.results) == 1 else None
    result_at = t.variable(f"%result.{LLVM_TYPES[single]}", LLVM_TYPES[single]) if single is not None else ""
    t.do(f"br i1 {t.let(f'icmp eq ptr {native}, null')}, label %slow{name}, label %fast{name}{_RARE}")
    t.label(f"fast{name}")
    result = t.let(f"call {kind} {native}({_actual(t, fp, type_, arguments)})")
    given, value = _parts(t, type_, result)
    t.write(status_at, "i64", given)
    if single is not None:
        t.write(result_at, LLVM_TYPES[single], value)
    t.do(f"br label %met{name}")
    with t.aside():
        t.label(f"slow{name}")
        never = t.let(f"icmp eq i64 {_field(t, entry, FunctionField.CODE, 'i64')}, 0")
        t.leave_if(never, status, t.sites[t.offset], t.live[t.at], operands, aux)
        for at, (argument, param) in enumerate(zip(arguments, type_.params, strict=True)):
            t.store_slot(at, argument, param, fp)
        fuel = t.read("%fuel", "i64")
        given = t.let(f"call i64 @run(ptr %ctx, i64 {fuel}, ptr {fp}, i64 {len(type_.params)}, ptr {entry})")
        t.write(status_at, "i64", given)
        if single is not None:
            t.write(result_at, LLVM_TYPES[single], t.load_slot(0, single, fp))
        t.do(f"br label %met{name}")
    t.label(f"met{name}")
    value = t.read(result_at, LLVM_TYPES[single]) if single is not None else ""
    _returned(t, type_, first, fp, t.read(status_at, "i64"), value)


def _field(t: FunctionWriter, entry: str, field: int, kind: str) -> str:
    place = t.let(f"getelementptr i8, ptr {entry}, i64 {int(field)}")
    return t.let(f"load {kind}, ptr {place}, align 4, !tbaa !3")


def _call_indirect(t: FunctionWriter, index: int, table: int) -> None:
    """Type and instance are one comparison; entry 0, which an element that is null names, has the type of none."""
    type_ = t.around.context.types[index]
    element = t.pop()
    number = _element(t, table, element, TrapKind.UNDEFINED_ELEMENT)
    entry = t.let(f"call ptr @entry_of(ptr %ctx, i64 {number})")
    name, key = t.name(), t.around.types[index] | t.around.instance << 32
    other = t.let(f"icmp ne i64 {_field(t, entry, FunctionField.TYPE, 'i64')}, {key}")
    t.do(f"br i1 {other}, label %other{name}, label %known{name}{_RARE}")
    with t.aside():
        t.label(f"other{name}")
        t.trap_if(t.let(f"icmp eq i64 {number}, 0"), TrapKind.UNINITIALIZED_ELEMENT)
        wrong = t.let(f"icmp ne i32 {_field(t, entry, FunctionField.TYPE, 'i32')}, {t.around.types[index]}")
        t.trap_if(wrong, TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
        t.leave(Exit.CALL_INDIRECT, t.sites[t.offset], t.live[t.at], t.stack, number)
    t.label(f"known{name}")
    _call_entry(t, type_, entry, Exit.CALL_INDIRECT, number)


# Variables


def _local_get(t: FunctionWriter, index: int) -> None:
    value = t.read(*t.local(index))
    t.stack.append(Operand(value, t.function.locals[index], raw=index not in t.exact))


def _local_set(t: FunctionWriter, index: int) -> None:
    operand = t.take()
    if index in t.exact:
        t.write(*t.local(index), t.value(operand))
        return
    if not operand.raw and not operand.number:
        t.inexact.add(index)
    t.write(*t.local(index), t.raw_value(operand))


def _local_tee(t: FunctionWriter, index: int) -> None:
    _local_set(t, index)
    _local_get(t, index)


def _global_place(t: FunctionWriter, index: int) -> str:
    base = t.context(Field.GLOBALS)
    return t.let(f"getelementptr i64, ptr {base}, i64 {t.around.globals[index]}")


def _global_get(t: FunctionWriter, index: int) -> None:
    type_ = t.around.context.globals[index].type
    place = _global_place(t, index)
    t.push(t.let(f"load {LLVM_TYPES[type_]}, ptr {place}, align 8, !tbaa !5"), type_)


def _global_set(t: FunctionWriter, index: int) -> None:
    type_ = t.around.context.globals[index].type
    place, value, kind = _global_place(t, index), t.pop(), LLVM_TYPES[type_]
    if type_ is F32:
        value, kind = t.let(f"bitcast float {value} to i32"), "i32"
    if kind == "i32":
        value, kind = t.let(f"zext i32 {value} to i64"), "i64"
    t.do(f"store {kind} {value}, ptr {place}, align 8, !tbaa !5")


def _drop(t: FunctionWriter) -> None:
    t.drop_to(len(t.stack) - 1)


# Constants and references


def _i32(t: FunctionWriter, value: int) -> None:
    t.push(str(value), I32)


def _i64(t: FunctionWriter, value: int) -> None:
    t.push(str(value), I64)


def _f32(t: FunctionWriter, bits: int) -> None:
    t.stack.append(Operand(t.let(f"bitcast i32 {bits} to float"), F32, number=bits & 0x7FFF_FFFF <= 0x7F80_0000))


def _f64(t: FunctionWriter, bits: int) -> None:
    number = bits & ((1 << 63) - 1) <= 0x7FF0_0000_0000_0000
    t.stack.append(Operand(t.let(f"bitcast i64 {bits} to double"), F64, number=number))


def _ref_null(t: FunctionWriter, kind: ValueType) -> None:
    t.push("0", kind)


def _ref_func(t: FunctionWriter, index: int) -> None:
    t.push(str(t.around.number(index)), FUNCREF)


# Tables and memory


def _table(t: FunctionWriter, table: int) -> tuple[str, str]:
    """Elements of a table, and how many."""
    if table == 0:
        return t.context(Field.TABLE), t.context(Field.TABLE_SIZE, "i64")
    entry = t.let(f"getelementptr i8, ptr {t.context(Field.TABLES)}, i64 {16 * table}")
    count = t.let(f"getelementptr i8, ptr {entry}, i64 8")
    return (
        t.let(f"load ptr, ptr {entry}, align 8, !tbaa !3"),
        t.let(f"load i64, ptr {count}, align 8, !tbaa !3"),
    )


def _place(t: FunctionWriter, table: int, index: str, kind: TrapKind) -> str:
    """Address of an element that is there."""
    elements, count = _table(t, table)
    wide = t.let(f"zext i32 {index} to i64")
    t.trap_if(t.let(f"icmp uge i64 {wide}, {count}"), kind)
    return t.let(f"getelementptr i64, ptr {elements}, i64 {wide}")


def _element(t: FunctionWriter, table: int, index: str, kind: TrapKind) -> str:
    return t.let(f"load i64, ptr {_place(t, table, index, kind)}, align 8, !tbaa !6")


def _table_get(t: FunctionWriter, table: int) -> None:
    value = _element(t, table, t.pop(), TrapKind.OUT_OF_BOUNDS_TABLE)
    t.push(value, t.around.context.tables[table].element)


def _table_set(t: FunctionWriter, table: int) -> None:
    index, value = t.pops(2)
    t.do(f"store i64 {value}, ptr {_place(t, table, index, TrapKind.OUT_OF_BOUNDS_TABLE)}, align 8, !tbaa !6")


def _table_size(t: FunctionWriter, table: int) -> None:
    t.push(t.let(f"trunc i64 {_table(t, table)[1]} to i32"), I32)


def _memory_size(t: FunctionWriter, memory: int) -> None:
    pages = t.let(f"lshr i64 {t.read('%size', 'i64')}, 16")
    t.push(t.let(f"trunc i64 {pages} to i32"), I32)


def _bulk(t: FunctionWriter, *args: Any) -> None:
    """A bulk instruction of one chunk; longer ones are the driver's."""
    op = t.function.code[t.at].op
    site = t.sites[t.offset]
    before = list(t.stack)
    a, b, count = (t.let(f"zext i32 {value} to i64") for value in t.pops(3))
    long = t.let(f"icmp ugt i64 {count}, {BULK_CHUNK}")
    t.leave_if(long, Exit.STATE, site, t.live[t.at], before)
    for start in (a, b) if op.name in ("memory.copy", "memory.compare") else (a,):
        outside = t.let(f"icmp ugt i64 {t.let(f'add i64 {start}, {count}')}, {t.read('%size', 'i64')}")
        t.trap_if(outside, TrapKind.OUT_OF_BOUNDS_MEMORY)
    operands = {"a": a, "b": b, "d": count, "m": t.context(Field.MEMORY)}
    lines, results = expand(op, operands, f"n{t.name()}.", t.trap_lines)
    t.out += lines
    if "r" in results:
        t.push(results["r"], I32)
    charge = t.let(f"lshr i64 {count}, 6")
    left = t.let(f"sub i64 {t.read('%fuel', 'i64')}, {charge}")
    t.write("%fuel", "i64", left)
    charged = t.let(f"icmp ne i64 {charge}, 0")
    empty = t.let(f"and i1 {charged}, {t.let(f'icmp slt i64 {left}, 0')}")
    after = site + t.code.sites[site].size
    t.leave_if(empty, Exit.FUEL, after, t.live[t.at + 1], t.stack)


RULES: dict[str, Callable[..., None]] = {
    "nop": lambda t: None,
    "drop": _drop,
    "unreachable": _unreachable,
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "end": _end,
    "try_table": _try_table,
    "throw": throw,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": _call,
    "call_indirect": _call_indirect,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "i32.const": _i32,
    "i64.const": _i64,
    "f32.const": _f32,
    "f64.const": _f64,
    "ref.null": _ref_null,
    "ref.func": _ref_func,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "memory.size": _memory_size,
    **dict.fromkeys(("memory.copy", "memory.fill", "memory.compare", "memory.find"), _bulk),
    **dict.fromkeys(
        (
            "memory.grow",
            "memory.init",
            "data.drop",
            "table.init",
            "table.copy",
            "table.fill",
            "table.grow",
            "elem.drop",
        ),
        _state,
    ),
}
