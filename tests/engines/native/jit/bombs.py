"""Compile bombs: valid modules whose functions are hot at once, and dear to whoever compiles them.

Each exports `f (param $n i64) (result i64)`, which runs what is dear `$n` times and gives a number that depends on all
of it.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["BOMBS", "bomb"]

_LOOP = """
func $f (param $n i64) (result i64)
  local $x i64
  {locals}
  i64.const 88172645463325252
  local.set $x
  loop $again
    {body}
    local.get $n
    i64.const 1
    i64.sub
    local.tee $n
    i64.const 0
    i64.ne
    br_if $again
  end
  local.get $x
end
export "f" func $f
"""

_STEP = "local.get $x\ni64.const {k}\ni64.mul\ni64.const {k}\ni64.add\nlocal.set $x\n"
"""A step of `$x` that cannot be folded away."""


def _steps(count: int, first: int = 0) -> str:
    return "".join(_STEP.format(k=2 * (k + first) + 3) for k in range(count))


def _f(body: str, locals_: str = "", rest: str = "") -> str:
    """A module with `$f` around a body."""
    return f"module $m version 1\nmemory 2\n{rest}\n{_LOOP.format(body=body, locals=locals_)}"


def _names(count: int, kind: str) -> str:
    return "".join(f"local $v{at} {kind}\n" for at in range(count))


def _index(mask: int) -> str:
    """An i32 from `$x`."""
    return f"local.get $x\ni32.wrap_i64\ni32.const {mask}\ni32.and\n"


def _switch(targets: int, arms: int) -> str:
    """A `br_table` with so many targets, which are so many blocks with code of their own."""
    labels = " ".join(f"$b{at % arms}" for at in range(targets))
    opened = "".join(f"block $b{at}\n" for at in reversed(range(arms)))
    closed = "".join(f"end\n{_STEP.format(k=2 * at + 5)}br $out\n" for at in range(arms))
    return f"block $out\n{opened}{_index(targets - 1)}br_table ({labels}) $b0\n{closed}end\n"


def _live_operands(count: int, between: str) -> str:
    pushed = "".join(f"local.get $x\ni64.const {at}\ni64.xor\n" for at in range(count))
    return f"{pushed}{between}{'i64.add' + chr(10)}" * 1 + "i64.add\n" * (count - 2) + "local.set $x\n"


def _live_locals(count: int, between: str) -> str:
    given = "".join(f"local.get $x\ni64.const {at}\ni64.rotl\nlocal.set $v{at}\n" for at in range(count))
    taken = "".join(f"local.get $v{at}\nlocal.get $x\ni64.add\nlocal.set $x\n" for at in range(count))
    return given + between + taken


def _nest(kind: str, depth: int, body: str) -> str:
    return f"{kind}\n" * depth + body + "end\n" * depth


def _nested_ifs(depth: int) -> str:
    head = "".join(
        f"local.get $x\ni64.const {1 << at % 60}\ni64.and\ni64.eqz\nif\n{_steps(1, at)}" for at in range(depth)
    )
    return head + "".join(f"else\n{_steps(1, at + 7)}end\n" for at in range(depth))


def _nested_loops(depth: int) -> str:
    """Loops that run once each, and cannot be known to."""
    heads = "".join(f"loop $l{at}\n" for at in range(depth))
    ends = "".join(f"{_steps(1, at)}local.get $x\ni64.eqz\nbr_if $l{at}\nend\n" for at in reversed(range(depth)))
    return heads + ends


def _counted(depth: int, trips: int) -> str:
    """Nested loops with constant trip counts, for whoever unrolls."""
    heads = "".join(f"i32.const {trips}\nlocal.set $v{at}\nloop $l{at}\n" for at in range(depth))
    ends = "".join(
        f"local.get $v{at}\ni32.const -1\ni32.add\nlocal.tee $v{at}\nbr_if $l{at}\nend\n"
        for at in reversed(range(depth))
    )
    return heads + _steps(2) + ends


def _branchy(locals_: int, branches: int) -> str:
    """Many locals, each written on one side of many branches: a merge of all of them at each."""
    out = []
    for at in range(branches):
        writes = "".join(
            f"local.get $x\ni64.const {at + k}\ni64.add\nlocal.set $v{(at * 7 + k * 13) % locals_}\n" for k in range(4)
        )
        out.append(f"{_index(1 << at % 30)}if\n{writes}else\n{_steps(1, at)}end\n")
    return "".join(out) + "".join(f"local.get $v{at}\nlocal.get $x\ni64.xor\nlocal.set $x\n" for at in range(locals_))


def _float_chain(count: int) -> str:
    """Each local gets the last one's value before that has its own: what is exact spreads one local a pass."""
    first = "local.get $x\nf64.reinterpret_i64\nlocal.set $v0\n"
    moved = "".join(f"local.get $v{at - 1}\nlocal.set $v{at}\n" for at in range(count - 1, 0, -1))
    last = f"local.get $v{count - 1}\nf64.const 1.5\nf64.add\nlocal.set $v{count - 1}\n"
    return f"{moved}{first}{last}local.get $v{count - 1}\ni64.reinterpret_f64\nlocal.get $x\ni64.add\nlocal.set $x\n"


