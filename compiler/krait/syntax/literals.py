"""Values of literals: what the text of a number or string token means.

In: the token's text. Out: the value, or LiteralError with the place in the text and a message. Escapes, prefixes and
limits are CPython's.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}\n]*\}|[\s\S])")
_BYTES_ESCAPE = re.compile(r"\\(?:\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|[\s\S])")
_SIMPLE = {"\n": "", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
           "v": "\v"}  # fmt: skip
_TRUNCATED = {"x": "\\xXX", "u": "\\uXXXX", "U": "\\UXXXXXXXX", "N": "\\N{name}"}


class LiteralError(Exception):
    """A literal has no value. `start` and `end` are offsets in its text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        self.message = message
        self.start = start
        self.end = end
        super().__init__(message)


def number(text: str) -> int | float | complex:
    """The value of a number token."""
    digits = text.replace("_", "")
    if digits.isdigit():
        try:
            return int(digits)
        except ValueError:  # CPython's limit on the conversion of long texts (sys.set_int_max_str_digits)
            raise LiteralError(f"integer literal of {len(digits)} digits is too long", 0, len(text)) from None
    if digits[1:2] in "xXoObB" and digits[1:2]:
        return int(digits, 0)
    if digits[-1] in "jJ":
        return complex(0, float(digits[:-1]))
    return float(digits)


def string(text: str) -> str | bytes:
    """The value of a string token with its prefix and quotes, not of an f-string."""
    quote_at = 0
    while text[quote_at] not in "'\"":
        quote_at += 1
    prefix = text[:quote_at].lower() if quote_at else ""
    size = 3 if text[quote_at : quote_at + 3] in ("'''", '"""') and len(text) - quote_at >= 6 else 1
    start = quote_at + size
    body = text[start : -size]
    if "b" in prefix:
        return _bytes(body, start, raw="r" in prefix)
    return body if "r" in prefix or "\\" not in body else unescape(body, start)


def unescape(body: str, start: int = 0) -> str:
    """`body` with its escapes replaced; errors give places `start` further on."""
    return _ESCAPE.sub(lambda found: _escape(found, start), body)


def _escape(found: re.Match[str], start: int) -> str:
    escape = found[0]
    kind = escape[1]
    if (simple := _SIMPLE.get(kind)) is not None:
        return simple
    if kind in "01234567":
        return chr(int(escape[1:], 8))
    if kind not in _TRUNCATED:
        return escape  # an unknown escape stands for itself
    begin, end = start + found.start(), start + found.end()
    if len(escape) == 2:
        raise LiteralError(f"incomplete escape: expected {_TRUNCATED[kind]}", begin, end)
    if kind == "N":
        return _named(escape[3:-1], begin, end)
    code = int(escape[2:], 16)
    if code > 0x10FFFF:
        raise LiteralError("this escape is beyond the last Unicode character, U+10FFFF", begin, end)
    return chr(code)


def _named(name: str, begin: int, end: int) -> str:
    import unicodedata

    try:
        character = unicodedata.lookup(name)
    except KeyError:
        character = ""
    if len(character) != 1:  # a named sequence is no character
        raise LiteralError("no Unicode character has this name", begin, end)
    return character


def _bytes(body: str, start: int, *, raw: bool) -> bytes:
    if not body.isascii():
        index = next(index for index, character in enumerate(body) if not character.isascii())
        raise LiteralError("bytes can only contain ASCII characters", start + index, start + index + 1)
    if raw or "\\" not in body:
        return body.encode("ascii")
    return _BYTES_ESCAPE.sub(lambda found: _byte_escape(found, start), body).encode("latin-1")


def _byte_escape(found: re.Match[str], start: int) -> str:
    escape = found[0]
    kind = escape[1]
    if (simple := _SIMPLE.get(kind)) is not None:
        return simple
    if kind in "01234567":
        return chr(int(escape[1:], 8) & 0xFF)
    if kind != "x":
        return escape
    if len(escape) == 2:
        raise LiteralError("incomplete escape: expected \\xXX", start + found.start(), start + found.end())
    return chr(int(escape[2:], 16))
