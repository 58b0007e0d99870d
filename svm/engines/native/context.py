"""What native code and its driver share: the layout of the context, the statuses of an exit, the header of a running
frame.

The context is a piece of native memory for each guest.  Native code finds everything through it; nothing in a frame
is a pointer.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "CALL_PARAMS",
    "COMPILED",
    "CONTEXT_BYTES",
    "FIRST_HEADER",
    "FOREIGN",
    "FUNCTION_ENTRY",
    "LIMIT",
    "RECORD_PARAMS",
    "SLICES_FUEL",
    "CallField",
    "Exit",
    "Field",
    "FunctionField",
    "Kind",
    "RecordField",
    "header",
    "status_of",
]

CONTEXT_BYTES = 512


class Field:
    """Byte offsets in the context.

    PC and FP are offsets from CODE and STACK while the guest does not run.  AUX: what an exit says besides its status.
    NATIVE_LIMIT: address below which compiled code must not use the machine's stack.  INSTANCE: number of the running
    instance.  MEMORY_SIZE: bytes.  STANDS, TOP: see `svm.engines.native.stack`.

    What follows is for calls of Python (`svm.engines.native.python_ir`).  THREAD: Python's state of the thread, while
    the GIL is released.  IN_HOST: calls of the host under way.  INTERRUPTED: whether SIGINT came and is not raised yet.
    CHANGES: address of the arenas' count of changes; SEEN: the count that the tables here know of.  HOST: address of
    the function that calls Python; HOSTS: of the table of what there is to know of each host function, by its number.
    INT, FLOAT, NONE, TRUE, FALSE: addresses of Python's objects of these names.
    COMPILED_FUEL: what compiled code has used.  TABLE, TABLE_SIZE: of TABLES the first, by which most calls go.
    WHY: the status that compiled code leaves with, on its way out.  TAG, VALUES: of an exception that compiled code
    throws, the number of its tag and the address of its values.

    And for calls by Python that need no driver unless they leave (`py_call` there).  RESERVE: fuel that is left besides
    FUEL.  READY: the thread that may make such a call now, by Python's number of it, or 0.  BUSY: the thread that is in
    the middle of one, or 0; CALLED: the number of its function.  LEFT: what it left for, an `Exit` or a trap's code,
    plus 1; 0 while nobody has to go on with it.  WATCHED: whether it is to leave at its end, too.  SLICE: fuel that is
    left of the slice that such calls share.

    And for slices of a call that is paused (`py_slice` there), which is BUSY and may be LEFT as such a call is, CALLED
    being 0.  RESUMABLE: the thread that may run one now, or 0.  FLOOR: fuel that is to be left at its end; 0 for calls.
    SLICED: fuel that slices used since the driver last looked at where the call stands.
    """

    PC = 0
    FP = 8
    FUEL = 16
    AUX = 24
    CODE = 32
    STACK = 40
    STACK_END = 48
    MEMORY = 56
    MEMORY_SIZE = 64
    FUNCTIONS = 72
    GLOBALS = 80
    TABLES = 88
    INSTANCE = 96
    NATIVE_LIMIT = 104
    STANDS = 112
    TOP = 120
    THREAD = 128
    IN_HOST = 136
    INTERRUPTED = 144
    CHANGES = 152
    SEEN = 160
    HOST = 168
    INT = 176
    FLOAT = 184
    NONE = 192
    COMPILED_FUEL = 200
    RESERVE = 208
    READY = 216
    BUSY = 224
    CALLED = 232
    LEFT = 240
    WATCHED = 248
    SLICE = 256
    TABLE = 264
    TABLE_SIZE = 272
    WHY = 280
    TAG = 288
    VALUES = 296
    HOSTS = 304
    TRUE = 312
    FALSE = 320
    RESUMABLE = 328
    FLOOR = 336
    SLICED = 344


SLICES_FUEL = 100_000
"""Fuel that slices may use before the driver looks at where the call stands, to see what is hot."""


class Exit(IntEnum):
    """Why native code returned.  Below 64: a trap's code, with the index of the operation in its handler in AUX."""

    DONE = 0
    FUEL = 64
    CALL = 65  # AUX: index of the function; a call that only the driver can make, or that is made for the first time
    CALL_INDIRECT = 66  # AUX: number of the function in the store
    STATE = 67  # an instruction that the runtime runs
    THROW = 68  # AUX: index of the operation in its handler
    FAR_RETURN = 69  # back to a frame of another instance
    SPILLED = 70  # compiled code left to the interpreter, for the machine's stack is used up
    HOST = 71  # AUX: number of the function; a call of the host that the driver is to make
    CHANGED = 72  # a call of the host changed what native code must be told of
    RAISED = 73  # a call of the host raised, and the exception is Python's current one
    THROWN = 74  # between compiled functions: THROW, of an exception that the context describes


