"""Ctrl-C while a guest runs.

Python would raise KeyboardInterrupt in the middle of an instruction of the guest.  Instead it is noted, and raised
between two slices or before a call of the host, where the guest is whole and can go on; inside a host function it is
raised at once, as that is Python code, unless that has called a guest itself.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums, which typeshed does not have
import os
import threading
from types import FrameType

from svm.hints import Any
from svm.runtime.engine import GuestStack

__all__ = ["InterruptWatch"]


_main = threading.main_thread().ident
_SIGINT: int = _signal.SIGINT


class InterruptWatch:
    """A store's watch: a context in which SIGINT is noted, entered by each run of a call, nested ones too.

    It does nothing off the main thread or where the host handles SIGINT itself.  An interrupt that was noted but not
    raised when the context ends is raised there, so that none is lost.
    """

    def __init__(self, stack: GuestStack) -> None:
        self.stack = stack
        self.noted = False
        self._depth = 0
        self._outer: list[tuple[Any, int]] = []  # of the runs under way: who handled SIGINT before, and at what depth

    def __enter__(self) -> InterruptWatch:
        before = None
        if threading.get_ident() == _main:
            handler = _signal.getsignal(_SIGINT)
            if handler is _signal.default_int_handler or isinstance(getattr(handler, "__self__", None), InterruptWatch):
                before = handler
                _signal.signal(_SIGINT, self._note)
        self._outer.append((before, self._depth))
        self._depth = self.stack.in_host
        return self

    def __exit__(self, *_: object) -> None:
        before, self._depth = self._outer.pop()
        if before is not None:
            _signal.signal(_SIGINT, before)
        self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.stack.in_host > self._depth:
            raise KeyboardInterrupt
        self.noted = self.stack.interrupted = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was noted."""
        if self.noted:
            self.noted = self.stack.interrupted = False
            raise KeyboardInterrupt


def _forked() -> None:
    """Whichever thread forks is the main one of the new process."""
    global _main
    _main = threading.get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
