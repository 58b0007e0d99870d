"""Messages about a source, rendered as the best compilers do.

In: places (`Span`) and words from the parser and the checker. Out: `Diagnostic` objects, collected by a
`DiagnosticSink`, and their text: message, file, line, column, the source line with the span underlined, notes, help.

Invariant: rendering never fails, whatever the source holds (tabs, wide or combining characters, control characters,
lone surrogates, spans beyond the end), and its output can be printed to a terminal: control characters of the source
are shown, not sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from svm.errors import Error

__all__ = [
    "CompileError",
    "Diagnostic",
    "DiagnosticSink",
    "Note",
    "Severity",
    "Span",
    "render",
    "source_lines",
]

Severity = Literal["error", "warning", "note"]

_TAB = 4
_MAX_WIDTH = 160  # columns of a source line that are shown; more is cut around the span
_CONTEXT = 20  # columns kept before a span in a line that is cut
_MAX_SPAN_LINES = 6  # lines of a span that are shown; more are left out in the middle
_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m", "help": "\x1b[1;32m"}
_BOLD, _BLUE, _RESET = "\x1b[1m", "\x1b[1;34m", "\x1b[0m"


class Span(NamedTuple):
    """A piece of source: lines from 1, columns in code points from 0, the end exclusive."""

    start_line: int
    start_col: int
    end_line: int
    end_col: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`, which must not lie before it."""
        return Span(self.start_line, self.start_col, other.end_line, other.end_col)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that explains a diagnostic: with a span it is shown as a second piece of source."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    message: one sentence without a full stop, complete without the source beside it.  label: a few words beside the
    carets.  hints: what to write instead, shown as `help:`.  notes: further facts or places of the same file.
    """

    severity: Severity
    message: str
    span: Span
    filename: str
    label: str = ""
    hints: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class CompileError(Error):
    """A source that cannot be compiled. `diagnostics` says why, in order; `str()` renders all of them.

    `sources` maps file names to the texts that the spans refer to.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)
        super().__init__(self.diagnostics, self.sources)

    def __str__(self) -> str:
        return self.render()

    def render(self, *, colour: bool = False) -> str:
        """The text of all diagnostics, and how many errors there are where there are several."""
        parts = [render(diagnostic, self.sources.get(diagnostic.filename, ""), colour=colour)
                 for diagnostic in self.diagnostics]
        count = sum(diagnostic.severity == "error" for diagnostic in self.diagnostics)
        if count > 1:
            parts.append(f"{count} errors")
        return "\n\n".join(parts)


