"""The end of the process: what is still held back is written, and a shell learns how it ended."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

from svm.cli.status import Status
from svm.cli.terminal import complain
from svm.hints import NoReturn

__all__ = ["leave"]


def leave(status: int) -> NoReturn:
    """End the process with an exit status."""
    status = _flush(status)
    if status == Status.INTERRUPTED and os.name == "posix":
        import signal

        # A shell that runs a loop goes on with it unless the command dies by the signal itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    gc.freeze()  # the system takes back what is left: Python need not look through it for garbage
    sys.exit(status)


def _flush(status: int) -> int:
    """Write what is held back; the exit status, if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            _discard(stream.fileno())
            status = status or Status.BROKEN_PIPE
        except OSError as error:
            _discard(stream.fileno())
            if not status:
                complain(f"standard output: {error.strerror}")
                status = Status.BAD_FILE
        except ValueError:  # closed by whoever runs this in their own process
            pass
    return status


def _discard(descriptor: int) -> None:
    """Let what a stream still holds go nowhere, for Python tries once more at its end, and complains."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
