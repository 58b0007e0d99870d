"""The native engine: an interpreter in machine code, generated from the instruction table.

In come lowered functions; `handlers` writes the interpreter as LLVM IR, `blob` keeps it compiled, `encode` makes the
code that it runs, `engine` drives it.
"""

from svm.engines.native.blob import UnavailableError, supported
from svm.engines.native.engine import NativeEngine

__all__ = ["NativeEngine", "UnavailableError", "supported"]
