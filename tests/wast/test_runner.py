from __future__ import annotations

import struct

import pytest

import svm.wasm
from tests.wast.conftest import Json, Run, invoke, module, read, refused, returns, traps, value

F64_ONE = struct.unpack("<Q", struct.pack("<d", 1.0))[0]
SIGNALLING = 0x7FA0_0001
DIVIDE_BY_ZERO = invoke("divide", value("i32", 1), value("i32", 0))


def failures(run: Run, *commands: Json) -> list[tuple[str, str]]:
    """What was expected and what came, of the commands that failed after the module was made."""
    return [(each.expected, each.got) for each in run([module(), *commands], seconds=0.5).failures]


PASSING = [
    returns(invoke("swap", value("f32", SIGNALLING), value("f64", 1)), value("f64", 1), value("f32", SIGNALLING)),
    returns(invoke("add", value("f32", SIGNALLING), value("f32", 0)), value("f32", "nan:arithmetic")),
    returns(read("nan"), value("f32", SIGNALLING)),
    returns(invoke("extern", value("externref", 0)), value("externref", 0)),
    returns(invoke("extern", value("externref", "null")), value("externref", "null")),
    returns(invoke("function"), value("funcref")),
    returns(invoke("poke", value("i32", 7))),
    returns(invoke("divide", value("i32", 0xFFFF_FFFF), value("i32", 1)), value("i32", 0xFFFF_FFFF)),
    traps(DIVIDE_BY_ZERO, "integer divide by zero"),
    traps(invoke("indirect", value("i32", 0)), "indirect call type mismatch"),
    traps(invoke("indirect", value("i32", 1)), "uninitialized element 1"),
    traps(invoke("indirect", value("i32", 2)), "undefined element"),
    traps(invoke("deep"), "call stack exhausted", "assert_exhaustion"),
]


def test_what_passes(run: Run) -> None:
    report = run([module(), *PASSING])
    assert not report.failures
    assert report.passed == len(PASSING)  # the module itself does not count
    assert report.source == "x.wast"


@pytest.mark.parametrize(
    ("command", "expected", "got"),
    [
        (returns(invoke("swap", value("f32", 0), value("f64", F64_ONE)), value("f64", 0), value("f32", 0)),
         "f64 0.0 (0x0000000000000000), f32 0.0 (0x00000000)", "f64 1.0 (0x3ff0000000000000), f32 0.0 (0x00000000)"),
        (returns(invoke("swap", value("f32", 0), value("f64", 0)), value("f64", 0)),
         "f64 0.0 (0x0000000000000000)", "f64 0.0 (0x0000000000000000), f32 0.0 (0x00000000)"),
        (returns(invoke("add", value("f32", 0), value("f32", 0)), value("f32", "nan:canonical")),
         "f32 nan:canonical", "f32 0.0 (0x00000000)"),
        (returns(invoke("function"), value("funcref", "null")), "funcref null", "funcref 'loop'"),
        (returns(DIVIDE_BY_ZERO, value("i32", 0)), "i32 0", "TrapError: integer divide by zero"),
        (traps(DIVIDE_BY_ZERO, "integer overflow"),
         "TrapError: integer overflow", "TrapError: integer divide by zero"),
        (traps(DIVIDE_BY_ZERO, "no such trap"), "TrapError: no such trap", "TrapError: integer divide by zero"),
        (traps(DIVIDE_BY_ZERO, "integer divide by zero", "assert_exhaustion"),
         "ExhaustionError: integer divide by zero", "TrapError: integer divide by zero"),
        (traps(invoke("poke", value("i32", 1)), "unreachable"), "TrapError: unreachable", "no value"),
        (traps(read("nan"), "unreachable"), "TrapError: unreachable", "f32 nan:0x200001"),
        (traps(invoke("loop"), "unreachable"),
         "TrapError: unreachable", "LimitError: out of time: the limit is 0.5 s"),
        (returns(invoke("nothing")), "no value", "no exported function 'nothing'"),
        (returns(invoke("nan")), "no value", "no exported function 'nan'"),
        (returns(read("swap")), "no value", "no exported global 'swap'"),
        (returns(invoke("poke", value("i64", 1))),
         "no value", "the function is of type (i32) -> (), called as (i64) -> ()"),
        (returns(invoke("poke")), "no value", "the function is of type (i32) -> (), called as () -> ()"),
        (returns(invoke("poke", value("v128"))),
         "no value", "an argument that svm does not know: v128, which is SIMD and not supported"),
        (returns(invoke("peek"), value("v128")),
         "a value that svm does not know: v128, which is SIMD and not supported", "nothing"),
        (returns(invoke("poke", module="$m")),
         "no value", "no instance: the script has made none of the name '$m'"),
        ({"type": "action", "action": DIVIDE_BY_ZERO}, "no trap", "TrapError: integer divide by zero"),
        ({"type": "register", "name": "$m", "as": "m"},
         "an instance to register", "no instance: the script has made none of the name '$m'"),
    ],
)  # fmt: skip
def test_what_fails(run: Run, command: Json, expected: str, got: str) -> None:
    assert failures(run, command, *PASSING[:1]) == [(expected, got)]


