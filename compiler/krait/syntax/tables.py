"""The parse tables of grammar.lark: made by lark once, then read from the cache.

In: grammar.lark. Out: `Tables`, plain data that parser.py runs. lark is imported only where the cache has no tables for
this grammar, lark and format; a damaged file counts as none.

Invariant: the tables are LALR(1) without conflicts (lark resolves a shift/reduce conflict silently, so a test asks).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from svm.cache import atomic_write, cache_dir, read

_FORMAT = 5
_GRAMMAR = Path(__file__).with_name("grammar.lark")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the grammar: on reduction `size` values give way to one for the symbol `origin`.

    action: the builder's method; "" where the rule passes its child on, and for a repetition, whose value is the list
        of what `children` select.
    children: for each argument the position of a value, or ABSENT for None; `~position` splices a repetition.
    passes: whether the value is the only child itself.
    """

    origin: str
    size: int
    action: str
    children: tuple[int, ...]
    passes: bool


ABSENT = 1 << 16


@dataclass(frozen=True, slots=True)
class Tables:
    """LALR tables. A state's action for a kind of token: the next state, or `~rule` for a reduction."""

    actions: list[dict[str, int]]
    gotos: list[dict[str, int]]
    rules: list[Rule]
    start: int


@cache
def load() -> Tables:
    """The tables, from the cache or made anew (which takes about a second)."""
    grammar = _GRAMMAR.read_text(encoding="utf-8")
    path = cache_dir("krait") / f"grammar-{_key(grammar)[:32]}.json"
    cached = read(path)
    if cached is not None and (tables := _decode(cached)) is not None:
        return tables
    data = _encode(build(grammar))
    atomic_write(path, data)
    tables = _decode(data)
    assert tables is not None
    return tables


def _key(grammar: str) -> str:
    """What the tables depend on: the grammar, the version of lark (without importing it), of Python, of the format."""
    spec = importlib.util.find_spec("lark")
    lark = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    parts = (grammar.encode(), lark, sys.version.encode(), str(_FORMAT).encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _encode(tables: dict[str, Any]) -> bytes:
    body = json.dumps(tables, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decode(data: bytes) -> Tables | None:
    """Tables from the bytes of a cache file, None if they are damaged."""
    digest, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    raw = json.loads(body)
    rows = raw["rows"]
    return Tables(
        actions=[rows[index] for index in raw["actions"]],
        gotos=[rows[index] for index in raw["gotos"]],
        rules=[Rule(origin, size, action, tuple(children), passes)
               for origin, size, action, children, passes in raw["rules"]],
        start=raw["start"],
    )


def build(grammar: str, *, strict: bool = False) -> dict[str, Any]:
    """Make the tables with lark, as data for JSON; `strict` raises lark's GrammarError on any conflict."""
    from lark import Lark
    from lark.grammar import Rule as LarkRule
    from lark.lexer import Lexer, TerminalDef

    class NoLexer(Lexer):
        """Tokens come from lexer.py: lark is asked for tables alone."""

        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            return iter(())

    made = Lark(grammar, parser="lalr", lexer=NoLexer, maybe_placeholders=True, strict=strict)
    # The serialised form is what lark's generator of standalone parsers is made of.
    data, memo = made.memo_serialize([TerminalDef, LarkRule])
    table = data["parser"]["parser"]
    kinds = {entry["name"]: entry["pattern"]["value"] for entry in memo.values() if entry["__type__"] == "TerminalDef"}
    numbers: dict[int, int] = {}
    rules: list[tuple[str, int, str, list[int], bool]] = []
    for number, entry in memo.items():
        if entry["__type__"] == "Rule":
            numbers[number] = len(rules)
            rules.append(_rule(entry))

    order = {state: index for index, state in enumerate(table["states"])}
    nonterminals = {rule[0] for rule in rules}
    rows: dict[str, int] = {}

    def row(entries: dict[str, int]) -> int:
        return rows.setdefault(json.dumps(entries, sort_keys=True), len(rows))

    actions, gotos = [], []
    for entries in table["states"].values():
        named = [(table["tokens"][token], action) for token, action in entries.items()]
        actions.append(row({kinds.get(name, name): ~numbers[target["@"]] if reduces else order[target]
                            for name, (reduces, target) in named if name not in nonterminals}))
        gotos.append(row({name: order[target] for name, (_, target) in named if name in nonterminals}))
    start = order[table["start_states"]["start"]]
    return {"rows": [json.loads(text) for text in rows], "actions": actions, "gotos": gotos, "rules": rules,
            "start": start}


def _rule(entry: dict[str, Any]) -> tuple[str, int, str, list[int], bool]:
    """A rule as lark describes it, with its filtered and absent children resolved to positions."""
    origin, expansion, options = entry["origin"]["name"], entry["expansion"], entry["options"]
    children: list[int] = []
    position = 0
    for absent in options["empty_indices"] or [False] * len(expansion):
        if absent:
            children.append(ABSENT)
            continue
        symbol = expansion[position]
        repeated = symbol["__type__"] == "NonTerminal" and symbol["name"].startswith("__")
        if options["keep_all_tokens"] or not symbol.get("filter_out"):
            children.append(~position if repeated else position)
        position += 1
    alias = entry["alias"]
    passes = bool(options["expand1"]) and not alias and len(children) == 1 and 0 <= children[0] != ABSENT
    action = "" if passes or origin.startswith("__") else str(alias or origin)
    return str(origin), len(expansion), action, children, passes
