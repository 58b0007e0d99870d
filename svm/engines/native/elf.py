"""A relocatable ELF object to one flat piece of position-independent code.

Only what LLVM makes of our own IR is expected: x86-64, sections of code and constants, PC-relative relocations
between them. Anything else is an error of ours, so failing loudly is right.  Source: System V ABI, AMD64 supplement,
section 4.4.
"""

from __future__ import annotations

import struct

from svm.engines.native.executable import PYTHON

__all__ = ["OUTSIDE", "link"]

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_ALLOC, _EXECUTABLE = 2, 4
_SYMTAB, _RELA, _NOBITS = 2, 4, 8
_PC32, _PLT32 = 2, 4
_STUB = b"\xff\x25\0\0\0\0"  # jmp *0(%rip): to the address that follows

OUTSIDE = frozenset(("memcpy", "memmove", "memset")) | PYTHON
"""The only functions that code may call outside of itself: LLVM asks the C library for the first, and the interpreter's
own code calls Python.
"""


def link(image: bytes) -> tuple[bytes, dict[str, int]]:
    """The code of an object, and the offsets of its functions by name.

    What it calls of `OUTSIDE` gets a stub that jumps to an address, which is to be filled in where `@name` says.
    """
    if image[:4] != b"\x7fELF":
        raise ValueError("no ELF object")
    table = struct.unpack_from("<Q", image, 40)[0]
    count, names = struct.unpack_from("<HH", image, 60)
    sections = [_SECTION.unpack_from(image, table + 64 * at) for at in range(count)]

    def text(strings: int, at: int) -> str:
        start = sections[strings][4] + at
        return image[start : image.index(b"\0", start)].decode()

    placed, out = _place(image, sections, lambda at: text(names, at))
    symtab = next(at for at, section in enumerate(sections) if section[1] == _SYMTAB)
    symbols = [
        _SYMBOL.unpack_from(image, sections[symtab][4] + at) for at in range(0, sections[symtab][5], _SYMBOL.size)
    ]
    strings = sections[symtab][6]
    stubs: dict[str, int] = {}
    outside: dict[int, int] = {}  # offset of a stub by the index of its symbol
    for at, (name, _, _, index, _, _) in enumerate(symbols):
        if not index and name and text(strings, name) in OUTSIDE:
            outside[at] = stubs[text(strings, name)] = len(out)
            out += _STUB + bytes(8)
    for section in sections:
        if section[1] == _RELA and section[7] in placed:
            _relocate(image, section, placed, symbols, outside, out)
    functions = {
        text(strings, name): placed[index] + value
        for name, info, _, index, value, _ in symbols
        if info & 15 == 2 and index in placed
    }
    return bytes(out), functions | {f"@{name}": at + len(_STUB) for name, at in stubs.items()}


def _place(image: bytes, sections: list[tuple[int, ...]], name: object) -> tuple[dict[int, int], bytearray]:
    """Lay out what is loaded, code first: offset by section index, and the bytes."""
    assert callable(name)
    loaded = [at for at, s in enumerate(sections) if s[2] & _ALLOC and s[5] and not name(s[0]).startswith(".eh_frame")]
    placed: dict[int, int] = {}
    out = bytearray()
    for at in sorted(loaded, key=lambda at: not sections[at][2] & _EXECUTABLE):
        _, kind, _, _, start, size, _, _, alignment, _ = sections[at]
        out += b"\xcc" * (-len(out) % max(alignment, 1))
        placed[at] = len(out)
        out += bytes(size) if kind == _NOBITS else image[start : start + size]
    return placed, out


def _relocate(
    image: bytes,
    section: tuple[int, ...],
    placed: dict[int, int],
    symbols: list[tuple[int, ...]],
    outside: dict[int, int],
    out: bytearray,
) -> None:
    for at in range(section[4], section[4] + section[5], _RELOCATION.size):
        offset, info, addend = _RELOCATION.unpack_from(image, at)
        _, _, _, index, value, _ = symbols[info >> 32]
        target = outside.get(info >> 32)
        if target is None and index in placed:
            target = placed[index] + value
        if target is None or info & 0xFFFFFFFF not in (_PC32, _PLT32):
            raise ValueError(f"the code refers to something outside itself (relocation {info & 0xFFFFFFFF})")
        place = placed[section[7]] + offset
        struct.pack_into("<i", out, place, target + addend - place)
