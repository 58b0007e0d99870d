"""Options whose values click cannot check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from svm.errors import UsageError
from svm.limits import parse_size

__all__ = ["EngineOption", "size", "variables"]


class EngineOption(click.Option):
    """The name of an engine; asks for them when it must, for that imports the whole machine."""

    def make_metavar(self, *_: Any, **__: Any) -> str:  # click 8.1 passes nothing, 8.2 the context
        return f"[{'|'.join(_engines())}]"

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        name = super().process_value(ctx, value)
        if name != "auto" and name not in _engines():  # the default, for which nothing need be imported
            raise click.BadParameter(f"{name!r} is not one of {', '.join(_engines())}.", ctx, self)
        return name


def _engines() -> list[str]:
    from svm.engines.named import ENGINES

    return list(ENGINES)


def _checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback for an option, by a parser that raises UsageError."""

    def check(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(map(parse, value))
            return None if value is None else parse(value)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return check


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise UsageError(f"{text!r} is not NAME=VALUE")
    return name, value


size = _checked(parse_size)
variables = _checked(_variable)
