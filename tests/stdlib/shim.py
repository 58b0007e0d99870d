"""Runs modules of the standard library under CPython: what they compute can be tested without compiler and engine.

In: names of modules (`krait.digits`). Out: Python module objects whose functions run on an emulation of `krait.unsafe`:
fixed-width integers that wrap, and one linear memory in a bytearray. Only modules of plain functions over numbers and
addresses run here; those that declare the built-in classes need the compiler.

How: the source is rewritten so that every value gets its declared type: parameters, results, annotated variables.
Literals need nothing: an operator on a fixed-width value and a Python int has a result of the value's type.
"""

from __future__ import annotations

import ast
import math
import struct
import types
from pathlib import Path
from typing import Any

STDLIB = Path(__file__).parents[2] / "stdlib"


class Fixed(int):
    """An integer of fixed width: arithmetic wraps, both operands are of one type."""

    bits = 0

    def __new__(cls, value: int | float = 0) -> Fixed:
        return super().__new__(cls, int(value) & (1 << cls.bits) - 1)

    def _other(self, other: int) -> int:
        if isinstance(other, Fixed) and type(other) is not type(self):
            raise TypeError(f"operands of types {type(self).__name__} and {type(other).__name__}")
        if not isinstance(other, Fixed) and not 0 <= other < 1 << self.bits:
            raise OverflowError(f"literal {other} does not fit {type(self).__name__}")
        return int(other)


def _operator(name: str) -> Any:
    plain = getattr(int, name)

    def method(self: Fixed, other: int) -> Fixed:
        other = self._other(other)
        if "shift" in name:
            other %= self.bits
        return type(self)(plain(int(self), other))

    return method


def _reflected(name: str) -> Any:
    plain = getattr(int, name)

    def method(self: Fixed, other: int) -> Fixed:
        return type(self)(plain(self._other(other), int(self)))

    return method


for _name in ["add", "sub", "mul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift"]:
    setattr(Fixed, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Fixed, f"__r{_name}__", _reflected(f"__{_name}__"))


class u8(Fixed):
    bits = 8


class u16(Fixed):
    bits = 16


class u32(Fixed):
    bits = 32


class u64(Fixed):
    bits = 64


class i32(Fixed):
    bits = 32


class Checked:
    """Stands for `int` in Krait code: as a conversion it reinterprets u64, and values must fit 64 bits."""

    def __call__(self, value: int) -> int:
        number = int(value)
        if isinstance(value, u64) and number >= 1 << 63:
            return number - (1 << 64)
        if not -(1 << 63) <= number < 1 << 63:
            raise OverflowError("integer overflow")
        return number


class Memory:
    """The linear memory and the intrinsics on it. limit: the pages of 64 KiB beyond which it does not grow."""

    HEAP = 1 << 20
    STACK, TYPES, CLASSES = HEAP - 0x4000, HEAP - 0x3000, HEAP - 0x2000
    """The heap, and before it what the compiler lays out for its collector."""

    def __init__(self) -> None:
        self.bytes = bytearray(self.HEAP)
        self.next = 1024
        self.stack_end = self.STACK
        self.limit = 1 << 16

    def grow(self, pages: int) -> u32:
        """Stands for `memory_grow`: the number of pages before, or 2**32 - 1 where it is refused."""
        before = len(self.bytes) // 65536
        if before + pages > self.limit:
            return u32(2**32 - 1)
        self.bytes += bytes(pages * 65536)
        return u32(before)

    def place(self, content: bytes) -> u32:
        """Lay bytes into fresh memory; return their address."""
        address = self.next
        self.bytes[address : address + len(content)] = content
        self.next = address + len(content) + 15 & ~15
        return u32(address)

    def reserve(self, size: u32) -> u32:
        """Stands for `krait.heap.reserve`."""
        return self.place(bytes(size))

    def text(self, address: u32, length: u32) -> str:
        """Return the ASCII text at an address."""
        return self.bytes[address : address + length].decode("ascii")


MEMORY = Memory()


