"""Bytes and texts in a guest's memory, for hosts that know where they lie: guests from C, Rust, Go and Zig.

In: addresses and lengths, which a guest may have given and which may be anything. Out: copies. Invariant: nothing is
read or written beyond the memory, and nothing is allocated before that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svm.errors import LimitError, UsageError
from svm.isa import I32, FuncType
from svm.runtime.arenas import FunctionInstance, Instance

__all__ = ["allocate", "read", "read_text", "write"]

ALLOCATORS: dict[str, FuncType] = {
    "cabi_realloc": FuncType((I32, I32, I32, I32), (I32,)),
    "malloc": FuncType((I32,), (I32,)),
    "alloc": FuncType((I32,), (I32,)),
    "allocate": FuncType((I32,), (I32,)),
}
"""Exports that give memory, with their types, in the order in which they are looked for; 0 says that there is none."""

_ALIGNMENT = 16


def _check(instance: Instance, address: int, length: int) -> int:
    """Where a range of bytes ends.  Raises UsageError where it does not lie in the memory."""
    if not isinstance(address, int) or not isinstance(length, int) or address < 0 or length < 0:
        raise UsageError(f"an address and a length are whole numbers from 0, not {address!r:.40} and {length!r:.40}")
    size = len(instance.mapping)
    if address + length > size:
        raise UsageError(f"{length} bytes at {address:#x} do not lie in the guest's memory, which has {size} bytes")
    return address + length


def read(instance: Instance, address: int, length: int) -> bytes:
    """Bytes at an address.  Raises UsageError where they do not lie in the memory."""
    return instance.mapping[address : _check(instance, address, length)]


def read_text(instance: Instance, address: int, length: int | None, encoding: str) -> str:
    """A text at an address, up to a zero byte where no length is given.  Raises UsageError where it is none."""
    if length is None:
        _check(instance, address, 0)
        length = instance.mapping.find(b"\0", address) - address
        if length < 0:
            raise UsageError(f"the text at {address:#x} has no zero byte to end it")
    try:
        return read(instance, address, length).decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"what lies at {address + error.start:#x} is not {encoding}: {error.reason}") from None
    except LookupError:
        raise UsageError(f"no encoding is named {encoding!r}") from None


def write(instance: Instance, address: int, data: bytes | bytearray | memoryview) -> None:
    """Put bytes at an address.  Raises UsageError where they do not fit into the memory."""
    instance.mapping[address : _check(instance, address, len(data))] = data


def allocate(instance: Instance, size: int, call: Callable[..., Any]) -> int:
    """Address of so many bytes that the guest's own allocator gives; `call` calls an export by name.

    Raises UsageError where it exports none, LimitError where that has no memory.
    """
    for name, type_ in ALLOCATORS.items():
        found = instance.exports.get(name)
        if isinstance(found, FunctionInstance) and found.type == type_:
            args = (size,) if len(type_.params) == 1 else (0, 0, _ALIGNMENT, size)
            address = int(call(name, *args)) & 0xFFFF_FFFF
            if address == 0 and size:
                most = instance.arenas.limits.memory_bytes
                raise LimitError(f"the guest's `{name}` has no room for {size} bytes", "memory", most or 0)
            return address
    raise UsageError(f"the module exports none of {', '.join(ALLOCATORS)}: say at which address to write")
