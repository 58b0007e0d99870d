"""Machine code as methods of Python's: what `svm.engines.native.python_ir` writes, made callable, where that can be.

Native code that calls Python's C API itself needs CPython with the GIL, built as everybody builds it; `usable` says
whether this is one.  Elsewhere everything goes through ctypes and the driver: slower, and the same otherwise.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Sequence
from functools import cache

from svm.engines.native.context import CALL_PARAMS, RECORD_PARAMS, Kind
from svm.engines.native.executable import PYTHON, Executable
from svm.hints import Any
from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, FuncType, ValueType
from svm.runtime.engine import DECLINED

__all__ = ["PythonApi", "call_record", "host_record", "usable"]

_METH_FASTCALL, _METH_O = 0x80, 8
_METHOD = struct.Struct("<QQiiQ16s")  # PyMethodDef: name, function, flags, documentation; and the name itself
_RECORD = struct.Struct(f"<QQQqqIB{RECORD_PARAMS}s3x")  # the fields of `RecordField`, in their order
_CALL = struct.Struct(f"<9QB{CALL_PARAMS}s")  # the fields of `CallField`, in their order
_TYPE = 8  # where an object's type is

_KINDS: dict[ValueType, Kind] = {
    I32: Kind.I32, I64: Kind.I64, F32: Kind.F32, F64: Kind.F64, EXTERNREF: Kind.OTHER, FUNCREF: Kind.OTHER,
}  # fmt: skip


@cache
def usable() -> bool:
    """Whether native code may call this Python: the one switch between both ways across the border."""
    if sys.implementation.name != "cpython" or sys.abiflags:
        return False  # a debug build ("d") or one without the GIL ("t") has other objects
    if ctypes.c_size_t.from_address(id(1) + _TYPE).value != id(int):
        return False
    return all(hasattr(ctypes.pythonapi, name) for name in (*PYTHON, "PyCFunction_NewEx", "PyMem_RawMalloc"))


class PythonApi:
    """The methods of one piece of code.

    run: from the address of a context, runs the interpreter and returns an `Exit` or a trap's code, or raises what a
    host function raised.  slice: see `GuestStack.slices`.  host: address of the native function that calls Python.
    """

    def __init__(self, code: Executable) -> None:
        self._code = code
        self._call = _definition("call", code.address("py_call"), _METH_FASTCALL)
        ours = _CALL.pack(id(bytearray), id(DECLINED), *(0,) * 7, Kind.NONE, b"")
        slices = _definition("slice", code.address("py_slice"), _METH_FASTCALL)
        self.slice: Callable[[bytearray, int], Any] = _method(slices, ours, code)
        self.run: Callable[[int], int] = _method(_definition("run", code.address("py_run"), _METH_O), None, code)
        self.host = code.address("host")

    def caller(self, record: bytes) -> Callable[..., Any]:
        """A method that calls a guest's function, of which `record` (`call_record`) says what there is to know, from
        the guest's context and the arguments, or gives back DECLINED.
        """
        method: Callable[..., Any] = _method(self._call, record, self._code)
        return method


def _definition(name: str, address: int, flags: int) -> int:
    """Address of the definition of a method.  It is never freed: the last thing that happens to a method is that Python
    reads it.
    """
    api = ctypes.pythonapi
    api.PyMem_RawMalloc.restype = ctypes.c_void_p
    place: int = api.PyMem_RawMalloc(ctypes.c_size_t(_METHOD.size))
    data = _METHOD.pack(place + _METHOD.size - 16, address, flags, 0, 0, name.encode())
    ctypes.memmove(place, data, len(data))
    return place


def _method(definition: int, itself: object, keep: object) -> Any:
    """A method of Python's with its first argument, and what it keeps as long as it lives."""
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    receiver = None if itself is None else ctypes.py_object(itself)
    return make(ctypes.c_void_p(definition), receiver, ctypes.py_object(keep))


def call_record(
    type_: FuncType, bools: Sequence[bool], instance: int, number: int, code: Sequence[int]
) -> bytes | None:
    """What native code needs to know of a guest's function that Python calls; None where the driver must call it.

    bools: which of its parameters, and then of its results, are bools to Python.  instance, number: its own in the
    store.  code: where it begins, slots of its parameters, bytes of its frame, the charge of its entry, and whether
    that is tested.
    """
    types = (*type_.params, *type_.results)
    kinds = [Kind.BOOL if given else _KINDS[item] for item, given in zip(types, bools, strict=True)]
    count = len(type_.params)
    if count > CALL_PARAMS or len(type_.results) > 1 or Kind.OTHER in kinds:
        return None
    result = kinds[count] if type_.results else Kind.NONE
    return _CALL.pack(id(bytearray), id(DECLINED), *code, instance, number, result, bytes(kinds[:count]))


def host_record(
    type_: FuncType, number: int, function: object, encode: object, caller: tuple[object, int] | None
) -> bytes | None:
    """What native code needs to know of a host function; None where the driver must call it.

    encode: gives the slots of a result as bytes.  caller: the instance, and its number, that the function gets as its
    first argument.  The objects are to be kept as long as the record is.
    """
    kinds = bytes([_KINDS[param] for param in type_.params])
    if len(kinds) > RECORD_PARAMS or Kind.OTHER in kinds:
        return None
    result = Kind.NONE if not type_.results else _KINDS[type_.results[0]] if len(type_.results) == 1 else Kind.OTHER
    owner, instance = (id(caller[0]), caller[1]) if caller is not None else (0, -1)
    return _RECORD.pack(id(function), owner, id(encode), number, instance, len(kinds), result, kinds)
