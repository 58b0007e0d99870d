"""Text to `Interface`: the content of the section `svm.interface`, which anyone may have written.

In: bytes. Out: an `Interface` whose `str` is that text again, if a compiler wrote it. Raises MalformedError with the
line. Invariant: sizes and depths are limited before anything is made of them.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator

from svm.errors import MalformedError, Place
from svm.limits import MAX_INTERFACE_BYTES, MAX_TYPE_DEPTH
from svm.module.interface import (
    CONTAINERS,
    INTERFACE_SECTION,
    SCALARS,
    Alias,
    Enumeration,
    Field,
    Interface,
    Kind,
    MemberValue,
    Parameter,
    RichType,
    Signature,
    Structure,
    is_name,
)
from svm.module.model import Module

__all__ = ["interface_of", "parse_interface"]

_TOKEN = re.compile(
    r"""\s*(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\s*(?P<number>-?\d[\w.]*(?:(?<=e)[+-]\d+)?|-inf\b)"""
    r"""|\s*(?P<name>[^\W\d]\w*)|\s*(?P<mark>\.\.\.|->|[][(){},:|=*/@.])|\s*(?P<end>$)"""
)
_OPTIONS = {"": (False, False), "frozen": (True, True), "unsafe_hash": (False, True)}
_EMPTY = {"[": ("]",), "{": ("}",), "set": ("(", ")")}
_MOST_MEMBERS = 100
_BASES = ("Enum", "IntEnum", "StrEnum")


def interface_of(module: Module) -> Interface:
    """The interface that a module carries, an empty one where it carries none.  Raises MalformedError."""
    for item in module.customs:
        if item.name == INTERFACE_SECTION:
            return parse_interface(item.data)
    return Interface()


def parse_interface(data: bytes) -> Interface:
    """The interface in the bytes of the section.  Raises MalformedError."""
    if len(data) > MAX_INTERFACE_BYTES:
        raise _error(f"an interface has at most {MAX_INTERFACE_BYTES} bytes, not {len(data)}", None)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _error(f"not UTF-8 text: {error.reason}", None) from None
    return _Parser(text).run()


def _error(message: str, line: int | None) -> MalformedError:
    return MalformedError(message, Place(section=INTERFACE_SECTION, line=line))


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.number = 0
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        self.named: list[tuple[str, int]] = []

    def fail(self, message: str) -> MalformedError:
        return _error(message, self.number)

    # Lines

    def run(self) -> Interface:
        classes: dict[str, Structure | Enumeration | Alias] = {}
        functions: dict[tuple[str | None, str], Signature] = {}
        while self.next_line():
            if self.peek() == "end":
                continue
            item = self.item()
            known: dict[object, object] = functions if isinstance(item, Signature) else classes  # type: ignore[assignment]  # one of two
            key = (item.host, item.name) if isinstance(item, Signature) else item.name
            if key in known or key in SCALARS or key in CONTAINERS:
                raise self.fail(f"`{item.name}` is declared twice")
            known[key] = item
        for name, line in self.named:
            if name not in classes:
                raise _error(f"there is no type `{name}`", line)
        return Interface(tuple(classes.values()), tuple(functions.values()))

    def next_line(self) -> bool:
        if self.number == len(self.lines):
            return False
        line = self.lines[self.number]
        self.number += 1
        self.tokens, self.at = list(self.split(line)), 0
        return True

    def split(self, line: str) -> Iterator[tuple[str, str]]:
        at = 0
        while True:
            found = _TOKEN.match(line, at)
            if found is None or found.lastgroup is None:
                raise self.fail(f"no part of a signature: {line[at : at + 20]!r}")
            yield found.lastgroup, found[found.lastgroup]
            if found.lastgroup == "end":
                return
            at = found.end()

    def body(self) -> Iterator[None]:
        """Go through the indented lines that follow."""
        while self.number < len(self.lines) and self.lines[self.number].startswith("    "):
            self.next_line()
            yield

    # Tokens

    def peek(self) -> str:
        """The token at hand if it is a mark, else its kind."""
        kind, text = self.tokens[self.at]
        return text if kind == "mark" else kind

    def take(self, wanted: str) -> str:
        """The text of the token at hand, which must be that mark or of that kind."""
        if self.peek() != wanted:
            raise self.fail(f"{wanted} expected, not {self.tokens[self.at][1]!r}")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def skip(self, mark: str) -> bool:
        found = self.peek() == mark
        self.at += found
        return found

    def name(self) -> str:
        found = self.take("name")
        if not is_name(found):
            raise self.fail(f"{found!r} cannot be a name")
        return found

    def word(self, wanted: str) -> None:
        if self.take("name") != wanted:
            raise self.fail(f"`{wanted}` expected")

    # Items

    def item(self) -> Signature | Structure | Enumeration | Alias:
        host: str | None = None
        options: tuple[bool, bool] | None = None
        if self.skip("@"):
            kind = self.take("name")
            if kind == "host":
                host = self.argument()
            elif kind == "dataclass":
                options = self.options()
            else:
                raise self.fail(f"there is no decorator `{kind}` here")
            self.take("end")
            if not self.next_line():
                raise self.fail("a declaration is missing")
        keyword = self.take("name")
        if keyword == "def" and options is None:
            return self.function(host)
        if keyword == "class" and host is None:
            return self.derived() if options is None else self.structure(self.name(), options)
        if keyword == "type" and host is None and options is None:
            return self.alias()
        raise self.fail(f"a declaration is expected, not `{keyword}`")

    def argument(self) -> str:
        self.take("(")
        found = str(self.value(self.take("text")))
        self.take(")")
        return found

    def options(self) -> tuple[bool, bool]:
        name = ""
        if self.skip("("):
            name = self.take("name")
            self.take("=")
            self.word("True")
            self.take(")")
        if name not in _OPTIONS:
            raise self.fail(f"there is no option `{name}`")
        return _OPTIONS[name]

    def function(self, host: str | None) -> Signature:
        name = self.name()
        self.take("(")
        params: dict[str, Parameter] = {}
        kind, defaults = Kind.EITHER, False
        while not self.skip(")"):
            if params or kind == Kind.KEYWORD:
                self.take(",")
            if self.skip("/"):
                if not params or kind != Kind.EITHER or Kind.POSITIONAL in {p.kind for p in params.values()}:
                    raise self.fail("`/` cannot stand here")
                before = params.values()
                params = {p.name: Parameter(p.name, p.type, p.default, Kind.POSITIONAL) for p in before}
            elif self.skip("*"):
                if kind == Kind.KEYWORD:
                    raise self.fail("`*` cannot stand here")
                kind = Kind.KEYWORD
                self.take(",")
                self.at -= 1
            else:
                param = self.parameter(kind)
                if kind != Kind.KEYWORD and defaults and param.default is None:
                    raise self.fail(f"`{param.name}` has no default, but follows a parameter that has one")
                defaults = defaults or (kind != Kind.KEYWORD and param.default is not None)
                if param.name in params:
                    raise self.fail(f"two parameters are named `{param.name}`")
                params[param.name] = param
        self.take("->")
        result = self.type()
        for mark in (":", "...", "end"):
            self.take(mark)
        return Signature(name, tuple(params.values()), result, host)

    def parameter(self, kind: str) -> Parameter:
        name = self.name()
        self.take(":")
        return Parameter(name, self.type(), self.literal() if self.skip("=") else None, kind)

    def literal(self) -> str:
        """The text of a default, as `Parameter` has it."""
        kind, text = self.tokens[self.at]
        self.at += 1
        if text in ("...", "True", "False", "None", "inf", "nan"):
            return text
        if kind in ("text", "number"):
            return repr(self.value(text))
        if text in _EMPTY:
            for mark in _EMPTY[text]:
                self.take(mark)
            return "".join((text, *_EMPTY[text]))
        if kind == "name" and self.skip("."):
            return f"{text}.{self.name()}"
        raise self.fail(f"{text!r} is no literal")

    def value(self, text: str) -> int | float | str:
        """The value of a literal."""
        try:
            found = float(text) if text == "-inf" else literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found = None
        if not isinstance(found, int | float | str):
            raise self.fail(f"{text[:40]!r} is no literal")
        return found

    def alias(self) -> Alias:
        name = self.name()
        self.take("=")
        found = Alias(name, self.type())
        self.take("end")
        return found

    def derived(self) -> Structure | Enumeration:
        """A class that says what it is by its base."""
        name = self.name()
        self.take("(")
        base = self.take("name")
        self.take(")")
        if base in _BASES:
            return self.enumeration(name, base)
        if base != "NamedTuple":
            raise self.fail(f"`{base}` is no base of a class here")
        return self.structure(name, (True, True), named=True)

    def structure(self, name: str, options: tuple[bool, bool], *, named: bool = False) -> Structure:
        self.take(":")
        self.take("end")
        fields: dict[str, Field] = {}
        for _ in self.body():
            if self.skip("..."):
                self.take("end")
                continue
            item = self.field()
            if named and not item.init:
                raise self.fail("a field of a tuple is always given")
            if item.name in fields:
                raise self.fail(f"two fields are named `{item.name}`")
            fields[item.name] = item
        return Structure(name, tuple(fields.values()), *options, named)

    def field(self) -> Field:
        name = self.name()
        self.take(":")
        t, default, init = self.type(), None, True
        if self.skip("="):
            if self.tokens[self.at] == ("name", "field"):
                self.at += 1
                self.take("(")
                self.word("init")
                self.take("=")
                self.word("False")
                self.take(")")
                init = False
            else:
                default = self.literal()
        self.take("end")
        return Field(name, t, default, init)

    def enumeration(self, name: str, base: str) -> Enumeration:
        self.take(":")
        self.take("end")
        members: dict[str, MemberValue] = {}
        values: set[object] = set()
        for _ in self.body():
            member = self.name()
            self.take("=")
            value = self.member_value()
            if member in members or (value, type(value)) in values:
                raise self.fail(f"the member `{member}` is there twice")
            values.add((value, type(value)))
            members[member] = value
            self.take("end")
        return Enumeration(name, base, tuple(members.items()))

    def member_value(self, depth: int = 0) -> MemberValue:
        """A literal, or a tuple of them."""
        if not self.skip("("):
            text = self.literal()
            return text == "True" if text in ("True", "False") else self.value(text)
        if depth == MAX_TYPE_DEPTH:
            raise self.fail(f"a tuple is nested deeper than {MAX_TYPE_DEPTH}")
        items: list[MemberValue] = []
        while not self.skip(")"):
            items.append(self.member_value(depth + 1))
            if self.peek() != ")":
                self.take(",")
        return tuple(items)

    # Types

    def type(self, depth: int = 0) -> RichType:
        if depth > MAX_TYPE_DEPTH:
            raise self.fail(f"a type is nested deeper than {MAX_TYPE_DEPTH}")
        members = [self.single(depth)]
        while self.skip("|"):
            members.append(self.single(depth))
        if len(members) == 1:
            return members[0]
        nothing = RichType("None")
        if len(set(members)) < len(members) or nothing in members[:-1] or len(members) > _MOST_MEMBERS:
            raise self.fail("no union: None stands at the end, and every type is there once")
        parts = tuple(members[:-1] if members[-1] == nothing else members)
        found = parts[0] if len(parts) == 1 else RichType("union", parts)
        return RichType("optional", (found,)) if len(parts) < len(members) else found

    def single(self, depth: int) -> RichType:
        name = self.take("name")
        if name in SCALARS:
            return RichType(name)
        if name not in CONTAINERS or name in ("optional", "union", "vector"):
            self.named.append((name, self.number))
            return RichType(name)
        self.take("[")
        if name == "tuple" and self.skip("("):
            self.take(")")
            self.take("]")
            return RichType(name)
        args = [self.item_type(depth)]
        while self.skip(","):
            if name == "tuple" and len(args) == 1 and self.skip("..."):
                self.take("]")
                return RichType("vector", tuple(args))
            args.append(self.item_type(depth))
        self.take("]")
        if CONTAINERS[name] not in (None, len(args)):
            raise self.fail(f"`{name}` takes {CONTAINERS[name]} type(s), not {len(args)}")
        return RichType(name, tuple(args))

    def item_type(self, depth: int) -> RichType:
        found = self.type(depth + 1)
        if found.name == "None":
            raise self.fail("None cannot be the type of an item")
        return found