FAULTY = {
    "malformed": b"\0asm\2\0\0\0",
    "simd": bytes.fromhex(f"0061736d01000000 010401600000 03020100 0a170115 00fd0c{'00' * 16}1a0b"),
    "invalid": "func (result i32)\nend\n",
    "unknown": 'import "nowhere" "f" func\n',
    "unfit": 'import "spectest" "print_i32" func\n',
    "outside": 'memory 0\ndata active at (i32.const 0) "x"\n',
    "starting": "start $f\nfunc $f\nunreachable\nend\n",
}
REFUSED = [
    ("malformed", "malformed", "unknown binary version"),
    ("invalid", "invalid", "type mismatch"),
    ("unlinkable", "unknown", "unknown import"),
    ("unlinkable", "unfit", "incompatible import type"),
    ("uninstantiable", "outside", "out of bounds memory access"),
    ("uninstantiable", "starting", "unreachable"),
]


def test_modules_that_are_refused(run: Run) -> None:
    report = run([refused(kind, f"{file}.wasm", text) for kind, file, text in REFUSED], **FAULTY)
    assert not report.failures
    assert report.passed == len(REFUSED)


@pytest.mark.parametrize("file", ["m", *(file for _, file, _ in REFUSED)])
def test_refusals_of_another_kind(run: Run, file: str) -> None:
    """Each of the modules is refused for its own reason only."""
    commands = [refused(kind, f"{file}.wasm", text) for kind, other, text in REFUSED if other != file]
    report = run(commands, **FAULTY)
    assert report.passed == 0
    assert len(report.failures) == len(commands)
    assert (report.failures[0].got == "an instance") is (file == "m")


def test_a_module_that_is_not_made(run: Run) -> None:
    """What needs it fails with the reason; the one before does not take its place."""
    report = run([module(), module("invalid.wasm", "$m"), returns(invoke("peek"), value("i32", 0)),
                  returns(invoke("peek", module="$m"), value("i32", 0)),
                  {"type": "register", "as": "other"},
                  module(), returns(invoke("peek"), value("i32", 0))], **FAULTY)  # fmt: skip
    assert [each.line for each in report.failures] == [2, 3, 4, 5]
    assert "InvalidError" in report.failures[0].got
    assert all(each.got == f"no instance: {report.failures[0].got}" for each in report.failures[1:])
    assert report.passed == 1


def test_simd_is_refused_by_name(run: Run) -> None:
    (failure,) = run([module("simd.wasm")], **FAULTY).failures
    assert "SIMD" in failure.got and "internal" not in failure.got


def test_linking(run: Run) -> None:
    user = """
    import "lib" "peek" func $peek (result i32)
    import "lib" "nan" global f32
    import "spectest" "memory" memory 1
    export "peek" func $peek
    export "both" func $both
    func $both (result i32 i32)
      call $peek
      i32.const 0
      i32.load
    end
    """
    report = run([
        module(name="$lib"),
        {"type": "register", "as": "lib", "name": "$lib"},
        module("user.wasm"),
        returns(invoke("poke", value("i32", 3), module="$lib")),
        returns(invoke("peek"), value("i32", 3)),
        returns(invoke("both"), value("i32", 3), value("i32", 3)),
    ], user=user)  # fmt: skip
    assert not report.failures


def test_spectest(run: Run) -> None:
    """All that the specification has in it, with the types that it has there."""
    printers = {"print": "", "print_i32": "i32", "print_i64": "i64", "print_f32": "f32", "print_f64": "f64",
                "print_i32_f32": "i32 f32", "print_f64_f64": "f64 f64"}  # fmt: skip
    numbers = ("i32", "i64", "f32", "f64")
    lines = [f'import "spectest" "{name}" func ${name} (param {types})' for name, types in printers.items()]
    lines += [f'import "spectest" "global_{each}" global ${each} {each}' for each in numbers]
    lines += ['import "spectest" "table" table 10 20 funcref', 'import "spectest" "memory" memory 1 2']
    lines += [f'export "{each}" global ${each}' for each in numbers]
    lines += ['export "print" func $all', "func $all"]
    for name, types in printers.items():
        lines += [f"{each}.const 1" for each in types.split()] + [f"call ${name}"]
    text = "\n".join([*lines, "end"]).replace(" (param )", "")
    bits = {"i32": 666, "i64": 666, "f32": struct.unpack("<I", struct.pack("<f", 666.6))[0],
            "f64": struct.unpack("<Q", struct.pack("<d", 666.6))[0]}  # fmt: skip
    report = run([
        module("user.wasm"), *(returns(read(each), value(each, bits[each])) for each in numbers),
        returns(invoke("print")),
    ], user=text)  # fmt: skip
    assert not report.failures


def test_text_format_is_skipped(run: Run) -> None:
    report = run([refused("malformed", "gone.wat", "unexpected token") | {"module_type": "text"}])
    assert (report.passed, report.failures) == (0, [])
    assert [(each.line, each.reason) for each in report.skips] == [
        (1, "the module is in WebAssembly's text format, which svm does not read")
    ]


def test_a_start_function_that_does_not_end(run: Run) -> None:
    report = run([
        module("endless.wasm"),
        refused("uninstantiable", "endless.wasm", "unreachable"),
        module(), *PASSING[:1],
    ], seconds=0.2, endless="start $f\nfunc $f\nloop\nbr 0\nend\nend\n")  # fmt: skip
    assert [each.line for each in report.failures] == [1, 2]
    assert all(each.got.startswith("LimitError: out of time") for each in report.failures)


def test_an_error_inside_svm_is_a_verdict(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(svm.wasm, "read", fail, raising=False)
    report = run([module(), refused("malformed", "m.wasm", "magic header")])
    assert [each.got for each in report.failures] == ["internal error: KeyError: 'surprise'"] * 2


def test_a_module_file_that_is_missing(run: Run) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.wasm"):
        run([module("gone.wasm")])
