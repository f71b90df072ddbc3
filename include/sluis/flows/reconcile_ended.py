"""What the sync DAG reconciles by itself: the month that ended, and the quarter where it ended with it.

The first scheduled run whose interval ends in a new month (of the shop's time zone) does it, once the shop was read
past the end of the period. What counts is whether a run has stored the period, so a run that failed before that leaves
it to the next one, and one that told of open differences is not repeated: then a person uses the command line.
"""

from __future__ import annotations

import logging
from collections import Counter

from sluis.core.bookable import local_date
from sluis.core.reconciliation import CAUSES, Period, Reconciliation, ended
from sluis.flows import runlog
from sluis.flows.context import Compared, RunRequest
from sluis.flows.period import days
from sluis.flows.reconcile import reconcile
from sluis.flows.wiring import Session, open_session
from sluis.store.integrations import IntegrationState
from sluis.store.reconciliations import Reconciliations

log = logging.getLogger("sluis.reconcile")


def is_due(request: RunRequest) -> bool:
    """Whether a period that ended waits to be reconciled after this run's load. Calls no vendor.

    Not in an integration's very first run, which has enough to do.
    """
    if not request.is_scheduled or request.interval_end is None:
        return False
    with open_session(request.merchant, request.integration, role="task") as session:
        earlier = any(report.dag_run_id != request.run_id for report in session.reports.list(2))
        return earlier and session.integration.watermark is not None and bool(_waiting(session, request))


def reconcile_ended(request: RunRequest) -> Compared:
    """Reconcile what waits, the month first. Open differences are counted and logged; the caller fails the task.

    Raises what the connectors raise and ``ProofFailed``; a period that was not stored then is done by a later run.
    """
    with open_session(request.merchant, request.integration, role="task") as session:
        runlog.started("reconcile", request, session.integration)
        made = [
            reconcile(session, period, run_id=request.run_id).result
            for period in _waiting(session, request)
            if _read_past(session, period)
        ]
    for found in made:
        _tell(found)
    booked = [line for found in made for line in found.totals]
    cents: Counter[str] = Counter()
    for line in booked:
        cents[line.currency] += line.sluis.net_cents + line.sluis.vat_cents
    return Compared(
        periods=len(made),
        documents=sum(line.sluis.documents for line in booked),
        cents={currency: total for currency, total in cents.items() if currency},
        explained=sum(d.documents for found in made for d in found.differences if d.explained),
        differing=sum(d.documents for found in made for d in found.differences if not d.explained),
    )


def _waiting(session: Session, request: RunRequest) -> list[Period]:
    integration = session.integration
    if integration.state is not IntegrationState.LIVE or request.interval_end is None:
        return []
    stored = Reconciliations(session.conn, integration)
    settings = integration.settings
    return [
        period
        for period in ended(local_date(request.interval_end, settings))
        if period.end >= settings.start_date and not stored.made_by_runs(period.name)
    ]


def _read_past(session: Session, period: Period) -> bool:
    watermark, end = session.integration.watermark, days(period.start, period.end, session.integration.settings).end
    read = watermark is not None and watermark >= end
    if not read:
        log.info("period=%s waits: the shop was not read past its end yet; a later run reconciles it", period.name)
    return read


def _tell(found: Reconciliation) -> None:
    """Log sums, causes and every open difference: order number and amounts, no person and no VAT number."""
    for line in found.totals:
        sides = (line.shop, line.sluis, line.package)
        log.info(
            "reconciled period=%s settled=%s currency=%s documents=%s/%s/%s cents=%s/%s/%s (shop/sluis/package)",
            found.period, found.settled, line.currency, *(side.documents for side in sides),
            *(side.net_cents + side.vat_cents for side in sides),
        )  # fmt: skip
    for cause in found.causes:
        log.log(
            logging.INFO if cause.explained else logging.WARNING,
            "difference period=%s cause=%s between=%s-%s documents=%s cents=%s currency=%s: %s", found.period,
            cause.cause, cause.between[0].value, cause.between[1].value, cause.documents, cause.cents, cause.currency,
            CAUSES[cause.cause].action,
        )  # fmt: skip
    for one in found.differences:
        if not one.explained:
            log.warning(
                "open difference period=%s cause=%s detail=%s between=%s-%s kind=%s order=%s reference=%s cents=%s and"
                " %s currency=%s dated=%s and %s", found.period, one.cause, one.detail or "-", one.between[0].value,
                one.between[1].value, one.kind.value, one.order_number or "-", one.reference or "-", one.first_cents,
                one.second_cents, one.currency, one.first_date, one.second_date,
            )  # fmt: skip
    for total in found.icp:
        log.info("icp period=%s country=%s numbers=%s goods_cents=%s services_cents=%s", found.period,
                 total.country or "unknown", total.numbers, total.goods_cents, total.services_cents)  # fmt: skip
