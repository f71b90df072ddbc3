"""``sluis merchant``."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from sluis.cli import merchant_periods
from sluis.cli.options import Json, Merchant, Wait
from sluis.cli.output import Column, emit_json, emit_table, moment, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Merchants: the customers of the service.")
app.add_typer(merchant_periods.app, name="period")


@app.command("add")
def add(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="his name: shown by `merchant list` only", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Add a merchant; shows the code that stands for him elsewhere.

    A name may be a person's, and an argument stands in the process list and in the shell's history. Leave it out
    and it is asked for; - reads it from standard input.

    \b
    Example:
      sluis merchant add
      sluis merchant add -
      sluis merchant add "Voorbeeld B.V."
    """
    from sluis.flows import merchants as flow
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    keyring, chosen = Keyring.from_environment(), _name(name)
    with owner_connection() as conn:
        added = flow.add(conn, keyring, chosen)
    if json:
        emit_json({"merchant": added.code})
    else:
        say(f"merchant {added.code} was added; next: sluis integration add {added.code} --help")


@app.command("list")
def listing(json: Json = False) -> None:
    """List the merchants by code and name. The only command that shows a name.

    \b
    Example:
      sluis merchant list
    """
    from sluis.flows import merchants as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found = flow.listing(conn)
    if json:
        emit_json(found)
        return
    emit_table(
        [Column("merchant"), Column("name"), Column("integrations", right=True), Column("since"), Column("ended")],
        [(m.merchant, m.name, str(m.integrations), moment(m.created_at), moment(m.ended_at)) for m in found],
    )


@app.command("end")
def end(
    merchant: Merchant,
    wait: Wait = 300,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    json: Json = False,
) -> None:
    """End a contract, after the run that is underway.

    All integrations end; credentials, and orders a crashed run left in transit, are deleted at once. What else is
    held for the merchant goes with the DAG retention within 30 days (sluis retention plan --merchant). It cannot be
    undone.

    \b
    Example:
      sluis merchant end m7f3k
    """
    from sluis.flows.ending import end_merchant
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    if not yes:
        typer.confirm(f"End merchant {merchant} and delete his credentials now?", abort=True)
    keyring = Keyring.from_environment()
    with owner_connection() as conn:
        ended = end_merchant(conn, keyring, merchant, wait=timedelta(seconds=wait))
    if json:
        emit_json(ended)
        return
    say(f"merchant {merchant} has ended: {len(ended.integrations)} integration(s) stopped")
    say(f"deleted now: {ended.credentials_deleted} credential(s), {ended.chunks_deleted} chunk(s) left in transit")
    if ended.documents_not_posted:
        say(f"{ended.documents_not_posted} document(s) stand in no journal entry: book them by hand")
    say(f"to be deleted before {moment(ended.everything_deleted_by)} UTC (30 days): everything else held for him")


@app.command("statistics")
def statistics(
    merchant: Merchant,
    agree: Annotated[bool, typer.Option("--agree", help="he agreed in his processing agreement")] = False,
    objects: Annotated[bool, typer.Option("--object", help="he objects (GDPR article 21)")] = False,
    enterprise: Annotated[
        str | None, typer.Option("--enterprise", metavar="MERCHANT", help="whose enterprise he is part of")
    ] = None,
    json: Json = False,
) -> None:
    """Show or change whether he takes part in the anonymous statistics.

    Nobody takes part before he agreed. An objection deletes at once what he contributed to quarters that are not
    frozen yet. Merchants of one company belong to one enterprise, which counts once; his own code ends that.

    \b
    Example:
      sluis merchant statistics m7f3k --agree
      sluis merchant statistics m7f3k --enterprise m2x8d
      sluis merchant statistics m7f3k --object
    """
    from sluis.flows import statistics_agreement as flow
    from sluis.store.database import owner_connection

    if agree and objects:
        raise typer.BadParameter("--agree and --object exclude one another")
    with owner_connection() as conn:
        stands = flow.show(conn, merchant)
        if enterprise is not None:
            stands = flow.belongs_to(conn, merchant, enterprise)
        if agree or objects:
            stands = (flow.agree if agree else flow.object_to)(conn, merchant)
    if json:
        emit_json({**stands.model_dump(mode="json"), "takes_part": stands.takes_part})
        return
    since = f" (agreed {moment(stands.agreed_at)}, objected {moment(stands.objected_at)})"
    say(f"merchant {merchant} {'takes' if stands.takes_part else 'does not take'} part in the statistics{since}")
    if stands.enterprise != merchant:
        say(f"counts with the enterprise of {stands.enterprise}")
    if objects:
        say(f"deleted now: {stands.deleted} row(s) of contributions")


def _name(given: str | None) -> str:
    """Return the name: as given, from standard input (``-``), or asked for where somebody can be."""
    from sluis.errors import NotConfigured

    if given == "-":
        return sys.stdin.readline().strip()
    if given is None and not _is_terminal():
        raise NotConfigured("give the name as - and write it to standard input", code="name_missing")
    asked: str = typer.prompt("name") if given is None else given
    return asked


def _is_terminal() -> bool:
    return sys.stdin.isatty()
