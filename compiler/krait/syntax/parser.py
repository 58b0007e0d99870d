"""Source text to syntax tree.

In: the text or bytes of a file. Out: a `Module`, or None and at least one error in the sink. No input raises.

The parser runs the LALR tables that lark makes of grammar.lark. It has its own loop, because a parser is started for
every file: the loop needs neither lark nor a parse tree, jumps over chains of rules that only pass a value on (about
fifteen for a name), and goes on after an error. An error drops its logical line; if that line was the head of a block,
the block is read as if its statements stood outside of it, and clauses such as `else` that lost their head are silent.

Invariant: what is accepted here is accepted by CPython 3.12's `ast.parse` and gives the same tree. Rules that need
scopes (`return` outside a function, `nonlocal` at module level) are the checker's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from krait.diagnostics import DiagnosticSink, Span, source_lines
from krait.syntax import messages, tables, tree
from krait.syntax.lexer import Tokens, tokenize
from krait.syntax.statements import Builder
from svm.limits import MAX_SOURCE_BYTES, MAX_SOURCE_DEPTH

_MAX_ERRORS = 50
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MARK = b"\xef\xbb\xbf"
_UTF8 = {"utf-8", "utf8"}
_CLAUSES = frozenset({"elif", "else", "except", "finally"})
_SKIP = "SKIP"  # the kind of an `_INDENT` or `_DEDENT` whose block lost its head


def parse_bytes(data: bytes, filename: str, sink: DiagnosticSink) -> tree.Module | None:
    """Parse the contents of a file: UTF-8, with or without a byte order mark."""
    if len(data) > MAX_SOURCE_BYTES:
        view = sink.for_file(filename, "")
        view.error(f"this source is larger than {MAX_SOURCE_BYTES >> 20} MiB", Span(1, 0, 1, 0),
                   hints=["put parts of it into modules"])
        return None
    data = data.removeprefix(_MARK)
    for number, line in enumerate(data.splitlines()[:2], 1):
        if declared := _CODING.match(line):
            name = declared[1].decode("ascii", "replace")
            if name.lower().replace("_", "-") not in _UTF8:
                view = sink.for_file(filename, data.decode("utf-8", "replace"))
                column = len(line[: declared.start(1)].decode("utf-8", "replace"))
                view.error(f"source encoding '{name}' is not supported",
                           Span(number, column, number, column + len(name)),
                           hints=["save the file as UTF-8 and drop the declaration"])
                return None
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        lines = source_lines(before)
        view = sink.for_file(filename, data.decode("utf-8", "replace"))
        view.error(f"the source is not UTF-8: byte 0x{data[error.start]:02x}",
                   Span(len(lines), len(lines[-1]), len(lines), len(lines[-1]) + 1),
                   hints=["save the file as UTF-8"])
        return None
    return parse(source, filename, sink)


def parse(source: str, filename: str, sink: DiagnosticSink) -> tree.Module | None:
    """Parse the text of a file; None where it has errors, which are then in `sink`."""
    sink = sink.for_file(filename, source)
    errors = sink.error_count
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    if unusable := re.search("[\0\ud800-\udfff]", source):
        line = source.count("\n", 0, unusable.start()) + 1
        column = unusable.start() - (source.rfind("\n", 0, unusable.start()) + 1)
        what = "a null character" if unusable[0] == "\0" else "half of a surrogate pair"
        sink.error(f"the source has {what}", Span(line, column, line, column + 1))
        return None
    tokens = tokenize(source, sink)
    module = _Parser(tokens, sink).run()
    if module is None or sink.error_count > errors:
        return None
    if tokens.longest_line > MAX_SOURCE_DEPTH and not _check_depth(module, sink):
        return None
    return module


def _check_depth(module: tree.Module, sink: DiagnosticSink) -> bool:
    """Whether no expression is nested too deeply; those that are get an error."""
    pending: list[tuple[tree.AST, int]] = [(module, 0)]
    fine = True
    while pending:
        node, depth = pending.pop()
        if depth > MAX_SOURCE_DEPTH:
            fine = False
            sink.error("this expression is nested too deeply", node.span, label=f"at most {MAX_SOURCE_DEPTH} levels",
                       hints=["give parts of it names of their own"])
            continue
        for child in tree.iter_child_nodes(node):
            pending.append((child, 0 if isinstance(child, tree.stmt) else depth + 1))
    return fine


class _Parser:
    """One run over the tokens of a source. The three stacks are parallel, but for the start state at the bottom."""

    def __init__(self, tokens: Tokens, sink: DiagnosticSink) -> None:
        self.tables = tables.load()
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.sink = sink
        self.builder = Builder(tokens, sink)
        self.states = [self.tables.start]
        self.values: list[Any] = []
        self.firsts: list[int] = []  # for each value the index of its first token
        self.errors = 0
        self.broken_columns: set[int] = set()

    def rules(self) -> list[tuple[str, int, int, tuple[int, ...], Callable[..., Any]]]:
        """The rules as the loop wants them, with the builder's methods."""
        builder = self.builder
        return [(rule.origin, rule.size, rule.mode, rule.children, getattr(builder, rule.action or "sequence"))
                for rule in self.tables.rules]

    def run(self) -> tree.Module | None:
        actions, rules, jumps = self.tables.actions, self.rules(), self.tables.jumps
        kinds, starts, ends = self.kinds, self.tokens.starts, self.tokens.ends
        states, values, firsts = self.states, self.values, self.firsts
        absent, passes, lists, calls = tables.ABSENT, tables.PASSES, tables.LISTS, tables.CALLS
        make_span = tuple.__new__
        index = 0
        kind = kinds[0]
        state = states[0]
        while True:
            action = actions[state].get(kind)
            if action is None:
                index = self.recover(index)
                if index < 0:
                    return None
                kind, state = kinds[index], states[-1]
                continue
            if action >= 0:
                states.append(action)
                values.append(index)
                firsts.append(index)
                index += 1
                kind, state = kinds[index], action
                continue
            origin, size, mode, children, method = rules[~action]
            if not size:
                return tree.Module((), Span(1, 0, 1, 0))
            first = firsts[-size]
            if mode == passes:
                value = values[children[0] - size]
            elif mode == lists:
                head = children[0]
                if head < 0:
                    value = values[~head - size]
                    value.extend([values[child - size] for child in children[1:]])
                else:
                    value = [values[child - size] for child in children]
            else:
                if mode == calls:
                    args = [values[child - size] if child != absent else None for child in children]
                else:
                    args = self.spliced(children, size)
                value = method(make_span(Span, starts[first] + ends[index - 1]), *args)
                if isinstance(value, tree.Module):
                    return value
            del states[-size:], values[-size:], firsts[-size:]
            key = (states[-1], origin, kind)
            state = jumps.get(key, -1)
            if state < 0:
                state = self.tables.jump(key)
            states.append(state)
            values.append(value)
            firsts.append(first)

    def spliced(self, children: tuple[int, ...], size: int) -> list[Any]:
        """The children of a reduction, with those of repetitions in their place."""
        values = self.values
        args: list[Any] = []
        for child in children:
            if child < 0:
                args.extend(values[~child - size])
            else:
                args.append(values[child - size] if child != tables.ABSENT else None)
        return args

    # --- errors

    def recover(self, index: int) -> int:
        """Report the token at `index`, which does not fit, and make the stacks fit to go on.

        Returns the index of the next token, -1 to give up.
        """
        kinds = self.kinds
        kind = kinds[index]
        if kind == _SKIP:
            return index + 1
        first = index  # the first token of the logical line
        while first and kinds[first - 1] not in ("_NEWLINE", "_INDENT", "_DEDENT", _SKIP):
            first -= 1
        column = self.tokens.starts[first][1]
        silent = kind == "ERROR" or (kind in _CLAUSES and index == first and column in self.broken_columns)
        if not silent:
            accepted = {other for other in self.terminals() if self.accepts(other)}
            problem = messages.explain(self.tokens, index, first, accepted, self.values[-1] if self.values else None)
            self.sink.error(problem.message, problem.span, label=problem.label, hints=problem.hints,
                            notes=problem.notes)
            self.errors += 1
            if self.errors >= _MAX_ERRORS:
                return -1
        self.broken_columns.add(column)
        if kind == "_INDENT":
            self.skip_block(index)
            return index + 1
        dropped = self.drop_statement(index)
        if index == first and self.accepts(kind):
            return index  # the statement before was incomplete; this one is fine
        return self.after_line(first, index, dropped == "case_block")

    def finish_block(self) -> None:
        """Reduce a block whose `_DEDENT` is at the top, so that it does not look unfinished.

        The reductions are those that any token brings which fits; their values do not matter, as there is an error.
        """
        if not self.values or not isinstance(self.values[-1], int) or self.kinds[self.values[-1]] != "_DEDENT":
            return
        kind = next(kind for kind in sorted(self.terminals()) if self.accepts(kind))
        while (action := self.tables.actions[self.states[-1]][kind]) < 0:
            rule = self.tables.rules[~action]
            if rule.origin == "start":
                return
            value: Any = ()
            if rule.mode == tables.LISTS:
                value = [*self.values[-rule.size]] if rule.children[0] < 0 else []
            first = self.firsts[-rule.size]
            for stack in (self.states, self.values, self.firsts):
                del stack[-rule.size :]
            self.states.append(self.tables.gotos[self.states[-1]][rule.origin])
            self.values.append(value)
            self.firsts.append(first)

    def drop_statement(self, index: int) -> str:
        """Take the unfinished statement or `case` off the stacks, and put an empty one in its place; which it was."""
        self.finish_block()
        gotos = self.tables.gotos
        depth = len(self.states) - 1
        while not (symbols := gotos[self.states[depth]]).keys() & {"statement", "case_block"}:
            depth -= 1
        symbol = "case_block" if "case_block" in symbols else "statement"
        del self.states[depth + 1 :], self.values[depth:], self.firsts[depth:]
        self.states.append(gotos[self.states[-1]][symbol])
        self.values.append(())
        self.firsts.append(index)
        return symbol

    def after_line(self, first: int, index: int, in_match: bool) -> int:
        """The index of the first token after the logical line; after its block as well, if it holds cases or is one."""
        kinds = self.kinds
        if kinds[index] in ("$END", "_DEDENT"):
            return index + 1 if kinds[index] == "_DEDENT" else -1
        while kinds[index] != "_NEWLINE":
            index += 1
        index += 1
        if kinds[index] == "_INDENT":
            end = self.skip_block(index)
            if in_match or self.tokens.texts[first] == "match":
                return end + 1
        return index

    def skip_block(self, index: int) -> int:
        """Make the `_INDENT` at `index` and its `_DEDENT` invisible; the index of the latter."""
        kinds = self.kinds
        end, depth = index, 0
        while True:
            if kinds[end] == "_INDENT":
                depth += 1
            elif kinds[end] == "_DEDENT":
                depth -= 1
                if not depth:
                    break
            end += 1
        kinds[index] = kinds[end] = _SKIP
        return end

    def terminals(self) -> set[str]:
        """Kinds of tokens that the state at the top knows."""
        return set(self.tables.actions[self.states[-1]])

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind would be shifted, after whatever reductions it calls for."""
        states = list(self.states)
        while True:
            action = self.tables.actions[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                return True
            rule = self.tables.rules[~action]
            if rule.origin == "start":
                return True
            del states[len(states) - rule.size :]
            states.append(self.tables.gotos[states[-1]][rule.origin])
