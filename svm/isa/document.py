"""`docs/isa.md`, the reference of the instruction set, from the table.

In comes the table, out goes Markdown.  `python -m svm.isa.document` writes the file; a test compares it with the table.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from svm.isa.op import Form, Immediate, Op
from svm.isa.rows import control, conversion, floating, integer, memory
from svm.isa.table import CHAPTERS, OPS, RESERVED
from svm.isa.trap import TrapKind
from svm.isa.version import VERSION

__all__ = ["render", "write"]

_ROWS: tuple[ModuleType, ...] = (control, conversion, floating, integer, memory)
_SHORT = 52  # characters of a meaning that a table's cell can hold

_HEAD = """\
# The instruction set

Version {version}, {count} instructions. **Generated from the table in `svm/isa/` by `make docs`; do not edit.**

Instructions that WebAssembly core 2.0 has are WebAssembly's, in code, encoding, types, traps and result, all but
SIMD. `throw` and `try_table` are those of its exception-handling proposal, without exception references. Ours stand
behind the prefix `E0`, which WebAssembly does not use. How modules hold code is told in [svmb.md](svmb.md), how code
is written as text in [svmt.md](svmt.md), and how to add an instruction in [new-instruction.md](new-instruction.md).

## Reading the tables

**Code** is the first byte in hexadecimal; after a prefix byte (`E0`, `FC`) comes a number, written as LEB128 in the
file. **Instruction** is the name and, in italics, its immediates in the order in which they are encoded.
**Signature** is what it takes from the stack and what it leaves there, the top on the right; `…` where that depends
on immediates or on what is around. **Fuel** is the static charge, before what an instruction charges by length.

**Python** is the meaning by which the reference engine goes, the oracle: operands `a`, `b`, `d` from the bottom, then
immediates `i`, all of them unsigned integers of their type's width (floats by their bits); `s32`, `s64`, `f32`, `f64`
read bits as a signed integer or a float, `M32` and `M64` are the greatest unsigned ones. **LLVM** is the meaning that
native engines compile: `%r` is the result, `%c` a result that is a truth value. A meaning that is too long for a cell
is in the table's source; an instruction with none in either column is one that each engine handles by name.

### Types

`i32` `i64` are integers without a sign of their own, `f32` `f64` are IEEE 754 floats, `funcref` `externref` are
references to functions and to objects of the host, or null. An operation gives the canonical NaN (`7fc00000`,
`7ff8000000000000`): with the option `canonical_nans` in every engine, without it compiled code may give any, as
WebAssembly allows. What only moves bits (`abs`, `neg`, `copysign`, `reinterpret`, loads, stores) keeps a NaN's bits.
"""

_RESERVED = "WebAssembly gives these to features that svm lacks. A body with one is refused by the name of the feature."

_IMMEDIATES: dict[Immediate, tuple[str, str]] = {
    Immediate.BLOCK: ("`40` for nothing, a value type, or a type index as signed LEB128 of 33 bits", "type of a block"),
    Immediate.LABEL: ("unsigned LEB128 of 32 bits", "how many blocks outward: 0 is the innermost"),
    Immediate.LABELS: ("count, then that many labels", "labels to choose from"),
    Immediate.FUNCTION: ("unsigned LEB128 of 32 bits", "index of a function, imports first"),
    Immediate.TYPE: ("unsigned LEB128 of 32 bits", "index of a function type"),
    Immediate.TABLE: ("unsigned LEB128 of 32 bits", "index of a table, imports first"),
    Immediate.LOCAL: ("unsigned LEB128 of 32 bits", "index of a local, parameters first"),
    Immediate.GLOBAL: ("unsigned LEB128 of 32 bits", "index of a global, imports first"),
    Immediate.MEMORY: ("`00`", "there is one memory"),
    Immediate.DATA: ("unsigned LEB128 of 32 bits", "index of a data segment"),
    Immediate.ELEMENT: ("unsigned LEB128 of 32 bits", "index of an element segment"),
    Immediate.TAG: ("unsigned LEB128 of 32 bits", "index of an exception tag, imports first"),
    Immediate.I32: ("signed LEB128 of 32 bits", "a constant"),
    Immediate.I64: ("signed LEB128 of 64 bits", "a constant"),
    Immediate.F32: ("4 bytes, little-endian", "a constant"),
    Immediate.F64: ("8 bytes, little-endian", "a constant"),
    Immediate.MEMARG: (
        "two unsigned LEB128 of 32 bits: alignment as exponent of 2, offset",
        "the address is operand + offset, without wrapping; alignment is a hint, at most the natural one",
    ),
    Immediate.REFTYPE: ("a value type", "`funcref` or `externref`"),
    Immediate.TYPES: ("count, then that many value types", "types of the operands chosen from"),
    Immediate.CATCHES: (
        "count, then `00` tag label (`catch`) or `02` label (`catch_all`)",
        "where exceptions go; the labels count from outside of the block",
    ),
}

_FORMS: dict[Form, str] = {
    Form.LOAD: "An instruction that reads memory traps with `out of bounds memory access` if any byte lies outside.",
    Form.STORE: "One that writes does so too, and then writes nothing.",
    Form.BULK: (
        "One over ranges checks all of them before it begins, even where the length is 0, charges by length, "
        "and can pause on its way."
    ),
    Form.CHECKED: (
        "One that throws a tag does so where its last result, a flag that never reaches the stack, is set."
    ),
}


def _table(*rows: Iterable[str]) -> Iterator[str]:
    """A Markdown table; the first row is its head."""
    for number, row in enumerate(rows):
        cells = list(row)
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield "|" + "---|" * len(cells)


def _code(text: str) -> str:
    """Text as code in a table's cell."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if text else ""


