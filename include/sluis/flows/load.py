"""Book the batch: exactly once, one writer per administration, every document accounted for in log and report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sluis.core.invoice import Decision, DocumentOutcome, Invoice, Prepared, Result
from sluis.core.money import cents
from sluis.core.order import Buyer
from sluis.core.summary import Tally
from sluis.errors import NotConfigured, QuotaSpent, Reconnect, RetryLater
from sluis.flows import runlog
from sluis.flows.booking import SETTLE, Booker
from sluis.flows.context import Loaded, RunRequest, Shredded
from sluis.flows.extract import refuse
from sluis.flows.patience import Patience
from sluis.flows.report import close_run
from sluis.flows.transform import run_facts
from sluis.flows.wiring import Session, open_session
from sluis.store.integrations import IntegrationState
from sluis.store.locks import administration_lock
from sluis.transit.store import Transit

log = logging.getLogger("sluis.load")

#: How long a load waits for another integration that writes to the same administration.
TURN = timedelta(minutes=10)
#: Results that end a document's stay in quarantine.
_ENDS_QUARANTINE = {Result.BOOKED, Result.ADOPTED, Result.ALREADY_BOOKED, Result.SKIPPED}


def load(request: RunRequest, *, settle: timedelta = SETTLE, patience: Patience | None = None) -> Loaded:
    """Book what was prepared and close the run with its proof.

    ``settle`` is how old an unanswered create must be before its absence in the books allows another, ``patience`` how
    long a spent quota is waited for before the rest is deferred (default: five hours from now).
    Raises ``RetryLater`` when documents wait for an answer of the package (the next try goes on from there) or for a
    quota where no later run would read them,
    ``Reconnect``, ``NotConfigured``, ``ProofFailed`` and ``TransitLost``.
    """
    patience = patience or Patience()
    with open_session(request.merchant, request.integration, role="task") as session:
        runlog.started("load", request, session.integration)
        if session.integration.state in (IntegrationState.PREVIEW, IntegrationState.ENDED):
            raise NotConfigured(f"the integration is {session.integration.state.value}: nothing is booked")
        batch_id = Transit.batch_id(request.dag_id, request.run_id)
        try:
            with session.connect() as own, administration_lock(own, session.integration.administration_key, TURN):
                return _load(session, request, batch_id, settle, patience)
        except Reconnect as error:
            refuse(session, error)
            raise


def shred(request: RunRequest) -> Shredded:
    """Delete the run's batch from transit. Doing it twice is fine."""
    with open_session(request.merchant, request.integration, role="task") as session:
        batch_id = Transit.batch_id(request.dag_id, request.run_id)
        chunks = session.transit.shred(batch_id)
        log.info("shredded chunks=%s", chunks)
        return Shredded(batch_id=batch_id, chunks=chunks)


def _load(session: Session, request: RunRequest, batch_id: str, settle: timedelta, patience: Patience) -> Loaded:
    facts = run_facts(session, batch_id)
    log.info(
        "loading documents=%s cents=%s shop_count=%s window start=%s end=%s decided under settings_version=%s",
        facts.documents, dict(facts.cents), facts.shop_count, facts.window_start, facts.window_end,
        facts.settings_version,
    )  # fmt: skip
    booker = Booker(
        session,
        session.reports.mark(request.run_id),
        matched_debtors=_matched(session, batch_id, patience),
        settle=settle,
        patience=patience,
    )
    run = _Run(session, offered=frozenset(session.quarantine.offered_order_ids()))
    for _, decisions in session.transit.read(batch_id, "transformed"):
        booker.prefetch(decisions)
        run.settle(decisions, booker)
        booker.touch(datetime.now(UTC).astimezone(session.integration.settings.zone).date())
    if booker.must_retry:
        raise RetryLater(
            f"{run.tally.count(Result.DEFERRED)} documents wait for an answer of the package",
            code="package_unavailable",
        )
    if run.stranded:
        raise QuotaSpent(
            f"the package's quota is spent; {run.stranded} documents wait that no later run would read by itself",
            retry_after=booker.quota_frees_in,
        )
    watermark = close_run(session, request, facts, tally=run.tally, lines=run.lines, deferred_floor=run.deferred_floor)
    return Loaded(
        batch_id=batch_id,
        watermark=watermark,
        cents=run.cents,
        **{result.value: run.tally.count(result) for result in Result},
    )


