"""Every diagnostic that the compiler can give is given in some test: in a golden file, or in the words of a test.

The messages are found in the compiler's syntax trees: what is given to the functions that report. A message that no
test provokes may be wrong, or dead; so a new one comes with its golden case.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import krait.check  # noqa: F401  # registers the rules
from krait.check import context
from krait.syntax import tree as syntax

ROOT = Path(__file__).parents[2]
COMPILER = ROOT / "compiler" / "krait"
TESTS = Path(__file__).parent

REPORTERS = {
    **dict.fromkeys(("refuse", "error", "warning", "report", "report_span", "Problem", "LiteralError"), "{}"),
    "later": "not yet part of Krait: {}",
    "unknown": "the type of {} is not known here",
    "mismatch": "expected {}, found .*",
}  # fmt: skip
"""What reports, by its name, with what becomes of the text that it is given."""
ANY = ".*"


def pattern(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, as patterns."""
    match node:
        case ast.Constant(value=str(text)):
            yield re.escape(text)
        case ast.JoinedStr(values=values):
            yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ANY for part in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            yield from (before + after for before in pattern(left) for after in pattern(right))
        case ast.IfExp(body=body, orelse=orelse):
            yield from pattern(body)
            yield from pattern(orelse)
        case _:
            yield ANY


def text_of(call: ast.Call, function: ast.AST) -> Iterator[str]:
    """The messages of a call: of its first argument that is a text, or a variable that is one in the function."""
    named = {node.targets[0].id: node.value for node in ast.walk(function)
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    is_mismatch = getattr(call.func, "attr", "") == "mismatch"
    for argument in call.args[1:2] if is_mismatch else call.args:  # behind what is expected come hints
        if isinstance(argument, ast.Name):
            argument = named.get(argument.id, argument)
        found = [text for text in pattern(argument) if text != ANY]
        if found:
            yield from found
            return


@cache
def templates() -> dict[str, list[str]]:
    """Each message as a pattern, with the places that report it."""
    found: dict[str, list[str]] = {}
    for path in sorted(COMPILER.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
        for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name not in REPORTERS:
                continue
            around = [
                function for function in functions if function.lineno <= call.lineno <= (function.end_lineno or 0)
            ]
            for text in text_of(call, around[-1] if around else module):
                found.setdefault(REPORTERS[name].replace("{}", text), []).append(
                    f"{path.relative_to(ROOT)}:{call.lineno}"
                )
    return found


@cache
def said() -> list[str]:
    """What tests provoke: the errors of golden files, and texts in the tests' own sources."""
    golden = "\n".join(path.read_text(encoding="utf-8") for path in (TESTS / "golden").rglob("*.txt"))
    texts = re.findall(r"^(?:error|warning): (.*)$", golden, re.MULTILINE)
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts += [
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    return texts


def test_every_diagnostic_is_provoked() -> None:
    assert len(templates()) > 250, "the messages are where they are looked for"
    missing = [f"{', '.join(places)}: {text}" for text, places in templates().items()
               if not any(re.search(f"(?:^|: ){text}$", message) for message in said())]  # fmt: skip
    assert not missing, "no test provokes:\n" + "\n".join(missing)


def test_every_node_has_a_rule() -> None:
    """So nothing that the parser accepts is without an answer."""
    for kind, rules in ((syntax.stmt, context._STATEMENTS), (syntax.expr, context._EXPRESSIONS)):
        kinds = {found for found in vars(syntax).values() if isinstance(found, type) and issubclass(found, kind)}
        assert kinds - {kind} <= set(rules)


def test_a_template_matches_its_message_only() -> None:
    (text,) = pattern(ast.parse('f"`{name}` takes no " + "arguments"', mode="eval").body)
    assert re.fullmatch(text, "`f` takes no arguments")
    assert not re.fullmatch(text, "`f` takes 1 argument")
