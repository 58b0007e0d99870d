"""The native engine's stack: frames in the form in which handlers run them, and back to frames of record.

Slots lie as in the frame of record (`svm.lower.frame`), but while a frame runs its header holds, in its first slot,
where the caller's code goes on and how many bytes below its frame begins (`svm.engines.native.context.header`).  Where
the running frame is, and the fuel, are read from the context and written there, for native code may call the host
without the driver, and that may ask.
"""

from __future__ import annotations

import itertools
import mmap
from array import array
from collections.abc import Iterator
from struct import Struct

from svm.engines.native.context import Field, header
from svm.engines.native.program import Program
from svm.engines.native.space import FAR_RETURN, HALT, LinkedCode
from svm.hints import Any
from svm.lower import SLOT_BYTES, Header, clear_dead
from svm.runtime.arenas import Instance
from svm.runtime.engine import FramePlace, GuestStack, Record
from svm.runtime.mapping import address_of, new_mapping
from svm.runtime.pool import Pool

__all__ = ["Frame", "NativeStack", "Position"]

_SLACK = 1 << 14  # bytes above the limit: arguments of a call that will not fit, and scratch slots of the topmost frame


def _room(size: int) -> tuple[mmap.mmap, int, memoryview[int]]:
    """Zeroed memory of a size: the mapping, its address, its words."""
    mapping = new_mapping(size)
    return mapping, address_of(mapping), memoryview(mapping).cast("Q")


_rooms = Pool(_room)
_NO_WORDS = memoryview(b"").cast("Q")

Position = tuple[int, int, int, int]
"""Where a frame runs: `pc`, `fp`, `results` of its stack, and how it stands there."""

(
    _PC, _FP, _FUEL, _RESERVE, _AUX, _STACK, _STACK_END, _STANDS, _TOP, _IN_HOST, _INTERRUPTED, _READY, _BUSY, _LEFT,
    _SLICE, _RESUMABLE, _FLOOR,
) = (
    field >> 3
    for field in (
        Field.PC, Field.FP, Field.FUEL, Field.RESERVE, Field.AUX, Field.STACK, Field.STACK_END, Field.STANDS, Field.TOP,
        Field.IN_HOST, Field.INTERRUPTED, Field.READY, Field.BUSY, Field.LEFT, Field.SLICE,
        Field.RESUMABLE, Field.FLOOR,
    )
)  # fmt: skip
_SAFEPOINT, _WAITS, _WAITS_COMPILED, _AT = 0, 1, 2, 3
"""How the running frame stands: at a safepoint; waiting for the host, which native code called, to go on at PC; the
same in compiled code, whose frames are not written meanwhile; or this and more, at the byte offset in its body that is
so much less.
"""

_NO_TOP = -1


Frame = tuple[LinkedCode, int, int, int]
"""One frame of a walk: its function's code, its first slot, the byte offset it goes on at, its code's offset."""


