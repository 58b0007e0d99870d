"""The fuel of a store's guests, handed out in slices.

What is left is the reserve here plus the slice on the stack (`GuestStack.fuel`, which may be below zero).  How fuel is
sliced is invisible to the guest: a test that finds a slice used up, but not the fuel, goes on as if it had not been.
"""

from __future__ import annotations

from svm.runtime.engine import GuestStack

__all__ = ["UNLIMITED", "FuelMeter"]

UNLIMITED = 1 << 62
"""Fuel of a guest without a limit: a century of any machine."""


class FuelMeter:
    """Counts a store's fuel.  granted: what it was given in all; limited: whether that is a limit of the host's;
    stack: where the slice is, which has the same when another takes its place.
    """

    def __init__(self, stack: GuestStack, limit: int | None) -> None:
        self.stack = stack
        self.granted = UNLIMITED if limit is None else limit
        self.limited = limit is not None
        self._reserve = self.granted

    @property
    def left(self) -> int:
        """Fuel that is left; below zero where the last charge was more than there was."""
        return self._reserve + self.stack.fuel

    @property
    def used(self) -> int:
        """Fuel used in all."""
        return self.granted - self._reserve - self.stack.fuel

    def add(self, amount: int) -> None:
        """Grant more."""
        self._reserve += amount
        self.granted += amount

    def gather(self) -> int:
        """Take back what is left of the slice; what is left in all."""
        self._reserve += self.stack.fuel
        self.stack.fuel = 0
        return self._reserve

    def hand_out(self, amount: int) -> None:
        """Make so much of what is left the slice, after the last was gathered."""
        self._reserve -= amount
        self.stack.fuel = amount
