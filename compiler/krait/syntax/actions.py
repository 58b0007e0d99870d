"""What all actions of the grammar share: the tokens, and a way to report.

An action is a method named after a rule or alias of grammar.lark. It gets the span of what was reduced and the
children that the grammar keeps: nodes, tuples, None, and the index of the token for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable

from krait.diagnostics import DiagnosticSink, Span
from krait.syntax import tree
from krait.syntax.lexer import Tokens


class Actions:
    """Base of the classes that hold the actions of one part of the grammar."""

    def __init__(self, tokens: Tokens, sink: DiagnosticSink) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.texts = tokens.texts
        self.sink = sink

    def report(self, message: str, span: Span, *, label: str = "", hints: Iterable[str] = ()) -> None:
        """A syntax error that the grammar alone does not find."""
        self.sink.error(message, span, label=label, hints=hints)

    def span_of(self, token: int) -> Span:
        """Where a token lies."""
        return Span(*self.tokens.starts[token], *self.tokens.ends[token])

    def between(self, first: int, last: int) -> Span:
        """From the start of the token `first` to the end of the token `last`."""
        return Span(*self.tokens.starts[first], *self.tokens.ends[last])

    def sequence(self, span: Span, *items: object) -> tuple[object, ...]:
        """Any list of which only the items matter."""
        return items

    def flatten(self, span: Span, *statements: tree.stmt | tuple[tree.stmt, ...]) -> tuple[tree.stmt, ...]:
        """The statements of a block, where a line of simple statements comes as a tuple."""
        body: list[tree.stmt] = []
        for statement in statements:
            if type(statement) is tuple:
                body.extend(statement)
            elif isinstance(statement, tree.stmt):
                body.append(statement)
        return tuple(body)
