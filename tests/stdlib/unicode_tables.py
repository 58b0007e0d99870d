"""Makes `stdlib/krait/unicode_tables.kr` from what the running CPython knows about characters.

In: the `str` methods and `unicodedata` of CPython 3.12 (Unicode 15.0). Out: the text of the module.
`python tests/stdlib/unicode_tables.py > stdlib/krait/unicode_tables.kr` writes it; a test checks that it is fresh.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator

UNICODE = "15.0.0"
CHARACTERS = [chr(point) for point in range(sys.maxunicode + 1)]


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the upper bit says that more follow."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> int:
    """A signed number as an unsigned one, small ones staying small."""
    return value * 2 if value >= 0 else -value * 2 - 1


def boundaries(has: Callable[[str], bool]) -> Iterator[int]:
    """The code points at which a property begins or ends to hold."""
    inside = False
    for point, char in enumerate(CHARACTERS):
        if has(char) != inside:
            inside = not inside
            yield point
    if inside:
        yield sys.maxunicode + 1


def deltas(values: Iterable[int]) -> bytes:
    """The differences of ascending numbers as varints, behind their count."""
    numbers = list(values)
    steps = (b - a for a, b in zip([0, *numbers], numbers, strict=False))
    return varint(len(numbers)) + b"".join(map(varint, steps))


def is_case_ignorable(char: str) -> bool:
    """Whether a capital sigma's lower case looks past the character: no method says so, but `lower` shows it."""
    cased = char.islower() or char.isupper() or unicodedata.category(char) == "Lt"
    probe = "\u0391\u03a3" + char if cased else "\u0391\u03a3" + char + "\u0391"
    return (probe.lower()[1] == "\u03c2") == cased


def mapping(convert: Callable[[str], str]) -> bytes:
    """Runs of characters that change by the same difference: gap to the run, its length, its step, the difference."""
    runs: list[list[int]] = []
    for point, char in enumerate(CHARACTERS):
        changed = convert(char)
        if changed == char or len(changed) != 1:
            continue
        difference = ord(changed) - point
        last = runs[-1] if runs else [0, 0, 0, 0]
        gap = point - (last[0] + (last[1] - 1) * last[2])
        if runs and last[3] == difference and ((last[1] == 1 and gap <= 2) or (last[1] > 1 and gap == last[2])):
            last[1] += 1
            last[2] = gap
        else:
            runs.append([point, 1, 1, difference])
    out = varint(len(runs))
    end = 0
    for start, length, step, difference in runs:
        out += varint(start - end) + varint(length * 2 + step - 1) + varint(zigzag(difference))
        end = start + (length - 1) * step
    return out


def expansions(convert: Callable[[str], str]) -> bytes:
    """Characters that become two or three: gap from the one before, how many, and these."""
    out = bytearray()
    count = last = 0
    for point, char in enumerate(CHARACTERS):
        changed = convert(char)
        if len(changed) > 1:
            out += varint(point - last) + varint(len(changed)) + b"".join(varint(ord(c)) for c in changed)
            last = point
            count += 1
    return varint(count) + bytes(out)


def decimal_zeros() -> Iterator[int]:
    """The digits zero; the other nine of each kind follow it."""
    for point, char in enumerate(CHARACTERS):
        if char.isdecimal() and unicodedata.decimal(char) == 0:
            assert all(unicodedata.decimal(CHARACTERS[point + i]) == i for i in range(10))
            yield point


TABLES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "alphabetic": ("Boundaries of the letters.", lambda: deltas(boundaries(str.isalpha))),
    "digits": (
        "Boundaries of the digits, superscripts included.",
        lambda: deltas(boundaries(str.isdigit)),
    ),
    "numeric": ("Boundaries of the numeric characters.", lambda: deltas(boundaries(str.isnumeric))),
    "lower": ("Boundaries of lower case.", lambda: deltas(boundaries(str.islower))),
    "upper": ("Boundaries of upper case.", lambda: deltas(boundaries(str.isupper))),
    "titlecase": ("Boundaries of title case.", lambda: deltas(boundaries(lambda c: unicodedata.category(c) == "Lt"))),
    "printable": ("Boundaries of what `repr` shows as it is.", lambda: deltas(boundaries(str.isprintable))),
    "case_ignorable": ("Boundaries of what casing looks past.", lambda: deltas(boundaries(is_case_ignorable))),
    "decimal_zeros": ("The digits zero, each with its nine successors behind it.", lambda: deltas(decimal_zeros())),
    "to_lower": ("Runs of characters with a lower case.", lambda: mapping(str.lower)),
    "to_upper": ("Runs of characters with an upper case.", lambda: mapping(str.upper)),
    "to_title": ("Runs of characters with a title case.", lambda: mapping(str.title)),
    "to_folded": ("Runs of characters that case folding changes.", lambda: mapping(str.casefold)),
    "expand_lower": ("Characters whose lower case is several.", lambda: expansions(str.lower)),
    "expand_upper": ("Characters whose upper case is several.", lambda: expansions(str.upper)),
    "expand_title": ("Characters whose title case is several.", lambda: expansions(str.title)),
    "expand_folded": ("Characters that case folding makes several.", lambda: expansions(str.casefold)),
}


def literal(content: bytes) -> str:
    """Return Krait source of a bytes literal over several lines."""
    lines, line = [], ""
    for byte in content:
        char = chr(byte)
        plain = 0x20 <= byte < 0x7F and char not in '"\\'
        line += char if plain else f"\\x{byte:02x}"
        if len(line) > 100:
            lines.append(line)
            line = ""
    return "\n".join(f'        b"{text}"' for text in [*lines, line] if text)


def source() -> str:
    """Return the text of the module."""
    parts = [
        '"""What Unicode says about characters: made by tests/stdlib/unicode_tables.py from CPython 3.12\'s data\n'
        f"(Unicode {UNICODE[:4]}), read by `krait.unicode`.\n\n"
        "In: nothing. Out: addresses of numbers of seven bits a byte, the lowest first (LEB128), their count first.\n"
        '"""\n\nfrom krait.unsafe import data, u32\n'
    ]
    for name, (text, make) in TABLES.items():
        parts.append(f'\n\ndef {name}_table() -> u32:\n    """{text}"""\n    return data(\n{literal(make())}\n    )\n')
    return "".join(parts)


if __name__ == "__main__":
    if unicodedata.unidata_version != UNICODE:
        sys.exit(f"this is Unicode {unicodedata.unidata_version}; the tables are those of {UNICODE}")
    sys.stdout.write(source())
