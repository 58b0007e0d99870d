"""Calls by an interface: arguments by position and by name to bytes, results back, on both sides of the border.

In: a signature and the codecs of its types. Out: a `Call`, which knows nothing of guests and memories. Errors of what
the host gave are UsageError, and say the argument and the place in it; those of what the guest gave, InterfaceError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any

from svm.border.classes import Codecs
from svm.border.codecs import Codec, as_bool, build, misfit_number
from svm.border.stream import Buffer, Misfit, Reader, Writer
from svm.errors import InterfaceError, UsageError
from svm.module.interface import UNKNOWN, Kind, Parameter, RichType, Signature

__all__ = ["Call", "Names", "PlainCall", "pack_exception"]

_OMITTED: Any = object()


class Names:
    """How the arguments of a call find their parameters."""

    def __init__(self, signature: Signature) -> None:
        self._name = signature.name
        self._params = signature.params
        self._places = {param.name: at for at, param in enumerate(signature.params)}
        self._positional = sum(param.kind != Kind.KEYWORD for param in signature.params)
        values = [param.value for param in signature.params]
        self._defaults = [_OMITTED if value is UNKNOWN else value for value in values]
        self.by_position = self._positional == len(signature.params)

    def order(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """A value for each parameter, one of its own where only the guest knows the default.  Raises UsageError."""
        if len(args) > self._positional:
            raise UsageError(f"{self._name}() takes {self._positional} positional argument(s), {len(args)} given")
        values = [*args, *self._defaults[len(args) :]]
        given = set()
        for name, value in named.items():
            at = self._places.get(name)
            if at is None or self._params[at].kind == Kind.POSITIONAL:
                raise UsageError(f"{self._name}() got an unexpected keyword argument {name!r}")
            if at < len(args):
                raise UsageError(f"{self._name}() got multiple values for argument {name!r}")
            values[at] = value
            given.add(at)
        missing = [
            param.name
            for at, param in enumerate(self._params)
            if param.default is None and at >= len(args) and at not in given
        ]
        if missing:
            names = ", ".join(map(repr, missing))
            raise UsageError(f"{self._name}() misses {len(missing)} argument(s): {names}")
        return values


class Call:
    """A function whose arguments and result pass through memory."""

    def __init__(self, signature: Signature, codecs: Codecs) -> None:
        self.signature = signature
        self.names = Names(signature)
        self._params = [(param, codecs.of(param.type)) for param in signature.params]
        self._result = codecs.of(signature.result)

    def pack(self, values: Sequence[Any], limit: int) -> list[Buffer]:
        """What `Names.order` gave, as bytes for a guest.  Raises UsageError, LimitError."""
        out = Writer(limit)
        for (param, codec), value in zip(self._params, values, strict=True):
            try:
                if param.default is not None:
                    out.part += b"\0" if value is _OMITTED else b"\1"
                    if value is _OMITTED:
                        continue
                codec.encode(out, value)
            except Misfit as error:
                raise self._misfit(param, error) from None
            except RecursionError:
                raise self._misfit(param, Misfit("nested too deeply")) from None
        return out.finish()

    def _misfit(self, param: Parameter, error: Misfit) -> UsageError:
        return UsageError(f"{self.signature.name}(): {error.within(f'argument {param.name!r}')}")

    def unpack(self, data: bytes, limit: int) -> Any:
        """The result that a guest handed out.  Raises InterfaceError, LimitError."""
        return _read(data, [self._result], limit)[0]

    def unpack_arguments(self, data: bytes, limit: int) -> list[Any]:
        """The arguments that a guest handed out, in the order of the parameters.  Raises InterfaceError, LimitError."""
        return _read(data, [codec for _, codec in self._params], limit)

    def pack_result(self, value: Any, limit: int) -> list[Buffer]:
        """What a host function returned, as bytes for a guest.  Raises UsageError, LimitError."""
        out = Writer(limit)
        try:
            self._result.encode(out, value)
        except Misfit as error:
            raise UsageError(f"{error.within(f'result of host function {self.signature.name!r}')}") from None
        except RecursionError:
            raise UsageError(f"result of host function {self.signature.name!r}: nested too deeply") from None
        return out.finish()


_STR = build(RichType("str"), [], as_array=False)
_NAMES = build(RichType("list", (RichType("str"),)), [_STR], as_array=False)
_TEXT = build(RichType("optional", (RichType("str"),)), [_STR], as_array=False)


def pack_exception(error: Exception, limit: int) -> list[Buffer]:
    """An exception as bytes for a guest: the names of its class and of those that it derives from, and its text."""
    out = Writer(limit)
    _NAMES.encode(out, [cls.__name__ for cls in type(error).__mro__ if issubclass(cls, BaseException)])
    _TEXT.encode(out, str(error) if error.args else None)
    return out.finish()


def _read(data: bytes, codecs: Sequence[Codec], limit: int) -> list[Any]:
    source = Reader(data, limit)
    try:
        found = [codec.decode(source) for codec in codecs]
    except RecursionError:
        raise InterfaceError("a value that the guest handed out is nested too deeply") from None
    source.finish()
    return found


_FORMATS = {"int": "q", "float": "d", "bool": "?7x"}


class PlainCall:
    """A function whose arguments and result are numbers and bools, and lie in slots."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.names = Names(signature)
        self._kinds = [param.type.name for param in signature.params]
        self._checked = "bool" in self._kinds or not self.names.by_position
        self.direct = self.names.by_position
        """Whether passing numbers and bools one by one does the same."""
        self.bools = [kind == "bool" for kind in (*self._kinds, signature.result.name) if kind != "None"]
        """Which of the parameters, and then of the results, are bools."""
        self.layout = Struct("<" + "".join(_FORMATS[kind] for kind in self._kinds))
        self.result = Struct("<" + _FORMATS.get(signature.result.name, ""))

    def pack(self, values: Sequence[Any]) -> bytes:
        """Slots of arguments: of a list, as `Names.order` gives it, or of a tuple of what a host gave by position.

        Raises UsageError.
        """
        if not self._checked:
            try:
                return self.layout.pack(*values)
            except (StructError, OverflowError, TypeError, ValueError):
                pass
        if not isinstance(values, list):
            values = self.names.order(values, {})
        for param, kind, value in zip(self.signature.params, self._kinds, values, strict=True):
            try:
                if kind == "bool":
                    as_bool(value)
                else:
                    _check_number(kind, value)
            except Misfit as error:
                raise UsageError(f"{self.signature.name}(): {error.within(f'argument {param.name!r}')}") from None
        return self.layout.pack(*values)


def _check_number(kind: str, value: Any) -> None:
    try:
        Struct("<" + _FORMATS[kind]).pack(value)
    except (StructError, OverflowError, TypeError, ValueError):
        raise misfit_number(kind, value) from None
