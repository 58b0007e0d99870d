"""Texts that format: specifications of the format mini-language, f-strings, `%` and `str.format`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.fuzz.krait.kinds import BOOL, FLOAT, INT, STR, Kind

__all__ = ["dot_format", "f_string", "percent", "spec_of"]

Make = Callable[[Kind], str]
"""Gives an expression of a kind."""
_FILLS = ("", "", "", "*", "0", " ", "é", "-", "=")
_QUOTES = "'\"\\{}\n"


def spec_of(random: Random, kind: Kind) -> str:
    """A specification for values of a kind; now and then one that is refused at run time."""
    align = random.choice(("", "", "<", ">", "^", "=" if kind != STR or random.random() < 0.1 else ""))
    spec = (random.choice(_FILLS) if align else "") + align
    if kind in (INT, FLOAT) or random.random() < 0.03:
        spec += random.choice(("", "", "", "+", "-", " "))
        spec += random.choice(("", "", "", "", "#"))
        spec += random.choice(("", "", "", "0"))
    spec += str(random.choice((0, 1, 4, 7, 12))) if random.random() < 0.6 else ""
    spec = spec.replace("00", "0")
    if kind in (INT, FLOAT):
        spec += random.choice(("", "", "", "", ",", "_"))
    if kind == FLOAT:
        spec += random.choice(("", "", ".0", ".1", ".3", ".6", ".17")) + random.choice(
            ("", "e", "f", "g", "E", "F", "G", "%")
        )
        if random.random() < 0.05:
            spec += "n"
    elif kind == INT:
        spec += random.choice(
            ("", "d", "x", "X", "b", "o", "c" if random.random() < 0.1 else "d", "e", ".2f", "%", ".3g")
        )
    elif kind == STR:
        spec += random.choice(("", "", ".0", ".2", ".5")) + random.choice(("", "s"))
    if random.random() < 0.02:
        spec += random.choice("dsxq")
    return spec


def _kind(random: Random) -> Kind:
    return random.choice((INT, INT, FLOAT, FLOAT, STR, STR, BOOL))


def _plain(random: Random) -> str:
    """Text between what is put in."""
    return random.choice(("", " ", "a", "x=", ", ", "é", "->", "{{", "}}", "%%", "\\t", "0"))


def f_string(random: Random, make: Make) -> str:
    """An f-string whose expressions need no quotes."""
    parts = []
    for _ in range(random.randint(1, 3)):
        kind = _kind(random)
        text = make(kind)
        while any(mark in text for mark in (*_QUOTES, "lambda", ":=", "!")):
            text = make(kind)
        choice = random.random()
        if choice < 0.35:
            parts.append(f"{{{text}}}")
        elif choice < 0.5:
            parts.append(f"{{{text}!{random.choice('rs')}}}")
        elif choice < 0.55:
            parts.append(f"{{{text} = }}")
        elif choice < 0.6:
            parts.append(f"{{{text}!r:>{random.randint(0, 9)}}}")
        elif choice < 0.7:
            parts.append(f"{{{text}:{{{random.randint(1, 9)}}}}}")
        elif kind == BOOL:
            parts.append(f"{{{text}:{random.choice(('', 'd', '>6', '<6', '05'))}}}")
        else:
            parts.append(f"{{{text}:{spec_of(random, kind)}}}")
        parts.append(_plain(random))
    return 'f"' + "".join(parts).replace("%%", "%") + '"'


def percent(random: Random, make: Make) -> str:
    """A text formatted by `%`."""
    count = random.randint(1, 3)
    text, values = "", []
    for _ in range(count):
        kind = random.choice((INT, FLOAT, STR))
        flags = "".join(flag for flag in "-+ 0#" if random.random() < 0.15)
        width = random.choice(("", "", "3", "8"))
        if kind == STR:
            text += f"%{flags.replace('#', '')}{width}{random.choice(('', '.2'))}{random.choice('sr')}"
        elif kind == INT:
            text += f"%{flags}{width}{random.choice('dixXosrf')}"
        else:
            precision = random.choice(("", ".0", ".2", ".9"))
            text += f"%{flags}{width}{precision}{random.choice('feEgGs')}"
        values.append(make(kind))
        text += _plain(random).replace("{{", "{").replace("}}", "}")
    several = "(" + "".join(f"{value}, " for value in values) + ")"
    given = f"({values[0]})" if count == 1 and random.random() < 0.5 else several
    return f'("{text}" % {given})'


def dot_format(random: Random, make: Make) -> str:
    """A text formatted by its method."""
    kinds = [_kind(random) for _ in range(random.randint(1, 3))]
    numbered = random.random() < 0.3
    text = ""
    for at, kind in enumerate(kinds):
        name = str(at) if numbered else ""
        spec = spec_of(random, kind) if kind != BOOL else ""
        text += (
            _plain(random).replace("%%", "%") + "{" + name + random.choice(("", "", "!r", "!s") if not spec else ("",))
        )
        text += (f":{spec}" if spec else "") + "}"
    return f'"{text}".format({", ".join(make(kind) for kind in kinds)})'
