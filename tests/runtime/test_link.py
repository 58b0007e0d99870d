"""Instantiation: imports that fit and that do not, and instances that share a store."""

from __future__ import annotations

from typing import Any

import pytest

from svm import Guest, LinkError, TrapError, UsageError
from svm.isa import I32, I64, FuncType
from svm.module import GlobalType, from_text, validate
from svm.runtime import FunctionInstance, GlobalInstance, HostFunction, TagInstance
from svm.runtime.link import instantiate
from tests.conftest import Spawn

LIBRARY = """
    module $library
    memory $memory 1 4
    table $table 4 8 funcref
    global $counter mut i32 (i32.const 10)
    global $constant i64 (i64.const 77)
    tag $error (param i32)
    elem active table $table at (i32.const 0) funcref (ref.func $count)
    func $count (result i32)
      global.get $counter
      i32.const 1
      i32.add
      global.set $counter
      global.get $counter
    end
    func $fail (param i32)
      local.get 0
      throw $error
    end
    func $peek (param i32) (result i32)
      local.get 0
      i32.load8_u
    end
    export "memory" memory $memory
    export "table" table $table
    export "counter" global $counter
    export "constant" global $constant
    export "error" tag $error
    export "count" func $count
    export "fail" func $fail
    export "peek" func $peek
    """

USER = """
    module $user
    import "library" "memory" memory 1
    import "library" "table" table $table 4 funcref
    import "library" "counter" global $counter mut i32
    import "library" "constant" global $constant i64
    import "library" "error" tag $error (param i32)
    import "library" "count" func $count (result i32)
    import "library" "fail" func $fail (param i32)
    global $copy i64 (global.get $constant)
    data active at (i32.const 5) "user"
    elem active table $table at (i32.const 2) funcref (ref.func $hundred)
    func $hundred (result i32)
      i32.const 100
    end
    func $indirect (param i32) (result i32)
      local.get 0
      call_indirect (result i32) $table
    end
    func $caught (param i32) (result i32)
      block $caught (result i32)
        try_table (catch $error $caught)
          local.get 0
          call $fail
        end
        i32.const -1
      end
    end
    func $set (param i32) (result i32)
      local.get 0
      global.set $counter
      call $count
    end
    func $grow (result i32)
      i32.const 1
      memory.grow
    end
    func $copy (result i64)
      global.get $copy
    end
    func $fails (param i32)
      @ "user.kr" 5
      local.get 0
      call $fail
    end
    export "indirect" func $indirect
    export "caught" func $caught
    export "set" func $set
    export "grow" func $grow
    export "copy" func $copy
    export "fails" func $fails
    """


def link(guest: Guest, text: str, **imports: Any) -> Guest:
    """Another module in the guest's store; its exports are then the guest's."""
    guest.instance = instantiate(guest.store, validate(from_text(text)), {"library": guest.instance, **imports})
    return guest


def test_instances_of_one_store_share_what_they_import(spawn: Spawn) -> None:
    guest = spawn(LIBRARY)
    library = guest.exports
    link(guest, USER)
    assert guest.memory[5:9] == b"user"
    assert guest.call("set", 20) == 21
    assert library["counter"].value == 21  # type: ignore[union-attr]  # a global
    assert guest.call("indirect", 0) == 22
    assert guest.call("indirect", 2) == 100
    with pytest.raises(TrapError, match="uninitialized element"):
        guest.call("indirect", 1)
    assert guest.call("caught", 9) == 9
    assert guest.call("copy") == 77
    assert guest.call("grow") == 1
    assert library["memory"].pages == 2  # type: ignore[union-attr]  # a memory


def test_traceback_through_two_instances(spawn: Spawn) -> None:
    guest = link(spawn(LIBRARY), USER)
    with pytest.raises(Exception, match=r"uncaught exception error\(3,\)") as error:
        guest.call("fails", 3)
    frames = error.value.traceback.frames  # type: ignore[attr-defined]  # an UncaughtError
    assert [(frame.module, frame.name, frame.line) for frame in frames] == [
        ("user", "fails", 5),
        ("library", "fail", None),
    ]


def test_a_call_between_instances_uses_the_callees_memory(spawn: Spawn) -> None:
    guest = spawn(LIBRARY)
    guest.memory[3] = 33
    link(guest, """
        import "library" "peek" func $peek (param i32) (result i32)
        memory 1
        data active at (i32.const 3) "\\2c"
        func $f (result i32 i32)
          i32.const 3
          i32.load8_u
          i32.const 3
          call $peek
        end
        export "f" func $f
        """)  # fmt: skip
    assert guest.call("f") == (44, 33)


def test_fuel_runs_out_in_another_instance(spawn: Spawn) -> None:
    guest = link(spawn(LIBRARY), USER)
    plain = guest.call("caught", 4)
    used = guest.fuel_used
    task = guest.start("caught", 4)
    pauses = 0
    while (outcome := task.run(fuel=0)).__class__.__name__ == "Paused":
        pauses += 1
    assert pauses > 0
    assert outcome.value == plain and guest.fuel_used == 2 * used  # type: ignore[union-attr]  # it is Finished


@pytest.mark.parametrize("name", ["memory", "table", "counter", "constant", "count"])
def test_things_of_another_guest_are_refused(spawn: Spawn, name: str) -> None:
    kind = {"memory": "memory 1", "table": "table 4 funcref", "counter": "global mut i32", "constant": "global i64",
            "count": "func (result i32)"}[name]  # fmt: skip
    other = spawn(LIBRARY)
    text = f'import "env" "{name}" {kind}'
    for given in (other.instance, dict(other.exports)):
        with pytest.raises(LinkError, match=f"import 'env' '{name}': it belongs to another guest"):
            spawn(text, imports={"env": given})


