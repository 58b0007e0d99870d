"""The exit statuses of the command `svm`, in one table.

Those from 64 on are the `sysexits.h` of BSD where it has a fitting one; a guest's own status comes before all of them.
"""

from __future__ import annotations

__all__ = ["Status"]


class Status:
    """How a command ended, where it was not the guest that said so.  Plain numbers: an enumeration is dear to make."""

    OK = 0
    UNCAUGHT = 1
    """A guest's exception that no one caught."""
    FAILED = 1
    """What was to be tested failed its tests."""
    USAGE = 2
    """Wrong usage of the command."""
    BAD_MODULE = 65
    """Not a valid module or program."""
    BAD_FILE = 66
    """A file is missing, or cannot be read or written."""
    TRAP = 70
    """The guest did what an instruction forbids."""
    INTERNAL = 71
    """A bug in svm itself."""
    LIMIT = 75
    """A limit was met: fuel, memory, time."""
    DENIED = 77
    """The program needs something that was not granted."""
    INTERRUPTED = 130
    """Ctrl-C; where the system has signals, the process ends by SIGINT, which shells report as this."""
    BROKEN_PIPE = 141
    """Nobody reads the output any more."""
