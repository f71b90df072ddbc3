"""``sluis integration check``, ``preview`` and ``adopt``: what must be right before the first order moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Code, From, Json, Merchant, To
from sluis.cli.output import FOUND, Column, amount, emit_json, emit_table, say, word

if TYPE_CHECKING:
    from sluis.accounting.proposals import Proposed
    from sluis.flows.adopt import Adoption
    from sluis.flows.findings import Finding
    from sluis.flows.preview import Preview

_DOCUMENTS = Annotated[bool, typer.Option("--documents", help="one line per document too")]


def register(app: typer.Typer) -> None:
    """Put the three commands into the group ``integration``."""
    app.command("check")(check)
    app.command("preview")(preview)
    app.command("adopt")(adopt)


def check(
    merchant: Merchant,
    integration: Code,
    apply: Annotated[
        bool, typer.Option("--apply-mapping", help="write what has a single answer into the settings")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is missing before the first order moves. Exit code 1 while something is.

    Both sides are asked, settings and mapping are judged, and what is empty in the mapping is proposed, from the
    administration's own tax rates and ledger accounts; where several fit, a person chooses.

    \b
    Example:
      sluis integration check m7f3k woocommerce_moneybird
      sluis integration check m7f3k woocommerce_moneybird --apply-mapping
    """
    from sluis.flows import check as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        result, applied = flow.check_and_apply(session) if apply else (flow.check(session), None)
    if json:
        emit_json({**result.model_dump(mode="json"), "applied": list(applied.filled) if applied else []})
    else:
        if applied is not None:
            filled = ", ".join(applied.filled) or "nothing: no empty setting has a single answer"
            say(f"filled in: {filled} (settings version {applied.settings_version})")
        _show_findings(result.findings)
        _show_proposal(result.proposal)
        say(f"missing: {len(result.missing)}" if result.missing else "nothing is missing")
    if result.missing:
        raise typer.Exit(FOUND)


def preview(
    merchant: Merchant, integration: Code, *, start: From, end: To, documents: _DOCUMENTS = False, json: Json = False
) -> None:
    """Show what would be booked for a period. Writes nothing anywhere.

    With totals per VAT rate, what is skipped, what would wait in quarantine and why, and which mapping is missing.

    \b
    Example:
      sluis integration preview m7f3k woocommerce_moneybird --from 2026-12-01 --to 2026-12-07
    """
    from sluis.flows.preview import preview as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        found = flow(session, start.date(), end.date())
    if json:
        emit_json(found)
    else:
        _show_preview(found, documents)


def adopt(
    merchant: Merchant,
    integration: Code,
    *,
    start: From,
    end: To,
    pattern: Annotated[
        list[str] | None,
        typer.Option("--reference-pattern", metavar="TEXT", help="how a former connector made references; repeatable"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="store nothing")] = False,
    json: Json = False,
) -> None:
    """Link what stands in the books already, so that nothing is booked twice.

    For a cut-over from booking by hand or from another connector. Same reference (with the prefix or without it), same
    total, dates near: linked. Anything odd is listed and not linked. Exit code 1 while a person has to look, because
    going live might book something twice: other totals or dates (different), several that fit (ambiguous), and
    documents without a known reference but with an order's total and a near date (other number). For those say how the
    former connector made its references, {number} being the order's, or correct the reference in the books; then adopt
    again. Gone is what was booked before and does not stand in the books any more. Adopting writes a row per linked
    document and no run report.

    \b
    Example:
      sluis integration adopt m7f3k woocommerce_moneybird --from 2026-10-01 --to 2026-11-30 --dry-run
      sluis integration adopt m7f3k woocommerce_moneybird --from 2026-10-01 --to 2026-11-30 \\
          --reference-pattern "WC-{number}"
    """
    from sluis.flows.adopt import adopt as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        found = flow(session, start.date(), end.date(), dry_run=dry_run, patterns=pattern or ())
    if json:
        emit_json(found)
    else:
        _show_adoption(found)
    if found.for_a_person:
        raise typer.Exit(FOUND)


def _show_findings(findings: Sequence[Finding]) -> None:
    order = ["missing", "warning", "ok"]
    rows = sorted(findings, key=lambda finding: order.index(finding.level))
    emit_table([Column("level"), Column("code"), Column("what")], [(f.level, f.code, f.message) for f in rows])


def _show_proposal(proposal: Proposed) -> None:
    emit_table(
        [Column("setting"), Column("outcome"), Column("id"), Column("name in the administration")],
        [
            (item.setting, item.outcome, candidate.id, candidate.name)
            for item in proposal.proposals
            if item.outcome != "mapped"
            for candidate in item.candidates
        ],
        title="Proposed mapping",
    )


def _show_preview(found: Preview, documents: bool) -> None:
    from sluis.core.reasons import explain

    say(f"{found.merchant} {found.integration}, {found.start} to {found.end}: {found.orders} order(s) in the shop")
    if documents:
        emit_table(
            [Column("order"), Column("date"), Column("kind"), Column("result"), Column("reference"),
             Column("total", right=True), Column("VAT", right=True), Column("rule or reason")],
            [(line.order_number, word(line.issue_date), line.kind.value, line.result.value, word(line.reference),
              amount(line.total, line.currency), amount(line.vat), word(line.reason or line.rule))
             for line in found.lines],
        )  # fmt: skip
    emit_table(
        [Column("result"), Column("reason"), Column("documents", right=True), Column("total", right=True),
         Column("what to do")],
        [("would be booked" if t.result.value == "booked" else t.result.value, word(t.reason), str(t.documents),
          amount(t.total, t.currency), explain(t.reason) if t.reason else "") for t in found.outcomes],
    )  # fmt: skip
    emit_table(
        [Column("VAT"), Column("rate", right=True), Column("country"), Column("documents", right=True),
         Column("without VAT", right=True), Column("VAT amount", right=True)],
        [(v.category, f"{v.rate:f} %", v.country, str(v.documents), amount(v.taxable_amount, v.currency),
          amount(v.vat_amount, v.currency)) for v in found.vat],
        title="Would be booked, per VAT category, rate and country",
    )  # fmt: skip
    for setting in found.missing:
        say(f"missing: {setting}")
    say("nothing was written")


def _show_adoption(found: Adoption) -> None:
    say(f"{found.merchant} {found.integration}, {found.start} to {found.end}")
    emit_table(
        [Column("outcome"), Column("documents", right=True), Column("total", right=True)],
        [(t.link.value.replace("_", " "), str(t.documents), amount(t.total, t.currency)) for t in found.totals],
    )
    emit_table(
        [Column("outcome"), Column("what"), Column("order"), Column("kind"), Column("reference"),
         Column("in the shop", right=True), Column("in the books", right=True), Column("shop"), Column("books")],
        [(line.link.value.replace("_", " "), word(line.what), line.order_number, line.kind.value, line.reference,
          amount(line.shop_total, line.currency), amount(line.books_total), str(line.shop_date), word(line.books_date))
         for line in found.lines],
        title="For a person to look at",
    )  # fmt: skip
    if any(line.link.value == "other_number" for line in found.lines):
        say("other number: if a former connector booked these, adopt again with --reference-pattern, e.g. WC-{number}")
    say("a dry run: nothing was stored" if found.dry_run else f"{found.stored} row(s) written: linked from now on")
