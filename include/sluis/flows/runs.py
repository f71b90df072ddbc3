"""The run reports of an integration as a person reads them, and whether their chain still holds."""

from __future__ import annotations

from typing import Any

from sluis.core.frozen import Frozen, Moment
from sluis.core.money import Amount, from_cents
from sluis.flows.wiring import Session
from sluis.store.reports import RunReport


class RunLine(Frozen):
    """One run. ``documents``: result -> count; ``totals``: currency -> result -> amount with VAT, signed. UTC."""

    merchant: str
    integration: str
    sequence: int
    run_id: str
    run_type: str
    try_number: int
    started_at: Moment
    ended_at: Moment
    window_start: Moment | None
    window_end: Moment | None
    shop_count: int | None  #: orders by the shop's own count
    extracted: int
    documents: dict[str, int]
    totals: dict[str, dict[str, Amount]]
    reasons: dict[str, dict[str, int]]  #: result -> reason -> count
    settings_version: int
    rules_version: str
    code_version: str
    hash: str


class Verified(Frozen):
    """The chain of run reports holds: ``reports`` links, the last one is ``head`` (SHA-256, hex)."""

    merchant: str
    integration: str
    reports: int
    head: str | None


def latest(session: Session, limit: int) -> list[RunLine]:
    """Return the latest runs, the newest first."""
    return [_line(report) for report in session.reports.list(limit)]


def verify(session: Session) -> Verified:
    """Check every link of the chain; raises ``ProofFailed("chain_broken")`` naming the first one that does not hold."""
    count = session.reports.verify()
    newest = session.reports.list(1)
    where = session.integration
    return Verified(
        merchant=where.merchant, integration=where.code, reports=count, head=newest[0].hash if newest else None
    )


def _line(report: RunReport) -> RunLine:
    fields: dict[str, Any] = {
        name: value for name, value in report if name in RunLine.model_fields and name != "documents"
    }
    tally = report.tally
    return RunLine(
        **fields,
        run_id=report.dag_run_id,
        documents=tally.get("documents", {}),
        totals={
            currency: {result: from_cents(cents) for result, cents in results.items()}
            for currency, results in tally.get("cents", {}).items()
        },
        reasons=tally.get("reasons", {}),
    )
