"""Expressions of generated programs, by kind: phrases, literals, variables, calls, comprehensions, lambdas.

In: a kind and a depth. Out: text that stands anywhere (in parentheses, where it needs them). Nothing here is random but
by the generator's own `Random`, so a seed gives the same program everywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.fuzz.krait.formats import dot_format, f_string, percent, spec_of
from tests.fuzz.krait.kinds import BOOL, FLOAT, INT, STR, Kind, bind, fill
from tests.fuzz.krait.phrases import HOLE, Phrase, phrases, rows
from tests.fuzz.krait.terminals import FLOATS, LARGE, TERMINALS, WORDS

__all__ = ["Class", "Expressions", "Function", "Param", "Variable", "World"]

_LOOSE, _INTS = 0.2, 0.1
_SPOKEN = 0.18
_NEW = 0.01
COST = 4_000
"""Steps that a program takes at most, as far as they are foreseen: an expression's node is one."""


@dataclass(frozen=True)
class Variable:
    """A name in scope.  fixed: whether programs leave it as it is (the variable of a loop, a counter).

    known: it can be None elsewhere, which a lambda that has it would have to ask.
    """

    name: str
    kind: Kind
    fixed: bool = False
    known: bool = False


@dataclass(frozen=True)
class Param:
    """A parameter.  default: its text; keyword: whether it is given by name only."""

    name: str
    kind: Kind
    default: str = ""
    keyword: bool = False


@dataclass(frozen=True)
class Function:
    """What can be called: by its name, or as a method of an object."""

    name: str
    params: tuple[Param, ...]
    result: Kind
    cost: int = 10


@dataclass
class Class:
    """A class.  fields, methods: with those of its bases; init: what it is called with; traits: of "hash", "order",
    "equal"; members: of an enum."""

    name: str
    base: str = ""
    fields: list[Param] = field(default_factory=list)
    methods: list[Function] = field(default_factory=list)
    init: tuple[Param, ...] = ()
    traits: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()
    abstract: bool = False

    @property
    def kind(self) -> Kind:
        """As a kind."""
        return Kind(self.name)


@dataclass
class World:
    """What a program has defined so far."""

    functions: list[Function] = field(default_factory=list)
    classes: dict[str, Class] = field(default_factory=dict)

    def has(self, kind: Kind, trait: str) -> bool:
        """Whether values of a kind can be compared by `==` ("equal"), by order, or hashed."""
        match kind.name:
            case "int" | "float" | "str" | "bool":
                return True
            case "list":
                return trait != "hash" and self.has(kind.items[0], trait)
            case "tuple" | "many":
                return all(self.has(item, trait) for item in kind.items)
            case "set" | "dict":
                return trait == "equal"
            case "frozenset":
                return trait != "order"
        found = self.classes.get(kind.name)
        return found is not None and trait in found.traits


