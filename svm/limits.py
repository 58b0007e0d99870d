"""Every bound in one file: what a module may be at most, and what a guest may use.

The ceilings of modules are those of WebAssembly's JavaScript API (https://webassembly.github.io/spec/js-api/#limits),
so whatever a browser accepts is accepted here.
"""

from __future__ import annotations

import re
from functools import partial

from svm.errors import UsageError
from svm.record import record

__all__ = [
    "DEFAULT_STACK",
    "DEFAULT_VALUES",
    "MAX_BODY_BYTES",
    "MAX_CALL_PARAMS",
    "MAX_CALL_RESULTS",
    "MAX_CONSTANT_CHARGE",
    "MAX_CUSTOM_SECTIONS",
    "MAX_DATA_SEGMENTS",
    "MAX_ELEMENT_SEGMENTS",
    "MAX_EXPORTS",
    "MAX_FRAME_SLOTS",
    "MAX_FUNCTIONS",
    "MAX_GLOBALS",
    "MAX_IMPORTS",
    "MAX_INTERFACE_BYTES",
    "MAX_LOCALS",
    "MAX_MEMORIES",
    "MAX_MODULE_BYTES",
    "MAX_NAME_BYTES",
    "MAX_NESTING",
    "MAX_PAGES",
    "MAX_SOURCE_BRACKETS",
    "MAX_SOURCE_BYTES",
    "MAX_SOURCE_DEPTH",
    "MAX_SOURCE_ELIFS",
    "MAX_SOURCE_INDENTS",
    "MAX_STACK",
    "MAX_TABLES",
    "MAX_TABLE_ELEMENTS",
    "MAX_TABLE_INITIAL",
    "MAX_TAGS",
    "MAX_TYPES",
    "MAX_TYPE_DEPTH",
    "MAX_VALUE_DEPTH",
    "PAGE",
    "SNAPSHOT_PAGE",
    "Limits",
    "fuel_amount",
    "parse_size",
    "seconds_amount",
]

PAGE = 65536
"""Bytes of a page of linear memory."""

SNAPSHOT_PAGE = 4096
"""Bytes of a page in snapshots, and of a block of a stored file, whatever the machine's are."""

MAX_MODULE_BYTES = 1 << 30
MAX_TYPES = 1_000_000
MAX_FUNCTIONS = 1_000_000
MAX_IMPORTS = 1_000_000
MAX_EXPORTS = 1_000_000
MAX_GLOBALS = 1_000_000
MAX_TAGS = 1_000_000
MAX_DATA_SEGMENTS = 100_000
MAX_TABLES = 100_000
MAX_ELEMENT_SEGMENTS = 10_000_000
MAX_TABLE_ELEMENTS = 10_000_000
MAX_TABLE_INITIAL = 10_000_000
MAX_MEMORIES = 1
MAX_PAGES = 65_536
MAX_CALL_PARAMS = 1_000
MAX_CALL_RESULTS = 1_000
MAX_LOCALS = 50_000
MAX_BODY_BYTES = 7_654_321
MAX_NAME_BYTES = 100_000
MAX_CUSTOM_SECTIONS = 10_000
MAX_NESTING = 10_000
"""Depth of structured control in one body; the JS API names none, engines have one of this size."""

MAX_FRAME_SLOTS = 65_000
"""Parameters, locals and operands of one function, which lie in its frame: an engine's code names a slot by 16 bits."""
MAX_SOURCE_BYTES = 16 << 20
"""A Krait source; a hundred thousand lines are a quarter of it. A file that never ends is read no further."""

MAX_SOURCE_BRACKETS = 200
MAX_SOURCE_INDENTS = 100
"""Nesting of brackets and of blocks in a Krait source; CPython's are the same."""

MAX_SOURCE_DEPTH = 200
MAX_SOURCE_ELIFS = 200
"""Levels of one Krait expression, and `elif` branches of one `if`: what the compiler's recursive walkers can stand."""

MAX_CONSTANT_CHARGE = 1 << 20
"""Fuel that one charge may take at most (DESIGN §7), so that a few charges can never wrap a 64-bit counter."""

MAX_INTERFACE_BYTES = 1 << 20
MAX_TYPE_DEPTH = 32
"""An interface's text, and how deep the types in it are nested."""

MAX_VALUE_DEPTH = 100
"""Objects within one another in a value that crosses the border: both sides go through it recursively."""

DEFAULT_VALUES = 256 << 20
DEFAULT_STACK = 1 << 20
MAX_STACK = 1 << 30
"""Bytes of a guest's stack of frames."""

