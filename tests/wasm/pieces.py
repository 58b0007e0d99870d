"""Pieces of `.wasm` files, written by hand: what the reader must take, and what it must refuse."""

from __future__ import annotations

from svm.module.leb import unsigned

__all__ = ["HEADER", "body", "code", "custom", "section", "simple", "sized", "vector"]

HEADER = b"\0asm\1\0\0\0"


def sized(data: bytes) -> bytes:
    return unsigned(len(data)) + data


def vector(*items: bytes) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def section(number: int, *items: bytes) -> bytes:
    return bytes((number,)) + sized(vector(*items))


def custom(name: str, data: bytes) -> bytes:
    return b"\0" + sized(sized(name.encode()) + data)


def body(instructions: bytes, locals_: bytes = b"\0") -> bytes:
    return sized(locals_ + instructions)


def code(*bodies: bytes) -> bytes:
    """Functions without parameters and results, and their bodies: the last sections of a small module."""
    return section(3, *[b"\0"] * len(bodies)) + section(10, *bodies)


def simple(instructions: bytes, *, before_code: bytes = b"", between: bytes = b"", behind: bytes = b"") -> bytes:
    """A module of one function, `[] -> []`, with sections before the code and behind it."""
    types, functions = section(1, b"\x60\0\0"), section(3, b"\0")
    return HEADER + types + functions + before_code + between + section(10, body(instructions)) + behind
