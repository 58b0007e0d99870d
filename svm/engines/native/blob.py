"""The interpreter's machine code: it comes with a wheel or is built once and kept, and is mapped where it is needed.

Building takes LLVM some seconds; a later start maps a file of some 300 KB and imports no compiler.  The code is
position-independent, refers to nothing outside itself but Python's C API, by addresses that are filled in when it is
mapped, and is never written to.  A wheel brings it for every processor
of its platform; else it lies in the cache, by the processor, the compiler's version and all that it is made from.

A blob file is MAGIC, a digest of what follows, the lengths of three parts (u32 each), and the parts: facts
(marshalled), the handlers' offsets as u32, and, page-aligned, the code.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import struct
import sys
from array import array
from collections.abc import Callable
from functools import cache

from svm.cache import atomic_write, cache_folder, digest_of, read
from svm.digest import digest
from svm.engines.native.context import CONTEXT_BYTES, Field
from svm.engines.native.executable import Executable
from svm.engines.native.python_api import PythonApi, usable
from svm.errors import Error
from svm.hints import Any

__all__ = [
    "CARRIED",
    "TARGETS",
    "Blob",
    "UnavailableError",
    "assemble",
    "buildable",
    "get_blob",
    "make_blob",
    "processor",
    "supported",
    "write_blobs",
]

MAGIC = b"svmblob1"
MARSHAL = 4
"""The format of marshalled facts: every Python from 3.4 on reads it."""

CARRIED = "blobs"
"""The folder, beside this file, of what a wheel carries."""

_HEAD = struct.Struct("<8s32sIII")
_HERE = os.path.dirname(__file__)
_ENTER = ctypes.CFUNCTYPE(ctypes.c_int64)  # without types of arguments, for they are looked at in each call


_ENTRIES = ("enter", "host", "py_call", "py_run", "py_slice")


class UnavailableError(Error):
    """The native engine cannot run on this machine; the message says why."""


TARGETS = {
    "x86-64-v3": {"avx2", "bmi1", "bmi2", "fma", "abm", "movbe", "f16c"},
    "x86-64-v2": {"sse4_1", "sse4_2", "popcnt"},
}
"""Processors that there is an interpreter for, the best first, by LLVM's names; with the features that tell them, by
Linux's names.
"""

_CLOSER = {
    "znver4": TARGETS["x86-64-v3"] | {
        "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma", "avx512vbmi", "avx512_vbmi2",
        "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq", "avx512_bf16", "gfni", "sse4a", "adx", "vaes", "vpclmulqdq",
        "sha_ni", "aes", "pclmulqdq", "rdpid", "clwb", "clzero", "fsgsbase", "xsave", "xsavec", "xsaveopt", "xsaves",
    },
}  # fmt: skip
"""Processors that guests' code is compiled for where they are at hand; the interpreter gains nothing there."""


def buildable() -> bool:
    """Whether there is an interpreter for this platform, whatever its processor."""
    return sys.platform != "win32" and os.uname().machine in ("x86_64", "amd64") and struct.calcsize("P") == 8


@cache
def supported() -> str | None:
    """Which of the `TARGETS` this machine is, or None where the native engine cannot run."""
    if not buildable():
        return None
    flags = _flags()
    if flags is None:
        return "x86-64-v2"
    return next((target for target, features in TARGETS.items() if features <= flags), None)


@cache
def processor(least: str) -> str:
    """What a guest's code is compiled for on a machine that is one of the `TARGETS`: that, or a closer one."""
    flags = _flags() or frozenset()
    return next((target for target, features in _CLOSER.items() if features <= flags), least)


@cache
def _flags() -> frozenset[str] | None:
    """The processor's features, by Linux's names; None where it does not tell."""
    try:
        with open("/proc/cpuinfo", "rb") as lines:
            line = next((line for line in lines if line.startswith(b"flags")), b"")
    except OSError:
        return None
    return frozenset(line.decode(errors="replace").split())


_OWN = (
    "handlers.py", "keys.py", "stream.py", "expand.py", "context.py", "superinstructions.json", "blob.py", "elf.py",
    "llvm.py", "python_ir.py", "executable.py",
)  # fmt: skip


def _sources() -> list[str]:
    """Files that the machine code depends on."""
    import svm.isa as isa

    table = os.path.dirname(isa.__file__)
    folders = (table, os.path.join(table, "rows"))
    rows = [os.path.join(folder, name) for folder in folders for name in os.listdir(folder) if name.endswith(".py")]
    return [*(os.path.join(_HERE, name) for name in _OWN), *sorted(rows)]


@cache
def _build_for(target: str) -> str:
    """Names what a target's code is made from: the table, what writes handlers from it, and the target."""
    return f"{digest_of(_sources())[:24]}-{target}"


@cache
def compiler() -> str:
    """Names the compiler that is installed: by what llvmlite, which brings LLVM, says of its version.

    Its file is read as any other, for to import llvmlite, or only what reads metadata of packages, takes longer than
    all else of a start.
    """
    files = (read(os.path.join(folder, "llvmlite", "_version.py")) for folder in sys.path)
    return digest(next((data for data in files if data is not None), b"")).hex()[:8]


