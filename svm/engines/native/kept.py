"""Encoded functions, kept for all guests of a module, and on disk, so that what was lowered once is not lowered again.

One file for each module's content and each build of the interpreter.  It holds no addresses; a damaged file, or
another build's, is as good as none.  At most `MOST_FILES` are kept, the oldest go
first.
"""

from __future__ import annotations

import marshal
import os
from functools import cache
from weakref import WeakKeyDictionary

import svm.lower
from svm.cache import digest_of, keep, kept
from svm.engines.native.blob import MARSHAL
from svm.engines.native.stream import FunctionCode, Site
from svm.hints import Any
from svm.lower import Charges, FrameLayout, LoopCharge
from svm.module import ValidModule

__all__ = ["KeptCode", "kept_code"]

MOST_FILES = 512
MOST_BYTES = 16 << 20


class KeptCode:
    """The encoded functions of one module: `functions` by index.  `save` writes those that are new."""

    def __init__(self, fingerprint: str, build: str) -> None:
        self._name = f"{fingerprint[:40]}-{build}-{_version()}"
        self._new = False
        self._raw: dict[int, tuple[Any, ...]] = self._load()
        self._codes: dict[int, FunctionCode] = {}

    def get(self, index: int) -> FunctionCode | None:
        """A function's code, if it is kept: the same for all guests, who do not change it."""
        code = self._codes.get(index)
        if code is None and index in self._raw:
            code = self._codes[index] = _thaw(self._raw[index])
        return code

    def put(self, index: int, code: FunctionCode) -> None:
        """Keep a function's code."""
        self._codes[index] = code
        self._raw[index] = _freeze(code)
        self._new = True

    def save(self) -> None:
        """Write the file, if there is anything new.  A cache that cannot be written is no error."""
        if not self._new:
            return
        self._new = False
        body = marshal.dumps(self._raw, MARSHAL)
        if len(body) <= MOST_BYTES:
            keep("code", self._name, body, MOST_FILES)

    def _load(self) -> dict[int, tuple[Any, ...]]:
        body = kept("code", self._name)
        found: dict[int, tuple[Any, ...]] = {} if body is None else marshal.loads(body)
        return found


_known: WeakKeyDictionary[ValidModule, KeptCode] = WeakKeyDictionary()


def kept_code(module: ValidModule, build: str) -> KeptCode:
    """What is kept of a module, for as long as it lives."""
    found = _known.get(module)
    if found is None:
        found = _known[module] = KeptCode(module.fingerprint, build)
    return found


@cache
def _version() -> str:
    """Names what makes code of a module, besides the interpreter's handlers: the source of this package's lowering."""
    own, lower = os.path.dirname(__file__), os.path.dirname(svm.lower.__file__)
    paths = [os.path.join(own, name) for name in ("encode.py", "kept.py", "stream.py")]
    paths += sorted(entry.path for entry in os.scandir(lower) if entry.name.endswith(".py"))
    return digest_of(paths)[:12]


def _freeze(code: FunctionCode) -> tuple[Any, ...]:
    frame, charges = code.layout, code.charges
    return (
        (frame.params, frame.locals, frame.operands),
        (charges.entry, charges.entry_test, {key: (loop.cost, loop.test) for key, loop in charges.loops.items()}),
        code.stream,
        code.resume,
        {position: (site.name, site.args, site.offset, site.size) for position, site in code.sites.items()},
        code.returns,
        code.places,
        code.offsets,
        code.targets,
        code.headers,
        code.types,
        code.globals,
    )


def _thaw(found: tuple[Any, ...]) -> FunctionCode:
    frame, (entry, test, loops), stream, resume, sites, *rest = found
    charges = Charges(entry, test, {key: LoopCharge(*loop) for key, loop in loops.items()})
    code = FunctionCode(FrameLayout(*frame), charges, stream, resume)
    code.sites = {position: Site(*site) for position, site in sites.items()}
    code.returns, code.places, code.offsets, code.targets, code.headers, code.types, code.globals = rest
    return code
