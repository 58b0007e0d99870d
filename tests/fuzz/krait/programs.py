"""Whole programs: classes, functions, generators, exceptions, and tests of them that print; the same for a seed.

In: a number. Out: a source that Krait takes, as far as is known here, and that ends soon: functions call those before.
"""

from __future__ import annotations

from random import Random

from tests.fuzz.krait.expressions import Class, Function, Param, Variable, World
from tests.fuzz.krait.kinds import BOOL, FLOAT, INT, LOOSE, NONE, STR, Kind
from tests.fuzz.krait.statements import Statements

__all__ = ["SECTIONS", "program"]

_HEAD = """\
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
"""
_MANAGER = """\
class {name}:
    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self) -> str:
        print("enter", self.label)
        return self.label + "!"

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        print("leave", self.label, error is not None)
        return {swallow}
"""
_GENERIC = """\
class {name}[T]:
    def __init__(self, first: T) -> None:
        self.items: list[T] = [first]
        self.count = 0

    def push(self, item: T) -> int:
        self.items.append(item)
        self.count += 1
        return len(self.items)

    def top(self) -> T:
        return self.items[-1]

    def pop(self) -> T:
        return self.items.pop()

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"{name}({{self.items!r}}, {{self.count}})"
"""
_GENERIC_FUNCTIONS = (
    ("""\
def {name}[T](items: list[T], default: T) -> T:
    for item in items:
        return item
    return default
""", ("list[T]", "T"), "T"),
    ("""\
def {name}[T](items: list[T], count: int) -> list[T]:
    out: list[T] = []
    for item in items[:5]:
        for _ in range(count % 3):
            out.append(item)
    return out
""", ("list[T]", "int"), "list[T]"),
    ("""\
def {name}[A, B](pair: tuple[A, B]) -> tuple[B, A]:
    a, b = pair
    return b, a
""", ("tuple[A, B]",), "tuple[B, A]"),
    ("""\
def {name}[K, V](items: dict[K, V]) -> list[V]:
    return [items[key] for key in items]
""", ("dict[K, V]",), "list[V]"),
)  # fmt: skip
"""Functions for all kinds, those of their parameters, and that of the result."""
SECTIONS = 24
"""Programs in a file: each is apart from the others, but the library that they need is compiled once."""


