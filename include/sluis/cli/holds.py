"""``sluis hold``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import DAY, Json, OfMerchant
from sluis.cli.output import Column, emit_json, emit_table, moment, say

if TYPE_CHECKING:
    from sluis.privacy.retention.holds import HoldLine

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What must not be deleted for now: a dispute, an inspection."
)
Category = Annotated[str | None, typer.Option("--category", metavar="CATEGORY", help="of the register")]
Ends = Annotated[datetime, typer.Option("--ends", formats=DAY, metavar="DATE", help="last day, at most a year away")]


@app.command("add")
def add(
    merchant: OfMerchant = None,
    category: Category = None,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", help="why, a code such as tax_inspection")],
    owner: Annotated[str, typer.Option("--owner", metavar="ROLE", help="who answers for it: a role, never a name")],
    ends: Ends,
    json: Json = False,
) -> None:
    """Hold what retention would delete.

    Of one merchant, of one category, or of one category of one merchant. It ends by itself; the public page shows how
    many there are.

    \b
    Example:
      sluis hold add --merchant m7f3k --category booking_amounts --reason tax_inspection \\
          --owner privacy_officer --ends 2027-06-30
    """
    from sluis.flows.backup import write_down
    from sluis.privacy.register import read_register, register_path
    from sluis.privacy.retention import holds
    from sluis.store.database import owner_connection

    register = read_register(register_path()).register_
    with owner_connection() as conn:
        made = holds.add(
            conn, register, merchant=merchant, category=category, reason=reason, owner=owner, ends_on=ends.date()
        )
        write_down(conn)  # beside the backups: what is restored must be held too
    if json:
        emit_json(made)
    else:
        say(f"hold {made.id} is in force until {made.ends_on}, that day included")


@app.command("list")
def listing(
    everything: Annotated[bool, typer.Option("--all", help="also those that ended")] = False, json: Json = False
) -> None:
    """List the holds in force.

    \b
    Example:
      sluis hold list --all
    """
    from sluis.privacy.retention import holds
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found = holds.listing(conn, everything=everything)
    if json:
        emit_json(found)
        return
    if not found:
        say("nothing is held")
    emit_table(
        [Column("hold", right=True), Column("merchant"), Column("category"), Column("reason"), Column("owner"),
         Column("since"), Column("ends"), Column("ended early")],
        [_cells(hold) for hold in found],
    )  # fmt: skip


@app.command("end")
def end(hold: Annotated[int, typer.Argument(metavar="HOLD", help="its number")], json: Json = False) -> None:
    """End a hold before its day: what it kept goes with the next run of retention.

    \b
    Example:
      sluis hold end 3
    """
    from sluis.flows.backup import write_down
    from sluis.privacy.retention import holds
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        ended = holds.end(conn, hold)
        write_down(conn)
    if json:
        emit_json(ended)
    else:
        say(f"hold {ended.id} has ended; what it kept and has expired goes with the next run")


def _cells(hold: HoldLine) -> tuple[str, ...]:
    return (
        str(hold.id), hold.merchant or "all", hold.category or "all", hold.reason, hold.owner, moment(hold.made_at),
        str(hold.ends_on), moment(hold.released_at),
    )  # fmt: skip
