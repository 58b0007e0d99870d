"""Calls from a guest to its host.

The arguments lie on the guest's stack, the results are put in their place.  Whatever the host function raises goes
through to the host that runs the guest: a guest cannot catch it.
"""

from __future__ import annotations

from svm.runtime.engine import GuestStack
from svm.runtime.store import FunctionInstance, Instance, Store
from svm.runtime.values import from_slot, host_results

__all__ = ["call_host"]


def call_host(store: Store, stack: GuestStack, caller: Instance | None, function: FunctionInstance) -> None:
    """Call a host function with the arguments on the stack.  Raises UsageError where what it returns does not fit."""
    host, type_, slots = function.host, function.type, stack.slots
    assert host is not None
    count = len(type_.params)
    first = len(slots) - count
    values = [from_slot(store, kind, slot) for kind, slot in zip(type_.params, slots[first:], strict=True)]
    del slots[first:]
    fp = stack.fp
    stack.in_host += 1
    try:
        result = host.function(caller, *values) if host.caller else host.function(*values)
    finally:
        stack.in_host -= 1
        stack.fp = fp
    slots += host_results(store, type_, result, function.name)
