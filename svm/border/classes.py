"""The classes of an interface, as Python's: dataclasses and enums, and the codecs of their objects.

In: an interface. Out: classes, made when they are first asked for, the same for all guests of a module. A host may
have classes of its own: objects of any dataclass with the same fields are taken, and members of any enum with the same
names.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Any

from svm.border.codecs import Codec, build
from svm.border.stream import Misfit, Reader, Writer
from svm.errors import InterfaceError, InvalidError, Place
from svm.module.interface import INTERFACE_SECTION, UNKNOWN, Alias, Enumeration, Interface, RichType, Structure, literal

__all__ = ["Codecs", "GuestTypes", "invalid"]

_INDEX = Struct("<I")
_FACTORIES: dict[str | None, type] = {"[]": list, "{}": dict, "set()": set}


def invalid(message: str) -> InvalidError:
    """The error of an interface that contradicts itself, or its module."""
    return InvalidError(message, Place(section=INTERFACE_SECTION))


class GuestTypes:
    """The classes of a guest, by name: `guest.types.Point`, or `guest.types["Point"]`."""

    def __init__(self, interface: Interface, module: str) -> None:
        self._declared = {item.name: item for item in interface.classes if not isinstance(item, Alias)}
        self._made: dict[str, type] = {}
        self._module = module

    def default(self, text: str | None) -> Any:
        """What a field is given where nothing is said, as `dataclasses.field` takes it; nothing if it is not known."""
        if text in _FACTORIES:
            return {"default_factory": _FACTORIES[text]}
        value = UNKNOWN if text is None else literal(text)
        name, _, member = (text or "").partition(".")
        if value is UNKNOWN and member and isinstance(self._declared.get(name), Enumeration):
            value = self[name][member]
        return {} if value is UNKNOWN else {"default": value}

    def __getitem__(self, name: str) -> Any:
        found = self._made.get(name)
        if found is None:
            declared = self._declared[name]
            try:
                if isinstance(declared, Structure):
                    found = _named_tuple(declared, self) if declared.named else _dataclass(declared, self)
                else:
                    found = _enum(declared)
                found.__module__ = self._module
            except (TypeError, ValueError, KeyError) as error:
                raise invalid(f"`{name}` can be no class: {error}") from None
            self._made[name] = found
        return found

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_declared", ()):
            return self[name]
        raise AttributeError(f"the guest has no type {name!r}; it has {', '.join(self) or 'none'}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __dir__(self) -> list[str]:
        return [*self._declared]

    def __repr__(self) -> str:
        return f"<types {', '.join(self) or 'none'}>"


def _dataclass(declared: Structure, types: GuestTypes) -> type:
    fields: list[tuple[str, Any, Any]] = []
    optional = False
    for item in declared.fields:
        known = types.default(item.default)
        if not item.init:
            described = dataclasses.field(init=False)
        elif known:
            described = dataclasses.field(**known)
        else:  # a default that only the guest knows is none here, and what follows one that is known is named
            described = dataclasses.field(kw_only=optional)
        optional = optional or (item.init and bool(known))
        fields.append((item.name, str(item.type), described))
    return dataclasses.make_dataclass(
        declared.name, fields, frozen=declared.frozen, unsafe_hash=declared.hashed and not declared.frozen
    )


def _named_tuple(declared: Structure, types: GuestTypes) -> type:
    make: Any = collections.namedtuple
    made: Any = make(declared.name, [item.name for item in declared.fields])
    made.__annotations__ = {item.name: str(item.type) for item in declared.fields}
    values: list[Any] = []
    for item in declared.fields:
        known = types.default(item.default)
        if known:
            values.append(known["default"] if "default" in known else known["default_factory"]())
        else:
            values.clear()  # a default that only the guest knows is none here, nor are those before it
    made.__new__.__defaults__ = tuple(values)
    return made  # type: ignore[no-any-return]  # a class


def _enum(declared: Enumeration) -> type:
    base: Any = getattr(enum, declared.base)
    return base(declared.name, declared.members)  # type: ignore[no-any-return]  # the functional form


class Codecs:
    """The codecs of an interface.  own: classes of the host that stand for some of the guest's.

    as_array: whether lists of numbers are given as `array.array`.
    """

    def __init__(
        self, interface: Interface, types: GuestTypes, own: Mapping[str, type] | None = None, *, as_array: bool = False
    ) -> None:
        self._declared = {item.name: item for item in interface.classes}
        self._types = types
        self._own = own or {}
        self._as_array = as_array
        self._made: dict[RichType, Codec] = {}

    def class_of(self, name: str) -> Any:
        """The Python class that stands for one of the guest's."""
        return self._own.get(name) or self._types[name]

    def of(self, t: RichType) -> Codec:
        """The codec of a type.  Raises InvalidError where its values cannot be keys and would have to be."""
        made = self._made.get(t)
        if made is not None:
            return made
        declared = self._declared.get(t.name)
        if isinstance(declared, Structure):
            made = self._made[t] = _Object(declared, lambda: self.class_of(declared.name))
            made.fill(self)
        elif isinstance(declared, Alias):
            made = self._made[t] = _Named(declared.name)
            made.item = self.of(declared.type)
        elif declared is not None:
            made = self._made[t] = _Member(declared, lambda: self.class_of(declared.name))
        else:
            args = [self.of(item) for item in t.args]
            if t.name in ("set", "frozenset", "dict") and not args[0].hashable:
                raise invalid(f"{t}: a {t.args[0]} cannot be a key")
            made = self._made[t] = build(t, args, as_array=self._as_array)
        return made