def _python_meanings() -> dict[str, str]:
    """The Python column's source by instruction, where it is short: a lambda's body, or a function's name."""
    found: dict[str, str] = {}
    for module in _ROWS:
        source = inspect.getsource(module)
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Name(id="row"), args=[_, ast.Constant(value=str(name)), _, meaning, *_]):
                    found[name] = _source(source, meaning)
    return found


def _source(text: str, meaning: ast.expr) -> str:
    if isinstance(meaning, ast.Constant):
        return ""
    if isinstance(meaning, ast.Lambda):
        body = " ".join((ast.get_source_segment(text, meaning.body) or "").split())
        return "" if body == "None" or len(body) > _SHORT else body
    return f"{ast.unparse(meaning)}(…)"


def _llvm_meaning(op: Op) -> str:
    return op.llvm if "\n" not in op.llvm and len(op.llvm) <= _SHORT + 12 else ""


def _bytes(code: int) -> str:
    return f"`{code:02X}`" if code < 0x100 else f"`{code >> 8:02X} {code & 0xFF:02X}`"


def _instruction(op: Op) -> str:
    return " ".join([f"`{op.name}`", *(f"*{kind.value}*" for kind in op.immediates)])


def _chapter(name: str, ops: tuple[Op, ...], meanings: dict[str, str]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    rows = [
        (
            _bytes(op.code),
            _instruction(op),
            op.signature.replace("->", "→"),
            op.doc,
            _code(meanings.get(op.name, "")),
            _code(_llvm_meaning(op)),
            str(op.cost),
        )
        for op in ops
    ]
    head = ("Code", "Instruction", "Signature", "Meaning", "Python", "LLVM", "Fuel")
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    yield from _table(*([row[column] for column in kept] for row in (head, *rows)))
    yield ""


def render() -> str:
    """The text of `docs/isa.md`."""
    meanings = _python_meanings()
    lines = [_HEAD.format(version=VERSION, count=len(OPS))]
    lines += ["### Immediates", ""]
    lines += _table(
        ("Immediate", "Encoding", "Meaning"),
        *((f"*{kind.value}*", *_IMMEDIATES[kind]) for kind in Immediate),
    )
    lines += ["", "### Memory, tags and traps", "", " ".join(_FORMS.values()), ""]
    traps = ((f"`{kind.name}`", str(kind.code), kind.message) for kind in TrapKind)
    lines += [*_table(("Trap", "Number", "Words"), *traps), ""]
    for name, ops in CHAPTERS.items():
        lines += _chapter(name, ops, meanings)
    lines += ["## Reserved codes", "", _RESERVED, ""]
    lines += _table(("Code", "Feature"), *((f"`{code:02X}`", feature) for code, feature in sorted(RESERVED.items())))
    return "\n".join(lines) + "\n"


def write(path: Path) -> None:
    """Write the reference to a file."""
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    target = Path("docs/isa.md")
    write(target)
    print(f"wrote {target}")
