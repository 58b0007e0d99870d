"""Engines changed to measure what a part of them costs.  They are made here, in memory; no name leads to them.

`UncheckedEngine` is the interpreter whose handlers neither charge nor compare addresses with the memory's size, for
kernels that are known to stay within bounds.
"""

from __future__ import annotations

from svm.engines.native import NativeEngine
from svm.engines.native.blob import Blob, assemble, get_blob
from svm.engines.native.handlers import Handler, module_ir
from svm.engines.native.stream import KeySet

__all__ = ["UncheckedEngine"]


class _Unchecked(Handler):
    def charge(self, cost: str) -> str:
        return self.state["fuel"]

    def charge_and_test(self, cost: str, pc: str, fp: str = "%fp") -> None:
        pass

    def effective_address(self, base: str, size: int) -> str:
        start = self.let(f"add i64 {self.let(f'zext i32 {base} to i64')}, {self.wide_field()}")
        return self.at(self.state["mem"], start)


class UncheckedEngine(NativeEngine):
    """Built anew for each object, which takes some seconds."""

    def __init__(self) -> None:
        checked = get_blob()
        build = f"{checked.build}-unchecked"
        ir = module_ir(checked.keys, _Unchecked)
        self.blob = Blob(build, assemble(checked.target, build, checked.keys, ir))
        self.keys = KeySet(self.blob.keys)