class DiagnosticSink:
    """Collects the diagnostics of a file, and of other files where a name is given."""

    def __init__(self, filename: str, source: str = "") -> None:
        self.filename = filename
        self.sources: dict[str, str] = {filename: source}
        self._found: dict[tuple[str, Span, str], Diagnostic] = {}

    def add_source(self, filename: str, source: str) -> None:
        """Give the text of a file, so that its lines can be shown."""
        self.sources[filename] = source

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep `diagnostic`, unless the same message is already there for the same place."""
        self._found.setdefault((diagnostic.filename, diagnostic.span, diagnostic.message), diagnostic)

    def error(
        self,
        message: str,
        span: Span,
        *,
        label: str = "",
        hints: Iterable[str] = (),
        notes: Iterable[Note] = (),
        filename: str | None = None,
    ) -> None:
        """Keep an error; `filename` is the sink's own where it is not given."""
        self.add(Diagnostic("error", message, span, filename or self.filename, label, tuple(hints), tuple(notes)))

    def warning(
        self,
        message: str,
        span: Span,
        *,
        label: str = "",
        hints: Iterable[str] = (),
        notes: Iterable[Note] = (),
        filename: str | None = None,
    ) -> None:
        """Keep a warning; `filename` is the sink's own where it is not given."""
        self.add(Diagnostic("warning", message, span, filename or self.filename, label, tuple(hints), tuple(notes)))

    def for_file(self, filename: str, source: str) -> DiagnosticSink:
        """A sink for another file, or for this one with its text, whose diagnostics are kept here."""
        view = DiagnosticSink(filename)
        view.sources, view._found = self.sources, self._found
        view.add_source(filename, source)
        return view

    @property
    def error_count(self) -> int:
        """How many errors there are."""
        return sum(diagnostic.severity == "error" for diagnostic in self._found.values())

    @property
    def has_errors(self) -> bool:
        """Whether any diagnostic is an error."""
        return self.error_count > 0

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, file by file (in the order in which the files were met), by place."""
        order = {name: index for index, name in enumerate(self.sources)}
        return tuple(sorted(self._found.values(), key=lambda found: (
            order.get(found.filename, len(order)), found.filename, found.span, found.severity, found.message)))

    def raise_if_errors(self) -> None:
        """Raise CompileError with everything found, if any of it is an error."""
        if self.has_errors:
            raise CompileError(self.diagnostics, self.sources)


@lru_cache(8)
def source_lines(source: str) -> Sequence[str]:
    """The lines of a source as spans count them: what else may end a line in other texts, a form feed, ends none."""
    return re.split(r"\r\n|\r|\n", source)


def render(diagnostic: Diagnostic, source: str, *, colour: bool = False) -> str:
    """The text of one diagnostic; `source` is the whole text of its file, and may be empty if it is not at hand."""
    page = _Page(source_lines(source), diagnostic, colour)
    page.heading(diagnostic.severity, diagnostic.message)
    page.excerpt(diagnostic.filename, diagnostic.span, diagnostic.label, "^", diagnostic.severity)
    for note in diagnostic.notes:
        if note.span is None:
            page.remark("note", note.message)
        else:
            page.heading("note", note.message)
            page.excerpt(diagnostic.filename, note.span, "", "-", "note")
    for hint in diagnostic.hints:
        page.remark("help", hint)
    return "\n".join(page.out)


class _Page:
    """The lines of one rendered diagnostic, written from top to bottom."""

    def __init__(self, lines: Sequence[str], diagnostic: Diagnostic, colour: bool) -> None:
        self.lines = lines
        self.colour = colour
        self.out: list[str] = []
        spans = [diagnostic.span, *(note.span for note in diagnostic.notes if note.span is not None)]
        self.margin = len(str(max(span.end_line for span in spans)))

    def paint(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self.colour and text else text

    def heading(self, kind: str, message: str) -> None:
        self.out.append(self.paint(_COLOURS[kind], kind) + self.paint(_BOLD, f": {_printable(message)}"))

    def remark(self, kind: str, message: str) -> None:
        """A note or help that belongs to no place; further lines of the message are indented below it."""
        first, *more = message.split("\n")
        mark = " " * self.margin + self.paint(_BLUE, " = ")
        self.out.append(f"{mark}{self.paint(_COLOURS[kind], kind)}: {_printable(first)}")
        indent = " " * (self.margin + len(" = help: "))
        self.out.extend(indent + _printable(line) for line in more)

    def row(self, number: int | None, text: str) -> None:
        """One line with the gutter: `12 | text`."""
        gutter = "" if number is None else str(number)
        self.out.append((self.paint(_BLUE, f"{gutter:>{self.margin}} |") + text).rstrip())

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""

    def excerpt(self, filename: str, span: Span, label: str, mark: str, kind: str) -> None:
        """The place, and the source with the span underlined."""
        arrow = self.paint(_BLUE, " " * self.margin + "-->")
        self.out.append(f"{arrow} {_printable(filename)}:{span.start_line}:{span.start_col + 1}")
        if not any(self.line(number) for number in (span.start_line, span.end_line)):
            if label:
                self.remark("note", label)
            return
        self.row(None, "")
        beside = f" {_printable(label)}" if label else ""
        if span.end_line <= span.start_line:
            text, start, end = _window(self.line(span.start_line), span.start_col, span.end_col)
            self.row(span.start_line, f" {text}")
            self.row(None, " " + " " * start + self.paint(_COLOURS[kind], mark * max(1, end - start) + beside))
        else:
            self.block(span, beside, mark, kind)

    def block(self, span: Span, beside: str, mark: str, kind: str) -> None:
        """A span of several lines: a bracket at the left from its first character to its last."""
        shade = _COLOURS[kind]
        text, start, _ = _window(self.line(span.start_line), span.start_col, span.start_col + 1)
        self.row(span.start_line, f"   {text}")
        self.row(None, self.paint(shade, "  _" + "_" * start + mark))
        numbers = list(range(span.start_line + 1, span.end_line + 1))
        shown = numbers
        if len(numbers) >= _MAX_SPAN_LINES:
            shown = [*numbers[:2], 0, *numbers[-2:]]
        last = max(span.end_col - 1, 0)
        for number in shown:
            bar = self.paint(shade, "|")
            text, _, end = _window(self.line(number), last, last + 1) if number == span.end_line else \
                _window(self.line(number), 0, 1)
            self.row(number or None, f" {bar} {text}" if number else f" {bar} ...")
        self.row(None, " " + self.paint(shade, "|" + "_" * max(1, end) + mark + beside))


def _printable(text: str) -> str:
    """`text` in one line, without characters that a terminal would act on or could not encode."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    """What stands for `character`: itself, or a symbol for what has no picture."""
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(character) in _BIDI_CONTROLS:
        return "\ufffd"
    return character


_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _width(shown: str) -> int:
    """Terminal columns of one character."""
    if shown.isascii():
        return 1
    if unicodedata.category(shown) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(shown) in ("W", "F") else 1


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """A source line as shown, and the terminal columns where the code points `start` and `end` lie in it.

    Columns past the end of the line are counted as if spaces followed.
    """
    end = max(end, start)
    if len(line) > _MAX_WIDTH:
        first = max(0, min(start, len(line)) - _CONTEXT)
        cut = line[first : first + _MAX_WIDTH]
        before, after = "..." if first else "", "..." if first + _MAX_WIDTH < len(line) else ""
    else:
        first, cut, before, after = 0, line, "", ""
    cells: list[str] = []
    columns = [len(before)]
    for character in cut:
        column = columns[-1]
        if character == "\t":
            cell, wide = " " * (_TAB - column % _TAB), _TAB - column % _TAB
        else:
            cell = _shown(character)
            wide = _width(cell)
        cells.append(cell)
        columns.append(column + wide)
    text = before + "".join(cells) + after

    def at(index: int) -> int:
        index -= first
        if index >= len(columns):
            return columns[-1] + min(index - len(columns) + 1, 1)
        return columns[max(index, 0)]

    return text, at(start), at(end)
