"""The rules of validation: for each, text that breaks it, what is said of that, and a twin that keeps it."""

from __future__ import annotations

from svm import limits

__all__ = ["RULES", "func", "lines"]


def func(body: str, heading: str = "") -> str:
    """A function whose instructions are separated by semicolons."""
    return "\n".join([f"func {heading}", *body.split(";"), "end"])


def lines(*fields: str) -> str:
    return "\n".join(fields)


AT = "code section, function 0"
DEEP = limits.MAX_NESTING
BLOCKS = "block (result i64); block (result i32)"
# By rule: text that breaks it; the whole error; a twin that keeps it.
RULES: dict[str, tuple[str, str, str]] = {
    # Types
    "params": (
        f"type (param {'i32 ' * 1001})",
        "type section, entry 0: more than 1000 parameters or 1000 results",
        f"type (param {'i32 ' * 1000})",
    ),
    "results": (
        f"type\ntype (result {'i32 ' * 1001})",
        "type section, entry 1: more than 1000 parameters or 1000 results",
        f"type\ntype (result {'i32 ' * 1000})",
    ),
    "import-type": (
        'type\nimport "a" "b" func (type 1)',
        "import section, entry 0: unknown type 1",
        'type\nimport "a" "b" func (type 0)',
    ),
    "function-type": (
        "type\nfunc (type 0)\nend\nfunc (type 1)\nend",
        "function section, function 1: unknown type 1",
        "type\nfunc (type 0)\nend\nfunc (type 0)\nend",
    ),
    "tag-type": ("tag (type 0)", "tag section, entry 0: unknown type 0", "type\ntag (type 0)"),
    "imported-tag-type": (
        'import "a" "b" tag (type 3)',
        "import section, entry 0: unknown type 3",
        'import "a" "b" tag (param i32)',
    ),
    "tag-result": ("tag (result i32)", "tag section, entry 0: non-empty tag result type", "tag (param i32)"),
    "imported-tag-result": (
        'import "a" "b" tag (result i32)',
        "import section, entry 0: non-empty tag result type",
        'import "a" "b" tag',
    ),
    # Tables and memories
    "table-of-numbers": ("table 0 i32", "table section, entry 0: a table holds references, not i32", "table 0 funcref"),
    "imported-table-of-numbers": (
        'import "a" "b" table 0 f64',
        "import section, entry 0: a table holds references, not f64",
        'import "a" "b" table 0 externref',
    ),
    "table-size": (
        "table 10000001 funcref",
        "table section, entry 0: 10000001 elements are more than the limit of 10000000",
        "table 10000000 funcref",
    ),
    "table-bounds": (
        "table 0 funcref\ntable 2 1 funcref",
        "table section, entry 1: size minimum must not be greater than maximum",
        "table 0 funcref\ntable 2 2 funcref",
    ),
    "memory-minimum": (
        "memory 65537",
        "memory section, entry 0: memory size must be at most 65536 pages (4 GiB)",
        "memory 65536",
    ),
    "memory-maximum": (
        "memory 0 65537",
        "memory section, entry 0: memory size must be at most 65536 pages (4 GiB)",
        "memory 0 65536",
    ),
    "imported-memory": (
        'import "a" "b" memory 65537',
        "import section, entry 0: memory size must be at most 65536 pages (4 GiB)",
        'import "a" "b" memory 1',
    ),
    "memory-bounds": (
        "memory 2 1",
        "memory section, entry 0: size minimum must not be greater than maximum",
        "memory 2 2",
    ),
    "memories": (
        'import "a" "b" memory 1\nmemory 1',
        "memory section: multiple memories: 2 are more than the limit of 1",
        'import "a" "b" memory 1',
    ),
    # Constant expressions
    "constant-type": (
        "global i32 (i64.const 1)",
        "global section, entry 0: type mismatch: the constant expression must give i32, it gives i64",
        "global i32 (i32.const 1)",
    ),
    "constant-empty": (
        "global f32 (f32.const 1)\nglobal f64 ()",
        "global section, entry 1: type mismatch: the constant expression must give f64, it gives nothing",
        "global f32 (f32.const 1)\nglobal f64 (f64.const 1)",
    ),
    "constant-twice": (
        "global i32 (i32.const 1; i32.const 2)",
        "global section, entry 0: type mismatch: the constant expression must give i32, it gives i32 i32",
        "global i32 (i32.const 1)",
    ),
    "constant-instruction": (
        "global i32 (i32.const 1; i32.eqz)",
        "global section, entry 0, i32.eqz, byte offset 0x2: constant expression required",
        "global i32 (i32.const 0)",
    ),
    "constant-nop": (
        "global i32 (nop; i32.const 1)",
        "global section, entry 0, nop, byte offset 0x0: constant expression required",
        "global i32 (i32.const 1)",
    ),
    "constant-call": (
        lines("global i32 (call 0)", func("i32.const 1", "(result i32)")),
        "global section, entry 0, call, byte offset 0x0: constant expression required",
        lines("global i32 (i32.const 1)", func("i32.const 1", "(result i32)")),
    ),
    "constant-end": (
        r'global i32 (bytes "\41\01")',
        "global section, entry 0: the constant expression has no end",
        r'global i32 (bytes "\41\01\0b")',
    ),
    "constant-bytes": (
        r'global i32 (bytes "\ff\0b")',
        "global section, entry 0, byte offset 0x0: illegal opcode 0xff",
        "global i32 (i32.const 1)",
    ),
    "constant-cut-function": (
        r'global funcref (bytes "\d2")',
        "global section, entry 0, ref.func, byte offset 0x0: unexpected end of an instruction",
        "global funcref (ref.null funcref)",
    ),
    "constant-global": (
        "global i32 (i32.const 1)\nglobal i32 (global.get 0)",
        "global section, entry 1, global.get, byte offset 0x0: "
        "unknown global 0: a constant may read imported globals only",
        'import "a" "b" global i32\nglobal i32 (global.get 0)',
    ),
    "constant-mutable": (
        'import "a" "b" global mut i32\nglobal i32 (global.get 0)',
        "global section, entry 0, global.get, byte offset 0x0: constant expression required: the global is mutable",
        'import "a" "b" global i32\nglobal i32 (global.get 0)',
    ),
    "constant-function": (
        "global funcref (ref.func 0)",
        "global section, entry 0, ref.func, byte offset 0x0: unknown function 0",
        "global funcref (ref.func 0)\nfunc\nend",
    ),
    "constant-null": (
        "global funcref (ref.null externref)",
        "global section, entry 0: type mismatch: the constant expression must give funcref, it gives externref",
        "global funcref (ref.null funcref)",
    ),
    # Segments
    "segment-type": (
        "elem passive i32\nend",
        "element section, entry 0: a segment of elements holds references, not i32",
        "elem passive externref\nend",
    ),
    "segment-table": (
        "elem active table 1 at (i32.const 0) funcref\nend\ntable 0 funcref",
        "element section, entry 0: unknown table 1",
        "elem active table 0 at (i32.const 0) funcref\nend\ntable 0 funcref",
    ),
    "segment-table-type": (
        "elem active at (i32.const 0) externref\nend\ntable 0 funcref",
        "element section, entry 0: type mismatch: the table holds another type",
        "elem active at (i32.const 0) externref\nend\ntable 0 externref",
    ),
    "segment-place": (
        "elem active at (i64.const 0) funcref\nend\ntable 0 funcref",
        "element section, entry 0: type mismatch: the constant expression must give i32, it gives i64",
        "elem active at (i32.const 0) funcref\nend\ntable 0 funcref",
    ),
    "segment-item": (
        "elem declarative funcref (ref.null funcref) (ref.null externref)",
        "element section, entry 0: type mismatch: the constant expression must give funcref, it gives externref",
        "elem declarative funcref (ref.null funcref) (ref.null funcref)",
    ),
    "data-mode": (
        'data declarative ""',
        "data section, entry 0: a data segment is active or passive",
        'data passive ""',
    ),
    "data-memory": (
        'data active at (i32.const 0) ""',
        "data section, entry 0: unknown memory 0",
        'memory 0\ndata active at (i32.const 0) ""',
    ),
    "data-memory-index": (
        'memory 0\ndata active memory 1 at (i32.const 0) ""',
        "data section, entry 0: unknown memory 1",
        'memory 0\ndata active memory 0 at (i32.const 0) ""',
    ),
    "data-place": (
        'memory 0\ndata passive ""\ndata active at (f32.const 0) ""',
        "data section, entry 1: type mismatch: the constant expression must give i32, it gives f32",
        'memory 0\ndata passive ""\ndata active at (i32.const 0) ""',
    ),
    # Exports, start, lines
    **{
        f"export-{kind}": (
            f'{own}\nexport "a" {kind} 0\nexport "b" {kind} 1',
            f"export section, entry 1: unknown {kind} 1",
            f'{own}\nexport "a" {kind} 0\nexport "b" {kind} 0',
        )
        for kind, own in {
            "func": "func\nend",
            "table": "table 0 funcref",
            "memory": "memory 0",
            "global": "global i32 (i32.const 0)",
            "tag": "tag",
        }.items()
    },
    "export-twice": (
        'memory 0\ntag\nexport "a" memory 0\nexport "a" tag 0',
        "export section, entry 1: duplicate export name 'a'",
        'memory 0\ntag\nexport "a" memory 0\nexport "b" tag 0',
    ),
    "start": ("start 1\nfunc\nend", "start section: unknown function 1", "start 0\nfunc\nend"),
    "start-params": (
        "start 0\nfunc (param i32)\nend",
        "start section: start function must take and give nothing",
        "start 0\nfunc\nend",
    ),
    "start-results": (
        lines("start 0", func("i32.const 1", "(result i32)")),
        "start section: start function must take and give nothing",
        "start 0\nfunc\nend",
    ),
    "line-function": (
        "func\nend\nlines 1\nend",
        "line section, entry 0: function 1 is unknown or out of order",
        "func\nend\nlines 0\nend",
    ),
    "line-order": (
        "func\nend\nfunc\nend\nlines 1\nend\nlines 0\nend",
        "line section, entry 1: function 0 is unknown or out of order",
        "func\nend\nfunc\nend\nlines 0\nend\nlines 1\nend",
    ),
    "line-offset": (
        'file "a"\nfunc\nend\nlines 0\n 0 0 1\n 0 0 2\nend',
        "line section, entry 0: bad entry: offset 0, file 0, line 2",
        'file "a"\nfunc\nend\nlines 0\n 0 0 1\n 1 0 2\nend',
    ),
    "line-file": (
        'file "a"\nfunc\nend\nlines 0\n 0 1 1\nend',
        "line section, entry 0: bad entry: offset 0, file 1, line 1",
        'file "a"\nfunc\nend\nlines 0\n 0 0 1\nend',
    ),
    "line-number": (
        'file "a"\nfunc\nend\nlines 0\n 0 0 0\nend',
        "line section, entry 0: bad entry: offset 0, file 0, line 0",
        'file "a"\nfunc\nend\nlines 0\n 0 0 1\nend',
    ),
    # Bodies as a whole
    "locals": (
        "func $big (param i32)\nlocal i64 * 49999\nlocal i32\nend",
        f"{AT} ($big): too many locals: 50001 are more than the limit of 50000".replace("$", ""),
        "func $big (param i32)\nlocal i64 * 49998\nlocal i32\nend",
    ),
    "frame": (
        func("; ".join(["local.get 0"] * 64_999 + ["drop"] * 64_999), "(param i32 i32)"),
        f"{AT}: a frame of 65001 slots is larger than the limit of 65000",
        func("; ".join(["local.get 0"] * 64_998 + ["drop"] * 64_998), "(param i32 i32)"),
    ),
    "many-runs": (
        "func\nrun 4294967295 i32\nrun 4294967295 i32\nend",
        f"{AT}: too many locals: 8589934590 are more than the limit of 50000",
        "func\nrun 0 i32\nrun 50000 i32\nend",
    ),
    "opcode": (
        'func $f\nbytes "\\01\\ff\\0b"\nend',
        "code section, function 0 (f), byte offset 0x1: illegal opcode 0xff",
        'func $f\nbytes "\\01\\01\\0b"\nend',
    ),
    "instruction-cut": (
        'func\nbytes "\\44\\00"\nend',
        f"{AT}, f64.const, byte offset 0x0: unexpected end of an instruction",
        func("f64.const 0; drop"),
    ),
    "after-end": (
        'func\nbytes "\\0b\\01"\nend',
        f"{AT}, byte offset 0x1: the body goes on after its last end",
        'func\nbytes "\\01\\0b"\nend',
    ),
    "no-end": (
        'func\nbytes "\\01"\nend',
        f"{AT}, byte offset 0x1: unexpected end: the body ends before its last end",
        'func\nbytes "\\01\\0b"\nend',
    ),
    "empty-body": (
        'func\nbytes ""\nend',
        f"{AT}, byte offset 0x0: unexpected end: the body ends before its last end",
        "func\nend",
    ),
    "nesting": (
        func(";".join(["block"] * DEEP + ["end"] * DEEP)),
        f"{AT}, block, byte offset {2 * (DEEP - 1):#x}: blocks are nested deeper than the limit of {DEEP}",
        func(";".join(["block"] * (DEEP - 1) + ["end"] * (DEEP - 1))),
    ),
    # The operand stack
    "underflow": (
        func("i32.eqz; drop"),
        f"{AT}, i32.eqz, byte offset 0x0: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 0; i32.eqz; drop"),
    ),
    "underflow-into-block": (
        func("i32.const 1; block; drop; end; drop"),
        f"{AT}, drop, byte offset 0x4: type mismatch: an operand expected, but the stack of the block is empty",
        func("i32.const 1; block; nop; end; drop"),
    ),
    "operand": (
        func("i32.const 1; i64.const 1; i32.add; drop"),
        f"{AT}, i32.add, byte offset 0x4: type mismatch: i32 expected, i64 found",
        func("i32.const 1; i32.const 1; i32.add; drop"),
    ),
    "operand-in-unreachable-code": (
        func("unreachable; i64.const 1; i32.add; drop"),
        f"{AT}, i32.add, byte offset 0x3: type mismatch: i32 expected, i64 found",
        func("unreachable; i32.const 1; i32.add; drop"),
    ),
    "result": (
        func("nop", "(result i32)"),
        f"{AT}, end, byte offset 0x1: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 1", "(result i32)"),
    ),
    "left-over": (
        func("i32.const 1; i32.const 2"),
        f"{AT}, end, byte offset 0x4: type mismatch: 2 operand(s) more than the block's result",
        func("i32.const 1; i32.const 2; drop; drop"),
    ),
    "left-over-in-unreachable-code": (
        func("unreachable; i32.const 1"),
        f"{AT}, end, byte offset 0x3: type mismatch: 1 operand(s) more than the block's result",
        func("unreachable; i32.const 1", "(result i32)"),
    ),
    # Blocks and branches
    "block-type": (
        func("block (type 1); end"),
        f"{AT}, block, byte offset 0x0: unknown type 1",
        func("block (type 0); end"),
    ),
    "block-param": (
        func("block (param i32); drop; end"),
        f"{AT}, block, byte offset 0x0: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 1; block (param i32); drop; end"),
    ),
    "if-condition": (
        func("i64.const 0; if; end"),
        f"{AT}, if, byte offset 0x2: type mismatch: i32 expected, i64 found",
        func("i32.const 0; if; end"),
    ),
    "if-without-else": (
        func("i32.const 0; if (result i32); i32.const 1; end; drop"),
        f"{AT}, end, byte offset 0x6: type mismatch: an if without else must give what it takes",
        func("i32.const 0; if (result i32); i32.const 1; else; i32.const 2; end; drop"),
    ),
    "else-outside": (
        func("block; else; end"),
        f"{AT}, else, byte offset 0x2: else without an if",
        func("i32.const 0; if; else; end"),
    ),
    "else-twice": (
        func("i32.const 0; if; else; else; end"),
        f"{AT}, else, byte offset 0x5: else without an if",
        func("i32.const 0; if; else; nop; end"),
    ),
    "else-result": (
        func("i32.const 0; if (result i32); else; i32.const 2; end; drop"),
        f"{AT}, else, byte offset 0x4: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 0; if (result i32); unreachable; else; i32.const 2; end; drop"),
    ),
    "label": (
        func("block; br 2; end"),
        f"{AT}, br, byte offset 0x2: unknown label 2: 2 blocks are open",
        func("block; br 1; end"),
    ),
    "br": (
        func("block (result i32); br 0; end; drop"),
        f"{AT}, br, byte offset 0x2: type mismatch: i32 expected, but the stack of the block is empty",
        func("block (result i32); i32.const 1; br 0; end; drop"),
    ),
    "br-to-loop": (
        func("i32.const 1; loop (param i32) (result i64); drop; i64.const 1; br 0; end; drop"),
        f"{AT}, br, byte offset 0x7: type mismatch: i32 expected, i64 found",
        func("i32.const 1; loop (param i32) (result i64); br 0; end; drop"),
    ),
    "br-if-condition": (
        func("br_if 0"),
        f"{AT}, br_if, byte offset 0x0: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 0; br_if 0"),
    ),
    "br-if-keeps-its-operand": (
        func("block (result i32); i32.const 0; i32.const 0; br_if 0; drop; end; drop"),
        f"{AT}, end, byte offset 0x9: type mismatch: i32 expected, but the stack of the block is empty",
        func("block (result i32); i32.const 0; i32.const 0; br_if 0; end; drop"),
    ),
    "br-table-label": (
        func("i32.const 0; br_table (0 1) 0"),
        f"{AT}, br_table, byte offset 0x2: unknown label 1: 1 blocks are open",
        func("i32.const 0; br_table (0 0) 0"),
    ),
    "br-table-default": (
        func("i32.const 0; br_table (0) 1"),
        f"{AT}, br_table, byte offset 0x2: unknown label 1: 1 blocks are open",
        func("i32.const 0; br_table () 0"),
    ),
    "br-table-arity": (
        func("block (result i32); i32.const 0; i32.const 0; br_table (1) 0; end; drop"),
        f"{AT}, br_table, byte offset 0x6: type mismatch: label 1 takes 0 operands, the default label 1",
        func("block (result i32); i32.const 0; i32.const 0; br_table (0) 0; end; drop"),
    ),
    "br-table-operand": (
        func(f"{BLOCKS}; i32.const 0; i32.const 0; br_table (0) 1; end; drop; i64.const 0; end; drop"),
        f"{AT}, br_table, byte offset 0x8: type mismatch: i64 expected, i32 found",
        func(f"{BLOCKS}; unreachable; i32.const 0; br_table (0) 1; end; drop; i64.const 0; end; drop"),
    ),
    "br-table-operand-of-another": (
        func(f"{BLOCKS}; i64.const 0; i32.const 0; br_table (0) 1; end; drop; i64.const 0; end; drop"),
        f"{AT}, br_table, byte offset 0x8: type mismatch: i32 expected, i64 found",
        func("block (result i32); block (result i32); i32.const 0; i32.const 0; br_table (0) 1; end; end; drop"),
    ),
    "return": (
        func("return", "(result i32)"),
        f"{AT}, return, byte offset 0x0: type mismatch: i32 expected, but the stack of the block is empty",
        func("i32.const 1; return", "(result i32)"),
    ),
    # Calls and exceptions
    "call": (func("call 1"), f"{AT}, call, byte offset 0x0: unknown function 1", func("call 0")),
    "call-operand": (
        func("i64.const 1; call 0", "(param i32)"),
        f"{AT}, call, byte offset 0x2: type mismatch: i32 expected, i64 found",
        func("i32.const 1; call 0", "(param i32)"),
    ),
    "call-indirect-table": (
        func("i32.const 0; call_indirect 0"),
        f"{AT}, call_indirect, byte offset 0x2: unknown table 0",
        lines("table 0 funcref", func("i32.const 0; call_indirect 0")),
    ),
    "call-indirect-table-type": (
        lines("table 0 externref", func("i32.const 0; call_indirect")),
        f"{AT}, call_indirect, byte offset 0x2: type mismatch: table 0 does not hold functions",
        lines("table 0 funcref", func("i32.const 0; call_indirect")),
    ),
    "call-indirect-type": (
        lines("table 0 funcref", func("i32.const 0; call_indirect (type 1)")),
        f"{AT}, call_indirect, byte offset 0x2: unknown type 1",
        lines("table 0 funcref", func("i32.const 0; call_indirect (type 0)")),
    ),
    "call-indirect-operand": (
        lines("table 0 funcref", func("i64.const 0; call_indirect")),
        f"{AT}, call_indirect, byte offset 0x2: type mismatch: i32 expected, i64 found",
        lines("table 0 funcref", func("i32.const 0; call_indirect")),
    ),
    "throw": (func("throw 0"), f"{AT}, throw, byte offset 0x0: unknown tag 0", lines("tag", func("throw 0"))),
    "throw-operand": (
        lines("tag (param f32)", func("throw 0")),
        f"{AT}, throw, byte offset 0x0: type mismatch: f32 expected, but the stack of the block is empty",
        lines("tag (param f32)", func("f32.const 0; throw 0")),
    ),
    "catch-tag": (
        func("try_table (catch 0 0); end"),
        f"{AT}, try_table, byte offset 0x0: unknown tag 0",
        lines("tag", func("try_table (catch 0 0); end")),
    ),
    "catch-label": (
        func("try_table (catch_all 1); end"),
        f"{AT}, try_table, byte offset 0x0: unknown label 1: 1 blocks are open",
        func("try_table (catch_all 0); end"),
    ),
    "catch-operands": (
        lines("tag (param i32)", func("try_table (catch 0 0); end")),
        f"{AT}, try_table, byte offset 0x0: type mismatch: the label takes (), the catch gives (i32)",
        lines("tag (param i32)", func("try_table (catch 0 0); end; i32.const 0", "(result i32)")),
    ),
    "catch-all-operands": (
        func("try_table (catch_all 0); end; i32.const 0", "(result i32)"),
        f"{AT}, try_table, byte offset 0x0: type mismatch: the label takes (i32), the catch gives ()",
        func("block; try_table (catch_all 0); end; end; i32.const 0", "(result i32)"),
    ),
    "checked-tag": (
        func("i32.const 1; i32.const 1; i32.add_throw 0; drop"),
        f"{AT}, i32.add_throw, byte offset 0x4: unknown tag 0",
        lines("tag", func("i32.const 1; i32.const 1; i32.add_throw 0; drop")),
    ),
    "checked-tag-operands": (
        lines("tag (param i32)", func("i64.const 1; i64.const 1; i64.mul_throw 0; drop")),
        f"{AT}, i64.mul_throw, byte offset 0x4: type mismatch: tag 0 has parameters, and the instruction throws none",
        lines("tag", func("i64.const 1; i64.const 1; i64.mul_throw 0; drop")),
    ),
    # Selections
    "select-types": (
        func("i32.const 0; i64.const 0; i32.const 0; select; drop"),
        f"{AT}, select, byte offset 0x6: type mismatch: i64 expected, i32 found",
        func("i64.const 0; i64.const 0; i32.const 0; select; drop"),
    ),
    "select-reference": (
        func("ref.null funcref; ref.null funcref; i32.const 0; select; drop"),
        f"{AT}, select, byte offset 0x6: type mismatch: select without a type takes numbers, not funcref",
        func("ref.null funcref; ref.null funcref; i32.const 0; select_typed (funcref); drop"),
    ),
    "select-typed-arity": (
        func("unreachable; select_typed (i32 i32); drop"),
        f"{AT}, select_typed, byte offset 0x1: invalid result arity: select has one type",
        func("unreachable; select_typed (i32); drop"),
    ),
    "select-typed-operand": (
        func("i32.const 0; i32.const 0; i32.const 0; select_typed (i64); drop"),
        f"{AT}, select_typed, byte offset 0x6: type mismatch: i64 expected, i32 found",
        func("i32.const 0; i32.const 0; i32.const 0; select_typed (i32); drop"),
    ),
    # Locals and globals
    "local-get": (
        func("local.get 2; drop", "(param i32 i32)"),
        f"{AT}, local.get, byte offset 0x0: unknown local 2",
        func("local.get 1; drop", "(param i32 i32)"),
    ),
    "local-set": (
        func("local i64; i32.const 0; local.set 0"),
        f"{AT}, local.set, byte offset 0x2: type mismatch: i64 expected, i32 found",
        func("local i64; i64.const 0; local.set 0"),
    ),
    "local-set-index": (
        func("i32.const 0; local.set 0"),
        f"{AT}, local.set, byte offset 0x2: unknown local 0",
        func("local i32; i32.const 0; local.set 0"),
    ),
    "local-beyond-many": (
        func("local i64 * 999; local i32; local.get 1000; drop"),
        f"{AT}, local.get, byte offset 0x0: unknown local 1000",
        func("local i64 * 999; local i32; local.get 999; i32.eqz; drop; local.get 998; i64.eqz; drop"),
    ),
    "local-tee": (
        func("local i64; i32.const 0; local.tee 0; drop"),
        f"{AT}, local.tee, byte offset 0x2: type mismatch: i64 expected, i32 found",
        func("local i64; i64.const 0; local.tee 0; drop"),
    ),
    "global-get": (
        func("global.get 0; drop"),
        f"{AT}, global.get, byte offset 0x0: unknown global 0",
        lines("global i32 (i32.const 0)", func("global.get 0; drop")),
    ),
    "global-immutable": (
        lines("global i32 (i32.const 0)", func("i32.const 0; global.set 0")),
        f"{AT}, global.set, byte offset 0x2: global 0 is immutable",
        lines("global mut i32 (i32.const 0)", func("i32.const 0; global.set 0")),
    ),
    "global-set": (
        lines("global mut i32 (i32.const 0)", func("f32.const 0; global.set 0")),
        f"{AT}, global.set, byte offset 0x5: type mismatch: i32 expected, f32 found",
        lines("global mut i32 (i32.const 0)", func("i32.const 0; global.set 0")),
    ),
    # Tables and references
    "table": (
        func("i32.const 0; table.get 0; drop"),
        f"{AT}, table.get, byte offset 0x2: unknown table 0",
        lines("table 0 funcref", func("i32.const 0; table.get 0; drop")),
    ),
    "table-set": (
        lines("table 0 funcref", func("i32.const 0; ref.null externref; table.set 0")),
        f"{AT}, table.set, byte offset 0x4: type mismatch: funcref expected, externref found",
        lines("table 0 externref", func("i32.const 0; ref.null externref; table.set 0")),
    ),
    "table-grow": (
        lines("table 0 funcref", func("ref.null externref; i32.const 0; table.grow; drop")),
        f"{AT}, table.grow, byte offset 0x4: type mismatch: funcref expected, externref found",
        lines("table 0 funcref", func("ref.null funcref; i32.const 0; table.grow; drop")),
    ),
    "table-copy": (
        lines("table 0 funcref", "table 0 externref", func("i32.const 0; i32.const 0; i32.const 0; table.copy 0 1")),
        f"{AT}, table.copy, byte offset 0x6: type mismatch: the tables hold different types",
        lines("table 0 externref", "table 0 externref", func("i32.const 0; i32.const 0; i32.const 0; table.copy 0 1")),
    ),
    "table-init": (
        lines("table 0 funcref", "elem passive externref\nend", func("unreachable; table.init 0")),
        f"{AT}, table.init, byte offset 0x1: type mismatch: the segment and the table hold different types",
        lines("table 0 funcref", "elem passive funcref\nend", func("unreachable; table.init 0")),
    ),
    "table-init-segment": (
        lines("table 0 funcref", func("unreachable; table.init 0")),
        f"{AT}, table.init, byte offset 0x1: unknown elem segment 0",
        lines("table 0 funcref", "elem passive funcref\nend", func("unreachable; table.init 0")),
    ),
    "elem-drop": (
        func("elem.drop 0"),
        f"{AT}, elem.drop, byte offset 0x0: unknown elem segment 0",
        lines("elem passive funcref\nend", func("elem.drop 0")),
    ),
    "ref-func": (func("ref.func 1; drop"), f"{AT}, ref.func, byte offset 0x0: unknown function 1", func("nop")),
    "ref-func-declared": (
        func("ref.func 0; drop"),
        f"{AT}, ref.func, byte offset 0x0: "
        "undeclared function reference: function 0 stands in no export, global or element segment",
        lines(func("ref.func 0; drop"), 'export "f" func 0'),
    ),
    "ref-func-declared-by-start": (
        lines(func("ref.func 0; drop"), "start 0"),
        f"{AT}, ref.func, byte offset 0x0: "
        "undeclared function reference: function 0 stands in no export, global or element segment",
        lines(func("ref.func 0; drop"), "elem declarative funcref (ref.func 0)"),
    ),
    "ref-is-null": (
        func("i32.const 0; ref.is_null; drop"),
        f"{AT}, ref.is_null, byte offset 0x2: type mismatch: a reference expected, i32 found",
        func("ref.null externref; ref.is_null; drop"),
    ),
    # Memory
    "alignment": (
        lines("memory 1", func("i32.const 0; i32.load16_u align=4; drop")),
        f"{AT}, i32.load16_u, byte offset 0x2: alignment must not be larger than natural: 2**2 for 2 bytes",
        lines("memory 1", func("i32.const 0; i32.load16_u align=2; drop")),
    ),
    "huge-alignment": (
        lines("memory 1", func("i32.const 0; i64.const 0; i64.store align=2**4294967295")),
        f"{AT}, i64.store, byte offset 0x4: alignment must not be larger than natural: 2**4294967295 for 8 bytes",
        lines("memory 1", func("i32.const 0; i64.const 0; i64.store align=1")),
    ),
    "data-drop": (
        func("data.drop 0"),
        f"{AT}, data.drop, byte offset 0x0: unknown data segment 0",
        lines('data passive ""', func("data.drop 0")),
    ),
    "memory-init-segment": (
        lines("memory 1", func("unreachable; memory.init 0")),
        f"{AT}, memory.init, byte offset 0x1: unknown data segment 0",
        lines("memory 1", 'data passive ""', func("unreachable; memory.init 0")),
    ),
    "memory-grow": (
        lines("memory 1", func("i64.const 0; memory.grow; drop")),
        f"{AT}, memory.grow, byte offset 0x2: type mismatch: i32 expected, i64 found",
        lines("memory 1", func("i32.const 0; memory.grow; drop")),
    ),
}
