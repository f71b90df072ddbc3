"""The one journal entry of a day: posted once when the day is over, and again with only the difference after that.

A day is over when the shop has been read past its end (in the shop's time zone). What arrives or is corrected later and
is dated on that day makes a further revision of it: an entry of its own with the same date and ``-2``, ``-3`` behind
the reference, so that what was posted is never changed. The setting may have changed since a document was held: it is
posted all the same, by any run. The caller holds the administration's lock. No entry and no line of the log names a
customer, nor an order: but that whose document does not add up, for a person must find it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sluis.core import journals, reasons
from sluis.core.bookable import local_date
from sluis.core.figures import add_up
from sluis.core.frozen import Moment
from sluis.core.invoice import DocumentKind, DocumentOutcome, Result, Role
from sluis.core.journal import JournalEntry
from sluis.core.journals import Member
from sluis.core.mapping import tax_key
from sluis.core.money import cents, from_cents
from sluis.errors import Defect, NotConfigured, OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows import restoring
from sluis.flows.booking_sending import NEAR
from sluis.flows.booking_told import reason_of
from sluis.flows.context import RunRequest
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session
from sluis.ports import Booked
from sluis.store.bookings import Booking, BookingState
from sluis.store.summaries import Summaries

log = logging.getLogger("sluis.summaries")

#: What stands for the package's id where a day nets to zero on every account, so that there is nothing to post.
NOTHING = "nothing_to_post"
#: Id of the rule in log lines and outcomes.
RULE = "day_summary"
_DAY = timedelta(days=1)
#: How many documents of a day that does not add up are named.
_NAMED = 5


def reached(session: Session, request: RunRequest, window_end: Moment | None) -> date:
    """Return the shop's day up to which the shop has been read, this run included: all days before it are over.

    Backfills and single orders read no day to its end; then the watermark tells.
    """
    where = session.integration
    read_on = window_end if not (request.is_backfill or request.order_ids) else None
    moments = [moment for moment in (where.watermark, read_on) if moment is not None]
    if not moments:
        return date.min
    return local_date(min(max(moments), datetime.now(UTC)), where.settings)


def due(session: Session, today: date) -> bool:
    """Whether a day before ``today`` has documents to post, or an entry must be looked up or told."""
    summaries = Summaries(session.conn, session.integration)
    return bool(summaries.waiting(today) or summaries.unsettled() or _untold(session, summaries))


def post_due(
    session: Session,
    run_id: str,
    today: date,
    patience: Patience,
    settle: timedelta,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[DocumentOutcome]:
    """Post the entry of every day before ``today`` that has documents to post; one outcome (role own) per entry.

    What the package does not take now is deferred and posted by the next run that loads, whatever it read. What was
    posted by a run that died before its report is told too, and this run's from now on.
    The caller puts in quarantine what an outcome says waits for a person, and takes it out again.
    A day that does not add up or is refused stops no other one.
    Raises ``Reconnect``, and ``ProofFailed`` when other documents wait than an entry was made of.
    """
    days = _Days(session, run_id, patience, settle, sleep)
    untold = _untold(session, days.summaries)  # before this run adds its own
    outcomes = [days.look_up(claim) for claim in days.summaries.unsettled()]
    outcomes += [days.post(waiting.day) for waiting in days.summaries.waiting(today)]
    outcomes += [days.tell(summary) for summary in untold]
    return [outcome for outcome in outcomes if outcome is not None]


def _untold(session: Session, summaries: Summaries) -> list[Booking]:
    """Return the entries in the books that no report has told of: their run died between entry and report."""
    return [summary for summary in summaries.unreported() if not session.reports.told(summary.run_id)]


@dataclass
class _Made:
    """The entry of a day, ready to be claimed and sent."""

    day: date
    revision: int
    entry: JournalEntry
    documents: int
    content: dict[str, Any]  #: of its booking row


@dataclass
class _Days:
    """Posts the days of one integration, one after the other."""

    session: Session
    run_id: str
    patience: Patience
    settle: timedelta
    sleep: Callable[[float], None]
    _stopped: str | None = None  #: why the package is not asked any more in this run

    def __post_init__(self) -> None:
        self.summaries = Summaries(self.session.conn, self.session.integration)

    # --------------------------------------------------------------------------------------------------- a new entry

    def post(self, day: date) -> DocumentOutcome:
        """Post what waits of a day, or say why not."""
        members = self.summaries.held(day)
        revision = self.summaries.next_revision(self._key(day))
        told = self._told(day, self._reference(day, revision), members)
        if self._stopped:
            return self._waits(told, self._stopped)
        try:
            made = self._made(day, revision, members)
            return self._send(made, told.model_copy(update={"issue_date": made.entry.issue_date}))
        except QuotaSpent as error:
            self._stopped = reasons.QUOTA_SPENT
            log.info("day=%s waits: %s", day, error)
        except OutcomeUnknown as error:
            self._stopped = reasons.OUTCOME_UNKNOWN
            log.warning("day=%s has no answer: %s", day, error)
        except RetryLater as error:
            self._stopped = reasons.PACKAGE_UNAVAILABLE
            log.warning("day=%s waits: %s", day, error)
        except Refused as error:
            return self._refused(told, reason_of(error), error.field)
        except NotConfigured as error:
            return self._refused(told, reasons.MAPPING_MISSING, str(error.args[0]))
        return self._waits(told, self._stopped)

    def _made(self, day: date, revision: int, members: Sequence[Booking]) -> _Made:
        """Make the entry; ``Refused`` names the setting that stands in its way, or the documents that do."""
        emptied = sum(booking.emptied for booking in members)
        if emptied:
            raise Refused("amounts have expired", code=reasons.HELD_EXPIRED, field=f"documents={emptied}")
        currency = self.session.integration.settings.currency
        on, reference = self._open_day(day), self._reference(day, revision)
        try:
            entry = self._entry(reference, on, members)
        except NotConfigured:
            raise
        except Defect as error:  # of one day: it must not stop the others
            log.error("day=%s does not add up: %s", day, error)
            unsound = self._unsound(members)
            raise Refused("a document does not add up", code=reasons.SUMMARY_INCONSISTENT, field=unsound) from None
        figures = add_up(figure for booking in members for figure in booking.figures or ())
        said = json.dumps([revision, *(figure.model_dump(mode="json") for figure in figures)], sort_keys=True)
        code = self.session.integration.code
        content = {
            "revision": revision, "reference": reference, "order_number": reference, "run_id": self.run_id,
            "reference_key": self.session.reference_key(reference),
            "fingerprint": self.session.pseudonyms.document_key(code, DocumentKind.DAY_SUMMARY, said),
            "total_cents": cents(entry.total_with_vat), "vat_cents": cents(entry.total_vat), "currency": currency,
            "issue_date": on, "original_date": None if on == day else day, "form": "journal_entry", "figures": figures,
            "paid": journals.paid_together(booking.paid or () for booking in members),
        }  # fmt: skip
        return _Made(day, revision, entry, len(members), content)

    def _entry(self, reference: str, on: date, members: Sequence[Booking]) -> JournalEntry:
        settings = self.session.integration.settings
        if (setting := journals.day_missing(map(_member, members), settings.mapping)) is not None:
            raise Refused(f"{setting} is not filled", code=reasons.MAPPING_MISSING, field=setting)
        return journals.summary_of(reference, on, settings.currency, map(_member, members), settings.mapping)

    def _send(self, made: _Made, told: DocumentOutcome) -> DocumentOutcome:
        """Claim, post, record. Where the quota is spent the claim is taken back before the wait, as for a document."""
        posted = self._posted_before(made)
        while True:
            claim = self.summaries.claim(self._key(made.day), made.day, documents=made.documents, **made.content)
            if posted is not None:
                return self._answered(claim, posted, told, adopted=True)
            if not made.entry.lines:
                return self._recorded(claim, NOTHING, told, adopted=False)
            try:
                booked = self.session.package.post(made.entry)
            except OutcomeUnknown:
                raise
            except (RetryLater, Reconnect, Refused, NotConfigured) as error:  # certainly not written
                self.summaries.release(claim)
                if not (isinstance(error, QuotaSpent) and self.patience.wait(error)):
                    raise
                continue
            return self._answered(claim, booked, told, adopted=False)

    def _posted_before(self, made: _Made) -> Booked | None:
        """Return the entry that a store which was put back from a backup does not know of any more."""
        if not restoring.may_hold(self.session.integration, (made.day,)):
            return None
        return self.patience.call(lambda: self.session.package.find_entry(made.entry.reference, made.entry.issue_date))

    def _open_day(self, day: date) -> date:
        """Return the day itself, or the first open one where its period was closed since (``Refused``: by setting)."""
        settings = self.session.integration.settings
        closed = settings.books_closed_until
        if closed is None or day > closed:
            return day
        if settings.closed_period == "quarantine":
            raise Refused("its period is closed", code=reasons.PERIOD_CLOSED, field="books_closed_until")
        return closed + _DAY

    # --------------------------------------------------------------------------------------------- an entry of before

    def look_up(self, claim: Booking) -> DocumentOutcome | None:
        """Settle an entry without an answer, or one that stood wrongly; ``None``: it is not there, its members wait."""
        day = claim.original_date or claim.issue_date
        reference = claim.reference or self._reference(day, claim.revision)
        told = self._told(day, reference, self.summaries.members(claim.document_key, claim.revision))
        told = told.model_copy(update={"issue_date": claim.issue_date})
        if self._stopped:
            return self._waits(told, self._stopped)
        wait = (claim.claimed_at + self.settle - datetime.now(UTC)).total_seconds()
        if wait > 0 and claim.state is BookingState.CLAIMED:
            log.info("day=%s has an entry without an answer; waiting %.0f s before it is looked up", day, wait)
            self.sleep(wait)
        try:
            if claim.emptied:  # whatever stands there now, nothing tells whether it is what was sent
                raise Refused("its amounts have expired", code=reasons.CLAIM_EXPIRED, field="reference")
            found = self.patience.call(lambda: self.session.package.find_entry(reference, claim.issue_date))
            gone = found is None and (claim.state is BookingState.CLAIMED or self._deleted(claim))
        except RetryLater as error:
            self._stopped = reasons.QUOTA_SPENT if isinstance(error, QuotaSpent) else reasons.PACKAGE_UNAVAILABLE
            log.warning("day=%s could not be looked up: %s", day, error)
            return self._waits(told, self._stopped)
        except Refused as error:
            return self._refused(told, reason_of(error), error.field)
        if gone:
            self.summaries.release(claim)
            return None
        if found is None:
            told = told.model_copy(update={"external_id": claim.external_id})
            return self._refused(told, claim.reason or reasons.TOTAL_DIFFERS, "reference")
        return self._answered(claim, found, told, adopted=True)

    def _deleted(self, claim: Booking) -> bool:
        """Whether an entry that stood wrongly was deleted in the books, as we advised, and was offered again.

        Never without an offer. An offer comes of new settings too, and a person may have given the entry another
        reference: it must be gone under its id as well.
        """
        if not self.session.quarantine.known([claim.key]).get(claim.key, False):
            return False
        around = (claim.issue_date - NEAR, claim.issue_date + NEAR)
        stand = self.patience.call(lambda: list(self.session.package.documents(*around)))
        return all(booked.external_id != claim.external_id for booked in stand)

    def tell(self, summary: Booking) -> DocumentOutcome:
        """Tell an entry that stands in the books as this run's."""
        mine = self.session.bookings.take_over(*summary.key, summary.revision, self.run_id)
        members = self.summaries.members(mine.document_key, mine.revision)
        day = mine.original_date or mine.issue_date
        told = self._told(day, mine.reference or self._reference(day, mine.revision), members)
        result = Result.ADOPTED if mine.adopted else Result.BOOKED
        update = {"result": result, "external_id": mine.external_id, "issue_date": mine.issue_date}
        return told.model_copy(update=update)

    # ------------------------------------------------------------------------------------------------------ the answer

    def _answered(self, claim: Booking, booked: Booked, told: DocumentOutcome, *, adopted: bool) -> DocumentOutcome:
        """Write the package's answer down, held against what was sent: to the cent, and once."""
        sent = (claim.reference, claim.total_cents, claim.vat_cents)
        got = (booked.reference, cents(booked.total_with_vat), cents(booked.total_vat))
        if sent == got and booked.copies == 1:
            return self._recorded(claim, booked.external_id, told, adopted=adopted)
        reason = reasons.TOTAL_DIFFERS if sent != got else reasons.BOOKED_TWICE
        self.summaries.quarantine(claim, reason, booked.external_id)
        field = f"books={got[1]} sent={sent[1]} vat_books={got[2]} vat_sent={sent[2]} copies={booked.copies}"
        return self._refused(told.model_copy(update={"external_id": booked.external_id}), reason, field)

    def _recorded(self, claim: Booking, external_id: str, told: DocumentOutcome, *, adopted: bool) -> DocumentOutcome:
        claim = self.summaries.reopen(claim, self.run_id)
        documents = self.summaries.record(claim, external_id, adopted=adopted)
        log.info(
            "day=%s entry=%s documents=%s total_cents=%s vat_cents=%s %s",
            told.document_id, claim.reference, documents, claim.total_cents, claim.vat_cents, _rates(claim),
        )  # fmt: skip
        result = Result.ADOPTED if adopted else Result.BOOKED
        return told.model_copy(update={"result": result, "external_id": external_id})

    def _waits(self, told: DocumentOutcome, reason: str) -> DocumentOutcome:
        return told.model_copy(update={"result": Result.DEFERRED, "reason": reason})

    def _refused(self, told: DocumentOutcome, reason: str, field: str | None) -> DocumentOutcome:
        """A person must look; every later run tries again by itself."""
        return told.model_copy(update={"result": Result.QUARANTINED, "reason": reason, "field": field})

    def _unsound(self, members: Sequence[Booking]) -> str:
        """Name the documents that do not add up by themselves: a few, for a person to look them up."""
        names = []
        for booking in members:
            try:
                self._entry(booking.reference or "", booking.issue_date, [booking])
            except (Defect, Refused):
                names.append(booking.reference or "?")
        return ",".join(names[:_NAMED])

    def _told(self, day: date, reference: str, members: Sequence[Booking]) -> DocumentOutcome:
        return DocumentOutcome(
            kind=DocumentKind.DAY_SUMMARY,
            document_id=day.isoformat(),
            order_id="",
            order_number=reference,
            result=Result.BOOKED,
            reference=reference,
            rule=RULE,
            issue_date=day,
            currency=self.session.integration.settings.currency,
            total=from_cents(sum(booking.total_cents or 0 for booking in members)),
            vat=from_cents(sum(booking.vat_cents or 0 for booking in members)),
            role=Role.OWN,
        )

    def _reference(self, day: date, revision: int) -> str:
        """``D20261101``, and ``D20261101-2`` for what came after the first entry, behind the integration's prefix."""
        again = f"-{revision + 1}" if revision else ""
        return f"{self.session.integration.settings.reference_prefix}D{day:%Y%m%d}{again}"

    def _key(self, day: date) -> bytes:
        code = self.session.integration.code
        return self.session.pseudonyms.document_key(code, DocumentKind.DAY_SUMMARY, day.isoformat())


def _member(booking: Booking) -> Member:
    if booking.figures is None or booking.paid is None or booking.total_cents is None or booking.vat_cents is None:
        raise Defect(f"a held document of {booking.issue_date} has no figures: it cannot be posted", code="held_empty")
    return Member(
        figures=booking.figures,
        paid=booking.paid,
        total_cents=booking.total_cents,
        vat_cents=booking.vat_cents,
        currency=booking.currency,
    )


def _rates(claim: Booking) -> str:
    """Net and VAT in cents per treatment, as the entry has them."""
    sums: dict[str, tuple[int, int]] = {}
    for figure in claim.figures or ():
        key = tax_key(figure.treatment) if figure.treatment else "cash rounding"
        net, vat = sums.get(key, (0, 0))
        sums[key] = (net + figure.net_cents, vat + figure.vat_cents)
    return "rates=" + ",".join(f"{key.replace(' ', '/')}:{net}+{vat}" for key, (net, vat) in sorted(sums.items()))
