"""`match`: each pattern becomes the test and the assignments that a program could have written.

In: the statement. Out: a loop of one round; each case tests, binds its names, asks its guard, runs, and leaves the
loop. A part of the subject that is tested more than once is kept in a local of its own, so that what a test shows of
its class holds for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.classes import class_named
from krait.check.conditions import MAPPING, SEQUENCE, condition
from krait.check.context import Context, expression, statement
from krait.check.flow import Flow, join
from krait.check.names import scan
from krait.check.tuples import is_tuple
from krait.check.types import BOOL, ClassDecl, ClassType, Local, Optional, Type, Union, prune
from krait.diagnostics import Span
from krait.syntax import tree
from krait.syntax.base import node as syntax


@statement(tree.Match)
def match_(ctx: Context, node: tree.Match) -> None:
    """``match``."""
    subject = _subject(ctx, node)
    t = prune(ctx.expr(subject).type)
    label, ends, line = hir.LoopLabel(), list[Flow](), node.span.start_line
    covered: set[object] = set()
    with ctx.collect() as body:
        for case in node.cases:
            if covered and _is_exhausted(ctx, t, covered):
                ctx.flow = ctx.flow.stop()
            ends.append(_case(ctx, case, subject, label))
            if case.guard is None:
                covered |= _covers(ctx, case.pattern)
        if _is_exhausted(ctx, t, covered):
            ctx.flow = ctx.flow.stop()
    body.append(hir.Break(0, label))
    ctx.emit(hir.While(line, label, None, body, []))
    ctx.flow = join(ctx.flow, *ends)


def _subject(ctx: Context, node: tree.Match) -> tree.Name:
    """Have the subject in a variable that the cases do not change."""
    name = node.subject
    bound = scan(case.pattern for case in node.cases).assigned
    if isinstance(name, tree.Name) and name.id in ctx.scope and name.id not in bound:
        return name
    kept = _hidden(ctx, node.subject.span)
    ctx.statement(tree.Assign((tree.Name(kept.id, tree.STORE, kept.span),), node.subject, node.subject.span))
    return kept


def _hidden(ctx: Context, span: Span) -> tree.Name:
    """A new local that no program can name."""
    name = f"$match{len(ctx.function.locals)}"
    ctx.scope[name] = Local(name, span=span)
    ctx.function.locals.append(ctx.scope[name])
    return tree.Name(name, tree.LOAD, span)


def _case(ctx: Context, case: tree.match_case, subject: tree.Name, label: hir.LoopLabel) -> Flow:
    """Emit one case; return what is known behind its body, and leave what is known where it does not match."""
    pattern = _Pattern(ctx)
    pattern.add(case.pattern, subject, subject)
    other = ctx.flow.stop()
    value: hir.Expr = hir.Const(BOOL, True)
    if pattern.tests:
        span = case.pattern.span
        test = condition(ctx, _all(pattern.tests, span))
        value, other, ctx.flow = test.value, test.false, test.true
    with ctx.collect() as body:
        for name, part in pattern.captures if not ctx.is_idle else ():
            ctx.statement(tree.Assign((tree.Name(name, tree.STORE, part.span),), part, part.span))
        if case.guard is not None and not ctx.is_idle:
            guard = condition(ctx, case.guard)
            other, ctx.flow = join(other, guard.false), guard.true
            ctx.emit(hir.If(ctx.line, guard.value, [*ctx.block(case.body), hir.Break(0, label)], []))
        else:
            for done in [*ctx.block(case.body), hir.Break(0, label)]:
                ctx.emit(done)
    ctx.emit(hir.If(case.span.start_line, value, body, []))
    end, ctx.flow = ctx.flow, other
    return end


def _all(tests: Sequence[tree.expr], span: Span) -> tree.expr:
    return tests[0] if len(tests) == 1 else tree.BoolOp(tree.AND, tuple(tests), span)


class _Pattern:
    """What a pattern asks, in order, and which names it binds to which parts of the subject."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.tests: list[tree.expr] = []
        self.captures: list[tuple[str, tree.expr]] = []

    def add(self, pattern: tree.pattern, first: tree.expr, again: tree.expr) -> None:
        """Add a pattern for a part of the subject: ``first`` gives it once, ``again`` after that."""
        span = pattern.span
        match pattern:
            case tree.MatchValue(value=value):
                self.tests.append(tree.Compare(first, (tree.EQ,), (value,), span))
            case tree.MatchSingleton(value=None):
                self.tests.append(tree.Compare(first, (tree.IS,), (tree.Constant(None, span),), span))
            case tree.MatchSingleton(value=truth):
                self.tests.append(tree.Compare(first, (tree.IS,), (tree.Constant(truth, span),), span))
            case tree.MatchAs(pattern=None, name=name):
                if name is not None:
                    self.captures.append((name, first))
            case tree.MatchAs(pattern=inner, name=str(name)) if inner is not None:
                self.add(inner, first, again)
                self.captures.append((name, again))
            case tree.MatchOr(patterns=patterns):
                self.alternatives(patterns, first, again, span)
            case tree.MatchClass():
                self.of_class(pattern, first, again)
            case tree.MatchSequence(patterns=patterns):
                self.sequence(patterns, first, again, span)
            case tree.MatchMapping():
                self.mapping(pattern, first, again)
            case _:
                raise AssertionError(f"{type(pattern).__name__} stands in a sequence only")

    def part(self, pattern: tree.pattern, value: tree.expr) -> None:
        """Add the pattern of a part; one that is tested is kept in a local."""
        if isinstance(pattern, tree.MatchAs) and pattern.pattern is None:
            self.add(pattern, value, value)
            return
        kept = _hidden(self.ctx, pattern.span)
        target = tree.Name(kept.id, tree.STORE, pattern.span)
        self.add(pattern, tree.NamedExpr(target, value, pattern.span), kept)

    def alternatives(
        self, patterns: Sequence[tree.pattern], first: tree.expr, again: tree.expr, span: Span
    ) -> None:
        found: list[tree.expr] = []
        for index, pattern in enumerate(patterns):
            inner = _Pattern(self.ctx)
            inner.add(pattern, again if index else first, again)
            inner.tests += [_Bound(name, part, pattern.span) for name, part in inner.captures]
            if not inner.tests:
                return
            found.append(_all(inner.tests, pattern.span))
        self.tests.append(tree.BoolOp(tree.OR, tuple(found), span))

    def of_class(self, pattern: tree.MatchClass, first: tree.expr, again: tree.expr) -> None:
        span = pattern.span
        test = tree.Call(tree.Name("isinstance", tree.LOAD, span), (first, pattern.cls), (), span)
        self.tests.append(test)
        cls = class_named(self.ctx, pattern.cls)
        if cls is None:
            raise self.ctx.refuse(pattern.cls.span, "a pattern needs the name of a class here")
        names = _match_args(cls.decl)
        if cls.decl.module.library and not names and len(pattern.patterns) == 1:
            self.add(pattern.patterns[0], again, again)
            return
        if len(pattern.patterns) > len(names):
            raise self.ctx.refuse(
                span,
                f"`{cls.decl.name}` takes {len(names)} positional patterns, not {len(pattern.patterns)}",
                "name the fields: `Class(field=pattern)`",
            )
        parts = [*zip(names, pattern.patterns, strict=False)]
        parts += zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True)
        for name, inner in parts:
            self.part(inner, tree.Attribute(again, name, tree.LOAD, inner.span))

    def sequence(self, patterns: Sequence[tree.pattern], first: tree.expr, again: tree.expr, span: Span) -> None:
        stars = [index for index, part in enumerate(patterns) if isinstance(part, tree.MatchStar)]
        self.tests.append(_is_a(SEQUENCE, first, span))
        length = tree.Call(tree.Name("len", tree.LOAD, span), (again,), (), span)
        count = tree.Constant(len(patterns) - len(stars), span)
        self.tests.append(tree.Compare(length, (tree.GTE if stars else tree.EQ,), (count,), span))
        for index, pattern in enumerate(patterns):
            behind = len(patterns) - 1 - index
            if isinstance(pattern, tree.MatchStar):
                if pattern.name is not None:
                    low = tree.Constant(index, span)
                    high = _number(-behind, span) if behind else None
                    rest = tree.Subscript(again, tree.Slice(low, high, None, span), tree.LOAD, pattern.span)
                    self.captures.append((pattern.name, rest))
                continue
            at = -behind - 1 if stars and index > stars[0] else index
            self.part(pattern, tree.Subscript(again, _number(at, span), tree.LOAD, pattern.span))

    def mapping(self, pattern: tree.MatchMapping, first: tree.expr, again: tree.expr) -> None:
        span = pattern.span
        self.tests.append(_is_a(MAPPING, first, span))
        for key, inner in zip(pattern.keys, pattern.patterns, strict=True):
            self.tests.append(tree.Compare(key, (tree.IN,), (again,), key.span))
            self.part(inner, tree.Subscript(again, key, tree.LOAD, inner.span))
        if pattern.rest is not None:
            self.captures.append((pattern.rest, _without(again, pattern.keys, span)))


