"""`svm inspect`: what a module is made of, what it takes, gives and asks of its host, without running it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from svm.cli.failures import about
from svm.cli.files import read_binary
from svm.cli.terminal import clean, coloured

if TYPE_CHECKING:
    from svm.module import ValidModule

__all__ = ["command"]

_TABLES = ("capabilities", "imports", "exports", "memories", "tables", "sections")


@click.command("inspect", short_help="List imports, exports, memories and what a module asks of its host.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(file: str, as_json: bool) -> None:
    """List what the module in FILE asks of its host, what it exports and what is in it. `-` is standard input.

    Nothing of it is run, and its functions are not checked: `svm validate` does that.
    """
    from svm.module import validate

    with about(file):
        model, data = read_binary(file)
        facts = {"file": file} | _facts(validate(model, bodies=False), data)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _show(facts)


def _facts(valid: ValidModule, data: bytes) -> dict[str, Any]:
    """What there is to say of a module."""
    from svm.module import ExternKind

    model, context = valid.module, valid.context
    spaces: dict[ExternKind, Sequence[Any]] = {
        ExternKind.FUNC: context.functions,
        ExternKind.TABLE: context.tables,
        ExternKind.MEMORY: context.memories,
        ExternKind.GLOBAL: context.globals,
        ExternKind.TAG: context.tags,
    }
    imports = [(item, model.types[item.type] if isinstance(item.type, int) else item.type) for item in model.imports]
    return {
        "name": model.names.module,
        "version": model.version,
        "bytes": len(data),
        "functions": len(model.functions),
        "start": None if model.start is None else valid.function_name(model.start),
        "capabilities": [{"name": item.name, "reason": item.reason} for item in model.capabilities],
        "imports": [
            {"module": item.module, "name": item.name, "kind": str(item.kind), "type": str(type_)}
            for item, type_ in imports
        ],
        "exports": [
            {"name": item.name, "kind": str(item.kind), "type": str(spaces[item.kind][item.index])}
            for item in model.exports
        ],
        "memories": [{"minimum_pages": item.minimum, "maximum_pages": item.maximum} for item in context.memories],
        "tables": [
            {"element": str(item.element), "minimum": item.minimum, "maximum": item.maximum} for item in context.tables
        ],
        "globals": len(model.globals),
        "tags": len(model.tags),
        "files": list(model.lines.files),
        "interface": str(valid.interface),
        "sections": [{"name": name, "bytes": size} for name, size in _sections(data)],
    }


def _sections(data: bytes) -> Iterator[tuple[str, int]]:
    """Name and size of each section in the bytes of a sound module."""
    from svm.module.binary import MAGIC, NUMBERED
    from svm.module.reader import Reader, sections
    from svm.wasm.layout import HEADER
    from svm.wasm.layout import NUMBERED as WASM_NUMBERED

    names = NUMBERED if data.startswith(MAGIC) else WASM_NUMBERED
    for name, at, end in sections(data, len(HEADER), names):
        yield (f"{name} {Reader(data, at, end, name).text()}" if name == names[0] else name), end - at


def _show(facts: dict[str, Any]) -> None:
    """Print the facts for a person: a line of figures, then a table for each list."""
    name = f"module {facts['name']}, " if facts["name"] else ""
    start = f", start function {facts['start']}" if facts["start"] else ""
    figures = ", ".join(_count(facts[what], what) for what in ("bytes", "functions", "globals", "tags"))
    click.echo(clean(f"{facts['file']}: {name}version {facts['version']}, {figures}{start}"))
    for title in _TABLES:
        rows = [[clean("none" if cell is None else str(cell)) for cell in row.values()] for row in facts[title]]
        if rows:
            heads = [head.replace("_", " ") for head in facts[title][0]]
            (_show_table if coloured(sys.stdout) else _print_table)(title, heads, rows)
    if facts["interface"]:
        click.echo("\ninterface")
        for line in facts["interface"].splitlines():
            click.echo(f"  {clean(line)}".rstrip())


def _count(number: int, what: str) -> str:
    return f"{number:,} {what.removesuffix('s') if number == 1 else what}"


def _print_table(title: str, heads: list[str], rows: list[list[str]]) -> None:
    """A table as text, for scripts and files."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    click.echo(f"\n{title}")
    for row in [heads, *rows]:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show_table(title: str, heads: list[str], rows: list[list[str]]) -> None:
    """A table for a terminal: coloured, and folded to its width."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", header_style="cyan")
    for index, head in enumerate(heads):
        table.add_column(head, overflow="fold", justify="right" if rows[0][index].isdigit() else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
