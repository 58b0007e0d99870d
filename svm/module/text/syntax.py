"""Words of the text format that writer and reader share: strings, symbols, numbers, and the shapes of instructions.

In come tokens or values, out go values or tokens.  Each pair (`quote_bytes` and `unquote`, `float_text` and
`float_bits`) is exact: what one writes, the other reads back to the bit.  A bad token raises SyntaxFault; the
reader adds the line.
"""

from __future__ import annotations

import heapq
import re
import sys
from collections.abc import Iterable
from fractions import Fraction
from operator import itemgetter
from struct import pack, unpack

from svm.isa import OPS, Immediate, Op
from svm.module.model import NameKind

__all__ = [
    "FIELDS",
    "INDICES",
    "LABELS",
    "OPENERS",
    "Named",
    "SyntaxFault",
    "defaulted",
    "float_bits",
    "float_text",
    "integer",
    "merge_names",
    "quote_bytes",
    "quote_text",
    "shown",
    "symbol",
    "tokens",
    "unquote",
]

Named = tuple[tuple[int, int], str]


class SyntaxFault(Exception):
    """Something in a line is not as it must be; the message is for people."""


OPENERS = frozenset(name for name, op in OPS.items() if Immediate.BLOCK in op.immediates)
"""Instructions that begin a block, which `end` closes."""

LABELS = frozenset((Immediate.LABEL, Immediate.LABELS, Immediate.CATCHES))
"""Immediates that speak of labels."""

FIELDS: dict[str, NameKind] = {
    "func": NameKind.FUNCTION,
    "type": NameKind.TYPE,
    "table": NameKind.TABLE,
    "memory": NameKind.MEMORY,
    "global": NameKind.GLOBAL,
    "tag": NameKind.TAG,
    "elem": NameKind.ELEMENT,
    "data": NameKind.DATA,
}
"""Words for what has an index space of its own: in fields, imports, exports and immediates."""

INDICES: dict[Immediate, NameKind] = {
    kind: FIELDS[kind.value] for kind in Immediate if kind.value in FIELDS and kind is not Immediate.TYPE
}
"""Immediates that are written as an index or a symbol; a type is written out where it can be."""

