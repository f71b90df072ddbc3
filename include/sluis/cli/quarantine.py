"""``sluis quarantine``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sluis.cli.options import Code, Json, Merchant, OfCode, OfMerchant
from sluis.cli.output import FOUND, Column, amount, emit_json, emit_table, moment, say, totals, word

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Orders that could not be booked and wait for a person."
)


@app.command("list")
def listing(
    merchant: OfMerchant = None,
    integration: OfCode = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="CODE", help="of this reason only")] = None,
    json: Json = False,
) -> None:
    """List what waits, grouped by reason, each with what to do.

    Item names one document: several credit notes of one order are told apart by it. After 60 days the merchant is
    warned; after 90 an item is reduced to its key and reason: it has no order number any more, counts as unbooked, and
    is closed by its item.

    \b
    Example:
      sluis quarantine list --merchant m7f3k
      sluis quarantine list --reason mapping_missing --json
    """
    from sluis.flows import quarantine as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        groups = flow.listing(conn, merchant=merchant, integration=integration, reason=reason)
    if json:
        emit_json(groups)
        return
    if not groups:
        say("nothing waits")
    for group in groups:
        say(f"{group.reason}: {group.documents} document(s), {totals(group.totals)}; {group.offered} offered again")
        say(f"  {group.action}")
        emit_table(
            [Column("merchant"), Column("integration"), Column("item"), Column("order"), Column("kind"),
             Column("total", right=True), Column("field"), Column("since"), Column("tried", right=True),
             Column("offered"), Column("warned"), Column("reduced")],
            [(i.merchant, i.integration, i.item, word(i.order_number), i.kind.value.replace("_", " "),
              amount(i.total, i.currency), word(i.field), moment(i.first_seen), str(i.attempts),
              "yes" if i.offered else "no", moment(i.warned_at), moment(i.reduced_at)) for i in group.items],
        )  # fmt: skip


@app.command("offer")
def offer(
    merchant: Merchant,
    integration: Code,
    orders: Annotated[list[str] | None, typer.Argument(metavar="[ORDER]...", help="order numbers, or items")] = None,
    *,
    reason: Annotated[str | None, typer.Option("--reason", metavar="CODE", help="all of this reason")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all that wait")] = False,
    json: Json = False,
) -> None:
    """Offer documents again once their cause is fixed.

    The next run fetches them from the shop anew. Nothing is ever booked twice by it. Exit code 1 when an order or item
    that was named does not wait, or was reduced after 90 days and cannot be fetched any more.

    \b
    Example:
      sluis quarantine offer m7f3k woocommerce_moneybird 1001 1002
      sluis quarantine offer m7f3k woocommerce_moneybird --reason mapping_missing
    """
    from sluis.flows import quarantine as flow
    from sluis.store.database import owner_connection

    if sum((bool(orders), reason is not None, everything)) != 1:
        raise typer.BadParameter("give order numbers, or --reason, or --all")
    with owner_connection() as conn:
        done = flow.offer(conn, merchant, integration, order_numbers=orders or (), reason=reason, everything=everything)
    if json:
        emit_json(done)
    else:
        say(f"{done.offered} of {done.waiting} document(s) will be tried again by the next run")
        for name in done.unknown:
            say(f"nothing that waits is called {name}")
        for name in done.reduced:
            say(f"{name} waited for 90 days and was reduced to its key: sluis does not know its order any more.")
            say("  Change the order in the shop, so that a run reads it, or book it by hand and close the item")
    if done.unknown or (orders and done.reduced):
        raise typer.Exit(FOUND)


@app.command("close")
def close(
    merchant: Merchant,
    integration: Code,
    items: Annotated[list[str], typer.Argument(metavar="ITEM...", help="order numbers, or items of the list")],
    *,
    closed_as: Annotated[
        Literal["booked_by_hand", "not_to_be_booked", "gone"],
        typer.Option("--as", help="what became of them; gone: deleted in the shop"),
    ],
    json: Json = False,
) -> None:
    """Close what a person has settled: it leaves the list.

    Booked by hand or not to be booked stays closed, however often a run reads the order, until its reason or its total
    changes. Of an order of which several documents wait, name the item. Book by hand under the order's reference:
    should the order become bookable later, within 24 months, the run finds it there and books nothing. Not to be booked
    ends the waiting and is no lock: an order that becomes bookable is booked.

    \b
    Example:
      sluis quarantine close m7f3k woocommerce_moneybird 1001 q-3fa2c81b --as booked_by_hand
    """
    from sluis.flows import quarantine as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        done = flow.close(conn, merchant, integration, items, flow.ClosedAs(closed_as))
    if json:
        emit_json(done)
        return
    for item in done.closed:
        kind = item.kind.value.replace("_", " ")
        order = f" of order {item.order_number}" if item.order_number else ""
        say(f"{item.item}: {kind}{order} is closed as {done.closed_as.value.replace('_', ' ')}")
    say(f"{done.waiting} document(s) still wait")