def test_a_global_of_the_host(spawn: Spawn) -> None:
    text = """
        import "env" "g" global $g mut i32
        func $f
          global.get $g
          i32.const 1
          i32.add
          global.set $g
        end
        export "f" func $f
        export "g" global $g
        """
    cell = GlobalInstance(GlobalType(I32, True), 4)
    guest = spawn(text, imports={"env": {"g": cell}})
    guest.call("f")
    assert cell.value == 5 == guest.get_global("g")
    with pytest.raises(LinkError, match="it belongs to another guest"):
        spawn(text, imports={"env": {"g": cell}})


@pytest.mark.parametrize(
    ("wanted", "given", "message"),
    [
        ("func (param i32)", None, r"import 'env' 'x' \(func\) is missing"),
        ("memory 1", None, r"import 'env' 'x' \(memory\) is missing"),
        ("func (param i32)", 5, "a function is asked for, int given"),
        ("func (param i32)", GlobalInstance(GlobalType(I32), 0), "a function is asked for, GlobalInstance given"),
        ("memory 1", len, "a memory is asked for, builtin_function_or_method given"),
        ("global i32", 5, "a global is asked for, int given"),
        ("table 1 funcref", HostFunction(len), "a table is asked for, HostFunction given"),
        ("global i32", GlobalInstance(GlobalType(I64), 0), "i32 is asked for, i64 given"),
        ("global i32", GlobalInstance(GlobalType(I32, True), 0), "i32 is asked for, mut i32 given"),
        ("global mut i32", GlobalInstance(GlobalType(I32), 0), "mut i32 is asked for, i32 given"),
        ("tag (param i32)", TagInstance(FuncType(), "t"), r"\(i32\) -> \(\) is asked for, \(\) -> \(\) given"),
        ("tag", len, "a tag is asked for, builtin_function_or_method given"),
    ],
)
def test_imports_that_are_missing_or_do_not_fit(spawn: Spawn, wanted: str, given: Any, message: str) -> None:
    space = {} if given is None else {"x": given}
    with pytest.raises(LinkError, match=message):
        spawn(f'import "env" "x" {wanted}', imports={"env": space})
    if given is None:
        with pytest.raises(LinkError, match=message):
            spawn(f'import "env" "x" {wanted}')


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ('"memory" memory 0', True),
        ('"memory" memory 1 4', True),
        ('"memory" memory 1 5', True),
        ('"memory" memory 1 3', False),
        ('"memory" memory 2', False),
        ('"table" table 4 funcref', True),
        ('"table" table 3 8 funcref', True),
        ('"table" table 4 7 funcref', False),
        ('"table" table 5 funcref', False),
        ('"table" table 4 externref', False),
        ('"count" func (result i32)', True),
        ('"count" func', False),
        ('"count" func (result i64)', False),
        ('"count" global i32', False),
        ('"error" tag (param i32)', True),
        ('"error" tag', False),
    ],
)
def test_limits_of_imports_may_be_tighter_but_not_wider(spawn: Spawn, wanted: str, fits: bool) -> None:
    guest = spawn(LIBRARY)
    if fits:
        link(guest, f'import "library" {wanted}')
    else:
        with pytest.raises(LinkError, match="incompatible import type: import 'library'"):
            link(guest, f'import "library" {wanted}')


def test_the_size_now_counts_not_the_size_at_first(spawn: Spawn) -> None:
    guest = link(spawn(LIBRARY), USER)
    library = guest.store.instances[0]
    guest.call("grow")
    guest.instance = library
    link(guest, 'import "library" "memory" memory 2')


def test_an_import_twice_is_one_thing(spawn: Spawn) -> None:
    guest = link(spawn(LIBRARY), """
        import "library" "count" func $a (result i32)
        import "library" "count" func $b (result i32)
        func $f (result i32 i32)
          call $a
          call $b
        end
        export "f" func $f
        export "a" func $a
        export "b" func $b
        """)  # fmt: skip
    assert guest.call("f") == (11, 12)
    assert guest.exports["a"] is guest.exports["b"]
    assert isinstance(guest.exports["a"], FunctionInstance)


def test_segments_before_one_that_does_not_fit_stay_written(spawn: Spawn) -> None:
    """As WebAssembly has it: an instance that fails may have changed what it imports."""
    guest = spawn(LIBRARY)
    with pytest.raises(TrapError, match="data segment 1 does not fit"):
        link(guest, """
            import "library" "memory" memory 1
            data active at (i32.const 0) "first"
            data active at (i32.const 65536) "second"
            """)  # fmt: skip
    assert guest.memory[:5] == b"first"


@pytest.mark.parametrize("given", [5, "text", None, object()])
def test_imports_of_a_module_are_a_mapping_or_an_instance(spawn: Spawn, given: Any) -> None:
    with pytest.raises(UsageError, match="imports of 'env': names with what fills them, or an instance, not"):
        spawn('import "env" "x" func', imports={"env": given})


def test_an_unknown_engine(spawn: Spawn) -> None:
    from svm import Module

    with pytest.raises(UsageError, match="no engine is named 'nonsense'; there are auto, interpreter, reference"):
        Module(from_text("")).spawn(engine="nonsense")
