"""Calls from a guest to its host.

The arguments lie on the guest's stack, the results are put in their place.  Whatever the host function raises goes
through to the host that runs the guest: a guest cannot catch it.
"""

from __future__ import annotations

from svm.runtime.arenas import FunctionInstance, Instance
from svm.runtime.engine import GuestStack
from svm.runtime.values import host_results, values_of

__all__ = ["call_host"]


def call_host(stack: GuestStack, caller: Instance | None, function: FunctionInstance) -> None:
    """Call a host function with the arguments on the stack.  Raises UsageError where what it returns does not fit."""
    host, type_ = function.host, function.type
    assert host is not None
    values = values_of(stack.arenas, type_.params, stack.pop(len(type_.params)))
    position = stack.position
    stack.in_host += 1
    try:
        result = host.function(caller, *values) if host.caller else host.function(*values)
    finally:
        stack.in_host -= 1
        stack.position = position
    stack.push(host_results(stack.arenas, type_, result, function.name))