@dataclass
class _Run:
    """What the run has done so far."""

    session: Session
    offered: frozenset[str]  #: orders that the next run fetches one by one
    stranded: int = 0  #: deferred documents that lie before the next window and were not offered
    tally: Tally = field(default_factory=Tally)
    lines: runlog.DocumentLog = field(default_factory=runlog.DocumentLog)
    deferred_floor: datetime | None = None
    cents: dict[str, int] = field(default_factory=dict)

    def settle(self, decisions: Sequence[Decision], booker: Booker) -> None:
        """Bring a chunk to its end: booked or not, in the log, in the tally, and in or out of quarantine."""
        for decision in decisions:
            self.tally.add(self._settle(decision, booker))

    def _settle(self, decision: Decision, booker: Booker) -> DocumentOutcome:
        invoice = decision.invoice if isinstance(decision, Prepared) else None
        outcome = booker.book(decision.invoice) if isinstance(decision, Prepared) else booker.skip(decision)
        self.lines.write(outcome, invoice)
        self._quarantine(outcome)
        if outcome.result in (Result.BOOKED, Result.ADOPTED):
            self.cents[outcome.currency] = self.cents.get(outcome.currency, 0) + cents(outcome.total)
        if outcome.result is Result.DEFERRED and isinstance(decision, Prepared) and decision.changed_at is not None:
            self._defer(outcome, decision.changed_at)
        return outcome

    def _defer(self, outcome: DocumentOutcome, changed_at: datetime) -> None:
        """Hold the watermark for it. Behind the watermark (backfill, single order, cleared run) nothing can."""
        floor = self.deferred_floor
        self.deferred_floor = changed_at if floor is None else min(floor, changed_at)
        where = self.session.integration
        overlap = timedelta(minutes=where.settings.overlap_minutes)
        behind = where.watermark is not None and changed_at < where.watermark - overlap
        self.stranded += behind and outcome.order_id not in self.offered

    def _quarantine(self, outcome: DocumentOutcome) -> None:
        key = self.session.pseudonyms.document_key(self.session.integration.code, outcome.kind, outcome.document_id)
        if outcome.result is Result.QUARANTINED:
            self.session.quarantine.put(
                kind=outcome.kind,
                document_key=key,
                shop_order_id=outcome.order_id,
                order_number=outcome.order_number,
                reason=outcome.reason or "",
                field=outcome.field,
                currency=outcome.currency,
                total_cents=cents(outcome.total) if outcome.currency else None,
            )
        elif outcome.result in _ENDS_QUARANTINE:
            self.session.quarantine.close(outcome.kind, key, outcome.result.value)


def _matched(session: Session, batch_id: str, patience: Patience) -> dict[str, str]:
    """Match the batch's unknown customers with contacts that stood in the books before go-live, once per run.

    What is held in memory is a key and a buyer per *new* customer; nothing is kept of contacts that match nobody.
    """
    if not session.integration.settings.debtors_before_start:
        return {}
    unknown: dict[str, Buyer] = {}
    for _, decisions in session.transit.read(batch_id, "transformed"):
        unknown.update(_unlinked(session, [d.invoice for d in decisions if isinstance(d, Prepared)]))
    buyers = list(unknown.items())
    return patience.call(lambda: session.package.match_debtors(buyers)) if buyers else {}


def _unlinked(session: Session, invoices: Sequence[Invoice]) -> dict[str, Buyer]:
    code = session.integration.code
    buyers = {session.pseudonyms.customer_key(i.buyer, i.order_id, integration_code=code): i.buyer for i in invoices}
    linked = session.debtors.get_many(sorted(buyers))
    return {key: buyer for key, buyer in buyers.items() if key not in linked}
