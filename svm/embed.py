"""The face for hosts: from a file or a source to a module, from modules to guests in a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike

from svm.devices import Device, Grants, Imports
from svm.files import parse_model, read_model
from svm.hints import TYPE_CHECKING, Any
from svm.limits import Limits
from svm.module import Capability, Export, Import, ValidModule, encode, validate
from svm.module import Module as Model
from svm.runtime import HostFunction
from svm.snapshot import Guest, Store

if TYPE_CHECKING:
    from svm.module.interface import Interface

__all__ = ["Module", "compile", "load"]

_EAGER_BYTES = 1 << 18  # of code: checking them takes some tenths of a second


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
    def interface(self) -> Interface:
        """What its functions take and give in terms of Python's types: `str` of it is Python's own notation.

        Raises MalformedError where the module's interface is damaged.
        """
        return self.valid.interface

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """What it asks of its host."""
        return self.model.capabilities

    def spawn(
        self,
        *,
        engine: str = "auto",
        limits: Limits | None = None,
        canonical_nans: bool = False,
        devices: Sequence[Device] = (),
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        imports: Imports | None = None,
    ) -> Guest:
        """A guest in a store of its own; the store's options are as for `Store`, the others as for `Store.spawn`."""
        store = Store(engine=engine, limits=limits, canonical_nans=canonical_nans)
        try:
            return Guest(store, self.valid, Grants(tuple(devices), host or {}, imports or {}), alone=True)
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


def compile(source: str | bytes, filename: str = "<string>", *, stubs: Mapping[str, str] | None = None) -> Module:
    """Compile Krait.

    stubs: the text of `.pyi` files by module name, which declare what the host gives: `{"host": "def f(…): ..."}`.
    Raises `krait.CompileError`, an `Error`, with all that is wrong with the source.
    """
    from krait import compile_source

    return Module(compile_source(source, filename, stubs=stubs))


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
