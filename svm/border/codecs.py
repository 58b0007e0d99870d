"""Codecs: for each type of an interface, how its values become bytes and how bytes become values.

The form is fixed by the type, so it holds no types: numbers are 8 bytes, bools 1; texts are u8 1, 2 or 4, u32 length,
code points of so many bytes (the least that do); containers are u32 count, then items; an optional is u8 0, or 1 and a
value; a value of a union follows the u8 place of its type; tuples and the fields of objects follow one another; a
member of an enum is its u32 place.  Everything is little-endian and unaligned.  Lists of numbers are blocks, here and
in the guest: no Python runs for each of them.

A codec's `width` is the least that a value takes in bytes, `cost` about what it takes as Python's object within
another, beyond what its own `decode` accounts for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from struct import Struct
from struct import error as StructError
from typing import Any

from svm.border.stream import Misfit, Reader, Writer
from svm.errors import InterfaceError
from svm.module.interface import RichType

__all__ = ["Codec", "Fixed", "Nothing", "Numbers", "build"]

_LITTLE = sys.byteorder == "little"


class Codec:
    """Values of one type.  hashable: they can be keys."""

    __slots__ = ("cost", "hashable", "shown", "width")

    def __init__(self, shown: str, width: int, cost: int, hashable: bool = True) -> None:
        self.shown = shown
        self.width = width
        self.cost = cost
        self.hashable = hashable

    def encode(self, out: Writer, value: Any) -> None:
        """Write a value.  Raises Misfit, LimitError."""
        raise self.misfit(value)

    def decode(self, source: Reader) -> Any:
        """Read a value.  Raises InterfaceError, LimitError."""
        raise InterfaceError(f"no value of {self.shown} can be handed out")

    def is_exact(self, value: Any) -> bool:
        """Whether a value is of the very type, not only taken for it: what a union goes by."""
        return False

    def misfit(self, value: Any) -> Misfit:
        """The error for a value of another type."""
        return Misfit(f"{self.shown} expected, {type(value).__name__} given")


    def instead(self, error: Misfit, item: Codec, value: Any) -> Misfit:
        """The error for a value that is none of the type within this one, in this one's words."""
        return self.misfit(value) if not error.steps and error.message.startswith(item.shown) else error


class Nothing(Codec):
    """None alone: the result of a function without one."""

    __slots__ = ()

    def is_exact(self, value: Any) -> bool:
        return value is None

    def encode(self, out: Writer, value: Any) -> None:
        if value is not None:
            raise self.misfit(value)

    def decode(self, source: Reader) -> None:
        return None


class _Scalar(Codec):
    """A number: what `struct` takes for it, as Python's own functions do."""

    __slots__ = ("_layout", "_type")

    def __init__(self, shown: str, layout: str) -> None:
        super().__init__(shown, 8, 32)
        self._layout = Struct(layout)
        self._type = int if shown == "int" else float

    def is_exact(self, value: Any) -> bool:
        return type(value) is self._type

    def encode(self, out: Writer, value: Any) -> None:
        try:
            out.part += self._layout.pack(value)
        except (StructError, OverflowError, TypeError, ValueError):
            raise misfit_number(self.shown, value) from None

    def decode(self, source: Reader) -> Any:
        return self._layout.unpack_from(source.data, source.take(8))[0]


def misfit_number(shown: str, value: Any) -> Misfit:
    """The error for what is no number of a type, or too large for one."""
    if isinstance(value, int):
        digits = repr(value) if value.bit_length() < 200 else f"an integer of {value.bit_length()} bits"
        return Misfit(f"{digits} does not fit {shown}" + (", which has 64 bits" if shown == "int" else ""))
    return Misfit(f"{shown} expected, {type(value).__name__} given")


def as_bool(value: Any) -> bool:
    """A bool, which may be given as 0 or 1.  Raises Misfit for anything else."""
    if value is True or value is False or (type(value) is int and 0 <= value <= 1):
        return bool(value)
    raise Misfit(f"bool expected, {type(value).__name__} given")


class _Bool(Codec):
    __slots__ = ()

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, bool)

    def encode(self, out: Writer, value: Any) -> None:
        out.part += b"\1" if as_bool(value) else b"\0"

    def decode(self, source: Reader) -> bool:
        return source.byte(1) == 1


_HEAD = Struct("<BI")
_CODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


