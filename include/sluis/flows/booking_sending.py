"""The protocol that makes it exactly once: claim, create, record. One document at a time, whatever form it takes.

The order of steps (DESIGN.md section 4): the debtor first (its creation is idempotent by our own key), then the claim
(committed), then one create, then the package's id (committed). Killed between any two of them, the next run finds
either no row (nothing was sent), a claim (it is looked up in the books before any new create), or a booking.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sluis.core import journals, reasons
from sluis.core.figures import Figures, figures_of
from sluis.core.invoice import Invoice, Result
from sluis.core.journals import Paid
from sluis.core.money import cents, from_cents
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows import posting, restoring
from sluis.flows.booking_debtors import Debtors
from sluis.flows.booking_rows import Rows
from sluis.flows.patience import Patience
from sluis.flows.posting import BookedAs
from sluis.flows.wiring import Session
from sluis.ports import Booked, Debtor, Form
from sluis.store.bookings import Booking, BookingForm, BookingState

log = logging.getLogger("sluis.booking")

#: How far a person may have moved the date of a document that we booked.
NEAR = timedelta(days=31)


class Halted(RetryLater):
    """No further call is made in this run; ``code`` is the reason."""


@dataclass(frozen=True)
class Document:
    """What is to be brought to the books."""

    invoice: Invoice  #: under the number it gets
    form: BookedAs
    revision: int = 0
    debtor_id: str | None = None  #: on whom it must stand; ``None``: on its buyer's debtor, where it needs one
    figures: Figures | None = None  #: where they are not those of the invoice's own lines
    paid: tuple[Paid, ...] | None = None  #: what counts as paid with it, where its entry holds another part of that


@dataclass(frozen=True)
class Placed:
    """Where a document stands now. Result ``quarantined``: it stands in the books, but not as it should."""

    row: Booking
    result: Result
    field: str | None = None


@dataclass
class Sender:
    """Brings documents to the books; the caller holds the administration's lock."""

    session: Session
    run_id: str
    rows: Rows
    debtors: Debtors
    settle: timedelta
    patience: Patience
    sleep: Callable[[float], None] = time.sleep
    stopped: str | None = None  #: why no further call is made
    answered: bool = False  #: the package has answered since this was last set to ``False``

    def place(self, document: Document, existing: Booking | None) -> Placed:
        """Bring a document to the books; ``existing``: its row in this revision, which does not stand there yet.

        What was sent before and had no answer may have been something else: compare the row's fingerprint.
        Raises ``RetryLater``, ``Refused`` and ``Reconnect``; then certainly nothing was written or a claim says so.
        """
        if existing is not None and existing.emptied and existing.external_id is None:
            raise _unknowable(existing)
        if existing is not None and existing.external_id is not None:
            again = self._reconsidered(document, existing)
            if again is not None:
                return again
            existing = None
        if existing is not None and existing.state is BookingState.CLAIMED:
            settled = self.settle_claim(existing, document.invoice)
            if settled is not None:
                return settled
        elif (by_hand := self._booked_by_hand(document)) is not None:
            document, found = by_hand
            return self._record(self._claim(document), found, adopted=True)
        if document.form != "invoice":
            self._mapped(document)
        return self._held(document) if document.form == "held" else self._sent(document)

    def settle_claim(self, claim: Booking, invoice: Invoice | None) -> Placed | None:
        """Look up a claim without an answer: record what the books hold of it, or take it back (``None``).

        ``invoice`` says whose documents to look among first. Raises ``Halted`` once the package is not to be called any
        more, and ``Refused("claim_expired")`` where retention emptied what was sent: its absence would prove nothing.
        """
        if claim.emptied or claim.reference is None:
            raise _unknowable(claim)
        self._may_call()
        debtor_id = self.debtors.known(invoice) if invoice is not None else None
        wait = (claim.claimed_at + self.settle - datetime.now(UTC)).total_seconds()
        if wait > 0:
            log.info("order=%s has a claim without an answer; waiting %.0f s before it is looked up",
                     claim.order_number, wait)  # fmt: skip
            self.sleep(wait)
        sent = from_cents(claim.total_cents or 0)
        found = self._find(claim.form, claim.reference, sent, claim.issue_date, debtor_id)
        if found is None:
            self.release(claim)
            return None
        # By this run, whose report will tell of it; the row keeps what was sent.
        mine = self.session.bookings.claim(
            kind=claim.kind, document_key=claim.document_key, revision=claim.revision,
            **_as_it_was(claim), run_id=self.run_id,
        )  # fmt: skip
        return self._record(mine, found, adopted=True, debtor_id=debtor_id)

    def release(self, row: Booking) -> None:
        """Take a row back of which certainly nothing stands in the books."""
        self.session.bookings.release(row.kind, row.document_key, row.revision)
        self.rows.drop(row)

    def content(self, document: Document) -> dict[str, Any]:
        """Return what is stored of a document before it is sent."""
        invoice, form = document.invoice, document.form
        settings = self.session.integration.settings
        in_entry = form == "held" or (form == "journal_entry" and posting.with_payments(settings))
        paid = journals.paid_of(invoice) if document.paid is None else document.paid
        kind, key = self.rows.key(invoice.kind, invoice.document_id)
        return {
            "kind": kind,
            "document_key": key,
            "revision": document.revision,
            "reference": invoice.invoice_number,
            "reference_key": self.session.reference_key(invoice.invoice_number),
            "order_number": invoice.order_number,
            "fingerprint": self.session.pseudonyms.fingerprint(invoice),
            "total_cents": cents(total_of(invoice, form)),
            "vat_cents": kind.sign * cents(invoice.total_vat),
            "currency": invoice.currency,
            "issue_date": invoice.issue_date,
            "run_id": self.run_id,
            "form": "invoice" if form == "invoice" else "journal_entry",
            "figures": figures_of(invoice) if document.figures is None else document.figures,
            "paid": paid if in_entry else (),
            "payment_method": invoice.payment_method,
            "evidence": invoice.evidence,
            "original_date": invoice.original_date,
        }

    # ------------------------------------------------------------------------------------------------------- sending

    def _mapped(self, document: Document) -> None:
        setting = posting.missing(document.invoice, self.session.integration.settings, document.form)
        if setting is not None:
            raise Refused("the journal entry lacks an account", code=reasons.MAPPING_MISSING, field=setting)

    def _held(self, document: Document) -> Placed:
        """Account for a document that its day's entry will hold; nobody is called."""
        row = self.rows.keep(self.session.bookings.hold(**self.content(document)))
        return Placed(row, Result.SUMMARISED)

    def _sent(self, document: Document) -> Placed:
        self._may_call()
        debtor = self._debtor(document)
        try:
            claim, booked = self._create(document, debtor)
        except Refused as error:
            if error.code != "debtor_gone" or debtor is None or debtor.created:
                raise
            debtor = self.debtors.renewed(document.invoice)
            claim, booked = self._create(document, debtor)
        self.debtors.used(document.invoice)
        return self._record(claim, booked, adopted=False, debtor_id=debtor.id if debtor else None)

    def _debtor(self, document: Document) -> Debtor | None:
        if document.debtor_id is not None:
            return Debtor(id=document.debtor_id, created=False)
        settings = self.session.integration.settings
        if posting.needs_debtor(document.invoice, settings, document.form):
            return self.debtors.of(document.invoice)
        return None

    def _create(self, document: Document, debtor: Debtor | None) -> tuple[Booking, Booked]:
        """Claim and create. Where the quota is spent the claim is taken back before the wait and made anew after it.

        A claim's age says how long an answer has been missing, so it must be no older than what was sent.
        """
        debtor_id = debtor.id if debtor else None
        while True:
            claim = self._claim(document)
            if claim.attempts > 1:  # claimed since we looked: by a run whose connection, and lock with it, was lost
                raise OutcomeUnknown("another run has claimed this document; it is looked up by the next try")
            try:
                return claim, posting.send(self.session, document.invoice, debtor_id, document.form)
            except OutcomeUnknown:
                raise
            except (RetryLater, Reconnect, Refused) as error:  # certainly not written: the number is free again
                self.release(claim)
                if not (isinstance(error, QuotaSpent) and self.patience.wait(error)):
                    raise

    def _claim(self, document: Document) -> Booking:
        return self.rows.keep(self.session.bookings.claim(**self.content(document)))

    def _may_call(self) -> None:
        if self.stopped:
            raise Halted("no further call is made in this run", code=self.stopped)

    # ----------------------------------------------------------------------------------------------------- recording

    def _record(self, claim: Booking, booked: Booked, *, adopted: bool, debtor_id: str | None = None) -> Placed:
        """Write the package's answer down, measured against what was *sent*: the order may have changed since."""
        self.answered = True
        sent, sent_vat = claim.total_cents or 0, claim.vat_cents or 0
        got, got_vat = cents(booked.total_with_vat), cents(booked.total_vat)
        if booked.reference.split() != (claim.reference or "").split():  # an answer to something else proves nothing
            return self._wrong(claim, booked, reasons.TOTAL_DIFFERS, "reference")
        if not _agrees(booked, sent, sent_vat, claim.figures):
            field = f"books={got} sent={sent} vat_books={got_vat} vat_sent={sent_vat}"
            return self._wrong(claim, booked, reasons.TOTAL_DIFFERS, field)
        if booked.copies > 1:
            return self._wrong(claim, booked, reasons.BOOKED_TWICE, f"copies={booked.copies}")
        row = self.session.bookings.booked(
            claim.kind, claim.document_key, claim.revision,
            external_id=booked.external_id, debtor_id=booked.debtor_id or debtor_id,
            package_total_cents=got, package_vat_cents=got_vat, adopted=adopted,
        )  # fmt: skip
        return Placed(self.rows.keep(row), Result.ADOPTED if adopted else Result.BOOKED)

    def _wrong(self, claim: Booking, booked: Booked, reason: str, field: str) -> Placed:
        """Quarantine a document that stands in the books, but not as it should: it is not created again by itself."""
        row = self.session.bookings.quarantine(
            claim.kind, claim.document_key, claim.revision, reason, booked.external_id
        )
        return Placed(self.rows.keep(row), Result.QUARANTINED, field)

    # -------------------------------------------------------------------------------------------------- looking up

    def _booked_by_hand(self, document: Document) -> tuple[Document, Booked] | None:
        """Look up what waits, or once waited, in quarantine: a person may have followed our advice to book it by hand.

        He may have booked it on any contact, and where we make entries (for a day too) as an entry or an invoice: all
        of them are looked at, and what is found is recorded as what it is. For such documents only, and after a restore
        for those that may have been booked since the backup, of which our store knows nothing any more.
        """
        invoice = document.invoice
        dates = restoring.look_up(self.session.integration, invoice, document.revision)
        if not dates and not self.rows.waited(self.rows.key(invoice.kind, invoice.document_id)):
            return None
        self._may_call()
        entry = document.form != "invoice" and Form.JOURNAL_ENTRY in self.session.package.forms
        forms: tuple[BookingForm, ...] = ("journal_entry", "invoice") if entry else ("invoice",)
        for form, on in itertools.product(forms, dates or (invoice.issue_date,)):
            total = total_of(invoice, form)
            found = self._find(form, invoice.invoice_number, total, on, None)
            if found is not None:
                return replace(document, form=form), found
        return None

    def _find(
        self, form: BookingForm, reference: str, total: Decimal, on: date, debtor_id: str | None
    ) -> Booked | None:
        """Look among the debtor's documents, then among all: the order may have got another buyer since."""

        def find(debtor: str | None) -> Booked | None:
            return self.patience.call(lambda: posting.find(self.session, form, reference, total, on, debtor))

        found = find(debtor_id) if debtor_id and form == "invoice" else None
        return found or find(None)

    def _reconsidered(self, document: Document, existing: Booking) -> Placed | None:
        """Look whether a document that stood wrongly was put right in the books; ``None``: there is none any more."""
        wrong = Placed(existing, Result.QUARANTINED)
        if self.stopped or existing.reference is None:
            return wrong
        total = total_of(document.invoice, existing.form)
        found = self._find(existing.form, existing.reference, total, existing.issue_date, None)
        if found is None and self._deleted(existing):
            self.release(existing)
            return None
        what = self.content(document)
        agrees = found is not None and _agrees(found, what["total_cents"], what["vat_cents"], what["figures"])
        if found is None or found.copies > 1 or not agrees:
            return wrong
        row = self.session.bookings.adopt(
            **{**what, "form": existing.form}, external_id=found.external_id, debtor_id=found.debtor_id,
            package_total_cents=cents(found.total_with_vat), package_vat_cents=cents(found.total_vat),
        )  # fmt: skip
        return Placed(self.rows.keep(row), Result.ADOPTED)

    def _deleted(self, existing: Booking) -> bool:
        """Whether a document that stood wrongly in the books was deleted there, as we advised, and was offered again.

        Never without an offer. An offer comes of new settings too, so it must be gone under its reference *and* its id;
        of a journal entry no list tells the latter.
        """
        if existing.form != "invoice" or not self.rows.offered(existing.key):
            return False
        around = (existing.issue_date - NEAR, existing.issue_date + NEAR)
        stand = self.patience.call(lambda: list(self.session.package.documents(*around)))
        return all(booked.external_id != existing.external_id for booked in stand)


