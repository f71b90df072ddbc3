"""The end of a run: prove that nothing is missing, write the chained report, move the watermark. One transaction.

A scheduled run moves the watermark to the end of its window, but never past the oldest document it deferred. Backfills,
manual runs and runs over single orders never move it, nor does a run during which the settings changed: what it
skipped may be bookable now, so the next run reads it again.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from sluis import __version__
from sluis.core.invoice import Result
from sluis.core.rates import RULES_VERSION
from sluis.core.run import RunFacts
from sluis.core.summary import Tally
from sluis.flows.context import RunRequest
from sluis.flows.runlog import DocumentLog
from sluis.flows.wiring import Session
from sluis.store.invoicing import Invoicing
from sluis.store.reports import RunReport

log = logging.getLogger("sluis.report")

#: What our own invoice counts: brought to the books by this run. A part of a day counts when it is accounted for, the
#: day's entry never; what was found in the books, and what corrects it, is not a document more.
_INVOICED = (Result.BOOKED, Result.SUMMARISED)


def close_run(
    session: Session,
    request: RunRequest,
    facts: RunFacts,
    *,
    tally: Tally,
    lines: DocumentLog,
    deferred_floor: datetime | None,
) -> datetime | None:
    """Prove the run and store its report; returns where the watermark was moved to (``None``: it stays).

    ``deferred_floor`` is when the oldest deferred document was changed. Raises ``ProofFailed`` when documents or cents
    do not add up: then nothing is stored and nothing moves.
    """
    tally.prove(facts.documents, facts.cents)
    where = session.integration
    with session.conn.transaction():
        watermark = _watermark(request, facts, deferred_floor)
        if watermark and session.integrations.held_version(where.merchant, where.code) != facts.read_under:
            log.info("the settings changed during the run: the watermark stays, the next run reads the window again")
            watermark = None
        report = session.reports.append(_report(session, request, facts, tally), lines.digest(), watermark=watermark)
        Invoicing(session.conn).add(where.merchant, report.ended_at, tally.count(*_INVOICED))
    log.info(
        "proved extracted=%s documents, %s cents, shop's own count %s: %s",
        facts.documents, dict(facts.cents), facts.shop_count, tally.as_dict(),
    )  # fmt: skip
    log.info(
        "report sequence=%s hash=%s lines=%s previous=%s watermark=%s",
        report.sequence, report.hash, report.lines_hash, report.previous_hash,
        watermark.isoformat(timespec="seconds") if watermark else "unmoved",
    )  # fmt: skip
    return watermark


def _report(session: Session, request: RunRequest, facts: RunFacts, tally: Tally) -> RunReport:
    return RunReport(
        merchant=session.integration.merchant,
        integration=session.integration.code,
        dag_run_id=request.run_id,
        try_number=request.try_number,
        run_type=request.run_type,
        started_at=facts.started_at,
        ended_at=datetime.now(UTC),
        window_start=facts.window_start,
        window_end=facts.window_end,
        settings_version=facts.settings_version,
        rules_version=RULES_VERSION,
        code_version=__version__,
        shop_count=facts.shop_count,
        extracted=facts.documents,
        tally=tally.as_dict(),
    )


def _watermark(request: RunRequest, facts: RunFacts, deferred_floor: datetime | None) -> datetime | None:
    if not request.is_scheduled or facts.window_end is None:
        return None
    return facts.window_end if deferred_floor is None else min(facts.window_end, deferred_floor)
