"""How the command line speaks: a table for people, JSON for programs, one line on stderr for an error.

JSON has the field names of the models, moments in ISO 8601 (UTC) and amounts as texts with two decimals. Exit codes:
0 it is as it should be, 1 something was found or went wrong, 2 the command was not understood.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pathlib import Path

    from sluis.errors import SluisError

FOUND = 1
#: Wide enough for every table where nobody looks at a terminal (a pipe, a test).
_PIPE_WIDTH = 240
#: SQLSTATEs of a schema, table, column or function that is not there.
_NOT_MIGRATED = ("3F000", "42P01", "42703", "42883")


class Column(NamedTuple):
    """A column of a table; ``right`` for counts and amounts, so that their digits stand below each other."""

    title: str
    right: bool = False


class OneLineErrors(TyperGroup):
    """The root command: an error of ours becomes one line on stderr and exit code 1, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        from sluis.errors import SluisError

        try:
            return super().invoke(ctx)
        except SluisError as error:
            typer.echo(f"sluis: {error}{_advice(error)}", err=True)
            raise typer.Exit(FOUND) from None


def emit_json(value: Any) -> None:
    """Print a model, or a list of models, as JSON."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def say(text: str = "") -> None:
    """Print a line for people."""
    typer.echo(text)


def emit_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Print a table; without rows it prints nothing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)


def amount(value: Decimal | None, currency: str = "") -> str:
    """Return an amount with two decimals and its currency; ``-`` for none."""
    return "-" if value is None else f"{value:.2f} {currency}".rstrip()


def totals(values: Mapping[str, Decimal]) -> str:
    """Return amounts per currency on one line."""
    return ", ".join(amount(value, currency) for currency, value in values.items()) or "-"


def moment(value: datetime | None) -> str:
    """Return a moment in UTC, to the minute."""
    return "-" if value is None else value.strftime("%Y-%m-%d %H:%M")


def word(value: object) -> str:
    """Return anything as a cell; ``-`` for nothing."""
    return "-" if value in (None, "") else str(value)


def _advice(error: SluisError) -> str:
    """Return what to do where the store lacks what the code knows: it was never migrated, or not since an update."""
    lacking = error.code == "store_refused" and any(state in str(error) for state in _NOT_MIGRATED)
    return ": run `sluis migrate`" if lacking else ""


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def emit_page(html: str, output: Path | None, what: str) -> None:
    """Write a page to a file, or print it. Raises ``NotConfigured("output")`` where it cannot be written."""
    if output is None:
        say(html)
        return
    from sluis.errors import NotConfigured

    try:
        output.write_text(html, encoding="utf-8")
    except OSError as error:
        raise NotConfigured(f"{output} cannot be written: {error.strerror}", code="output") from None
    say(f"{what} stands in {output}")