_LONGEST = 1e9
"""Seconds that are as good as no limit, and can be added to any time."""

_LARGEST = 1 << 63
"""More bytes than any address has."""

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_size(text: str | int) -> int:
    """Bytes that `text` names: `65536`, `"64 KiB"`, `"64k"`, `"1.5 MiB"`, `"2GB"` (units are binary).

    Raises UsageError where it names none.
    """
    size: float = -1
    if isinstance(text, int) and not isinstance(text, bool):
        size = text
        if size < 0:
            raise UsageError(f"a size cannot be negative: {_shown(size)}")
    elif isinstance(text, str):
        match = re.fullmatch(r"\s*(\d{1,20}(?:\.\d{1,20})?)\s*([kmg]?)(?:i?b)?\s*", text.lower())
        if match is not None:
            size = float(match[1]) * _UNITS[match[2]]
    if size < 0:
        raise UsageError(f"not a size: {_shown(text)} (write bytes, or a number with KiB, MiB or GiB)")
    if size >= _LARGEST:
        raise UsageError(f"no machine has so many bytes: {_shown(text)}")
    return int(size)


def fuel_amount(fuel: int) -> int:
    """Check an amount of fuel.  Raises UsageError."""
    if not isinstance(fuel, int) or isinstance(fuel, bool) or not 0 <= fuel < 1 << 62:
        raise UsageError(f"fuel is a whole number from 0 to 2**62, not {_shown(fuel)}")
    return fuel


def seconds_amount(seconds: float) -> float:
    """Check a time.  Raises UsageError."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise UsageError(f"seconds are a number from 0, not {_shown(seconds)}")
    return min(seconds, _LONGEST)


def _shown(value: object) -> str:
    """A value for a message; Python refuses to write very long integers."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    return f"{value!r:.80}"


@record
class Limits:
    """What a guest may use; None is no limit but the machine's and the format's own.

    memory: bytes of linear memory, over all of a guest's memories (a size as text is accepted: "64 MiB").
    table_elements: elements over all of a guest's tables.
    fuel: units of fuel over the guest's life.
    seconds: wall time that one run of a call may take; while it waits for a host function, none passes.
    stack: bytes of the guest's stack of frames.
    values: bytes of host memory, about, that the arguments or the result of one call may take (docs/embedding.md).
    output: bytes that the guest may write to its console over its life.
    storage: bytes that the files of a storage may take, at any one time; each costs its name and 512 bytes more.

    A guest's can be changed while it lives: `guest.limits = dataclasses.replace(guest.limits, fuel=…)`.  Where memory
    or table elements are refused, that is the program's affair, as on any machine; where values or the stack are, the
    call ends in an error; fuel, seconds, output and storage leave the call paused.

    Raises UsageError for what is no limit.
    """

    memory: int | str | None = None
    table_elements: int = MAX_TABLE_ELEMENTS
    fuel: int | None = None
    seconds: float | None = None
    stack: int | str = DEFAULT_STACK
    values: int | str = DEFAULT_VALUES
    output: int | str | None = None
    storage: int | str | None = None

    def __post_init__(self) -> None:
        put = partial(object.__setattr__, self)
        for name in ("memory", "stack", "values", "output", "storage"):
            size = getattr(self, name)
            if size is not None:
                put(name, parse_size(size))
        if not 0 < int(self.stack) <= MAX_STACK:
            raise UsageError(f"a stack has 1 to {MAX_STACK} bytes, not {self.stack}")
        if self.fuel is not None:
            fuel_amount(self.fuel)
        if self.seconds is not None:
            put("seconds", seconds_amount(self.seconds))
            if not self.seconds:
                raise UsageError("seconds must be positive, not 0")
        elements = self.table_elements
        if not isinstance(elements, int) or not 0 <= elements <= MAX_TABLE_ELEMENTS:
            raise UsageError(f"table_elements is 0 to {MAX_TABLE_ELEMENTS}, not {_shown(elements)}")

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes."""
        return None if self.memory is None else int(self.memory)

    @property
    def value_bytes(self) -> int:
        """The limit of values in bytes."""
        return int(self.values)

    @property
    def output_bytes(self) -> int | None:
        """The limit of output in bytes."""
        return None if self.output is None else int(self.output)

    @property
    def storage_bytes(self) -> int | None:
        """The limit of storage in bytes."""
        return None if self.storage is None else int(self.storage)

    @property
    def stack_bytes(self) -> int:
        """The stack limit in bytes."""
        return int(self.stack)
