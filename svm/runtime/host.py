"""Calls from a guest to its host.

The arguments lie on the guest's stack, the results are put in their place.  What the host function raises goes
through to the host that runs the guest, unless the function is one of the module's interface, and the exception one
that the guest can catch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.engine import GuestStack
from svm.runtime.values import Signature, signature_of

__all__ = ["call_host", "encode_result"]


def call_host(stack: GuestStack, caller: Instance | None, function: FunctionInstance) -> None:
    """Call a host function with the arguments on the stack.  Raises UsageError where what it returns does not fit."""
    host, arenas = function.host, stack.arenas
    assert host is not None
    signature: Signature = function.signature or signature_of(function)
    params = signature.params
    values: Sequence[Any] = stack.take(params.layout)
    if params.refers:
        values = params.decode(arenas, values)
    if stack.interrupted:  # it came while the engine was at work, and the call may take long
        stack.interrupted = False
        raise KeyboardInterrupt
    stack.in_host += 1
    try:
        result = host.function(caller, *values) if host.caller else host.function(*values)
    except Exception as error:
        caught = signature.caught(arenas, error)
        if caught is None:
            raise
        slots = caught
    else:
        slots = encode_result(arenas, signature, result)
    finally:
        stack.in_host -= 1
    stack.push(slots)


def encode_result(arenas: Arenas, signature: Signature, result: Any) -> bytes:
    """Slots of what a host function returned.  Raises UsageError where it does not fit."""
    if signature.results.single or (result is not None and not isinstance(result, tuple)):
        result = (result,)
    return signature.results.encode(arenas, result or ())
