"""What compiled code and the interpreter say to each other: statuses, and the IR by which compiled code leaves.

A compiled function gives back the fuel that is left.  A result below `LIMIT` is a status instead: somewhere below it
code must stop, and has written into the context where (`leave`, `stop`); each frame on the way out then writes what it
holds, and its callee's header (`pass`), so that the interpreter finds frames of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from svm.engines.native.context import FUNCTION_ENTRY, Exit, Field, FunctionField, status_of
from svm.engines.native.expand import LLVM_TYPES
from svm.isa import F32, F64, FuncType, ValueType

__all__ = [
    "CONTEXT",
    "HANDLER",
    "HELPERS",
    "METADATA",
    "MOST_PARTS",
    "MOST_WORDS",
    "frame_type",
    "handler_arguments",
    "way_out",
    "ways_out",
    "where",
    "zero_of",
]

CONTEXT = "ptr swiftself %ctx"
"""The first argument of compiled code: in a register that callees preserve, so that it is nowhere saved or moved."""

HANDLER = "ptr %pc, ptr %fp, ptr %mem, i64 %msz, ptr %ctx, i64 %fuel, i64 %r0, double %f0, float %s0"
"""Parameters of a handler of the interpreter."""


def frame_type(type_: FuncType) -> str:
    """LLVM type of what a compiled function gives back; more than one result lies on the guest's stack."""
    return f"{{i64, {LLVM_TYPES[type_.results[0]]}}}" if len(type_.results) == 1 else "i64"


def zero_of(type_: ValueType) -> str:
    """A constant of a type, for where any will do."""
    return "0.0" if type_ in (F32, F64) else "0"


def handler_arguments(pc: str, fp: str, memory: str, size: str, fuel: str) -> str:
    """Arguments for a handler."""
    return f"ptr {pc}, ptr {fp}, ptr {memory}, i64 {size}, ptr %ctx, i64 {fuel}, i64 0, double 0.0, float 0.0"


HELPERS = f"""
define internal ptr @entry_of(ptr %ctx, i64 %number) alwaysinline nounwind {{
  %p = getelementptr i8, ptr %ctx, i64 {Field.FUNCTIONS}
  %table = load ptr, ptr %p, align 8, !tbaa !3
  %at = mul i64 %number, {FUNCTION_ENTRY}
  %entry = getelementptr i8, ptr %table, i64 %at
  ret ptr %entry
}}
define internal void @count(ptr %ctx, i64 %before, i64 %after) alwaysinline nounwind {{
  %p = getelementptr i8, ptr %ctx, i64 {Field.COMPILED_FUEL}
  %so_far = load i64, ptr %p, align 8, !tbaa !3
  %used = sub i64 %before, %after
  %sum = add i64 %so_far, %used
  store i64 %sum, ptr %p, align 8, !tbaa !3
  ret void
}}
define internal i64 @run(ptr %ctx, i64 %fuel, ptr %fp, i64 %params, ptr %entry) noinline nounwind {{
  %header = getelementptr i64, ptr %fp, i64 %params
  store i64 0, ptr %header, align 8, !tbaa !4
  %p = getelementptr i8, ptr %entry, i64 {FunctionField.COST}
  %cost = load i32, ptr %p, align 4, !tbaa !3
  %wide = zext i32 %cost to i64
  %left = sub i64 %fuel, %wide
  %q = getelementptr i8, ptr %entry, i64 {FunctionField.TEST}
  %test = load i32, ptr %q, align 4, !tbaa !3
  %tests = icmp ne i32 %test, 0
  %empty = icmp slt i64 %left, 0
  %pause = and i1 %tests, %empty
  %r = getelementptr i8, ptr %entry, i64 {FunctionField.CODE}
  %start = load i64, ptr %r, align 8, !tbaa !3
  br i1 %pause, label %out, label %in, !prof !0
out:
  %number.p = getelementptr i8, ptr %ctx, i64 {Field.PC}
  store i64 %start, ptr %number.p, align 8, !tbaa !3
  %s = getelementptr i8, ptr %ctx, i64 {Field.STACK}
  %stack = load i64, ptr %s, align 8, !tbaa !3
  %place = ptrtoint ptr %fp to i64
  %distance = sub i64 %place, %stack
  %t = getelementptr i8, ptr %ctx, i64 {Field.FP}
  store i64 %distance, ptr %t, align 8, !tbaa !3
  %u = getelementptr i8, ptr %ctx, i64 {Field.FUEL}
  store i64 %left, ptr %u, align 8, !tbaa !3
  call void @count(ptr %ctx, i64 %left, i64 %fuel)
  ret i64 {status_of(Exit.FUEL)}
in:
  %v = getelementptr i8, ptr %ctx, i64 {Field.CODE}
  %base = load ptr, ptr %v, align 8, !tbaa !3
  %pc = getelementptr i8, ptr %base, i64 %start
  %handler = load ptr, ptr %pc, align 8
  %w = getelementptr i8, ptr %ctx, i64 {Field.MEMORY}
  %mem = load ptr, ptr %w, align 8, !tbaa !3
  %x = getelementptr i8, ptr %ctx, i64 {Field.MEMORY_SIZE}
  %msz = load i64, ptr %x, align 8, !tbaa !3
  %why = call preserve_nonecc i64 %handler({handler_arguments("%pc", "%fp", "%mem", "%msz", "%left")})
  %y = getelementptr i8, ptr %ctx, i64 {Field.FUEL}
  %rest = load i64, ptr %y, align 8, !tbaa !3
  call void @count(ptr %ctx, i64 %rest, i64 %fuel)
  %done = icmp eq i64 %why, 0
  br i1 %done, label %back, label %stop
back:
  ret i64 %rest
stop:
  %status = sub i64 {status_of(0)}, %why
  ret i64 %status
}}
"""

