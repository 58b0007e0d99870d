"""What generated programs can say: templates of expressions and statements, by the kind that they have.

A template's holes are filled with expressions of a kind: `<int>`, `<list[T]>`. The same letter is the same kind: `O`
one with an order, `H` with a hash, others any. `<@kind>` is a variable, `<=kind>` one that may be assigned to.
`<index>` and its like are words (`terminals.py`). Templates of one kind are set apart by two spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tests.fuzz.krait.kinds import Kind, bind, parse_kind

__all__ = ["DO", "HOLE", "Phrase", "phrases", "rows"]

DO = Kind("do")
"""The kind of statements."""
HOLE = re.compile(r"<([@=]?)([A-Za-z_]+(?:\[[\w, \[\]]*\])?)>")

_PHRASES = """
int: (<int> + <int>)  (<int> - <int>)  (<int> * <int>)  (<int> * <small>)  (<int> + <small>)  (<int> - <small>)
int: (<int> // <divisor>)  (<int> % <divisor>)  (<int> // <int>)  (<int> % <int>)  (-<int>)  (~<int>)  (+<int>)
int: (<int> & <int>)  (<int> | <int>)  (<int> ^ <int>)  (<@int> << <shift>)  (<small> << <small>)  (<int> >> <shift>)
int: (<int> >> <int>)
int: (<@int> ** 2)  (<@int> ** <small>)  (<@int> ** (<int> % 4))  (<small> ** <small>)  (<int> & <mask>)
int: (<mask> & (<int> * <int> + <int>))
int: ((<int> * <int> + <int>) & <mask>)  ((<int> << <small> ^ <int>) & <mask>)  (<int> % 7)  (<int> // 3)
int: (<bool> + <int>)  (<int> - <bool>)  int(<bool>)  int(<decimal>)  int(<str>)  int(<numeral>, <base>)  int(<float>)
int: len(<str>)  len(<list[T]>)  len(<dict[H, T]>)  len(<set[H]>)  len(<many[T]>)  ord(<char>)  abs(<int>)
int: max(<int>, <int>)  min(<int>, <int>, <int>)  sum(<list[int]>)  sum(<list[int]>, <int>)  max(<list[int]>)
int: min(<list[int]>, default=<int>)  max(<set[int]>, default=<int>)  sum(<set[int]>)  sum(<dict[int, T]>)
int: sum(<dict[H, int]>.values())  sum(<many[int]>)  round(<float>)  math.floor(<float>)  math.ceil(<float>)
int: <str>.find(<part>)  <str>.rfind(<part>)  <str>.count(<part>)  <str>.find(<part>, <index>)  <str>.index(<part>)
int: <str>.count(<part>, <index>, <index>)  <str>.rfind(<part>, <index>, <index>)  (<int>).bit_length()
int: <list[O]>.index(<O>)  <list[O]>.count(<O>)  <many[O]>.count(<O>)  <many[O]>.index(<O>)
int: divmod(<int>, <divisor>)[0]  divmod(<int>, <divisor>)[1]  pow(<int>, <small>, <divisor>)  (<int>).bit_count()
int: math.gcd(<int>, <int>)  math.isqrt(abs(<int>))  (<int> // <divisor> * <small> + <int> % <divisor>)
int: hash(<int>)  hash(<bool>)  round(<int>, -1)  round(<int>, <round>)  ((<str> < <str>) + 1)  len(list(<range>))
int: <list[int]>[<index>]  math.trunc(<float>)  (<int> if <bool> else <int>)  (<int> and <int>)  (<int> or <int>)
int: sum(1 for _ in <list[T]>)  len(str(<int>))  min(<tuple[int, int]>)

float: (<float> + <float>)  (<float> - <float>)  (<float> * <float>)  (<float> / <float>)  (<int> / <divisor>)
float: (<int> / <int>)  (<float> + <int>)  (<int> * <float>)  (<float> // <float>)  (<float> % <float>)  (-<float>)
float: (<float> // <divisor>)  (<int> % <float>)  (<float> - <int>)  (<float> ** 2)  (<float> / <divisor>)
float: float(<int>)  float(<bool>)  float(<fraction>)  float(<str>)  abs(<float>)  max(<float>, <float>)
float: min(<list[float]>, default=<float>)  round(<float>, <round>)  math.sqrt(abs(<float>))  math.fabs(<float>)
float: divmod(<float>, <float>)[0]  divmod(<float>, <float>)[1]  sum(<list[float]>, 0.0)
float: <list[float]>[<index>]  (<float> if <bool> else <float>)  (<float> or <float>)  (<float> and <float>)
float: math.copysign(<float>, <int>)  math.fmod(<float>, <float>)  math.modf(<float>)[0]  (<int> * <small> / 4)
float: max(<list[float]>)  (<float> * 0.5 + <float>)

bool: (<int> < <int>)  (<int> <= <int>)  (<int> == <int>)  (<int> != <int>)  (<int> > <int>)  (<float> < <float>)
bool: (<float> >= <float>)  (<float> == <float>)  (<int> < <float>)  (<float> == <int>)  (<str> == <str>)
bool: (<str> < <str>)
bool: (<O> < <O>)  (<O> >= <O>)  (<O> == <O>)  (<O> != <O>)  (<H> == <H>)  (<int> < <int> < <int>)
bool: (<int> <= <int> != <int>)
bool: (<str> in <str>)  (<part> not in <str>)  (<O> in <list[O]>)  (<O> not in <list[O]>)  (<H> in <dict[H, T]>)
bool: (<H> in <set[H]>)  (<H> not in <set[H]>)  (<O> in <many[O]>)  (<O> in (<O>, <O>, <O>))
bool: (not <bool>)  (<bool> and <bool>)  (<bool> or <bool>)  (not <int>)  (not <str>)  bool(<list[T]>)  bool(<int>)
bool: (<bool> == <bool>)  (<bool> != <bool>)  (<bool> is True)  (<bool> & <bool>)  (<bool> | <bool>)  (<bool> ^ <bool>)
bool: <str>.startswith(<part>)  <str>.endswith(<part>)  <str>.isdigit()  <str>.isalpha()  <str>.isupper()
bool: <str>.islower()
bool: <str>.isspace()  <str>.isalnum()  <str>.istitle()  <str>.isdecimal()  <str>.isnumeric()  <str>.isprintable()
bool: <str>.isascii()  any(<list[bool]>)  all(<list[bool]>)  any(<list[int]>)  all(<many[bool]>)
bool: <set[H]>.issubset(<set[H]>)  <set[H]>.isdisjoint(<set[H]>)  (<set[H]> <= <set[H]>)  (<set[H]> == <set[H]>)
bool: (<list[O]> == <list[O]>)  (<list[O]> < <list[O]>)  (<dict[H, O]> == <dict[H, O]>)  (<many[O]> < <many[O]>)
bool: (<optional[O]> is None)  (<optional[T]> is not None)  bool(<float>)  (<float>).is_integer()  math.isnan(<float>)
bool: (<bool> if <bool> else <bool>)  <list[bool]>[<index>]  (<int> > <small>)  (<int> % 2 == 0)
bool: (<char> <= <char> < <char>)
bool: any(ch in <str> for ch in <str>)  all(n > <small> for n in <list[int]>)

str: (<str> + <str>)  (<str> + <word>)  (<str> * <small>)  (<small> * <str>)  <str>[<index>]  <str>[<slice>]  str(<int>)
str: str(<float>)  str(<bool>)  repr(<str>)  repr(<float>)  str(<list[T]>)  repr(<many[T]>)  str(<dict[H, T]>)  str(<T>)
str: <str>.upper()  <str>.lower()  <str>.title()  <str>.capitalize()  <str>.swapcase()  <str>.casefold()  <str>.strip()
str: <str>.lstrip()  <str>.rstrip()  <str>.strip(<part>)  <str>.lstrip(<part>)  <str>.rstrip(<part>)
str: <str>.zfill(<width>)
str: <str>.replace(<part>, <word>)  <str>.replace(<part>, <word>, <small>)  <str>.removeprefix(<part>)
str: <str>.removesuffix(<part>)  <str>.center(<width>)  <str>.ljust(<width>, <char>)  <str>.rjust(<width>)
str: <str>.center(<width>, <char>)  <str>.expandtabs(<small>)  <word>.join(<list[str]>)  <str>.join(<list[str]>)
str: <str>.partition(<part>)[0]  <str>.rpartition(<part>)[2]  <str>.partition(<part>)[2]
str: <word>.join(sorted(<set[str]>))
str: chr(ord(<char>) + <small>)  chr(<codepoint>)  hex(<int>)  bin(<int>)  oct(<int>)  max(<str>, <str>)
str: min(<list[str]>)
str: <list[str]>[<index>]  (<str> if <bool> else <str>)  (<str> or <str>)  (<str> and <str>)  "".join(reversed(<str>))
str: "".join(sorted(<str>))  str(<tuple[int, str]>)  repr(<char>)  str(<optional[int]>)  repr(<list[str]>)  <fstring>
str: <fstring>  <fstring>  <fstring>  <percent>  <percent>  <dotformat>  <dotformat>  format(<int>, <intspec>)
str: format(<float>, <floatspec>)  format(<str>, <strspec>)  "".join(c for c in <str> if c not in <word>)
str: ",".join(str(n) for n in <list[int]>)  str(sorted(<set[int]>))  str(sorted(<set[str]>))  str(<set[int]>)
str: <str>[::-1]
str: str(<frozenset[int]>)

list[T]: [<T>, <T>, <T>]  [<T>]  [<T>, <T>]  (<list[T]> + <list[T]>)  (<list[T]> * <small>)  <list[T]>[<slice>]
list[T]: list(<list[T]>)  <list[T]>.copy()  [*<list[T]>, <T>]  [*<list[T]>, *<list[T]>]  list(reversed(<list[T]>))
list[T]: (<list[T]> if <bool> else <list[T]>)  list(<many[T]>)  list(<dict[H, T]>.values())  ([<T>] * <small>)
list[O]: sorted(<list[O]>)  sorted(<list[O]>, reverse=<bool>)  sorted(<many[O]>)  sorted([<O>, <O>, <O>, <O>])
list[H]: list(<dict[H, T]>)  list(<dict[H, T]>.keys())
list[int]: list(range(<small>))  list(<range>)  [ord(c) for c in <str>]  [len(w) for w in <list[str]>]
list[int]: [int(b) for b in <list[bool]>]
list[int]: [a * b for a in <list[int]> for b in <list[int]> if a != b][:9]
list[int]: list(map(abs, [a >> 1 for a in <list[int]>]))
list[int]: sorted(<set[int]>)
list[int]: list(map(len, <list[str]>))  list(map(int, <str>.split()))  [i for i, x in enumerate(<list[T]>)]
list[int]: list(<set[int]>)
list[str]: <str>.split()  <str>.split(<char>)  <str>.split(<char>, <small>)  <str>.rsplit(<char>, <small>)
list[str]: <str>.splitlines()
list[str]: list(<str>)  [str(x) for x in <list[T]>]  sorted(<set[str]>)  sorted(<str>)  [w.upper() for w in <list[str]>]
list[str]: <str>.splitlines(<bool>)  sorted(<list[str]>, key=len)  list(map(str, <list[int]>))
list[str]: list(filter(None, <list[str]>))
list[float]: [x / 2 for x in <list[float]>]  [n * 0.5 for n in <list[int]>]  [float(n) for n in <list[int]>]
list[bool]: [n > 0 for n in <list[int]>]  [s.islower() for s in <list[str]>]
list[tuple[int, T]]: list(enumerate(<list[T]>))  list(enumerate(<list[T]>, <int> % 100))
list[tuple[A, T]]: list(zip(<list[A]>, <list[T]>))
list[tuple[H, T]]: list(<dict[H, T]>.items())  sorted(<dict[H, T]>.items(), key=lambda kv: str(kv[0]))
list[list[T]]: [<list[T]>[i:i + 2] for i in range(0, 4, 2)]  [[x] for x in <list[T]>]
list[list[T]]: [<list[T]> for _ in range(<small>)]

dict[H, T]: {<H>: <T>}  {<H>: <T>, <H>: <T>}  {<H>: <T>, <H>: <T>, <H>: <T>}  dict(zip(<list[H]>, <list[T]>))
dict[H, T]: <dict[H, T]>.copy()  dict(<dict[H, T]>)  dict(<list[tuple[H, T]]>)  (<dict[H, T]> | <dict[H, T]>)
dict[H, T]: {**<dict[H, T]>, <H>: <T>}  (<dict[H, T]> if <bool> else <dict[H, T]>)  dict.fromkeys(<list[H]>, <T>)
dict[H, T]: {k: v for k, v in <dict[H, T]>.items() if <bool>}
dict[H, int]: {k: i for i, k in enumerate(<list[H]>)}  {k: len(str(v)) for k, v in <dict[H, T]>.items()}
dict[str, int]: {w: len(w) for w in <list[str]>}  {c: <str>.count(c) for c in <str>}

set[H]: {<H>}  {<H>, <H>}  {<H>, <H>, <H>}  set(<list[H]>)  (<set[H]> | <set[H]>)  (<set[H]> & <set[H]>)
set[H]: (<set[H]> - <set[H]>)
set[H]: (<set[H]> ^ <set[H]>)  <set[H]>.union(<list[H]>)  <set[H]>.difference(<list[H]>)
set[H]: <set[H]>.intersection(<list[H]>)
set[H]: set(<dict[H, T]>)  <set[H]>.copy()  {x for x in <list[H]>}  <set[H]>.symmetric_difference(<list[H]>)
set[H]: set(<many[H]>)
set[int]: set(range(<int> % 40))  {n % 5 for n in <list[int]>}  set(range(<small>, 30, 4))
set[int]: {n * 37 % 101 for n in range(<small> * 6)}
frozenset[H]: frozenset(<list[H]>)  frozenset(<set[H]>)  (<frozenset[H]> | <set[H]>)  (<frozenset[H]> & <frozenset[H]>)

many[T]: tuple(<list[T]>)  (<many[T]> + <many[T]>)  <many[T]>[<slice>]  (<many[T]> if <bool> else <many[T]>)
many[O]: tuple(sorted(<list[O]>))
tuple[A, B]: (<A>, <B>)  (<A>, <B>)  (<tuple[A, B]> if <bool> else <tuple[A, B]>)
tuple[A, B, C]: (<A>, <B>, <C>)
tuple[int, int]: divmod(<int>, <divisor>)  (<int>, <int>)  min(<tuple[int, int]>, <tuple[int, int]>)
tuple[str, str, str]: <str>.partition(<part>)  <str>.rpartition(<part>)
optional[T]: (<T> if <bool> else None)  <dict[int, T]>.get(<int>)  <dict[str, T]>.get(<word>)

T: <list[T]>[<index>]  <dict[H, T]>[<H>]  <dict[H, T]>.get(<H>, <T>)  <tuple[T, A]>[0]  <tuple[A, T]>[1]
T: <tuple[A, T]>[-1]
T: (<T> if <bool> else <T>)  <@list[T]>.pop()  <@list[T]>.pop(<index>)  <@dict[H, T]>.setdefault(<H>, <T>)
T: <@dict[H, T]>.pop(<H>)
T: (<optional[T]> or <T>)  next(iter(<list[T]>))  next(iter(<list[T]>), <T>)  <many[T]>[<index>]
T: [x for x in <list[T]>][<index>]
T: [<T>, <T>][int(<bool>)]  (<T>, <T>)[<int> % 2]  <@dict[H, T]>.pop(<H>, <T>)
T: next((x for x in <list[T]> if <bool>), <T>)
T: (lambda: <T>)()
O: max(<O>, <O>)  min(<O>, <O>, <O>)  min(<list[O]>)  max(<list[O]>, default=<O>)  sorted(<list[O]>)[<index>]
O: max(<list[O]>, key=lambda x: str(x))  min(<many[O]>, key=lambda x: (len(str(x)), x))

do: <@list[T]>.append(<T>)  <@list[T]>.insert(<index>, <T>)  <@list[T]>.extend(<list[T]>[:3])  <@list[T]>[<index>] = <T>
do: <@list[T]>.reverse()  <@list[O]>.sort()  <@list[O]>.sort(reverse=True)  <@list[O]>.remove(<O>)  <@list[T]>.clear()
do: <@list[O]>.sort(key=lambda x: str(x))  <@list[int]>.sort(key=lambda n: -n % 5)  <=list[T]> += <list[T]>[:2]
do: del <@list[T]>[<index>]  del <@list[T]>[<slice>]  <@list[T]>[<slice>] = <list[T]>[:4]
do: <@list[int]>[<index>] += <int>
do: <@list[int]>[<index>] *= <small>  <@list[str]>[<index>] += <word>
do: <@list[T]>[<index>], <@list[T]>[<index>] = <T>, <T>
do: <@dict[H, T]>[<H>] = <T>  <@dict[H, int]>[<H>] += <int>  del <@dict[H, T]>[<H>]  <@dict[H, T]>.update(<dict[H, T]>)
do: <@dict[H, int]>[<H>] = <@dict[H, int]>.get(<H>, 0) + <small>  <@dict[H, list[T]]>.setdefault(<H>, []).append(<T>)
do: <@dict[H, T]>.clear()  print(<@dict[H, int]>.popitem())  <=dict[H, T]> |= <dict[H, T]>
do: <@set[H]>.add(<H>)  <@set[H]>.discard(<H>)  <@set[H]>.remove(<H>)  <@set[H]>.update(<list[H]>)
do: <=set[H]> |= <set[H]>
do: <=set[H]> &= <set[H]>  <=set[H]> -= <set[H]>  <=set[H]> ^= <set[H]>  <@set[H]>.clear()  print(<@set[int]>.pop())
do: <=int> += <int>  <=int> -= <int>  <=int> *= <small>  <=int> //= <divisor>  <=int> %= <divisor>  <=int> ^= <int>
do: <=int> <<= <small>  <=int> >>= <small>  <=int> &= <mask>  <=int> |= <small>  <=int> = -<=int>  <=int> += <bool>
do: <=float> += <float>  <=float> *= <float>  <=float> -= <int>  <=float> /= <divisor>  <=float> //= <divisor>
do: <=float> = -<=float>
do: <=str> += <word>  <=str> += <char>  <=str> += str(<small>)  <=bool> = not <=bool>  <=bool> ^= <bool>
do: <=bool> &= <bool>
do: <=int>, <=int> = <int>, <int>  <=T>, <=T> = <T>, <T>  <=T>, <=A> = <T>, <A>
do: assert <bool>  assert <bool>, <str>  raise ValueError(<str>)  raise KeyError(<str>)  raise IndexError
do: print(<list[int]>, <str>, sep=<word>, end=<char>)
"""


@dataclass(frozen=True, eq=False)
class Phrase:
    """A template and the kind that it has; holes: prefix and kind of each."""

    kind: Kind
    text: str
    holes: tuple[tuple[str, Kind], ...]


def _parse() -> list[Phrase]:
    found = []
    for line in filter(None, _PHRASES.splitlines()):
        kind, _, texts = line.partition(": ")
        for text in re.split(r"  +", texts):
            holes = tuple((prefix, parse_kind(name)) for prefix, name in HOLE.findall(text))
            found.append(Phrase(parse_kind(kind), text, holes))
    return found


rows = _parse()
"""All phrases."""


@cache
def phrases(kind: Kind) -> tuple[tuple[Phrase, tuple[tuple[str, Kind], ...]], ...]:
    """Phrases that can have a kind, each with what its variables are bound to by that."""
    found = []
    for row in rows:
        bound = bind(row.kind, kind, {}) if DO not in (row.kind, kind) else ({} if row.kind == kind else None)
        if bound is not None:
            found.append((row, tuple(bound.items())))
    return tuple(found)
