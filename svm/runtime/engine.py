"""What an engine is to the rest: it runs the frames of a guest's stack until they end, pause or fail.

All of a guest's state lies in its `Store` and its `GuestStack`, never in an engine, so that any engine can go on where
another left off.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum
from typing import Protocol

from svm.errors import Traceback, TracebackFrame
from svm.isa import TrapKind
from svm.lower import HEADER_SLOTS, SLOT_BYTES, FrameLayout, Header
from svm.runtime.store import FunctionInstance, Store, TagInstance

__all__ = ["Engine", "GuestStack", "GuestThrow", "GuestTrap", "Status", "push_frame", "traceback"]

_SHOWN_FIRST, _SHOWN_LAST = 20, 80


class Status(Enum):
    """Why an engine returned: the call from the host is done, its results on top of the stack; or a test found no
    fuel.
    """

    DONE = "done"
    PAUSED = "paused"


class GuestStack:
    """A guest's frames and the fuel of its slice.

    slots: the frames of record (`svm.lower.frame`), unsigned 64-bit integers, the top of the stack last.  fp: index
    of the running frame's header, -1 where there is none.  fuel: what is left of the slice; an engine may count
    elsewhere while it runs, but writes it back before it leaves and before it calls the host.  in_host: how many calls
    to the host are under way.
    """

    __slots__ = ("fp", "fuel", "in_host", "limit_bytes", "limit_slots", "slots")

    def __init__(self, limit_bytes: int) -> None:
        self.slots: list[int] = []
        self.fp = -1
        self.fuel = 0
        self.in_host = 0
        self.limit_bytes = limit_bytes
        self.limit_slots = limit_bytes // SLOT_BYTES


class GuestTrap(Exception):
    """Raised by an engine where the guest traps; the frames are left as they were, each with its offset."""

    def __init__(self, kind: TrapKind) -> None:
        self.kind = kind
        super().__init__(kind.message)


class GuestThrow(Exception):
    """Raised by an engine where a guest exception has no handler; the frames are left as they were at the throw."""

    def __init__(self, tag: TagInstance, values: tuple[int, ...]) -> None:
        self.tag = tag
        self.values = values
        super().__init__(tag.name)


class Engine(Protocol):
    """One way to run guests."""

    @property
    def name(self) -> str:
        """Its name, as `--engine` takes it."""

    def call(self, store: Store, stack: GuestStack, function: FunctionInstance) -> Status:
        """Call a function of a module, whose arguments lie on the stack, from the host."""

    def resume(self, store: Store, stack: GuestStack) -> Status:
        """Go on from the stack's frames, which another run, of this or another engine, left at a safepoint."""


def push_frame(stack: GuestStack, function: FunctionInstance, layout: FrameLayout, caller: int) -> None:
    """Make the frame of a function whose arguments lie on the stack; `caller` is the header of the caller's frame, or
    -1.

    Raises GuestTrap, with the caller's frame still on top, where the stack's limit has no room for it.
    """
    assert function.instance is not None
    slots = stack.slots
    fp = len(slots)
    if fp - layout.params + layout.slots > stack.limit_slots:
        raise GuestTrap(TrapKind.CALL_STACK_EXHAUSTED)
    slots += (function.instance.number, function.index, 0, fp - caller if caller >= 0 else 0)
    slots += [0] * layout.locals
    stack.fp = fp


def traceback(store: Store, stack: GuestStack, base: int) -> Traceback:
    """The guest's frames from slot `base` on, outermost first; the middle of a deep stack is left out."""
    places: list[tuple[int, int, int]] = []
    fp, slots = stack.fp, stack.slots
    while base <= fp <= len(slots) - HEADER_SLOTS:
        places.append((slots[fp + Header.INSTANCE], slots[fp + Header.FUNCTION], slots[fp + Header.OFFSET]))
        caller = slots[fp + Header.CALLER]
        if not caller:
            break
        fp -= caller
    # The innermost frame stands at its instruction; the others stand after their call.
    frames = [_frame(store, *place, after=at > 0) for at, place in enumerate(places[:_SHOWN_LAST])]
    rest = places[_SHOWN_LAST:]
    frames += [_frame(store, *place, after=True) for place in rest[-_SHOWN_FIRST:]]
    return Traceback(tuple(reversed(frames)), max(len(rest) - _SHOWN_FIRST, 0), _SHOWN_FIRST)


def _frame(store: Store, instance: int, function: int, offset: int, *, after: bool) -> TracebackFrame:
    module = store.instances[instance].module
    if after:
        code = module.function(function).code
        offset = code[bisect_left(code, offset, key=lambda item: item.offset) - 1].offset
    file, line = module.line(function, offset) or (None, None)
    return TracebackFrame(module.module.names.module, function, module.function_name(function), offset, file, line)
