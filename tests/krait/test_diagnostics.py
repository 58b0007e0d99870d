"""Diagnostics: collecting, ordering, and the text in which they are shown."""

from __future__ import annotations

import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krait.diagnostics import CompileError, Diagnostic, DiagnosticSink, Note, Span, render
from svm.errors import Error


def shown(source: str, span: Span, label: str = "here", **more: object) -> str:
    """The text of an error without its first line."""
    notes = more.get("notes", ())
    hints = more.get("hints", ())
    assert isinstance(notes, tuple)
    assert isinstance(hints, tuple)
    return render(Diagnostic("error", "wrong", span, "a.kr", label, hints, notes), source).partition("\n")[2]


def block(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_a_whole_diagnostic() -> None:
    sink = DiagnosticSink("main.kr", "x = 1\ny = x +\n")
    sink.error("expected an expression", Span(2, 7, 2, 7), label="nothing follows",
               hints=["add one", "or two\nof them"],
               notes=[Note("`x` is here", Span(1, 0, 1, 1)), Note("and that is all")])
    with pytest.raises(CompileError) as caught:
        sink.raise_if_errors()
    assert isinstance(caught.value, Error)
    assert str(caught.value) == block("""
        error: expected an expression
         --> main.kr:2:8
          |
        2 | y = x +
          |        ^ nothing follows
        note: `x` is here
         --> main.kr:1:1
          |
        1 | x = 1
          | -
          = note: and that is all
          = help: add one
          = help: or two
                  of them
        """)


@pytest.mark.parametrize(("source", "span", "carets"), [
    ("abc", Span(1, 1, 1, 2), "   ^ here"),
    ("abc", Span(1, 3, 1, 3), "     ^ here"),
    ("abc", Span(1, 9, 1, 12), "      ^ here"),
    ("\tabc", Span(1, 1, 1, 4), "      ^^^ here"),
    ("a\tbc", Span(1, 2, 1, 3), "      ^ here"),
    ("漢字 = 1", Span(1, 0, 1, 2), "  ^^^^ here"),
    ("漢字 = 1", Span(1, 5, 1, 6), "         ^ here"),
    ("e\u0301 = 1", Span(1, 5, 1, 6), "      ^ here"),
    ("\x1b[1m = 1", Span(1, 0, 1, 1), "  ^ here"),
    ("", Span(1, 0, 1, 0), None),
])  # fmt: skip
def test_carets_stand_under_what_they_mean(source: str, span: Span, carets: str | None) -> None:
    lines = shown(source, span).split("\n")
    if carets is None:
        assert lines[1:] == ["  = note: here"]
    else:
        assert lines[3] == "  |" + carets[1:]


def test_spans_of_several_lines() -> None:
    source = "x = foo(a,\n    b,\n    c)\ny\n"
    lines = shown(source, Span(1, 4, 3, 6)).split("\n")
    assert lines[2:] == ["1 |   x = foo(a,", "  |  _____^", "2 | |     b,", "3 | |     c)", "  | |______^ here"]


def test_long_spans_leave_out_the_middle() -> None:
    source = "".join(f"line{number}\n" for number in range(1, 100))
    lines = shown(source, Span(2, 0, 98, 4)).split("\n")
    assert lines[2:] == [" 2 |   line2", "   |  _^", " 3 | | line3", " 4 | | line4", "   | | ...", "97 | | line97",
                         "98 | | line98", "   | |____^ here"]


def test_long_lines_are_cut_around_the_span() -> None:
    source = "x = [" + "1234, " * 1000 + "bad, " + "5678, " * 1000 + "]"
    start = source.index("bad")
    line, carets = shown(source, Span(1, start, 1, start + 3)).split("\n")[2:4]
    assert len(line) < 200
    assert line[carets.index("^") : carets.rindex("^") + 1] == "bad"
    assert line.startswith("1 | ...")
    assert line.endswith("...")


def test_the_margin_fits_the_largest_line_number() -> None:
    source = "x\n" * 1234
    assert shown(source, Span(7, 0, 7, 1), notes=(Note("there", Span(1000, 0, 1000, 1)),)).split("\n") == [
        "    --> a.kr:7:1", "     |", "   7 | x", "     | ^ here", "note: there", "    --> a.kr:1000:1", "     |",
        "1000 | x", "     | -"]  # fmt: skip


def test_control_characters_are_shown_and_not_sent() -> None:
    text = render(Diagnostic("error", "bad \x1b[31m \u202e", Span(1, 0, 1, 3), "\x07.kr", "\x9b"),
                  "\x1b]0;title\x07\u202e\ud800\x7f\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert "␛]0;title␇" in text
    text.encode()


def test_colour_is_only_added() -> None:
    sink = DiagnosticSink("a.kr", "x = 1\n")
    sink.error("wrong", Span(1, 0, 1, 1), label="here", hints=["help"], notes=[Note("n", Span(1, 4, 1, 5))])
    sink.warning("odd", Span(1, 2, 1, 3))
    error = CompileError(sink.diagnostics, sink.sources)
    coloured = error.render(colour=True)
    assert coloured != str(error)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == str(error)


def test_diagnostics_are_sorted_and_said_once() -> None:
    sink = DiagnosticSink("a.kr", "x\ny\n")
    sink.error("second", Span(2, 0, 2, 1))
    sink.error("first", Span(1, 0, 1, 1))
    sink.error("second", Span(2, 0, 2, 1), label="again")
    other = sink.for_file("b.kr", "z\n")
    other.error("third", Span(1, 0, 1, 1))
    sink.warning("between", Span(1, 0, 1, 2))
    assert [found.message for found in sink.diagnostics] == ["first", "between", "second", "third"]
    assert other.diagnostics == sink.diagnostics
    assert sink.error_count == 3
    with pytest.raises(CompileError, match=r"3 errors$"):
        sink.raise_if_errors()


def test_warnings_alone_raise_nothing() -> None:
    sink = DiagnosticSink("a.kr", "x\n")
    sink.warning("odd", Span(1, 0, 1, 1))
    sink.raise_if_errors()
    assert not sink.has_errors
    assert len(sink.diagnostics) == 1


def test_a_file_without_text_still_has_its_place() -> None:
    assert render(Diagnostic("error", "wrong", Span(3, 4, 3, 5), "a.kr", "here"), "") == (
        "error: wrong\n --> a.kr:3:5\n  = note: here")


def test_spans_join() -> None:
    assert Span(1, 2, 1, 4).to(Span(3, 0, 3, 5)) == Span(1, 2, 3, 5)


@given(st.text(max_size=80), st.tuples(*[st.integers(0, 12)] * 4), st.text(max_size=10), st.text(max_size=10))
def test_rendering_never_fails(source: str, place: tuple[int, int, int, int], message: str, label: str) -> None:
    text = render(Diagnostic("error", message, Span(*place), "a.kr", label, (label,), (Note(message, Span(*place)),)),
                  source, colour=True)
    text.encode()