def _functions(count: int, body: str) -> str:
    return "".join(f"func $g{at} (param $x i64) (result i64)\n{body.format(at=at)}end\n" for at in range(count))


def _calls(count: int, of: int) -> str:
    return "".join(f"local.get $x\ncall $g{at % of}\nlocal.set $x\n" for at in range(count))


_LEAF = "local.get $x\ni64.const {at}\ni64.xor\ni64.const 31\ni64.mul\n"


def _chain(count: int, size: int) -> str:
    """Functions that call the next one twice: all of them in the place of each call would be exponential."""
    out = []
    for at in range(count):
        nested = f"call $g{at + 1}\n" if at + 1 < count else ""
        out.append(f"func $g{at} (param $x i64) (result i64)\n{_steps(size, at)}local.get $x\n{nested}end\n")
    return "".join(out)


def _wide(count: int) -> tuple[str, str]:
    """A function of so many parameters and results, and a call of it."""
    kinds = " ".join(["i64"] * count)
    gets = "".join(f"local.get {count - 1 - at}\n" for at in range(count))
    rest = f"func $wide (param {kinds}) (result {kinds})\n{gets}end\n"
    call = "".join(f"local.get $x\ni64.const {at}\ni64.add\n" for at in range(count)) + "call $wide\n"
    return rest, call + "i64.xor\n" * (count - 1) + "local.set $x\n"


def _wide_block(count: int) -> str:
    kinds = " ".join(["i64"] * count)
    pushed = "".join(f"local.get $x\ni64.const {at}\ni64.add\n" for at in range(count))
    return f"{pushed}block (param {kinds}) (result {kinds})\nend\n" * 1 + "i64.xor\n" * (count - 1) + "local.set $x\n"


def _tries(count: int) -> str:
    out = []
    for at in range(count):
        out.append(
            f"block $c{at}\ntry_table (catch_all $c{at})\n{_index(1023)}if\n{_steps(1, at)}else\nthrow $e\nend\n"
            f"end\nend\n"
        )
    return "".join(out)


def _memory(count: int, store: bool) -> str:
    access = (
        "local.get $x\ni64.store8 offset={at}\n"
        if store
        else "i64.load offset={at}\nlocal.get $x\ni64.add\nlocal.set $x\n"
    )
    return "".join(_index(0xFFFF) + access.format(at=at * 3 % 4096) for at in range(count))


def _divisions(count: int) -> str:
    return "".join(
        f"local.get $x\nlocal.get $x\ni64.const {2 * at + 3}\ni64.or\ni64.{'div_s' if at % 2 else 'rem_u'}\n"
        f"i64.const {at}\ni64.add\nlocal.set $x\n"
        for at in range(count)
    )


def _floats(count: int) -> str:
    names = ("add", "mul", "sub", "div", "min", "max", "copysign")
    head = "local.get $x\nf64.convert_i64_s\n"
    steps = "".join(f"f64.const {at + 1}.25\nf64.{names[at % 7]}\nf64.sqrt\n" for at in range(count))
    return f"{head}{steps}i64.trunc_sat_f64_s\nlocal.get $x\ni64.add\nlocal.set $x\n"


def _selects(count: int) -> str:
    return (
        "local.get $x\n"
        + "".join(f"local.get $x\ni64.const {at}\ni64.add\n{_index(1 << at % 30)}select\n" for at in range(count))
        + "local.set $x\n"
    )


def _exits(count: int) -> str:
    inner = "".join(f"{_steps(1, at)}local.get $x\ni64.const {at}\ni64.eq\nbr_if $out\n" for at in range(count))
    return f"block $out\n{inner}end\n"


def _back_edges(count: int) -> str:
    inner = "".join(f"{_steps(1, at)}local.get $x\ni64.const {at}\ni64.eq\nbr_if $l\n" for at in range(count))
    return f"loop $l\n{inner}end\n"


def _loops_in_a_row(count: int) -> str:
    one = (
        "i32.const 64\nlocal.set $v0\nloop $l{at}\nlocal.get $v0\nlocal.get $v0\ni32.load offset=64\ni32.const {at}\n"
        "i32.add\ni32.store offset=4096\nlocal.get $v0\ni32.const -4\ni32.add\nlocal.tee $v0\nbr_if $l{at}\nend\n"
    )
    return "".join(one.format(at=at) for at in range(count))


def _bulk(count: int) -> str:
    return "".join(
        f"{_index(0xFFF)}{_index(0xFFFF)}i32.const {at % 90}\nmemory.{'copy' if at % 2 else 'fill'}\n{_steps(1, at)}"
        for at in range(count)
    )


