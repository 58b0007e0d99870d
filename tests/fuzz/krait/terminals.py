"""Words of generated programs that are no expressions of a kind, and literals: each is chosen from a list."""

from __future__ import annotations

__all__ = ["FLOATS", "LARGE", "TERMINALS", "WORDS"]

WORDS = (
    "", "a", "b", "ab", "abc", "Hello World", "x,y,,z", "  pad ", "krait", "ÀÉß", "日本", "😀", "12", "-7",
    "a\\tb", "it's", "A1b2", "one two  three", "\\n", "aaa", "Zz", "e\\u0301", "ﬁ",
)  # fmt: skip
"""What stands between the quotes of a text."""
LARGE = (
    "9223372036854775807", "-9223372036854775808", "9223372036854775806", "4611686018427387904", "2147483648",
    "-2147483649", "4294967296", "1000000007", "3037000500", "-3037000499", "255", "65536", "1 << 40",
)  # fmt: skip
"""Ints around which something changes."""
FLOATS = (
    "0.0", "1.0", "0.5", "-1.5", "2.5", "3.14159", "1e10", "1e-7", "-0.0", "100.0", "0.1", "1e16", "123456.789",
    "-2.25", "1e22", "5e-324", "1.7976931348623157e308", "9007199254740993.0", "1e300", "0.3", "1 / 3",
    'float("inf")', 'float("-inf")',
)  # fmt: skip
TERMINALS: dict[str, tuple[str, ...]] = {
    "base": ("2", "8", "10", "16", "36", "0"),
    "char": ('"a"', '","', '" "', '"é"', '"z"', '"-"', '"0"', '"😀"'),
    "codepoint": ("65", "97", "233", "8364", "128512", "48", "1114112"),
    "decimal": ('"12"', '"-7"', '" 42\\n"', '"+3"', '"007"', '"1_0"', '"1.5"', '"x"'),
    "fraction": ('"1.5"', '"-2e3"', '"inf"', '" .5 "', '"1e400"', '"4.9e-324"', '"x"', '"1_0.5"'),
    "mask": ("0xFF", "0xFFFF", "0xFFFFFFFF", "7", "1", "0x7FFFFFFFFFFFFFFF", "0x3FF"),
    "numeral": ('"101"', '"ff"', '"-7"', '"0x1F"', '"z"', '" 12 "', '"1_000"', '"9"', '""'),
    "round": ("0", "1", "2", "3", "-1", "-2", "15"),
    "small": ("0", "1", "2", "3", "3", "4", "5"),
    "word": tuple(f'"{word}"' for word in WORDS),
}
"""Words of phrases, by their names."""
