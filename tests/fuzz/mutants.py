"""Damaged files: `.svmb` and `.wasm`, changed blindly, by their structure, or as models that are written anew.

A mutant is made by its number alone.  Changes of sections keep all lengths right, so that what is damaged is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from svm.errors import Error
from svm.isa import OPS, Immediate, ValueType
from svm.module import Instruction, MemoryType, Module, TableType, decode_body, encode, encode_body
from svm.module.code import encode_instruction
from svm.module.leb import signed, unsigned
from svm.wasm import write
from tests.fuzz.generator import generate
from tests.fuzz.values import NUMBERS, number
from tests.module.corpus import corpus

__all__ = ["Mutant", "Seed", "mutant", "seeds"]

_ROOT = Path(__file__).parents[2]
_PROGRAMS = ("examples/stats.kr", "benchmarks/programs/fib.kr", "benchmarks/programs/heap_sort.kr")
_SMALL = 300  # generated seeds
_HEADER = 8  # bytes before the first section, in both formats
_BYTES = (0x00, 0x01, 0x02, 0x0B, 0x40, 0x41, 0x60, 0x6F, 0x70, 0x7F, 0x80, 0xD0, 0xE0, 0xFC, 0xFD, 0xFF)
_LENGTHS = (
    *map(unsigned, (0, 1, 2, 3, 127, 128, 255, 0xFFFF, 1_000_000, 10_000_001, 2**31 - 1, 2**31, 2**32 - 1)),
    *map(signed, (-1, -64, -65, -(2**31), 2**63 - 1, -(2**63))),
    b"\x80\x00", b"\x85\x80\x80\x80\x00", b"\xff\xff\xff\xff\x1f", b"\x80\x80\x80\x80\x80\x00", b"\xff" * 11,
)  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A good file.  suffix: of its name; model: what is in it."""

    suffix: str
    data: bytes
    model: Module


@dataclass(frozen=True)
class Mutant:
    """A file that is likely bad."""

    suffix: str
    data: bytes


@cache
def seeds() -> tuple[tuple[Seed, ...], tuple[Seed, ...]]:
    """Small files, and the few large ones that compilers make."""
    from krait import compile_file

    small = corpus()[:1] + corpus()[2:]
    for at in range(_SMALL):
        small += generate(at, modules=1 + at % 7 // 6, functions=1 + at % 3, size=4 + at % 10).modules
    large = [compile_file(_ROOT / path) for path in _PROGRAMS]
    return tuple(_files(small)), tuple(_files(large))


def _files(models: list[Module]) -> list[Seed]:
    made = [Seed("svmb", encode(model), model) for model in models]
    made += [Seed("wasm", write(model), model) for model in models]
    for version in (4, 5):  # as a compiler of C leaves a program: with debug information
        made += [Seed("wasm", seed.data + debug_sections(version), seed.model) for seed in made[-3:]]
    return made


def debug_sections(version: int) -> bytes:
    """Custom sections with a line table in DWARF: one unit, two files, some rows."""
    if version == 5:
        tables = b"\1\1\x08\2/src\0inc\0" + b"\2\1\x1f\2\x0b\2" + b"\0\0\0\0\0" + b"\4\0\0\0\1"
    else:
        tables = b"inc\0\0" + b"a.c\0\0\0\0" + b"b.h\0\1\0\0\0"
    lengths = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
    rest = bytes((1, 1, 1, 0xFB, 14, 13)) + lengths + tables
    rows = b"\0\5\2\3\0\0\0" + b"\3\x0a\1" + bytes((0x20, 0x4B, 0x83, 0xF2)) + b"\2\5\4\2\3\x7d\1\0\1\1"
    head = version.to_bytes(2, "little") + (b"\4\0" if version == 5 else b"")
    unit = head + len(rest).to_bytes(4, "little") + rest + rows
    line = len(unit).to_bytes(4, "little") + unit
    customs = ((b".debug_line", line), (b".debug_line_str", b"a.c\0b.h\0"))
    contents = [unsigned(len(name)) + name + data for name, data in customs]
    return b"".join(b"\0" + unsigned(len(content)) + content for content in contents)


def mutant(number_: int) -> Mutant:
    """The mutant of a number."""
    random = Random(number_)
    small, large = seeds()
    is_large = random.random() < 0.002
    seed = random.choice(large if is_large else small)
    choice = random.random() * (0.55 if is_large else 1.0)  # to write a large model takes too long
    if not is_large and choice > 0.997:
        return Mutant("svmb", encode(swollen(seed.model, random)))
    if choice < 0.2:
        return Mutant(seed.suffix, blind(seed.data, random, small))
    if choice < 0.55:
        return Mutant(seed.suffix, in_sections(seed.data, random, small))
    model = seed.model
    for _ in range(random.choice((1, 1, 2, 3))):
        model = random.choice(_MODEL_CHANGES)(model, random)
    try:
        data = encode(model) if seed.suffix == "svmb" else write(model)
    except (Error, IndexError):  # the writer takes valid modules; for others the other format must do
        return Mutant("svmb", encode(model))
    if choice > 0.97:
        data = in_sections(data, random, small)
    return Mutant(seed.suffix, data)


# Blindly


def blind(data: bytes, random: Random, others: tuple[Seed, ...]) -> bytes:
    """`data` with one to four changes: bits, bytes, integers, cuts, and pieces of itself or of another file."""
    out = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(out) + 1)
        match random.randrange(8):
            case 0:
                del out[at:]
            case 1:
                del out[at : at + random.randrange(9)]
            case 2:
                other = random.choice(others).data
                start = random.randrange(len(other))
                out[at : at + random.randrange(20)] = other[start : start + random.randrange(40)]
            case 3:
                out[at : at + 1] = random.choice(_LENGTHS)
            case 4:
                out[at:at] = random.randbytes(random.randrange(1, 9))
            case 5:
                out[at : at + 1] = bytes((random.choice(_BYTES),))
            case _:
                if at < len(out):
                    out[at] ^= 1 << random.randrange(8)
    return bytes(out)