class NativeStack(GuestStack):
    """See the module's docstring.

    pc: offset in the code of what the running frame runs next, HALT where none runs.  fp: its first slot.  results: how
    many its call from the host gives.  at: the byte offset in its body that it stands at, None at a safepoint, where
    `pc` says it.  top: slots in use, None where the running frame has no call under way and so ends where its layout
    says; whoever asks is told by `height`.  far: (first slot of a frame, instance of its caller, where that goes on)
    for calls between instances, outermost first.

    Invariant: the program's running instance is the one whose code `pc` is in.
    """

    first_slice = 200_000

    def __init__(self, program: Program, limit_bytes: int) -> None:
        self.program, self.arenas, self.limit_bytes = program, program.arenas, limit_bytes
        self.context = context = program.context
        self.handle = program.context_map
        self.mapping, self.address, self.words = _rooms.take(-(-limit_bytes // SLOT_BYTES) * SLOT_BYTES + _SLACK)
        context[_STACK], context[_STACK_END] = self.address, self.address + limit_bytes
        context[_SLICE] = self.first_slice
        context[_PC], context[_FP], context[_STANDS], context[_TOP] = HALT, 0, _SAFEPOINT, 0
        self.results = 0
        self.slices = None if program.blob.python is None else program.blob.python.slice
        self.far: list[tuple[int, int, int]] = []
        self.callers: dict[int, tuple[LinkedCode, int]] = {}  # what `caller` gives, made when first met

    def close(self) -> None:
        """See `GuestStack`."""
        room, self.words = (self.mapping, self.address, self.words), _NO_WORDS
        _rooms.give(self.mapping, room)

    # What lies in the context

    @property
    def pc(self) -> int:
        return self.context[_PC]

    @pc.setter
    def pc(self, pc: int) -> None:
        self.context[_PC] = pc

    @property
    def fp(self) -> int:
        return self.context[_FP] // SLOT_BYTES

    @fp.setter
    def fp(self, fp: int) -> None:
        self.context[_FP] = fp * SLOT_BYTES

    @property
    def fuel(self) -> int:
        """See `GuestStack`."""
        return self.context[_FUEL]

    @fuel.setter
    def fuel(self, fuel: int) -> None:
        self.context[_FUEL] = fuel

    @property
    def reserve(self) -> int:
        """See `GuestStack`."""
        return self.context[_RESERVE]

    @reserve.setter
    def reserve(self, fuel: int) -> None:
        self.context[_RESERVE] = fuel

    @property
    def slice(self) -> int:
        """See `GuestStack`."""
        return self.context[_SLICE]

    @slice.setter
    def slice(self, fuel: int) -> None:
        self.context[_SLICE] = fuel

    @property
    def busy(self) -> int:
        """See `GuestStack`."""
        return self.context[_BUSY]

    @property
    def left(self) -> bool:
        """See `GuestStack`."""
        return self.context[_LEFT] != 0

    def set_ready(self, thread: int, resumable: int = 0) -> None:
        """See `GuestStack`."""
        self.context[_READY], self.context[_RESUMABLE] = thread, resumable

    @property
    def floor(self) -> int:
        """See `GuestStack`."""
        return self.context[_FLOOR]

    @property
    def in_host(self) -> int:
        """See `GuestStack`."""
        return self.context[_IN_HOST]

    @in_host.setter
    def in_host(self, depth: int) -> None:
        self.context[_IN_HOST] = depth

    @property
    def calling(self) -> int:
        """See `GuestStack`."""
        return self.context[_AUX]

    @calling.setter
    def calling(self, number: int) -> None:
        self.context[_AUX] = number

    @property
    def interrupted(self) -> bool:
        """See `GuestStack`."""
        return self.context[_INTERRUPTED] != 0

    @interrupted.setter
    def interrupted(self, interrupted: bool) -> None:
        self.context[_INTERRUPTED] = interrupted

    @property
    def at(self) -> int | None:
        stands = self.context[_STANDS]
        if stands in (_WAITS, _WAITS_COMPILED):
            linked, goes_on = self.caller(self.pc)
            return linked.checked.code[linked.indices[goes_on] - 1].offset
        return None if stands == _SAFEPOINT else stands - _AT

    @at.setter
    def at(self, offset: int | None) -> None:
        self.context[_STANDS] = _SAFEPOINT if offset is None else offset + _AT

    @property
    def top(self) -> int | None:
        top = self.context[_TOP]
        return None if top == _NO_TOP else top

    @top.setter
    def top(self, top: int | None) -> None:
        self.context[_TOP] = _NO_TOP if top is None else top

    @property
    def position(self) -> Position | None:
        """See `GuestStack`."""
        return None if self.pc == HALT else (self.pc, self.fp, self.results, self.context[_STANDS])

    @position.setter
    def position(self, position: Position | None) -> None:
        if position is None:
            self.pc = HALT
        else:
            self.pc, self.fp, self.results, self.context[_STANDS] = position
            self.program.enter_instance(self.instance_of(self.program.code_at(self.pc)))

    @property
    def height(self) -> int:
        """See `GuestStack`."""
        top = self.context[_TOP]
        if top == _NO_TOP:
            top = self.context[_TOP] = self.fp + self.program.code_at(self.pc).size
        return top

    def push(self, slots: bytes) -> None:
        """See `GuestStack`."""
        top = self.height
        start = top * SLOT_BYTES
        self.mapping[start : start + len(slots)] = slots
        self.context[_TOP] = top + len(slots) // SLOT_BYTES

    def peek(self, layout: Struct) -> tuple[Any, ...]:
        """See `GuestStack`."""
        return layout.unpack_from(self.words, self.height * SLOT_BYTES - layout.size)

    def take(self, layout: Struct) -> tuple[Any, ...]:
        """See `GuestStack`."""
        top = self.context[_TOP] = self.height - layout.size // SLOT_BYTES
        return layout.unpack_from(self.words, top * SLOT_BYTES)

    def cut(self, height: int) -> None:
        """See `GuestStack`."""
        self.context[_TOP] = height
        while self.far and self.far[-1][0] >= height:
            self.far.pop()

    def walk(self) -> Iterator[Frame]:
        """See `GuestStack`."""
        if self.pc == HALT:
            return
        fp, at, far = self.fp, self.at, len(self.far)
        linked = self.program.code_at(self.pc)
        if self.pending:
            linked, at = self.caller(self.pc)
        elif at is None:
            at = next(offset for offset, place in linked.code.resume.items() if place == self.pc - linked.start)
        yield linked, fp, at, self.pc
        if self.context[_STANDS] == _WAITS_COMPILED:
            return
        words, callers = self.words, self.callers
        while True:
            word = words[fp + linked.params]
            back = word & 0xFFFF_FFFF
            if back == HALT:
                return
            if back == FAR_RETURN:
                far -= 1
                back = self.far[far][2]
            fp -= (word >> 32) // SLOT_BYTES
            linked, at = callers.get(back) or self.caller(back)
            yield linked, fp, at, back

    def caller(self, back: int) -> tuple[LinkedCode, int]:
        """The code to which a call returns, and the byte offset it goes on at."""
        linked = self.program.code_at(back - 1)
        found = self.callers[back] = linked, linked.code.returns[back - linked.start]
        return found

    def instance_of(self, linked: LinkedCode) -> Instance:
        """The instance of this store whose function has the code."""
        return self.arenas.instances[linked.instance]

    def place(self, frame: Frame) -> FramePlace:
        """See `GuestStack`."""
        linked, _, offset, _ = frame
        return FramePlace(linked.instance, linked.function, offset)

    def wait(self, back: int) -> None:
        """Stand at a call of the host that the driver makes; `back` is where the code goes on."""
        self.pc = back
        self.context[_STANDS] = _WAITS

    def suspend(self) -> None:
        """See `GuestStack`.  The frame waits for the host, its arguments on top, and has the place to go on at."""
        self.pending, self.at = self.calling, None

    def record(self) -> Record:
        """See `GuestStack`."""
        frames = list(self.walk())
        if not frames:
            return Record(tuple(self.words[: self.height].tolist()), -1, self.pending)
        linked, fp, offset, pc = frames[0]
        layout = linked.code.layout
        heights, at = linked.checked.heights, linked.indices[offset]
        end = self.height if self.pending else fp + layout.params + layout.first_operand + max(heights[at], 0)
        slots = self.words[:end].tolist()
        bases = [fp + linked.params for linked, fp, _, _ in frames]
        for (code, _, goes_on, _), base, caller in zip(frames, bases, [*bases[1:], None], strict=True):
            slots[base + Header.INSTANCE] = code.instance
            slots[base + Header.FUNCTION] = code.function
            slots[base + Header.OFFSET] = goes_on
            slots[base + Header.CALLER] = 0 if caller is None else base - caller
            clear_dead(slots, base, code.code.layout, code.live[code.indices[goes_on]])
        if pc == linked.start:  # paused before its locals were cleared
            base = bases[0] + len(Header)
            slots[base : base + layout.locals] = [0] * layout.locals
        return Record(tuple(slots), bases[0], self.pending)

    def restore(self, record: Record) -> None:
        """See `GuestStack`."""
        self.cut(0)
        self.position = None
        self.push(array("Q", record.slots).tobytes())
        self.pending = record.pending
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
            if caller.instance != linked.instance:
                self.far.insert(0, (fp, caller.instance, back))
                back = FAR_RETURN
            self.words[fp + linked.params] = header(back, (fp - below) * SLOT_BYTES)
        first, fp, _ = places[-1]
        self.words[fp + first.params] = header(HALT, 0)
        linked, fp, offset = places[0]
        self.position = (linked.start + linked.code.resume[offset], fp, first.results, _SAFEPOINT)
