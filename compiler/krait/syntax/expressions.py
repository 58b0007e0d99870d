"""Actions for expressions: operators, calls, displays, comprehensions, literals, parameters.

In: what the parser reduced. Out: nodes of tree.py. What the grammar leaves open is checked here: the order of arguments
and parameters, the parts of a string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from krait.diagnostics import Span
from krait.syntax import literals, targets, tree
from krait.syntax.actions import Actions

_COMPARISONS: dict[str, tree.cmpop] = {
    "==": tree.EQ, "!=": tree.NOT_EQ, "<": tree.LT, "<=": tree.LTE, ">": tree.GT, ">=": tree.GTE,
}  # fmt: skip


class Arguments(NamedTuple):
    """The arguments of a call or class."""

    args: tuple[tree.expr, ...]
    keywords: tuple[tree.keyword, ...]


class Parameter(NamedTuple):
    """One entry of a parameter list. kind: plain, *, ** or /; a bare `*` and `/` have no name."""

    kind: str
    arg: tree.arg | None
    default: tree.expr | None
    span: Span


def _binary(op: tree.operator) -> Callable[[Actions, Span, tree.expr, tree.expr], tree.expr]:
    def action(self: Actions, span: Span, left: tree.expr, right: tree.expr) -> tree.expr:
        return tree.BinOp(left, op, right, span)

    return action


def _unary(op: tree.unaryop) -> Callable[[Actions, Span, tree.expr], tree.expr]:
    def action(self: Actions, span: Span, operand: tree.expr) -> tree.expr:
        return tree.UnaryOp(op, operand, span)

    return action


def _logical(op: tree.boolop) -> Callable[..., tree.expr]:
    def action(self: Actions, span: Span, *values: tree.expr) -> tree.expr:
        return tree.BoolOp(op, values, span)

    return action


def _comparator(op: tree.cmpop) -> Callable[[Actions, Span], tree.cmpop]:
    def action(self: Actions, span: Span) -> tree.cmpop:
        return op

    return action


def _constant(value: tree.ConstantValue) -> Callable[[Actions, Span], tree.expr]:
    def action(self: Actions, span: Span) -> tree.expr:
        return tree.Constant(value, span)

    return action


class ExpressionActions(Actions):
    """The section "expressions" and "literals" of the grammar, and parameters."""

    add = _binary(tree.ADD)
    sub = _binary(tree.SUB)
    mult = _binary(tree.MULT)
    div = _binary(tree.DIV)
    floor_div = _binary(tree.FLOOR_DIV)
    mod = _binary(tree.MOD)
    mat_mult = _binary(tree.MAT_MULT)
    power = _binary(tree.POW)
    shift_left = _binary(tree.LSHIFT)
    shift_right = _binary(tree.RSHIFT)
    bit_or_op = _binary(tree.BIT_OR)
    bit_xor_op = _binary(tree.BIT_XOR)
    bit_and_op = _binary(tree.BIT_AND)
    negative = _unary(tree.USUB)
    positive = _unary(tree.UADD)
    complement = _unary(tree.INVERT)
    invert_truth = _unary(tree.NOT)
    bool_or = _logical(tree.OR)
    bool_and = _logical(tree.AND)
    compare_in = _comparator(tree.IN)
    compare_not_in = _comparator(tree.NOT_IN)
    compare_is = _comparator(tree.IS)
    compare_is_not = _comparator(tree.IS_NOT)
    none = _constant(None)
    true = _constant(True)
    false = _constant(False)
    ellipsis = _constant(...)

    def compare_sign(self, span: Span, token: int) -> tree.cmpop:
        return _COMPARISONS[self.texts[token]]

    def compare(self, span: Span, left: tree.expr, *rest: tree.cmpop | tree.expr) -> tree.expr:
        ops = tuple(item for item in rest[::2] if isinstance(item, tree.cmpop))
        comparators = tuple(item for item in rest[1::2] if isinstance(item, tree.expr))
        return tree.Compare(left, ops, comparators, span)

    def name(self, span: Span, token: int) -> tree.expr:
        return tree.Name(self.texts[token], tree.LOAD, span)

    def attribute(self, span: Span, value: tree.expr, token: int) -> tree.expr:
        return tree.Attribute(value, self.texts[token], tree.LOAD, span)

    def subscript(self, span: Span, value: tree.expr, index: tree.expr) -> tree.expr:
        if isinstance(index, tree.Starred):
            index = tree.Tuple((index,), tree.LOAD, index.span)
        return tree.Subscript(value, index, tree.LOAD, span)

    def slice(self, span: Span, lower: tree.expr | None, upper: tree.expr | None,
              step: tree.expr | None = None) -> tree.expr:
        return tree.Slice(lower, upper, step, span)

    def starred(self, span: Span, value: tree.expr) -> tree.expr:
        return tree.Starred(value, tree.LOAD, span)

    def named_expr(self, span: Span, token: int, value: tree.expr) -> tree.expr:
        return tree.NamedExpr(tree.Name(self.texts[token], tree.STORE, self.span_of(token)), value, span)

    def if_exp(self, span: Span, body: tree.expr, test: tree.expr, orelse: tree.expr) -> tree.expr:
        return tree.IfExp(test, body, orelse, span)

    def yield_expr(self, span: Span, value: tree.expr | None) -> tree.expr:
        return tree.Yield(value, span)

    def yield_from(self, span: Span, value: tree.expr) -> tree.expr:
        return tree.YieldFrom(value, span)

    # --- displays and comprehensions

    def tuple_expr(self, span: Span, *elts: tree.expr) -> tree.expr:
        return tree.Tuple(elts, tree.LOAD, span)

    def list_expr(self, span: Span, *elts: tree.expr | None) -> tree.expr:
        return tree.List(tuple(item for item in elts if item is not None), tree.LOAD, span)

    def set_expr(self, span: Span, *elts: tree.expr) -> tree.expr:
        return tree.Set(elts, span)

    def dict_item(self, span: Span, key: tree.expr, value: tree.expr) -> tuple[tree.expr | None, tree.expr]:
        return key, value

    def dict_unpack(self, span: Span, value: tree.expr) -> tuple[tree.expr | None, tree.expr]:
        return None, value

    def dict_expr(self, span: Span, *items: tuple[tree.expr | None, tree.expr] | None) -> tree.expr:
        pairs = [item for item in items if item is not None]
        return tree.Dict(tuple(key for key, _ in pairs), tuple(value for _, value in pairs), span)

    def comprehension(self, span: Span, target: tree.expr, iterable: tree.expr, *ifs: tree.expr) -> tree.comprehension:
        return tree.comprehension(targets.store(target, self.report), iterable, ifs, span)

    def genexp(self, span: Span, elt: tree.expr, *generators: tree.comprehension) -> tree.expr:
        return tree.GeneratorExp(elt, generators, span)

    def list_comp(self, span: Span, elt: tree.expr, *generators: tree.comprehension) -> tree.expr:
        return tree.ListComp(elt, generators, span)

    def set_comp(self, span: Span, elt: tree.expr, *generators: tree.comprehension) -> tree.expr:
        return tree.SetComp(elt, generators, span)

    def dict_comp(self, span: Span, item: tuple[tree.expr | None, tree.expr],
                  *generators: tree.comprehension) -> tree.expr:
        key, value = item
        if key is None:
            self.report("dict unpacking cannot be used in a dict comprehension", value.span)
            return value
        return tree.DictComp(key, value, generators, span)

    # --- calls

    def call(self, span: Span, func: tree.expr, arguments: Arguments | None) -> tree.expr:
        if arguments is None:
            return tree.Call(func, (), (), span)
        return tree.Call(func, arguments.args, arguments.keywords, span)

    def call_genexp(self, span: Span, func: tree.expr, argument: tree.expr) -> tree.expr:
        return tree.Call(func, (argument,), (), span)

    def keyword(self, span: Span, token: int, value: tree.expr) -> tree.keyword:
        return tree.keyword(self.texts[token], value, span)

    def keyword_unpack(self, span: Span, value: tree.expr) -> tree.keyword:
        return tree.keyword(None, value, span)

    def arguments(self, span: Span, *items: tree.expr | tree.keyword) -> Arguments:
        keywords = tuple(item for item in items if isinstance(item, tree.keyword))
        if not keywords:
            return Arguments(tuple(item for item in items if isinstance(item, tree.expr)), ())
        before: tree.keyword | None = None
        seen: set[str] = set()
        unpacked = False
        for item in items:
            if isinstance(item, tree.keyword):
                before = item
                unpacked = unpacked or item.arg is None
                if item.arg in seen:
                    self.report(f"keyword argument '{item.arg}' is repeated", item.span)
                if item.arg is not None:
                    seen.add(item.arg)
            elif isinstance(item, tree.Starred):
                if unpacked:
                    self.report("`*` argument after a `**` argument", item.span)
            elif before is not None:
                self.report("positional argument after a keyword argument", item.span,
                            hints=["put positional arguments first, or give this one a name"])
        return Arguments(tuple(item for item in items if isinstance(item, tree.expr)), keywords)

    # --- parameters

    def lambda_expr(self, span: Span, parameters: tree.arguments | None, body: tree.expr) -> tree.expr:
        if parameters is None:
            place = Span(span.start_line, span.start_col, span.start_line, span.start_col + len("lambda"))
            parameters = tree.arguments((), (), None, (), (), None, (), place)
        return tree.Lambda(parameters, body, span)

    def parameter_name(self, span: Span, token: int, annotation: tree.expr | None = None) -> tree.arg:
        return tree.arg(self.texts[token], annotation, span)

    def plain_parameter(self, span: Span, arg: tree.arg, default: tree.expr | None) -> Parameter:
        return Parameter("plain", arg, default, span)

    def star_parameter(self, span: Span, arg: tree.arg | None = None, default: tree.expr | None = None) -> Parameter:
        return Parameter("*", arg, default, span)

    def double_star_parameter(self, span: Span, arg: tree.arg, default: tree.expr | None) -> Parameter:
        return Parameter("**", arg, default, span)

    def slash_parameter(self, span: Span) -> Parameter:
        return Parameter("/", None, None, span)

    def parameters(self, span: Span, *items: Parameter | None) -> tree.arguments:
        """The parameters in their groups, after a check of their order."""
        self._check_parameters([item for item in items if item is not None])
        positional: list[tree.arg] = []
        posonly: tuple[tree.arg, ...] = ()
        defaults: list[tree.expr] = []
        kwonly: list[tree.arg] = []
        kw_defaults: list[tree.expr | None] = []
        vararg = kwarg = None
        starred = False
        for item in items:
            if item is None:
                continue
            if item.kind == "/":
                posonly, positional = tuple(positional), []
            elif item.kind == "*":
                vararg, starred = item.arg, True
            elif item.kind == "**":
                kwarg = item.arg
            elif item.arg is not None and starred:
                kwonly.append(item.arg)
                kw_defaults.append(item.default)
            elif item.arg is not None:
                positional.append(item.arg)
                if item.default is not None:
                    defaults.append(item.default)
        return tree.arguments(posonly, tuple(positional), vararg, tuple(kwonly), tuple(kw_defaults), kwarg,
                              tuple(defaults), span)

    def _check_parameters(self, items: list[Parameter]) -> None:
        seen: set[str] = set()
        kinds: list[str] = []
        defaulted = False
        for item in items:
            if item.arg is not None:
                if item.arg.arg in seen:
                    self.report(f"parameter '{item.arg.arg}' is repeated", item.arg.span)
                seen.add(item.arg.arg)
            if "**" in kinds:
                self.report("parameter after a `**` parameter", item.span, hints=["the `**` parameter comes last"])
            elif item.kind == "/":
                if "/" in kinds:
                    self.report("`/` may appear only once", item.span)
                elif "*" in kinds:
                    self.report("`/` must come before `*`", item.span)
                elif not kinds:
                    self.report("a parameter must come before `/`", item.span)
            elif item.kind == "*":
                if "*" in kinds:
                    self.report("`*` may appear only once", item.span)
            elif item.kind == "plain" and "*" not in kinds:
                if item.default is not None:
                    defaulted = True
                elif defaulted:
                    self.report("parameter without a default after a parameter with one", item.span)
            if item.kind in ("*", "**") and item.default is not None:
                self.report(f"a `{item.kind}` parameter cannot have a default", item.default.span)
            kinds.append(item.kind)
        for index, item in enumerate(items):
            if item.kind == "*" and item.arg is None and kinds[index + 1 : index + 2] != ["plain"]:
                self.report("a named parameter must follow `*`", item.span)

    # --- literals

    def number(self, span: Span, token: int) -> tree.expr:
        try:
            value = literals.number(self.texts[token])
        except literals.LiteralError as error:
            self.report(error.message, span, hints=["hexadecimal literals may be of any length"])
            value = 0
        return tree.Constant(value, span)

    def strings(self, span: Span, *parts: int | tuple[tree.expr, ...]) -> tree.expr:
        """Adjacent strings (token indices) and f-strings (tuples of parts), as one literal."""
        if len(parts) == 1 and isinstance(parts[0], int):
            return tree.Constant(self._string(parts[0]), span)
        constants = [tree.Constant(self._string(part), self.span_of(part)) if isinstance(part, int) else part
                     for part in parts]
        if any(isinstance(part, tree.Constant) and isinstance(part.value, bytes) for part in constants):
            return self._joined_bytes(span, constants)
        pieces: list[tree.expr] = []
        for part in constants:
            if isinstance(part, tree.Constant):
                pieces.append(part)
            else:
                pieces.extend(part)
        if all(isinstance(part, int) for part in parts):
            texts = [str(piece.value) for piece in pieces if isinstance(piece, tree.Constant)]
            return tree.Constant("".join(texts), span)
        return tree.JoinedStr(_merged(pieces), span)

    def _joined_bytes(self, span: Span, parts: list[tree.Constant | tuple[tree.expr, ...]]) -> tree.expr:
        value = b""
        for part in parts:
            if isinstance(part, tree.Constant) and isinstance(part.value, bytes):
                value += part.value
            else:
                self.report("bytes and text literals cannot be joined", span, hints=["give all of them a `b`, or none"])
                break
        return tree.Constant(value, span)

    def _string(self, token: int) -> str | bytes:
        text = self.texts[token]
        try:
            return literals.string(text)
        except literals.LiteralError as error:
            self.report(error.message, self._inside(token, text, error))
            return b"" if text[:2].lower().strip("r'\"") == "b" else ""

    def _inside(self, token: int, text: str, error: literals.LiteralError) -> Span:
        """Where in the source the part of a token's text lies that an error names."""
        line, column = self.tokens.starts[token]
        lines = text.count("\n", 0, error.start)
        start = error.start - (text.rindex("\n", 0, error.start) + 1) if lines else column + error.start
        return Span(line + lines, start, line + lines, start + error.end - error.start)

    # --- f-strings: their parts are Constants and FormattedValues

    def fstring(self, span: Span, start: int, *rest: tree.expr | tuple[tree.expr, ...] | int) -> tuple[tree.expr, ...]:
        return _flat(rest)

    def text(self, span: Span, token: int) -> tree.expr:
        try:
            value = self.texts[token]
            return tree.Constant(literals.unescape(value) if "\\" in value else value, span)
        except literals.LiteralError as error:
            self.report(error.message, span)
            return tree.Constant("", span)

    def raw_text(self, span: Span, token: int) -> tree.expr:
        return tree.Constant(self.texts[token], span)

    def field(self, span: Span, value: tree.expr, equal: int | None, conversion: int | None,
              spec: tree.JoinedStr | None) -> tuple[tree.expr, ...]:
        code = -1
        if conversion is not None:
            letter = self.texts[conversion]
            if letter not in ("s", "r", "a"):
                self.report(f"f-string: invalid conversion '{letter}'", self.span_of(conversion),
                            hints=["write !s, !r or !a"])
            elif self.tokens.ends[conversion - 1] != self.tokens.starts[conversion]:
                self.report("f-string: the conversion must come right after `!`", self.span_of(conversion))
            else:
                code = ord(letter)
        if equal is None:
            return (tree.FormattedValue(value, code, spec, span),)
        if conversion is None and spec is None:
            code = ord("r")
        return tree.Constant(self.texts[equal], span), tree.FormattedValue(value, code, spec, span)

    def field_spec(self, span: Span, *parts: tree.expr | tuple[tree.expr, ...]) -> tree.expr:
        return tree.JoinedStr(_merged(list(_flat(parts))), span)


def _flat(parts: tuple[tree.expr | tuple[tree.expr, ...] | int, ...]) -> tuple[tree.expr, ...]:
    flat: list[tree.expr] = []
    for part in parts:
        if isinstance(part, tuple):
            flat.extend(part)
        elif not isinstance(part, int):
            flat.append(part)
    return tuple(flat)


def _merged(pieces: list[tree.expr]) -> tuple[tree.expr, ...]:
    """Pieces of a string with neighbouring text joined and empty text left out."""
    merged: list[tree.expr] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, tree.Constant) and isinstance(last, tree.Constant):
            merged[-1] = tree.Constant(f"{last.value!s}{piece.value!s}", last.span.to(piece.span))
        else:
            merged.append(piece)
    return tuple(piece for piece in merged if not (isinstance(piece, tree.Constant) and piece.value == ""))