@syntax
class _Bound(tree.expr):
    """A name that an alternative of a pattern binds, as a test that always holds."""

    name: str
    value: tree.expr
    span: Span


@expression(_Bound)
def bound(ctx: Context, given: _Bound, expected: Type | None) -> hir.Expr:
    """Bind the name."""
    with ctx.collect() as body:
        ctx.statement(tree.Assign((tree.Name(given.name, tree.STORE, given.span),), given.value, given.span))
    return hir.Let(BOOL, body, hir.Const(BOOL, True))


def _is_a(kind: str, value: tree.expr, span: Span) -> tree.expr:
    """The test whether a value is a sequence, or a mapping."""
    return tree.Call(tree.Name("isinstance", tree.LOAD, span), (value, tree.Name(kind, tree.LOAD, span)), (), span)


def _without(mapping: tree.expr, keys: Sequence[tree.expr], span: Span) -> tree.expr:
    """A copy of a dict without some keys."""
    names = ("$key", "$value")
    target = tree.Tuple(tuple(tree.Name(name, tree.STORE, span) for name in names), tree.STORE, span)
    key, value = (tree.Name(name, tree.LOAD, span) for name in names)
    tests = tuple(tree.Compare(key, (tree.NOT_EQ,), (other,), span) for other in keys)
    items = tree.Call(tree.Attribute(mapping, "items", tree.LOAD, span), (), (), span)
    return tree.DictComp(key, value, (tree.comprehension(target, items, tests, span),), span)


