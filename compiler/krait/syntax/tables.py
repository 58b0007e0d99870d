"""The parse tables of grammar.lark: made by lark once, then read from the cache.

In: grammar.lark. Out: `Tables`, plain data that parser.py runs. lark is imported only where the cache has no tables for
this grammar, lark and format.

Invariant: the tables are LALR(1) without conflicts (lark resolves a shift/reduce conflict silently, so a test asks).
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from svm.cache import keep, kept
from svm.digest import digest

_FORMAT = 7
_MOST_FILES = 8
GRAMMAR = Path(__file__).with_name("grammar.lark")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the grammar: on reduction `size` values give way to one for the symbol `origin`.

    action: the builder's method, "" where there is none.
    children: for each argument the position of a value, or ABSENT for None; `~position` splices a repetition.
    mode: PASSES if the value is the only child itself, LISTS if it is the list of the children (a repetition), else
        what the action returns, whose children are plain for CALLS, and have repetitions among them for SPLICES.
    """

    origin: str
    size: int
    action: str
    children: tuple[int, ...]
    mode: int


ABSENT = 1 << 16
PASSES, LISTS, CALLS, SPLICES = range(4)


@dataclass(frozen=True, slots=True)
class Tables:
    """LALR tables. A state's action for a kind of token: the next state, or `~rule` for a reduction."""

    actions: list[dict[str, int]]
    gotos: list[dict[str, int]]
    rules: list[Rule]
    start: int
    jumps: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def jump(self, key: tuple[int, str, str]) -> int:
        """The state after a reduction and all rules that then only pass the value on; remembered in `jumps`.

        key: the state below, the symbol, and the kind of the next token.
        """
        below, origin, kind = key
        state = self.gotos[below][origin]
        while True:
            action = self.actions[state].get(kind)
            if action is None or action >= 0:
                break
            rule = self.rules[~action]
            if rule.mode != PASSES or rule.size != 1:
                break
            state = self.gotos[below][rule.origin]
        self.jumps[key] = state
        return state


@cache
def load() -> Tables:
    """The tables, from the cache or made anew (which takes about a second)."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    name = _key(grammar)
    data = kept("tables", name)
    if data is None:
        data = json.dumps(build(grammar), separators=(",", ":")).encode()
        keep("tables", name, data, _MOST_FILES)
    return _decode(data)


def _key(grammar: str) -> str:
    """What the tables depend on: the grammar, the version of lark (without importing it), of Python, of the format."""
    spec = importlib.util.find_spec("lark")
    lark = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    parts = (grammar.encode(), lark, sys.version.encode(), str(_FORMAT).encode())
    return digest(*map(digest, parts)).hex()


def _decode(data: bytes) -> Tables:
    raw = json.loads(data)
    rows = raw["rows"]
    return Tables(
        actions=[rows[index] for index in raw["actions"]],
        gotos=[rows[index] for index in raw["gotos"]],
        rules=[Rule(origin, size, action, tuple(children), _mode(action, children, passes))
               for origin, size, action, children, passes in raw["rules"]],
        start=raw["start"],
    )


def _mode(action: str, children: list[int], passes: bool) -> int:
    if passes:
        return PASSES
    if not action:
        return LISTS
    return SPLICES if any(child < 0 for child in children) else CALLS


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
    ordered = sorted((_rule(entry), number) for number, entry in memo.items() if entry["__type__"] == "Rule")
    numbers = {number: index for index, (_, number) in enumerate(ordered)}
    nonterminals = {rule[0] for rule, _ in ordered}
    states = {state: sorted((table["tokens"][token], action) for token, action in entries.items())
              for state, entries in table["states"].items()}
    order = _reachable(states, table["start_states"]["start"])
    rows: dict[str, int] = {}

    def row(entries: dict[str, int]) -> int:
        return rows.setdefault(json.dumps(entries), len(rows))

    actions, gotos = [], []
    for state in order:
        actions.append(row({kinds.get(name, name): ~numbers[target["@"]] if reduces else order[target]
                            for name, (reduces, target) in states[state] if name not in nonterminals}))
        gotos.append(row({name: order[target] for name, (_, target) in states[state] if name in nonterminals}))
    return {"rows": [json.loads(text) for text in rows], "actions": actions, "gotos": gotos,
            "rules": [rule[:-1] for rule, _ in ordered], "start": 0}


def _reachable(states: dict[int, list[tuple[str, Any]]], start: int) -> dict[int, int]:
    """The states in the order in which they are met: lark numbers them differently in every process."""
    order = {start: 0}
    pending = [start]
    for state in pending:
        for _, (reduces, target) in states[state]:
            if not reduces and target not in order:
                order[target] = len(order)
                pending.append(target)
    return order


def _rule(entry: dict[str, Any]) -> tuple[str, int, str, list[int], bool, list[str]]:
    """A rule as lark describes it, with its filtered and absent children resolved to positions; last its symbols."""
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
    return str(origin), len(expansion), action, children, passes, [symbol["name"] for symbol in expansion]
