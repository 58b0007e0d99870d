"""A unit of compilation: functions that call each other directly, as one module of IR.

Besides each function a unit has a handler for it, in the interpreter's own convention: put in the place of the first
handler of the function's code, it runs the compiled code instead, whoever calls.  For a loop that is entered while it
runs there is such a handler in the place of the loop's first.
"""

from __future__ import annotations

from svm.engines.native.context import LIMIT, Exit, Field, status_of
from svm.engines.native.expand import LLVM_TYPES, declarations
from svm.engines.native.jit.compiled import handler_symbol
from svm.engines.native.jit.frames import CONTEXT, HANDLER, HELPERS, METADATA, frame_type, handler_arguments, ways_out
from svm.engines.native.jit.function import symbol, translate
from svm.engines.native.jit.writer import Around
from svm.isa import F32, F64, FuncType
from svm.limits import PAGE
from svm.module import ValidFunction

__all__ = ["unit_ir"]

_MOST_MEMORY = 1 << 40
_CALLER = (("code", Field.CODE, "ptr"), ("memory", Field.MEMORY, "ptr"), ("size", Field.MEMORY_SIZE, "i64"))
"""What the interpreter needs to go on in the caller."""


def unit_ir(around: Around, functions: list[ValidFunction], entered: tuple[ValidFunction, int] | None = None) -> str:
    """IR of functions, and of one as it is entered at the start of a loop (by its key)."""
    bodies = functions if entered is None else [*functions, entered[0]]
    parts = [HELPERS, ways_out(function.type for function in bodies)]
    for function in functions:
        parts += [translate(around, function), _enter(around, function, None)]
        if function.index in around.twins:
            parts.append(translate(around, function, inner=True))
    if entered is not None:
        parts += [translate(around, *entered), _enter(around, *entered)]
    body = "".join(parts)
    least = around.context.memories[0].minimum * PAGE if around.context.memories else 0
    size = f"!7 = !{{i64 {least}, i64 {_MOST_MEMORY}}}\n"
    found = "\n".join(declarations(body))
    return f'target triple = "x86_64-unknown-linux-gnu"\n{found}\n{body}{METADATA}{size}'


def _enter(around: Around, function: ValidFunction, loop: int | None) -> str:
    """The handler that enters a function, or one of its loops, and returns to the caller in the interpreter."""
    type_, code = function.type, around.codes[function.index]
    lines: list[str] = []
    arguments = [CONTEXT, "i64 %given", "ptr %fp"]
    cost = code.charges.entry if loop is None else 0  # the caller took it, and the function will again
    lines.append(f"%given = add i64 %fuel, {cost}")
    lines.append(f"%h = getelementptr i64, ptr %fp, i64 {len(type_.params)}")
    lines.append("%header = load i64, ptr %h, align 8, !tbaa !4")  # now, for results may take its place
    if loop is None:
        for at, kind in enumerate(type_.params):
            lines.append(f"%q{at} = getelementptr i64, ptr %fp, i64 {at}")
            lines.append(f"%a{at} = load {LLVM_TYPES[kind]}, ptr %q{at}, align 8, !tbaa !4")
            arguments.append(f"{LLVM_TYPES[kind]} %a{at}")
    result = frame_type(type_)
    name = symbol(function, loop)
    lines.append(f"%result = call {result} @{name}({', '.join(arguments)})")
    lines.append("%left = extractvalue " + result + " %result, 0" if result != "i64" else "%left = add i64 %result, 0")
    lines += [
        f"%bad = icmp slt i64 %left, {LIMIT}",
        "br i1 %bad, label %stop, label %go, !prof !0",
        "stop:",
        f"%thrown = icmp eq i64 %left, {status_of(Exit.THROWN)}",
        f"%status = select i1 %thrown, i64 {status_of(Exit.THROW)}, i64 %left",
        f"%why = sub i64 {status_of(0)}, %status",
        f"%rest.p = getelementptr i8, ptr %ctx, i64 {Field.FUEL}",
        "%rest = load i64, ptr %rest.p, align 8, !tbaa !3",
        "call void @count(ptr %ctx, i64 %given, i64 %rest)",
        "ret i64 %why",
        "go:",
        "call void @count(ptr %ctx, i64 %given, i64 %left)",
        *_give(type_, result),
        "%back = and i64 %header, 4294967295",
        "%delta = lshr i64 %header, 32",
        "%down = sub i64 0, %delta",
        "%caller = getelementptr i8, ptr %fp, i64 %down",
    ]
    for name, field, type_name in _CALLER:
        lines.append(f"%{name}.p = getelementptr i8, ptr %ctx, i64 {int(field)}")
        lines.append(f"%{name} = load {type_name}, ptr %{name}.p, align 8, !tbaa !3")
    going_on = handler_arguments("%next", "%caller", "%memory", "%size", "%left")
    lines += [
        "%next = getelementptr i8, ptr %code, i64 %back",
        "%handler = load ptr, ptr %next, align 8",
        f"%done = musttail call preserve_nonecc i64 %handler({going_on})",
        "ret i64 %done",
    ]
    body = "\n".join(lines)
    return f"define preserve_nonecc i64 @{handler_symbol(function.index, loop)}({HANDLER}) nounwind {{\n{body}\n}}\n"


def _give(type_: FuncType, result: str) -> list[str]:
    """Put a single result where the caller's operands are; more than one are there already."""
    if result == "i64":
        return []
    kind = type_.results[0]
    lines = [f"%value = extractvalue {result} %result, 1"]
    value, stored = "%value", LLVM_TYPES[kind]
    if kind is F32:
        lines.append("%bits = bitcast float %value to i32")
        value, stored = "%bits", "i32"
    if stored == "i32":
        lines.append(f"%wide = zext i32 {value} to i64")
        value, stored = "%wide", "i64"
    lines.append(f"store {stored if kind is not F64 else 'double'} {value}, ptr %fp, align 8, !tbaa !4")
    return lines
