"""The LLVM column of a row, made part of a function.

In come the row's text IR and names for its operands; out come lines with every temporary and label renamed, its traps
made branches, and the names of its results.  See `svm.isa.op` for the column's conventions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from svm.isa import F32, F64, I32, I64, Op, TrapKind, ValueType

__all__ = ["LLVM_TYPES", "declarations", "expand"]

LLVM_TYPES = {I32: "i32", I64: "i64", F32: "float", F64: "double", ValueType.FUNCREF: "i64", ValueType.EXTERNREF: "i64"}

_NAME = re.compile(r"%([A-Za-z_]\w*)")
_LABEL = re.compile(r"^(\w+):$", re.MULTILINE)
_CALL = re.compile(r"call (\{[^}]*\}|\w+) @([\w.]+)\(([^)]*)\)")
_TRAP = re.compile(r"trap_if %(\w+), (\w+)")


def expand(
    op: Op,
    operands: Mapping[str, str],
    prefix: str,
    trap: Callable[[str, TrapKind, str], list[str]],
    polymorphic: str = "i64",
) -> tuple[list[str], dict[str, str]]:
    """Lines of a row's meaning, and its results by their names in the column (`r`, `c`).

    operands: value for each name of the column that is not the column's own (`a`, `b`, `d`, `i`, `p`, `m`).  prefix:
    what all its temporaries begin with.  trap: lines that leave if an i1 holds, for a reason, else go on at a label
    of the given name.
    """
    body = op.llvm.replace("T %", f"{polymorphic} %")
    labels = set(_LABEL.findall(body))

    def rename(match: re.Match[str]) -> str:
        name = match[1]
        return operands.get(name, f"%{prefix}{name}")

    lines: list[str] = []
    if labels:
        first = next(iter(_LABEL.findall(body)))
        lines.append(f"br label %{prefix}{first}")
    for number, line in enumerate(body.splitlines()):
        found = _TRAP.match(line)
        if found:
            lines += trap(f"%{prefix}{found[1]}", TrapKind[found[2]], f"{prefix}on{number}")
        elif _LABEL.match(line):
            lines.append(f"{prefix}{line}")
        else:
            lines.append(_NAME.sub(rename, line))
    return lines, {name: f"%{prefix}{name}" for name in op.yields}


def declarations(ir: str) -> list[str]:
    """Declarations of the intrinsics that a text of IR calls."""
    found: dict[str, str] = {}
    for result, name, arguments in _CALL.findall(ir):
        if name.startswith("llvm."):
            types = ", ".join(argument.rsplit(" ", 1)[0] for argument in arguments.split(", "))
            found[name] = f"declare {result} @{name}({types})"
    return [found[name] for name in sorted(found)]
