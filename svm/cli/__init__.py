"""The command `svm`.

In: the command line. Out: an exit status of `svm.cli.status`, what was asked for on standard output, and one clear
message on standard error where it could not be done. Invariant: a user's mistake never shows a Python traceback, and a
command imports only what it needs.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from svm.cli.status import Status
from svm.hints import NoReturn

__all__ = ["Status", "invoke", "main"]


def main() -> NoReturn:
    """Run the command line of the process, and end the process."""
    # A start makes tens of thousands of objects that all live on; to look through them for garbage again and again
    # takes a tenth of its time.
    gc.set_threshold(100_000, *gc.get_threshold()[1:])
    from svm.cli import leaving

    leaving.leave(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status."""
    try:  # the imports too, for Ctrl-C may come early
        if len(arguments) > 1 and arguments[0] == "run" and arguments[1][:1] not in ("", "-"):
            # No option of ours, and what follows is the program's: nothing to parse, and the parser takes a third of
            # the time that a small program does.
            from svm.cli import program

            return program.run(arguments[1], tuple(arguments[2:]))
        from svm.cli import commands

        return commands.run(arguments)
    except BaseException as error:
        from svm.cli import failures

        return failures.report(error)
