"""The native engine's stack: frames in the form in which handlers run them, and back to frames of record.

Slots lie as in the frame of record (`svm.lower.frame`), but while a frame runs its header holds, in its first slot,
where the caller's code goes on and how many bytes below its frame begins (`svm.engines.native.context.header`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from svm.engines.native.context import header
from svm.engines.native.program import FAR_RETURN, HALT, LinkedCode, Program
from svm.lower import SLOT_BYTES, Header
from svm.runtime.engine import FramePlace, GuestStack, Record
from svm.runtime.mapping import address_of, new_mapping

__all__ = ["Frame", "NativeStack", "Position"]

_SLACK = 1 << 14  # bytes above the limit: arguments of a call that will not fit, and scratch slots of the topmost frame


Position = tuple[int, int, int, int | None]
"""Where the running frame is: offset of its code, its first slot, how many results its call from the host gives, and
the byte offset that it stands at, None at a safepoint, where the code's offset says it.

A plain tuple, for each slice and each call to the host makes one.
"""


class Frame(NamedTuple):
    """One frame of a walk: its function's code, its first slot, the byte offset it goes on at, its code's offset."""

    linked: LinkedCode
    fp: int
    offset: int
    pc: int


class NativeStack(GuestStack):
    """See the module's docstring.  far: (first slot of a frame, instance of its caller, where that goes on) for calls
    between instances, outermost first.
    """

    position: Position | None

    def __init__(self, program: Program, limit_bytes: int) -> None:
        super().__init__(program.arenas, limit_bytes)
        self.program = program
        self.mapping = new_mapping(-(-limit_bytes // SLOT_BYTES) * SLOT_BYTES + _SLACK)
        self.address = address_of(self.mapping)
        self.words = memoryview(self.mapping).cast("Q")
        self.far: list[tuple[int, int, int]] = []
        self._height = 0

    @property
    def height(self) -> int:
        """See `GuestStack`."""
        return self._height

    def push(self, slots: Sequence[int]) -> None:
        """See `GuestStack`."""
        for at, slot in enumerate(slots, self._height):
            self.words[at] = slot
        self._height += len(slots)

    def pop(self, count: int) -> list[int]:
        """See `GuestStack`."""
        self._height -= count
        return self.words[self._height : self._height + count].tolist()

    def cut(self, height: int) -> None:
        """See `GuestStack`."""
        self._height = height
        while self.far and self.far[-1][0] >= height:
            self.far.pop()

    def walk(self) -> Iterator[Frame]:
        """The frames of the call that runs, innermost first."""
        if self.position is None:
            return
        pc, fp, _, at = self.position
        linked = self.program.code_at(pc)
        if at is None:
            at = next(offset for offset, place in linked.code.resume.items() if place == pc - linked.start)
        far = len(self.far)
        yield Frame(linked, fp, at, pc)
        while True:
            word = self.words[fp + linked.code.layout.params]
            back, delta = word & 0xFFFF_FFFF, word >> 32
            if back == HALT:
                return
            if back == FAR_RETURN:
                far -= 1
                back = self.far[far][2]
            fp -= delta // SLOT_BYTES
            linked = self.program.code_at(back - 1)
            yield Frame(linked, fp, linked.code.returns[back - linked.start], back)

    def frames(self) -> Iterator[FramePlace]:
        """See `GuestStack`."""
        for linked, _, offset, _ in self.walk():
            yield FramePlace(linked.instance.number, linked.function, offset)

    def record(self) -> Record:
        """See `GuestStack`."""
        frames = list(self.walk())
        if not frames:
            return Record(tuple(self.words[: self.height].tolist()), -1)
        top = frames[0]
        checked, layout = top.linked.checked, top.linked.code.layout
        at = top.linked.indices[top.offset]
        end = top.fp + layout.params + layout.first_operand + max(checked.heights[at], 0)
        slots = self.words[:end].tolist()
        for frame, caller in zip(frames, [*frames[1:], None], strict=True):
            base = frame.fp + frame.linked.code.layout.params
            delta = base - (caller.fp + caller.linked.code.layout.params) if caller else 0
            slots[base + Header.INSTANCE] = frame.linked.instance.number
            slots[base + Header.FUNCTION] = frame.linked.function
            slots[base + Header.OFFSET] = frame.offset
            slots[base + Header.CALLER] = delta
        if top.pc == top.linked.start:  # paused before its locals were cleared
            base = top.fp + layout.params + len(Header)
            slots[base : base + layout.locals] = [0] * layout.locals
        return Record(tuple(slots), top.fp + layout.params)

    def restore(self, record: Record) -> None:
        """Take up frames of record."""
        self.push(record.slots)
        slots, base = record.slots, record.fp
        if base < 0:
            return
        places: list[tuple[LinkedCode, int, int]] = []  # code, first slot, offset: innermost first
        while True:
            instance = self.arenas.instances[slots[base + Header.INSTANCE]]
            linked = self.program.code_of(instance.functions[slots[base + Header.FUNCTION]])
            places.append((linked, base - linked.code.layout.params, slots[base + Header.OFFSET]))
            if not slots[base + Header.CALLER]:
                break
            base -= slots[base + Header.CALLER]
        for (linked, fp, _), (caller, below, offset) in itertools.pairwise(places):
            back = caller.start + caller.code.resume[offset]
            if caller.instance is not linked.instance:
                self.far.insert(0, (fp, caller.instance.number, back))
                back = FAR_RETURN
            self.words[fp + linked.code.layout.params] = header(back, (fp - below) * SLOT_BYTES)
        first, fp, _ = places[-1]
        self.words[fp + first.code.layout.params] = header(HALT, 0)
        linked, fp, offset = places[0]
        results = len(first.instance.module.context.functions[first.function].results)
        self.position = (linked.start + linked.code.resume[offset], fp, results, None)