def _number(value: int, span: Span) -> tree.expr:
    constant = tree.Constant(abs(value), span)
    return constant if value >= 0 else tree.UnaryOp(tree.USUB, constant, span)


def _match_args(decl: ClassDecl) -> tuple[str, ...]:
    """The fields that positional patterns of a class are for."""
    if decl.data is not None:
        return tuple(item.name for item in decl.data.fields if item.init and not item.keyword_only)
    for node in decl.node.body:
        match node:
            case tree.Assign(targets=(tree.Name(id="__match_args__"),), value=tree.Tuple(elts=items)):
                return tuple(item.value for item in items
                             if isinstance(item, tree.Constant) and isinstance(item.value, str))  # fmt: skip
            case _:
                pass
    return ()


# --- what is left --------------------------------------------------------------------------------------------------


def _covers(ctx: Context, pattern: tree.pattern) -> set[object]:
    """What a pattern certainly takes: classes, members of enums by name, None, the bools, tuples by their length."""
    match pattern:
        case tree.MatchOr(patterns=patterns):
            return {item for part in patterns for item in _covers(ctx, part)}
        case tree.MatchAs(pattern=inner) if inner is not None:
            return _covers(ctx, inner)
        case tree.MatchSingleton(value=value):
            return {value}
        case tree.MatchValue(value=tree.Attribute(attr=attr)):
            return {attr}
        case tree.MatchSequence(patterns=patterns):
            return {len(patterns)} if _take_all(patterns) else set()
        case tree.MatchClass(cls=cls, patterns=positional, kwd_patterns=named):
            found = class_named(ctx, cls) if _take_all((*positional, *named)) else None
            return {found.decl} if found is not None else set()
        case _:
            return set()


def _take_all(patterns: Sequence[tree.pattern]) -> bool:
    return all(isinstance(part, tree.MatchAs) and part.pattern is None for part in patterns)


def _is_exhausted(ctx: Context, t: Type, covered: set[object]) -> bool:
    """Return whether the cases take all values of a type."""
    if isinstance(t, Optional):
        return None in covered and _is_exhausted(ctx, prune(t.inner), covered)
    if isinstance(t, Union):
        return all(_is_exhausted(ctx, prune(member), covered) for member in t.members)
    base = ctx.world.class_of(t)
    if base is not None and base[0] in covered:
        return True
    if t is BOOL:
        return {True, False} <= {item for item in covered if isinstance(item, bool)}
    if isinstance(t, ClassType) and is_tuple(t.decl):
        return len(t.args) in covered
    if not isinstance(t, ClassType) or t.decl.module.library:
        return False
    if t.decl.enum:
        return "flag" not in t.decl.enum and bool(t.decl.members) and covered.issuperset(t.decl.members)
    classes = [cls.decl for cls in (t, *ctx.world.subclasses(t)) if not cls.decl.missing_methods()]
    return bool(classes) and all(any(base in covered for base in decl.mro()) for decl in classes)
