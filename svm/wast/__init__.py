"""The specification's test scripts, in the JSON form that wabt's `wast2json` gives them.

In: a script, read by `read_script`, and the engine that is to be judged. Out: a `Report` of what passed, failed and was
skipped, each failure with what was expected and what came. Invariant: a script decides nothing about its verdict; what
a command expects is compared by value and by kind of error, with no exceptions for single tests.
"""

from __future__ import annotations

from svm.wast.report import Failure, Report, Skip
from svm.wast.runner import run_script
from svm.wast.script import Script, read_script

__all__ = ["Failure", "Report", "Script", "Skip", "read_script", "run_script"]
