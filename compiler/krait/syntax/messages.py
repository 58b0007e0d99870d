"""What to say about a token that does not fit.

In: the tokens, the place, and the kinds of tokens that would fit. Out: a `Problem`, in the words of a person who writes
the language: never the name of a terminal or a rule.

The checks run from the particular to the general: each function of `_CHECKS` either knows what went wrong or passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krait.diagnostics import Note, Span
from krait.syntax import targets, tree
from krait.syntax.lexer import KEYWORDS, Tokens

_INVISIBLE = {"_NEWLINE", "_INDENT", "_DEDENT", "$END"}
_OPERANDS = {"NAME", "NUMBER", "STRING", "FSTRING_START", "None", "True", "False", "...", "lambda"}
_ENDS = {"NAME", "NUMBER", "STRING", "FSTRING_END", ")", "]", "}"}
_COMPOUND = {
    "if": "`if` statement", "elif": "`elif` clause", "else": "`else` clause", "while": "`while` statement",
    "for": "`for` statement", "try": "`try` statement", "except": "`except` clause", "finally": "`finally` clause",
    "with": "`with` statement", "def": "function definition", "class": "class definition",
    "match": "`match` statement", "case": "`case` clause",
}  # fmt: skip
_PLAIN = {  # what may be expected, in the order in which it is named
    "in": "`in`", "import": "`import`", "else": "`else`", "except": "`except`", "finally": "`finally`",
    "case": "`case`",
    "=": "'='", "->": "'->'", "(": "'('", ":": "':'", ",": "','", ")": "')'", "]": "']'", "}": "'}'",
    "_FIELD_CLOSE": "'}'", "_NEWLINE": "the end of the line", "_INDENT": "an indented block",
}  # fmt: skip


@dataclass(slots=True)
class Problem:
    """A syntax error in words."""

    message: str
    span: Span
    label: str = ""
    hints: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class _Place:
    """Where the parser stopped. before: the kinds of the two tokens before. value: the last value on the stack."""

    tokens: Tokens
    index: int
    first: int
    accepted: set[str]
    value: Any
    kind: str
    before: tuple[str, str]

    def span(self) -> Span:
        return self.span_of(self.index)

    def span_of(self, index: int) -> Span:
        return Span(*self.tokens.starts[index], *self.tokens.ends[index])

    def since(self, index: int) -> Span:
        """From an earlier token up to and with this one."""
        return self.span_of(index).to(self.span())

    def text(self, index: int) -> str:
        return self.tokens.texts[index]

    def head(self) -> str:
        """The kind of the first token of the logical line."""
        return self.tokens.kinds[self.first]

    def bracket(self) -> int:
        """The index of the innermost bracket that is open in the logical line, -1 if there is none."""
        depth = 0
        for index in range(self.index - 1, self.first - 1, -1):
            kind = self.tokens.kinds[index]
            if kind in (")", "]", "}", "_FIELD_CLOSE"):
                depth += 1
            elif kind in ("(", "[", "{", "_FIELD_OPEN", "_WITH_PAREN"):
                if not depth:
                    return index
                depth -= 1
        return -1


def explain(tokens: Tokens, index: int, first: int, accepted: set[str], value: Any) -> Problem:
    """The problem with the token at `index` of the logical line that begins at `first`."""
    kinds = tokens.kinds
    before = (kinds[index - 2] if index > 1 else "", kinds[index - 1] if index else "")
    place = _Place(tokens, index, first, accepted, value, kinds[index], before)
    for check in _CHECKS:
        problem = check(place)
        if problem is not None:
            return problem
    return _general(place)


def _describe(place: _Place) -> str:
    """The token as a person would name it."""
    kind, text = place.kind, place.text(place.index)
    match kind:
        case "_NEWLINE":
            return "the end of the line"
        case "$END":
            return "the end of the file"
        case "_DEDENT":
            return "the end of the block"
        case "_INDENT":
            return "an indented line"
        case "STRING":
            return "a string"
        case "FSTRING_START" | "FSTRING_MIDDLE" | "RAW_MIDDLE" | "FSTRING_END":
            return "an f-string"
        case "FIELD_EQUAL":
            return "'='"
    if kind in KEYWORDS:
        return f"`{text}`"
    return f"'{text}'"


def _expected(accepted: set[str]) -> list[str]:
    """What would fit, in words."""
    if "pass" in accepted:
        return ["a statement"]
    words = []
    if "NUMBER" in accepted and "NAME" in accepted:
        words.append("an expression" if "~" in accepted else "a pattern")
    elif "NAME" in accepted:
        words.append("a name")
    operators = "+" in accepted and "NUMBER" not in accepted
    for kind, word in _PLAIN.items():
        if kind == "(" and (operators or "NUMBER" in accepted):
            continue  # a call, or an expression
        if kind == "in" and "COMPARE" in accepted:
            continue  # an operator
        if kind in accepted and word not in words:
            words.append(word)
    if "the end of the line" in words:  # the simple way on; what else could follow is not what was meant
        words = [word for word in words if word not in ("'='", "','", "':'")]
    elif "':'" in words:
        words = [word for word in words if word != "'='"]
    if operators and not words:
        words.append("an operator")
    return words


def _general(place: _Place) -> Problem:
    words = _expected(place.accepted)
    found = _describe(place)
    if not words or len(words) > 3:
        return Problem(f"unexpected {found}", place.span(), "this does not fit here")
    expected = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
    return Problem(f"expected {expected}, found {found}", place.span(), f"expected {expected}")


# --- blocks and clauses


def _indentation(place: _Place) -> Problem | None:
    if place.kind == "_INDENT":
        line, column = place.tokens.starts[place.index + 1]
        return Problem("unexpected indentation", Span(line, 0, line, column), "no block begins here",
                       ("indent the line as much as the one before",))
    if "_INDENT" not in place.accepted or place.before[1] != "_NEWLINE":
        return None
    head = place.index - 1
    while head and place.tokens.kinds[head - 1] not in _INVISIBLE | {"SKIP"}:
        head -= 1
    word = place.tokens.kinds[head]
    what = _COMPOUND.get(word, "this line")
    if place.kind in ("_DEDENT", "$END"):
        span, label = place.span_of(place.index - 2), "nothing follows"
    else:
        span, label = place.span(), "this line must be indented"
    return Problem(f"expected an indented block after the {what}", span, label,
                   ("write `pass` for a block that does nothing",), (Note(f"the {what} is here", place.span_of(head)),))


def _lost_clause(place: _Place) -> Problem | None:
    if place.index == place.first and place.accepted & {"except", "finally"} and "pass" not in place.accepted:
        return Problem("expected `except` or `finally` after the `try` block", place.span(), "the `try` ends here")
    if place.index != place.first or place.kind not in ("elif", "else", "except", "finally"):
        return None
    owner = {"elif": "`if`", "else": "`if`, `for`, `while` or `try`"}.get(place.kind, "`try`")
    return Problem(f"`{place.kind}` without {owner}", place.span(), f"no {owner} at this indentation")


def _colon(place: _Place) -> Problem | None:
    head = place.head()
    if ":" not in place.accepted or head not in _COMPOUND or place.bracket() >= 0:
        return None
    if head == "else" and place.kind == "if" and place.index == place.first + 1:
        return Problem("`else if` is written `elif`", place.since(place.first), hints=("write `elif`",))
    if head == "except" and place.kind == ",":
        return Problem("several exception types need parentheses", place.span(), hints=("write `except (A, B):`",))
    if place.kind == "=" or (place.kind in _OPERANDS and place.before[1] in ("NAME", "NUMBER", "STRING", ")")):
        return None
    if place.kind == "_NEWLINE":
        return Problem(f"expected ':' after the {_COMPOUND[head]}", place.span(), "expected ':'")
    return None


# --- signs that mean something else


def _assignment(place: _Place) -> Problem | None:
    if place.kind != "=" and place.kind != ":=":
        return None
    value = place.value
    if place.kind == ":=":
        if place.before[1] == "NAME" and place.index == place.first + 1:
            return Problem("`:=` is not a statement", place.span(), hints=("write `=`",))
        if place.before[1] == "NAME":
            return Problem("`:=` needs parentheses here", place.span(), hints=("write `(name := value)`",))
        return Problem("only a name can be assigned with `:=`", place.span())
    if place.before[1] in ("True", "False", "None"):
        return Problem(f"cannot assign to {place.before[1]}", place.span_of(place.index - 1))
    if isinstance(value, tree.expr) and isinstance(value, tree.Yield | tree.YieldFrom):
        return Problem(f"cannot assign to {targets.describe(value)}", value.span)
    bracket = place.bracket()
    if bracket >= 0 and place.tokens.kinds[bracket] == "{":
        return Problem("'=' does not fit here", place.span(), hints=("write ':' between a key and its value",))
    if place.before[1] not in _ENDS or (bracket < 0 and "COMPARE" not in place.accepted):
        return None
    hints = ["write `==` to compare"]
    if place.before[1] == "NAME":
        hints.append("write `:=` to assign inside of an expression")
    return Problem("'=' assigns, and cannot stand in an expression", place.span(), "expected `==`?", tuple(hints))


def _foreign(place: _Place) -> Problem | None:
    """Signs of other languages."""
    before, kind = place.before, place.kind
    touching = place.index and place.tokens.ends[place.index - 1] == place.tokens.starts[place.index]
    if before[1] in ("&", "|") and kind == before[1] and touching:
        word = "and" if kind == "&" else "or"
        return Problem(f"'{kind}{kind}' is no operator", place.since(place.index - 1), hints=(f"write `{word}`",))
    if before in (("+", "+"), ("-", "-")) and "NUMBER" in place.accepted and kind in ("_NEWLINE", ")", ";"):
        sign = before[0]
        both = place.span_of(place.index - 2).to(place.span_of(place.index - 1))
        return Problem(f"'{sign}{sign}' is no operator", both, hints=(f"write `{sign}= 1`",))
    if kind == "COMPARE" and place.text(place.index) == ">" and touching and place.text(place.index - 1) == "<":
        return Problem("'<>' is no operator", place.since(place.index - 1), hints=("write `!=`",))
    word = place.text(place.index - 1) if before[1] == "NAME" else ""
    if word in ("print", "exec") and place.index == place.first + 1 and kind in _OPERANDS:
        return Problem(f"missing parentheses in the call of `{word}`", place.span_of(place.index - 1),
                       hints=(f"write `{word}(...)`",))
    return None


def _imports(place: _Place) -> Problem | None:
    if place.head() == "from" and place.before[1] == "," and place.kind == "_NEWLINE" and place.bracket() < 0:
        return Problem("a trailing comma needs parentheses around the names", place.span_of(place.index - 1),
                       hints=("write `from module import (a, b,)`",))
    if place.head() == "import" and place.kind == "from":
        return Problem("`from` comes first", place.span(), hints=("write `from module import name`",))
    return None


# --- expressions


def _star(place: _Place) -> Problem | None:
    value = place.value
    if not isinstance(value, tree.Starred) or "," not in place.accepted:
        return None
    if place.kind in ("_NEWLINE", ")", "=", ";", ":", "]"):
        return Problem("a starred expression cannot stand alone", value.span, hints=("add a comma to make a tuple",))
    return None


def _comprehension(place: _Place) -> Problem | None:
    bracket = place.bracket()
    if place.kind != "for" or bracket < 0 or "," not in place.accepted:
        return None
    if place.tokens.kinds[bracket + 1] == "*":
        return Problem("unpacking cannot be used in a comprehension", place.span_of(bracket + 1),
                       hints=("write a second `for`",))
    if place.tokens.kinds[bracket] == "(" and bracket and place.tokens.kinds[bracket - 1] in ("NAME", ")", "]"):
        return Problem("a generator expression beside other arguments needs parentheses", place.span(),
                       hints=("put parentheses around it",))
    return Problem("the tuple of a comprehension needs parentheses", place.span(),
                   hints=("write `[(a, b) for ...]`",))


def _conditional(place: _Place) -> Problem | None:
    after_test = "else" in place.accepted and "NUMBER" not in place.accepted
    if after_test and (place.kind in _INVISIBLE or place.kind in ")]},"):
        return Problem("expected `else` after the `if` expression", place.span(), "expected `else`",
                       ("a conditional expression is written `a if condition else b`",))
    return None


def _keyword(place: _Place) -> Problem | None:
    if place.kind not in KEYWORDS or "NAME" not in place.accepted:
        return None
    words = _expected(place.accepted)
    return Problem(f"`{place.kind}` is a keyword", place.span(), f"expected {words[0]}")


def _comma(place: _Place) -> Problem | None:
    bracket = place.bracket()
    if bracket < 0 or "," not in place.accepted or place.kind not in _OPERANDS | {"(", "[", "{"}:
        return None
    closing = {"(": ")", "[": "]", "{": "}", "_WITH_PAREN": ")"}.get(place.tokens.kinds[bracket])
    if closing is None:
        return None
    return Problem(f"expected ',' or '{closing}', found {_describe(place)}", place.span(),
                   "is a comma missing before this?")


def _field(place: _Place) -> Problem | None:
    if place.before[1] == "_FIELD_OPEN" and place.kind in ("_FIELD_CLOSE", "_FIELD_COLON", "!", "FIELD_EQUAL"):
        return Problem("f-string: expected an expression in the braces", place.since(place.index - 1),
                       hints=("write {{ and }} for the characters themselves",))
    if place.kind == "_FIELD_COLON" and place.tokens.kinds[place.bracket()] == "_FIELD_OPEN" and (
            "lambda" in place.tokens.kinds[place.bracket() : place.index]):
        return Problem("f-string: a lambda needs parentheses", place.span(), hints=("write {(lambda x: ...)}",))
    return None


_CHECKS = (
    _indentation, _field, _foreign, _imports, _star, _assignment, _conditional, _lost_clause, _colon, _comprehension,
    _comma, _keyword,
)  # fmt: skip
