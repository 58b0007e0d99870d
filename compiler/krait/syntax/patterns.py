"""Actions for the patterns of `match`: the section "match" of the grammar."""

from __future__ import annotations

from typing import NamedTuple

from krait.diagnostics import Span
from krait.syntax import tree
from krait.syntax.actions import Actions


class KeywordPattern(NamedTuple):
    """`name=pattern` in a class pattern."""

    name: str
    pattern: tree.pattern


class MappingItem(NamedTuple):
    """`key: pattern`, or `**rest` where the key is None."""

    key: tree.expr | None
    pattern: tree.pattern | None
    rest: str | None
    span: Span


class PatternActions(Actions):
    """What a case can be compared with."""

    def match_stmt(self, span: Span, subject: tree.expr, *cases: tree.match_case) -> tree.stmt:
        return tree.Match(subject, cases, span)

    def case_block(self, span: Span, pattern: tree.pattern, guard: tree.expr | None,
                   body: tuple[tree.stmt, ...]) -> tree.match_case:
        return tree.match_case(pattern, guard, body, span)

    def match_value(self, span: Span, value: tree.expr) -> tree.pattern:
        self._check_literal(value)
        return tree.MatchValue(value, span)

    def _check_literal(self, value: tree.expr) -> None:
        if isinstance(value, tree.JoinedStr):
            self.report("an f-string cannot be a pattern", value.span, hints=["use a guard: `case x if x == ...`"])
        elif isinstance(value, tree.BinOp):
            left = value.left.operand if isinstance(value.left, tree.UnaryOp) else value.left
            if isinstance(left, tree.Constant) and isinstance(left.value, complex):
                self.report("real number required in complex literal", left.span)
            if isinstance(value.right, tree.Constant) and not isinstance(value.right.value, complex):
                self.report("imaginary number required in complex literal", value.right.span)

    def match_singleton(self, span: Span, constant: tree.Constant) -> tree.pattern:
        value = constant.value
        return tree.MatchSingleton(value if isinstance(value, bool) else None, span)

    def match_capture(self, span: Span, token: int) -> tree.pattern:
        return tree.MatchAs(None, self._captured(token), span)

    def match_star(self, span: Span, token: int) -> tree.pattern:
        return tree.MatchStar(self._captured(token), span)

    def _captured(self, token: int) -> str | None:
        """The name that is bound, None for the wildcard."""
        name = self.texts[token]
        return None if name == "_" else name

    def match_as(self, span: Span, pattern: tree.pattern, token: int) -> tree.pattern:
        if self.texts[token] == "_":
            self.report("`_` cannot be bound by `as`", self.span_of(token), hints=["leave out `as _`"])
        return tree.MatchAs(pattern, self.texts[token], span)

    def match_or(self, span: Span, *patterns: tree.pattern) -> tree.pattern:
        return tree.MatchOr(patterns, span)

    def match_sequence(self, span: Span, *patterns: tree.pattern | None) -> tree.pattern:
        return tree.MatchSequence(tuple(item for item in patterns if item is not None), span)

    def mapping_pattern(self, span: Span, key: tree.expr, pattern: tree.pattern) -> MappingItem:
        self._check_literal(key)
        return MappingItem(key, pattern, None, span)

    def mapping_rest(self, span: Span, token: int) -> MappingItem:
        if self.texts[token] == "_":
            self.report("`**_` is not a pattern", span, hints=["leave it out: other keys are ignored anyway"])
        return MappingItem(None, None, self.texts[token], span)

    def match_mapping(self, span: Span, *items: MappingItem | None) -> tree.pattern:
        keys: list[tree.expr] = []
        patterns: list[tree.pattern] = []
        rest: str | None = None
        for item in items:
            if item is None:
                continue
            if rest is not None:
                self.report("nothing can follow the `**` pattern of a mapping", item.span)
            if item.key is not None and item.pattern is not None:
                keys.append(item.key)
                patterns.append(item.pattern)
            else:
                rest = item.rest
        return tree.MatchMapping(tuple(keys), tuple(patterns), rest, span)

    def keyword_pattern(self, span: Span, token: int, pattern: tree.pattern) -> KeywordPattern:
        return KeywordPattern(self.texts[token], pattern)

    def match_class(self, span: Span, cls: tree.expr, *items: tree.pattern | KeywordPattern | None) -> tree.pattern:
        positional: list[tree.pattern] = []
        keywords: list[KeywordPattern] = []
        for item in items:
            if isinstance(item, KeywordPattern):
                keywords.append(item)
            elif item is not None:
                if keywords:
                    self.report("positional pattern after a keyword pattern", item.span)
                positional.append(item)
        return tree.MatchClass(cls, tuple(positional), tuple(item.name for item in keywords),
                               tuple(item.pattern for item in keywords), span)
