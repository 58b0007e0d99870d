"""The code stream: how an instruction's operands lie in it, and what is known of one function's.

An instruction is the address of its handler, then its operands, the widest first.  All that runs code which is lowered
already stands here, apart from what writes it (`encode`) and what says which handlers there are (`keys`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from svm.hints import Any
from svm.lower import Charges, FrameLayout
from svm.record import field, record

__all__ = ["CALL_FIELDS", "FIELD_BYTES", "FunctionCode", "KeySet", "Layout", "Site", "laid_out", "split"]

FIELD_BYTES = {"u16": 2, "i32": 4, "i64": 8}
_FIELD_CODE = {"u16": "H", "i32": "I", "i64": "Q"}

CALL_FIELDS = ("i32", "i64", "u16", "u16", "i32", "i32", "i32")
"""Of a call: distance, header, slots to the callee's frame, place of its header, bytes of its frame, charge; and the
function's index, which is all that a call reads that asks the driver, so that the others can be written beside it.
"""


@record
class Layout:
    """How an instruction's operands lie in the stream.

    format: for `struct`, with the handler's address first.  order: indices of the fields, in the order in which they
    lie.  offsets: byte offset of each field, in natural order.  globals: indices of the fields that name globals.
    size: bytes.
    """

    format: str
    order: tuple[int, ...]
    offsets: tuple[int, ...]
    fields: tuple[str, ...]
    globals: tuple[int, ...]
    size: int


def laid_out(fields: Sequence[str], cells: Sequence[int] = ()) -> Layout:
    """The layout of an instruction with the fields; `cells` are the indices of those that name globals."""
    order = tuple(sorted(range(len(fields)), key=lambda index: -FIELD_BYTES[fields[index]]))
    offsets, at, form = [0] * len(fields), 8, "<Q"
    for index in order:
        offsets[index] = at
        at += FIELD_BYTES[fields[index]]
        form += _FIELD_CODE[fields[index]]
    padding = -at % 8
    form += f"{padding}x" if padding else ""
    return Layout(form, order, tuple(offsets), tuple(fields), tuple(cells), at + padding)


def split(key: str) -> list[tuple[str, str, str]]:
    """(operation, sources, target) of each operation of a key (`svm.engines.native.keys`)."""
    parts = []
    for part in key.split(";"):
        name, sources, target = part.split(":")
        parts.append((name, sources, target))
    return parts


class KeySet:
    """The handlers there are: number by key, and which sequences of operations are worth trying as one."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.numbers = dict(zip(keys, range(len(keys)), strict=True))  # some thousands, at every start

    @cached_property
    def sequences(self) -> frozenset[tuple[str, ...]]:
        """Names of the operations of each fused handler; a run whose code is kept never asks for them."""
        return frozenset(tuple(part[0] for part in split(key)) for key in self.numbers if ";" in key)


@record
class Site:
    """An instruction that native code may leave to the driver.

    name: of its operation.  args: of its operation, with a row's name for the row.  offset: byte offset in the body.
    size: bytes in the stream.
    """

    name: str
    args: tuple[Any, ...]
    offset: int
    size: int


@record(frozen=False)
class FunctionCode:
    """A function's stream, and what is known of it.  Positions are offsets in this stream.

    The stream is complete but for what a guest decides (`Program.link`): it holds handlers by number, returns to its
    own positions, and the module's own indices of types and globals.  resume: position by byte offset, for every
    safepoint.
    sites: by position.  returns: byte offset that a call goes on at, by position.  places: positions of all
    instructions, ascending; offsets: byte offsets of each one's operations.  targets: position of each block's label,
    by its key. headers, types, globals: positions of such fields.
    """

    layout: FrameLayout
    charges: Charges
    stream: bytes = b""
    resume: dict[int, int] = field(default_factory=dict)
    sites: dict[int, Site] = field(default_factory=dict)
    returns: dict[int, int] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    offsets: list[tuple[int, ...]] = field(default_factory=list)
    targets: dict[int, int] = field(default_factory=dict)
    headers: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    globals: list[int] = field(default_factory=list)

    def place(self, position: int, part: int) -> int:
        """Byte offset of an operation of the instruction at a position."""
        offsets = self.offsets[bisect_right(self.places, position) - 1]
        return offsets[min(part, len(offsets) - 1)]