class Expressions:
    """Makes expressions.  multiplicity: how often what is written now runs; cost: what was written so far costs.

    loose: ints stand for floats now and then.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.loose = random.random() < _LOOSE
        self.world = World()
        self.scopes: list[list[Variable]] = [[]]
        self.names = 0
        self.multiplicity = 1
        self.cost = 0
        self.spoken = {row for row in rows if random.random() < _SPOKEN}
        """Phrases of this program: few, so that programs differ and need little of the library, which each compiles."""
        self.choices: dict[Kind, list[tuple[Phrase, tuple[tuple[str, Kind], ...]]]] = {}
        self.palette = [self.made_kind(2) for _ in range(2)]
        """Kinds with items that it has, for the same reason."""
        self.allowed = {Kind("list", (INT,)), *(part for kind in self.palette for part in kind.parts())}
        self.terminals: dict[str, Callable[[], str]] = {
            **{name: partial(self.random.choice, words) for name, words in TERMINALS.items()},
            "divisor": self.divisor,
            "dotformat": lambda: dot_format(self.random, self.quiet),
            "floatspec": lambda: f'"{spec_of(self.random, FLOAT)}"',
            "fstring": lambda: f_string(self.random, self.quiet),
            "index": self.index,
            "intspec": lambda: f'"{spec_of(self.random, INT)}"',
            "part": lambda: self.random.choice(('"a"', '"l"', '","', '" "', '"ab"', '"o W"', '"aa"', self.leaf(STR))),
            "percent": lambda: percent(self.random, self.quiet),
            "range": self.range,
            "shift": lambda: self.random.choice(
                ("0", "1", "3", "8", "31", "62", "63", "64", f"({self.leaf(INT)} & 63)")
            ),
            "slice": self.slice,
            "strspec": lambda: f'"{spec_of(self.random, STR)}"',
            "width": lambda: self.random.choice(("0", "3", "6", "11", f"({self.leaf(INT)} % 9)")),
        }

    # Names

    def fresh(self, stem: str) -> str:
        """A name that nothing has."""
        self.names += 1
        return f"{stem}{self.names}"

    @contextmanager
    def scope(self, variables: Sequence[Variable] = (), times: int = 1) -> Iterator[None]:
        """Names that are known within, and how often it runs."""
        self.scopes.append(list(variables))
        self.multiplicity *= times
        try:
            yield
        finally:
            self.multiplicity //= times
            self.scopes.pop()

    def variables(self, *, free: bool = False) -> list[Variable]:
        """All in scope; those that may be assigned to."""
        return [variable for scope in self.scopes for variable in scope if not (free and variable.fixed)]

    # Kinds

    def kind(self, depth: int = 2, need: str = "") -> Kind:
        """A kind: one with a trait, if it is asked for."""
        for _ in range(20):
            found = self._kind(depth)
            if not need or self.world.has(found, need):
                return found
        return INT

    def _kind(self, depth: int) -> Kind:
        random = self.random
        if depth <= 0 or random.random() < (0.55 if depth > 1 else 0.8):
            return random.choice((INT, INT, INT, STR, STR, FLOAT, BOOL))
        classes = [found.kind for found in self.world.classes.values() if not found.abstract]
        return random.choice(classes if classes and random.random() < 0.3 else self.palette)

    def made_kind(self, depth: int) -> Kind:
        """A new kind, with items."""
        random = self.random

        def item() -> Kind:
            plain = depth <= 1 or random.random() < 0.75
            return random.choice((INT, INT, STR, STR, FLOAT, BOOL)) if plain else self.made_kind(depth - 1)

        name = random.choice(("list", "list", "list", "dict", "dict", "set", "frozenset", "tuple", "tuple", "many"))
        match name:
            case "dict":
                return Kind(name, (random.choice((INT, STR, STR, Kind("tuple", (INT, INT)))), item()))
            case "set" | "frozenset":
                return Kind(name, (random.choice((INT, INT, STR, Kind("tuple", (INT, INT)))),))
            case "tuple":
                return Kind(name, tuple(item() for _ in range(random.choice((2, 2, 3)))))
        return Kind(name, (item(),))

    def free_kind(self, letter: str) -> Kind:
        """What a phrase's variable stands for that nothing binds: rather what is at hand."""
        need = {"H": "hash", "O": "order"}.get(letter, "")
        at_hand = [part for variable in self.variables() for part in variable.kind.parts()]
        at_hand = [kind for kind in at_hand if kind.name not in ("optional", "callable", "None")]
        if at_hand and self.random.random() < 0.7:
            found = self.random.choice(at_hand)
            if not need or self.world.has(found, need):
                return found
        return self.kind(1, need)

    def fits(self, letter: str, kind: Kind) -> bool:
        """Whether a phrase's variable may stand for a kind."""
        if kind.name in ("optional", "callable", "None"):
            return False
        if letter == "O":
            return self.world.has(kind, "order")
        return letter != "H" or self.world.has(kind, "hash")

    def ordered(self) -> list[Kind]:
        """The allowed kinds, in an order that is the same in every run."""
        return sorted(self.allowed, key=str)

    def is_new(self, kind: Kind) -> bool:
        """Whether a kind would be one more in this program."""
        if not kind.items or kind.name in ("optional", "callable") or kind in self.allowed:
            return False
        if self.random.random() < _NEW:
            self.allowed.add(kind)
            return False
        return True

    # Expressions

    def of(self, kind: Kind, depth: int = 2) -> str:
        """An expression of a kind."""
        self.cost += self.multiplicity
        if kind == FLOAT and self.loose and self.random.random() < _INTS:
            kind = INT  # which stands for a float and stays an int
        if depth <= 0 or self.random.random() < 0.1:
            return self.leaf(kind)
        for _ in range(12):
            if self.random.random() < 0.1:
                made = self.random.choice((self.call, self.member, self.comprehension, self.narrowed, self.special))(
                    kind, depth
                )
            else:
                made = None
                if choices := self.phrases(kind):
                    row, bound = self.random.choice(choices)
                    made = self.phrase(row, dict(bound), depth)
            if made is not None and not ("lambda" in made and self.names_known(made)):
                return made
        return self.leaf(kind)

    def names_known(self, text: str) -> bool:
        """Whether an expression has a variable that is known not to be None."""
        known = {variable.name for variable in self.variables() if variable.known}
        return any(isinstance(node, ast.Name) and node.id in known for node in ast.walk(ast.parse(text)))

    def phrases(self, kind: Kind) -> list[tuple[Phrase, tuple[tuple[str, Kind], ...]]]:
        """The phrases of this program that can have a kind."""
        if kind not in self.choices:
            self.choices[kind] = [choice for choice in phrases(kind) if choice[0] in self.spoken]
        return self.choices[kind]

    def phrase(self, row: Phrase, bound: dict[str, Kind], depth: int) -> str | None:
        """A phrase with its holes filled; None if it cannot be."""
        for prefix, hole in row.holes:
            if not prefix:
                continue
            found = [(variable, more) for variable in self.variables(free=prefix == "=")
                     if (more := bind(hole, variable.kind, bound)) is not None]  # fmt: skip
            if not found:
                return None
            bound = self.random.choice(found)[1]
        for _, hole in row.holes:
            for part in hole.parts():
                if part.is_variable and part.name not in bound:
                    bound[part.name] = self.free_kind(part.name)
        if not all(self.fits(letter, kind) for letter, kind in bound.items()):
            return None
        if any(self.is_new(fill(hole, bound)) for _, hole in row.holes if hole.name not in self.terminals):
            return None
        texts = []
        for prefix, hole in row.holes:
            text = self.hole(prefix, hole, bound, depth)
            if text is None:
                return None
            texts.append(text)
        filled = iter(texts)
        return HOLE.sub(lambda _: next(filled), row.text)

    def hole(self, prefix: str, hole: Kind, bound: dict[str, Kind], depth: int) -> str | None:
        """What stands in a hole."""
        if hole.name in self.terminals:
            return self.terminals[hole.name]()
        kind = fill(hole, bound)
        if prefix:
            names = [variable.name for variable in self.variables(free=prefix == "=") if variable.kind == kind]
            return self.random.choice(names) if names else None
        return self.of(kind, depth - 1)

    def leaf(self, kind: Kind) -> str:
        """A variable or a literal."""
        names = [variable.name for variable in self.variables() if variable.kind == kind]
        if names and self.random.random() < 0.75:
            return self.random.choice(names)
        return self.literal(kind)

    def quiet(self, kind: Kind) -> str:
        """An expression that can stand in an f-string: a variable, or a short one of numbers."""
        names = [variable.name for variable in self.variables() if variable.kind == kind]
        if names and self.random.random() < 0.6:
            return self.random.choice(names)
        if kind == STR:
            return self.random.choice(names) if names else f"str({self.random.randint(0, 99)})"
        if kind == FLOAT:
            return self.random.choice(("2.5", "0.1 + 0.2", "1e100", "-0.0", "1234567.891", "1e-5", "5 / 3", "100.0"))
        if kind == BOOL:
            return self.random.choice(("True", "1 < 2", "not True"))
        return self.random.choice(("42", "-7 + 2", "10 ** 6", "0", "255", "1234567", "-1", "65"))

    def literal(self, kind: Kind) -> str:
        """A literal, or the call of a class."""
        random = self.random
        match kind.name:
            case "int":
                return self.integer()
            case "float":
                text = (
                    random.choice(FLOATS)
                    if random.random() < 0.6
                    else repr(random.randint(-999, 999) / random.choice((1, 4, 10)))
                )
                return f"({text})" if "/" in text else text
            case "bool":
                return random.choice(("True", "False"))
            case "str":
                return f'"{random.choice(WORDS)}"'
            case "list":
                return f"[{', '.join(self.leaf(kind.items[0]) for _ in range(random.randint(1, 4)))}]"
            case "dict":
                pairs = (f"{self.leaf(kind.items[0])}: {self.leaf(kind.items[1])}" for _ in range(random.randint(1, 3)))
                return "{" + ", ".join(pairs) + "}"
            case "set":
                return "{" + ", ".join(self.leaf(kind.items[0]) for _ in range(random.randint(1, 4))) + "}"
            case "frozenset":
                return f"frozenset([{self.leaf(kind.items[0])}, {self.leaf(kind.items[0])}])"
            case "tuple":
                return f"({', '.join(self.leaf(item) for item in kind.items)})"
            case "many":
                return f"tuple([{', '.join(self.leaf(kind.items[0]) for _ in range(random.randint(1, 3)))}])"
            case "optional":
                return f"({self.leaf(kind.items[0])} if {self.leaf(INT)} % 2 else None)"
            case "callable":
                return self.function_value(kind)
        found = self.world.classes[kind.name]
        if found.members:
            return f"{found.name}.{random.choice(found.members)}"
        return f"{found.name}({self.arguments(found.init, 0)})"

    def integer(self) -> str:
        """A literal."""
        choice = self.random.random()
        if choice < 0.72:
            return str(self.random.randint(0, 12))
        if choice < 0.86:
            return f"({self.random.randint(-12, -1)})"
        return str(self.random.randint(13, 5000))

    def large(self) -> str:
        """A literal at which something changes: for variables, since arithmetic with literals alone is done at once."""
        return self.random.choice(LARGE)

    def divisor(self) -> str:
        """Mostly not zero."""
        if self.random.random() < 0.85:
            return self.random.choice(("1", "2", "3", "7", "10", "(-1)", "(-3)", "16", "100"))
        return self.leaf(INT)

    def index(self) -> str:
        """Mostly within."""
        choice = self.random.random()
        if choice < 0.6:
            return self.random.choice(("0", "0", "-1"))
        return str(self.random.randint(-4, 4)) if choice < 0.85 else self.leaf(INT)

    def slice(self) -> str:
        """A slice's inside."""

        def bound() -> str:
            return self.random.choice(("", "", "0", "1", "2", "-1", "-2", "5", self.leaf(INT)))

        step = self.random.choice(("", "", "", ":", ":2", ":-1", ":-2", ":3", f":{self.leaf(INT)}"))
        return f"{bound()}:{bound()}{step}"

    def range(self) -> str:
        """A short range."""
        least, step = self.random.randint(-9, 9), self.random.choice((1, 1, 2, 3, -1, -2, 7))
        most = least + step * self.random.randint(-1, 6) + self.random.choice((0, 0, 1))
        return self.random.choice((f"range({least}, {most}, {step})", f"range({self.random.randint(-1, 6)})",
                                   f"range({self.leaf(INT)} % 6)", f"range({least}, {least + 4})"))  # fmt: skip

    # Calls

    def arguments(self, params: Sequence[Param], depth: int) -> str:
        """What a call gives: by place, then by name."""
        given, by_name = [], False
        for param in params:
            if param.default and self.random.random() < 0.5:
                by_name = True
                continue
            by_name = by_name or param.keyword or (param.name != "" and self.random.random() < 0.1)
            given.append((f"{param.name}=" if by_name else "") + self.argument(param.kind, depth))
        return ", ".join(given)

    def argument(self, kind: Kind, depth: int) -> str:
        """A value for a parameter, which may also be None where that is allowed."""
        if kind.name == "optional":
            choice = self.random.random()
            return "None" if choice < 0.3 else self.of(kind.items[0], depth) if choice < 0.6 else self.leaf(kind)
        return self.of(kind, depth)

    def called(self, function: Function, prefix: str, depth: int) -> str | None:
        """A call, unless it would take too long."""
        if self.cost + function.cost * self.multiplicity > COST:
            return None
        self.cost += function.cost * self.multiplicity
        return f"{prefix}{function.name}({self.arguments(function.params, depth - 1)})"

    def call(self, kind: Kind, depth: int) -> str | None:
        """A call of one of the program's functions, or of a function in a variable."""
        held = [
            variable
            for variable in self.variables()
            if variable.kind.name == "callable" and variable.kind.items[-1] == kind
        ]
        if held and self.random.random() < 0.4:
            variable = self.random.choice(held)
            return f"{variable.name}({', '.join(self.of(item, depth - 1) for item in variable.kind.items[:-1])})"
        found = [(function, bound) for function in self.world.functions
                 if (bound := bind(function.result, kind, {})) is not None]  # fmt: skip
        if not found:
            return None
        function, bound = self.random.choice(found)
        params = []
        for param in function.params:
            for part in param.kind.parts():
                if part.is_variable and part.name not in bound:
                    bound[part.name] = self.kind(1, "hash" if part.name in "HK" else "")
            params.append(Param(param.name, fill(param.kind, bound), param.default, param.keyword))
        return self.called(Function(function.name, tuple(params), kind, function.cost), "", depth)

    def member(self, kind: Kind, depth: int) -> str | None:
        """A field or the call of a method of an object."""
        found: list[tuple[Class, Function | Param]] = []
        for each in self.world.classes.values():
            found += [(each, field) for field in each.fields if field.kind == kind]
            found += [(each, method) for method in each.methods if method.result == kind]
        if not found:
            return None
        owner, what = self.random.choice(found)
        names = [variable.name for variable in self.variables() if variable.kind == owner.kind]
        if not names and (owner.abstract or self.random.random() < 0.5):
            return None
        text = self.random.choice(names) if names else self.leaf(owner.kind)
        if isinstance(what, Param):
            return f"{text}.{what.name}"
        if what.name.startswith("__"):
            return operator_call(self, what, text, depth)
        return self.called(what, f"{text}.", depth)

    def function_value(self, kind: Kind) -> str:
        """A lambda, or the name of a function."""
        *params, result = kind.items
        names = [function.name for function in self.world.functions
                 if function.result == result and [param.kind for param in function.params] == params
                 and not any(param.keyword for param in function.params)]  # fmt: skip
        if names and self.random.random() < 0.4:
            return self.random.choice(names)
        variables = [Variable(self.fresh("a"), item, fixed=True) for item in params]
        with self.scope(variables, 3):
            body = self.of(result, 1)
        return f"(lambda {', '.join(variable.name for variable in variables)}: {body})".replace("lambda :", "lambda:")

    # What has names of its own

    def comprehension(self, kind: Kind, depth: int) -> str | None:
        """A list, set or dict comprehension, or a generator in a function that takes one."""
        item = self.random.choice([kind.items[0] for kind in self.ordered() if kind.name == "list"])
        source = self.of(Kind("list", (item,)), depth - 1)
        name = self.fresh("c")
        if self.multiplicity * 4 * 20 + self.cost > COST:
            return None
        with self.scope([Variable(name, item, fixed=True)], 4):
            tail = f"for {name} in {source}" + (f" if {self.of(BOOL, 1)}" if self.random.random() < 0.4 else "")
            match kind.name:
                case "list":
                    return f"[{self.of(kind.items[0], depth - 1)} {tail}]"
                case "set":
                    return f"{{{self.of(kind.items[0], depth - 1)} {tail}}}"
                case "dict":
                    return f"{{{self.of(kind.items[0], depth - 1)}: {self.of(kind.items[1], depth - 1)} {tail}}}"
                case "int" | "float":
                    function = self.random.choice(("sum", "max", "min"))
                    start = ", 0.0" if kind == FLOAT else ""
                    text = f"[{self.of(kind, depth - 1)} {tail}]"
                    return f"{function}({text}{start if function == 'sum' else ''})"
                case "bool":
                    return f"{self.random.choice(('any', 'all'))}({self.of(BOOL, depth - 1)} {tail})"
                case "str":
                    return f'",".join({self.of(STR, depth - 1)} {tail})'
                case "many":
                    return f"tuple({self.of(kind.items[0], depth - 1)} {tail})"
        return None

    def narrowed(self, kind: Kind, depth: int) -> str | None:
        """An optional variable, asked whether it is None."""
        names = [variable.name for variable in self.variables() if variable.kind == Kind("optional", (kind,))]
        if not names:
            return None
        name = self.random.choice(names)
        other = self.of(kind, depth - 1)
        return self.random.choice(
            (f"({name} if {name} is not None else {other})", f"({other} if {name} is None else {name})")
        )

    def special(self, kind: Kind, depth: int) -> str | None:
        """Orders by a key, functions applied at once, objects told apart."""
        if kind.name == "list":
            name, key = self.fresh("k"), self.kind(1, "order")
            source = self.of(kind, depth - 1)
            with self.scope([Variable(name, kind.items[0], fixed=True)], 4):
                function = self.random.choice(("sorted", "filter", "map"))
                match function:
                    case "sorted":
                        return f"sorted({source}, key=lambda {name}: {self.of(key, 1)})"
                    case "filter":
                        return f"list(filter(lambda {name}: {self.of(BOOL, 1)}, {source}))"
                return f"list(map(lambda {name}: {self.of(kind.items[0], 1)}, {source}))"
        if kind == BOOL:
            objects = [variable for variable in self.variables() if variable.kind.name in self.world.classes]
            if objects:
                variable = self.random.choice(objects)
                own = self.world.classes[variable.kind.name]
                others = [each.name for each in self.world.classes.values() if own.name in (each.name, each.base)]
                if "[" in own.name:
                    return f"({variable.name} is {variable.name})"
                if own.members:
                    return f"({variable.name} is {own.name}.{self.random.choice(own.members)})"
                return f"isinstance({variable.name}, {self.random.choice(others)})"
        return f"(lambda: {self.of(kind, 1)})()" if self.random.random() < 0.3 else None

    def tidy(self, text: str) -> str:
        """An expression, half of the time with no more parentheses than it needs."""
        if self.random.random() < 0.5 or 'f"' in text:
            return text
        return ast.unparse(ast.parse(text, mode="eval"))


_OPERATORS = {
    "__add__": "({0} + {1})", "__sub__": "({0} - {1})", "__mul__": "({0} * {1})", "__getitem__": "{0}[{1}]",
    "__contains__": "({1} in {0})", "__neg__": "(-{0})", "__call__": "{0}({1})", "__bool__": "bool({0})",
    "__lt__": "({0} < {1})", "__eq__": "({0} == {1})", "__len__": "len({0})", "__str__": "str({0})",
}  # fmt: skip
"""How special methods are called."""


def operator_call(maker: Expressions, method: Function, text: str, depth: int) -> str | None:
    """The call of a special method, as programs write it."""
    if maker.cost + method.cost * maker.multiplicity > COST:
        return None
    maker.cost += method.cost * maker.multiplicity
    return _OPERATORS[method.name].format(text, *(maker.of(param.kind, depth - 1) for param in method.params))
