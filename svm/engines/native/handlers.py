"""The interpreter's handlers: LLVM IR made from the instruction table.

A handler runs the operations that its key names (`svm.engines.native.keys`) and jumps to the next handler.  All
handlers have one signature and end in a tail call, so the machine's registers hold the interpreter's state:

    pc, fp (the frame's first parameter), memory, memory size, context, fuel, accumulators of integers, f64 and f32

`preserve_none` keeps them there; `tailcc` of LLVM 22 was seen to drop an updated argument, so it is not used.
"""

from __future__ import annotations

from collections.abc import Iterable

from svm.engines.native.context import FUNCTION_ENTRY, LIMIT, Exit, Field, FunctionField, status_of
from svm.engines.native.expand import LLVM_TYPES, declarations, expand
from svm.engines.native.keys import BULK, CONTROL, layout, operand_types, operation
from svm.engines.native.python_ir import python_ir
from svm.engines.native.stream import CALL_FIELDS, FIELD_BYTES, split
from svm.isa import F32, F64, I32, I64, NAN_MAKERS, OPS, Form, Op, TrapKind, ValueType
from svm.lower import BULK_CHUNK

__all__ = ["Handler", "module_ir"]

_CC = "preserve_nonecc"
_SIGNATURE = "ptr %pc, ptr %fp, ptr %mem, i64 %msz, ptr %ctx, i64 %fuel, i64 %r0, double %f0, float %s0"
_ACCUMULATOR = {I32: "r0", I64: "r0", F64: "f0", F32: "s0"}
_FIELD_LLVM = {"u16": "i16", "i32": "i32", "i64": "i64"}


