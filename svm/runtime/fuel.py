"""A guest's fuel, handed out in slices.

What is left is the reserve here plus the slice on the stack (`GuestStack.fuel`, which may be below zero).  How fuel is
sliced is invisible to the guest: a test that finds a slice used up, but not the fuel, goes on as if it had not been.
"""

from __future__ import annotations

from svm.runtime.engine import GuestStack

__all__ = ["UNLIMITED", "FuelMeter"]

UNLIMITED = 1 << 62
"""Fuel of a guest without a limit: a century of any machine."""


class FuelMeter:
    """Counts one guest's fuel.  granted: what it was given in all; limited: whether that is a limit of the host's."""

    def __init__(self, stack: GuestStack, limit: int | None) -> None:
        self._stack = stack
        self._reserve = UNLIMITED if limit is None else limit
        self.granted = self._reserve
        self.limited = limit is not None

    @property
    def left(self) -> int:
        """Fuel that is left; below zero where the last charge was more than there was."""
        return self._reserve + self._stack.fuel

    @property
    def used(self) -> int:
        """Fuel used in all."""
        return self.granted - self.left

    def add(self, amount: int) -> None:
        """Grant more."""
        self._reserve += amount
        self.granted += amount

    def move(self, stack: GuestStack) -> None:
        """Go on with another stack, which has the same slice."""
        self._stack = stack

    def gather(self) -> None:
        """Take back what is left of the slice."""
        self._reserve += self._stack.fuel
        self._stack.fuel = 0

    def go_on(self, slice_left: int) -> None:
        """Put so much of what is left on the stack: the slice of a call goes on after a call nested in it."""
        self.gather()
        self._reserve -= slice_left
        self._stack.fuel = slice_left

    def hand_out(self, most: int, floor: int) -> bool:
        """Give the stack a slice of at most `most` that leaves `floor` in all; whether it may then run."""
        self.gather()
        amount = min(most, self._reserve - floor)
        if amount < 0:
            return False
        self._reserve -= amount
        self._stack.fuel = amount
        return True
