"""Ctrl-C while a guest runs.

Python would raise KeyboardInterrupt in the middle of an instruction of the guest.  Instead it is noted, and raised
between two slices, where the guest is whole and can go on; inside a host function it is raised at once, as that is
Python code, unless that has called a guest itself.
"""

from __future__ import annotations

import _signal as _plain  # type: ignore[import-not-found]  # typeshed does not have it
import threading
from types import FrameType
from typing import Any

from svm.runtime.engine import GuestStack

__all__ = ["InterruptWatch"]


_MAIN = threading.main_thread().ident


class InterruptWatch:
    """Context in which SIGINT is noted.  Does nothing off the main thread or where the host handles SIGINT itself.

    An interrupt that was noted but not raised when the context ends is raised there, so that none is lost.
    """

    def __init__(self, stack: GuestStack) -> None:
        self._stack = stack
        self._before: Any = None
        self._depth = stack.in_host
        self.noted = False

    def __enter__(self) -> InterruptWatch:
        if threading.get_ident() == _MAIN:
            handler = _plain.getsignal(_plain.SIGINT)
            if handler is _plain.default_int_handler or isinstance(getattr(handler, "__self__", None), InterruptWatch):
                self._before = handler
                _plain.signal(_plain.SIGINT, self._note)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._before is not None:
            _plain.signal(_plain.SIGINT, self._before)
        if self.noted and not isinstance(error, KeyboardInterrupt):
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._stack.in_host > self._depth:
            raise KeyboardInterrupt
        self.noted = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was noted."""
        if self.noted:
            self.noted = False
            raise KeyboardInterrupt
