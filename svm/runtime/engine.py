"""What an engine is to the rest: it runs the frames of a guest's stack until they end, pause or fail.

All state of guests lies in their store's `Arenas` and `GuestStack`, never in an engine, so that any engine can go on
where another left off.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import islice
from struct import Struct

from svm.errors import Traceback, TracebackFrame
from svm.hints import Any, Protocol
from svm.isa import TrapKind
from svm.record import record
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance

__all__ = [
    "DECLINED",
    "CompiledUnit",
    "Engine",
    "FramePlace",
    "GuestStack",
    "GuestThrow",
    "GuestTrap",
    "Record",
    "Status",
    "Tiers",
    "declined",
    "traceback",
]

_SHOWN_FIRST, _SHOWN_LAST = 20, 80

DECLINED = object()
"""What a prepared call gives back where it has no result (`GuestStack.prepared`)."""


def declined(*_: Any) -> Any:
    """A prepared call of a function for which there is none."""
    return DECLINED



class Status(Enum):
    """Why an engine returned: the call from the host is done, its results on top of the stack; or a test found no
    fuel.
    """

    DONE = "done"
    PAUSED = "paused"


@record
class FramePlace:
    """Where a frame stands: instance and function by number; byte offset in the body of what it runs next."""

    instance: int
    function: int
    offset: int


class GuestStack(ABC):
    """The frames of a store's guests in the form in which their engine runs them, and their fuel.

    fuel: what is left of the slice; an engine may count elsewhere while it runs, but writes it back before it leaves
    and before it calls the host.  reserve: what is left besides.  slice: fuel of the next call's first slice, which
    short calls share, so that its end meets some of them, and shows what is hot.  in_host: how many calls to the host
    are under way.  calling: number of the host function that the innermost of them is of.  interrupted: whether the
    guest is to stop before it calls the host, for SIGINT came or a pause was asked for.  pending: number of the host
    function whose answer the innermost frame waits for, 0 if it waits for none.  Slots above the running frame's
    operands are pushed and taken by who calls or is called.
    """

    first_slice = 20_000
    """Fuel of a first slice: some milliseconds at most."""

    host_slice = 2_000
    """Fuel that each call of the host moves from the slice to the reserve: it may take long, and only between slices is
    looked at the time.
    """

    fuel = reserve = in_host = calling = pending = 0
    interrupted = False

    def __init__(self, arenas: Arenas, limit_bytes: int) -> None:
        self.arenas = arenas
        self.limit_bytes = limit_bytes
        self.slice = self.first_slice

    @property
    @abstractmethod
    def position(self) -> Any:
        """Where the running frame is, for its engine only; None where no frame runs.  Who calls into a guest that is in
        the middle of a call to the host keeps it and puts it back.
        """

    @position.setter
    @abstractmethod
    def position(self, position: Any) -> None:
        """Set it."""

    @property
    @abstractmethod
    def height(self) -> int:
        """Slots in use."""

    @abstractmethod
    def push(self, slots: bytes) -> None:
        """Put slots on top: 8 bytes each, little-endian."""

    @abstractmethod
    def peek(self, layout: Struct) -> tuple[Any, ...]:
        """The slots on top, unpacked as a layout of them has it."""

    @abstractmethod
    def take(self, layout: Struct) -> tuple[Any, ...]:
        """The same, taken away."""

    @abstractmethod
    def cut(self, height: int) -> None:
        """Drop all slots from a height on."""

    @abstractmethod
    def walk(self) -> Iterator[Any]:
        """The frames of the call that runs, innermost first, in a form of the engine's own."""

    @abstractmethod
    def place(self, frame: Any) -> FramePlace:
        """Where a frame of a walk stands; one that waits for a call stands after it."""

    @abstractmethod
    def suspend(self) -> None:
        """Leave the call of the host function `calling`, which raised, pending."""

    @abstractmethod
    def record(self) -> Record:
        """The frames of record of a stack that is paused at a safepoint, or whose innermost frame waits."""

    def mark(self) -> Any:
        """What a call that is made from here on changes, but for fuel."""
        return self.height, self.position, self.calling, self.pending

    def back_to(self, mark: Any) -> None:
        """Have it all again as it was."""
        height, self.position, self.calling, self.pending = mark
        self.cut(height)

    @abstractmethod
    def restore(self, record: Record) -> None:
        """Drop all frames, and take up those that a stack, of this or another engine, left."""

    def close(self) -> None:  # noqa: B027 - a stack in Python's own memory has nothing to give back
        """Give back its memory: it is not used any more."""

    # Calls that an engine can make without the runtime

    @property
    def busy(self) -> int:
        """The thread that is in the middle of a prepared call, by Python's number of it; else 0."""
        return 0

    @property
    def left(self) -> bool:
        """Whether the prepared call gave control back before its function ended: nobody has gone on with it yet."""
        return False

    handle: Any = None
    """What prepared calls and slices are given first: it says whose they are."""

    slices: Callable[[Any, int], Any] | None = None
    """Runs the paused call further, by at most so much fuel: gives what is left of all when that is used up.

    As prepared calls it gives `DECLINED` where the stack is not ready and where there is more to be done; in the last
    case the stack has `left`.
    """

    def prepared(self, instance: Instance, name: str) -> Callable[..., Any] | None:
        """What calls an export from Python, from its arguments to its result, where that can be done within a slice
        of fuel by itself; None where the engine has nothing of the kind, or not yet.

        It gives `DECLINED` where the guest is not ready, where the arguments do not fit, and where the call takes
        more; in the last case, and where a host function raises, the stack has `left`.
        """
        return None

    def set_ready(self, thread: int, resumable: int = 0) -> None:  # noqa: B027 - an engine may have neither
        """Say which thread may make a prepared call now, and which may run the paused call further by `slices`: none
        (0) while any other call is under way.
        """

    def watch(self) -> FunctionInstance | None:
        """The function of the prepared call that is under way, None for a slice; it will give control back at its end,
        too.
        """
        raise AssertionError("no prepared call is under way")

    def take_over(self) -> bool:
        """Make the prepared call or slice that was left one like any other: whether `go_on` can run it further, which
        it cannot where a host function raised.
        """
        raise AssertionError("no prepared call was left")

    @property
    def floor(self) -> int:
        """Fuel that is to be left when the slice that was left ends; 0 for a prepared call."""
        return 0

    def go_on(self) -> Status:
        """Run on from where the prepared call was left."""
        raise AssertionError("no prepared call was left")