# By sections


def sections(data: bytes) -> list[tuple[int, bytes]]:
    """Codes and contents of a good file's sections; what is no section is left out."""
    found, at = [], _HEADER
    while at < len(data):
        code, at = data[at], at + 1
        size = shift = 0
        while at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        found.append((code, data[at : at + size]))
        at += size
    return found


def in_sections(data: bytes, random: Random, others: tuple[Seed, ...]) -> bytes:
    """`data` with changes inside of sections, whose sizes stay right, or of their order, number and sizes."""
    found = sections(data)
    if not found:
        return blind(data, random, others)
    lies = -1
    at = random.randrange(len(found))
    match random.randrange(8):
        case 0:
            del found[at]
        case 1:
            found.insert(random.randrange(len(found) + 1), found[at])
        case 2:
            other = sections(random.choice(others).data)
            if other:
                found.insert(random.randrange(len(found) + 1), random.choice(other))
        case 3:
            lies = at
        case 4:
            code, content = found[at]
            count = random.choice(_LENGTHS)  # most sections begin with how many entries they have
            found[at] = (code, count + content[1:])
        case _:
            for _ in range(random.choice((1, 1, 2))):
                at = random.randrange(len(found))
                code, content = found[at]
                found[at] = (code, blind(content, random, others))
    out = bytearray(data[:_HEADER])
    for place, (code, content) in enumerate(found):
        size = random.choice(_LENGTHS) if place == lies else unsigned(len(content))
        out += bytes((code,)) + size + content
    return bytes(out)


# As models


def _in_body(model: Module, random: Random) -> Module:
    """Instructions of one function dropped, doubled, moved, replaced, or with other immediates."""
    if not model.functions:
        return model
    at = random.randrange(len(model.functions))
    function = model.functions[at]
    try:
        code = decode_body(function.body)
    except Error:
        return model
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randrange(len(code) + 1)
        other = random.randrange(len(code) + 1)
        match random.randrange(6):
            case 0:
                del code[place : place + random.choice((1, 1, 2, 5))]
            case 1:
                code[place:place] = code[other : other + random.choice((1, 1, 2, 8))]
            case 2:
                code[place : place + 1] = code[other : other + 1]
            case 3:
                code[place : place + random.randrange(2)] = [_any_instruction(random)]
            case _:
                if place < len(code):
                    code[place] = _alike(code[place], random)
    try:
        body = encode_body(code)
    except Error:
        return model
    functions = list(model.functions)
    functions[at] = replace(function, body=body)
    return replace(model, functions=tuple(functions))


