"""Book the batch: exactly once, one writer per administration, every document accounted for in log and report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sluis.core import reasons
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Invoice, Prepared, Result, Role
from sluis.core.money import cents
from sluis.core.order import Buyer
from sluis.core.summary import Tally
from sluis.errors import NotConfigured, QuotaSpent, Reconnect, RetryLater
from sluis.flows import contributions, runlog, summaries
from sluis.flows.booking import SETTLE, Booker
from sluis.flows.booking_debtors import customer_of, is_collective
from sluis.flows.booking_rows import in_order
from sluis.flows.context import Loaded, RunRequest, Shredded
from sluis.flows.correcting import Made
from sluis.flows.extract import refuse
from sluis.flows.late_payments import LatePayments
from sluis.flows.patience import Patience
from sluis.flows.payments import PART, Payments
from sluis.flows.report import close_run
from sluis.flows.transform import run_facts
from sluis.flows.wiring import Session, open_session
from sluis.store.bookings import Booking
from sluis.store.integrations import IntegrationState
from sluis.store.locks import administration_lock
from sluis.transit.store import Transit

log = logging.getLogger("sluis.load")

#: How long a load waits for another integration that writes to the same administration.
TURN = timedelta(minutes=10)
#: Results that end a document's stay in quarantine.
_ENDS_QUARANTINE = {
    Result.BOOKED, Result.SUMMARISED, Result.ADOPTED, Result.ALREADY_BOOKED, Result.CORRECTED, Result.SKIPPED,
}  # fmt: skip
#: The books hold it, now or since an earlier run.
_STANDS = {Result.BOOKED, Result.ADOPTED, Result.ALREADY_BOOKED, Result.CORRECTED, Result.SUMMARISED}
#: The books hold it since this run.
_IN_THE_BOOKS = {Result.BOOKED, Result.ADOPTED, Result.CORRECTED}


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
    session.bookings.key_references(session.reference_key)  # of before there were any
    booker = Booker(
        session,
        session.reports.mark(request.run_id),
        matched_debtors=_matched(session, batch_id, patience),
        settle=settle,
        patience=patience,
    )
    payments = Payments(session, booker.run_id, patience, settle)
    run = _Run(session, booker, payments, booker.late, offered=frozenset(session.quarantine.offered_order_ids()))
    for _, decisions in session.transit.read(batch_id, "transformed"):
        booker.prefetch(decisions)
        payments.prefetch(booker.rows(decisions))
        run.settle(decisions)
        booker.touch(datetime.now(UTC).astimezone(session.integration.settings.zone).date())
    run.hold_off()
    today = summaries.reached(session, request, facts.window_end)
    for entry in summaries.post_due(session, booker.run_id, today, patience, settle):
        run.own(Made(entry))
    watermark = close_run(session, request, facts, tally=run.tally, lines=run.lines, deferred_floor=run.deferred_floor)
    contributions.count(session)
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
    booker: Booker
    payments: Payments
    late: LatePayments
    offered: frozenset[str]  #: orders that the next run fetches one by one
    stranded: int = 0  #: deferred documents that lie before the next window and were not offered
    tally: Tally = field(default_factory=Tally)
    lines: runlog.DocumentLog = field(default_factory=runlog.DocumentLog)
    deferred_floor: datetime | None = None
    cents: dict[str, int] = field(default_factory=dict)

    def settle(self, decisions: Sequence[Decision]) -> None:
        """Bring a chunk to its end: booked or not, in the log, in the tally, and in or out of quarantine."""
        for decision in in_order(decisions):
            outcome = self._settle(decision)
            self.tally.add(outcome)
            for made in self.booker.drain():
                self.own(made)
            if isinstance(decision, Prepared) and outcome.result in _STANDS:
                self._pay(decision, self.booker.row(decision.invoice))
            elif isinstance(decision, Prepared) and outcome.reason == reasons.CREDITED_WITH_ORDER:
                self._pay(decision, self.booker.credited_by(decision.invoice))

    def own(self, made: Made) -> None:
        """Account for a document that sluis made by itself."""
        self.tally.add(made.outcome)
        self.lines.write(made.outcome, made.invoice)
        payment = made.outcome.part == PART
        if not payment:
            self._count(made.outcome)
        if not payment or made.outcome.result is Result.QUARANTINED:  # a payment ends no document's stay
            self._quarantine(made.outcome, made.document_key)

    def hold_off(self) -> None:
        """Raise where the run must be tried again for what it deferred."""
        if self.booker.must_retry or self.payments.must_retry or self.late.must_retry:
            raise RetryLater(
                f"{self.tally.count(Result.DEFERRED)} documents wait for an answer of the package",
                code="package_unavailable",
            )
        if self.stranded:
            raise QuotaSpent(
                f"the package's quota is spent; {self.stranded} documents wait that no later run would read by itself",
                retry_after=self.booker.quota_frees_in or self.payments.quota_frees_in,
            )

    def _pay(self, decision: Prepared, row: Booking | None) -> None:
        """Register what was paid on a document that stands in the books: its own row, or that of what credits it."""
        if row is None:
            return
        for paid in (*self.payments.settle(decision.invoice, row), *self.late.settle(decision.invoice, row)):
            self.own(Made(paid))
            if paid.result is Result.DEFERRED and decision.changed_at is not None:
                self._defer(paid, decision.changed_at)

    def _settle(self, decision: Decision) -> DocumentOutcome:
        invoice = decision.invoice if isinstance(decision, Prepared) else None
        outcome = self.booker.book(decision) if isinstance(decision, Prepared) else self.booker.skip(decision)
        changed_at = decision.changed_at
        if outcome.result is Result.DEFERRED and changed_at is not None:
            if outcome.reason == reasons.VAT_NUMBER_UNVERIFIED and self._behind(outcome, changed_at):
                outcome = outcome.model_copy(update={"result": Result.QUARANTINED})  # no run would read it again
            else:
                self._defer(outcome, changed_at)
        self.lines.write(outcome, invoice)
        self._quarantine(outcome)
        self._count(outcome)
        return outcome

    def _count(self, outcome: DocumentOutcome) -> None:
        """Add up what this run brought to the books, in their currency."""
        new = outcome.result in _IN_THE_BOOKS and outcome.reason is None and outcome.external_id is not None
        if new and not (outcome.role is Role.OWN and outcome.kind is DocumentKind.INVOICE):
            currency = outcome.booked_currency or outcome.currency
            total = outcome.total if outcome.booked_total is None else outcome.booked_total
            self.cents[currency] = self.cents.get(currency, 0) + cents(total)

    def _defer(self, outcome: DocumentOutcome, changed_at: datetime) -> None:
        """Hold the watermark for it. Behind the watermark (backfill, single order, cleared run) nothing can."""
        floor = self.deferred_floor
        self.deferred_floor = changed_at if floor is None else min(floor, changed_at)
        self.stranded += self._behind(outcome, changed_at)

    def _behind(self, outcome: DocumentOutcome, changed_at: datetime) -> bool:
        """Whether no later run would read a document by itself: it lies before the next window and was not offered."""
        where = self.session.integration
        overlap = timedelta(minutes=where.settings.overlap_minutes)
        behind = where.watermark is not None and changed_at < where.watermark - overlap
        return behind and outcome.order_id not in self.offered

    def _quarantine(self, outcome: DocumentOutcome, document_key: bytes | None = None) -> None:
        code = self.session.integration.code
        key = document_key or self.session.pseudonyms.document_key(code, outcome.kind, outcome.document_id)
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
    own = [invoice for invoice in invoices if not is_collective(session, invoice)]
    buyers = dict(customer_of(session, invoice) for invoice in own)
    linked = session.debtors.get_many(sorted(buyers))
    return {key: buyer for key, buyer in buyers.items() if key not in linked}