def _unknowable(claim: Booking) -> Refused:
    """Return the refusal of what may have reached the books, and can be looked up no more."""
    what = f"a claim of {claim.issue_date} has no answer, and its number and amounts have expired"
    return Refused(what, code=reasons.CLAIM_EXPIRED, field="reference")


def _as_it_was(claim: Booking) -> dict[str, Any]:
    """Return the content of a claim, for a statement that only counts the attempt."""
    return {
        "reference": claim.reference, "reference_key": claim.reference_key, "order_number": claim.order_number or "",
        "fingerprint": claim.fingerprint,
        "total_cents": claim.total_cents or 0, "vat_cents": claim.vat_cents or 0, "currency": claim.currency,
        "issue_date": claim.issue_date, "form": claim.form,
    }  # fmt: skip


def total_of(invoice: Invoice, form: BookedAs) -> Decimal:
    """Return what the books say is the document's total, signed; an entry tells cash rounding apart."""
    return invoice.kind.sign * (invoice.owed if form == "invoice" else invoice.total_with_vat)


def _agrees(booked: Booked, total_cents: int, vat_cents: int, figures: Figures | None) -> bool:
    """Whether the books hold the total to the cent, and its VAT within a cent per line."""
    lines = sum(figure.lines for figure in figures) if figures else 1
    vat_off = abs(cents(booked.total_vat) - vat_cents)
    return cents(booked.total_with_vat) == total_cents and vat_off <= lines