class Blob:
    """Mapped code.  build: names what it was made from, its target too.  keys, addresses: of handlers.

    context: what every context begins as.  enter: run from a context, as `reference` names it; returns an `Exit` or a
    trap's code.  python: how its code calls
    Python, None where it cannot; then `enter` is ctypes'.
    """

    def __init__(self, build: str, data: bytes) -> None:
        self.build = build
        facts, offsets, code = _unpack(data)
        if facts["build"] != build:
            raise ValueError("made from something else")
        try:
            self.code = Executable(code, facts["symbols"])
        except OSError as error:
            raise UnavailableError(error.strerror) from None
        base = self.code.start
        self.python = PythonApi(self.code) if usable() else None
        enter = _ENTER(self.code.address("enter")) if self.python is None else self.python.run
        self.enter: Callable[[Any], int] = enter
        self.keys: list[str] = facts["keys"]
        self.addresses: list[int] = list(map(base.__add__, offsets))  # some thousands, at every start
        self.target: str = facts["target"]
        self.context = _context(self.python)

    def reference(self, context: bytearray) -> Any:
        """What `enter` takes; it holds for the life of the context, and of this reference."""
        place = ctypes.c_char.from_buffer(context)
        return ctypes.byref(place) if self.python is None else ctypes.addressof(place)


def _context(python: PythonApi | None) -> bytes:
    """What every context begins as."""
    words = array("q", bytes(CONTEXT_BYTES))
    if python is not None:
        words[Field.HOST >> 3] = python.host
        named = {Field.INT: int, Field.FLOAT: float, Field.NONE: None, Field.TRUE: True, Field.FALSE: False}
        for field, value in named.items():
            words[field >> 3] = id(value)
    return words.tobytes()


def _unpack(data: bytes) -> tuple[dict[str, Any], tuple[int, ...], bytes]:
    """Parts of a blob file.  Raises ValueError for whatever is none."""
    if len(data) < _HEAD.size:
        raise ValueError("too short")
    magic, own, facts_size, count, code_size = _HEAD.unpack_from(data)
    rest = data[_HEAD.size :]
    if (
        magic != MAGIC
        or digest(data[40:]) != own
        or len(rest) != facts_size + 4 * count + code_size
    ):
        raise ValueError("damaged")
    facts: dict[str, Any] = marshal.loads(rest[:facts_size])
    offsets = struct.unpack_from(f"<{count}I", rest, facts_size)
    return facts, offsets, rest[facts_size + 4 * count :]


def _pack(facts: dict[str, Any], offsets: list[int], code: bytes) -> bytes:
    text = marshal.dumps(facts, MARSHAL)
    sizes = struct.pack("<III", len(text), len(offsets), len(code))
    body = sizes + text + struct.pack(f"<{len(offsets)}I", *offsets) + code
    return MAGIC + digest(body) + body


_loaded: dict[str, Blob] = {}


def get_blob(say: Callable[[str], None] = lambda _: None) -> Blob:
    """The blob for this machine: the one in this process, else the installed or the cached one, else built now.

    say: told, in words for a person, before something that takes seconds.  Raises UnavailableError.
    """
    target = supported()
    if target is None:
        raise UnavailableError("the native engine needs an x86-64 processor (with SSE 4.2) and a Unix system")
    build = _build_for(target)
    if build not in _loaded:
        _loaded[build] = _found(build) or _built(target, build, say)
    return _loaded[build]


def _carried_path(build: str) -> str:
    return os.path.join(_HERE, CARRIED, f"{build}.blob")


def _cache_path(build: str) -> str:
    return os.path.join(cache_folder("native"), f"{build}-{compiler()}.blob")


def _found(build: str) -> Blob | None:
    """The blob that came with this installation, else the cached one; None if each is missing, damaged or another's."""
    for path_of in (_carried_path, _cache_path):
        try:
            return Blob(build, read(path_of(build)) or b"")
        except (ValueError, KeyError):
            continue
    return None


def _built(target: str, build: str, say: Callable[[str], None]) -> Blob:
    say("building the interpreter for this machine (once, some seconds) …")
    data = make_blob(target, build)
    atomic_write(_cache_path(build), data)
    return Blob(build, data)


def write_blobs(folder: str) -> list[str]:
    """Make what a wheel of this platform carries, a blob for each target: paths of the files.  Takes seconds for each.

    They belong into the folder `CARRIED` of this package.  Needs llvmlite; the processor need not be of the targets.
    """
    paths = []
    for target in TARGETS:
        build = _build_for(target)
        paths.append(os.path.join(folder, f"{build}.blob"))
        with open(paths[-1], "wb") as file:
            file.write(make_blob(target, build))
    return paths


def make_blob(target: str, build: str) -> bytes:
    """A blob file for a target.  build: names what it is made from.  Takes some seconds."""
    from svm.engines.native.handlers import module_ir
    from svm.engines.native.keys import all_keys

    keys = all_keys()
    return assemble(target, build, keys, module_ir(keys))


def assemble(target: str, build: str, keys: list[str], ir: str) -> bytes:
    """A blob file of the handlers `h0`, `h1`, … for some keys, compiled from their IR."""
    from svm.engines.native.elf import link
    from svm.engines.native.llvm import compile_object, version

    code, symbols = link(compile_object(ir, target))
    kept = {name: at for name, at in symbols.items() if name in _ENTRIES or name[0] == "@"}
    facts = {"build": build, "target": target, "llvm": version(), "symbols": kept, "keys": keys}
    return _pack(facts, [symbols[f"h{at}"] for at in range(len(keys))], code)
