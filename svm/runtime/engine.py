"""What an engine is to the rest: it runs the frames of a guest's stack until they end, pause or fail.

All of a guest's state lies in its `Store` and its `GuestStack`, never in an engine, so that any engine can go on where
another left off.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from svm.errors import Traceback, TracebackFrame
from svm.isa import TrapKind
from svm.lower import HEADER_SLOTS, SLOT_BYTES, FrameLayout, Header
from svm.runtime.store import FunctionInstance, Store, TagInstance

__all__ = ["Engine", "Frames", "GuestStack", "GuestThrow", "GuestTrap", "Status", "frames_of", "push_frame"]

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


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the frames of a call stand: cheap to note, and made a `Traceback` only if somebody wants to read it.

    places: (instance, function, offset), innermost first; the middle of a deep stack is left out.
    """

    places: tuple[tuple[int, int, int], ...] = ()
    omitted: int = 0

    def traceback(self, store: Store) -> Traceback:
        """The frames with their names and lines, outermost first."""
        # The innermost frame stands at its instruction; the others stand after their call.
        frames = [_frame(store, *place, after=at > 0) for at, place in enumerate(self.places)]
        return Traceback(tuple(reversed(frames)), self.omitted, _SHOWN_FIRST)


def frames_of(stack: GuestStack, base: int) -> Frames:
    """The guest's frames from slot `base` on."""
    headers: list[int] = []
    fp, slots = stack.fp, stack.slots
    while base <= fp <= len(slots) - HEADER_SLOTS:
        headers.append(fp)
        caller = slots[fp + Header.CALLER]
        if not caller:
            break
        fp -= caller
    shown = headers[:_SHOWN_LAST] + headers[_SHOWN_LAST:][-_SHOWN_FIRST:]
    places = [(slots[fp + Header.INSTANCE], slots[fp + Header.FUNCTION], slots[fp + Header.OFFSET]) for fp in shown]
    return Frames(tuple(places), len(headers) - len(shown))


def _frame(store: Store, instance: int, function: int, offset: int, *, after: bool) -> TracebackFrame:
    module = store.instances[instance].module
    if after:
        code = module.function(function).code
        offset = code[bisect_left(code, offset, key=lambda item: item.offset) - 1].offset
    file, line = module.line(function, offset) or (None, None)
    return TracebackFrame(module.module.names.module, function, module.function_name(function), offset, file, line)
