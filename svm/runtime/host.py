"""Calls from a guest to its host.

The arguments lie on the guest's stack, the results are put in their place.  Whatever the host function raises goes
through to the host that runs the guest: a guest cannot catch it.
"""

from __future__ import annotations

from svm.runtime.arenas import FunctionInstance, Instance
from svm.runtime.engine import GuestStack
from svm.runtime.values import Signature, signature_of

__all__ = ["call_host"]


def call_host(stack: GuestStack, caller: Instance | None, function: FunctionInstance) -> None:
    """Call a host function with the arguments on the stack.  Raises UsageError where what it returns does not fit."""
    host, arenas = function.host, stack.arenas
    assert host is not None
    signature: Signature = function.signature or signature_of(function)
    params = signature.params
    values = params.decode(arenas, stack.take(params.layout))
    stack.in_host += 1
    try:
        result = host.function(caller, *values) if host.caller else host.function(*values)
    finally:
        stack.in_host -= 1
    if len(function.type.results) != 1:
        result = result if isinstance(result, tuple) else () if result is None else (result,)
    else:
        result = (result,)
    stack.push(signature.results.encode(arenas, result))
