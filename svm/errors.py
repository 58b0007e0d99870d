"""The one tree of errors.

Everything that svm raises on purpose derives from `Error`, so that a host writes one `except svm.Error` around a
guest. Few kinds, each with what the reader needs to act: the place in a module, the guest's traceback, the limit and
its value.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.hints import Any
from svm.record import field, record

__all__ = [
    "Error",
    "ExhaustionError",
    "ExitError",
    "GuestError",
    "InterfaceError",
    "InvalidError",
    "LimitError",
    "LinkError",
    "MalformedError",
    "ModuleError",
    "Place",
    "SnapshotError",
    "StoppedError",
    "Traceback",
    "TracebackFrame",
    "TrapError",
    "UncaughtError",
    "UsageError",
]

_SHOWN_ALIKE = 3  # frames of a recursion that a traceback shows, as CPython's


@record
class Place:
    """Where in a module something is wrong; every part that is not known is None.

    section: name of the section.  item: index of the entry in it (for code, the function index).
    instruction: name of the instruction.  offset: byte offset, in the file for a malformed file, in the body for an
    invalid body.
    line: line of a text source, from 1.  file: its name, where the reader was told one.
    """

    section: str | None = None
    item: int | None = None
    name: str | None = None
    instruction: str | None = None
    offset: int | None = None
    line: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        parts = [self.file] if self.file else []
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.section is not None:
            parts.append(f"{self.section} section" if self.section != "code" else "code section")
        if self.item is not None:
            what = "function" if self.section in ("code", "function") else "entry"
            parts.append(f"{what} {self.item}" + (f" ({self.name})" if self.name else ""))
        if self.instruction is not None:
            parts.append(self.instruction)
        if self.offset is not None:
            parts.append(f"byte offset {self.offset:#x}")
        return ", ".join(parts)


@record
class TracebackFrame:
    """One guest frame, innermost last in a traceback.

    function: index in its module.  offset: byte offset of the instruction in the function's body.
    file, line: the source place, where the module has a line table.
    """

    module: str
    function: int
    name: str
    offset: int
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = (
            f'File "{self.file}", line {self.line}' if self.file else f"module {self.module or '?'} at {self.offset:#x}"
        )
        return f"{where}, in {self.name}"


@record
class Traceback:
    """The guest's call stack, outermost call first.  `omitted` counts frames left out in the middle of a deep stack."""

    frames: tuple[TracebackFrame, ...] = ()
    omitted: int = 0
    _head: int = field(default=0, repr=False)

    def __str__(self) -> str:
        return self.render()

    def render(
        self,
        *,
        hidden: Callable[[TracebackFrame], bool] = lambda frame: False,
        source: Callable[[str, int], str | None] = lambda file, line: None,
    ) -> str:
        """The frames as CPython prints them, without its heading.

        hidden: whether a frame is left out.  source: the text of a line of a file, where it is at hand.
        """
        lines: list[str] = []
        last: TracebackFrame | None = None
        count = 0

        def close() -> None:
            if (more := count - _SHOWN_ALIKE) > 0:
                lines.append(f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]")

        for at, frame in enumerate(self.frames):
            if self.omitted and at == self._head:
                close()
                last, count = None, 0
                lines.append(f"  [{self.omitted} more frames]")
            if hidden(frame):
                continue
            if frame != last:
                close()
                last, count = frame, 0
            count += 1
            if count <= _SHOWN_ALIKE:
                lines.append(f"  {frame}")
                text = source(frame.file, frame.line) if frame.file and frame.line else None
                if text and text.strip():
                    lines.append(f"    {text.strip()}")
        close()
        return "\n".join(lines)


class Error(Exception):
    """Root of all errors that svm raises on purpose."""