class Program(Statements):
    """Writes one program."""

    def run(self, sections: int) -> str:
        """The source."""
        for _ in range(sections):
            self.section()
        return (LOOSE if self.loose else "") + _HEAD + "\n\n" + "\n".join(self.lines) + "\n"

    def section(self) -> None:
        """A program of its own: only the words that it may use are those of the others in the file."""
        self.allowed = {
            kind for kind in self.allowed if not any(part.name in self.world.classes for part in kind.parts())
        }
        self.world, self.scopes, self.yields, self.managers, self.errors = World(), [[]], [], [], []
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2))):
            self.random.choice(self.definitions)(self)
        for _ in range(self.random.choice((0, 1, 1, 2))):
            kind, name = self.kind(1), self.fresh("g")
            self.emit(f"{name}: {kind} = {self.literal(kind)}")
            self.scopes[0].append(Variable(name, kind))
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            self.random.choice((self.function, self.function, self.function, self.generator, self.generic_function))()
        tests = [self.test()]
        self.main(tests)

    def main(self, tests: list[str]) -> None:
        """What calls the tests, with code of the module's own before it."""
        if self.random.random() < 0.2:
            self.cost = 0
            self.emit("try:")
            self.depth += 1
            with self.scope():
                self.body(self.random.randint(1, 3), 1)
                self.emit("pass")
            self.depth -= 1
            self.emit("except Exception as error:")
            self.emit("    print('main', type(error).__name__, error)")
        for name in tests:
            self.guarded(name)

    def guarded(self, name: str) -> None:
        """The call of a test, whose exception is shown."""
        self.emit("try:")
        self.emit(f"    {name}()")
        self.emit("except Exception as error:")
        self.emit(f"    print('{name}', type(error).__name__, error)")

    # Functions

    def enter(self, result: Kind) -> None:
        """Begin a function's body."""
        self.result, self.loops, self.inside, self.cost = result, 0, 1, 0

    def params(self, most: int) -> list[Param]:
        """Parameters, the last ones with defaults, now and then by name only."""
        found = []
        count = self.random.randint(0, most)
        plain = self.random.randint(0, count)
        keyword = self.random.random() < 0.2
        for at in range(count):
            kind = self.random.choice((self.kind(1), self.kind(2)))
            if self.random.random() < 0.06:
                kind = Kind("optional", (self.random.choice((INT, STR)),))
            default = "" if at < plain else "None" if kind.name == "optional" else self.literal_alone(kind)
            found.append(Param(self.fresh("p"), kind, default, keyword=keyword and at >= plain))
        return found

    def literal_alone(self, kind: Kind) -> str:
        """A literal without variables."""
        scopes, self.scopes = self.scopes, [[]]
        text = self.literal(kind)
        self.scopes = scopes
        return text

    @staticmethod
    def declared(params: list[Param], *, method: bool = False) -> str:
        """Parameters as `def` has them."""
        texts = ["self"] if method else []
        starred = False
        for param in params:
            if param.keyword and not starred:
                texts.append("*")
                starred = True
            texts.append(f"{param.name}: {param.kind}" + (f" = {param.default}" if param.default else ""))
        return ", ".join(texts)

    def function(self) -> None:
        """A function of several parameters."""
        name, params, result = self.fresh("f"), self.params(3), self.kind(2)
        self.enter(result)
        uses = [variable for variable in self.scopes[0] if self.random.random() < 0.4]
        self.with_globals(uses)
        with self.block(
            f"def {name}({self.declared(params)}) -> {result}:", [Variable(p.name, p.kind) for p in params], 2
        ):
            if uses:
                self.emit(f"global {', '.join(variable.name for variable in uses)}")
            self.body(self.random.randint(1, 3), 1)
            self.give_back()
        self.without_globals()
        self.result = None
        self.world.functions.append(Function(name, tuple(params), result, self.cost // 2 + 5))

    def with_globals(self, uses: list[Variable]) -> None:
        """The module's variables as a function sees them: those that it does not name are fixed."""
        self.kept = self.scopes[0]
        self.scopes[0] = [Variable(v.name, v.kind, fixed=v not in uses) for v in self.kept]

    def without_globals(self) -> None:
        """As they were."""
        self.scopes[0] = self.kept

    def generator(self) -> None:
        """A function with `yield`."""
        name, params, result = self.fresh("gen"), self.params(2), self.kind(1)
        self.enter(result)
        self.is_generator = True
        self.with_globals([])
        with self.block(f"def {name}({self.declared(params)}) -> Iterator[{result}]:",
                        [Variable(p.name, p.kind) for p in params], 2):  # fmt: skip
            for _ in range(self.random.randint(1, 3)):
                self.body(self.random.randint(0, 2), 1)
                choice = self.random.random()
                if choice < 0.5:
                    self.emit(f"yield {self.tidy(self.of(result, 2))}")
                elif choice < 0.85:
                    at = self.fresh("i")
                    with self.block(f"for {at} in {self.range()}:", [Variable(at, INT, fixed=True)], 4):
                        self.body(self.random.randint(0, 1), 1)
                        self.emit(f"yield {self.of(result, 2)}")
                else:
                    self.emit(f"yield from {self.of(Kind('list', (result,)), 2)}[:4]")
        self.without_globals()
        self.is_generator, self.result = False, None
        made = Function(name, tuple(params), result, self.cost // 2 + 5)
        self.yields.append(made)

    def generic_function(self) -> None:
        """A function for all kinds."""
        from tests.fuzz.krait.kinds import parse_kind

        text, params, result = self.random.choice(_GENERIC_FUNCTIONS)
        name = self.fresh("f")
        self.lines += text.format(name=name).splitlines()
        made = tuple(Param(f"p{at}", parse_kind(kind)) for at, kind in enumerate(params))
        self.world.functions.append(Function(name, tuple(Param("", p.kind) for p in made), parse_kind(result), 20))

    def test(self) -> str:
        """A function that shows what the others do."""
        name = self.fresh("test")
        self.enter(NONE)
        self.with_globals([])
        with self.block(f"def {name}() -> None:"):
            for _ in range(2):
                self.declare()
            self.body(self.random.randint(2, 5), 2)
            shown = [variable.name for variable in self.scopes[-1] if self.can_show(variable.kind)]
            for at in range(0, len(shown), 6):
                self.emit(f"print({', '.join(shown[at : at + 6])})")
        self.without_globals()
        self.result = None
        return name

    # Classes

    def fields(self, least: int = 1) -> list[Param]:
        """Fields of a class."""
        kinds = (
            INT,
            INT,
            STR,
            FLOAT,
            BOOL,
            Kind("list", (INT,)),
            Kind("list", (STR,)),
            Kind("dict", (STR, INT)),
            self.kind(2),
        )
        found = [Param(self.fresh("v"), self.random.choice(kinds)) for _ in range(self.random.randint(least, 3))]
        if self.random.random() < 0.1:
            found.append(Param(self.fresh("v"), Kind("optional", (self.random.choice((INT, STR)),))))
        return found

    def shown(self, fields: list[Param]) -> str:
        """A text of fields for `__repr__`."""
        return ", ".join(f"{{self.{field.name}!r}}" for field in fields if self.can_show(field.kind))

    def plain_class(self) -> None:
        """A class with an `__init__`, methods, and some special methods."""
        made = Class(self.fresh("C"))
        own = self.fields()
        with self.block(f"class {made.name}:"):
            limit = self.fresh("limit")
            has_limit = self.random.random() < 0.3
            if has_limit:
                self.emit(f"{limit} = {self.random.randint(1, 9)}")
            made.init = tuple(Param(self.fresh("a"), field.kind) for field in own)
            with self.block(f"def __init__({self.declared(list(made.init), method=True)}) -> None:"):
                for field, param in zip(own, made.init, strict=True):
                    self.emit(f"self.{field.name} = {param.name}" if field.kind.name != "optional"
                              else f"self.{field.name}: {field.kind} = {param.name}")  # fmt: skip
                if has_limit:
                    self.emit(f"{made.name}.{limit} += 1")
            made.fields = list(own)
            with self.block("def __repr__(self) -> str:"):
                self.emit(f'return f"{made.name}({self.shown(own)})"')
            self.members(made, own)
        self.world.classes[made.name] = made

    def members(self, made: Class, fields: list[Param]) -> None:
        """Methods of a class, by chance."""
        for _ in range(self.random.randint(0, 2)):
            self.method(made, self.fresh("m"), self.params(2), self.kind(1), fields)
        options: list[tuple[str, list[Kind], Kind]] = [
            ("__add__", [made.kind], made.kind), ("__len__", [], INT), ("__getitem__", [INT], self.kind(1)),
            ("__neg__", [], made.kind), ("__call__", [self.kind(1)], self.kind(1)), ("__contains__", [INT], BOOL),
            ("__bool__", [], BOOL), ("__lt__", [made.kind], BOOL), ("__sub__", [INT], made.kind),
            ("__mul__", [FLOAT], FLOAT), ("__str__", [], STR),
        ]  # fmt: skip
        for name, kinds, result in self.random.sample(options, self.random.randint(0, 3)):
            self.world.classes[made.name] = made  # its own objects can be made
            params = [Param("other" if at == 0 else "more", kind) for at, kind in enumerate(kinds)]
            if name in ("__len__", "__bool__", "__str__"):
                self.emit(f"def {name}(self) -> {result}:")
                text = {"__len__": str(self.random.randint(0, 4)), "__bool__": self.random.choice(("True", "False")),
                        "__str__": f'f"<{self.shown(fields)}>"'}[name]  # fmt: skip
                ints = [field.name for field in fields if field.kind == INT]
                if ints and name != "__str__":
                    text = f"abs(self.{ints[0]}) % 5" if name == "__len__" else f"self.{ints[0]} > 0"
                self.emit(f"    return {text}")
                made.methods.append(Function(name, (), result, 3))
            else:
                self.method(made, name, params, result, fields)
        if self.random.random() < 0.25:
            result, name = self.kind(1), self.fresh("prop")
            self.emit("@property")
            self.method(made, name, [], result, fields)
            made.methods.pop()
            made.fields.append(Param(name, result))
            made.traits |= {"frozen"}  # a property cannot be assigned to; no field of such a class is

    def method(
        self, made: Class, name: str, params: list[Param], result: Kind, fields: list[Param], first: str = ""
    ) -> None:
        """A method."""
        self.enter(result)
        self.with_globals([])
        known = [Variable(f"self.{field.name}", field.kind, fixed="frozen" in made.traits) for field in fields]
        with self.block(f"def {name}({self.declared(params, method=True)}) -> {result}:",
                        [*(Variable(p.name, p.kind) for p in params), *known], 2):  # fmt: skip
            if first:
                self.emit(first)
            self.body(self.random.randint(0, 2), 1)
            self.give_back()
        self.without_globals()
        self.result = None
        made.methods.append(Function(name, tuple(params), result, self.cost // 2 + 5))

    def derived_class(self) -> None:
        """A class that overrides, adds, and asks its base."""
        bases = [
            each
            for each in self.world.classes.values()
            if not each.members and "order" not in each.traits and each.name[0] == "C"
        ]
        if not bases:
            return self.plain_class()
        base = self.random.choice(bases)
        made = Class(self.fresh("C"), base.name, list(base.fields), list(base.methods), traits=base.traits)
        extra = Param(self.fresh("v"), self.random.choice((INT, STR, FLOAT)))
        with self.block(f"class {made.name}({base.name}):"):
            made.init = base.init
            fields = [field for field in made.fields if not field.name.startswith("prop")]
            if self.random.random() < 0.5:
                param = Param(self.fresh("a"), extra.kind)
                made.init = (*base.init, param)
                with self.block(f"def __init__({self.declared(list(made.init), method=True)}) -> None:"):
                    calls = [
                        f"super().__init__({', '.join(p.name for p in base.init)})",
                        f"self.{extra.name} = {param.name}",
                    ]
                    for line in calls if self.random.random() < 0.7 else calls[::-1]:
                        self.emit(line)
                fields.append(extra)
                made.fields.append(extra)
            overridden = [method for method in base.methods if not method.name.startswith("__")]
            for method in self.random.sample(overridden, min(len(overridden), self.random.randint(0, 2))):
                made.methods.remove(method)
                given = ", ".join(f"{p.name}={p.name}" if p.keyword else p.name for p in method.params)
                first = f"print(super().{method.name}({given}))"
                first = first if self.random.random() < 0.6 and self.can_show(method.result) else ""
                self.method(made, method.name, list(method.params), method.result, fields, first)
            self.method(made, self.fresh("m"), self.params(2), self.kind(1), fields)
        self.world.classes[made.name] = made
        return None

    def data_class(self) -> None:
        """A dataclass, with order or frozen by chance."""
        made = Class(self.fresh("D"))
        choice = self.random.choice(("", "", "(order=True)", "(frozen=True)", "(order=True, frozen=True)"))
        own = [Param(self.fresh("v"), self.random.choice((INT, STR, FLOAT, BOOL, Kind("tuple", (INT, STR)))))
               for _ in range(self.random.randint(1, 3))]  # fmt: skip
        traits = {"equal"} | ({"order"} if "order" in choice else set()) | ({"frozen"} if "frozen" in choice else set())
        if "frozen" in choice and not any(part in (STR,) for field in own for part in field.kind.parts()):
            traits.add("hash")
        made.traits = frozenset(traits)
        self.emit(f"@dataclass{choice}")
        with self.block(f"class {made.name}:"):
            for at, field in enumerate(own):
                default = (
                    at > 0
                    and (own[at - 1].default != "" or self.random.random() < 0.4)
                    and self.literal_alone(field.kind)
                )
                own[at] = Param(field.name, field.kind, default or "")
                self.emit(f"{field.name}: {field.kind}" + (f" = {default}" if default else ""))
            made.init = tuple(own)
            made.fields = list(own)
            if self.random.random() < 0.15 and (own[-1].default or len(own) == 1):
                items = Param(
                    self.fresh("v"), Kind("list", (INT,)), "" if len(own) == 1 and not own[-1].default else "-"
                )
                self.emit(f"{items.name}: {items.kind}" + (" = field(default_factory=list)" if items.default else ""))
                made.fields.append(items)
                made.init = (*made.init, items)
                made.traits -= {"hash"}
            if self.random.random() < 0.5:
                self.method(made, self.fresh("m"), self.params(1), self.kind(1), made.fields)
        self.world.classes[made.name] = made

    def enum(self) -> None:
        """An enum of ints or texts."""
        made = Class(self.fresh("E"))
        whole = self.random.random() < 0.3
        made.members = tuple(f"M{at}" for at in range(self.random.randint(2, 4)))
        made.traits = frozenset({"equal", "hash", "order"} if whole else {"equal", "hash"})
        texts = not whole and self.random.random() < 0.4
        with self.block(f"class {made.name}({'IntEnum' if whole else 'Enum'}):"):
            for at, member in enumerate(made.members):
                self.emit(f"{member} = " + (f'"t{at}"' if texts else str(at * 3 - 1)))
        made.fields = [Param("value", STR if texts else INT), Param("name", STR)]
        made.traits |= {"frozen"}
        self.world.classes[made.name] = made

    def exception(self) -> None:
        """An exception of the program's own, and a function that raises it."""
        name, function = self.fresh("Error"), self.fresh("f")
        base = self.random.choice(("Exception", "ValueError", "KeyError", "LookupError"))
        with self.block(f"class {name}({base}):"):
            if self.random.random() < 0.5:
                self.emit("pass")
            else:
                self.emit("def __init__(self, code: int) -> None:")
                self.emit('    super().__init__(f"code {code}")')
                self.emit("    self.code = code")
                self.errors.append(name)
                self.raiser(function, f"{name}(n)")
                return
        self.errors.append(name)
        self.raiser(function, f'{name}("n is " + str(n))')

    def raiser(self, function: str, made: str) -> None:
        """A function that raises for some arguments."""
        depth, self.depth = self.depth, 0
        self.emit(f"def {function}(n: int) -> int:")
        self.emit(f"    if n % {self.random.choice((2, 3, 4))} == 0:")
        self.emit(f"        raise {made}")
        self.emit("    return n + 1")
        self.depth = depth
        self.world.functions.append(Function(function, (Param("n", INT),), INT, 5))

    def manager(self) -> None:
        """A class for `with`."""
        name = self.fresh("R")
        self.managers.append(name)
        swallow = self.random.choice(("False", "False", "len(self.label) > 2", "True"))
        self.lines += _MANAGER.format(name=name, swallow=swallow).splitlines()

    def generic_class(self) -> None:
        """A class with a type parameter, at some kinds."""
        name = self.fresh("Box")
        self.lines += _GENERIC.format(name=name).splitlines()
        for kind in (INT, STR, self.kind(2)):
            if not self.can_show(kind):  # its text has that of its items
                continue
            made = Class(f"{name}[{kind}]", init=(Param("first", kind),))
            made.fields = [Param("items", Kind("list", (kind,))), Param("count", INT)]
            push = Function("push", (Param("item", kind),), INT, 6)
            made.methods = [
                push,
                *(Function(of, (), kind, 4) for of in ("top", "pop")),
                Function("__len__", (), INT, 3),
            ]
            self.world.classes[made.name] = made

    definitions = (
        plain_class, plain_class, derived_class, derived_class, data_class, data_class, enum, exception, manager,
        generic_class,
    )  # fmt: skip


def program(seed: int, sections: int = SECTIONS) -> str:
    """The file of a number, with so many programs."""
    return Program(Random(seed)).run(sections)
