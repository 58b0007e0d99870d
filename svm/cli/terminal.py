"""Words for people: messages on standard error, and text of unknown origin made safe for a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from svm.hints import TextIO

__all__ = ["clean", "coloured", "complain", "say"]

_CONTROLS = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}  # pictures of them
_CONTROLS |= dict.fromkeys((*range(0x7F, 0xA0), 0x2028, 0x2029), 0xFFFD)
_CONTROLS |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)  # those that change the direction
_CONTROLS |= dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)  # from names of files that are no text


def clean(text: str) -> str:
    """The text without what a terminal would act on: names in a module may hold escape sequences."""
    return text.translate(_CONTROLS)


def complain(text: str) -> None:
    """A message from svm, told apart from what the guest writes to the same stream."""
    say(f"svm: {text}")


def say(text: str) -> None:
    """Write lines to standard error, if anyone can read them."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


def coloured(stream: TextIO) -> bool:
    """Whether colours help on a stream: a terminal, whose user has not said NO_COLOR (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
