"""Instructions at which a guest can stop and be paused, besides loops and the entries of functions."""

from __future__ import annotations

from svm.isa import Form, Op

__all__ = ["CALLS", "CHUNKED", "GROWING", "stops"]

CALLS = frozenset(("call", "call_indirect"))
CHUNKED = frozenset(("memory.init", "table.init", "table.copy", "table.fill"))
"""Instructions that work in chunks, besides those whose form is `Form.BULK`."""

GROWING = frozenset(("memory.grow", "table.grow"))


def stops(op: Op) -> bool:
    """Whether a guest can be paused in, before or behind an instruction."""
    return op.name in CALLS or op.form is Form.BULK or op.name in CHUNKED or op.name in GROWING
