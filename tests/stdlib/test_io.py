"""Standard streams, arguments, the end of a program, and the texts of exceptions, against CPython's."""

from __future__ import annotations

import io

import pytest

import svm
from tests.stdlib.guests import Program

LINES = """
import sys
for line in sys.stdin:
    print(repr(line))
print(sys.stdin.read() == "", sys.stdin.readline() == "", len(sys.stdin.readlines()))
"""

RAISING = """
import sys

class Custom(ValueError):
    pass

class Other(Exception):
    pass

which = sys.argv[1]
text = sys.argv[2]
print("before")
if which == "ValueError":
    raise ValueError(text)
if which == "KeyError":
    raise KeyError(text)
if which == "bare":
    raise RuntimeError
if which == "called":
    raise OSError()
if which == "Custom":
    raise Custom(text)
if which == "Other":
    raise Other
if which == "overflow":
    print(9223372036854775807 + len(text))
if which == "exit":
    sys.exit(int(text))
if which == "exit text":
    sys.exit(text)
if which == "exit none":
    sys.exit()
if which == "raise exit":
    raise SystemExit
"""


@pytest.fixture(scope="module")
def lines() -> Program:
    return Program(LINES)


def of_cpython(data: str) -> str:
    """What CPython prints for LINES, whose standard input ends lines at "\\n" alone."""
    parts = data.split("\n")
    shown = [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    return "".join(repr(line) + "\n" for line in shown) + "True True 0\n"


@pytest.mark.parametrize(
    "data",
    [
        "", "\n", "a", "a\n", "a\n\nb", "a\r\nb\rc\n", "ünï → 😀\nx", "\x00\x01\x85\u2028\n",
        "x" * 8191 + "\n" + "y" * 3,
        "x" * 8190 + "é\n" + "y", "x" * 20000 + "\n" + "z", "é" * 5000 + "\n😀", "abc\n" * 2100,
    ],
    ids=range(13),
)  # fmt: skip
def test_lines(lines: Program, data: str) -> None:
    assert lines.run(data).output == of_cpython(data)


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"ab\x80", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x82(", b"\xe2(\xa1", b"\xf0\x9f\x98",
    b"\xf0\x9f(\x80",
     b"\xf0(\x9f\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80"],
)  # fmt: skip
def test_what_is_not_utf8(lines: Program, data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode("utf-8")
    assert lines.run(data).error == f"UnicodeDecodeError: {caught.value}"


def test_an_end_within_a_sequence_is_counted_from_the_sequence(lines: Program) -> None:
    """As in CPython, whose decoder has given away what came before."""
    wanted = "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data"
    assert lines.run(b"12345678\xe2\x82").error == f"UnicodeDecodeError: {wanted}"


def test_sequences_across_reads() -> None:
    """A stream that gives one byte at a time cuts every sequence."""

    class Trickle(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return super().read1(min(size or 1, 1))

        read = read1

    module = svm.compile(LINES)
    stdout = io.BytesIO()
    text = "aé→😀\r\nb\n"
    module.spawn(devices=[svm.Console(Trickle(text.encode()), stdout)]).run()
    assert stdout.getvalue().decode() == of_cpython(text)


def test_input() -> None:
    program = Program('name = input("name? ")\nprint(f"[{name}]")\nprint(input())\nprint(input("more"))\n')
    outcome = program.run("Ada\r\nünï\n")
    assert outcome.output == "name? [Ada\r]\nünï\nmore"
    assert outcome.error == "EOFError: EOF when reading a line"
    assert program.run("a\nb\nlast").output == "name? [a]\nb\nmorelast\n"


def test_output() -> None:
    program = Program(
        "import sys\n"
        'text = "aé→😀"\n'
        "for i in range(3000):\n"
        '    print(text, i, sep=";", end="|")\n'
        'print(text * 5000, "x" * 30000, sep="")\n'
        'print(sys.stdout.write("é→\\n"))\n'
        'print("to stderr", file=sys.stderr)\n'
        "print(chr(0xD800), file=sys.stderr)\n"
        "sys.stdout.flush()\n"
        'print("x", chr(0xD800), chr(0xDFFF))\n'
    )
    outcome = program.run()
    pieces = "".join(f"aé→😀;{i}|" for i in range(3000))
    assert outcome.output == pieces + "aé→😀" * 5000 + "x" * 30000 + "\né→\n3\nx "
    assert outcome.errors == "to stderr\n\\ud800\n"
    with pytest.raises(UnicodeEncodeError) as caught:
        "\ud800".encode()
    assert outcome.error == f"UnicodeEncodeError: {caught.value}"


def test_arguments() -> None:
    program = Program("import sys\nprint(sys.argv, len(sys.argv))\n")
    arguments = ("", "a b", "ünï→😀", "'", "-x")
    assert program.run(args=arguments).output == f"{['test.kr', *arguments]} 6\n"


@pytest.fixture(scope="module")
def raising() -> Program:
    return Program(RAISING)


@pytest.mark.parametrize(
    ("which", "text", "error"),
    [
        ("ValueError", "a → b", "ValueError: a → b"),
        ("ValueError", "", "ValueError"),
        ("KeyError", "it's", 'KeyError: "it\'s"'),
        ("KeyError", "", "KeyError: ''"),
        ("bare", "", "RuntimeError"),
        ("called", "", "OSError"),
        ("Custom", "x", "Custom: x"),
        ("Other", "", "Other"),
        ("overflow", "x", "OverflowError: integer overflow"),
    ],
)
def test_uncaught_exceptions(raising: Program, which: str, text: str, error: str) -> None:
    outcome = raising.run(args=(which, text))
    assert (outcome.output, outcome.error) == ("before\n", error)


@pytest.mark.parametrize(
    ("which", "text", "status", "errors"),
    [
        ("exit", "0", 0, ""), ("exit", "3", 3, ""), ("exit", "256", 0, ""), ("exit", "-1", 255, ""),
        ("exit text", "so long →", 1, "so long →\n"), ("exit text", "", 1, "\n"), ("exit none", "", 0, ""),
        ("raise exit", "", 0, ""),
    ],
)  # fmt: skip
def test_exits(raising: Program, which: str, text: str, status: int, errors: str) -> None:
    outcome = raising.run(args=(which, text))
    assert (outcome.output, outcome.error, outcome.errors, outcome.status) == ("before\n", "", errors, status)


def test_memory_runs_out() -> None:
    program = svm.compile("xs = [0] * 1000\nwhile True:\n    xs = xs + xs\n")
    guest = program.spawn(limits=svm.Limits(memory="8 MiB"), devices=[svm.Console(io.BytesIO(), io.BytesIO())])
    with pytest.raises(svm.Error) as caught:
        guest.run()
    assert "memory" in str(caught.value).lower()


def test_broken_pipe_is_an_exception() -> None:
    class Broken(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    guest = svm.compile("print(1)\n").spawn(devices=[svm.Console(io.BytesIO(), Broken())])
    with pytest.raises(svm.UncaughtError, match=r"BrokenPipeError: .Errno 32. Broken pipe"):
        guest.run()