class _Text(Codec):
    """A text as the guest keeps it.  Lone surrogates pass as they are."""

    __slots__ = ()

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, str)

    def encode(self, out: Writer, value: Any) -> None:
        if not isinstance(value, str):
            raise self.misfit(value)
        out.account(5 + len(value))
        kind = 1
        try:
            data = str.encode(value, "latin-1")
        except UnicodeEncodeError:
            kind = 2
            data = str.encode(value, "utf-16-le", "surrogatepass")
            if len(data) != 2 * len(value):
                kind = 4
                data = str.encode(value, "utf-32-le", "surrogatepass")
        out.part += _HEAD.pack(kind, len(value))
        out.block(data)

    def decode(self, source: Reader) -> str:
        kind, count = _HEAD.unpack_from(source.data, source.take(5))
        if kind not in _CODINGS:
            raise InterfaceError(f"a text that the guest handed out has characters of {kind} bytes")
        start = source.take(count * kind)
        source.account(56 + count * kind)
        data = source.data[start : source.at]
        try:
            text = str(data, _CODINGS[kind], "surrogatepass")
        except UnicodeDecodeError as error:
            raise InterfaceError(f"a text that the guest handed out is none: {error.reason}") from None
        if len(text) != count:  # surrogates that stand side by side are two characters to the guest
            text = "".join(map(chr, _numbers("H", data)))
        return text


class _Bytes(Codec):
    """`bytes` and `bytearray`."""

    __slots__ = ()

    def is_exact(self, value: Any) -> bool:
        return type(value).__name__ == self.shown

    def encode(self, out: Writer, value: Any) -> None:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise self.misfit(value)
        size = memoryview(value).nbytes
        out.count(size, 1)
        out.block(bytes(value))

    def decode(self, source: Reader) -> bytes | bytearray:
        count = source.count(1, 1)
        start = source.take(count)
        data = source.data[start : source.at]
        return data if self.shown == "bytes" else bytearray(data)


class _Optional(Codec):
    __slots__ = ("_item",)

    def __init__(self, shown: str, item: Codec) -> None:
        super().__init__(shown, 1, item.cost, item.hashable)
        self._item = item

    def is_exact(self, value: Any) -> bool:
        return value is None or self._item.is_exact(value)

    def encode(self, out: Writer, value: Any) -> None:
        if value is None:
            out.part += b"\0"
        else:
            out.part += b"\1"
            try:
                self._item.encode(out, value)
            except Misfit as error:
                raise self.instead(error, self._item, value) from None

    def decode(self, source: Reader) -> Any:
        return self._item.decode(source) if source.byte(1) else None


class _Union(Codec):
    """A value of one of several types, behind the place of its type among them."""

    __slots__ = ("_items",)

    def __init__(self, shown: str, items: Sequence[Codec]) -> None:
        cost = max(item.cost for item in items)
        super().__init__(shown, 1 + min(item.width for item in items), cost, all(item.hashable for item in items))
        self._items = tuple(items)

    def is_exact(self, value: Any) -> bool:
        return any(item.is_exact(value) for item in self._items)

    def encode(self, out: Writer, value: Any) -> None:
        numbered = list(enumerate(self._items))
        chosen = [(at, item) for at, item in numbered if item.is_exact(value)] or numbered
        for at, item in chosen:
            mark = out.mark()
            out.part.append(at)
            try:
                return item.encode(out, value)
            except Misfit:
                if len(chosen) == 1:
                    raise
                out.back_to(mark)
        raise self.misfit(value)

    def decode(self, source: Reader) -> Any:
        return self._items[source.byte(len(self._items) - 1)].decode(source)


class _Items(Codec):
    """`list[T]`, `tuple[T, ...]`, `set[T]`, `frozenset[T]`."""

    __slots__ = ("_accepted", "_item", "_make")

    def __init__(self, shown: str, item: Codec, accepted: Any, make: Callable[[Any], Any], own: int) -> None:
        super().__init__(shown, 4, 80, make in (tuple, frozenset) and item.hashable)
        self._item = item
        self._accepted = accepted
        self._make = make

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, self._make)  # type: ignore[arg-type]  # which is a class

    def encode(self, out: Writer, value: Any) -> None:
        if not isinstance(value, self._accepted) or isinstance(value, str | bytes | bytearray):
            raise self.misfit(value)
        out.count(len(value), self._item.width)
        encode, at = self._item.encode, -1
        try:
            for at, item in enumerate(value):  # noqa: B007 - the error names it
                encode(out, item)
        except Misfit as error:
            raise error.within(f"item {at}") from None

    def decode(self, source: Reader) -> Any:
        item = self._item
        count = source.count(item.width, 8 + item.cost if self._make in (list, tuple) else 80 + item.cost)
        decode = item.decode
        found = [decode(source) for _ in range(count)]
        return found if self._make is list else self._make(found)


def _numbers(code: str, data: Any) -> array[Any]:
    found = array(code)
    found.frombytes(data)
    if not _LITTLE:
        found.byteswap()
    return found


