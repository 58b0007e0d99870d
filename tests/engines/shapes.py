"""Random bodies that are hard on an engine which keeps operands elsewhere than on a stack.

To what `tests.engines.generator` makes come operands that wait, as locals, constants and results, below blocks, loops,
calls and changes of those locals; loops with parameters; and svm's own instructions.
"""

from __future__ import annotations

from random import Random

from svm.isa import I32, I64, ValueType
from svm.limits import Limits
from svm.module import Module
from tests.engines.generator import NUMBERS, PURE, TRAPPING, Body, Maker, generate

__all__ = ["Shapes", "limits_of", "shaped"]

_BINARY = {
    kind: [op for op in PURE[kind] if op.params == (kind, kind) and not TRAPPING.search(op.name)] for kind in NUMBERS
}


class Shapes(Body):
    """Makes one function."""

    def __init__(self, maker: Maker, index: int) -> None:
        super().__init__(maker, index)
        self.statements += [(9, self.pending), (3, self.parametric_loop), (3, self.checked), (1, self.search)]

    def pending(self) -> None:
        """Operands that wait while other things happen, and then are used, the last first."""
        kinds: list[ValueType] = []
        for _ in range(self.random.randrange(1, 13)):
            kind = self.random.choice(NUMBERS)
            if self.random.random() < 0.8:
                self.leaf(kind)
            else:
                self.expression(kind)
            kinds.append(kind)
            if self.random.random() < 0.15:
                self.statement()
        for _ in range(self.random.randrange(1, 4)):
            self.statement()
        while kinds:
            kind = kinds.pop()
            if kinds and kinds[-1] is kind and self.random.random() < 0.6:
                self.emit(self.random.choice(_BINARY[kind]).name)
            elif self.random.random() < 0.7:
                self.take((kind,))
            elif kind is I32 and self.random.random() < 0.5:
                self.emit("if", None)
                self.labels.append(())
                self.inside()
                self.emit("end")
                self.labels.pop()
            else:
                self.emit("global.set", self.maker.globals.index(kind))

    def parametric_loop(self) -> None:
        """A loop that takes and gives values."""
        params, results = (self.maker.some(NUMBERS, 3) for _ in range(2))
        self.emit("block", self.maker.type((), results))
        self.labels.append(results)
        for kind in params:
            self.expression(kind)
        self.emit("loop", self.maker.type(params, results))
        self.labels.append(params)
        self.take(params)
        self.emit("global.get", self.maker.ticks)
        self.emit("i32.eqz")
        self.emit("if", None)
        for kind in results:
            self.emit(f"{kind}.const", 1)
        self.emit("br", 2)
        self.emit("end")
        self.tick()
        self.inside()
        for kind in params:
            self.expression(kind)
        self.expression(I32)
        self.emit("br_if", 0)
        for _ in params:
            self.emit("drop")
        for kind in results:
            self.expression(kind)
        self.emit("end")
        self.emit("end")
        del self.labels[-2:]
        self.take(results)

    def checked(self) -> None:
        """Arithmetic that says whether it overflowed, or throws."""
        kind = self.random.choice((I32, I64))
        name = f"{kind}.{self.random.choice(('add', 'sub', 'mul'))}"
        self.expression(kind)
        self.expression(kind)
        if self.random.random() < 0.5:
            self.emit(f"{name}_overflow")
            self.take((kind, I32))
            return
        self.emit(f"{name}_throw", 0)
        self.take((kind,))

    def search(self) -> None:
        """Compare memory, or look in it."""
        self.address()
        if self.random.random() < 0.5:
            self.address()
            self.small()
            self.emit("memory.compare", 0)
        else:
            self.expression(I32)
            self.small()
            self.emit("memory.find", 0)
        self.take((I32,))


def shaped(seed: int) -> Module:
    """A module from a seed; some are small, some have large functions."""
    if seed % 50 == 0:
        return generate(seed, functions=12, size=400, body=Shapes)
    return generate(seed, functions=4 + seed % 7, size=15 + seed * 7 % 60, body=Shapes)


def limits_of(seed: int) -> Limits:
    """Limits for the module: roomy ones, or some that are soon met."""
    random = Random(seed)
    return Limits(
        fuel=random.choice((2_000_000, 2_000_000, 3_000, 500)),
        memory=random.choice(("1 MiB", "128 KiB", "64 KiB")),
        stack=random.choice(("64 KiB", "2 KiB", 700, 1500)),
        table_elements=random.choice((100, 9, 8)),
    )
