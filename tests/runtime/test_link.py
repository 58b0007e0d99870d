"""Instantiation: imports that fit and that do not, and guests that share a store."""

from __future__ import annotations

from typing import Any

import pytest

from svm import Guest, LimitError, Limits, LinkError, Module, Store, TrapError, UncaughtError, UsageError
from svm.isa import I32, I64, FuncType
from svm.module import GlobalType, from_text
from svm.runtime import FunctionInstance, GlobalInstance, HostFunction, TagInstance
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


@pytest.fixture
def store(engine: str) -> Store:
    """An empty store on each engine."""
    return Store(engine=engine)


def add(store: Store, text: str, **imports: Any) -> Guest:
    """A guest of the store."""
    return store.spawn(Module(from_text(text)), imports=imports)


def test_guests_of_one_store_share_what_they_import(store: Store) -> None:
    library = add(store, LIBRARY)
    user = add(store, USER, library=library)
    assert library.memory[5:9] == b"user"
    assert user.call("set", 20) == 21
    assert library.get_global("counter") == 21
    assert user.call("indirect", 0) == 22
    assert user.call("indirect", 2) == 100
    with pytest.raises(TrapError, match="uninitialized element"):
        user.call("indirect", 1)
    assert user.call("caught", 9) == 9
    assert user.call("copy") == 77
    assert user.call("grow") == 1
    assert library.exports["memory"].pages == 2  # type: ignore[union-attr]  # a memory
    assert library.call("peek", 70000) == 0
    assert library.fuel_used == user.fuel_used == store.fuel_used > 0


def test_traceback_through_two_instances(store: Store) -> None:
    user = add(store, USER, library=add(store, LIBRARY))
    with pytest.raises(UncaughtError, match=r"uncaught exception error\(3,\)") as error:
        user.call("fails", 3)
    assert [(frame.module, frame.name, frame.line) for frame in error.value.traceback.frames] == [
        ("user", "fails", 5),
        ("library", "fail", None),
    ]


def test_a_call_between_instances_uses_the_callees_memory(store: Store) -> None:
    library = add(store, LIBRARY)
    library.memory[3] = 33
    user = add(store, """
        import "library" "peek" func $peek (param i32) (result i32)
        memory 1
        data active at (i32.const 3) "\\2c"
        func $f (result i32 i32 i32)
          i32.const 3
          i32.load8_u
          i32.const 3
          call $peek
          i32.const 3
          i32.load8_u
        end
        export "f" func $f
        """, library=library)  # fmt: skip
    assert user.call("f") == (44, 33, 44)


GROWS = """
    import "library" "memory" memory 1
    import "library" "table" table $table 4 funcref
    import "other" "grow" func $other
    func $f (param $to i32) (result i32 i32 i32)
      call $other
      local.get $to
      i32.const 55
      i32.store8
      local.get $to
      i32.load8_u
      memory.size
      table.size $table
    end
    export "f" func $f
    """
"""Its `f` uses memory that only the call in it makes."""


def test_what_another_instance_grows_is_seen_at_once(store: Store) -> None:
    """In the middle of a call, whoever grows it: another instance, the host, or another instance called by the host."""
    library = add(store, LIBRARY)
    grower = add(store, """
        import "library" "memory" memory 1
        import "library" "table" table $table 4 funcref
        func $grow
          i32.const 1
          memory.grow
          drop
          ref.null funcref
          i32.const 1
          table.grow $table
          drop
        end
        export "grow" func $grow
        """, library=library)  # fmt: skip

    def by_host() -> None:
        library.exports["memory"].grow(1)  # type: ignore[union-attr]  # a memory
        library.exports["table"].grow(1, 0)  # type: ignore[union-attr]  # a table

    ways: list[Any] = [grower.exports["grow"], by_host, lambda: grower.call("grow")]
    for number, way in enumerate(ways, 1):
        user = add(store, GROWS, library=library, other={"grow": way})
        assert user.call("f", 65536 * (number + 1) - 1) == (55, number + 1, 4 + number)


