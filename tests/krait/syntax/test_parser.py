"""What is the parser's own: bytes, limits, recovery, spans, the cache of its tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import krait
from krait.diagnostics import CompileError, DiagnosticSink, Span
from krait.syntax import tables, tree
from krait.syntax.parser import parse_bytes
from krait.syntax.statements import Builder
from svm.cache import cache_dir
from svm.limits import MAX_SOURCE_DEPTH, MAX_SOURCE_ELIFS
from tests.krait.syntax.oracle import krait_tree
from tests.krait.syntax.snippets import NEWER, SAME


def errors(source: str) -> list[tuple[int, str]]:
    """Line and message of each error of `source`."""
    _, sink = krait_tree(source)
    return [(found.span.start_line, found.message) for found in sink.diagnostics]


# --- bytes


def test_bytes_with_and_without_byte_order_mark() -> None:
    for data in (b"x = '\xc3\xa9'\r\n", b"\xef\xbb\xbfx = '\xc3\xa9'\n", b"# -*- coding: UTF-8 -*-\nx = '\xc3\xa9'"):
        module = parse_bytes(data, "a.kr", DiagnosticSink("a.kr"))
        assert module is not None
        assert isinstance(module.body[0], tree.Assign)
        assert isinstance(module.body[0].value, tree.Constant)
        assert module.body[0].value.value == "é"


@pytest.mark.parametrize(("data", "message", "span"), [
    (b"x = 1\ny = '\xff'\n", "the source is not UTF-8: byte 0xff", Span(2, 5, 2, 6)),
    (b"x = '\xc3\xa9\xc3'", "the source is not UTF-8: byte 0xc3", Span(1, 6, 1, 7)),
    (b"# coding: latin-1\nx = 1", "source encoding 'latin-1' is not supported", Span(1, 10, 1, 17)),
    (b"#!/bin/x\n# vim: set fileencoding=cp1252 :\n", "source encoding 'cp1252' is not supported",
     Span(2, 24, 2, 30)),
    (b"x = 1\0", "the source has a null character", Span(1, 5, 1, 6)),
])  # fmt: skip
def test_bytes_that_are_refused(data: bytes, message: str, span: Span) -> None:
    sink = DiagnosticSink("a.kr")
    assert parse_bytes(data, "a.kr", sink) is None
    assert [(found.message, found.span) for found in sink.diagnostics] == [(message, span)]


def test_a_declaration_below_code_is_a_comment() -> None:
    assert parse_bytes(b"x = 1\n# coding: latin-1\n", "a.kr", DiagnosticSink("a.kr")) is not None


def test_the_sink_gets_the_source_under_the_given_name() -> None:
    sink = DiagnosticSink("main.kr", "other")
    assert parse_bytes(b"x =\n", "part.kr", sink) is None
    assert sink.sources == {"main.kr": "other", "part.kr": "x =\n"}
    assert [found.filename for found in sink.diagnostics] == ["part.kr"]


# --- limits: whatever is deep is refused with a message


@pytest.mark.parametrize("source", [
    "(" * 10_000 + ")" * 10_000,
    "[" * 10_000,
    "x" + "[0" * 10_000,
    "{" * 300 + "}" * 300,
    "-" * 10_000 + "1",
    "not " * 10_000 + "x",
    "lambda: " * 10_000 + "x",
    "x" + ".y" * 10_000,
    "x" + "()" * 10_000,
    "x = 1" + " + 1" * 10_000,
    "x = 1" + " ** 1" * 10_000,
    "x" + " if x else x" * 10_000,
    "f'{" * 300 + "}'" * 300,
    "f'{x:" + "{x:" * 300 + "}" * 301 + "'",
    "match x:\n case " + "(" * 10_000 + "a" + ")" * 10_000 + ": pass",
    "".join(" " * depth + "if x:\n" for depth in range(300)) + " " * 300 + "x",
    "if x: pass\n" + "elif x: pass\n" * 10_000,
    "x = " * 10_000 + "[" * 150 + "]" * 149,
])  # fmt: skip
def test_deep_nesting_is_refused(source: str) -> None:
    module, sink = krait_tree(source)
    assert module is None
    assert 0 < len(sink.diagnostics) <= 50


@pytest.mark.parametrize("source", [
    "x = " + "(" * 150 + "1" + ")" * 150,
    "x = 1" + " + 1" * (MAX_SOURCE_DEPTH - 5),
    "x = [" + "1, " * 50_000 + "]",
    "x = '' " + "'a' " * 10_000,
    "x = a" + " and a" * 10_000,
    "x = a" + " < a" * 10_000,
    "x = " * 10_000 + "1",
    "x = 1;" * 10_000,
    "def f(" + ", ".join(f"a{n}" for n in range(5000)) + "): pass",
    "if x: pass\n" + "elif x: pass\n" * MAX_SOURCE_ELIFS,
    "match x:\n" + " case 1: pass\n" * 5000,
    "".join(" " * depth + "if x:\n" for depth in range(90)) + " " * 90 + "x",
])  # fmt: skip
def test_long_is_not_deep(source: str) -> None:
    module, sink = krait_tree(source)
    assert module is not None, sink.diagnostics


def depth_of(node: tree.AST) -> int:
    """Levels of the tree below `node`, counted without recursion."""
    deepest, pending = 0, [(node, 0)]
    while pending:
        current, depth = pending.pop()
        deepest = max(deepest, depth)
        pending.extend((child, depth + 1) for child in tree.iter_child_nodes(current))
    return deepest


def test_the_depth_of_an_accepted_expression_is_bounded() -> None:
    for count in (MAX_SOURCE_DEPTH - 2, MAX_SOURCE_DEPTH - 1, MAX_SOURCE_DEPTH, MAX_SOURCE_DEPTH + 1):
        module, _ = krait_tree("x = 1" + " + 1" * count)
        assert module is None or depth_of(module) <= MAX_SOURCE_DEPTH + 2


# --- recovery: several errors of a file, and none that follows from another


def test_errors_of_several_lines_are_all_reported() -> None:
    source = "x = (1]\nif x\n    z = = 3\n    ok = 1\nelse:\n    a b\nx = 1 +\ndef f(: pass\n"
    assert [line for line, _ in errors(source)] == [1, 2, 3, 6, 7, 8]


@pytest.mark.parametrize(("source", "lines"), [
    ("if x y:\n    a = 1\nelif z:\n    b = 2\nelse:\n    c = 3\nd = 4\n", [1]),
    ("def f(x y):\n    if x:\n        return 1\n    return 2\nf(1)\n", [1]),
    ("class A\n    def f(self):\n        pass\n    x: int = 3\n", [1]),
    ("try\n    x\nexcept E:\n    y\nfinally:\n    z\n", [1]),
    ("match x\n    case 1:\n        a\n    case 2:\n        b\nc = 1\n", [1]),
    ("match x y:\n    case 1:\n        a\n    case _:\n        b\n", [1]),
    ("match x:\n    case 1 2:\n        a\n    case _:\n        b c\nd e\n", [2, 5, 6]),
    ("match x:\n    y = 1\n    case _:\n        b\n", [2]),
    ("x = foo(1,\n    2\ndef g():\n    return 1\n", [1]),
    ("x = 'abc\ny = 1\nz = 'def\n", [1, 3]),
    ("print('abc)\ny = 1\n", [1]),
    ("x = f'{a\ny = 1\n", [1]),
    ("x = f'{a}}'\ny = 1 1\n", [1, 2]),
    ("if x:\n    a\n  b\n    c\nd\n", [3]),
    ("if x:\na = 1\nb = 2 2\n", [2, 3]),
    ("    x = 1\n    y = 2\nz = 3 3\n", [1, 3]),
    ("async def f():\n    await g()\n    return 1\nx = 1 1\n", [1, 2, 4]),
    ("try:\n    x\ny = 1\n", [3]),
    ("x = 1 $ 2 ? 3\ny = 1\n", [1]),
    ("@a b\ndef f():\n    pass\n", [1]),
    ("def f():\n    '''doc\n    return 1\n", [2]),
    ("x = ]\ny = (]\nz = 1\n", [1, 2]),
    ("for x in y\n    pass\nelse:\n    pass\nwhile z\n    pass\n", [1, 5]),
    ("with open(x) as 1:\n    pass\n", [1]),
    ("class A:\n    x = 1\n= 3\ny = 1\n", [3]),
    ("class A:\n    x = 1\nw = (\n", [3]),
    ("try:\n    x\n= 3\ny = 1\n", [3]),
    ("if a:\n    if b:\n        c\n    in d\ne = 1\n", [4]),
    ("@a\n= 3\ny = 1\n", [2]),
    ("match x:\n    case 1:\n        pass\n    = 3\n    case 2:\n        pass\nin x\ny\n", [4, 7]),
    ("if x:\n    y\n= 1\nelse:\n    z\n", [3]),
    ("x = [\n    1,\n    2\n\ny = 3\nimport z\n", [1]),
])  # fmt: skip
def test_an_error_brings_no_others(source: str, lines: list[int]) -> None:
    assert [line for line, _ in errors(source)] == lines


def test_hopeless_sources_do_not_flood() -> None:
    assert len(errors("x y\n" * 1000)) <= 50


# --- tables


def test_the_grammar_has_no_conflicts() -> None:
    tables.build(tables.GRAMMAR.read_text(encoding="utf-8"), strict=True)


def test_every_rule_has_an_action_and_every_action_a_rule() -> None:
    actions = {rule.action for rule in tables.load().rules} - {""}
    methods = {name for base in Builder.__mro__ for name, value in vars(base).items()
               if callable(value) and not name.startswith("_")}
    assert actions <= methods
    assert methods - actions <= {"between", "report", "span_of"}


def cached_tables() -> Path:
    tables.load.cache_clear()  # another test may have loaded them from a cache of its own
    tables.load()
    (path,) = cache_dir("tables").iterdir()
    return path


@pytest.mark.parametrize("damage", [b"", b"{}", b"\n{}", "cut", "flip"])
def test_damaged_tables_are_made_anew(damage: bytes | str) -> None:
    path = cached_tables()
    good = path.read_bytes()
    bad = {"cut": good[: len(good) // 2], "flip": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:]}
    path.write_bytes(damage if isinstance(damage, bytes) else bad[damage])
    tables.load.cache_clear()
    assert krait_tree("x = 1")[0] is not None
    assert path.read_bytes() == good  # the same tables, whatever order lark finds the states in


def test_lark_is_not_imported_when_the_tables_are_cached() -> None:
    cached_tables()
    program = ("import sys; from krait.diagnostics import DiagnosticSink; from krait.syntax.parser import parse; "
               "assert parse('x = 1', 'a', DiagnosticSink('a')); print(sorted({'lark', 'rich'} & set(sys.modules)))")
    paths = [str(Path(__file__).parents[3]), str(Path(tables.__file__).parents[2])]
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"],
                          capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without end")
def test_a_source_that_never_ends_is_read_no_further() -> None:
    with pytest.raises(CompileError, match="larger than 16 MiB"):
        krait.compile_file("/dev/zero")


# --- spans


def test_spans_are_code_points() -> None:
    module, _ = krait_tree("é = '漢字' + x\n")
    assert module is not None
    (statement,) = module.body
    assert isinstance(statement, tree.Assign)
    assert isinstance(statement.value, tree.BinOp)
    assert statement.value.right.span == Span(1, 11, 1, 12)


def test_nodes_compare_by_identity_and_show_their_fields() -> None:
    one, other = tree.Name("x", tree.LOAD, Span(1, 0, 1, 1)), tree.Name("x", tree.LOAD, Span(1, 0, 1, 1))
    assert one != other
    assert len({one, other}) == 2
    assert repr(one) == "Name(id='x', ctx=Load())"
    assert [type(node).__name__ for node in tree.walk(tree.Expr(one, one.span))] == ["Expr", "Name"]


def test_all_nodes_are_children() -> None:
    """What a class says of its fields is what is in them."""
    for text in (*SAME, *NEWER):
        module, _ = krait_tree(text)
        assert module is not None
        for node in tree.walk(module):
            held: list[object] = []
            for name in node._fields:
                value = getattr(node, name)
                held += value if isinstance(value, tuple) else [value]
            assert [*tree.iter_child_nodes(node)] == [part for part in held if isinstance(part, tree.AST)], text
