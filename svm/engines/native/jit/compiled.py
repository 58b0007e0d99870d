"""Machine code of units: named, shared in a process, kept on disk.

A unit's code is position-independent and refers to nothing outside itself but the C library's copying, so what was
compiled once serves every process; and every guest in one, for as long as one of them lives.  It is kept under a name
of everything that it depends on: a module's content and its place in a store, the compiler's sources, LLVM, the target.
At most `MOST_FILES` files of at most `MOST_BYTES` each are kept, the oldest go first.  A damaged file is none.
"""

from __future__ import annotations

import marshal
import os
import threading
from functools import cache
from weakref import WeakValueDictionary

import svm.lower
from svm.cache import atomic_write, cache_folder, digest_of, make_room, read
from svm.digest import DIGEST_BYTES, digest
from svm.engines.native.blob import MARSHAL, compiler
from svm.engines.native.executable import Executable
from svm.record import record

__all__ = [
    "CompilerError",
    "Unit",
    "entry_symbol",
    "handler_symbol",
    "keep",
    "kept",
    "made_from",
    "mapped",
    "pack",
    "sources",
    "unit_name",
    "unpack",
]

MOST_FILES = 2048
MOST_BYTES = 256 << 10
_MAGIC = b"svmunit2"
_HEAD = len(_MAGIC) + DIGEST_BYTES


class CompilerError(Exception):
    """Something is not compiled, and stays interpreted; the message says why."""


@record
class Unit:
    """Functions that were compiled together.

    members: indices of those that can be entered at their beginning.  code, symbols: as
    `svm.engines.native.elf.link` gives them.  why: if it is not to be compiled, the reason, and there is no code.
    """

    name: str
    members: tuple[int, ...]
    code: bytes
    symbols: dict[str, int]
    why: str = ""


def unit_name(place: str, root: int, loop: int | None) -> str:
    """Name of a unit: of a function, or of one of its loops, in a module at a place."""
    return f"{place}-{root}" if loop is None else f"{place}-{root}-{loop}"


def entry_symbol(index: int) -> str:
    """Symbol of a function's compiled code."""
    return f"f{index}"


def handler_symbol(index: int, loop: int | None = None) -> str:
    """Symbol of the handler that enters a function, or one of its loops."""
    return f"enter.f{index}" if loop is None else f"enter.o{index}.{loop}"


@cache
def sources() -> str:
    """Names the sources of ours that make a unit's code from its inputs."""
    here = os.path.dirname(__file__)
    folders = (here, os.path.dirname(here), os.path.dirname(svm.lower.__file__))
    paths = sorted(entry.path for folder in folders for entry in os.scandir(folder) if entry.name.endswith(".py"))
    return digest_of(paths)[:24]


def made_from() -> str:
    """Names what makes a unit's code from its inputs: our sources, and LLVM."""
    return f"{sources()}-{compiler()}"


# Bytes


def pack(unit: Unit) -> bytes:
    """A unit as a file."""
    body = marshal.dumps((unit.name, unit.members, unit.code, unit.symbols, unit.why), MARSHAL)
    return _MAGIC + digest(body) + body


def unpack(name: str, data: bytes) -> Unit | None:
    """The unit of that name in a file; None if the file is damaged, or another's."""
    body = data[_HEAD:]
    if data[: len(_MAGIC)] != _MAGIC or digest(body) != data[len(_MAGIC) : _HEAD]:
        return None
    unit = Unit(*marshal.loads(body))
    return unit if unit.name == name else None


# On disk


def kept(name: str) -> Unit | None:
    """The unit of that name that an earlier run kept."""
    data = read(os.path.join(cache_folder("units"), name))
    return None if data is None else unpack(name, data)


def keep(unit: Unit) -> None:
    """Keep a unit for later runs."""
    data = pack(unit)
    if len(data) <= MOST_BYTES:
        folder = cache_folder("units")
        make_room(folder, MOST_FILES)
        atomic_write(os.path.join(folder, unit.name), data)


# In memory

_mapped: WeakValueDictionary[str, Executable] = WeakValueDictionary()
_lock = threading.Lock()


def mapped(unit: Unit) -> Executable:
    """A unit's code in this process, for as long as somebody keeps it.  Raises OSError where it cannot be mapped."""
    with _lock:
        found = _mapped.get(unit.name)
        if found is None:
            found = _mapped[unit.name] = Executable(unit.code, unit.symbols)
        return found