@record
class Record:
    """A stopped stack in the form that all engines know (`svm.lower.frame`): its slots, and where its last header is.

    pending: number, in the store, of the host function whose answer is awaited, 0 for none.  Then the innermost frame
    stands after its call, and on top of its operands lie the call's arguments, where its results are to be.  There may
    be no frame at all (fp -1): arguments of a call that has not begun, or, of a pending one, that the host made itself.
    """

    slots: tuple[int, ...]
    fp: int
    pending: int = 0


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


@record
class CompiledUnit:
    """Code that a compiling engine runs.

    function: its name.  offset: in its body, of the loop that is entered while it runs; None for the whole function.
    at: seconds after the store was made.  seconds: how long compiling took, or to find what an earlier run kept.  size:
    bytes.  origin: "compiled" or "kept".
    """

    function: str
    offset: int | None
    at: float
    seconds: float
    size: int
    origin: str


@record
class Tiers:
    """What an engine did for a store.  compiled_fuel: of the fuel used, what compiled code used.  units: what was
    compiled, in the order in which it was ready.  refused: why what was to be compiled stays interpreted.
    """

    compiled_fuel: int = 0
    units: tuple[CompiledUnit, ...] = ()
    refused: tuple[str, ...] = ()


class Engine(Protocol):
    """One way to run guests."""

    @property
    def name(self) -> str:
        """Its name, as `--engine` takes it."""

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> GuestStack:
        """An empty stack for the guests of a store."""

    def call(self, stack: GuestStack, function: FunctionInstance) -> Status:
        """Call a function of a module, whose arguments lie on the stack, from the host."""

    def close(self, arenas: Arenas) -> None:
        """Give up what the engine keeps for a store."""

    def resume(self, stack: GuestStack) -> Status:
        """Go on from the safepoint at which the stack is paused."""

    def tiers(self, arenas: Arenas) -> Tiers:
        """What it compiled for a store."""


def traceback(stack: GuestStack) -> Traceback:
    """The frames of the call that runs, outermost first; the middle of a deep stack is left out."""
    walk = stack.walk()
    shown = list(islice(walk, _SHOWN_LAST))
    first = deque(enumerate(walk, 1), _SHOWN_FIRST)  # only these are kept: a stack may have millions
    omitted = first[-1][0] - len(first) if first else 0
    shown += [frame for _, frame in first]
    # The innermost frame stands at its instruction, unless it waits; the others stand after their call.
    waits = stack.pending != 0
    frames = [_frame(stack.arenas, stack.place(frame), after=at > 0 or waits) for at, frame in enumerate(shown)]
    return Traceback(tuple(reversed(frames)), omitted, _SHOWN_FIRST)


def _frame(arenas: Arenas, place: FramePlace, *, after: bool) -> TracebackFrame:
    function, offset = place.function, place.offset
    module = arenas.instances[place.instance].module
    if after:
        code = module.function(function).code
        offset = code[bisect_left(code, offset, key=lambda item: item.offset) - 1].offset
    file, line = module.line(function, offset) or (None, None)
    return TracebackFrame(module.module.names.module, function, module.function_name(function), offset, file, line)
