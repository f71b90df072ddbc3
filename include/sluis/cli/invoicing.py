"""``sluis invoicing``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from sluis.cli.options import Json, OfMerchant
from sluis.cli.output import Column, emit_json, emit_table, say

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What our own invoices rest on: documents booked per month."
)


@app.callback()
def group() -> None:
    """Keep the group a group while it has one command."""


@app.command("list")
def listing(
    month: Annotated[datetime, typer.Option("--month", formats=["%Y-%m"], metavar="MONTH", help="e.g. 2026-11")],
    merchant: OfMerchant = None,
    json: Json = False,
) -> None:
    """List how many documents were booked per merchant in a month.

    Orders and refunds that sluis brought to the books, each once, in the month (UTC) its run ended in. What was found
    in the books already, corrections and days' entries are not counted.

    \b
    Example:
      sluis invoicing list --month 2026-11
    """
    from sluis.store.database import owner_connection
    from sluis.store.invoicing import Invoicing

    with owner_connection() as conn:
        found = Invoicing(conn).list(month.date(), merchant)
    if json:
        emit_json(found)
        return
    if not found:
        say(f"nothing was booked in {month:%Y-%m}")
    emit_table(
        [Column("merchant"), Column("documents", right=True)], [(one.merchant, str(one.documents)) for one in found]
    )