def _unsafe() -> types.ModuleType:
    module = types.ModuleType("krait.unsafe")
    names: dict[str, Any] = {"u8": u8, "u16": u16, "u32": u32, "u64": u64, "i32": i32}
    for kind, code in ((u8, "B"), (u16, "H"), (u32, "I"), (u64, "Q")):
        name = kind.__name__

        def load(address: int, offset: int = 0, kind: Any = kind, code: str = "<" + code) -> Any:
            return kind(struct.unpack_from(code, MEMORY.bytes, int(address) + offset)[0])

        def store(address: int, value: int, offset: int = 0, kind: Any = kind, code: str = "<" + code) -> None:
            if isinstance(value, Fixed) and type(value) is not kind:
                raise TypeError(f"store_{kind.__name__} of {type(value).__name__}")
            struct.pack_into(code, MEMORY.bytes, int(address) + offset, int(value))

        names[f"load_{name}"] = load
        names[f"store_{name}"] = store

    placed: dict[bytes, u32] = {}

    def data(content: bytes) -> u32:
        if content not in placed:
            placed[content] = MEMORY.place(content)
        return placed[content]

    def memory_copy(to: int, origin: int, size: int) -> None:
        MEMORY.bytes[to : to + size] = MEMORY.bytes[origin : origin + size]

    def memory_compare(a: int, b: int, size: int) -> int:
        left, right = MEMORY.bytes[a : a + size], MEMORY.bytes[b : b + size]
        return (left > right) - (left < right)

    def memory_fill(to: int, byte: int, size: int) -> None:
        MEMORY.bytes[to : to + size] = bytes([byte]) * int(size)

    names.update(
        address_of=lambda item: u32(8),
        trap=lambda: 1 / 0,
        data=data,
        heap_base=lambda: u32(Memory.HEAP),
        memory_fill=memory_fill,
        memory_grow=MEMORY.grow,
        memory_size=lambda: u32(len(MEMORY.bytes) // 65536),
        mark_globals=lambda: None,
        size_classes=lambda: u32(Memory.CLASSES),
        stack_end=lambda: u32(MEMORY.stack_end),
        stack_start=lambda: u32(Memory.STACK),
        type_table=lambda: u32(Memory.TYPES),
        memory_copy=memory_copy,
        memory_compare=memory_compare,
        float_bits=lambda x: u64(struct.unpack("<Q", struct.pack("<d", x))[0]),
        float_from_bits=lambda x: struct.unpack("<d", struct.pack("<Q", int(x)))[0],
        float_divide=lambda a, b: a / b,
        clz=lambda x: u64(64 - int(x).bit_length()),
        ctz=lambda x: u64((int(x) & -int(x)).bit_length() - 1 if x else 64),
        truncate=lambda x: math.trunc(x),
        trunc=lambda x: float(math.trunc(x)) if math.isfinite(x) else x,
        floor=lambda x: math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x,
        fabs=math.fabs,
        copysign=math.copysign,
    )
    module.__dict__.update(names)
    return module


class _Typed(ast.NodeTransformer):
    """Wraps what has a declared fixed-width type in a conversion to it."""

    KINDS = ("u8", "u16", "u32", "u64", "i32")

    def __init__(self) -> None:
        self.results: list[str | None] = []

    def _kind(self, annotation: ast.expr | None) -> str | None:
        return annotation.id if isinstance(annotation, ast.Name) and annotation.id in self.KINDS else None

    def _convert(self, kind: str, value: ast.expr) -> ast.expr:
        return ast.Call(ast.Name("_typed", ast.Load()), [ast.Name(kind, ast.Load()), value], [])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        kind = self._kind(node.annotation)
        if kind is not None and node.value is not None:
            node.value = self._convert(kind, node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.results.append(self._kind(node.returns))
        self.generic_visit(node)
        self.results.pop()
        entry: list[ast.stmt] = []
        for parameter in node.args.args:
            kind = self._kind(parameter.annotation)
            if kind is not None:
                name = parameter.arg
                entry.append(ast.Assign([ast.Name(name, ast.Store())], self._convert(kind, ast.Name(name, ast.Load()))))
        node.body = [*node.body[:1], *entry, *node.body[1:]] if ast.get_docstring(node) else [*entry, *node.body]
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        kind = self.results[-1]
        if kind is not None and node.value is not None:
            node.value = self._convert(kind, node.value)
        return node


def _typed(kind: type[Fixed], value: int) -> Fixed:
    if isinstance(value, Fixed) and type(value) is not kind:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is declared")
    return kind(value)


_modules: dict[str, types.ModuleType] = {"krait.unsafe": _unsafe()}
_plain_heap = types.ModuleType("krait.heap")
_plain_heap.__dict__.update(dict.fromkeys(("allocate", "borrow", "reserve"), MEMORY.reserve))
_plain_heap.__dict__.update(dict.fromkeys(("give_back", "release_items"), lambda address, size: None))
_modules["krait.heap"] = _plain_heap


def load_module(name: str) -> types.ModuleType:
    """Return the library's module of that name, loaded once. `krait.heap` is one that never gives memory back."""
    return _modules[name] if name in _modules else load_anew(name)


def load_anew(name: str) -> types.ModuleType:
    """Return the library's module of that name as its source says, its variables as they are at first."""
    path = STDLIB.joinpath(*name.split(".")).with_suffix(".kr")
    tree = _Typed().visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    module = types.ModuleType(name)
    _modules.setdefault(name, module)
    for node in list(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            tree.body.remove(node)
            source = load_module(node.module)
            for alias in node.names:
                module.__dict__[alias.asname or alias.name] = getattr(source, alias.name)
    module.__dict__.update(_typed=_typed, int=Checked())
    code = compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True, flags=0x1000000)
    exec(code, module.__dict__)
    return module
