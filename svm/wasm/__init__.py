"""WebAssembly's binary format: `read` gives a module, `write` takes one.

In come the bytes of a `.wasm`, out comes the same model as from `.svmb`, and the other way round.  Each direction is
imported when it is first asked for: to run a file no writer is needed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svm.wasm.reader import read
    from svm.wasm.writer import write

__all__ = ["read", "write"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'svm.wasm' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module({"read": "svm.wasm.reader", "write": "svm.wasm.writer"}[name]), name)