class Numbers(Codec):
    """`list[int]` and `list[float]`: blocks.  as_array: they are given as `array.array`, so that no list is made."""

    __slots__ = ("_as_array", "_code", "_formats", "_item")

    def __init__(self, shown: str, code: str, item: Codec, as_array: bool) -> None:
        super().__init__(shown, 4, 80, hashable=False)
        self._code = code
        self._item = item
        self._as_array = as_array
        self._formats = ("d",) if code == "d" else ("q", "l")

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, list) or (isinstance(value, array) and value.typecode == self._code)

    def encode(self, out: Writer, value: Any) -> None:
        if isinstance(value, list | tuple):
            self._from_items(out, value)
        elif isinstance(value, str | bytes | bytearray):
            raise self.misfit(value)
        else:
            try:
                view = memoryview(value)
            except TypeError:
                if not isinstance(value, Sequence):
                    raise self.misfit(value) from None
                self._from_items(out, list(value))
                return
            if view.ndim != 1:
                raise Misfit(f"{self.shown} expected, an array of {view.ndim} dimensions given")
            if _LITTLE and view.itemsize == 8 and view.format.lstrip("@=<") in self._formats:
                out.count(len(view), 8)
                out.block(view.tobytes())
            else:
                out.account(len(view) * 8)
                self._from_items(out, self._listed(view))

    def _listed(self, view: memoryview) -> list[Any]:
        try:
            return view.tolist()
        except NotImplementedError:
            raise Misfit(f"{self.shown} expected, an array of {view.format!r} given") from None

    def _from_items(self, out: Writer, value: Sequence[Any]) -> None:
        out.count(len(value), 8)
        try:
            data = array(self._code, value)
        except (TypeError, OverflowError, ValueError):
            scratch = Writer(sys.maxsize)
            for at, item in enumerate(value):
                try:
                    self._item.encode(scratch, item)
                except Misfit as error:
                    raise error.within(f"item {at}") from None
            raise self.misfit(value) from None
        if not _LITTLE:
            data.byteswap()
        out.block(memoryview(data).cast("B"))

    def decode(self, source: Reader) -> Any:
        count = source.count(8, 8 if self._as_array else 40)
        start = source.take(8 * count)
        found = _numbers(self._code, memoryview(source.data)[start : source.at])
        return found if self._as_array else found.tolist()


class _Dict(Codec):
    __slots__ = ("_key", "_value")

    def __init__(self, shown: str, key: Codec, value: Codec) -> None:
        super().__init__(shown, 4, 80, hashable=False)
        self._key = key
        self._value = value

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, dict)

    def encode(self, out: Writer, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise self.misfit(value)
        out.count(len(value), self._key.width + self._value.width)
        encode_key, encode_value = self._key.encode, self._value.encode
        for key, item in value.items():
            try:
                encode_key(out, key)
            except Misfit as error:
                raise error.within(f"key {key!r:.40}") from None
            try:
                encode_value(out, item)
            except Misfit as error:
                raise error.within(f"key {key!r:.40}") from None

    def decode(self, source: Reader) -> dict[Any, Any]:
        key, value = self._key, self._value
        count = source.count(key.width + value.width, 104 + key.cost + value.cost)
        decode_key, decode_value = key.decode, value.decode
        return {decode_key(source): decode_value(source) for _ in range(count)}


class Fixed(Codec):
    """`tuple[A, B]`."""

    __slots__ = ("_items",)

    def __init__(self, shown: str, items: Sequence[Codec]) -> None:
        super().__init__(shown, sum(item.width for item in items), 56, all(item.hashable for item in items))
        self.cost += sum(8 + item.cost for item in items)
        self._items = tuple(items)

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, tuple) and len(value) == len(self._items)

    def encode(self, out: Writer, value: Any) -> None:
        if not isinstance(value, tuple):
            raise self.misfit(value)
        if len(value) != len(self._items):
            raise Misfit(f"{self.shown} expected, a tuple of {len(value)} item(s) given")
        at = -1
        try:
            for at, item in enumerate(self._items):
                item.encode(out, value[at])
        except Misfit as error:
            raise error.within(f"item {at}") from None

    def decode(self, source: Reader) -> tuple[Any, ...]:
        return tuple([item.decode(source) for item in self._items])


def build(t: RichType, args: Sequence[Codec], *, as_array: bool) -> Codec:
    """The codec of a scalar or a container whose arguments' codecs are at hand."""
    shown = str(t)
    match t.name:
        case "int":
            return _Scalar(shown, "<q")
        case "float":
            return _Scalar(shown, "<d")
        case "bool":
            return _Bool(shown, 1, 0)
        case "str":
            return _Text(shown, 5, 0)
        case "bytes":
            return _Bytes(shown, 4, 40)
        case "bytearray":
            return _Bytes(shown, 4, 64, hashable=False)
        case "None":
            return Nothing(shown, 0, 0)
        case "optional":
            return _Optional(shown, args[0])
        case "union":
            return _Union(shown, args)
        case "list":
            if t.args[0].name in ("int", "float"):
                return Numbers(shown, "q" if t.args[0].name == "int" else "d", args[0], as_array)
            return _Items(shown, args[0], Sequence, list, 64)
        case "vector":
            return _Items(shown, args[0], tuple, tuple, 64)
        case "set":
            return _Items(shown, args[0], AbstractSet, set, 216)
        case "frozenset":
            return _Items(shown, args[0], AbstractSet, frozenset, 216)
        case "dict":
            return _Dict(shown, *args)
        case _:
            return Fixed(shown, args)
