"""The LLVM column made callable: every row that has one becomes a native function, compiled once.

In come rows and operands as raw bits, out come result bits and traps, for comparison with the Python column.  The text
is expanded as an engine expands it: temporaries and labels renamed, immediates put in, `trap_if` made a branch.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

import llvmlite.binding as llvm

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, OPS, Form, Immediate, Op, TrapKind, ValueType

IR_TYPES = {I32: "i32", I64: "i64", F32: "float", F64: "double", FUNCREF: "i64", EXTERNREF: "i64"}
OPERANDS = ("a", "b", "d")

ANY = (I32, I64, F32, F64)
# Rows whose signature depends on more than the row: what they are tried with.
POLYMORPHIC: dict[str, tuple[tuple[tuple[ValueType, ...], tuple[ValueType, ...]], ...]] = {
    "drop": tuple(((kind,), ()) for kind in (*ANY, FUNCREF)),
    "select": tuple(((kind, kind, I32), (kind,)) for kind in ANY),
    "select_typed": tuple(((kind, kind, I32), (kind,)) for kind in (*ANY, FUNCREF, EXTERNREF)),
    "ref.null": (((), (FUNCREF,)), ((), (EXTERNREF,))),
    "ref.is_null": (((FUNCREF,), (I32,)), ((EXTERNREF,), (I32,))),
}
# Immediates that the LLVM column uses as a value, with some to try; the others it does not see.
VALUES: dict[Immediate, tuple[int, ...]] = {
    Immediate.I32: (0, 1, -1, -(2**31), 2**31 - 1, 65),
    Immediate.I64: (0, 1, -1, -(2**63), 2**63 - 1, 1 << 33),
    Immediate.F32: (0, 0x8000_0000, 0x3F80_0000, 0x7FC0_0000, 0x7FA0_0001, 0xFF80_0000, 1),
    Immediate.F64: (0, 1 << 63, 0x3FF0 << 48, 0x7FF8 << 48, (0x7FF4 << 48) + 1, 0xFFF0 << 48, 1),
}


@dataclass(frozen=True)
class Case:
    """A row with its types settled and, where the LLVM column sees one, an immediate."""

    op: Op
    params: tuple[ValueType, ...]
    results: tuple[ValueType, ...]
    immediate: int | None = None

    def __str__(self) -> str:
        text = self.op.name
        if self.op.params is None:
            text += "." + "_".join(map(str, (*self.params[:1], *self.results)))
        return text if self.immediate is None else f"{text}.{self.immediate}"

    @property
    def outputs(self) -> tuple[ValueType, ...]:
        """Types of what the columns give: the results and, for CHECKED, the flag."""
        return (*self.results, I32) if self.op.form is Form.CHECKED else self.results


def cases(ops: Iterable[Op] | None = None) -> Iterator[Case]:
    """What there is to compile and to compare, for all rows but those that engines handle by name."""
    for op in OPS.values() if ops is None else ops:
        if op.form is Form.NAMED:
            continue
        values = next((VALUES[kind] for kind in op.immediates if kind in VALUES), (None,))
        signatures = POLYMORPHIC[op.name] if op.params is None or op.results is None else ((op.params, op.results),)
        for params, results in signatures:
            for value in values:
                yield Case(op, params, results, value)


_numbers = count()
_POINTERS = {Form.LOAD: "p", Form.STORE: "p", Form.BULK: "m"}
_NAME = re.compile(r"%([A-Za-z_][\w.]*)")
_LABEL = re.compile(r"^([A-Za-z_]\w*):$")
_TRAP = re.compile(r"^trap_if (%[\w.]+), (\w+)$")


def expand(case: Case) -> list[str]:
    """The lines of a row's LLVM column, with names of its own; `%r` and `%c` keep theirs."""
    number = next(_numbers)
    kept = {*OPERANDS[: len(case.params)], "r", "c", *_POINTERS.get(case.op.form, ())}
    polymorphic = IR_TYPES[case.params[0]] if case.params else ""

    def name(match: re.Match[str]) -> str:
        if match[1] == "i" and case.immediate is not None:
            return str(case.immediate)
        return match[0] if match[1] in kept else f"%{match[1]}.{number}"

    lines: list[str] = []
    for position, line in enumerate(case.op.llvm.splitlines()):
        text = re.sub(r"\bT\b", polymorphic, _NAME.sub(name, line.strip()))
        if match := _LABEL.match(text):
            if position == 0:
                lines.append(f"br label %{match[1]}.{number}")
            lines.append(f"{match[1]}.{number}:")
        elif match := _TRAP.match(text):
            lines += [
                f"br i1 {match[1]}, label %trap.{number}.{position}, label %on.{number}.{position}",
                f"trap.{number}.{position}:",
                f"ret i32 {TrapKind[match[2]].code}",
                f"on.{number}.{position}:",
            ]
        else:
            lines.append(text)
    return lines