def swollen(model: Module, random: Random) -> Module:
    """A few instructions of one function thousands of times, or many entries: what takes time in a square shows."""
    count = random.choice((500, 2_000, 4_000))
    name = random.choice(("functions", "functions", "functions", "types", "elements", "data", "globals", "imports"))
    items = list(getattr(model, name))
    if not items:
        return model
    at = random.randrange(len(items))
    if name == "functions":
        try:
            code = decode_body(items[at].body)
        except Error:  # a few of the good files hold bodies that are none
            return model
        first = random.randrange(len(code))
        last = min(first + random.choice((1, 1, 2, 3, 8)), len(code) - 1)
        piece = encode_body(code[first:last])
        count = min(count, _SWOLLEN // max(len(piece), 1))
        body = encode_body(code[:first]) + piece * count + encode_body(code[last:] or code[-1:])
        items[at] = replace(items[at], body=body)
    else:
        items[at:at] = [items[at]] * count
    changes: Any = {name: tuple(items)}
    return replace(model, **changes)


_SWOLLEN = 8_000  # bytes of a body
_ALL = list(OPS.values())


def _any_instruction(random: Random) -> Instruction:
    op = random.choice(_ALL)
    return Instruction(op, tuple(arg for kind in op.immediates for arg in _immediate(kind, random)))


def _alike(item: Instruction, random: Random) -> Instruction:
    """Another instruction of the same type, or the same with other immediates."""
    op = item.op
    if op.immediates and random.random() < 0.7:
        return Instruction(op, tuple(arg for kind in op.immediates for arg in _immediate(kind, random)))
    same = [other for other in _ALL if other.params == op.params and other.immediates == op.immediates]
    return Instruction(random.choice(same), item.args)


def _index(random: Random) -> int:
    return random.choice((0, 0, 1, 1, 2, 3, 4, 5, 7, 100, 2**31, 2**32 - 1))


def _immediate(kind: Immediate, random: Random) -> tuple[object, ...]:
    """Immediates of a kind."""
    match kind:
        case Immediate.BLOCK:
            return (random.choice((None, ValueType.I32, ValueType.I64, _index(random))),)
        case Immediate.LABELS:
            return (tuple(_index(random) for _ in range(random.choice((0, 1, 3, 3, 1000)))),)
        case Immediate.I32 | Immediate.I64 | Immediate.F32 | Immediate.F64:
            return (number(random, next(each for each in NUMBERS if str(each) == kind.value)),)
        case Immediate.MEMARG:
            return random.randrange(5), random.choice((0, 1, 8, 2**16, 2**32 - 1))
        case Immediate.REFTYPE:
            return (random.choice((ValueType.FUNCREF, ValueType.EXTERNREF)),)
        case Immediate.TYPES:
            return ((random.choice(list(ValueType)),),)
        case Immediate.CATCHES:
            catches = [("catch", _index(random), _index(random)), ("catch_all", _index(random))]
            return (tuple(random.sample(catches, random.randrange(3))),)
        case Immediate.MEMORY:
            return (0,)
    return (_index(random),)


def _in_locals(model: Module, random: Random) -> Module:
    """More locals than there were, or another type of a function."""
    if not model.functions:
        return model
    functions = list(model.functions)
    at = random.randrange(len(functions))
    if random.random() < 0.5:
        count = random.choice((0, 1, 100, 49_990, 50_000, 2**32 - 1))
        runs = (*functions[at].locals, (count, random.choice(list(ValueType))))
        functions[at] = replace(functions[at], locals=runs)
    else:
        functions[at] = replace(functions[at], type=_index(random))
    return replace(model, functions=tuple(functions))


def _in_sizes(model: Module, random: Random) -> Module:
    """Tables and memories of other sizes."""
    sizes = (0, 1, 2, 65_535, 65_536, 65_537, 10_000_000, 10_000_001, 2**32 - 1)
    minimum, maximum = random.choice(sizes), random.choice((None, *sizes))
    if random.random() < 0.5:
        kinds = (ValueType.FUNCREF, ValueType.EXTERNREF, ValueType.I32)
        tables = [*model.tables[: random.randrange(3)], TableType(random.choice(kinds), minimum, maximum)]
        return replace(model, tables=tuple(tables))
    return replace(model, memories=(*model.memories[: random.randrange(2)], MemoryType(minimum, maximum)))


def _in_lists(model: Module, random: Random) -> Module:
    """Entries of one list dropped, doubled or moved."""
    name = random.choice(
        ("types", "imports", "functions", "tables", "tags", "globals", "exports", "elements", "data", "customs")
    )
    items = list(getattr(model, name))
    if items:
        at = random.randrange(len(items))
        match random.randrange(3):
            case 0:
                del items[at]
            case 1:
                items.insert(random.randrange(len(items) + 1), items[at])
            case _:
                items.append(items.pop(at))
    changes: Any = {name: tuple(items)}
    return replace(model, **changes)


def _in_constants(model: Module, random: Random) -> Module:
    """Another constant expression of a global or a segment."""
    names = ("i32.const", "i64.const", "f64.const", "ref.func", "ref.null", "global.get", "i32.add")
    op = OPS[random.choice(names)]
    expression = encode_instruction(op.name, [arg for kind in op.immediates for arg in _immediate(kind, random)])
    expression += encode_instruction("end") * random.choice((0, 1, 1, 1, 1, 2))
    which = random.choice(("globals", "elements", "data"))
    items = list(getattr(model, which))
    if items:
        at = random.randrange(len(items))
        field = "init" if which == "globals" else "offset"
        items[at] = replace(items[at], **{field: expression})
    changes: Any = {which: tuple(items)}
    return replace(model, **changes)


def _in_indices(model: Module, random: Random) -> Module:
    """Another start function, or an export of something else."""
    if random.random() < 0.3:
        return replace(model, start=_index(random))
    exports = list(model.exports)
    if exports:
        at = random.randrange(len(exports))
        exports[at] = replace(exports[at], index=_index(random))
    return replace(model, exports=tuple(exports))


_MODEL_CHANGES: list[Callable[[Module, Random], Module]] = [
    *[_in_body] * 8, _in_locals, _in_sizes, _in_lists, _in_lists, _in_constants, _in_indices,
]  # fmt: skip
