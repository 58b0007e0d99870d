"""Statements of generated programs: all end, whatever the values; loops are short, and what grows in them is cut.

In: how many, and how deep they nest. Out: lines. Variables of a block are unknown behind it, but for a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

from tests.fuzz.krait.expressions import COST, Expressions, Function, Param, Variable
from tests.fuzz.krait.kinds import BOOL, FLOAT, INT, NONE, STR, Kind
from tests.fuzz.krait.phrases import DO

__all__ = ["Statements"]

_ERRORS = (
    "ValueError", "IndexError", "KeyError", "ZeroDivisionError", "OverflowError", "LookupError", "ArithmeticError",
    "Exception", "(IndexError, KeyError)", "(ValueError, ArithmeticError)", "AssertionError", "TypeError",
)  # fmt: skip


class Statements(Expressions):
    """Writes statements.  result: what the function around returns, None outside of one; loops: how many are around."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.lines: list[str] = []
        self.depth = 0
        self.result: Kind | None = None
        self.loops = 0
        self.inside = 0
        self.is_generator = False
        self.errors: list[str] = []
        """Names of the program's own exceptions."""
        self.managers: list[str] = []
        """Names of classes that `with` takes, made with a text."""
        self.yields: list[Function] = []
        """Generator functions; `result` is the kind of what they give."""

    def of(self, kind: Kind, depth: int = 2) -> str:
        """See `Expressions`; what could double in a loop is cut."""
        made = super().of(kind, depth)
        is_name = made.replace(".", "").isidentifier()
        if self.multiplicity > 1 and kind.name in ("str", "list", "many") and not is_name and len(made) > 12:
            return f"{made}[:{self.random.choice((5, 20, 24))}]"
        return made

    # Lines

    def emit(self, text: str) -> None:
        """A line at the depth of now."""
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, head: str, variables: Sequence[Variable] = (), times: int = 1) -> Iterator[None]:
        """A line that ends in a colon, and what is indented below it."""
        self.emit(head)
        self.depth += 1
        before = len(self.lines)
        with self.scope(variables, times):
            yield
        if len(self.lines) == before:
            self.emit("pass")
        self.depth -= 1

    def body(self, count: int, nest: int) -> None:
        """Some statements; none behind one that leaves."""
        for _ in range(count):
            if self.cost > COST or not self.statement(nest):
                break

    def statement(self, nest: int) -> bool:
        """One statement, and whether control reaches what is behind it."""
        choice = self.random.random()
        if choice < 0.03 and self.inside:
            return self.leave()
        if nest <= 0 or self.random.random() < 0.6:
            self.random.choice(self.simple)(self)
        else:
            self.random.choice(self.compound)(self, nest)
        return True

    def leave(self) -> bool:
        """`break`, `continue`, `return`; False."""
        choice = self.random.random()
        if self.loops and choice < 0.7:
            self.emit("break" if choice < 0.35 else "continue")
        elif self.is_module_level:
            self.emit('raise ValueError("end")')
        else:
            self.give_back()
        return False

    def give_back(self) -> None:
        """`return`, with what the function returns."""
        if self.is_generator or self.result in (None, NONE):
            self.emit("return")
        else:
            assert self.result is not None
            self.emit(f"return {self.tidy(self.argument(self.result, 2))}")

    # Simple statements

    def declare(self) -> None:
        """A new variable."""
        kind = self.kind(2)
        choice = self.random.random()
        name = self.fresh(self.random.choice("xyzuvw"))
        if choice < 0.06:
            kind = Kind("optional", (self.random.choice((INT, STR, self.kind(1))),))
            self.emit(f"{name}: {kind} = {self.literal(kind)}")
        elif choice < 0.12:
            kind = Kind("callable", (*(self.kind(0) for _ in range(self.random.randint(0, 2))), self.kind(1)))
            self.emit(f"{name}: {kind} = {self.function_value(kind)}")
        elif choice < 0.18 and kind.name in ("list", "dict", "set"):
            self.emit(f"{name}: {kind} = {'set()' if kind.name == 'set' else '[]' if kind.name == 'list' else '{}'}")
        elif choice < 0.23:
            kind = INT
            self.emit(f"{name} = {self.large()}")
        else:
            note = f": {kind}" if self.random.random() < 0.3 else ""
            self.emit(f"{name}{note} = {self.tidy(self.of(kind, 3))}")
        self.scopes[-1].append(Variable(name, kind))

    def assign(self) -> None:
        """A new value for a variable."""
        found = [
            variable for variable in self.variables(free=True) if variable.kind.name not in ("callable", "optional")
        ]
        if not found:
            return self.declare()
        variable = self.random.choice(found)
        self.emit(f"{variable.name} = {self.tidy(self.of(variable.kind, 3))}")
        return None

    def do(self) -> None:
        """A statement by a phrase."""
        for _ in range(30):
            row, bound = self.random.choice(self.phrases(DO))
            if row.text.startswith(("raise", "assert")) and self.random.random() < 0.8:
                continue
            made = self.phrase(row, dict(bound), 2)
            if made is not None:
                self.emit(made)
                return
        self.show()

    def can_show(self, kind: Kind) -> bool:
        """Whether a text of a kind's value is the same in every run."""
        parts = list(kind.parts())
        if any(part.name == "callable" for part in parts):
            return False
        sets = [part for part in parts if part.name in ("set", "frozenset")]
        return not any(inner in (STR,) or inner.name in self.world.classes for part in sets for inner in part.parts())

    def show(self) -> None:
        """`print` of variables and expressions."""
        texts = []
        for _ in range(self.random.randint(1, 3)):
            found = [variable for variable in self.variables() if self.can_show(variable.kind)]
            if found and self.random.random() < 0.6:
                texts.append(self.random.choice(found).name)
            else:
                kind = self.kind(2)
                texts.append(self.tidy(self.of(kind, 3)) if self.can_show(kind) else self.of(INT, 2))
        ending = self.random.choice(("", "", "", "", ', end=" "', ', sep="-"', ', end="|\\n"'))
        self.emit(f"print({', '.join(texts)}{ending})")

    def unpack(self) -> None:
        """Targets with a comma, or a star."""
        choice = self.random.random()
        names = [self.fresh("p") for _ in range(self.random.choice((2, 2, 3)))]
        if choice < 0.6:
            kinds = [self.kind(1) for _ in names]
            if choice < 0.3 and (pairs := [kind for kind in self.ordered() if kind.name == "tuple"]):
                kinds = [*self.random.choice(pairs).items]
                names = [self.fresh("p") for _ in kinds]
            source = (
                self.of(Kind("tuple", tuple(kinds)), 2)
                if choice < 0.3
                else ", ".join(self.of(kind, 2) for kind in kinds)
            )
            self.emit(f"{', '.join(names)} = {source}")
            made = [Variable(name, kind) for name, kind in zip(names, kinds, strict=True)]
        elif choice < 0.8:
            kind = self.listed()
            star = self.random.randrange(len(names))
            targets = ", ".join("*" * (at == star) + name for at, name in enumerate(names))
            self.emit(f"{targets} = {self.of(Kind('list', (kind,)), 2)}")
            made = [Variable(name, Kind("list", (kind,)) if at == star else kind) for at, name in enumerate(names)]
        else:
            kinds = [self.kind(1) for _ in range(3)]
            names = [*names, self.fresh("p")][:3]
            pair = Kind("tuple", (kinds[0], Kind("tuple", (kinds[1], kinds[2]))))
            self.emit(f"{names[0]}, ({names[1]}, {names[2]}) = {self.of(pair, 2)}")
            made = [Variable(name, kind) for name, kind in zip(names, kinds, strict=True)]
        self.scopes[-1].extend(made)

    def several(self) -> None:
        """One value for two names."""
        kind, names = self.kind(1), [self.fresh("m"), self.fresh("m")]
        self.emit(f"{names[0]} = {names[1]} = {self.tidy(self.of(kind, 2))}")
        self.scopes[-1].extend(Variable(name, kind) for name in names)

    def change_field(self) -> None:
        """A new value for a field of an object."""
        found = [(variable, field) for variable in self.variables() if variable.kind.name in self.world.classes
                 and "frozen" not in self.world.classes[variable.kind.name].traits
                 for field in self.world.classes[variable.kind.name].fields]  # fmt: skip
        if not found:
            return self.do()
        variable, field = self.random.choice(found)
        place = f"{variable.name}.{field.name}"
        if field.kind in (INT, FLOAT) and self.random.random() < 0.5:
            self.emit(f"{place} {self.random.choice(('+=', '-=', '*='))} {self.of(field.kind, 2)}")
        else:
            self.emit(f"{place} = {self.tidy(self.argument(field.kind, 2))}")
        return None

    simple: tuple[Callable[[Statements], None], ...] = (
        declare, declare, declare, assign, do, do, do, do, show, show, unpack, several, change_field)  # fmt: skip

    def listed(self) -> Kind:
        """A kind that this program has lists of."""
        return self.random.choice([kind.items[0] for kind in self.ordered() if kind.name == "list"])

    # Compound statements

    def branch(self, nest: int) -> None:
        """`if`, with what belongs to it."""
        walrus = self.fresh("h")
        if self.random.random() < 0.15:
            kind = self.random.choice((INT, STR))
            self.emit(f"if ({walrus} := {self.of(kind, 2)}):")
            self.scopes[-1].append(Variable(walrus, kind))
        else:
            self.emit(f"if {self.tidy(self.of(BOOL, 3))}:")
        self.inner(nest)
        while self.random.random() < 0.25:
            self.emit(f"elif {self.tidy(self.of(BOOL, 2))}:")
            self.inner(nest)
        if self.random.random() < 0.5:
            self.emit("else:")
            self.inner(nest)

    def inner(self, nest: int, variables: Sequence[Variable] = (), times: int = 1) -> None:
        """A block of some statements; its variables leak now and then, and may then have no value."""
        self.depth += 1
        self.inside += 1
        before = len(self.lines)
        with self.scope(variables, times):
            self.body(self.random.choice((1, 1, 1, 2, 2)), nest - 1)
            leaked = [
                variable for variable in self.scopes[-1] if self.random.random() < 0.04 and variable not in variables
                and variable.kind.name != "optional"  # functions share it, and do not see what is known of it
            ]
        self.scopes[-1].extend(leaked)
        if len(self.lines) == before:
            self.emit("pass")
        self.inside -= 1
        self.depth -= 1

    def narrow(self, nest: int) -> None:
        """An optional variable of the function's own level, and what is known of it in a branch."""
        found = [variable for scope in self.scopes[:2] for variable in scope if variable.kind.name == "optional"]
        if not found:
            return self.branch(nest)
        variable = self.random.choice(found)
        known = [Variable(variable.name, variable.kind.items[0], fixed=True, known=True)]
        is_none = self.random.random() < 0.5
        self.emit(f"if {variable.name} {'is' if is_none else 'is not'} None:")
        self.inner(nest, [] if is_none else known)
        self.emit("else:")
        self.inner(nest, known if is_none else [])
        return None

    def loop(self, nest: int) -> None:
        """`for`, over anything."""
        name, other = self.fresh("i"), self.fresh("j")
        item = self.listed()
        many, dicts = Kind("list", (item,)), [variable for variable in self.variables() if variable.kind.name == "dict"]
        pair = [(name, item), (other, INT)]
        choices: list[tuple[Callable[[], str], list[tuple[str, Kind]]]] = [
            (self.range, [(name, INT)]),
            (self.range, [(name, INT)]),
            (lambda: f"range({self.leaf(INT)} % 5)", [(name, INT)]),
            (lambda: f"list({self.of(many, 2)})", [(name, item)]),
            (lambda: f"{self.of(many, 1)}[:4]", [(name, item)]),
            (lambda: f"{self.of(STR, 2)}[:5]", [(name, STR)]),
            (lambda: f"enumerate({self.of(many, 1)}[:4])", [(name, INT), (other, item)]),
            (lambda: f"enumerate({self.of(STR, 1)}[:4], {self.leaf(INT)} % 100)", [(name, INT), (other, STR)]),
            (lambda: f"zip({self.of(many, 1)}[:4], {self.of(Kind('list', (INT,)), 1)})", pair),
            (lambda: f"zip({self.of(many, 1)}, {self.range()})", pair),
            (lambda: f"reversed({self.of(many, 1)}[-4:])", [(name, item)]),
            (lambda: f"sorted({self.of(Kind('list', (INT,)), 1)})[:4]", [(name, INT)]),
            (lambda: f"sorted({self.of(Kind('set', (INT,)), 1)})[:5]", [(name, INT)]),
            (lambda: f"[({self.of(item, 1)}, {self.of(INT, 1)}), ({self.of(item, 1)}, 0)]", pair),
            (lambda: f"({self.of(item, 1)}, {self.of(item, 1)}, {self.of(item, 1)})", [(name, item)]),
        ]
        if dicts:
            text, (key, value) = (found := self.random.choice(dicts)).name, found.kind.items
            choices += [(lambda: f"list({text})[:5]", [(name, key)]),
                        (lambda: f"{text}.copy().items()", [(name, key), (other, value)]),
                        (lambda: f"list({text}.values())[:5]", [(name, value)])]  # fmt: skip
        generators = [each for each in self.yields if self.cost + each.cost * self.multiplicity * 4 < COST]
        if generators:
            function = self.random.choice(generators)
            choices += [
                (lambda: f"{function.name}({self.arguments(function.params, 1)})", [(name, function.result)])
            ] * 3
        source, variables = self.random.choice(choices)
        target = ", ".join(each for each, _ in variables)
        fixed = self.random.random() < 0.8
        self.emit(f"for {target} in {source()}:")
        self.loops += 1
        self.inner(nest, [Variable(each, kind, fixed) for each, kind in variables], 4)
        self.loops -= 1
        self.otherwise(nest)

    def growing_loop(self, nest: int) -> None:
        """`for` over a list that its body may change, with an end for that."""
        found = [variable for variable in self.variables() if variable.kind.name == "list"]
        if not found:
            return self.loop(nest)
        variable, name = self.random.choice(found), self.fresh("i")
        self.emit(f"for {name} in {variable.name}:")
        self.emit(f"    if len({variable.name}) > {self.random.randint(5, 9)}:")
        self.emit("        break")
        self.loops += 1
        self.inner(nest, [Variable(name, variable.kind.items[0], fixed=True)], 6)
        self.loops -= 1
        return None

    def indices(self, nest: int) -> None:
        """`for` over indices of lists, which may go past an end, or before the start; they may change."""
        lists = [Kind("list", (kind,)) for kind in (INT, FLOAT, BOOL)]
        found = [each for each in self.variables() if each.kind in lists]
        if not found:
            return self.loop(nest)
        xs, ys, name = self.random.choice(found), self.random.choice(found), self.fresh("i")
        ends = [f"len({xs.name})", f"len({ys.name})", f"len({xs.name}) - 1", f"min(len({xs.name}), len({ys.name}))"]
        low = self.random.choice(("0", "0", "1", "2", "-1", f"{self.leaf(INT)} % 3"))
        high = self.random.choice((*ends, *ends, "17", f"{self.leaf(INT)} % 9"))
        bounds = self.random.choice((
            high, f"{low}, {high}", f"{low}, {high}", f"{low}, {high}, {self.random.randint(1, 3)}",
            f"{high} - 1, {low} - 1, -1", f"{high}, {low}, -{self.random.randint(1, 2)}",
        ))  # fmt: skip
        guarded = self.random.random() < 0.7
        if guarded:
            self.emit("try:")
            self.depth += 1
        self.emit(f"for {name} in range({bounds}):")
        self.depth += 1
        self.loops += 1
        with self.scope([Variable(name, INT, fixed=True)], 6):
            for _ in range(self.random.choice((1, 1, 2, 3))):
                self.access(xs, ys, name, nest)
        self.loops -= 1
        self.depth -= 1
        if guarded:
            self.depth -= 1
            self.emit("except (IndexError, OverflowError, ZeroDivisionError) as wrong:")
            self.emit(f"    print(wrong, {xs.name}, {ys.name})")
        return None

    def access(self, xs: Variable, ys: Variable, name: str, nest: int) -> None:
        """Something with items of two lists, near an index or at one that the loop does not change."""

        def item(of: Variable) -> str:
            place = self.random.choice((name, name, name, f"{name} + 1", f"{name} - 1", f"{name} - 2", "0", "-1"))
            return f"{of.name}[{self.leaf(INT) if self.random.random() < 0.1 else place}]"

        kind = xs.kind.items[0]
        choice = self.random.random()
        if choice < 0.1:
            self.body(1, nest - 1)
        elif choice < 0.25:
            self.emit(f"if {self.tidy(self.of(BOOL, 1))}:")
            self.depth += 1
            self.access(xs, ys, name, nest)
            self.depth -= 1
        elif choice < 0.4:
            self.emit(f"print({item(xs)}, {item(ys)})")
        elif choice < 0.5 and ys.kind == xs.kind:
            self.emit(f"{item(xs)}, {item(ys)} = {item(ys)}, {item(xs)}")
        elif choice < 0.6 or kind == BOOL:
            self.emit(f"{item(xs)} = {self.tidy(self.of(kind, 2))}")
        elif kind == INT:
            by = self.random.choice((name, f"{name} * 3 % 7", f"({item(xs)} & 255)", self.large(), self.of(INT, 1)))
            self.emit(f"{item(xs)} {self.random.choice(('+=', '-=', '*=', '^=', '%='))} {by}")
        else:
            self.emit(f"{item(xs)} {self.random.choice(('+=', '-=', '*='))} {item(xs)}")

    def wait(self, nest: int) -> None:
        """`while`, with a counter."""
        name = self.fresh("n")
        self.emit(f"{name} = {self.random.randint(1, 5)}")
        more = self.random.choice(("", f" and {self.of(BOOL, 2)}", f" or not {name} > -3 and {self.of(BOOL, 1)}"))
        self.emit(f"while {name} > 0{more}:")
        self.emit(f"    {name} -= 1")
        self.loops += 1
        self.inner(nest, [Variable(name, INT, fixed=True)], 4)
        self.loops -= 1
        self.otherwise(nest)
        self.scopes[-1].append(Variable(name, INT))

    def otherwise(self, nest: int) -> None:
        """`else` of a loop."""
        if self.random.random() < 0.15:
            self.emit("else:")
            self.inner(nest)

    def attempt(self, nest: int) -> None:
        """`try`, with what belongs to it."""
        self.emit("try:")
        self.inner(nest)
        has_handler = self.random.random() < 0.85
        if has_handler:
            known = len(self.scopes[-1])
            for _ in range(self.random.choice((1, 1, 2))):
                self.handler(nest)
            leaked = self.scopes[-1][known:]
            del self.scopes[-1][known:]  # what comes next in the text is not behind the handlers
            if self.random.random() < 0.2:
                self.emit("else:")
                self.inner(nest)
            self.scopes[-1].extend(leaked)
        if not has_handler or self.random.random() < 0.3:
            self.emit("finally:")
            loops, self.loops = self.loops, 0
            inside, self.inside = self.inside, 0 if self.random.random() < 0.9 else self.inside
            self.inner(nest)
            self.loops, self.inside = loops, inside

    def handler(self, nest: int) -> None:
        """`except`; it shows what it caught."""
        names = self.random.choice((*_ERRORS, *self.errors))
        if self.random.random() < 0.7:
            name = self.fresh("e")
            self.emit(f"except {names} as {name}:")
            how = self.random.choice((f"type({name}).__name__", f"repr({name})", f"str({name})", name))
            self.emit(f"    print({how}, {name})")
        else:
            self.emit(f"except {names}:")
        self.inner(nest)
        if self.random.random() < 0.08:
            self.emit("    raise")

    def manage(self, nest: int) -> None:
        """`with`, where there is a class for it."""
        if not self.managers:
            return self.branch(nest)
        name = self.fresh("r")
        tail = f" as {name}" if self.random.random() < 0.5 else ""
        self.emit(f"with {self.random.choice(self.managers)}({self.of(STR, 1)}){tail}:")
        self.inner(nest)
        return None

    def cases(self, nest: int) -> None:
        """`match`, of what it can take apart."""
        choice = self.random.randrange(4)
        enums = [found for found in self.world.classes.values() if found.members]
        if choice == 0:
            with self.block(f"match {self.of(INT, 2)}:"):
                for number in self.random.sample(range(-1, 7), 2):
                    self.emit(f"case {number} | {number + 10}:" if self.random.random() < 0.3 else f"case {number}:")
                    self.inner(nest)
                name = self.fresh("q")
                self.emit(f"case {name} if {name} > {self.leaf(INT)}:")
                self.inner(nest, [Variable(name, INT)])
                self.emit("case _:")
                self.inner(nest)
        elif choice == 1 and enums:
            found = self.random.choice(enums)
            with self.block(f"match {self.of(found.kind, 2)}:"):
                for member in found.members[: self.random.randint(1, 4)]:
                    self.emit(f"case {found.name}.{member}:")
                    self.inner(nest)
                self.emit("case _:")
                self.inner(nest)
        elif choice == 2:
            kind, names = self.listed(), [self.fresh("q") for _ in range(4)]
            many = Kind("list", (kind,))
            with self.block(f"match {self.of(many, 2)}:"):
                self.emit("case []:")
                self.inner(nest)
                self.emit(f"case [{names[0]}]:")
                self.inner(nest, [Variable(names[0], kind)])
                self.emit(f"case [{names[1]}, *{names[2]}, {names[3]}]:")
                self.inner(nest, [Variable(names[1], kind), Variable(names[2], many), Variable(names[3], kind)])
        else:
            kinds, names = (self.random.choice((INT, STR, FLOAT)), INT), [self.fresh("q") for _ in range(3)]
            with self.block(f"match {self.of(Kind('tuple', kinds), 2)}:"):
                self.emit(f"case ({names[0]}, {self.random.randint(0, 3)}):")
                self.inner(nest, [Variable(names[0], kinds[0])])
                self.emit(f"case ({names[1]}, {names[2]}):")
                self.inner(nest, [Variable(names[1], kinds[0]), Variable(names[2], INT)])

    def closure(self, nest: int) -> None:
        """A function within, that uses and changes what is around it."""
        if self.is_generator or self.depth > 4:
            return self.branch(nest)
        name = self.fresh("inner")
        params = tuple(Param(self.fresh("b"), self.kind(1)) for _ in range(self.random.randint(0, 2)))
        result = self.kind(1)
        locals_ = [
            variable for variable in self.variables(free=True) if "." not in variable.name and not self.is_module_level
        ]
        changed = self.random.sample(locals_, min(len(locals_), self.random.choice((0, 1, 1, 2))))
        changed = [
            variable
            for variable in changed
            if variable in self.scopes[-1] or variable in self.scopes[-2 if len(self.scopes) > 2 else -1]
        ]
        before, cost = (self.result, self.loops, self.inside), self.cost
        self.result, self.loops, self.inside = result, 0, 1
        with self.block(f"def {name}({', '.join(f'{p.name}: {p.kind}' for p in params)}) -> {result}:",
                        [Variable(p.name, p.kind) for p in params], 2):  # fmt: skip
            hidden = self.scopes[:-1]
            names = {variable.name for variable in changed}  # of these, what is known around it is not known in it
            self.scopes[:-1] = [
                [Variable(v.name, v.kind, fixed=v not in changed) for v in scope if v in changed or v.name not in names]
                for scope in hidden
            ]
            outer = [variable for variable in changed if not self.is_global(variable)]
            if outer:
                self.emit(f"nonlocal {', '.join(variable.name for variable in outer)}")
            self.body(self.random.randint(0, 3), min(nest, 1))
            self.give_back()
            self.scopes[:-1] = hidden
        self.result, self.loops, self.inside = before
        if self.is_module_level:  # such a function is a value, which takes arguments by position only
            params = tuple(Param("", param.kind) for param in params)
        made = Function(name, params, result, (self.cost - cost) // max(self.multiplicity, 1))
        kind = Kind("callable", (*(param.kind for param in params), result))
        self.scopes[-1].append(Variable(name, kind, fixed=True))
        text = self.called(made, "", 2)
        if text is not None and self.can_show(result):
            self.emit(f"print({text})")
        return None

    @property
    def is_module_level(self) -> bool:
        """Whether no function is around."""
        return self.result is None

    def is_global(self, variable: Variable) -> bool:
        """Whether a variable is the module's."""
        return variable in self.scopes[0] or any(variable.name == other.name for other in self.scopes[0])

    compound: tuple[Callable[[Statements, int], None], ...] = (
        branch, branch, loop, loop, loop, wait, attempt, attempt, cases, closure, narrow, narrow, manage, growing_loop,
        indices, indices,
    )  # fmt: skip
