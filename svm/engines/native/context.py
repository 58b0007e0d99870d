"""What native code and its driver share: the layout of the context, the statuses of an exit, the header of a running
frame.

The context is one page of native memory for each guest.  Native code finds everything through it; nothing in a frame
is a pointer.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CONTEXT_BYTES", "FUNCTION_ENTRY", "Exit", "Field", "FunctionField", "header"]

CONTEXT_BYTES = 4096


class Field(IntEnum):
    """Byte offsets in the context.

    pc and fp are offsets from CODE and STACK while the guest does not run.  AUX: what an exit says besides its status.
    NATIVE_LIMIT: address below which
    compiled code must not use the machine's stack.  INSTANCE: number of the running instance.  MEMORY_SIZE: bytes.
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


FUNCTION_ENTRY = 40
"""Bytes of a function's entry in the table at FUNCTIONS, by its number in the store."""


class FunctionField(IntEnum):
    """Byte offsets in a function's entry.  CODE: offset of its code, 0 if the driver must be asked."""

    CODE = 0  # i64
    TYPE = 8  # i32, interned in the store
    SLOTS = 12  # i32, bytes of its frame
    HEADER = 16  # i32, place of its header in the frame, in slots
    COST = 20  # i32
    TEST = 24  # i32, whether its entry tests fuel
    INSTANCE = 28  # i32
    NATIVE = 32  # pointer to compiled code, 0 if there is none


def header(return_pc: int, delta: int) -> int:
    """Header of a running frame: where in the code the caller goes on, and how many bytes its frame lies below."""
    return return_pc | delta << 32