class _Object(Codec):
    """An object of a dataclass: its fields in order; those that its constructor does not take come from the guest only.

    Classes may refer to each other, so the width is not known: each object is accounted for by itself.
    """

    __slots__ = ("_class", "_declared", "_fields", "_fitting", "_given", "_make")

    def __init__(self, declared: Structure, make: Callable[[], Any]) -> None:
        super().__init__(declared.name, 0, 0, declared.hashed or declared.frozen)
        self._declared = declared
        self._make = make
        self._class: Any = None
        self._fitting: set[type] = set()
        self._given = tuple(item.name for item in declared.fields if item.init)
        self._fields: tuple[tuple[str, Codec, bool], ...] = ()

    def fill(self, codecs: Codecs) -> None:
        """Find the codecs of the fields."""
        self._fields = tuple((item.name, codecs.of(item.type), item.init) for item in self._declared.fields)

    def encode(self, out: Writer, value: Any) -> None:
        if type(value) not in self._fitting:
            self._check(value)
        out.account(8 * len(self._fields))
        out.enter()
        name = ""
        try:
            for name, codec, init in self._fields:
                if init:
                    codec.encode(out, getattr(value, name))
        except Misfit as error:
            raise error.within(f"field {name!r}") from None
        finally:
            out.depth -= 1

    def _check(self, value: Any) -> None:
        """Raise Misfit unless an object is of a class with these fields, and no others."""
        cls = type(value)
        names = fields_of(cls)
        if names is None or hasattr(cls, "_fields") != self._declared.named:
            raise self.misfit(value)
        if set(names) != set(self._given):
            raise Misfit(f"{self.shown} expected, {cls.__name__} given, which has other fields")
        self._fitting.add(cls)

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, self.cls)

    @property
    def cls(self) -> Any:
        """The class of the objects that are given to the host."""
        if self._class is None:
            self._class = self._make()
        return self._class

    def decode(self, source: Reader) -> Any:
        source.account(100 + 48 * len(self._fields))
        source.enter()
        given: dict[str, Any] = {}
        later: list[tuple[str, Any]] = []
        for name, codec, init in self._fields:
            if init:
                given[name] = codec.decode(source)
            else:
                later.append((name, codec.decode(source)))
        source.depth -= 1
        made = self.cls(**given) if not self._declared.named else self.cls(*given.values())
        for name, value in later:
            object.__setattr__(made, name, value)
        return made


def fields_of(cls: type) -> list[str] | None:
    """What the constructor of a dataclass or of a named tuple takes; None for another class."""
    if dataclasses.is_dataclass(cls):
        return [item.name for item in dataclasses.fields(cls) if item.init]
    return list(cls._fields) if issubclass(cls, tuple) and hasattr(cls, "_fields") else None


class _Named(Codec):
    """A value of a type that has a name, for it may contain itself.  item: the codec of the type."""

    __slots__ = ("item",)

    item: Codec

    def __init__(self, shown: str) -> None:
        super().__init__(shown, 0, 80, hashable=False)

    def is_exact(self, value: Any) -> bool:
        return self.item.is_exact(value)

    def encode(self, out: Writer, value: Any) -> None:
        out.enter()
        try:
            self.item.encode(out, value)
        except Misfit as error:
            raise self.instead(error, self.item, value) from None
        finally:
            out.depth -= 1

    def decode(self, source: Reader) -> Any:
        source.enter()
        found = self.item.decode(source)
        source.depth -= 1
        return found


class _Member(Codec):
    """A member of an enum, by its place."""

    __slots__ = ("_make", "_members", "_places")

    def __init__(self, declared: Enumeration, make: Callable[[], Any]) -> None:
        super().__init__(declared.name, 4, 0)
        self._places = {name: (at, value) for at, (name, value) in enumerate(declared.members)}
        self._make = make
        self._members: list[Any] | None = None

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, self._make())

    def encode(self, out: Writer, value: Any) -> None:
        place = self._places.get(value.name) if isinstance(value, enum.Enum) else None
        if place is None or place[1] != value.value:
            raise self.misfit(value)
        out.part += _INDEX.pack(place[0])

    def decode(self, source: Reader) -> Any:
        place: int = _INDEX.unpack_from(source.data, source.take(4))[0]
        if self._members is None:
            cls = self._make()
            self._members = [cls[name] for name in self._places]
        if place >= len(self._members):
            raise InterfaceError(f"an enum that the guest handed out has no member {place}: {self.shown}")
        return self._members[place]
