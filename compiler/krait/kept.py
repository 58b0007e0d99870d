"""Compiled programs kept on disk: a program that has not changed is not compiled again.

In: a source, what it is called, the folders of its imports. Out: the bytes of its module, if the cache has them, and
every file that was looked at when they were made is as it was then, or as absent. What the compiler and the library are
is part of an entry's name. Invariant: what is found here is what compiling would give. At most `MOST_FILES` are kept,
the oldest go first.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Mapping
from functools import cache

from krait.sources import Sources, is_unchanged, library_folder
from svm import isa, limits
from svm import module as format
from svm.cache import digest_of, keep, kept
from svm.digest import digest

__all__ = ["KeptProgram"]

MOST_FILES = 256
MOST_BYTES = 4 << 20
_MARSHAL = 4


class KeptProgram:
    """The place in the cache of one program's module."""

    def __init__(self, source: str | bytes, filename: str, sources: Sources) -> None:
        text = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
        stubs = [part for item in sorted(sources.stubs.items()) for part in item]
        names = [type(source).__name__, filename, str(len(stubs)), *stubs, *sources.folders]
        parts = (_compiler(), *(name.encode("utf-8", "surrogatepass") for name in names), text)
        self._name = digest(*(len(part).to_bytes(8, "little") + part for part in parts)).hex()
        self._seen = sources.seen

    def load(self) -> bytes | None:
        """Return the module, if it is kept and nothing that it was made from has changed."""
        body = kept("programs", self._name)
        if body is None:
            return None
        found: tuple[Mapping[str, bytes | None], bytes] = marshal.loads(body)
        seen, module = found
        return module if all(is_unchanged(path, wanted) for path, wanted in seen.items()) else None

    def save(self, module: bytes) -> None:
        """Keep the module that was made from what has been looked at."""
        body = marshal.dumps((self._seen, module), _MARSHAL)
        if len(body) <= MOST_BYTES:
            keep("programs", self._name, body, MOST_FILES)


@cache
def _compiler() -> bytes:
    """Name what compiles: the sources of the compiler, of the library, of what writes modules, and the Python."""
    paths = [path for folder in _folders() for path in _files(folder)]
    return f"{digest_of([*paths, limits.__file__])} {sys.version}".encode()


def _folders() -> list[str]:
    files = (__file__, isa.__file__ or "", format.__file__ or "")
    return [*map(os.path.dirname, map(os.path.abspath, files)), library_folder()]


def _files(folder: str) -> list[str]:
    """The sources in a folder and those below it, in an order that is always the same."""
    found: list[str] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry.path)
        elif entry.name.endswith((".py", ".kr", ".lark")):
            found.append(entry.path)
    return found
