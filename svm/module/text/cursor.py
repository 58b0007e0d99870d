"""One line of the text format, read token by token from the left.

In come tokens, out go values; whatever is not as expected raises SyntaxFault with a message for people.
"""

from __future__ import annotations

from typing import TypeVar

from svm import limits
from svm.isa import ValueType
from svm.module.text.syntax import SyntaxFault, integer, shown, unquote

__all__ = ["Line"]

T = TypeVar("T")

_TYPES = {str(kind): kind for kind in ValueType}


class Line:
    """The tokens of one line, taken from the left."""

    __slots__ = ("at", "number", "tokens")

    def __init__(self, number: int, found: list[str]) -> None:
        self.number = number
        self.tokens = found
        self.at = 0

    @property
    def next(self) -> str:
        """The next token, empty at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, what: str) -> str:
        if self.at == len(self.tokens):
            raise SyntaxFault(f"{what} is expected at the end of the line")
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self, token: str) -> bool:
        """Take the next token if it is this one."""
        if self.next != token:
            return False
        self.at += 1
        return True

    def expect(self, token: str) -> None:
        if not self.skip(token):
            found = f", not {shown(self.next)}" if self.next else " at the end of the line"
            raise SyntaxFault(f"{token} is expected{found}")

    def following(self, *words: str) -> str | None:
        """Take `(` and one of some words, if they stand here; the word taken."""
        if self.next != "(" or self.at + 1 >= len(self.tokens) or self.tokens[self.at + 1] not in words:
            return None
        self.at += 2
        return self.tokens[self.at - 1]

    def split(self, prefix: str) -> Line:
        """What follows a prefix of the next token, which is taken, as a line of its own."""
        return Line(self.number, [self.take(prefix)[len(prefix) :]])

    def end(self) -> None:
        """Nothing may follow."""
        if self.next:
            raise SyntaxFault(f"{shown(self.next)} is not expected here")

    def number_in(self, low: int, high: int, what: str) -> int:
        value = integer(self.take(what))
        if not low <= value <= high:
            raise SyntaxFault(f"{what} is {low} to {high}, not {shown(str(value))}")
        return value

    def whole(self, what: str) -> int:
        return integer(self.take(what))

    def u32(self, what: str = "a number") -> int:
        return self.number_in(0, 0xFFFF_FFFF, what)

    def string(self) -> bytes:
        return unquote(self.take("a string"))

    def strings(self) -> bytes:
        """All that follows, which is strings."""
        return b"".join([unquote(self.take("a string")) for _ in range(len(self.tokens) - self.at)])

    def text(self) -> str:
        return _decoded(self.string())

    def name(self) -> str | None:
        """The symbol that names a definition, if one stands here."""
        if not self.next.startswith("$"):
            return None
        return _name(self.take("a name"))

    def choice(self, table: dict[str, T], what: str) -> T:
        """The value of one of some words; `what` says what they are, without an article."""
        word = self.take(f"a {what}")
        if word not in table:
            raise SyntaxFault(f"{shown(word)} is no {what} (there are {', '.join(table)})")
        return table[word]

    def value_type(self) -> ValueType:
        return self.choice(_TYPES, "value type")

    def value_types(self) -> tuple[ValueType, ...]:
        """Types up to a closing parenthesis, which is taken."""
        found = []
        while not self.skip(")"):
            found.append(self.value_type())
        return tuple(found)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SyntaxFault("a name is not UTF-8") from None
    if len(data) > limits.MAX_NAME_BYTES:
        raise SyntaxFault(f"a name of {len(data)} bytes is longer than {limits.MAX_NAME_BYTES}")
    return text


def _name(token: str) -> str:
    if token == "$":
        raise SyntaxFault("a name is expected after $")
    return _decoded(unquote(token[1:])) if token[1] == '"' else _decoded(token[1:].encode())
