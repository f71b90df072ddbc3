"""``sluis runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sluis.cli.options import Code, Json, Merchant
from sluis.cli.output import Column, emit_json, emit_table, moment, say, totals

if TYPE_CHECKING:
    from sluis.flows.runs import RunLine


class ListsByDefault(TyperGroup):
    """``sluis runs MERCHANT INTEGRATION`` is short for ``sluis runs list MERCHANT INTEGRATION``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where a merchant's code stands in its place (no code is called like a command)."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=ListsByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run reports: what every run read, booked and proved. `sluis runs MERCHANT INTEGRATION` lists them.",
)
_RESULTS = ("booked", "adopted", "already_booked", "skipped", "quarantined", "deferred")


@app.command("list")
def listing(
    merchant: Merchant,
    integration: Code,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="the latest so many")] = 20,
    json: Json = False,
) -> None:
    """List the latest runs with documents and totals.

    \b
    Example:
      sluis runs m7f3k woocommerce_moneybird --limit 5
    """
    from sluis.flows import runs as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        found = flow.latest(session, limit)
    if json:
        emit_json(found)
        return
    if not found:
        say("no run has ended yet")
    emit_table(
        [Column("#", right=True), Column("ended"), Column("type"), Column("read", right=True),
         *(Column(result.replace("_", " "), right=True) for result in _RESULTS), Column("total booked", right=True),
         Column("run")],
        [(str(r.sequence), moment(r.ended_at), r.run_type, str(r.extracted),
          *(str(r.documents.get(result, 0)) for result in _RESULTS), _booked(r), r.run_id) for r in found],
    )  # fmt: skip


@app.command("verify")
def verify(merchant: Merchant, integration: Code, json: Json = False) -> None:
    """Prove that no run report was altered or removed.

    Exit code 1 when the chain is broken.

    \b
    Example:
      sluis runs verify m7f3k woocommerce_moneybird
    """
    from sluis.flows import runs as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        verified = flow.verify(session)
    if json:
        emit_json(verified)
    else:
        say(f"the chain holds: {verified.reports} report(s)" + (f", head {verified.head}" if verified.head else ""))


def _booked(run: RunLine) -> str:
    return totals({currency: results["booked"] for currency, results in run.totals.items() if "booked" in results})
