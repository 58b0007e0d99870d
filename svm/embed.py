"""The face for hosts: from a file or a source to a module, from modules to guests in a store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Protocol

from svm.devices import NoConsole
from svm.errors import LinkError, UsageError
from svm.files import parse_model, read_model
from svm.limits import Limits
from svm.module import Capability, Export, Import, ValidModule, encode, validate
from svm.module import Module as Model
from svm.runtime import Engine, Extern, Guest, HostFunction
from svm.runtime import Store as RuntimeStore

__all__ = ["ENGINES", "Device", "Imports", "Module", "Store", "compile", "load"]

Imports = Mapping[str, "Guest | Mapping[str, Extern | HostFunction | Callable[..., Any]]"]
"""What fills imports, by module name: things by name, or a guest of the same store, which gives its exports."""


_EAGER_BYTES = 1 << 18  # of code: checking them takes some tenths of a second


def _reference() -> Engine:
    from svm.engines.reference import ReferenceEngine

    return ReferenceEngine()


def _interpreter() -> Engine:
    from svm.engines.native import NativeEngine

    return NativeEngine(_say)


def _jit() -> Engine:
    from svm.engines.native.jit.engine import CompilingEngine

    return CompilingEngine(_say)


def _auto() -> Engine:
    from svm.engines.native import UnavailableError

    try:
        from svm.engines.native.jit.engine import TieringEngine

        return TieringEngine(_say)
    except UnavailableError:
        return _reference()


ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": _auto,
    "interpreter": _interpreter,
    "jit": _jit,
    "reference": _reference,
}
"""Engines by name; each is imported when it is first used.  "auto" interprets and compiles what is hot; where no native
engine runs it is the reference engine.
"""


def _say(message: str) -> None:
    """Tell a person who waits at a terminal."""
    if sys.stderr.isatty():
        print(f"svm: {message}", file=sys.stderr, flush=True)


class Device(Protocol):
    """Something of the outside world that a guest can be granted: it fills imports."""

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """Host functions by module and name."""


class Module:
    """A checked module, ready to spawn guests."""

    def __init__(self, model: Model, *, eager: bool = True) -> None:
        """Check a module.  With `eager=False` each body is checked at its first call.  Raises InvalidError."""
        self.valid: ValidModule = validate(model, bodies=eager)

    @property
    def model(self) -> Model:
        """The module as a value."""
        return self.valid.module

    @property
    def name(self) -> str:
        """Its name, which may be empty."""
        return self.model.names.module

    @property
    def imports(self) -> tuple[Import, ...]:
        """What must be given to spawn it."""
        return self.model.imports

    @property
    def exports(self) -> tuple[Export, ...]:
        """What hosts can reach."""
        return self.model.exports

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """What it asks of its host."""
        return self.model.capabilities

    def spawn(
        self,
        *,
        engine: str = "auto",
        limits: Limits | None = None,
        devices: Sequence[Device] = (),
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        imports: Imports | None = None,
    ) -> Guest:
        """A guest in a store of its own; the store's options are as for `Store`, the others as for `Store.spawn`."""
        store = Store(engine=engine, limits=limits)
        try:
            return Guest(store, self.valid, _filled(store, devices, host, imports), alone=True)
        except BaseException:
            if store.task is None:  # else the start function is paused and can go on
                store.close()
            raise

    def to_bytes(self) -> bytes:
        """The module as a `.svmb` file."""
        return encode(self.model)

    def to_text(self) -> str:
        """The module as `.svmt` text."""
        from svm.module.text import to_text

        return to_text(self.model)

    def to_wasm(self) -> bytes:
        """The module as a `.wasm` file, for other runtimes (docs/wasm.md).

        Raises InvalidError where a function outgrows a limit of WebAssembly in its instructions.
        """
        from svm.wasm import write

        return write(self.model)

    def __repr__(self) -> str:
        return f"<Module {self.name or '?'}: {len(self.exports)} exports>"


class Store(RuntimeStore):
    """A place for guests that are linked together: they share its limits, fuel, stack, engine and thread."""

    def __init__(self, *, engine: str = "auto", limits: Limits | None = None) -> None:
        """An empty store.  engine: a name in `ENGINES`.  Raises UsageError for any other name."""
        super().__init__(_engine(engine), limits or Limits())

    def spawn(
        self,
        module: Module,
        *,
        devices: Sequence[Device] = (),
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        imports: Imports | None = None,
    ) -> Guest:
        """A guest of this store.

        host: functions for the imports of module "host", by name.  imports: whatever fills imports, by module name: a
        guest of this store gives its exports.  devices: what it is granted of the outside world; without any, what it
        would do to a console is refused to it.

        Raises LinkError where something is missing, does not fit or belongs to another store, and LimitError where a
        limit has no room for the module; then nothing has changed.  Raises GuestError where a segment does not fit or
        the start function fails: what was written before stays.  Where the start function meets a limit it is paused:
        `LimitError.guest` is the guest, whose `task` can go on.
        """
        return Guest(self, module.valid, _filled(self, devices, host, imports))


def _filled(
    store: Store,
    devices: Sequence[Device],
    host: Mapping[str, Callable[..., Any] | HostFunction] | None,
    imports: Imports | None,
) -> dict[str, dict[str, Any]]:
    """All that fills imports, by module and name; what is given last wins."""
    filled: dict[str, dict[str, Any]] = {}
    for device in (NoConsole(), *devices):
        for space, functions in device.imports().items():
            filled.setdefault(space, {}).update(functions)
    if host:
        filled.setdefault("host", {}).update(host)
    for space, given in (imports or {}).items():
        if isinstance(given, Guest):
            if given.store is not store:
                raise LinkError(f"imports of {space!r}: {given!r} belongs to another store")
            given = given.exports
        elif not isinstance(given, Mapping):
            raise UsageError(f"imports of {space!r}: names with what fills them, or a guest, not {given!r:.80}")
        filled.setdefault(space, {}).update(given)
    return filled


def _engine(name: str) -> Engine:
    make = ENGINES.get(name)
    if make is None:
        raise UsageError(f"no engine is named {name!r}; there are {', '.join(ENGINES)}")
    return make()


def compile(source: str | bytes, filename: str = "<string>") -> Module:
    """Compile Krait.  Raises `krait.CompileError`, an `Error`, with all that is wrong with the source."""
    from krait import compile_source

    return Module(compile_source(source, filename))


def load(source: str | PathLike[str] | bytes, *, eager: bool | None = None) -> Module:
    """A module from a file (`.kr`, `.svmt`, `.svmb`, `.wasm`) or from the bytes of a `.svmb` or `.wasm`.

    eager: whether bodies are checked now, or each at its first call, which then raises what is wrong with it.  Where
    it is not given, small modules (up to 256 KiB of code) are checked whole, so that their errors come from here, and
    large ones can run before all of them was read.

    Raises ModuleError for what is no module, OSError for a file that cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        model = parse_model(bytes(source), "", text=False)
    else:
        model = read_model(source)
    if eager is None:
        eager = sum(len(function.body) for function in model.functions) <= _EAGER_BYTES
    return Module(model, eager=eager)
