"""Actions for statements, and `Builder`, which has the actions of the whole grammar."""

from __future__ import annotations

from bisect import bisect_left

from krait.diagnostics import Span
from krait.syntax import targets, tree
from krait.syntax.expressions import Arguments, ExpressionActions
from krait.syntax.patterns import PatternActions
from svm.limits import MAX_SOURCE_ELIFS

_OPERATORS: dict[str, tree.operator] = {
    "+=": tree.ADD, "-=": tree.SUB, "*=": tree.MULT, "/=": tree.DIV, "//=": tree.FLOOR_DIV, "%=": tree.MOD,
    "@=": tree.MAT_MULT, "&=": tree.BIT_AND, "|=": tree.BIT_OR, "^=": tree.BIT_XOR, "<<=": tree.LSHIFT,
    ">>=": tree.RSHIFT, "**=": tree.POW,
}  # fmt: skip
_Body = tuple[tree.stmt, ...]


class Builder(ExpressionActions, PatternActions):
    """Makes the tree: one method for each rule or alias of the grammar."""

    def start(self, span: Span, *statements: tree.stmt | _Body) -> tree.Module:
        return tree.Module(self.flatten(span, *statements), span)

    # --- simple statements

    def expression_stmt(self, span: Span, value: tree.expr) -> tree.stmt:
        return tree.Expr(value, span)

    def assign(self, span: Span, *parts: tree.expr) -> tree.stmt:
        *left, value = parts
        hint = "compare with `==`" if len(left) == 1 and not isinstance(left[0], tree.Tuple | tree.List) else ""
        return tree.Assign(tuple(targets.store(target, self.report, hint=hint) for target in left), value, span)

    def annotated(self, span: Span, target: tree.expr, annotation: tree.expr, value: tree.expr | None) -> tree.stmt:
        made = targets.single(target, self.report, "an annotation")
        if made is None:
            return tree.Expr(target, span)
        simple = isinstance(made, tree.Name) and made.span[:2] == span[:2]
        return tree.AnnAssign(made, annotation, value, int(simple), span)

    def augmented(self, span: Span, target: tree.expr, token: int, value: tree.expr) -> tree.stmt:
        made = targets.single(target, self.report, "an augmented assignment")
        if made is None:
            return tree.Expr(target, span)
        return tree.AugAssign(made, _OPERATORS[self.texts[token]], value, span)

    def return_stmt(self, span: Span, value: tree.expr | None) -> tree.stmt:
        return tree.Return(value, span)

    def delete(self, span: Span, *deleted: tree.expr) -> tree.stmt:
        return tree.Delete(tuple(targets.delete(target, self.report) for target in deleted), span)

    def raise_stmt(self, span: Span, exc: tree.expr | None, cause: tree.expr | None) -> tree.stmt:
        return tree.Raise(exc, cause, span)

    def assert_stmt(self, span: Span, test: tree.expr, msg: tree.expr | None) -> tree.stmt:
        return tree.Assert(test, msg, span)

    def global_stmt(self, span: Span, *names: int) -> tree.stmt:
        return tree.Global(tuple(self.texts[token] for token in names), span)

    def nonlocal_stmt(self, span: Span, *names: int) -> tree.stmt:
        return tree.Nonlocal(tuple(self.texts[token] for token in names), span)

    def pass_stmt(self, span: Span) -> tree.stmt:
        return tree.Pass(span)

    def break_stmt(self, span: Span) -> tree.stmt:
        return tree.Break(span)

    def continue_stmt(self, span: Span) -> tree.stmt:
        return tree.Continue(span)

    def type_stmt(self, span: Span, token: int, type_params: tuple[tree.type_param, ...] | None,
                  value: tree.expr) -> tree.stmt:
        name = tree.Name(self.texts[token], tree.STORE, self.span_of(token))
        return tree.TypeAlias(name, type_params or (), value, span)

    # --- imports

    def import_stmt(self, span: Span, *names: tree.alias) -> tree.stmt:
        return tree.Import(names, span)

    def import_name(self, span: Span, name: str, token: int | None) -> tree.alias:
        return tree.alias(name, None if token is None else self.texts[token], span)

    def import_star(self, span: Span) -> tuple[tree.alias, ...]:
        return (tree.alias("*", None, span),)

    def dotted_name(self, span: Span, *names: int) -> str:
        return ".".join(self.texts[token] for token in names)

    def dot(self, span: Span, token: int) -> int:
        return len(self.texts[token])

    def dots(self, span: Span, *counts: int) -> int:
        return sum(counts)

    def from_module(self, span: Span, level: int | None, module: str, names: tuple[tree.alias, ...]) -> tree.stmt:
        return tree.ImportFrom(module, names, level or 0, span)

    def from_dots(self, span: Span, level: int, names: tuple[tree.alias, ...]) -> tree.stmt:
        return tree.ImportFrom(None, names, level, span)

    # --- compound statements

    def if_stmt(self, span: Span, test: tree.expr, body: _Body, elifs: tuple[tuple[Span, tree.expr, _Body], ...] | None,
                orelse: _Body | None) -> tree.stmt:
        last = orelse or ()
        if elifs is not None and len(elifs) > MAX_SOURCE_ELIFS:
            self.report(f"more than {MAX_SOURCE_ELIFS} `elif` branches", elifs[MAX_SOURCE_ELIFS][0],
                        hints=["use a dict, or `match`"])
            return tree.Pass(span)
        for place, condition, block in reversed(elifs or ()):
            last = (tree.If(condition, block, last, place.to(span)),)
        return tree.If(test, body, last, span)

    def elif_clause(self, span: Span, test: tree.expr, body: _Body) -> tuple[Span, tree.expr, _Body]:
        return span, test, body

    def while_stmt(self, span: Span, test: tree.expr, body: _Body, orelse: _Body | None) -> tree.stmt:
        return tree.While(test, body, orelse or (), span)

    def for_stmt(self, span: Span, target: tree.expr, iterable: tree.expr, body: _Body,
                 orelse: _Body | None) -> tree.stmt:
        return tree.For(targets.store(target, self.report), iterable, body, orelse or (), span)

    def try_stmt(self, span: Span, body: _Body, clauses: tuple[tuple[bool, tree.ExceptHandler], ...],
                 orelse: _Body | None, final: _Body | None) -> tree.stmt:
        starred = {star for star, _ in clauses}
        if len(starred) > 1:
            self.report("a `try` cannot have both `except` and `except*`", clauses[-1][1].span)
        make = tree.TryStar if True in starred else tree.Try
        return make(body, tuple(handler for _, handler in clauses), orelse or (), final or (), span)

    def try_finally(self, span: Span, body: _Body, final: _Body) -> tree.stmt:
        return tree.Try(body, (), (), final, span)

    def except_clause(self, span: Span, kind: tree.expr | None, token: int | None,
                      body: _Body) -> tuple[bool, tree.ExceptHandler]:
        return False, tree.ExceptHandler(kind, None if token is None else self.texts[token], body, span)

    def except_star(self, span: Span, kind: tree.expr, token: int | None,
                    body: _Body) -> tuple[bool, tree.ExceptHandler]:
        return True, tree.ExceptHandler(kind, None if token is None else self.texts[token], body, span)

    def with_stmt(self, span: Span, items: tuple[tree.withitem, ...], body: _Body) -> tree.stmt:
        return tree.With(self._split_items(items[0]) if len(items) == 1 else items, body, span)

    def with_item(self, span: Span, value: tree.expr, target: tree.expr | None) -> tree.withitem:
        return tree.withitem(value, None if target is None else targets.store(target, self.report), span)

    def _split_items(self, item: tree.withitem) -> tuple[tree.withitem, ...]:
        """`with (a, b):` has two items; a tuple in a second pair of parentheses, or with a star or walrus, is one."""
        value = item.context_expr
        if (not isinstance(value, tree.Tuple) or not value.elts or item.optional_vars is not None
                or value.span != item.span or any(self._only_in_tuple(elt, value) for elt in value.elts)):
            return (item,)
        return tuple(tree.withitem(elt, None, elt.span) for elt in value.elts)

    def _only_in_tuple(self, elt: tree.expr, whole: tree.Tuple) -> bool:
        if not isinstance(elt, tree.NamedExpr):
            return isinstance(elt, tree.Starred)
        before = bisect_left(self.tokens.starts, elt.span[:2]) - 1
        return self.kinds[before] != "(" or self.tokens.starts[before] == whole.span[:2]

    # --- definitions

    def function(self, span: Span, token: int, type_params: tuple[tree.type_param, ...] | None, args: tree.arguments,
                 returns: tree.expr | None, body: _Body) -> tree.stmt:
        return tree.FunctionDef(self.texts[token], args, body, (), returns, type_params or (), span)

    def class_def(self, span: Span, token: int, type_params: tuple[tree.type_param, ...] | None,
                  arguments: Arguments | None, body: _Body) -> tree.stmt:
        bases, keywords = arguments or ((), ())
        return tree.ClassDef(self.texts[token], bases, keywords, body, (), type_params or (), span)

    def decorated(self, span: Span, decorators: tuple[tree.expr, ...],
                  node: tree.FunctionDef | tree.ClassDef) -> tree.stmt:
        if isinstance(node, tree.FunctionDef):
            return tree.FunctionDef(node.name, node.args, node.body, decorators, node.returns, node.type_params,
                                    node.span)
        return tree.ClassDef(node.name, node.bases, node.keywords, node.body, decorators, node.type_params, node.span)

    def type_var(self, span: Span, token: int, bound: tree.expr | None) -> tree.type_param:
        return tree.TypeVar(self.texts[token], bound, span)

    def type_var_tuple(self, span: Span, token: int) -> tree.type_param:
        return tree.TypeVarTuple(self.texts[token], span)

    def param_spec(self, span: Span, token: int) -> tree.type_param:
        return tree.ParamSpec(self.texts[token], span)
