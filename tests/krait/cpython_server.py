"""Runs programs for `cpython.py`, as a process of its own under any CPython from 3.11 on; imports nothing of svm.

In: a line of JSON for each program. Out: a line of JSON: output, exit status, last line of the traceback; null if it
ran for too long. Annotations are not evaluated, so that names of `typing` and forward references cost nothing.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import io
import json
import re
import resource
import signal
import sys
import traceback
from types import CodeType
from typing import Any

SECONDS = 10
"""Processor time that a program may take."""
MEMORY = 4 << 30
"""Bytes of address space."""
LEAST, MOST = -(2**63), 2**63 - 1
GENERIC = re.compile(r"^(\s*)(def|class) (\w+)\[([^]]*)\]", re.MULTILINE)
TYPE = re.compile(r"^type (\w+)(?:\[[^]]*\])? = .*$", re.MULTILINE)


class Late(BaseException):
    """A program runs for too long."""


def main() -> None:
    """Answer requests until there are no more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, late)
    for line in requests:
        answers.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        answers.flush()


def late(*_: object) -> None:
    """What the timer calls."""
    raise Late


def answer(request: dict[str, Any]) -> tuple[str, int, str | None] | None:
    """Run a program; what it did."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", write_through=True) for _ in range(2))
    sys.stdin = io.TextIOWrapper(io.BytesIO(request["stdin"].encode("latin-1")), "utf-8", "surrogateescape")
    sys.stdout, sys.stderr, sys.argv = out, err, request["argv"]
    status, exception = 0, None
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        scope: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        exec(prepared(request["source"], request["argv"][0], scope, bounded=request["bounded"]), scope)
    except Late:
        return None
    except SystemExit as ended:
        status, exception = exit_of(ended)
    except BaseException as error:
        status = 1
        exception = "".join(traceback.format_exception_only(error)).rstrip("\n").rpartition("\n")[2]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    text: str = out.buffer.getvalue().decode("utf-8", "surrogateescape")
    return text, status, exception


def exit_of(ended: SystemExit) -> tuple[int, str | None]:
    """The exit status that a SystemExit asks for."""
    if ended.code is None or isinstance(ended.code, int):
        return (ended.code or 0) & 0xFF, None
    return 1, None


def prepared(source: str, name: str, scope: dict[str, Any], *, bounded: bool) -> CodeType:
    """The code of a program; what it needs besides goes into its names."""
    if sys.version_info < (3, 12):
        for found in GENERIC.finditer(source):
            scope.update(dict.fromkeys(re.findall(r"\w+", found[4]), object))
        source = TYPE.sub(r"\1 = object", GENERIC.sub(r"\1\2 \3", source))
        scope["__builtins__"] = {**vars(builtins), "__build_class__": build_class}
    tree: Any = source
    if bounded:
        scope.update({"$checked": checked, "$addend": Addend.of, "$sum": checked_sum})
        tree = ast.fix_missing_locations(Bounded().visit(ast.parse(source, name)))
    code = compile(tree, name, "exec", __future__.annotations.compiler_flag, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def build_class(*args: Any, **keywords: Any) -> Any:
    """Make a class; it can be given arguments in brackets, as generic classes can."""
    made = builtins.__build_class__(*args, **keywords)
    if not hasattr(made, "__class_getitem__"):
        made.__class_getitem__ = classmethod(lambda cls, arguments: cls)
    return made


# Integers of 64 bits: what arithmetic makes is looked at. Under a mask it is not, for there it is exact in Krait, too.


def checked(value: Any) -> Any:
    """A value, unless it is an int that Krait does not have."""
    if type(value) is int and not LEAST <= value <= MOST:
        raise OverflowError("integer overflow")
    return value


class Addend(int):
    """The right side of an augmented assignment, whose left side is in nobody's hands: it does the arithmetic."""

    @staticmethod
    def of(value: Any) -> Any:
        """A value, with this class if it is an int or bool."""
        return Addend(value) if isinstance(value, int) else value


def _reflected(name: str) -> Any:
    operation = getattr(int, name)

    @functools.wraps(operation)
    def reflected(self: int, other: Any) -> Any:
        result = operation(int(self), other)
        return result if result is NotImplemented else checked(result)

    return reflected


for _name in ("radd", "rsub", "rmul", "rfloordiv", "rpow", "rlshift"):
    setattr(Addend, f"__{_name}__", _reflected(f"__{_name}__"))


def checked_sum(values: Any, start: Any = 0) -> Any:
    """`sum`, whose every step is looked at where it adds ints."""
    items = list(values)
    if all(isinstance(item, int) for item in (*items, start)):
        return functools.reduce(lambda total, item: checked(total + item), items, start)
    return sum(items, start)


class Bounded(ast.NodeTransformer):
    """Puts the look at results into the tree of a program."""

    ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Pow, ast.LShift)
    RING = (ast.Add, ast.Sub, ast.Mult, ast.LShift, ast.BitAnd, ast.BitOr, ast.BitXor)
    FUNCTIONS = frozenset(("abs", "int", "pow", "round", "floor", "ceil", "trunc", "hash", "factorial", "comb", "gcd"))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """An operation; those of the ring of integers go unseen under a constant mask, or modulo a power of two."""
        if isinstance(node.op, ast.Mod) and self.is_mask(node.right) and self.constant(node.right).bit_count() == 1:
            node.left = self.ring(node.left)
            return node
        if isinstance(node.op, ast.BitAnd) and self.is_mask(node.right):
            node.left = self.ring(node.left)
            return node
        if isinstance(node.op, ast.BitAnd) and self.is_mask(node.left):
            node.right = self.ring(node.right)
            return node
        self.generic_visit(node)
        return self.looked_at(node) if isinstance(node.op, self.ARITHMETIC) else node

    def ring(self, node: ast.expr) -> Any:
        """What is under a mask."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, self.RING):
            node.left = self.ring(node.left)
            node.right = self.visit(node.right) if isinstance(node.op, ast.LShift) else self.ring(node.right)
            return node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert | ast.UAdd):
            node.operand = self.ring(node.operand)
            return node
        return self.visit(node)

    def is_mask(self, node: ast.expr) -> bool:
        """Whether a node is a constant that bits are masked with."""
        return self.constant(node) >= 0

    def constant(self, node: ast.expr) -> int:
        """The value of an expression of int literals; -1, which is no mask, for any other."""
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.BinOp) and isinstance(node.op, self.RING):
            a, b = self.constant(node.left), self.constant(node.right)
            if a >= 0 and b >= 0 and (b < 64 or not isinstance(node.op, ast.LShift)):
                return int(eval(compile(ast.Expression(ast.fix_missing_locations(node)), "", "eval")))
        return -1

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """A minus before anything but a number."""
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return node
        self.generic_visit(node)
        return self.looked_at(node) if isinstance(node.op, ast.USub) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """The right side does the arithmetic."""
        self.generic_visit(node)
        if isinstance(node.op, self.ARITHMETIC):
            node.value = self.call("$addend", node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Functions that make ints."""
        self.generic_visit(node)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "sum" and isinstance(node.func, ast.Name):
            node.func.id = "$sum"
        return self.looked_at(node) if name in self.FUNCTIONS else node

    def looked_at(self, node: ast.expr) -> ast.Call:
        """The look at a node's value."""
        return self.call("$checked", node)

    @staticmethod
    def call(name: str, node: ast.expr) -> ast.Call:
        """A call of one of the functions above."""
        return ast.Call(ast.Name(name, ast.Load()), [node], [])


if __name__ == "__main__":
    main()
