"""The fuel of a store's guests, handed out in slices.

What is left is the reserve plus the slice, both on the stack (`GuestStack.reserve` and `fuel`, which may be below
zero), where native code finds them.  How fuel is sliced is invisible to the guest: a test that finds a slice used up,
but not the fuel, goes on as if it had not been.
"""

from __future__ import annotations

from svm.runtime.engine import GuestStack

__all__ = ["UNLIMITED", "FuelMeter"]

UNLIMITED = 1 << 62
"""Fuel of a guest without a limit: a century of any machine."""


class FuelMeter:
    """Counts a store's fuel.  granted: what it was given in all; limited: whether that is a limit of the host's;
    stack: where the fuel is, which has the same when another takes its place.
    """

    def __init__(self, stack: GuestStack, limit: int | None) -> None:
        self.stack = stack
        self.granted = UNLIMITED if limit is None else limit
        self.limited = limit is not None
        stack.reserve = self.granted

    @property
    def left(self) -> int:
        """Fuel that is left; below zero where the last charge was more than there was."""
        return self.stack.reserve + self.stack.fuel

    @property
    def used(self) -> int:
        """Fuel used in all."""
        return self.granted - self.left

    def limit(self, limit: int | None) -> None:
        """Have been granted so much in all, from the beginning; what was used counts."""
        granted = UNLIMITED if limit is None else limit
        stack = self.stack
        stack.reserve += granted - self.granted
        self.granted, self.limited = granted, limit is not None
        if stack.reserve < 0 < stack.fuel:  # the slice under way is more than what is left
            stack.fuel, stack.reserve = stack.fuel + stack.reserve, 0

    def restore(self, granted: int, left: int, limited: bool) -> None:
        """Have been granted so much, and have so much left."""
        self.granted, self.limited = granted, limited
        self.stack.reserve, self.stack.fuel = left, 0

    def gather(self) -> int:
        """Take back what is left of the slice; what is left in all."""
        self.stack.reserve = left = self.left
        self.stack.fuel = 0
        return left

    def hand_out(self, amount: int) -> None:
        """Make so much of what is left the slice, after the last was gathered."""
        self.stack.reserve -= amount
        self.stack.fuel = amount
