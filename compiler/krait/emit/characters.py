"""Characters as numbers: a text that can only be one character of another text, and is compared, needs no object.

In: the functions of a program. Out: the same, in which variables that get nothing but characters (`s[i]`, what a loop
over a text gives, a literal of one) have their code point beside them or in their place, and comparisons, `ord`, `in`
of a literal and the questions (`c.isdigit()`) ask that.

Invariant: what is evaluated, and in which order, stays the same.
"""

from __future__ import annotations

from collections import Counter

from krait.check import hir
from krait.check.types import BOOL, INT, U32, Instance, Local, Type, resolve

_ORDERS = {"__eq__": "i32.eq", "__lt__": "i32.lt_u", "__le__": "i32.le_u", "__gt__": "i32.gt_u", "__ge__": "i32.ge_u"}
_LIMITS = {"_is_below": "i32.lt_u", "_is_up_to": "i32.le_u"}
_QUESTIONS = {
    "isalnum": "is_alnum",
    "isalpha": "is_alpha",
    "isdecimal": "is_decimal",
    "isdigit": "is_digit",
    "islower": "is_lower",
    "isnumeric": "is_numeric",
    "isspace": "is_space",
    "isupper": "is_upper",
}
"""Methods of texts, and the functions of `krait.unicode` that say the same of a character."""
_ASKING = frozenset((*_ORDERS, *_LIMITS, *_QUESTIONS, "_is_among"))


def unpack_characters(program: hir.Program) -> None:
    """Change the trees of a program."""
    helpers = {
        instance.decl.name: instance
        for instance in program.functions
        if instance.decl.module.name in ("krait.text", "krait.unicode") and instance.decl.owner is None
    }
    for function in program.functions.values():
        _Unpacking(program, function, helpers).run()


