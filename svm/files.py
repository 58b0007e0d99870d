"""Files of every form to models: `.svmb`, `.svmt`, `.wasm`, and Krait sources by way of the compiler.

In: paths and bytes. Out: `Module`s, unchecked but for their form. The compiler is imported when a source is met, the
reader of `.wasm` when one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase
from os import PathLike, fspath

from svm.errors import MalformedError, Place
from svm.limits import MAX_MODULE_BYTES
from svm.module import Module, decode
from svm.module.binary import MAGIC

__all__ = ["parse_model", "read_bytes", "read_model"]

_CHUNK = 1 << 20
_WASM_MAGIC = b"\0asm"  # here too, so that a file of another kind does not import that format


def read_model(path: str | PathLike[str]) -> Module:
    """The model in a file: `.kr`, `.svmt`, or else, by its first bytes, `.wasm` or `.svmb`.

    Raises ModuleError, OSError where it cannot be read.
    """
    path = fspath(path)
    if path.endswith(".kr"):
        from krait import compile_file

        return compile_file(path)
    return parse_model(read_bytes(path), path, text=path.endswith(".svmt"))


def read_bytes(path: str | PathLike[str]) -> bytes:
    """The bytes of a file, up to one more than a module may have: a device or a pipe may never end.  Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return b"".join(_bounded(file))


def _bounded(file: RawIOBase) -> Iterator[bytes]:
    left = MAX_MODULE_BYTES + 1
    while left and (data := file.read(min(left, _CHUNK))):
        left -= len(data)
        yield data


def parse_model(data: bytes, filename: str, *, text: bool) -> Module:
    """The model in the bytes of a `.svmt` (text), or else of a `.wasm` or `.svmb` file, whichever they begin as.

    `filename` is for errors.  Raises MalformedError.
    """
    if data.startswith(_WASM_MAGIC) or (filename.endswith(".wasm") and not data.startswith(MAGIC)):
        from svm.wasm import read

        return read(data)
    if not text:
        return decode(data)
    from svm.module.text import from_text

    try:
        return from_text(data.decode(), filename)
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8 text: {error.reason} at byte {error.start}", Place(file=filename)) from None
