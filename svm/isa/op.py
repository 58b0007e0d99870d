"""What a row of the instruction table is.

A row has an explicit code, immediates, a stack signature, a Python meaning (the oracle), an LLVM meaning (shared by the
native tiers) and a line of documentation.  Decoder, encoder, text, validator, engines and docs iterate over the rows.

**Python column.**  A value is an unsigned integer of its type's width: floats by their bits (so that every NaN is
exact), references as store-wide indices with 0 for null.  PURE takes operands and then immediates and returns the
result; LOAD takes the bytes read; STORE takes the value and returns the bytes to write; BULK takes the memory and the
operands, already checked against its bounds.  A forbidden operand raises `Forbidden`.

**LLVM column.**  Text IR over `%a %b %d` (operands in order), which defines `%r` (the result) or `%c` (an i1 that is
the result, zero-extended where a number is wanted: an engine can branch on it as it is); two results are `%r` then
`%c`. `%i` is an immediate.  Other names are temporaries and labels that an engine renames.  LOAD and STORE access
`ptr %p`, already checked; BULK accesses `ptr %m` (memory base) with i64 operands.  `T` is the type of a polymorphic
operand.  A line `trap_if %x, KIND` traps where the i1 %x holds.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from svm.isa.types import ValueType
from svm.record import record

__all__ = ["Form", "Immediate", "Op", "row"]


class Form(Enum):
    """How an engine runs a row."""

    PURE = "operands to result, by the row's columns; may trap"
    CHECKED = "as PURE with a last result that is a flag: where it is set, the tag immediate is thrown instead"
    LOAD = "address to value: the engine checks bounds, the columns convert"
    STORE = "address and value to memory: the engine checks bounds, the columns convert"
    BULK = "over ranges of memory: the engine checks bounds, charges by length and runs it in chunks"
    NAMED = "control, calls and the guest's state: a closed set that each engine handles by name"


class Immediate(Enum):
    """Kinds of immediates.  In `Instruction.args` each is one value, a MEMARG two (alignment exponent, offset)."""

    BLOCK = "blocktype"  # None, a ValueType, or a type index
    LABEL = "label"
    LABELS = "labels"  # a tuple of labels; the default label is an immediate of its own
    FUNCTION = "func"
    TYPE = "type"
    TABLE = "table"
    LOCAL = "local"
    GLOBAL = "global"
    MEMORY = "memory"
    DATA = "data"
    ELEMENT = "elem"
    TAG = "tag"
    I32 = "i32"  # signed
    I64 = "i64"  # signed
    F32 = "f32"  # bits
    F64 = "f64"  # bits
    MEMARG = "memarg"
    REFTYPE = "reftype"
    TYPES = "types"  # a tuple of ValueTypes
    CATCHES = "catches"  # a tuple of ("catch", tag, label) and ("catch_all", label)


@record
class Op:
    """One row of the table.

    code: one byte, or prefix << 8 | number for a prefixed instruction.  params, results: None where the signature
    depends on immediates or is polymorphic (then `validate` names the instruction).  size: bytes accessed, for LOAD
    and STORE.
    cost: units of fuel, before what BULK charges by length.
    """

    code: int
    name: str
    form: Form
    immediates: tuple[Immediate, ...]
    params: tuple[ValueType, ...] | None
    results: tuple[ValueType, ...] | None
    python: Callable[..., Any] | None
    llvm: str
    doc: str
    size: int = 0
    cost: int = 1

    @property
    def signature(self) -> str:
        """`i32 i32 -> i32`, or `…` where it depends on more than the row."""
        if self.params is None or self.results is None:
            return "…"
        return " ".join([*map(str, self.params), "->", *map(str, self.results)])

    @property
    def yields(self) -> tuple[str, ...]:
        """Names that the LLVM column defines for the results: of `r` and `c`."""
        lines = self.llvm.splitlines()
        return tuple(name for name in ("r", "c") if any(line.startswith(f"%{name} =") for line in lines))

    def __repr__(self) -> str:
        return f"<Op {self.name} {self.code:#x}>"


_IMMEDIATES = {kind.value: kind for kind in Immediate}


def _types(text: str) -> tuple[ValueType, ...]:
    return tuple(ValueType[word.upper()] for word in text.split())


def row(
    code: int,
    name: str,
    signature: str,
    python: Callable[..., Any] | None,
    llvm: str,
    doc: str,
    *,
    form: Form = Form.PURE,
    immediates: str = "",
    size: int = 0,
    cost: int = 1,
) -> Op:
    """A row of the table; `signature` is `i32 i32 -> i32`, or `…` where immediates or context decide it."""
    params = results = None
    if signature != "…":
        left, _, right = signature.partition("->")
        params, results = _types(left), _types(right)
    kinds = tuple(_IMMEDIATES[word] for word in immediates.split())
    lines = [line.strip() for line in llvm.strip().splitlines()]
    return Op(code, name, form, kinds, params, results, python, "\n".join(lines), doc, size, cost)
