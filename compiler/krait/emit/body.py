"""Function bodies: typed tree to instructions.

In: a `hir.Function`. Out: the bytes of its body, its locals, its line entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from krait.check import hir

# Each of these registers the rules for its kinds of nodes.
from krait.emit import branches, calls, counted, objects, statements, values  # noqa: F401
from krait.emit.emitter import BodyEmitter
from krait.emit.layout import value_type
from krait.emit.shared import Shared
from svm import isa


@dataclass(slots=True)
class Body:
    """What a function consists of: local types in order without the parameters, the body's bytes, its line entries."""

    locals: list[isa.ValueType]
    names: list[str]
    code: bytes
    lines: tuple[tuple[int, int, int], ...]


def emit_body(shared: Shared, function: hir.Function) -> Body:
    """Return the body of a function."""
    out = BodyEmitter(shared, function)
    if function.line:
        out.mark(function.line)
    out.block(function.body)
    if value_type(function.result) is not None:
        out.code("unreachable")
    code, lines = out.code.finish()
    return Body(out.types, out.names, code, lines)
