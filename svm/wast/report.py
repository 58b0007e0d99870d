"""What came of a script: plain values, which travel between processes and into JSON."""

from __future__ import annotations

from svm.record import field, record

__all__ = ["Failure", "Report", "Skip"]


@record
class Failure:
    """A command that failed.  line: of the script's source.  expected, got: in words."""

    line: int
    command: str
    expected: str
    got: str


@record
class Skip:
    """An assertion that does not concern svm, and why."""

    line: int
    command: str
    reason: str


@record(frozen=False)
class Report:
    """What came of the commands of one script.

    passed: assertions only; the commands between them (module, register, an action alone) are counted when they fail.
    file: of the script.  source: what it was made from, as it says.  seconds: how long it took.
    """

    file: str
    source: str
    passed: int = 0
    failures: list[Failure] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    seconds: float = 0.0
