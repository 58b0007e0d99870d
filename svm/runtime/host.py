"""Calls from a guest to its host.

The arguments lie on the guest's stack until the call is over; then the results take their place.  What the host
function raises goes through to the host that runs the guest, unless the function is one of the module's interface, and
the exception one that the guest can catch.

A host function that has no answer yet ends in `Unanswered`, and its call is left pending: the frames stay as they are,
the arguments where they are, and whoever has the answer puts it there.  So what waits holds no native stack, can move
to another engine, and can be called anew where nobody will answer any more.
"""

from __future__ import annotations

from collections.abc import Sequence

from svm.hints import Any
from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.engine import GuestStack
from svm.runtime.values import Signature, signature_of
from svm.runtime.waits import Suspend, Unanswered

__all__ = ["answer", "answer_raised", "call_host", "encode_result"]


def call_host(stack: GuestStack, caller: Instance | None, function: FunctionInstance) -> None:
    """Call a host function with the arguments on the stack.  Raises UsageError where what it returns does not fit, and
    Unanswered.
    """
    host, arenas = function.host, stack.arenas
    assert host is not None
    signature: Signature = function.signature or signature_of(function)
    params = signature.params
    values: Sequence[Any] = stack.peek(params.layout)
    if params.refers:
        values = params.decode(arenas, values)
    stack.calling = function.number
    if stack.interrupted:  # the call may take long
        raise Unanswered(None, "interrupt")
    stack.fuel -= stack.host_slice
    stack.reserve += stack.host_slice
    stack.in_host += 1
    try:
        result = host.function(caller, *values) if host.caller else host.function(*values)
    except Unanswered:
        raise
    except Exception as error:
        caught = signature.caught(arenas, error)
        if caught is None:
            raise
        slots = caught
    else:
        slots = encode_result(arenas, signature, result)
    finally:
        stack.in_host -= 1
    _put(stack, function, slots)


def answer(stack: GuestStack, function: FunctionInstance, result: Any) -> None:
    """Give what a host function that was pending returned.  Raises UsageError where it does not fit."""
    _put(stack, function, encode_result(stack.arenas, signature_of(function), result))


def answer_raised(stack: GuestStack, function: FunctionInstance, error: BaseException) -> bool:
    """Give what it raised, if the guest can catch it: whether it can."""
    slots = signature_of(function).caught(stack.arenas, error) if isinstance(error, Exception) else None
    if slots is not None:
        _put(stack, function, slots)
    return slots is not None


def _put(stack: GuestStack, function: FunctionInstance, slots: bytes) -> None:
    """Put results in the place of the arguments."""
    stack.cut(stack.height - len(function.type.params))
    stack.push(slots)


def encode_result(arenas: Arenas, signature: Signature, result: Any) -> bytes:
    """Slots of what a host function returned.  Raises UsageError where it does not fit, Unanswered where it is to come.

    Native code comes here with everything but plain numbers.
    """
    if hasattr(type(result), "__await__") or isinstance(result, Suspend):
        raise Unanswered(result)
    if signature.results.single or (result is not None and not isinstance(result, tuple)):
        result = (result,)
    return signature.results.encode(arenas, result or ())
