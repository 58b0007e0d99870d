"""The native engine's stack: frames in the form in which handlers run them, and back to frames of record.

Slots lie as in the frame of record (`svm.lower.frame`), but while a frame runs its header holds, in its first slot,
where the caller's code goes on and how many bytes below its frame begins (`svm.engines.native.context.header`).
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from struct import Struct
from typing import Any, NamedTuple

from svm.engines.native.context import Field, header
from svm.engines.native.program import FAR_RETURN, HALT, LinkedCode, Program
from svm.lower import SLOT_BYTES, Header
from svm.runtime.engine import FramePlace, GuestStack, Record
from svm.runtime.mapping import address_of, new_mapping

__all__ = ["Frame", "NativeStack", "Position"]

_SLACK = 1 << 14  # bytes above the limit: arguments of a call that will not fit, and scratch slots of the topmost frame

Position = tuple[int, int, int, int | None]
"""Where a frame runs: `pc`, `fp`, `results` and `at` of its stack."""


class Frame(NamedTuple):
    """One frame of a walk: its function's code, its first slot, the byte offset it goes on at, its code's offset."""

    linked: LinkedCode
    fp: int
    offset: int
    pc: int


class NativeStack(GuestStack):
    """See the module's docstring.

    pc: offset in the code of what the running frame runs next, HALT where none runs.  fp: its first slot.  results: how
    many its call from the host gives.  at: the byte offset in its body that it stands at, None at a safepoint, where
    `pc` says it.  top: slots in use, None where the running frame has no call under way and so ends where its layout
    says; whoever asks is told by `height`.  far: (first slot of a frame, instance of its caller, where that goes on)
    for calls between instances, outermost first.

    Invariant: the program's running instance is the one whose code `pc` is in.
    """

    def __init__(self, program: Program, limit_bytes: int) -> None:
        super().__init__(program.arenas, limit_bytes)
        self.program = program
        self.mapping = new_mapping(-(-limit_bytes // SLOT_BYTES) * SLOT_BYTES + _SLACK)
        self.address = address_of(self.mapping)
        self.words = memoryview(self.mapping).cast("Q")
        program.set_context(Field.STACK, self.address)
        program.set_context(Field.STACK_END, self.address + limit_bytes)
        self.far: list[tuple[int, int, int]] = []
        self.pc, self.fp, self.results = HALT, 0, 0
        self.at: int | None = None
        self.top: int | None = 0

    @property
    def position(self) -> Position | None:
        """See `GuestStack`."""
        return None if self.pc == HALT else (self.pc, self.fp, self.results, self.at)

    @position.setter
    def position(self, position: Position | None) -> None:
        if position is None:
            self.pc = HALT
        else:
            self.pc, self.fp, self.results, self.at = position
            self.program.enter_instance(self.program.code_at(self.pc).instance)

    @property
    def height(self) -> int:
        """See `GuestStack`."""
        if self.top is None:
            self.top = self.fp + self.program.code_at(self.pc).size
        return self.top

    def push(self, slots: bytes) -> None:
        """See `GuestStack`."""
        top = self.height if self.top is None else self.top
        start = top * SLOT_BYTES
        self.mapping[start : start + len(slots)] = slots
        self.top = top + len(slots) // SLOT_BYTES

    def take(self, layout: Struct) -> tuple[Any, ...]:
        """See `GuestStack`."""
        top = (self.height if self.top is None else self.top) - layout.size // SLOT_BYTES
        self.top = top
        return layout.unpack_from(self.words, top * SLOT_BYTES)

    def cut(self, height: int) -> None:
        """See `GuestStack`."""
        self.top = height
        while self.far and self.far[-1][0] >= height:
            self.far.pop()

    def walk(self) -> Iterator[Frame]:
        """The frames of the call that runs, innermost first."""
        if self.pc == HALT:
            return
        pc, fp, at = self.pc, self.fp, self.at
        linked = self.program.code_at(pc)
        if at is None:
            at = next(offset for offset, place in linked.code.resume.items() if place == pc - linked.start)
        far = len(self.far)
        yield Frame(linked, fp, at, pc)
        while True:
            word = self.words[fp + linked.params]
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
            base = frame.fp + frame.linked.params
            delta = base - (caller.fp + caller.linked.params) if caller else 0
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
        self.push(array("Q", record.slots).tobytes())
        slots, base = record.slots, record.fp
        if base < 0:
            return
        places: list[tuple[LinkedCode, int, int]] = []  # code, first slot, offset: innermost first
        while True:
            instance = self.arenas.instances[slots[base + Header.INSTANCE]]
            linked = self.program.code_of(instance.functions[slots[base + Header.FUNCTION]])
            places.append((linked, base - linked.params, slots[base + Header.OFFSET]))
            if not slots[base + Header.CALLER]:
                break
            base -= slots[base + Header.CALLER]
        for (linked, fp, _), (caller, below, offset) in itertools.pairwise(places):
            back = caller.start + caller.code.resume[offset]
            if caller.instance is not linked.instance:
                self.far.insert(0, (fp, caller.instance.number, back))
                back = FAR_RETURN
            self.words[fp + linked.params] = header(back, (fp - below) * SLOT_BYTES)
        first, fp, _ = places[-1]
        self.words[fp + first.params] = header(HALT, 0)
        linked, fp, offset = places[0]
        self.position = (linked.start + linked.code.resume[offset], fp, first.results, None)