def _growing(count: int) -> str:
    return "i32.const 0\nmemory.grow\ndrop\n" * count + _steps(1)


def _globals(count: int) -> tuple[str, str]:
    rest = "".join(f"global $q{at} mut i64 (i64.const {at})\n" for at in range(count))
    body = "".join(
        f"global.get $q{at}\nlocal.get $x\ni64.add\nglobal.set $q{(at + 1) % count}\n{_steps(1, at)}"
        for at in range(count)
    )
    return rest, body


def _bits(count: int) -> str:
    names = ("clz", "ctz", "popcnt", "extend8_s", "extend32_s")
    return "".join(f"local.get $x\ni64.{names[at % 5]}\nlocal.get $x\ni64.add\nlocal.set $x\n" for at in range(count))


def _caught(tags: int, calls: int) -> str:
    """Calls inside of handlers, each for a tag of its own: all of them asked after each call would be their product."""
    opened = "".join(f"try_table (catch $t{at} $out_)\n" for at in range(tags))
    closed = "end\n" * (tags + 1)
    return f"block $out_\n{opened}{_calls(calls, 1)}{closed}"


def _constants(count: int) -> str:
    return (
        "i64.const 1\n"
        + "".join(f"i64.const {at * 977}\ni64.{('xor', 'add', 'mul')[at % 3]}\n" for at in range(count))
        + ("local.get $x\ni64.add\nlocal.set $x\n")
    )


def _with(pair: tuple[str, str]) -> str:
    rest, body = pair
    return _f(body, rest=rest)


BOMBS: dict[str, Callable[[], str]] = {
    "a switch of 8,192 ways to 2 places": lambda: _f(_switch(8192, 2)),
    "a switch of 1,024 ways to 900 places": lambda: _f(_switch(1024, 900)),
    "a switch of 8,192 ways to 2,000 places": lambda: _f(_switch(8192, 2000)),
    "switches one after the other": lambda: _f(
        "".join(_switch(64, 16).replace("$", f"$s{at}_").replace(f"$s{at}_x", "$x") for at in range(60))
    ),
    "2,000 operands live": lambda: _f(_live_operands(2000, "")),
    "2,000 operands live over a call": lambda: _f(_live_operands(2000, "call $g0\n"), rest=_functions(1, _LEAF)),
    "900 locals live over 100 calls": lambda: _f(
        _live_locals(900, _calls(100, 1)), _names(900, "i64"), _functions(1, _LEAF)
    ),
    "5,000 locals": lambda: _f(_live_locals(5000, ""), _names(5000, "i64")),
    "blocks 2,500 deep": lambda: _f(_nest("block", 2500, _steps(1))),
    "ifs 1,000 deep": lambda: _f(_nested_ifs(1000)),
    "loops 120 deep": lambda: _f(_nested_loops(120)),
    "loops 700 deep": lambda: _f(_nested_loops(700)),
    "counted loops 5 deep": lambda: _f(_counted(5, 4), _names(5, "i32")),
    "a giant function": lambda: _f(_steps(20_000)),
    "a function just below the cap": lambda: _f(_steps(1_900)),
    "3,000 functions": lambda: _f(_calls(300, 3000), rest=_functions(3000, _LEAF)),
    "functions that all fit each other": lambda: _f(_calls(40, 1), rest=_chain(40, 8)),
    "600 parameters and results": lambda: _with(_wide(600)),
    "a block of 900 parameters and results": lambda: _f(_wide_block(900)),
    "a constant of 6,000 operations": lambda: _f(_constants(6000)),
    "2,500 stores": lambda: _f(_memory(2500, True)),
    "1,800 loads": lambda: _f(_memory(1800, False)),
    "1,200 divisions": lambda: _f(_divisions(1200)),
    "2,500 steps of floating point": lambda: _f(_floats(2500)),
    "900 floats that move on": lambda: _f(_float_chain(900), _names(900, "f64")),
    "1,200 selects": lambda: _f(_selects(1200)),
    "1,000 exits from a block": lambda: _f(_exits(1000)),
    "1,000 branches back": lambda: _f(_back_edges(1000)),
    "600 loops in a row": lambda: _f(_loops_in_a_row(600), _names(1, "i32")),
    "800 fills and copies": lambda: _f(_bulk(800)),
    "2,000 times more memory": lambda: _f(_growing(2000)),
    "900 globals": lambda: _with(_globals(900)),
    "2,000 countings of bits": lambda: _f(_bits(2000)),
    "300 handlers": lambda: _f(_tries(300), rest="tag $e\n"),
    "1,500 calls inside 400 handlers": lambda: _f(
        _caught(400, 1500), rest=_functions(1, _LEAF) + "".join(f"tag $t{at}\n" for at in range(400))
    ),
    "300 locals merged 300 times": lambda: _f(_branchy(300, 300), _names(300, "i64")),
}


def bomb(name: str) -> str:
    """A bomb's text."""
    return BOMBS[name]()
