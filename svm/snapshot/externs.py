"""Objects of the host that guests hold references to: what becomes of them in a file, and back.

Within a process a snapshot keeps the objects.  In a file it keeps what the host makes of those that something can still
reach; of the others, which nobody counts while guests run, nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from svm.errors import UsageError
from svm.isa import EXTERNREF, ValueType
from svm.lower import Header, layout_of
from svm.snapshot.state import Encoded, State

__all__ = ["encoded_externs", "with_externs"]


def encoded_externs(state: State, encode: Callable[[Any], bytes] | None) -> Iterator[bytes | None]:
    """What the host makes of its objects, by their references from 1 on; None for those that are gone.

    Raises UsageError where there are such and it makes nothing of them.
    """
    alive = _references(state) if len(state.externs) > 1 else set()
    for number, value in enumerate(state.externs[1:], 1):
        if number not in alive:
            yield None
        elif isinstance(value, Encoded):
            yield value.data
        elif encode is None:
            raise UsageError(f"the guest holds a reference to {value!r:.80}: `externs` is to make bytes of it")
        else:
            yield bytes(encode(value))


def with_externs(state: State, decode: Callable[[bytes], Any] | None) -> State:
    """The state with the objects that the host makes of what it made of them.

    Raises UsageError where there are such and it makes nothing of them.
    """
    if not any(isinstance(value, Encoded) for value in state.externs):
        return state
    if decode is None:
        raise UsageError("the snapshot has references to objects of its host: `externs` is to make them")
    from dataclasses import replace

    made = (decode(item.data) if isinstance(item, Encoded) else item for item in state.externs)
    return replace(state, externs=tuple(made))


def _references(state: State) -> set[int]:
    """The references to host objects that a guest can reach."""
    shape, found = state.shape, {0}
    for table, elements in zip(shape.tables, state.tables, strict=True):
        if table.element is EXTERNREF:
            found.update(array("Q", elements))
    cells = array("Q", state.globals)
    found.update(slot for cell, slot in zip(shape.globals, cells, strict=True) if cell.type is EXTERNREF)
    for types, slots in _frames(state):
        found.update(slot for kind, slot in zip(types, slots, strict=False) if kind is EXTERNREF)
    return found - {0}


def _frames(state: State) -> Iterator[tuple[Sequence[ValueType], Sequence[int]]]:
    """Types and slots of what frames hold, locals and operands; what a callee has taken over is its own."""
    slots, fp = state.record.slots, state.record.fp
    end = len(slots)
    if fp < 0:  # the arguments of a call that has not begun may be of any type
        yield [EXTERNREF] * end, [slot for slot in slots if slot < len(state.externs)]
    while fp >= 0:
        instance, index, offset, caller = slots[fp : fp + len(Header)]
        module = state.shape.modules[state.shape.links[instance].module]
        function = module.function(index)
        layout = layout_of(function)
        yield function.locals, [slots[fp + layout.local(at)] for at in range(len(function.locals))]
        yield module.operand_types(index, (offset,))[offset], slots[fp + layout.first_operand : end]
        end = fp - layout.params
        fp = fp - caller if caller else -1
