"""Where modules' sources lie, and what a compilation has looked at to find them.

In: names of modules, the folders of the program. Out: their texts. The standard library is looked for beside the
package `krait` first (an installed wheel), then beside ``compiler/`` (a checkout).

Invariant: names that begin with ``krait.`` come from the standard library only, whatever lies in the program's folder.
Whatever of the program's own folders decides what is compiled is in `Sources.seen`, absent files too. Nothing here or
below imports what compiles.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache

from svm.digest import digest
from svm.limits import MAX_SOURCE_BYTES
from svm.record import record

__all__ = ["LIBRARY_PREFIX", "Source", "Sources", "library_folder", "text_of"]

LIBRARY_PREFIX = "<krait>/"
"""What the file names of the standard library begin with, so that hosts can tell its frames in a traceback."""

_PACKAGE = os.path.dirname(os.path.abspath(__file__))
_MARK = "\ufeff"
STUB = ".pyi"
"""The suffix of files that declare functions of the host."""


@record
class Source:
    """A module's source. ``filename`` is what diagnostics and line tables call it; a ``package`` has modules in it."""

    filename: str
    data: bytes
    library: bool
    package: bool = False

    @property
    def stub(self) -> bool:
        """Whether it declares what the host gives."""
        return self.filename.endswith(STUB)


class Sources:
    """The folders in which a program's imports are looked for, and texts of stubs by the names of their modules.

    seen: for each path that was looked at, the digest of the file's contents, None where there is no file.
    """

    def __init__(self, folders: Sequence[str], stubs: Mapping[str, str]) -> None:
        self.folders = folders
        self.stubs = stubs
        self.seen: dict[str, bytes | None] = {}

    def find(self, name: str) -> Source | None:
        """Return the source of the module ``name``: the library's, else a stub that was given, else the first in the
        folders, where a module goes before a stub; or None.

        Raises OSError where there is one that cannot be read.
        """
        base = "/".join(name.split("."))
        in_library = os.path.join(library_folder(), f"{base}.kr")
        if os.path.isfile(in_library):
            return Source(f"{LIBRARY_PREFIX}{base}.kr", _contents(in_library) or b"", True)
        if name.startswith("krait."):
            return None
        if name in self.stubs:
            return Source(name + STUB, self.stubs[name].encode("utf-8", "surrogatepass"), False)
        for folder in self.folders:
            for file in (f"{base}/__init__.kr", f"{base}.kr", base + STUB):
                path = os.path.join(folder, file)
                data = _contents(path)
                self.seen[path] = None if data is None else digest(data)
                if data is not None:
                    return Source(path, data, False, file.startswith(f"{base}/"))
        return None


def is_unchanged(path: str, wanted: bytes | None) -> bool:
    """Return whether the file at a path still has the contents of a digest, or is still absent."""
    try:
        data = _contents(path)
    except OSError:
        return False
    return (None if data is None else digest(data)) == wanted


def text_of(data: bytes) -> str:
    """Return a source's text as its places count it: without a byte order mark, whatever its bytes are."""
    return data.decode("utf-8", "replace").removeprefix(_MARK)


@cache
def library_folder() -> str:
    """Return the folder of the standard library's sources."""
    beside_package = os.path.join(_PACKAGE, "stdlib")
    if os.path.isdir(beside_package):
        return beside_package
    return os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "stdlib")


def _contents(path: str) -> bytes | None:
    """Return the bytes of a file, None if there is none, or what is there is no file."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read(MAX_SOURCE_BYTES + 1)
