"""The frame of record: where each value of a running function lies, the same for every engine.

    … caller's operands [parameters] [header] [locals] [operands]
                                     ^ frame pointer

Each is one 64-bit slot.  The caller's topmost operands become the callee's parameters where they lie, and results are
left in their place.  The frame pointer is the header's place, so that a stack can be walked without knowing its
functions; everything is addressed by offsets, so that a stack can be copied anywhere.

Beside it stands what a function's frames are charged: both are all that code which is lowered already needs to run.
"""

from __future__ import annotations

from enum import IntEnum

from svm.module import ValidFunction
from svm.record import record

__all__ = ["HEADER_SLOTS", "SLOT_BYTES", "Charges", "FrameLayout", "Header", "LoopCharge", "layout_of"]

SLOT_BYTES = 8


class Header(IntEnum):
    """Slots of the header.

    INSTANCE: index of the instance in its store.  FUNCTION: index in the module's function space.  OFFSET: byte
    offset in the body of the instruction to run next (in a caller: after its call).  CALLER: slots from here down to
    the caller's header, 0 in the first frame of a call from the host.
    """

    INSTANCE = 0
    FUNCTION = 1
    OFFSET = 2
    CALLER = 3


HEADER_SLOTS = len(Header)


@record
class FrameLayout:
    """Extents of a function's frame, in slots."""

    params: int
    locals: int
    operands: int

    @property
    def slots(self) -> int:
        """Slots from the first parameter on: what a call needs of the stack's limit."""
        return self.params + HEADER_SLOTS + self.locals + self.operands

    @property
    def first_operand(self) -> int:
        """Place of the first operand, from the frame pointer."""
        return HEADER_SLOTS + self.locals

    def local(self, index: int) -> int:
        """Place of a local (parameters first), from the frame pointer."""
        return index - self.params + (HEADER_SLOTS if index >= self.params else 0)


def layout_of(function: ValidFunction) -> FrameLayout:
    """The layout of a checked function's frame."""
    params = len(function.type.params)
    return FrameLayout(params, len(function.locals) - params, function.max_height)


@record
class LoopCharge:
    """Charge of a loop, on entry and at its latch, and whether the latch tests."""

    cost: int
    test: bool


@record
class Charges:
    """Charges of one function (`svm.lower.charges`); loops by the key of their block."""

    entry: int
    entry_test: bool
    loops: dict[int, LoopCharge]
