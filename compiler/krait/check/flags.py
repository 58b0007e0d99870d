"""The methods of a `Flag` or `IntFlag`, as a source of Krait.

In: the name of the class, its members with their values. Out: definitions for `enums`, which makes methods of them.
Combinations are made when they are met, once for each value, as CPython makes them; `new_` makes one and `combined_`
keeps them, names that `enums` replaces.
"""

from __future__ import annotations

from collections.abc import Mapping

_BOTH = '''
def __init__(self, name: str | None, value: int) -> None:
    self.name = name
    self.value = value

def __repr__(self) -> str:
    if self.name is None:
        return f"<CLASS: {self.value}>"
    return f"<CLASS.{self.name}: {self.value}>"

def __hash__(self) -> int:
    return hash(self.value)

def __bool__(self) -> bool:
    return self.value != 0

def __len__(self) -> int:
    return self.value.bit_count()

def __contains__(self, other: CLASS) -> bool:
    return other.value & self.value == other.value

def __iter__(self) -> Iterator[CLASS]:
    singles: list[CLASS] = SINGLES
    for member in singles:
        if member.value & self.value:
            yield member

def __or__(self, other: CLASS) -> CLASS:
    return CLASS(self.value | other.value)

def __and__(self, other: CLASS) -> CLASS:
    return CLASS(self.value & other.value)

def __xor__(self, other: CLASS) -> CLASS:
    return CLASS(self.value ^ other.value)

def by_name(name: str) -> CLASS:
NAMED
    raise KeyError(name)

def members() -> list[CLASS]:
    return SINGLES

def lookup(value: int) -> CLASS:
VALUES
CHECKED
    if value < 0:
        return CLASS(max(CEILING, 2 ** value.bit_length()) + value)
    if value not in CLASS.combined_:
        singles: list[CLASS] = SINGLES
        names = [member.name or "" for member in singles if member.value & value]
        unknown = value & ~MASK
        if unknown and names:
            names.append(str(unknown))
        CLASS.combined_[value] = new_("|".join(names) if names else None, value)
    return CLASS.combined_[value]
'''

_FLAG = '''
def __str__(self) -> str:
    if self.name is None:
        return f"CLASS({self.value})"
    return f"CLASS.{self.name}"

def __format__(self, spec: str) -> str:
    return format(str(self), spec)

def __invert__(self) -> CLASS:
    return CLASS(MASK & ~self.value)
'''

_INT_FLAG = '''
def __str__(self) -> str:
    return str(self.value)

def __format__(self, spec: str) -> str:
    return format(self.value, spec)

def __invert__(self) -> CLASS:
    return CLASS(~self.value)

def __int__(self) -> int:
    return self.value

def __index__(self) -> int:
    return self.value
'''

_CHECK = '''
    if not -CEILING <= value < CEILING or value & HOLES:
        width = max(value.bit_length(), (MASK).bit_length())
        given, allowed = f"{value:b}".zfill(width), f"{MASK:b}".zfill(width)
        what = f"<flag 'CLASS'> invalid value {value}"
        raise ValueError(what + chr(10) + f"    given 0b0 {given}" + chr(10) + f"  allowed 0b0 {allowed}")
'''


def is_single(value: object) -> bool:
    """Return whether the value of a flag is one bit; others are names of combinations, or of none."""
    return isinstance(value, int) and value > 0 and value & (value - 1) == 0


def source_of_flag(name: str, members: Mapping[str, int], aliases: Mapping[str, str], *, is_int: bool) -> str:
    """Return the definitions for a class of flags."""
    mask = 0
    for value in members.values():
        mask |= value
    ceiling = 1 << mask.bit_length()
    named = dict(zip(members, members, strict=True)) | dict(aliases)
    singles = [member for member, value in members.items() if is_single(value)]
    parts = {
        "NAMED": "\n".join(f"    if name == {key!r}:\n        return {name}.{meant}" for key, meant in named.items()),
        "VALUES": "\n".join(f"    if value == {value}:\n        return {name}.{key}" for key, value in members.items()),
        "CHECKED": "" if is_int else _CHECK,
        "SINGLES": f"[{', '.join(f'{name}.{member}' for member in singles)}]",
        "HOLES": str((ceiling - 1) ^ mask),
        "CEILING": str(ceiling),
        "MASK": str(mask),
        "CLASS": name,
    }
    source = _BOTH + (_INT_FLAG if is_int else _FLAG)
    for word, text in parts.items():
        source = source.replace(word, text)
    return source


__all__ = ["is_single", "source_of_flag"]