class Handler:
    """Writes one handler.  The checks are methods of their own, so that a measurement can do without them."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.layout = layout(key)
        self.lines: list[str] = []
        self.names = 0
        self.field_index = 0
        self.state = {name: f"%{name}" for name in ("pc", "fp", "mem", "msz", "ctx", "fuel", "r0", "f0", "s0")}
        self.results: list[tuple[str, ValueType | None]] = []  # None: an i1
        self.traps: dict[tuple[int, int], str] = {}
        self.part = 0

    # Small pieces of IR

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def let(self, text: str) -> str:
        name = f"%{self.name()}"
        self.lines.append(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(text)

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def at(self, base: str, offset: int | str) -> str:
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def field(self, index: int | None = None) -> str:
        """The next field of the instruction."""
        at = self.field_index if index is None else index
        self.field_index = at + 1
        kind = self.layout.fields[at]
        place = self.at("%pc", self.layout.offsets[at])
        return self.let(f"load {_FIELD_LLVM[kind]}, ptr {place}, align {FIELD_BYTES[kind]}")

    def wide_field(self, signed: bool = False) -> str:
        kind = self.layout.fields[self.field_index]
        value = self.field()
        if kind == "i64":
            return value
        return self.let(f"{'s' if signed else 'z'}ext {_FIELD_LLVM[kind]} {value} to i64")

    def slot(self, index: str, base: str = "%fp") -> str:
        return self.let(f"getelementptr i64, ptr {base}, i64 {index}")

    def context(self, field: int, kind: str = "ptr") -> str:
        return self.let(f"load {kind}, ptr {self.at('%ctx', field)}, align 8")

    def set_context(self, field: int, value: str) -> None:
        self.do(f"store i64 {value}, ptr {self.at('%ctx', field)}, align 8")

    # Values

    def convert(self, value: str, given: ValueType | None, wanted: ValueType | None) -> str:
        """A value as another type of the same bits; None is an i1."""
        if given == wanted:
            return value
        if given is None:
            return self.convert(self.let(f"zext i1 {value} to i32"), I32, wanted)
        if wanted is None:
            return self.let(f"icmp ne i32 {self.convert(value, given, I32)}, 0")
        if given is F32:
            return self.convert(self.let(f"bitcast float {value} to i32"), I32, wanted)
        if given is F64:
            return self.convert(self.let(f"bitcast double {value} to i64"), I64, wanted)
        if wanted is F64:
            return self.let(f"bitcast i64 {self.convert(value, given, I64)} to double")
        if wanted is F32:
            return self.let(f"bitcast i32 {self.convert(value, given, I32)} to float")
        if given is I32:
            return self.let(f"zext i32 {value} to i64")
        return self.let(f"trunc i64 {value} to i32")

    def source(self, code: str, type_: ValueType) -> str:
        kind = LLVM_TYPES[type_]
        if code == "s":
            return self.let(f"load {kind}, ptr {self.slot(self.wide_field())}, align 8")
        if code == "c":
            value = self.field()
            return (
                self.let(f"bitcast {'i32' if type_ is F32 else 'i64'} {value} to {kind}")
                if type_ in (F32, F64)
                else value
            )
        if code == "r":
            value = f"%{_ACCUMULATOR[type_]}"
            return self.let(f"trunc i64 {value} to i32") if type_ is I32 else value
        value, given = self.results[int(code)]
        return self.convert(value, given, type_)

    def condition(self, code: str) -> str:
        """An i32 source as an i1."""
        if code.isdigit():
            value, given = self.results[int(code)]
            return self.convert(value, given, None)
        return self.let(f"icmp ne i32 {self.source(code, I32)}, 0")

    def put(self, target: str, value: str, given: ValueType | None) -> None:
        type_ = given or I32
        if target == "s":
            kind = "double" if type_ is F64 else "i64"
            stored = value if type_ is F64 else self.convert(value, given, I64)
            self.do(f"store {kind} {stored}, ptr {self.slot(self.wide_field())}, align 8")
        elif target == "r":
            name = _ACCUMULATOR[type_]
            self.state[name] = self.convert(value, given, I64) if name == "r0" else value

    # Leaving

    def jump(self, target: str, **changed: str) -> None:
        """Tail call of a handler."""
        state = {**self.state, **changed}
        arguments = (
            f"ptr {state['pc']}, ptr {state['fp']}, ptr {state['mem']}, i64 {state['msz']}, ptr {state['ctx']}, "
            f"i64 {state['fuel']}, i64 {state['r0']}, double {state['f0']}, float {state['s0']}"
        )
        result = self.let(f"musttail call {_CC} i64 {target}({arguments})")
        self.do(f"ret i64 {result}")

    def dispatch(self, pc: str, **changed: str) -> None:
        self.jump(self.let(f"load ptr, ptr {pc}, align 8"), pc=pc, **changed)

    def after(self) -> str:
        return self.at("%pc", self.layout.size)

    def leave(self, status: int, pc: str = "%pc", aux: str = "0", fp: str = "%fp") -> None:
        """Return to the driver."""
        self.set_context(Field.AUX, aux)
        self.jump("@leave", pc=pc, fp=fp, r0=str(status))

    def trap(self, condition: str, kind: TrapKind, on: str) -> list[str]:
        label = self.traps.setdefault((kind.code, self.part), f"trap{kind.code}_{self.part}")
        return [f"br i1 {condition}, label %{label}, label %{on}, !prof !0", f"{on}:"]

    def trap_if(self, condition: str, kind: TrapKind) -> None:
        self.lines += self.trap(condition, kind, f"on{self.name()}")

    def charge(self, cost: str) -> str:
        fuel = self.let(f"sub i64 {self.state['fuel']}, {cost}")
        self.state["fuel"] = fuel
        return fuel

    def charge_and_test(self, cost: str, pc: str, fp: str = "%fp") -> None:
        """Take fuel; leave, to go on at `pc`, if there is none."""
        fuel = self.charge(cost)
        empty = self.let(f"icmp slt i64 {fuel}, 0")
        name = self.name()
        self.do(f"br i1 {empty}, label %empty{name}, label %fed{name}, !prof !0")
        self.label(f"empty{name}")
        self.leave(Exit.FUEL, pc=pc, fp=fp)
        self.label(f"fed{name}")

    def relative(self, distance: str) -> str:
        return self.at("%pc", self.let(f"sext i32 {distance} to i64"))

    # Rows

    def row(self, name: str, sources: str, target: str) -> None:
        op = operation(name)
        types = operand_types(name)
        values = [self.source(code, type_) for code, type_ in zip(sources, types, strict=True)]
        operands = dict(zip("abd", values, strict=False))
        if name == "memory.size":
            operands["z"] = self.state["msz"]
        if name.startswith("global."):
            offset = self.let(f"shl i64 {self.wide_field()}, 3")
            operands["g"] = self.at(self.context(Field.GLOBALS), offset)
        if op.form in (Form.LOAD, Form.STORE):
            operands["p"] = self.effective_address(values[0], op.size)
        lines, results = expand(op, operands, f"p{self.part}_", self.trap)
        self.lines += lines
        if op.form is Form.CHECKED:
            self.throw_if(results["c"])
            results = {"r": results["r"]}
        result: tuple[str, ValueType | None] = ("", I32)
        if "r" in results:
            assert op.results
            result = (self.canonical(name, results["r"], op.results[0]), op.results[0])
        elif "c" in results:
            result = (results["c"], None)
        self.results.append(result)
        if target in "sr":
            self.put(target, *result)
        if len(results) == 2:  # the flag goes to the slot after the result's
            index = self.let(f"add i64 {self.wide_again()}, 1")
            self.do(f"store i64 {self.convert(results['c'], None, I64)}, ptr {self.slot(index)}, align 8")

    def canonical(self, name: str, value: str, type_: ValueType) -> str:
        """A result with the NaN that all engines agree on: the dispatch hides what this costs."""
        if name not in NAN_MAKERS:
            return value
        kind, bits = LLVM_TYPES[type_], "0x7FF8000000000000"  # LLVM writes a float's bits as those of a double
        unordered = self.let(f"fcmp uno {kind} {value}, {value}")
        return self.let(f"select i1 {unordered}, {kind} {bits}, {kind} {value}")

    def wide_again(self) -> str:
        self.field_index -= 1
        return self.wide_field()

    def effective_address(self, base: str, size: int) -> str:
        """Address of an access, once it is known to lie within the memory."""
        start = self.let(f"add i64 {self.let(f'zext i32 {base} to i64')}, {self.wide_field()}")
        end = self.let(f"add i64 {start}, {size}")
        self.trap_if(self.let(f"icmp ugt i64 {end}, {self.state['msz']}"), TrapKind.OUT_OF_BOUNDS_MEMORY)
        return self.at(self.state["mem"], start)

    def throw_if(self, condition: str) -> None:
        name = self.name()
        self.do(f"br i1 {condition}, label %throw{name}, label %kept{name}, !prof !0")
        self.label(f"throw{name}")
        self.leave(Exit.THROW, aux=str(self.part))
        self.label(f"kept{name}")

    # Control

    def control(self, name: str, sources: str) -> None:
        if name in ("br", "latch", "spin"):
            target = self.relative(self.field())
            self.branch(name, target)
        elif name.endswith(("_if", "_unless")):
            self.conditional(name, sources)
        elif name in BULK:
            self.bulk(OPS[name])
        else:
            getattr(self, f"do_{name}")(sources)

    def branch(self, name: str, target: str) -> None:
        if name == "latch":
            self.charge_and_test(self.wide_field(), target)
        elif name == "spin":
            self.charge(self.wide_field())
        self.dispatch(target)

    def conditional(self, name: str, sources: str) -> None:
        kind, _, sense = name.partition("_")
        condition = self.condition(sources)
        yes, no = ("taken", "not") if sense == "if" else ("not", "taken")
        self.do(f"br i1 {condition}, label %{yes}, label %{no}")
        self.label("taken")
        before = dict(self.state)
        self.branch(kind, self.relative(self.field()))
        self.state = before
        self.label("not")
        self.dispatch(self.after())

    def do_br_table(self, sources: str) -> None:
        index = self.source(sources, I32)
        count = self.field()
        inside = self.let(f"icmp ult i32 {index}, {count}")
        chosen = self.let(f"zext i32 {self.let(f'select i1 {inside}, i32 {index}, i32 {count}')} to i64")
        entry = self.let(f"getelementptr i32, ptr {self.after()}, i64 {chosen}")
        self.dispatch(self.relative(self.let(f"load i32, ptr {entry}, align 4")))

    def do_call(self, sources: str, test: bool = True) -> None:
        distance, header = self.field(), self.field()
        frame, place, size, cost = (self.wide_field() for _ in range(4))
        self.enter(self.slot(frame), self.relative(distance), header, place, size, cost, test)

    def do_call_leaf(self, sources: str) -> None:
        self.do_call(sources, test=False)

    def enter(self, fp: str, pc: str, header: str, place: str, size: str, cost: str, test: bool) -> None:
        """Enter a function: its frame must fit the stack; its charge is taken, and tested where it says so."""
        end = self.let(f"ptrtoint ptr {self.at(fp, size)} to i64")
        limit = self.context(Field.STACK_END, "i64")
        self.trap_if(self.let(f"icmp ugt i64 {end}, {limit}"), TrapKind.CALL_STACK_EXHAUSTED)
        self.do(f"store i64 {header}, ptr {self.slot(place, fp)}, align 8")
        if test:
            self.charge_and_test(cost, pc, fp)
        else:
            self.charge(cost)
        self.dispatch(pc, fp=fp)

    def do_call_slow(self, sources: str) -> None:
        index = self.let(f"zext i32 {self.field(len(CALL_FIELDS) - 1)} to i64")
        self.leave(Exit.CALL, aux=index)

    def do_call_host(self, sources: str) -> None:
        """Call Python's function that has a number; what there is to know of it is made by the driver."""
        number, header = self.let(f"zext i32 {self.field()} to i64"), self.field()
        frame, place = self.wide_field(), self.wide_field()
        fp = self.slot(frame)
        record = self.let(f"load ptr, ptr {self.slot(number, self.context(Field.HOSTS))}, align 8")
        self.do(f"br i1 {self.let(f'icmp eq ptr {record}, null')}, label %unknown, label %known, !prof !0")
        self.label("unknown")
        self.leave(Exit.CALL, aux=self.let(f"zext i32 {self.field(len(CALL_FIELDS) - 1)} to i64"))
        self.label("known")
        self.do(f"store i64 {header}, ptr {self.slot(place, fp)}, align 8")
        left = self.let(f"call i64 @host(ptr %ctx, i64 {self.state['fuel']}, ptr {fp}, ptr {record})")
        self.do(f"br i1 {self.let(f'icmp slt i64 {left}, {LIMIT}')}, label %out, label %on, !prof !0")
        self.label("out")
        self.do(f"ret i64 {self.let(f'sub i64 {status_of(0)}, {left}')}")
        self.label("on")  # with all that Python may have changed: the stream may have moved, the memory have grown
        pc = self.at(self.context(Field.CODE), self.let(f"and i64 {header}, 4294967295"))
        self.dispatch(pc, mem=self.context(Field.MEMORY), msz=self.context(Field.MEMORY_SIZE, "i64"), fuel=left)

    def do_call_indirect(self, sources: str) -> None:
        wide = self.let(f"zext i32 {self.source(sources, I32)} to i64")
        header, type_, table = self.field(), self.field(), self.wide_field()
        frame = self.wide_field()
        entry = self.at(self.context(Field.TABLES), self.let(f"shl i64 {table}, 4"))
        length = self.let(f"load i64, ptr {self.at(entry, 8)}, align 8")
        self.trap_if(self.let(f"icmp uge i64 {wide}, {length}"), TrapKind.UNDEFINED_ELEMENT)
        elements = self.let(f"load ptr, ptr {entry}, align 8")
        number = self.let(f"load i64, ptr {self.slot(wide, elements)}, align 8")
        self.trap_if(self.let(f"icmp eq i64 {number}, 0"), TrapKind.UNINITIALIZED_ELEMENT)
        callee = self.at(self.context(Field.FUNCTIONS), self.let(f"mul i64 {number}, {FUNCTION_ENTRY}"))

        def read(field: int, kind: str = "i32") -> str:
            return self.let(f"load {kind}, ptr {self.at(callee, field)}, align 4")

        wrong = self.let(f"icmp ne i32 {read(FunctionField.TYPE)}, {type_}")
        self.trap_if(wrong, TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
        code = read(FunctionField.CODE, "i64")
        instance = self.let(f"zext i32 {read(FunctionField.INSTANCE)} to i64")
        here = self.let(f"icmp eq i64 {instance}, {self.context(Field.INSTANCE, 'i64')}")
        known = self.let(f"and i1 {here}, {self.let(f'icmp ne i64 {code}, 0')}")
        self.do(f"br i1 {known}, label %direct, label %ask, !prof !1")
        self.label("ask")
        self.leave(Exit.CALL_INDIRECT, aux=number)
        self.label("direct")
        place, size, cost = (
            self.let(f"zext i32 {read(field)} to i64")
            for field in (FunctionField.HEADER, FunctionField.SLOTS, FunctionField.COST)
        )
        pc, fp = self.at(self.context(Field.CODE), code), self.slot(frame)
        tests = self.let(f"icmp ne i32 {read(FunctionField.TEST)}, 0")
        self.do(f"br i1 {tests}, label %test, label %leaf")
        self.label("test")
        before = dict(self.state)
        self.enter(fp, pc, header, place, size, cost, True)
        self.state = before
        self.label("leaf")
        self.enter(fp, pc, header, place, size, cost, False)

    def back(self, place: str) -> tuple[str, str]:
        """The caller's pc and fp, from the header."""
        header = self.let(f"load i64, ptr {self.slot(place)}, align 8")
        pc = self.at(self.context(Field.CODE), self.let(f"and i64 {header}, 4294967295"))
        delta = self.let(f"sub i64 0, {self.let(f'lshr i64 {header}, 32')}")
        return pc, self.at("%fp", delta)

    def do_return(self, sources: str) -> None:
        pc, fp = self.back(self.wide_field())
        self.dispatch(pc, fp=fp)

    def return_value(self, sources: str, type_: ValueType) -> None:
        value = self.source(sources, type_)
        pc, fp = self.back(self.wide_field())
        kind = "double" if type_ is F64 else "i64"
        stored = value if type_ is F64 else self.convert(value, type_, I64)
        self.do(f"store {kind} {stored}, ptr %fp, align 8")
        self.state[_ACCUMULATOR[type_]] = value
        self.dispatch(pc, fp=fp)

    def do_return_i(self, sources: str) -> None:
        self.return_value(sources, I64)

    def do_return_f(self, sources: str) -> None:
        self.return_value(sources, F64)

    def do_return_s(self, sources: str) -> None:
        self.return_value(sources, F32)

    def do_return_many(self, sources: str) -> None:
        pc, fp = self.back(self.wide_field())
        first, count = self.wide_field(), self.wide_field()
        self.loop(count, lambda index: self.move(index, first))
        self.dispatch(pc, fp=fp)

    def move(self, index: str, first: str, target: str = "0") -> None:
        value = self.let(f"load i64, ptr {self.slot(self.let(f'add i64 {index}, {first}'))}, align 8")
        self.do(f"store i64 {value}, ptr {self.slot(self.let(f'add i64 {index}, {target}'))}, align 8")

    def loop(self, count: str, body: object) -> None:
        """Run `body(index)` for 0..count-1; count is not 0.  Volatile stores keep LLVM from making it a call of
        memset.
        """
        assert callable(body)
        entry, again, done, step = (f"{word}{self.name()}" for word in ("in", "again", "done", "step"))
        self.do(f"br label %{entry}")
        self.label(entry)
        self.do(f"br label %{again}")
        self.label(again)
        index = f"%index{step}"
        self.do(f"{index} = phi i64 [0, %{entry}], [%next{step}, %{again}]")
        body(index)
        self.do(f"%next{step} = add i64 {index}, 1")
        more = self.let(f"icmp ult i64 %next{step}, {count}")
        self.do(f"br i1 {more}, label %{again}, label %{done}")
        self.label(done)

    def do_zero(self, sources: str) -> None:
        first, count = self.wide_field(), self.wide_field()
        self.loop(
            count,
            lambda index: self.do(
                f"store volatile i64 0, ptr {self.slot(self.let(f'add i64 {index}, {first}'))}, align 8"
            ),
        )

    def do_move(self, sources: str) -> None:
        target, first, count = self.wide_field(), self.wide_field(), self.wide_field()
        self.loop(count, lambda index: self.move(index, first, target))

    def do_charge(self, sources: str) -> None:
        self.charge(self.wide_field())

    def do_unreachable(self, sources: str) -> None:
        self.leave(TrapKind.UNREACHABLE.code, aux=str(self.part))

    def bulk(self, op: Op) -> None:
        """A bulk instruction of one chunk; longer ones are the driver's."""
        first = self.wide_field()
        places = [self.slot(self.let(f"add i64 {first}, {at}")) for at in range(3)]
        a, b, count = (self.let(f"load i64, ptr {place}, align 8") for place in places)
        self.do(f"br i1 {self.let(f'icmp ugt i64 {count}, {BULK_CHUNK}')}, label %long, label %short, !prof !0")
        self.label("long")
        self.leave(Exit.STATE)
        self.label("short")
        for start in (a, b) if op.name in ("memory.copy", "memory.compare") else (a,):
            outside = self.let(f"icmp ugt i64 {self.let(f'add i64 {start}, {count}')}, {self.state['msz']}")
            self.trap_if(outside, TrapKind.OUT_OF_BOUNDS_MEMORY)
        operands = {"a": a, "b": b, "d": count, "m": self.state["mem"]}
        lines, results = expand(op, operands, "p0_", self.trap)
        self.lines += lines
        if "r" in results:
            self.do(f"store i64 {self.convert(results['r'], I32, I64)}, ptr {places[0]}, align 8")
        charge = self.let(f"lshr i64 {count}, 6")
        self.do(f"br i1 {self.let(f'icmp eq i64 {charge}, 0')}, label %free, label %charged")
        self.label("free")
        self.dispatch(self.after())
        self.label("charged")
        after = self.after()
        self.charge_and_test(charge, after)
        self.dispatch(after)

    def do_state(self, sources: str) -> None:
        self.leave(Exit.STATE)

    def do_throw(self, sources: str) -> None:
        self.leave(Exit.THROW, aux=str(self.part))

    def do_halt(self, sources: str) -> None:
        self.leave(Exit.DONE)

    def do_far_return(self, sources: str) -> None:
        self.leave(Exit.FAR_RETURN)

    def write(self, name: str) -> str:
        """The handler as a function."""
        parts = split(self.key)
        ended = False
        for self.part, (done, sources, target) in enumerate(parts):
            if done in CONTROL:
                self.control(done, sources)
                self.results.append(("", None))
                ended = CONTROL[done].leaves
            else:
                self.row(done, sources, target)
        if not ended:
            self.dispatch(self.after())
        for (code, part), label in self.traps.items():
            # What the handler was given: some of what it made may not exist yet where the trap is; charges come last.
            self.state = {name: f"%{name}" for name in self.state}
            self.label(label)
            self.leave(code, aux=str(part))
        body = "\n".join(self.lines)
        return f"define {_CC} i64 @{name}({_SIGNATURE}) nounwind {{\n{body}\n}}\n"


def _leave_ir() -> str:
    """The common way out: state into the context, pc and fp as offsets."""
    writer = Handler("halt::")
    code = writer.let(f"ptrtoint ptr {writer.context(Field.CODE)} to i64")
    writer.set_context(Field.PC, writer.let(f"sub i64 {writer.let('ptrtoint ptr %pc to i64')}, {code}"))
    stack = writer.let(f"ptrtoint ptr {writer.context(Field.STACK)} to i64")
    writer.set_context(Field.FP, writer.let(f"sub i64 {writer.let('ptrtoint ptr %fp to i64')}, {stack}"))
    writer.set_context(Field.FUEL, "%fuel")
    writer.do("ret i64 %r0")
    body = "\n".join(writer.lines)
    return f"define {_CC} i64 @leave({_SIGNATURE}) nounwind cold noinline {{\n{body}\n}}\n"


def _enter_ir() -> str:
    """The way in: state from the context."""
    writer = Handler("halt::")
    pc = writer.at(writer.context(Field.CODE), writer.context(Field.PC, "i64"))
    fp = writer.at(writer.context(Field.STACK), writer.context(Field.FP, "i64"))
    handler = writer.let(f"load ptr, ptr {pc}, align 8")
    memory, size = writer.context(Field.MEMORY), writer.context(Field.MEMORY_SIZE, "i64")
    fuel = writer.context(Field.FUEL, "i64")
    result = writer.let(
        f"call {_CC} i64 {handler}(ptr {pc}, ptr {fp}, ptr {memory}, i64 {size}, ptr %ctx, i64 {fuel}, i64 0, "
        "double 0.0, float 0.0)"
    )
    writer.do(f"ret i64 {result}")
    body = "\n".join(writer.lines)
    return f"define i64 @enter(ptr %ctx) nounwind {{\n{body}\n}}\n"


def module_ir(keys: Iterable[str], handler: type[Handler] = Handler) -> str:
    """IR of a module with the handlers `h0`, `h1`, … for the keys, `enter` and `leave`, and the ways to Python.

    handler: writes handlers.
    """
    functions = [
        _MEMORY_FUNCTIONS,
        _enter_ir(),
        _leave_ir(),
        python_ir(),
        *(handler(key).write(f"h{at}") for at, key in enumerate(keys)),
    ]
    body = "".join(functions)
    weights = '!0 = !{!"branch_weights", i32 1, i32 2000}\n!1 = !{!"branch_weights", i32 2000, i32 1}\n'
    return body + "\n".join(declarations(body)) + "\n" + weights


# What LLVM calls for copying and filling memory, so that the code refers to nothing outside itself.
_MEMORY_FUNCTIONS = """
define ptr @memmove(ptr %to, ptr %from, i64 %n) nounwind {
entry:
  %a = ptrtoint ptr %to to i64
  %b = ptrtoint ptr %from to i64
  %distance = sub i64 %a, %b
  %apart = icmp uge i64 %distance, %n
  %wide = and i64 %n, -16
  br i1 %apart, label %forward, label %backward
forward:
  %i = phi i64 [0, %entry], [%i2, %step]
  %more = icmp ult i64 %i, %wide
  br i1 %more, label %step, label %tail
step:
  %p = getelementptr i8, ptr %from, i64 %i
  %q = getelementptr i8, ptr %to, i64 %i
  %v = load <16 x i8>, ptr %p, align 1
  store <16 x i8> %v, ptr %q, align 1
  %i2 = add i64 %i, 16
  br label %forward
tail:
  %j = phi i64 [%wide, %forward], [%j2, %byte]
  %left = icmp ult i64 %j, %n
  br i1 %left, label %byte, label %done
byte:
  %pb = getelementptr i8, ptr %from, i64 %j
  %qb = getelementptr i8, ptr %to, i64 %j
  %vb = load i8, ptr %pb, align 1
  store i8 %vb, ptr %qb, align 1
  %j2 = add i64 %j, 1
  br label %tail
backward:
  %k = phi i64 [%n, %entry], [%k2, %back]
  %many = icmp uge i64 %k, 16
  br i1 %many, label %back, label %head
back:
  %k2 = sub i64 %k, 16
  %pk = getelementptr i8, ptr %from, i64 %k2
  %qk = getelementptr i8, ptr %to, i64 %k2
  %vk = load <16 x i8>, ptr %pk, align 1
  store <16 x i8> %vk, ptr %qk, align 1
  br label %backward
head:
  %h = phi i64 [%k, %backward], [%h2, %one]
  %some = icmp ne i64 %h, 0
  br i1 %some, label %one, label %done
one:
  %h2 = sub i64 %h, 1
  %ph = getelementptr i8, ptr %from, i64 %h2
  %qh = getelementptr i8, ptr %to, i64 %h2
  %vh = load i8, ptr %ph, align 1
  store i8 %vh, ptr %qh, align 1
  br label %head
done:
  ret ptr %to
}
define ptr @memset(ptr %to, i32 %value, i64 %n) nounwind {
entry:
  %byte = trunc i32 %value to i8
  %one = insertelement <16 x i8> poison, i8 %byte, i32 0
  %all = shufflevector <16 x i8> %one, <16 x i8> poison, <16 x i32> zeroinitializer
  %wide = and i64 %n, -16
  br label %forward
forward:
  %i = phi i64 [0, %entry], [%i2, %step]
  %more = icmp ult i64 %i, %wide
  br i1 %more, label %step, label %tail
step:
  %q = getelementptr i8, ptr %to, i64 %i
  store <16 x i8> %all, ptr %q, align 1
  %i2 = add i64 %i, 16
  br label %forward
tail:
  %j = phi i64 [%wide, %forward], [%j2, %last]
  %left = icmp ult i64 %j, %n
  br i1 %left, label %last, label %done
last:
  %qb = getelementptr i8, ptr %to, i64 %j
  store i8 %byte, ptr %qb, align 1
  %j2 = add i64 %j, 1
  br label %tail
done:
  ret ptr %to
}
"""