def function(case: Case) -> list[str]:
    """`i32 f(ptr in, ptr out, ptr m)`: operands from slots of 8 bytes, results to such, a trap's number or 0."""
    op = case.op
    lines = [f'define i32 @"{case}"(ptr %in, ptr %out, ptr %m) {{']
    for index, kind in enumerate(case.params):
        lines.append(f"%in.{index} = getelementptr i64, ptr %in, i64 {index}")
        lines.append(f"%{OPERANDS[index]} = load {'i64' if op.form is Form.BULK else IR_TYPES[kind]}, ptr %in.{index}")
    if op.form in (Form.LOAD, Form.STORE):
        lines += ["%at = zext i32 %a to i64", "%p = getelementptr i8, ptr %m, i64 %at"]
    lines += expand(case)
    for index, (kind, defined) in enumerate(zip(case.outputs, op.yields, strict=True)):
        lines.append(f"%out.{index} = getelementptr i64, ptr %out, i64 {index}")
        if defined == "c":
            lines += [f"%flag = zext i1 %c to {IR_TYPES[kind]}", f"store {IR_TYPES[kind]} %flag, ptr %out.{index}"]
        else:
            lines.append(f"store {IR_TYPES[kind]} %r, ptr %out.{index}")
    return [*lines, "ret i32 0", "}"]


_DRIVER = """
define void @drive(ptr %f, ptr %in, ptr %out, ptr %status, ptr %m, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%j, %body]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %body, label %done
body:
  %slot = mul i64 %i, 4
  %in.i = getelementptr i64, ptr %in, i64 %slot
  %out.i = getelementptr i64, ptr %out, i64 %slot
  %status.i = getelementptr i32, ptr %status, i64 %i
  %code = call i32 %f(ptr %in.i, ptr %out.i, ptr %m)
  store i32 %code, ptr %status.i
  %j = add i64 %i, 1
  br label %loop
done:
  ret void
}
"""
_CALL = re.compile(r"call ([^@]+) (@llvm\.[\w.]+)\((.*)\)")


def declarations(text: str) -> list[str]:
    """Declarations of the intrinsics that a text calls."""
    found = {}
    for result, name, args in _CALL.findall(text):
        types = ", ".join(arg.split()[0] for arg in args.split(","))
        found[name] = f"declare {result} {name}({types})"
    return sorted(found.values())


@dataclass
class Compiled:
    """All rows, compiled."""

    cases: list[Case]
    engine: object = field(init=False)
    drive: ctypes._CFuncPtr = field(init=False)

    def __post_init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        body = "\n".join("\n".join(function(case)) for case in self.cases)
        module = llvm.parse_assembly("\n".join([*declarations(body), body, _DRIVER]))
        module.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
        )
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        pointers = [ctypes.c_void_p] * 5
        self.drive = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)(engine.get_function_address("drive"))
        self.engine = engine

    def run(
        self, case: Case, operands: list[tuple[int, ...]], memory: bytearray | None = None
    ) -> list[TrapKind | tuple[int, ...]]:
        """What the LLVM column gives for each tuple of operands: a trap, or the results' bits."""
        size = len(operands)
        slots = array("Q", (value for each in operands for value in (*each, 0, 0, 0, 0)[:4]))
        out, status = array("Q", bytes(32 * size)), array("i", bytes(4 * size))
        base = None if memory is None else (ctypes.c_char * len(memory)).from_buffer(memory)
        address = self.engine.get_function_address(str(case))  # type: ignore[attr-defined]  # llvmlite has no types
        self.drive(
            address,
            slots.buffer_info()[0],
            out.buffer_info()[0],
            status.buffer_info()[0],
            None if base is None else ctypes.addressof(base),
            size,
        )
        kinds = {kind.code: kind for kind in TrapKind}
        width = len(case.outputs)
        return [
            kinds[code] if code else tuple(out[4 * index : 4 * index + width]) for index, code in enumerate(status)
        ]
