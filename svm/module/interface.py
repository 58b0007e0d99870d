"""The interface of a module: what its functions take and give in terms of Python's types.

A compiler writes it, hosts read it: signatures of the functions that a host can call, of those that the host must give,
and the classes that appear in them.  It is kept as text, in Python's own notation, in a custom section (docs/svmb.md).
Invariant: every class that a type names is declared, once, and all names are identifiers that Python takes.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from svm.module.model import INTERFACE_SECTION
from svm.record import record

__all__ = [
    "CONTAINERS",
    "INTERFACE_SECTION",
    "SCALARS",
    "UNKNOWN",
    "Alias",
    "Enumeration",
    "Field",
    "Interface",
    "Kind",
    "MemberValue",
    "Parameter",
    "RichType",
    "Signature",
    "Structure",
    "is_name",
    "literal",
]

UNKNOWN: Any = object()
"""The value of a default that is no number, text, bool or None."""

SCALARS = frozenset(("bool", "bytearray", "bytes", "float", "int", "None", "str"))
CONTAINERS = {"dict": 2, "frozenset": 1, "list": 1, "optional": 1, "set": 1, "vector": 1, "tuple": None, "union": None}
"""Types that have arguments, and how many: `optional` is `T | None`, `union` `A | B`, `vector` `tuple[T, ...]`."""


@record
class RichType:
    """A type: a scalar, a container with arguments, or a class of the interface, by name."""

    name: str
    args: tuple[RichType, ...] = ()

    def __str__(self) -> str:
        match self.name:
            case "optional":
                return f"{self.args[0]} | None"
            case "union":
                return " | ".join(map(str, self.args))
            case "vector":
                return f"tuple[{self.args[0]}, ...]"
            case "tuple":
                return f"tuple[{', '.join(map(str, self.args)) or '()'}]"
            case _:
                return f"{self.name}[{', '.join(map(str, self.args))}]" if self.args else self.name


class Kind:
    """How an argument may be given: by position alone, by position or name, by name alone."""

    POSITIONAL, EITHER, KEYWORD = "positional", "either", "keyword"


@record
class Parameter:
    """A parameter.  default: its text, None without one: a number, text, bool or None; an empty `[]`, `{}` or `set()`;
    a member of an enum, `Color.RED`; `...` for what only the guest knows.
    """

    name: str
    type: RichType
    default: str | None = None
    kind: str = Kind.EITHER

    @property
    def value(self) -> Any:
        """The value of the default if it is a plain one, None without one, else UNKNOWN."""
        return None if self.default is None else literal(self.default)

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" + (f" = {self.default}" if self.default is not None else "")


@record
class Signature:
    """A function.  host: the module that a host gives it for; None for one that the module exports."""

    name: str
    params: tuple[Parameter, ...]
    result: RichType
    host: str | None = None

    @property
    def plain(self) -> bool:
        """Whether numbers and bools alone pass, so that arguments and the result lie in slots, not in memory."""
        return (
            self.host is None
            and self.result.name in ("bool", "float", "int", "None")
            and all(p.type.name in ("bool", "float", "int") and p.value is not UNKNOWN for p in self.params)
        )

    def __str__(self) -> str:
        shown: list[str] = []
        for at, param in enumerate(self.params):
            before = self.params[at - 1].kind if at else None
            if before == Kind.POSITIONAL != param.kind:
                shown.append("/")
            if param.kind == Kind.KEYWORD != before:
                shown.append("*")
            shown.append(str(param))
        if self.params and self.params[-1].kind == Kind.POSITIONAL:
            shown.append("/")
        heading = f'@host("{self.host}")\n' if self.host is not None else ""
        return f"{heading}def {self.name}({', '.join(shown)}) -> {self.result}: ..."


@record
class Field:
    """A field of a dataclass.  init: whether its constructor takes it; default: as a parameter's."""

    name: str
    type: RichType
    default: str | None = None
    init: bool = True

    def __str__(self) -> str:
        if self.init:
            return f"{self.name}: {self.type}" + (f" = {self.default}" if self.default is not None else "")
        return f"{self.name}: {self.type} = field(init=False)"


@record
class Structure:
    """A dataclass.  frozen: its objects cannot change.  hashed: they can be keys, and items of sets.
    named: it is a `NamedTuple`.
    """

    name: str
    fields: tuple[Field, ...]
    frozen: bool = False
    hashed: bool = False
    named: bool = False

    def __str__(self) -> str:
        if self.named:
            return "\n".join([f"class {self.name}(NamedTuple):", *(f"    {item}" for item in self.fields or ("...",))])
        options = ["frozen=True"] * self.frozen + ["unsafe_hash=True"] * (self.hashed and not self.frozen)
        lines = [f"@dataclass({', '.join(options)})" if options else "@dataclass", f"class {self.name}:"]
        return "\n".join([*lines, *(f"    {item}" for item in self.fields or ("...",))])


MemberValue = int | str | float | tuple["MemberValue", ...]
"""What a member of an enum can be: a literal, or a tuple of them."""


@record
class Enumeration:
    """An enum.  base: `Enum`, `IntEnum` or `StrEnum`.  members: by name, with their values, in order."""

    name: str
    base: str
    members: tuple[tuple[str, MemberValue], ...]

    def __str__(self) -> str:
        return "\n".join([f"class {self.name}({self.base}):", *(f"    {name} = {v!r}" for name, v in self.members)])


@record
class Alias:
    """A name for a type that may contain itself, such as `list[Tree] | int` for `Tree`."""

    name: str
    type: RichType

    def __str__(self) -> str:
        return f"type {self.name} = {self.type}"


@record
class Interface:
    """What passes between a module and its host: its text, `str(interface)`, is what the section holds."""

    classes: tuple[Structure | Enumeration | Alias, ...] = ()
    functions: tuple[Signature, ...] = ()

    @property
    def exports(self) -> tuple[Signature, ...]:
        """The functions that a host can call."""
        return tuple(item for item in self.functions if item.host is None)

    @property
    def hosts(self) -> tuple[Signature, ...]:
        """The functions that the host must give."""
        return tuple(item for item in self.functions if item.host is not None)

    def __str__(self) -> str:
        return "".join(f"{item}\n\n" for item in (*self.classes, *self.functions)).removesuffix("\n")


def literal(text: str) -> Any:
    """The value of a default that is a number, a text, a bool or None, else UNKNOWN."""
    if text in ("inf", "-inf", "nan"):
        return float(text)
    if text[:1] in "[{." or text == "set()":
        return UNKNOWN
    try:
        from ast import literal_eval  # here, for a cold start does without

        return literal_eval(text)
    except (ValueError, SyntaxError):
        return UNKNOWN


def is_name(text: str) -> bool:
    """Whether a name can stand in a signature or a class: no keyword, and none of Python's own special names."""
    return text.isidentifier() and not iskeyword(text) and not text.startswith("__")