class ModuleError(Error):
    """A module cannot be used; `place` says where it is wrong."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        self.message = message
        self.place = place or Place()
        where = str(self.place)
        super().__init__(f"{where}: {message}" if where else message)


class MalformedError(ModuleError):
    """Bytes or text that are no module at all."""


class InvalidError(ModuleError):
    """A well-formed module that breaks a rule of validation."""


class SnapshotError(ModuleError):
    """A file is no snapshot, is damaged, has another key, or what it says does not fit together."""


class LinkError(Error):
    """An import is missing, or what was given for it does not fit."""


class UsageError(Error):
    """The host asked for something that the API does not allow: a wrong argument, a closed guest, a second thread."""


class GuestError(Error):
    """A guest's call ended, or stopped, without a result.  `traceback` is its call stack, `fuel_used` what it had
    used.
    """

    def __init__(self, message: str, traceback: Traceback | None = None, fuel_used: int = 0) -> None:
        self.message = message
        self.traceback = traceback or Traceback()
        self.fuel_used = fuel_used
        super().__init__(message)


class TrapError(GuestError):
    """The guest's program did what an instruction forbids.  `kind` is the trap's name in `svm.isa.TrapKind`."""

    def __init__(self, kind: str, message: str, traceback: Traceback | None = None, fuel_used: int = 0) -> None:
        self.kind = kind
        super().__init__(message, traceback, fuel_used)


class ExhaustionError(TrapError):
    """The guest's stack limit was met: a trap by WebAssembly's rules, told apart because the host can raise the
    limit.
    """

    def __init__(self, message: str, limit: int, traceback: Traceback | None = None, fuel_used: int = 0) -> None:
        self.limit = limit
        super().__init__("call_stack_exhausted", message, traceback, fuel_used)


class LimitError(GuestError):
    """A limit of the host was met.  The guest is paused, not dead: raise the limit and go on.

    If the limit has no room for what the module begins with, there is no guest yet; then raise it and spawn anew.

    limit: its name in `svm.Limits`.  value: what it was set to, in that limit's unit.  guest: the `svm.Guest` that is
    paused; where that is in its module's start function, spawning it raises this, and it is found nowhere else.
    """

    def __init__(
        self, message: str, limit: str, value: float, traceback: Traceback | None = None, fuel_used: int = 0
    ) -> None:
        self.limit = limit
        self.value = value
        self.guest: Any = None
        super().__init__(message, traceback, fuel_used)


class InterfaceError(GuestError):
    """What a guest handed out is no value of the type that its module's interface promises: only a module that was not
    made by the compiler does so.  The guest is as it was before the call, but for what the call did.
    """


class StoppedError(GuestError):
    """The call has stopped without a result, and can go on: its host asked it to pause, or it waits for an answer.

    reason: "pause" or "suspended".  guest: the `svm.Guest`, whose `task` goes on; where it is the module's start
    function that has stopped, spawning it raises this, and it is found nowhere else.
    """

    def __init__(self, message: str, reason: str, traceback: Traceback | None = None, fuel_used: int = 0) -> None:
        self.reason = reason
        self.guest: Any = None
        super().__init__(message, traceback, fuel_used)


class UncaughtError(GuestError):
    """A guest exception that no handler caught.

    tag: the exception's tag, by export name where it has one.  values: its arguments.  description: what the guest's
    language says of it (for Krait, CPython's last line of a traceback), None where it says nothing.
    exception: the name of its class, detail: its text, both taken from the description.  What a host function raised
    is the `__cause__`, where it is that.
    """

    def __init__(
        self,
        message: str,
        tag: str | None,
        values: tuple[int | float, ...],
        description: str | None = None,
        traceback: Traceback | None = None,
        fuel_used: int = 0,
    ) -> None:
        self.tag = tag
        self.values = values
        self.description = description
        self.exception, _, self.detail = (description or "").partition(": ")
        super().__init__(message, traceback, fuel_used)


class ExitError(GuestError):
    """The guest asked to end with an exit status: `code`."""

    def __init__(self, code: int, traceback: Traceback | None = None, fuel_used: int = 0) -> None:
        self.code = code
        super().__init__(f"the guest exited with status {code}", traceback, fuel_used)
