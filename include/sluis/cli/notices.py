"""``sluis notices``."""

from __future__ import annotations

from typing import Annotated

import typer

from sluis.cli.options import Json, OfMerchant
from sluis.cli.output import Column, emit_json, emit_table, moment, say, word

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What merchants are to be told: causes and counts, no document."
)


@app.command("list")
def listing(
    merchant: OfMerchant = None,
    told: Annotated[bool, typer.Option("--told", help="those that were told too")] = False,
    json: Json = False,
) -> None:
    """List what is to be told, the oldest first.

    quarantine_waiting: documents have waited for 60 days. quarantine_reduced: after 90 days only their keys and reasons
    are left; they count as unbooked until they are closed (`sluis quarantine list`).

    \b
    Example:
      sluis notices list --merchant m7f3k
    """
    from sluis.store.database import owner_connection
    from sluis.store.merchants import Merchants
    from sluis.store.notices import Notices

    with owner_connection() as conn:
        if merchant is not None:
            Merchants(conn).get(merchant)
        found = Notices(conn).list(merchant, told=told)
    if json:
        emit_json(found)
        return
    if not found:
        say("nothing is to be told")
    emit_table(
        [Column("#", right=True), Column("merchant"), Column("integration"), Column("cause"),
         Column("documents", right=True), Column("made"), Column("told")],
        [(str(n.id), n.merchant, word(n.integration), n.cause, str(n.documents), moment(n.made_at), moment(n.told_at))
         for n in found],
    )  # fmt: skip


@app.command("done")
def done(
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="numbers of the list")], json: Json = False
) -> None:
    """Note that the merchants were told.

    All or none. Exit code 1 when a number is none.

    \b
    Example:
      sluis notices done 12 13
    """
    from sluis.store.database import owner_connection
    from sluis.store.notices import Notices

    with owner_connection() as conn:
        changed = Notices(conn).done(numbers)
    if json:
        emit_json({"told": changed})
    else:
        say(f"{changed} notice(s) told")