class _Unpacking:
    """One function.  helpers: functions of the library, by name.

    points: the variables for the code points of others.  needed: those of which the text is needed too.
    """

    def __init__(self, program: hir.Program, function: hir.Function, helpers: dict[str, Instance]) -> None:
        self.function = function
        self.helpers = helpers
        self.text: Type = program.support.text
        self.owner = program.support.text.decl
        self.at = self.owner.methods["_at"]
        self.item = self.owner.methods["__getitem__"]
        self.points: dict[Local, Local] = {}
        self.needed: set[Local] = set()

    def run(self) -> None:
        calls = [node for node in hir.walk(self.function.body) if isinstance(node, hir.Call) and self.asks(node)]
        if calls:
            self.find_variables(calls)
            hir.rewrite(self.function.body, self.expression, self.block)

    # --- which variables ---------------------------------------------------------------------------------------------

    def find_variables(self, calls: list[hir.Call]) -> None:
        """Find the variables that get characters only; of those, the ones that are asked for what a number knows."""
        assigned: dict[Local, list[hir.Expr]] = {}
        reads: Counter[Local] = Counter()
        found: set[Local] = set()
        excluded: set[Local] = set(self.function.params)
        for node in hir.walk(self.function.body):
            match node:
                case hir.Assign(local=local, value=value):
                    assigned.setdefault(local, []).append(value)
                    if local.type is not None and resolve(local.type) == self.text and not local.needs_flag:
                        found.add(local)
                case hir.LocalGet(local=local):
                    reads[local] += 1
                case hir.Handle(caught=local):
                    excluded.add(local)
                case _:
                    pass
        found -= excluded
        wrong: set[Local] | None = None
        while wrong is None or wrong:
            wrong = {local for local in found if not all(self.is_character(each, found) for each in assigned[local])}
            found -= wrong
        asked: Counter[Local] = Counter()
        for call in calls:
            operands = call.args[:2] if call.callee.decl.name in _ORDERS else call.args[:1]
            if all(self.is_character(operand, found) for operand in operands):
                asked.update(operand.local for operand in operands if isinstance(operand, hir.LocalGet))
        useful = set(asked)
        pending = list(useful)
        handed: Counter[Local] = Counter()
        for local in pending:
            for value in assigned[local]:
                if isinstance(value, hir.LocalGet):
                    handed[value.local] += 1
                    if value.local not in useful:
                        useful.add(value.local)
                        pending.append(value.local)
        for local in useful:
            self.points[local] = Local("$", U32)
            self.function.locals.append(self.points[local])
            if asked[local] + handed[local] < reads[local]:
                self.needed.add(local)

    def is_character(self, value: hir.Expr, variables: set[Local]) -> bool:
        match value:
            case hir.LocalGet(local=local):
                return local in variables
            case hir.Text(value=text):
                return len(text) == 1
            case hir.Call(callee=callee):
                return callee.decl is self.item or callee.decl is self.at
            case _:
                return False

    def asks(self, call: hir.Call) -> bool:
        """Return whether a call asks of a text what can be asked of a character."""
        decl = call.callee.decl
        if decl.owner is not self.owner:
            return decl.name == "ord" and decl.module.name == "krait.builtins"
        if decl.name == "_is_short":
            return isinstance(call.args[1], hir.Const) and call.args[1].value == 1
        return decl.name in _ASKING

    # --- the trees ---------------------------------------------------------------------------------------------------

    def point(self, value: hir.Expr) -> hir.Expr | None:
        """Return the code point of a text that is certainly a character, None for others."""
        match value:
            case hir.LocalGet(local=local) if local in self.points:
                return hir.LocalGet(U32, self.points[local])
            case hir.Text(value=text) if len(text) == 1:
                return hir.Const(U32, ord(text))
            case hir.Call(callee=callee, args=[text, index]) if callee.decl is self.at:
                return self.code_point(text, index, value.line)
            case hir.Call(callee=callee, args=[text, index]) if callee.decl is self.item:
                kept, place = Local("$", self.text), Local("$", U32)
                self.function.locals += [kept, place]
                owner = hir.LocalGet(self.text, kept)
                at = hir.Call(U32, Instance(self.owner.methods["_position"]), [owner, index], value.line)
                body: hir.Block = [hir.Assign(0, kept, text), hir.Assign(0, place, at)]
                return hir.Let(U32, body, self.code_point(owner, hir.LocalGet(U32, place), value.line))
            case _:
                return None

    def code_point(self, text: hir.Expr, index: hir.Expr, line: int) -> hir.Expr:
        return hir.Call(U32, self.helpers["code_point"], [text, index], line)

    def expression(self, node: hir.Expr) -> hir.Expr:
        """Ask the number where the text is a character."""
        if not isinstance(node, hir.Call) or not self.asks(node):
            return node
        first = self.point(node.args[0])
        if first is None:
            return node
        name = node.callee.decl.name
        if name in _ORDERS:
            second = self.point(node.args[1])
            return node if second is None else hir.Op(BOOL, _ORDERS[name], [first, second])
        if name == "ord":
            return hir.Op(INT, "i64.extend_i32_u", [first])
        if name in _LIMITS:
            return hir.Op(BOOL, _LIMITS[name], [first, node.args[1]])
        if name == "_is_short":
            word = node.args[2]
            assert isinstance(word, hir.Const) and isinstance(word.value, int)
            return hir.Op(BOOL, "i32.eq", [first, hir.Const(U32, word.value >> 32)])
        if name == "_is_among":
            return hir.Call(BOOL, self.helpers["is_among"], [first, *node.args[1:3]], node.line)
        return hir.Call(BOOL, self.helpers[_QUESTIONS[name]], [first], node.line)

    def block(self, statements: list[hir.Stmt]) -> list[hir.Stmt]:
        """Have variables get their numbers."""
        out: list[hir.Stmt] = []
        for node in statements:
            if not isinstance(node, hir.Assign) or node.local not in self.points:
                out.append(node)
                continue
            point = self.point(node.value)
            assert point is not None
            number = self.points[node.local]
            out.append(hir.Assign(node.line, number, point))
            if node.local in self.needed:
                made = hir.Call(self.text, self.helpers["single"], [hir.LocalGet(U32, number)], node.line)
                out.append(hir.Assign(0, node.local, made))
        return out

