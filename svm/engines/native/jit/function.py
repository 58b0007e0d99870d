"""One function's text: the pass over its instructions, the ways in and the ways out."""

from __future__ import annotations

from svm.engines.native.context import Exit, Field
from svm.engines.native.expand import LLVM_TYPES
from svm.engines.native.jit.control import RULES, begin_else, finish
from svm.engines.native.jit.entered import write_entered
from svm.engines.native.jit.frames import frame_type, zero_of
from svm.engines.native.jit.versions import write_copy
from svm.engines.native.jit.writer import Around, Control, FunctionWriter, inner_symbol
from svm.isa import F32, F64
from svm.module import Instruction, ValidFunction
from svm.module.checked import FUNCTION

__all__ = ["symbol", "translate"]

_CALLS = frozenset(("call", "call_indirect"))

_MOST_PASSES = 8
"""Translations of one function, before all locals are taken to be exact."""


def symbol(function: ValidFunction, loop: int | None = None) -> str:
    """Name of a function's code, or of its code as entered at a loop."""
    return f"f{function.index}" if loop is None else f"o{function.index}.{loop}"


def translate(around: Around, function: ValidFunction, loop: int | None = None, *, inner: bool = False) -> str:
    """LLVM IR of a function; with a loop's key, as it is entered at the loop's start with the frame's contents; inner:
    of the copy that a twin calls.

    Which locals are exact is only seen by translating, so a function with floats may be translated more than once,
    where NaNs are to be canonical; else all are.
    """
    params = len(function.type.params) if around.canonical_nans else len(function.locals)
    exact = frozenset(at for at, type_ in enumerate(function.locals) if at < params or type_ not in (F32, F64))
    for passes in range(_MOST_PASSES + 1):
        writer = FunctionWriter(around, function, loop, exact, inner)
        text = _text(writer)
        if not writer.inexact:
            break
        exact |= writer.inexact if passes < _MOST_PASSES - 1 else frozenset(range(len(function.locals)))
    return text


def _text(writer: FunctionWriter) -> str:
    _enter(writer)
    writer.controls.append(Control(writer.function.blocks[FUNCTION], FUNCTION, [], False))
    if writer.loop is None:
        _write(writer, 0, len(writer.function.code))
    else:
        write_entered(writer, writer.loop, _write)
    return _finished(writer)


def _write(writer: FunctionWriter, first: int, last: int) -> None:
    """Instructions from an index to another."""
    code = writer.function.code
    for at in range(first, last):
        item = code[at]
        writer.at, writer.offset = at, item.offset
        if not writer.reachable:
            _pass_by(writer, item)
        elif item.op.name in RULES:
            RULES[item.op.name](writer, *item.args)
            if item.op.name == "loop":
                write_copy(writer, at, _write)
        else:
            writer.row(item.op, item.args)


_DEAD = Control.dead()


def _pass_by(writer: FunctionWriter, item: Instruction) -> None:
    """An instruction that control never comes to: only the structure matters."""
    name, controls = item.op.name, writer.controls
    if name in ("block", "loop", "if", "try_table"):
        controls.append(_DEAD)
    elif controls[-1] is _DEAD:
        if name == "end":
            controls.pop()
    elif name == "else":
        begin_else(writer)
    elif name == "end":
        finish(writer)


def _enter(writer: FunctionWriter) -> None:
    """The way in: parameters to variables, the charge, the tests."""
    for name, kind in (("%fuel", "i64"), ("%size", "i64"), ("%why", "i32")):
        writer.variable(name, kind)
    writer.write("%fuel", "i64", "%given")
    if writer.loop is not None:
        writer.load_size()
        return
    function, charges = writer.function, writer.code.charges
    params = len(function.type.params)
    for index, type_ in enumerate(function.locals):
        variable, kind = writer.local(index)
        writer.write(variable, kind, f"%p{index}" if index < params else zero_of(type_))
    left = writer.charge(charges.entry)
    live = (1 << params) - 1
    if not writer.inner and any(item.op.name in _CALLS for item in function.code):
        here = writer.let("call ptr @llvm.addressofreturnaddress.p0()")
        low = writer.let(f"icmp ult ptr {here}, {writer.context(Field.NATIVE_LIMIT)}")
        writer.leave_if(low, Exit.SPILLED, 0, live, ())
    if charges.entry_test:
        writer.leave_if(writer.let(f"icmp slt i64 {left}, 0"), Exit.FUEL, 0, live, ())
    writer.load_size()


def _finished(writer: FunctionWriter) -> str:
    """The whole text: variables, the body, the ways out."""
    type_ = writer.function.type
    warm, writer.out = writer.out, []
    _return(writer)
    _stop(writer)
    lines = [f"{name} = alloca {kind}, align 8" for name, kind in writer.variables.items()]
    lines += [*warm, *writer.out, *writer.cold]
    params = ""
    if writer.loop is None:
        params = "".join(f", {LLVM_TYPES[kind]} %p{at}" for at, kind in enumerate(type_.params))
    name = inner_symbol(writer.function.index) if writer.inner else symbol(writer.function, writer.loop)
    linkage, inlined = ("internal ", " alwaysinline") if writer.inner else ("", "")
    given = f"ptr noalias swiftself %ctx, i64 %given, ptr %fp{params}"
    return (
        f"define {linkage}{frame_type(type_)} @{name}({given}) nounwind{inlined} {{\nentry:\n"
        + "\n".join(lines)
        + "\n}\n"
    )


def _return(writer: FunctionWriter) -> None:
    """Give the results back: one as a value, more on the guest's stack."""
    types = writer.function.type.results
    result = frame_type(writer.function.type)
    writer.label("return")
    kinds = [LLVM_TYPES[kind] for kind in types]
    values = [writer.read(writer.variable(f"%b{FUNCTION}.{at}", kind), kind) for at, kind in enumerate(kinds)]
    fuel = writer.read("%fuel", "i64")
    if len(values) == 1:
        first = writer.let(f"insertvalue {result} poison, i64 {fuel}, 0")
        both = writer.let(f"insertvalue {result} {first}, {kinds[0]} {values[0]}, 1")
        writer.do(f"ret {result} {both}")
        return
    for at, (value, type_) in enumerate(zip(values, types, strict=True)):
        writer.store_slot(at, value, type_)
    writer.do(f"ret i64 {fuel}")


def _stop(writer: FunctionWriter) -> None:
    """The way out of traps: nothing of the frame is needed but where it stands."""
    writer.label("stop")
    fuel, why = writer.read("%fuel", "i64"), writer.read("%why", "i32")
    writer.out_by("stop", f"ptr %ctx, i64 {fuel}, ptr %fp, i64 {writer.number}, i32 {why}")