def test_a_memory_that_the_host_grows_between_slices(store: Store) -> None:
    library = add(store, """
        memory $memory 1
        func $f (param $to i32) (result i32)
          loop
            local.get $to
            i32.const 1
            i32.sub
            local.tee $to
            br_if 0
          end
          i32.const 65536
          i32.load8_u
        end
        export "memory" memory $memory
        export "f" func $f
        """)  # fmt: skip
    task = library.start("f", 100)
    task.run(fuel=50)
    library.exports["memory"].grow(1)  # type: ignore[union-attr]  # a memory
    library.memory[65536] = 7
    assert task.run().value == 7  # type: ignore[union-attr]  # it is Finished


def test_exceptions_pass_through_instances_to_the_first_that_catches(store: Store) -> None:
    library = add(store, LIBRARY)
    middle = add(store, """
        import "library" "fail" func $fail (param i32)
        tag $error (param i32)
        func $f (param i32)
          block $own (result i32)
            try_table (catch $error $own)
              local.get 0
              call $fail
            end
            return
          end
          drop
        end
        export "fail" func $f
        """, library=library)  # fmt: skip
    outer = add(store, """
        import "library" "error" tag $error (param i32)
        import "middle" "fail" func $fail (param i32)
        func $f (param i32) (result i32 i32)
          block $caught (result i32)
            try_table (catch $error $caught)
              local.get 0
              call $fail
            end
            i32.const -1
          end
          i32.const 6
        end
        export "f" func $f
        """, library=library, middle=middle)  # fmt: skip
    assert outer.call("f", 12) == (12, 6)
    assert outer.call("f", 13) == (13, 6)
    with pytest.raises(UncaughtError) as error:
        middle.call("fail", 1)
    assert [frame.module for frame in error.value.traceback.frames] == ["", "library"]


def test_fuel_runs_out_in_another_instance(store: Store) -> None:
    user = add(store, USER, library=add(store, LIBRARY))
    plain = user.call("caught", 4)
    used = user.fuel_used
    task = user.start("caught", 4)
    pauses = 0
    while (outcome := task.run(fuel=0)).__class__.__name__ == "Paused":
        pauses += 1
    assert pauses > 0
    assert outcome.value == plain and user.fuel_used == 2 * used  # type: ignore[union-attr]  # it is Finished


@pytest.mark.parametrize("name", ["memory", "table", "counter", "constant", "count", "error"])
def test_things_of_another_store_are_refused(spawn: Spawn, name: str) -> None:
    kind = {"memory": "memory 1", "table": "table 4 funcref", "counter": "global mut i32", "constant": "global i64",
            "count": "func (result i32)", "error": "tag (param i32)"}[name]  # fmt: skip
    other = spawn(LIBRARY)
    text = f'import "env" "{name}" {kind}'
    with pytest.raises(LinkError, match=r"imports of 'env': <Guest library on .*> belongs to another store"):
        spawn(text, imports={"env": other})
    with pytest.raises(LinkError, match=f"import 'env' '{name}': it belongs to another store"):
        spawn(text, imports={"env": dict(other.exports)})


def test_a_refused_module_changes_nothing(store: Store) -> None:
    """Neither the store nor a global of the host's, whatever of the imports did fit."""
    library = add(store, LIBRARY)
    cell = GlobalInstance(GlobalType(I32), 1)
    arenas = store.arenas
    before = len(arenas.instances), arenas.functions.count, list(arenas.globals), arenas.memory_used
    for last in ('import "library" "nonsense" func', 'import "library" "memory" memory 3'):
        with pytest.raises(LinkError):
            add(store, f"""
                import "env" "cell" global i32
                import "env" "f" func
                {last}
                table 4 funcref
                """, library=library, env={"cell": cell, "f": len})  # fmt: skip
    assert (len(arenas.instances), arenas.functions.count, list(arenas.globals), arenas.memory_used) == before
    assert cell.arenas is None
    small = Store(engine="reference", limits=Limits(memory="64 KiB", table_elements=3))
    for text in ("memory 2\ntable 1 funcref", "memory 1\ntable 4 funcref"):
        with pytest.raises(LimitError):
            add(small, text)
    add(small, "memory 1\ntable 3 funcref")


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
    with pytest.raises(LinkError, match="it belongs to another store"):
        spawn(text, imports={"env": {"g": cell}})