STATUS = 1 << 62
LIMIT = -(1 << 61)
"""What native functions give back is the fuel that is left, or, below this limit, a status.  Fuel stays above: it is at
most 2**62, and charges between two tests are small.
"""


def status_of(code: int) -> int:
    """The result of a native function that stops for an `Exit` or a trap."""
    return -STATUS - code


FUNCTION_ENTRY = 64
"""Bytes of a function's entry in the table at FUNCTIONS, by its number in the store.  40 are used; a mispredicted call
waits for the multiplication.
"""


FOREIGN = 0xFFFF_FFFF
"""The instance of host functions: never the running one.  Also the type of the entry 0, which is no function."""


class FunctionField:
    """Byte offsets in a function's entry.  CODE: offset of its code; 0 if the driver must be asked."""

    CODE = 0  # i64
    TYPE = 8  # i32, interned in the store
    INSTANCE = 12  # i32, beside the type, for compiled code compares both at once
    SLOTS = 16  # i32, bytes of its frame
    HEADER = 20  # i32, place of its header in the frame, in slots
    COST = 24  # i32
    TEST = 28  # i32, whether its entry tests fuel
    NATIVE = 32  # pointer to compiled code, 0 if there is none


class Kind(IntEnum):
    """How native code passes a value between a slot and Python.  OTHER: it does not, a function of Python's does."""

    NONE = 0
    I32 = 1
    I64 = 2
    F32 = 3
    F64 = 4
    OTHER = 5
    BOOL = 6  # an i32 that is 0 or 1


RECORD_PARAMS = 16
"""The most parameters of a host function that native code calls."""


class RecordField:
    """Byte offsets in what native code knows of a host function.

    FUNCTION, CALLER: Python's function, and its first argument, 0 if it does not ask for its caller.  ENCODE: Python's
    function that gives the slots of a result as bytes.  NUMBER: in the store.  INSTANCE: for which alone it is meant,
    or -1.  RESULT, KINDS: of the result and of each parameter.
    """

    FUNCTION = 0  # pointer
    CALLER = 8  # pointer
    ENCODE = 16  # pointer
    NUMBER = 24  # i64
    INSTANCE = 32  # i64
    PARAMS = 40  # i32
    RESULT = 44  # i8
    KINDS = 45  # i8 each


CALL_PARAMS = 16
"""The most parameters of a function that Python calls without the driver."""


class CallField:
    """Byte offsets in what native code knows of a function that Python calls, the bytes that are the method's `self`.

    HOLDER: type of the objects that hold a context.  MARK: Python's object that says "go on with the driver".  CODE,
    PARAMS, SIZE, COST, TEST: of its code, as in `FunctionField`.  INSTANCE, NUMBER: its own.  RESULT, KINDS: of the
    result and of each parameter.
    """

    HOLDER = 0  # pointer
    MARK = 8  # pointer
    CODE = 16  # i64, as all up to NUMBER
    PARAMS = 24
    SIZE = 32
    COST = 40
    TEST = 48
    INSTANCE = 56
    NUMBER = 64
    RESULT = 72  # i8
    KINDS = 73  # i8 each


COMPILED = 1 << 31
"""Is added to a delta where compiled code calls the host: the frames below are not written while it waits."""


def header(return_pc: int, delta: int) -> int:
    """Header of a running frame: where in the code the caller goes on, and how many bytes its frame lies below."""
    return return_pc | delta << 32


FIRST_HEADER = header(0, 0)
"""Of the first frame of a call from the host: it returns to the code stream's first instruction, `halt`."""
