"""Instructions that read and change an instance's state by ranges and tables, for every engine.

BULK instructions work in chunks: what is left of one lies in its operands, so that it can pause between two chunks
and go on, here or on another engine.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

from svm.isa import OPS, Forbidden, Op, TrapKind
from svm.isa.numeric import M32
from svm.limits import PAGE
from svm.lower import BULK_CHUNK, bulk_charge
from svm.runtime.arenas import Instance

__all__ = ["run_bulk", "run_state"]

_Args = tuple[Any, ...]


class _Bulk(NamedTuple):
    """A bulk instruction over operands a, b and a length n.

    first, second: sizes of the spaces that a and b index, None where b is a value.  run: does a chunk.  trap: what it
    is to leave a space.
    """

    first: Callable[[Instance, _Args], int]
    second: Callable[[Instance, _Args], int] | None
    run: Callable[[Instance, _Args, int, int, int], int | None]
    trap: TrapKind


def _memory_size(instance: Instance, args: _Args) -> int:
    return instance.memories[0].size


def _over_memory(op: str, second: Callable[[Instance, _Args], int] | None) -> _Bulk:
    """A bulk instruction whose row has a Python meaning over memory."""
    meaning = OPS[op].python
    assert meaning is not None

    def run(instance: Instance, args: _Args, a: int, b: int, n: int) -> int | None:
        result: int | None = meaning(instance.memories[0].mapping, a, b, n)
        return result

    return _Bulk(_memory_size, second, run, TrapKind.OUT_OF_BOUNDS_MEMORY)


def _memory_init(instance: Instance, args: _Args, a: int, b: int, n: int) -> None:
    instance.memories[0].mapping[a : a + n] = instance.data[args[0]][b : b + n]


def _table_init(instance: Instance, args: _Args, a: int, b: int, n: int) -> None:
    instance.tables[args[1]].elements[a : a + n] = instance.elements[args[0]][b : b + n]


def _table_copy(instance: Instance, args: _Args, a: int, b: int, n: int) -> None:
    instance.tables[args[0]].elements[a : a + n] = instance.tables[args[1]].elements[b : b + n]


def _table_fill(instance: Instance, args: _Args, a: int, b: int, n: int) -> None:
    instance.tables[args[0]].elements[a : a + n] = array("Q", (b,)) * n


def _table_size(position: int) -> Callable[[Instance, _Args], int]:
    return lambda instance, args: len(instance.tables[args[position]].elements)


_BULKS = {
    "memory.copy": _over_memory("memory.copy", _memory_size),
    "memory.fill": _over_memory("memory.fill", None),
    "memory.compare": _over_memory("memory.compare", _memory_size),
    "memory.find": _over_memory("memory.find", None),
    "memory.init": _Bulk(
        _memory_size, lambda instance, args: len(instance.data[args[0]]), _memory_init, TrapKind.OUT_OF_BOUNDS_MEMORY
    ),
    "table.init": _Bulk(
        _table_size(1),
        lambda instance, args: len(instance.elements[args[0]]),
        _table_init,
        TrapKind.OUT_OF_BOUNDS_TABLE,
    ),
    "table.copy": _Bulk(_table_size(0), _table_size(1), _table_copy, TrapKind.OUT_OF_BOUNDS_TABLE),
    "table.fill": _Bulk(_table_size(0), None, _table_fill, TrapKind.OUT_OF_BOUNDS_TABLE),
}


def run_bulk(op: Op, instance: Instance, args: _Args, slots: list[int]) -> tuple[int, bool]:
    """Run one chunk: its charge, and whether the instruction is done.

    Takes its operands from the stack; puts its result there when done, else the operands of what is left.
    """
    bulk = _BULKS[op.name]
    n, b, a = slots.pop(), slots.pop(), slots.pop()
    if a + n > bulk.first(instance, args) or (bulk.second and b + n > bulk.second(instance, args)):
        slots += (a, b, n)
        raise Forbidden(bulk.trap)
    chunk = min(n, BULK_CHUNK)
    rest = n - chunk
    backwards = op.name in ("memory.copy", "table.copy") and a > b  # so that an overlap is read before it is written
    skip = rest if backwards else 0
    result = bulk.run(instance, args, a + skip, b + skip if bulk.second else b, chunk)
    found = (op.name == "memory.find" and result != (a + chunk) & M32) or (op.name == "memory.compare" and result)
    if rest and not found:
        step = 0 if backwards else chunk
        slots += (a + step, b + step if bulk.second else b, rest)
        return bulk_charge(op, chunk), False
    if result is not None:
        slots.append(result)
    return bulk_charge(op, chunk), True


def _table_get(instance: Instance, slots: list[int], table: int) -> int:
    elements = instance.tables[table].elements
    if slots[-1] >= len(elements):
        raise Forbidden(TrapKind.OUT_OF_BOUNDS_TABLE)
    slots[-1] = elements[slots[-1]]
    return 0


def _table_set(instance: Instance, slots: list[int], table: int) -> int:
    elements = instance.tables[table].elements
    if slots[-2] >= len(elements):
        raise Forbidden(TrapKind.OUT_OF_BOUNDS_TABLE)
    value = slots.pop()
    elements[slots.pop()] = value
    return 0


def _table_grow(instance: Instance, slots: list[int], table: int) -> int:
    count, value = slots.pop(), slots.pop()
    before = instance.tables[table].grow(count, value)
    slots.append(before & M32)
    return 0 if before < 0 else count


def _memory_grow(instance: Instance, slots: list[int], memory: int) -> int:
    pages = slots.pop()
    before = instance.memories[memory].grow(pages)
    slots.append(before & M32)
    return 0 if before < 0 else pages * PAGE


def _push(read: Callable[[Instance, int], int]) -> Callable[[Instance, list[int], int], int]:
    def run(instance: Instance, slots: list[int], index: int) -> int:
        slots.append(read(instance, index))
        return 0

    return run


def _elem_drop(instance: Instance, slots: list[int], index: int) -> int:
    instance.elements[index] = array("Q")
    return 0


def _data_drop(instance: Instance, slots: list[int], index: int) -> int:
    instance.data[index] = b""
    return 0


_STATES: dict[str, Callable[[Instance, list[int], int], int]] = {
    "table.get": _table_get,
    "table.set": _table_set,
    "table.grow": _table_grow,
    "table.size": _push(lambda instance, index: len(instance.tables[index].elements)),
    "memory.grow": _memory_grow,
    "memory.size": _push(lambda instance, index: instance.memories[index].pages),
    "ref.func": _push(lambda instance, index: instance.number_of(index)),
    "elem.drop": _elem_drop,
    "data.drop": _data_drop,
}


def run_state(op: Op, instance: Instance, args: _Args, slots: list[int]) -> tuple[int, bool]:
    """Run one instruction: what it charges by length, and that it is done."""
    length = _STATES[op.name](instance, slots, args[0])
    return bulk_charge(op, length), True
