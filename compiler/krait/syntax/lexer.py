"""Source text to tokens, with Python's rules for indentation, joined lines and f-strings.

In: the text of a file. Out: `Tokens`, parallel lists that end in `$END`. The kind of a token is the name of its
terminal in grammar.lark; punctuation and keywords are their own kinds.

Invariants: brackets, f-strings and `_INDENT`/`_DEDENT` are balanced. A logical line with an error is reported and comes
as one `ERROR` token, so that the parser goes on behind it without a second message; the token's text is the line's
first word. `_NEWLINE`, `_INDENT`, `_DEDENT` and `$END` lie where the last visible token ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from krait.diagnostics import DiagnosticSink, Note, Span
from svm.limits import MAX_SOURCE_BRACKETS, MAX_SOURCE_INDENTS

SOFT_KEYWORDS = frozenset({"match", "case", "type"})
KEYWORDS = frozenset({
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
})  # fmt: skip
_WORDS = {word: word for word in (*KEYWORDS, *SOFT_KEYWORDS)}
_RARE_WORDS = SOFT_KEYWORDS | {"async", "await"}
# A line inside brackets that begins with one of these shows that a bracket was not closed.
_STATEMENT_WORDS = frozenset({
    "assert", "break", "class", "continue", "def", "del", "elif", "except", "finally", "global", "import", "nonlocal",
    "pass", "raise", "return", "try", "while",
})  # fmt: skip
_SIGNS = dict.fromkeys(["<", ">", "==", ">=", "<=", "!="], "COMPARE") | dict.fromkeys(
    ["+=", "-=", "*=", "/=", "//=", "%=", "@=", "&=", "|=", "^=", ">>=", "<<=", "**="], "AUGMENTED")  # fmt: skip
for _sign in (*"+-*/%@&|^~()[]{},:.;=", "**", "//", "<<", ">>", ":=", "->", "..."):
    _SIGNS[_sign] = _sign
_CLOSING = {"(": ")", "[": "]", "{": "}"}
# Words that Python lets follow a number without a space, as in `1if x else 2`.
_WORDS_AFTER_NUMBER = re.compile(r"(?:and|else|for|if|in|is|not|or)\b")

_PREFIX = r"(?:[rR][bB]?|[bB][rR]?|[uU])?"
_FPREFIX = r"(?:[fF][rR]?|[rR][fF])"
_NO_NAME = r"\x00-/:-@\[-^`{-\x7f"  # ASCII that is in no name; a class of what is there takes re ten times as long
_DIGITS = r"[0-9](?:_?[0-9])*"
_TOKEN = re.compile(
    rf"""
    [ \t\f]*+
    (?: ((?!{_PREFIX}['"]|{_FPREFIX}['"])[^{_NO_NAME}0-9][^{_NO_NAME}]*+)
      | (\*\*=?|//=?|>>=?|<<=?|\.\.\.|->|:=|[-+*/%@&|^=<>]=?|!=|[()\[\]{{}},:;~]|\.(?![0-9]))
      | (0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+
         |(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?[jJ]?)
      | ({_PREFIX}(?: '(?!'')(?:[^\n'\\]|\\[\s\S])*+' | "(?!"")(?:[^\n"\\]|\\[\s\S])*+"
                    | '''(?:[^'\\]|\\[\s\S]|'(?!''))*+''' | \"""(?:[^"\\]|\\[\s\S]|"(?!""))*+\"""))
      | (\n)
      | (\#[^\n]*)
      | (\\\n)
      | ({_FPREFIX}(?:'''|\"""|'|"))
      | (\Z)
      | ([\s\S])
    )""",
    re.VERBOSE,
)
_NAME, _OP, _NUMBER, _STRING, _NEWLINE, _COMMENT, _JOIN, _FSTRING, _END, _OTHER = range(1, 11)
_INDENTATION = re.compile(r"[ \t\f]*+")
_BLANK = re.compile(r"(?:[ \t\f]*+(?:\#[^\n]*)?\n)+")
_STRING_START = re.compile(r"(?i:[rbu]{0,2})('''|\"\"\"|'|\")")
_FSTRING_PLAIN = re.compile(r"[^{}\\'\"\n]+")


@dataclass(slots=True)
class Tokens:
    """The tokens of a source: kind, text, and where each starts and ends (line from 1, column from 0)."""

    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    longest_line: int = 0
    """The largest number of tokens of a logical line: no expression can be deeper."""


@dataclass(slots=True)
class _FString:
    """An f-string that is open: its quotes, whether it is raw, where it starts, how many brackets enclose it."""

    quote: str
    raw: bool
    span: Span
    depth: int


@dataclass(slots=True)
class _Open:
    """A bracket that is open. For a field of an f-string: the f-string, and whether its format spec has begun."""

    text: str
    span: Span
    token: int
    offset: int
    fstring: _FString | None = None
    in_spec: bool = False


def tokenize(source: str, sink: DiagnosticSink) -> Tokens:
    """The tokens of `source`, whose line ends must all be `\\n`; errors go to `sink`."""
    lexer = _Lexer(source, sink)
    while lexer.logical_line():
        pass
    return lexer.tokens


class _Lexer:
    def __init__(self, source: str, sink: DiagnosticSink) -> None:
        self.source = source
        self.sink = sink
        self.tokens = Tokens()
        self.pos = 0
        self.line = 1
        self.base = 0  # offset of the start of the line
        self.indents = [(0, 0)]  # columns with tabs to 8, and with tabs as 1
        self.match_blocks = [False]  # for each indentation, whether it is the block of a match statement
        self.after_match = False  # whether the last logical line was the head of a match statement
        self.brackets: list[_Open] = []
        self.fstrings: list[_FString] = []
        self.soft: list[int] = []  # indices of the soft keywords of this logical line
        self.withs: list[int] = []  # indices of the parentheses right after `with` in this logical line
        self.bad = False  # whether this logical line has an error

    # --- helpers

    def report(self, message: str, start: int, end: int, label: str = "", hint: str = "") -> None:
        """An error between two offsets of the current line."""
        self.report_span(message, Span(self.line, start - self.base, self.line, end - self.base), label, hint)

    def report_span(self, message: str, span: Span, label: str = "", hint: str = "", note: Note | None = None) -> None:
        if not self.bad:  # what follows on the same logical line may well be a consequence
            self.sink.error(message, span, label=label, hints=[hint] if hint else [], notes=[note] if note else [])
        self.bad = True

    def add(self, kind: str, text: str, start: tuple[int, int], end: tuple[int, int]) -> None:
        tokens = self.tokens
        tokens.kinds.append(kind)
        tokens.texts.append(text)
        tokens.starts.append(start)
        tokens.ends.append(end)

    def add_invisible(self, kind: str) -> None:
        last = self.tokens.ends[-1] if self.tokens.ends else (1, 0)
        self.add(kind, "", last, last)

    def end_of_line(self, start: int) -> int:
        end = self.source.find("\n", start)
        return len(self.source) if end < 0 else end

    # --- lines and indentation

    def logical_line(self) -> bool:
        """Read the next logical line with its indentation; False at the end of the source."""
        if blank := _BLANK.match(self.source, self.pos):
            self.line += blank[0].count("\n")
            self.pos = self.base = blank.end()
        self.bad = False
        if not self.indentation():
            return False
        first = len(self.tokens.kinds)
        self.soft.clear()
        self.withs.clear()
        self.run()
        self.finish_line(first)
        return True

    def indentation(self) -> bool:
        """Compare the indentation of the line at `pos` with the open blocks; False at the end of the source."""
        column = plain = joined = 0
        while True:
            found = _INDENTATION.match(self.source, self.pos)
            text = found[0] if found else ""
            self.pos += len(text)
            if text.strip(" "):
                column, plain = _columns(text, column, plain)
            else:
                column, plain = column + len(text), plain + len(text)
            if not self.source.startswith("\\\n", self.pos):
                break
            self.pos += 2
            joined = joined or column  # a line joined by a backslash keeps the indentation of its first part
            if self.pos == len(self.source):
                self.nothing_to_join(self.pos - 2)
            self.line, self.base = self.line + 1, self.pos
        rest = self.end_of_line(self.pos)
        if rest == len(self.source) and (rest == self.pos or self.source[self.pos] == "#"):
            self.finish()
            return False
        if self.source[self.pos] not in "\n#":
            self.indent_to(joined or column, plain)
        return True

    def indent_to(self, column: int, plain: int) -> None:
        indents = self.indents
        top, top_plain = indents[-1]
        after_match, self.after_match = self.after_match, False
        if column == top:
            if plain != top_plain:
                self.mixed_tabs()
        elif column > top:
            if plain <= top_plain:
                self.mixed_tabs()
            if len(indents) >= MAX_SOURCE_INDENTS:
                self.report("too many levels of indentation", self.base, self.pos,
                            f"at most {MAX_SOURCE_INDENTS - 1} are supported")
                self.pos = len(self.source)
            indents.append((column, plain))
            self.match_blocks.append(after_match)
            self.add_invisible("_INDENT")
        else:
            while column <= indents[-2][0]:
                indents.pop()
                self.match_blocks.pop()
                self.add_invisible("_DEDENT")
                if column == indents[-1][0]:
                    break
            if column != indents[-1][0]:
                indents[-1] = (column, plain)  # go on as if the line belonged to the inner block
                self.report("this indentation does not match any outer block", self.base, self.pos,
                            hint="indent the line as much as the block it belongs to")
            elif plain != indents[-1][1]:
                self.mixed_tabs()

    def mixed_tabs(self) -> None:
        self.report("inconsistent use of tabs and spaces in indentation", self.base, self.pos,
                    hint="indent with spaces everywhere")

    def finish_line(self, first: int) -> None:
        """End the logical line that began with token `first`: settle soft keywords, replace a bad line."""
        kinds, texts = self.tokens.kinds, self.tokens.texts
        count = len(kinds) - first
        if not count and not self.bad:
            return
        if count > self.tokens.longest_line:
            self.tokens.longest_line = count
        if self.soft:
            self.soft_keywords(first)
        if self.withs:
            self.with_parentheses()
        if self.bad:
            word = texts[first] if count else ""
            self.after_match = self.after_match or (word == "match" and kinds[-1] == ":")
            end = self.tokens.ends[-1] if count else (self.line, 0)
            start = self.tokens.starts[first] if count else end
            for part in (kinds, texts, self.tokens.starts, self.tokens.ends):
                del part[first:]
            self.add("ERROR", word, start, end)
        self.add_invisible("_NEWLINE")

    def finish(self) -> None:
        for _ in self.indents[1:]:
            self.add_invisible("_DEDENT")
        self.add_invisible("$END")

    # --- soft keywords and other things that take a look at the whole logical line

    def soft_keywords(self, first: int) -> None:
        """Make keywords of those soft keywords of the logical line that start a statement."""
        kinds, texts = self.tokens.kinds, self.tokens.texts
        last = len(kinds) - 1
        for index in self.soft:
            word = texts[index]
            following = kinds[index + 1] if index < last else ""
            if word == "type":
                if following == "NAME" and (index == first or kinds[index - 1] in ";:"):
                    kinds[index] = "type"
            elif index != first or not following:
                continue
            elif word == "case":
                if self.match_blocks[-1]:
                    kinds[index] = "case"
            # No expression statement ends in a colon, or has two operands side by side.
            elif (kinds[last] == ":" and following not in ":.=") or following in _OPERANDS:
                kinds[index] = "match"
                self.after_match = True

    def with_parentheses(self) -> None:
        """Mark `with (a as b, ...):`, the parentheses that hold items and not an expression."""
        kinds = self.tokens.kinds
        for index in self.withs:
            depth, items = 0, False
            for place in range(index, len(kinds)):
                kind = kinds[place]
                if kind in "([{":
                    depth += 1
                elif kind in ")]}":
                    depth -= 1
                    if not depth:
                        if items and kinds[place + 1 : place + 2] == [":"]:
                            kinds[index] = "_WITH_PAREN"
                        break
                elif kind == "as" and depth == 1:
                    items = True

    # --- tokens

    def run(self) -> None:
        """Read tokens up to the end of the logical line."""
        source, brackets = self.source, self.brackets
        kinds, texts, starts, ends = self.tokens.kinds, self.tokens.texts, self.tokens.starts, self.tokens.ends
        match, words, signs = _TOKEN.match, _WORDS, _SIGNS
        pos, line, base = self.pos, self.line, self.base
        while True:
            found = match(source, pos)
            assert found is not None  # the last alternatives match anything
            group = found.lastindex
            assert group is not None
            text = found[group]
            pos = found.end()
            start = pos - len(text)
            if group == _NAME:
                kind = words.get(text, "NAME")
                if kind != "NAME":
                    if kind in _RARE_WORDS:
                        kind = self.rare_word(kind, start, pos)
                    elif brackets and kind in _STATEMENT_WORDS and not source[base:start].strip():
                        self.unclosed()
                        self.pos, self.line, self.base = base, line, base
                        return
                elif not text.isascii():
                    text = self.identifier(text, start, pos)
            elif group == _OP:
                kind = signs[text]
                if text in "([{)]}" or (brackets and brackets[-1].fstring is not None):
                    self.pos, self.line, self.base = pos, line, base
                    self.bracket_or_field(text, start)
                    pos, line, base = self.pos, self.line, self.base
                    continue
            elif group == _NUMBER:
                kind = "NUMBER"
                after = source[pos : pos + 1]
                if after == "_" or after.isalnum() or text[0] == "0":
                    pos = self.check_number(text, start, pos)
            elif group == _STRING:
                kind = "STRING"
                begin = (line, start - base)
                if "\n" in text:
                    line += text.count("\n")
                    base = source.rindex("\n", start, pos) + 1
                kinds.append(kind)
                texts.append(text)
                starts.append(begin)
                ends.append((line, pos - base))
                self.line, self.base = line, base
                continue
            elif group in (_NEWLINE, _JOIN):
                if group == _JOIN and pos == len(source):
                    self.nothing_to_join(start)
                line, base = line + 1, pos
                self.line, self.base = line, base
                if group == _NEWLINE and not brackets:
                    self.pos = pos
                    return
                continue
            elif group == _COMMENT:
                continue
            else:
                self.pos, self.line, self.base = pos, line, base
                if self.unusual(group, text, start):
                    return
                pos, line, base = self.pos, self.line, self.base
                continue
            kinds.append(kind)
            texts.append(text)
            starts.append((line, start - base))
            ends.append((line, pos - base))

    def nothing_to_join(self, start: int) -> None:
        self.report("the file ends after a line continuation", start, start + 1, "nothing follows to join")

    def rare_word(self, word: str, start: int, end: int) -> str:
        if word in SOFT_KEYWORDS:
            self.soft.append(len(self.tokens.kinds))
        else:
            self.report(f"{word} is not part of Krait yet", start, end,
                        hint="write a plain function, or a generator with `yield`")
        return "NAME"

    def identifier(self, text: str, start: int, end: int) -> str:
        """An identifier with other than ASCII characters, in the normal form in which Python compares it."""
        import unicodedata

        if not text.isidentifier():
            for index, character in enumerate(text):
                if not ("a" * bool(index) + character).isidentifier():
                    self.invalid_character(character, start + index)
                    return text
        return unicodedata.normalize("NFKC", text)

    def invalid_character(self, character: str, start: int) -> None:
        code = f"U+{ord(character):04X}"
        shown = f"'{character}' ({code})" if character.isprintable() else code
        self.report(f"invalid character {shown}", start, start + 1, hint=_LOOKALIKES.get(character, ""))

    def check_number(self, text: str, start: int, pos: int) -> int:
        """Refuse what Python refuses about a number; the offset where to go on."""
        source = self.source
        base = {"x": "hexadecimal", "o": "octal", "b": "binary"}.get(text[1:2].lower(), "")
        after = source[pos : pos + 1]
        digits = text.replace("_", "").lstrip("0")
        if text[0] == "0" and digits.isdigit():
            self.report("leading zeros in a decimal integer literal", start, pos,
                        hint=f"write {digits}, or 0o{digits} for octal")
        elif after == "_" or after.isalnum():
            if _WORDS_AFTER_NUMBER.match(source, pos):
                return pos
            end = pos
            while end < len(source) and (source[end] == "_" or source[end].isalnum()):
                end += 1
            if text == "0" and after in "xXoObB":
                base = {"x": "hexadecimal", "o": "octal", "b": "binary"}[after.lower()]
            if base and base != "hexadecimal" and after.isdigit():
                self.report(f"invalid digit '{after}' in {base} literal", pos, pos + 1)
            else:
                self.report(f"invalid {base or 'decimal'} literal", start, end)
            return end
        return pos

    # --- brackets, and the signs that end parts of a field of an f-string

    def bracket_or_field(self, text: str, start: int) -> None:
        """A bracket, or any sign directly in a field of an f-string, where `= ! : }` have a meaning of their own."""
        top = self.brackets[-1] if self.brackets else None
        span = Span(self.line, start - self.base, self.line, self.pos - self.base)
        if top is not None and top.fstring is not None and self.field_sign(top, text, start):
            return
        kind = _SIGNS[text]
        if text in "([{":
            if len(self.brackets) >= MAX_SOURCE_BRACKETS:
                self.report_span("too many nested brackets", span, f"at most {MAX_SOURCE_BRACKETS} are supported")
                self.abandon()
                return
            index = len(self.tokens.kinds)
            if text == "(" and index and self.tokens.kinds[-1] == "with":
                self.withs.append(index)
            self.brackets.append(_Open(text, span, index, self.pos))
        elif text in ")]}":
            if top is None:
                self.report_span(f"unmatched '{text}'", span, "no bracket is open here")
                return
            if _CLOSING[top.text] != text:
                note = Note(f"the opening '{top.text}' is here", top.span)
                self.report_span(f"closing '{text}' does not match opening '{top.text}'", span,
                                 f"expected '{_CLOSING[top.text]}'", note=note)
                self.abandon()
                return
            self.brackets.pop()
        self.add(kind, text, (self.line, span.start_col), (self.line, span.end_col))

    def field_sign(self, top: _Open, text: str, start: int) -> bool:
        """Handle `text` if it is `=`, `:` or `}` directly in a field of an f-string."""
        source, begin = self.source, (self.line, start - self.base)
        if text == "=":
            rest = _SPACES.match(source, self.pos)
            after = rest.end() if rest else self.pos
            if source[after : after + 1] not in ("!", ":", "}"):
                return False
            self.add("FIELD_EQUAL", source[top.offset : after], begin, (self.line, self.pos - self.base))
        elif text in (":", ":="):
            self.pos = start + 1
            self.add("_FIELD_COLON", ":", begin, (self.line, self.pos - self.base))
            top.in_spec = True
            self.fstring_text()
        elif text == "}":
            self.close_field(start)
            self.fstring_text()
        else:
            return False
        return True

    def close_field(self, start: int) -> None:
        self.brackets.pop()
        self.pos = start + 1
        self.add("_FIELD_CLOSE", "}", (self.line, start - self.base), (self.line, self.pos - self.base))

    def unclosed(self) -> None:
        """Report the outermost bracket that is open, and give up the logical line."""
        top = self.brackets[0]
        if top.fstring is not None:
            self.report_span("f-string: expecting '}'", top.span, "this field is not closed")
        else:
            self.report_span(f"'{top.text}' was never closed", top.span, f"expected '{_CLOSING[top.text]}' after it")
        self.brackets.clear()
        self.fstrings.clear()

    def abandon(self) -> None:
        """Skip the rest of the physical line and all brackets, after an error that leaves nothing to pair."""
        self.brackets.clear()
        self.fstrings.clear()
        self.pos = self.end_of_line(self.pos)

    # --- the rest

    def unusual(self, group: int, text: str, start: int) -> bool:
        """Handle the start of an f-string, the end of the source, or an error; whether the logical line is over."""
        if group == _FSTRING:
            self.start_fstring(text, start)
        elif group == _END:
            if self.brackets:
                self.unclosed()
            return True
        elif text == "!" and self.brackets and self.brackets[-1].fstring is not None:
            self.add("!", "!", (self.line, start - self.base), (self.line, self.pos - self.base))
        elif opening := _STRING_START.match(self.source, start):
            self.unterminated(opening[1], start)
        elif text == "\\":
            self.report("unexpected character after line continuation", self.pos, self.pos + 1,
                        "a backslash joins lines only at the end of a line")
            self.pos = self.end_of_line(self.pos)
        else:
            self.invalid_character(text, start)
        return False

    def unterminated(self, quote: str, start: int) -> None:
        """A string that does not end: report it, and go on at the end of the line."""
        field_of = next((top for top in reversed(self.brackets) if top.fstring is not None), None)
        if field_of is not None and field_of.fstring is not None and field_of.fstring.quote == quote:
            self.report_span("f-string: expecting '}'", field_of.span, "this field is not closed")
        else:
            kind = "triple-quoted string" if len(quote) == 3 else "string"
            end = self.end_of_line(start)
            opened = self.source.index(quote, start) + len(quote)
            if len(quote) == 3:
                self.report(f"unterminated {kind}", start, opened, f"no {quote} follows")
            else:
                self.report(f"unterminated {kind}", start, end, f"expected {quote} before the end of the line")
        if len(quote) == 3:
            self.pos = len(self.source)
            self.abandon()
        else:
            self.give_up_string(start, len(self.brackets))

    def give_up_string(self, start: int, depth: int) -> None:
        """Go on at the end of the line that holds the broken string, with the brackets that were open before it.

        Brackets that close at the very end of the line were meant to: `print("text)`.
        """
        if depth and self.brackets[depth - 1].fstring is not None:
            self.abandon()
            return
        del self.brackets[depth:]
        self.fstrings.clear()
        self.pos = self.end_of_line(self.pos)
        rest = self.source[start : self.pos].rstrip()
        while self.brackets and rest.endswith(_CLOSING[self.brackets[-1].text]):
            self.brackets.pop()
            rest = rest[:-1].rstrip()

    # --- f-strings

    def start_fstring(self, text: str, start: int) -> None:
        if len(self.fstrings) >= MAX_SOURCE_BRACKETS:
            self.report("too many nested f-strings", start, self.pos, f"at most {MAX_SOURCE_BRACKETS} are supported")
            self.abandon()
            return
        quote = text.lstrip("fFrR")
        span = Span(self.line, start - self.base, self.line, self.pos - self.base)
        self.fstrings.append(_FString(quote, len(text) - len(quote) == 2, span, len(self.brackets)))
        self.add("FSTRING_START", text, (span.start_line, span.start_col), (span.end_line, span.end_col))
        self.fstring_text()

    def fstring_text(self) -> None:
        """Read text of the innermost f-string, or of the format spec of its field, up to and with the next sign.

        Afterwards `pos` lies in a field, or behind the f-string.
        """
        while self.fstrings:
            current = self.fstrings[-1]
            top = self.brackets[-1] if len(self.brackets) > current.depth else None
            begin = (self.line, self.pos - self.base)
            text, stop = self.fstring_middle(current, top is not None)
            end = (self.line, stop - self.base)
            if text:
                self.add("RAW_MIDDLE" if current.raw else "FSTRING_MIDDLE", text, begin, end)
            self.pos = stop
            sign = self.source[stop : stop + 1]
            if sign == "{":
                self.open_field(current, stop)
                return
            if sign == "}" and top is not None:
                self.close_field(stop)
                continue
            if sign and self.source.startswith(current.quote, stop) and top is None:
                self.pos = stop + len(current.quote)
                self.add("FSTRING_END", current.quote, end, (self.line, self.pos - self.base))
                self.fstrings.pop()
                return
            self.broken_fstring(current, top, sign, stop)
            return

    def open_field(self, current: _FString, stop: int) -> None:
        self.pos = stop + 1
        span = Span(self.line, stop - self.base, self.line, self.pos - self.base)
        if len(self.brackets) >= MAX_SOURCE_BRACKETS:
            self.report_span("too many nested brackets", span, f"at most {MAX_SOURCE_BRACKETS} are supported")
            self.abandon()
            return
        index = len(self.tokens.kinds)
        self.brackets.append(_Open("{", span, index, self.pos, current))
        self.add("_FIELD_OPEN", "{", (self.line, span.start_col), (self.line, span.end_col))

    def broken_fstring(self, current: _FString, top: _Open | None, sign: str, stop: int) -> None:
        if top is not None:
            self.report_span("f-string: expecting '}'", top.span, "this field is not closed")
        elif sign == "}":
            self.report("f-string: single '}' is not allowed", stop, stop + 1, hint="write }} for the character itself")
            self.pos = stop + 1
            self.fstring_text()
            return
        else:
            kind = "triple-quoted f-string" if len(current.quote) == 3 else "f-string"
            self.report_span(f"unterminated {kind}", current.span, f"no {current.quote} follows")
            self.give_up_string(self.base, current.depth)
            return
        self.abandon()

    def fstring_middle(self, current: _FString, in_spec: bool) -> tuple[str, int]:
        """The text from `pos` up to the next sign that ends it, with doubled braces made single; the sign's offset."""
        source, pos = self.source, self.pos
        parts: list[str] = []
        while True:
            if plain := _FSTRING_PLAIN.match(source, pos):
                parts.append(plain[0])
                pos = plain.end()
            character = source[pos : pos + 1]
            if character in ("{", "}"):
                if in_spec or source[pos + 1 : pos + 2] != character:
                    break
                parts.append(character)
                pos += 2
            elif character == "\\":
                size = self.escape_size(current, pos)
                parts.append(source[pos : pos + size])
                pos += size
            elif character == "\n":
                if len(current.quote) == 1:
                    break
                parts.append(character)
            elif not character or source.startswith(current.quote, pos):
                break
            else:
                parts.append(character)
                pos += 1
            if character == "\n" or (character == "\\" and source[pos - 1] == "\n"):
                pos += character == "\n"
                self.line, self.base = self.line + 1, pos
        return "".join(parts), pos

    def escape_size(self, current: _FString, pos: int) -> int:
        """How many characters from the backslash at `pos` belong to the text whatever they are."""
        source = self.source
        if source[pos + 1 : pos + 2] in ("{", "}"):
            return 1
        if not current.raw and source.startswith("N{", pos + 1):
            end = source.find("}", pos)
            if 0 < end < self.end_of_line(pos):
                return end + 1 - pos
        return min(2, len(source) - pos)


def _columns(text: str, column: int, plain: int) -> tuple[int, int]:
    """The columns after white space that begins at the given ones: with tabs to 8, and with tabs as 1."""
    for character in text:
        if character == "\f":
            column = plain = 0
        elif character == "\t":
            column, plain = (column // 8 + 1) * 8, plain + 1
        else:
            column, plain = column + 1, plain + 1
    return column, plain


_SPACES = re.compile(r"\s*")
_OPERANDS = frozenset({"NAME", "NUMBER", "STRING", "FSTRING_START", "None", "True", "False", "...", "lambda"})
_LOOKALIKES = dict.fromkeys("“”„", 'write `"`') | {
    "!": "write `not`, or `!=`", "‘": "write `'`", "’": "write `'`", "—": "write `-`", "–": "write `-`",
    "−": "write `-`", "×": "write `*`", "÷": "write `/`", "≤": "write `<=`", "≥": "write `>=`", "≠": "write `!=`",
    "，": "write `,`", "：": "write `:`", "；": "write `;`", "（": "write `(`", "）": "write `)`",
    "\u00a0": "write a plain space",
}  # fmt: skip
