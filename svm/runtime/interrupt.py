"""Ctrl-C while a guest runs.

Python would raise KeyboardInterrupt in the middle of an instruction of the guest.  Instead it is noted, and raised
between two slices, where the guest is whole and can go on; inside a host function it is raised at once, as that is
Python code.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

from svm.runtime.engine import GuestStack

__all__ = ["InterruptWatch"]


class InterruptWatch:
    """Context in which SIGINT is noted.  Does nothing off the main thread or where the host handles SIGINT itself."""

    def __init__(self, stack: GuestStack) -> None:
        self._stack = stack
        self._installed = False
        self._depth = stack.in_host
        self.noted = False

    def __enter__(self) -> InterruptWatch:
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._note)
                self._installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._stack.in_host > self._depth:
            raise KeyboardInterrupt
        self.noted = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was noted."""
        if self.noted:
            self.noted = False
            raise KeyboardInterrupt
