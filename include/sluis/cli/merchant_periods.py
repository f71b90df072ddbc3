"""``sluis merchant period``: shorter periods that a merchant chose for what is kept of his."""

from __future__ import annotations

from typing import Annotated

import typer

from sluis.cli.options import Json, Merchant
from sluis.cli.output import Column, emit_json, emit_table, moment, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Shorter periods of a merchant's own.")

CategoryName = Annotated[
    str, typer.Argument(metavar="CATEGORY", help="category of the register, e.g. debtor_link")
]  # fmt: skip


@app.command("set")
def choose(
    merchant: Merchant,
    category: CategoryName,
    period: Annotated[
        str, typer.Argument(metavar="PERIOD", help="ISO 8601: P12M, P90D; P0D keeps it for that day only")
    ],
    as_json: Json = False,
) -> None:
    """Keep something of a merchant shorter than the register does, from the next run of retention on.

    Only where the register lets a merchant choose (`shorten`), and never longer. Deleted early is deleted: without its
    debtor link a customer who comes back is looked up in the accounting package again.

    \b
    Example:
      sluis merchant period set m7f3k debtor_link P12M
    """
    from sluis.privacy.register import read_register, register_path
    from sluis.store.database import owner_connection
    from sluis.store.merchant_periods import MerchantPeriods

    wanted = read_register(register_path()).register_.category(category)
    with owner_connection() as conn:
        own = MerchantPeriods(conn).set(merchant, wanted, period)
    if as_json:
        emit_json(own)
    else:
        say(f"{own.category} of merchant {own.merchant} is kept for {own.period} (the register: {wanted.period})")


@app.command("list")
def listing(
    merchant: Annotated[
        str | None, typer.Argument(metavar="MERCHANT", help="of this merchant only", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the periods that merchants chose, and what the register says for the others.

    \b
    Example:
      sluis merchant period list
      sluis merchant period list m7f3k
    """
    from sluis.privacy.register import read_register, register_path
    from sluis.store.database import owner_connection
    from sluis.store.merchant_periods import MerchantPeriods, in_force
    from sluis.store.merchants import Merchants

    with owner_connection() as conn:
        if merchant is not None:
            Merchants(conn).get(merchant)
        found = MerchantPeriods(conn).list(merchant)
    if as_json:
        emit_json(found)
        return
    register = read_register(register_path()).register_
    whole = {category.id: category.period or "-" for category in register.categories}
    counts = [bool(in_force(register, {own.category: own.period})) for own in found]
    if not found:
        say("no own periods: the register's hold")
    emit_table(
        [Column("merchant"), Column("category"), Column("period"), Column("register"), Column("counts"), Column("set")],
        [
            (o.merchant, o.category, o.period, whole.get(o.category, "-"), "yes" if c else "no", moment(o.set_at))
            for o, c in zip(found, counts, strict=True)
        ],
    )


@app.command("reset")
def reset(merchant: Merchant, category: CategoryName) -> None:
    """Go back to the register's period. What was deleted already does not come back.

    \b
    Example:
      sluis merchant period reset m7f3k debtor_link
    """
    from sluis.store.database import owner_connection
    from sluis.store.merchant_periods import MerchantPeriods

    with owner_connection() as conn:
        gone = MerchantPeriods(conn).reset(merchant, category)
    say(f"{category} of merchant {merchant} is kept as the register says" + ("" if gone else ", as it was"))