_WORD_BITS, _PART_BITS = 20, 4
MOST_WORDS, MOST_PARTS = (1 << _WORD_BITS) - 1, (1 << _PART_BITS) - 1
"""The greatest place in a function's code, in words, and operation in a handler that the shared way out can be told."""


def where(position: int, part: int, code: int) -> int:
    """What the way out `stop` is told: the place, the operation in its handler, why; a number of 32 bits, for a greater
    one would take a register from what runs.
    """
    return position >> 3 | part << _WORD_BITS | code << _WORD_BITS + _PART_BITS


_WAYS_OUT = f"""
define internal RESULT @leave.NAME(ptr %ctx, i64 %fuel, ptr %fp, i64 %number, i64 %position, i64 %aux, i64 %why) #0 {{
  %entry = call ptr @entry_of(ptr %ctx, i64 %number)
  %code = getelementptr i8, ptr %entry, i64 {FunctionField.CODE}
  %start = load i64, ptr %code, align 8, !tbaa !3
  %pc = add i64 %start, %position
  %p = getelementptr i8, ptr %ctx, i64 {Field.PC}
  store i64 %pc, ptr %p, align 8, !tbaa !3
  %q = getelementptr i8, ptr %ctx, i64 {Field.STACK}
  %stack = load i64, ptr %q, align 8, !tbaa !3
  %place = ptrtoint ptr %fp to i64
  %distance = sub i64 %place, %stack
  %r = getelementptr i8, ptr %ctx, i64 {Field.FP}
  store i64 %distance, ptr %r, align 8, !tbaa !3
  %s = getelementptr i8, ptr %ctx, i64 {Field.FUEL}
  store i64 %fuel, ptr %s, align 8, !tbaa !3
  %t = getelementptr i8, ptr %ctx, i64 {Field.AUX}
  store i64 %aux, ptr %t, align 8, !tbaa !3
  %q.why = getelementptr i8, ptr %ctx, i64 {Field.WHY}
  store volatile i64 %why, ptr %q.why, align 8
  %status = load volatile i64, ptr %q.why, align 8
  RETURN
}}
define internal RESULT @stop.NAME(ptr %ctx, i64 %fuel, ptr %fp, i64 %number, i32 %where) #0 {{
  %all = zext i32 %where to i64
  %words = and i64 %all, {MOST_WORDS}
  %position = shl i64 %words, 3
  %upper = lshr i64 %all, {_WORD_BITS}
  %aux = and i64 %upper, {MOST_PARTS}
  %code = lshr i64 %upper, {_PART_BITS}
  %why = sub i64 {status_of(0)}, %code
  %result = call RESULT @leave.NAME(ptr %ctx, i64 %fuel, ptr %fp, i64 %number, i64 %position, i64 %aux, i64 %why)
  ret RESULT %result
}}
define internal RESULT @pass.NAME(ptr %ctx, i64 %why, ptr %header, i64 %number, i64 %position, i64 %delta) #0 {{
  %entry = call ptr @entry_of(ptr %ctx, i64 %number)
  %code = getelementptr i8, ptr %entry, i64 {FunctionField.CODE}
  %start = load i64, ptr %code, align 8, !tbaa !3
  %back = add i64 %start, %position
  %high = shl i64 %delta, 32
  %word = or i64 %back, %high
  store i64 %word, ptr %header, align 8, !tbaa !4
  %q.why = getelementptr i8, ptr %ctx, i64 {Field.WHY}
  store volatile i64 %why, ptr %q.why, align 8
  %status = load volatile i64, ptr %q.why, align 8
  RETURN
}}
"""
"""The status comes from memory, for a function whose result LLVM knows is not called as the last thing."""


def way_out(name: str, type_: FuncType, arguments: str) -> str:
    """Call of one of the ways out that `ways_out` gives, whose result a function of the type gives in its turn."""
    result = frame_type(type_)
    return f"tail call {result} @{name}.{_name(result)}({arguments})"


def ways_out(types: Iterable[FuncType]) -> str:
    """The ways out of functions of some types.  They give what these give, so that leaving is a jump, and a function
    that calls nothing else needs no frame on the machine's stack.
    """
    texts = []
    for result in sorted({frame_type(type_) for type_ in types}):
        end = f"ret {result} %status"
        if result != "i64":
            end = f"%given = insertvalue {result} poison, i64 %status, 0\n  ret {result} %given"
        texts.append(_WAYS_OUT.replace("RESULT", result).replace("RETURN", end).replace("NAME", _name(result)))
    return "".join(texts)


def _name(result: str) -> str:
    return result.strip("{}").replace(", ", ".")


METADATA = """
attributes #0 = { noinline cold nounwind }
!0 = !{!"branch_weights", i32 1, i32 1000000}
!1 = !{!"svm"}
!2 = !{!10, !10, i64 0}
!3 = !{!11, !11, i64 0}
!4 = !{!12, !12, i64 0}
!5 = !{!13, !13, i64 0}
!6 = !{!14, !14, i64 0}
!8 = distinct !{!8, !9, !16}
!9 = !{!"llvm.loop.vectorize.enable", i1 false}
!10 = !{!"memory", !1}
!11 = !{!"context", !1}
!12 = !{!"frame", !1}
!13 = !{!"global", !1}
!14 = !{!"table", !1}
!15 = !{!"branch_weights", i32 1, i32 100}
!16 = !{!"llvm.loop.unroll.disable"}
!17 = distinct !{!17, !16}
"""
"""Alias classes: memory, context, frame, globals and tables never overlap (TBAA).  `!8` is for a loop of which there is
a copy, for which LLVM does more, and `!17` for a copy that ends nobody knows when.
"""