def test_a_tag_of_the_host(store: Store) -> None:
    tag = TagInstance(FuncType((I32,)), "mine")
    guest = add(store, """
        import "env" "tag" tag $tag (param i32)
        func $f
          i32.const 3
          throw $tag
        end
        export "f" func $f
        """, env={"tag": tag})  # fmt: skip
    with pytest.raises(UncaughtError, match=r"uncaught exception mine\(3,\)"):
        guest.call("f")


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
def test_limits_of_imports_may_be_tighter_but_not_wider(store: Store, wanted: str, fits: bool) -> None:
    library = add(store, LIBRARY)
    if fits:
        add(store, f'import "library" {wanted}', library=library)
    else:
        with pytest.raises(LinkError, match="incompatible import type: import 'library'"):
            add(store, f'import "library" {wanted}', library=library)


def test_the_size_now_counts_not_the_size_at_first(store: Store) -> None:
    library = add(store, LIBRARY)
    add(store, USER, library=library).call("grow")
    add(store, 'import "library" "memory" memory 2', library=library)


def test_an_import_twice_is_one_thing(store: Store) -> None:
    guest = add(store, """
        import "library" "count" func $a (result i32)
        import "library" "count" func $b (result i32)
        func $f (result i32 i32)
          call $a
          call $b
        end
        export "f" func $f
        export "a" func $a
        export "b" func $b
        """, library=add(store, LIBRARY))  # fmt: skip
    assert guest.call("f") == (11, 12)
    assert guest.exports["a"] is guest.exports["b"]
    assert isinstance(guest.exports["a"], FunctionInstance)


def test_segments_before_one_that_does_not_fit_stay_written(store: Store) -> None:
    """As WebAssembly has it: an instance that fails may have changed what it imports, and its functions can be called
    from there.
    """
    library = add(store, LIBRARY)
    with pytest.raises(TrapError, match="data segment 1 does not fit"):
        add(store, """
            import "library" "memory" memory 1
            import "library" "table" table $table 4 funcref
            global $own i32 (i32.const 33)
            elem active table $table at (i32.const 3) funcref (ref.func $f)
            data active at (i32.const 0) "first"
            data active at (i32.const 65536) "second"
            func $f (result i32)
              global.get $own
            end
            """, library=library)  # fmt: skip
    assert library.memory[:5] == b"first"
    assert add(store, USER, library=library).call("indirect", 3) == 33
    with pytest.raises(TrapError, match="element segment 1 does not fit"):
        add(store, """
            import "library" "memory" memory 1
            import "library" "table" table $table 4 funcref
            elem active table $table at (i32.const 1) funcref (ref.func $f)
            elem active table $table at (i32.const 4) funcref (ref.func $f)
            data active at (i32.const 0) "third"
            func $f (result i32)
              i32.const 44
            end
            """, library=library)  # fmt: skip
    assert library.memory[:5] == b"first"
    assert add(store, USER, library=library).call("indirect", 1) == 44


def test_a_start_function_that_traps_leaves_what_it_did(store: Store) -> None:
    library = add(store, LIBRARY)
    with pytest.raises(TrapError, match="unreachable"):
        add(store, """
            import "library" "table" table $table 4 funcref
            import "library" "counter" global $counter mut i32
            elem active table $table at (i32.const 1) funcref (ref.func $f)
            func $f (result i32)
              i32.const 5
            end
            func $begin
              i32.const 1000
              global.set $counter
              unreachable
            end
            start $begin
            """, library=library)  # fmt: skip
    assert store.task is None
    assert library.get_global("counter") == 1000
    assert add(store, USER, library=library).call("indirect", 1) == 5


@pytest.mark.parametrize("given", [5, "text", None, object()])
def test_imports_of_a_module_are_a_mapping_or_a_guest(spawn: Spawn, given: Any) -> None:
    with pytest.raises(UsageError, match="imports of 'env': names with what fills them, or a guest, not"):
        spawn('import "env" "x" func', imports={"env": given})


def test_an_unknown_engine() -> None:
    for attempt in (Module(from_text("")).spawn, Store):
        with pytest.raises(UsageError, match="no engine is named 'nonsense'; there are auto, interpreter, jit, ref"):
            attempt(engine="nonsense")
