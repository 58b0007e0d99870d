"""Machine code of units: compiled, kept on disk, mapped.

A unit's code is position-independent and refers to nothing outside itself but the C library's copying, so what was
compiled once serves every process.  It is kept under a name of everything that it depends on: the IR's inputs, the
compiler's sources, LLVM, the target.  At most `MOST_FILES` are kept, the oldest go first.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable
from functools import cache

import svm.lower
from svm.cache import atomic_write, cache_folder, digest_of, make_room, read
from svm.digest import DIGEST_BYTES, digest
from svm.engines.native.blob import MARSHAL, compiler
from svm.engines.native.executable import Executable

__all__ = ["CompilerError", "load_unit"]

MOST_FILES = 4096
_MAGIC = b"svmunit1"
_HEAD = len(_MAGIC) + DIGEST_BYTES


class CompilerError(Exception):
    """LLVM refuses what it was given: a mistake of ours, which must not be the guest's problem."""


def load_unit(key: str, target: str, ir: Callable[[], str]) -> Executable:
    """The code of a unit, from the cache or compiled now.

    key: names all that it depends on.  ir: gives its text.  Raises CompilerError, and OSError where code cannot be
    mapped.
    """
    name = f"{key}-{target}-{_made_from()}"
    folder = cache_folder("units")
    path = os.path.join(folder, name)
    found = _unpack(name, read(path) or b"")
    if found is None:
        found = _compile(ir(), target)
        body = marshal.dumps((name, *found), MARSHAL)
        make_room(folder, MOST_FILES)
        atomic_write(path, _MAGIC + digest(body) + body)
    return Executable(*found)


@cache
def _made_from() -> str:
    """Names what makes a unit's code from its inputs: our sources, and LLVM."""
    here = os.path.dirname(__file__)
    folders = (here, os.path.dirname(svm.lower.__file__))
    paths = sorted(entry.path for folder in folders for entry in os.scandir(folder) if entry.name.endswith(".py"))
    return f"{digest_of(paths)[:16]}-{compiler()}"


def _unpack(name: str, data: bytes) -> tuple[bytes, dict[str, int]] | None:
    """Code and symbols of a file; None if it is damaged, or another's."""
    body = data[_HEAD:]
    if data[: len(_MAGIC)] != _MAGIC or digest(body) != data[len(_MAGIC) : _HEAD]:
        return None
    found, code, symbols = marshal.loads(body)
    return (code, symbols) if found == name else None


def _compile(text: str, target: str) -> tuple[bytes, dict[str, int]]:
    from svm.engines.native.elf import link
    from svm.engines.native.llvm import compile_object

    try:
        return link(compile_object(text, target, level=2, optimise=True))
    except (RuntimeError, ValueError) as error:
        raise CompilerError(str(error)) from error