_CHARACTERS = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"  # as WebAssembly's text format has them
_IDENTIFIER = re.compile(_CHARACTERS + "+")
# A string; a symbol or word; punctuation; a comment; and, so that nothing is skipped unseen, any other character.
_TOKEN = re.compile(rf'\$?"[^"\\]*(?:\\.[^"\\]*)*"|{_CHARACTERS}+|[()]|;;.*|\S')
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|([nrt\"'\\])|(.))", re.DOTALL)
_ESCAPED = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_BYTES = [
    _ESCAPED.get(chr(byte), chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:02x}")
    for byte in range(256)
]  # fmt: skip
_INTEGER = re.compile(r"([+-]?)(?:0x([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|([0-9]+(?:_[0-9]+)*))")
_DECIMAL = re.compile(r"[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?(?:[eE][+-]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?[0-9]+))?")
_LONGEST_NUMBER = 1000  # characters; Python refuses to convert some that are longer, and no number needs as many


def tokens(line: str) -> list[str]:
    """The tokens of one line, without its comment."""
    found = _TOKEN.findall(line)
    if found and found[-1].startswith(";;"):
        found.pop()
    return found


def quote_text(text: str) -> str:
    """A string token for a name: what prints stands for itself."""
    return '"' + "".join([_ESCAPED.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text]) + '"'


def quote_bytes(data: bytes) -> str:
    """A string token for bytes: printable ASCII stands for itself, all else as two hexadecimal digits."""
    return '"' + "".join([_BYTES[byte] for byte in data]) + '"'


def unquote(token: str) -> bytes:
    """Bytes of a string token, text as UTF-8."""
    if len(token) < 2 or token[0] != '"' or token[-1] != '"':
        is_open = token.startswith('"')
        raise SyntaxFault("a string is not closed" if is_open else f"a string is expected, not {shown(token)}")
    body, out, at = token[1:-1], bytearray(), 0
    try:
        for escape in _ESCAPE.finditer(body):
            out += body[at : escape.start()].encode() + _escaped(escape)
            at = escape.end()
        return bytes(out + body[at:].encode())
    except UnicodeEncodeError:
        raise SyntaxFault("a string has a code point that is no character") from None


def _escaped(escape: re.Match[str]) -> bytes:
    pair, point, character, other = escape.groups()
    if pair:
        return bytes((int(pair, 16),))
    if other:
        raise SyntaxFault(f"a string has no escape \\{shown(other)}: write \\\\ for a backslash")
    if point and int(point, 16) > sys.maxunicode:
        raise SyntaxFault(f"a string has a code point beyond U+10FFFF: {point}")
    return (chr(int(point, 16)) if point else _UNESCAPED.get(character, character)).encode()


def symbol(name: str) -> str:
    """The token by which a name is spoken of."""
    return "$" + (name if _IDENTIFIER.fullmatch(name) else quote_text(name))


def shown(token: str) -> str:
    """A token for a message: not too long, and printable."""
    token = token if len(token) < 60 else token[:56] + "…"
    return "".join([c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in token])


def integer(token: str) -> int:
    """Value of an integer token."""
    match = _INTEGER.fullmatch(token)
    if match is None:
        raise SyntaxFault(f"an integer is expected, not {shown(token)}")
    if len(token) > _LONGEST_NUMBER:
        raise SyntaxFault(f"a number of {len(token)} characters is too long")
    sign, hexadecimal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return -value if sign == "-" else value


def defaulted(op: Op) -> int:
    """How many immediates at an instruction's end may be left out together: tables and memories, which are then 0."""
    count = 0
    for kind in reversed(op.immediates):
        if kind not in (Immediate.TABLE, Immediate.MEMORY):
            break
        count += 1
    return count


def float_text(bits: int, width: int) -> str:
    """The shortest token for a float of 32 or 64 bits."""
    fraction = 23 if width == 32 else 52
    sign = "-" if bits >> (width - 1) else ""
    exponent = bits >> fraction & ((1 << (width - 1 - fraction)) - 1)
    payload = bits & ((1 << fraction) - 1)
    if exponent == (1 << (width - 1 - fraction)) - 1:
        if payload:
            return f"{sign}nan" if payload == 1 << (fraction - 1) else f"{sign}nan:{payload:#x}"
        return f"{sign}inf"
    if width == 64:
        text = repr(unpack("<d", pack("<Q", bits))[0])
    else:
        value = unpack("<f", pack("<I", bits))[0]
        shortest = (f"{value:.{digits}g}" for digits in range(6, 10))
        text = next(each for each in shortest if float_bits(each, 32) == bits)
    return text if any(c in text for c in ".en") else text + ".0"


def float_bits(token: str, width: int) -> int:
    """Bits of a float token: `1.5`, `0x1.8p0`, `inf`, `nan` or `nan:0x…`; rounded once, ties to even."""
    fraction = 23 if width == 32 else 52
    sign = 1 << (width - 1) if token[0] == "-" else 0
    body = token[1:] if token[0] in "+-" else token
    infinity = ((1 << (width - 1 - fraction)) - 1) << fraction
    if body == "inf":
        return sign | infinity
    if body == "nan":
        return sign | infinity | 1 << (fraction - 1)
    if body.startswith("nan:0x") and _INTEGER.fullmatch(body, 4):
        payload = integer(body[4:])
        if not 0 < payload < 1 << fraction:
            raise SyntaxFault(f"a NaN of {width} bits has a payload of 0x1 to {(1 << fraction) - 1:#x}")
        return sign | infinity | payload
    return sign | _finite(token, body, width)


def _finite(token: str, body: str, width: int) -> int:
    hexadecimal = _HEXADECIMAL.fullmatch(body)
    if hexadecimal is None and not _DECIMAL.fullmatch(body):
        raise SyntaxFault(f"a number is expected, not {shown(token)}")
    if len(body) > _LONGEST_NUMBER:
        raise SyntaxFault(f"a number of {len(body)} characters is too long")
    body = body.replace("_", "")
    try:
        value = float.fromhex(body) if hexadecimal else float(body)
        if width == 64 or value == 0.0:  # nothing smaller than the least double rounds to a float but zero
            bits: int = unpack("<Q", pack("<d", value))[0] if width == 64 else 0
        else:
            bits = unpack("<I", pack("<f", _single(value, body, hexadecimal)))[0]
    except OverflowError:
        value = float("inf")
    if value == float("inf"):
        raise SyntaxFault(f"{shown(token)} does not fit a float of {width} bits")
    return bits


def _single(value: float, body: str, hexadecimal: re.Match[str] | None) -> float:
    """The value of a token rounded once to 24 bits; by way of the nearest double, `value`, it is rounded twice."""
    if value == float("inf"):
        return value
    exact = Fraction(body) if hexadecimal is None else _hexadecimal(hexadecimal)
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent -= exact < Fraction(2) ** exponent
    quantum = Fraction(2) ** (max(exponent, -126) - 23)
    return float(round(exact / quantum) * quantum)


def _hexadecimal(match: re.Match[str]) -> Fraction:
    whole, part, exponent = match[1], match[2] or "", int(match[3] or 0)
    return int(whole + part, 16) * Fraction(2) ** (exponent - 4 * len(part))


def merge_names(placed: Iterable[Named], listed: Iterable[Named]) -> list[Named]:
    """The names of a module in order, from those that stand at definitions and those that are listed on their own.

    Each has a key, (kind or function, index).  Listed ones keep their order; a placed one goes before the first listed
    one with a greater key.
    """
    return list(heapq.merge(sorted(placed, key=itemgetter(0)), listed, key=itemgetter(0)))
