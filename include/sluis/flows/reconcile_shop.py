"""The shop's half of a reconciliation: every document of the shop, as the core decides it today, against its rows.

An order whose documents were each booked once is compared document by document. One that was corrected (reversed,
invoiced anew, a refund taken back) is compared as a whole: what stands of it in all periods must be what the shop
shows; where it is, a difference inside the period is the correction's date and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sluis.core import reasons
from sluis.core import reconciliation as rec
from sluis.core.figures import Figures, figures_of
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Result
from sluis.core.money import cents
from sluis.core.personal import NOBODY, Personal
from sluis.core.reconciliation import SHOP_SLUIS, UNDECIDED, Difference, Period, Sheet, Side, Sums
from sluis.flows.reconcile_books import Books, BooksSide, Row
from sluis.store.bookings_rows import Booking, BookingState
from sluis.store.ledger import Waiting

#: Skipped for a cause that lies in time and not in the order: a booking of it is right all the same.
OF_THE_PAST = frozenset({reasons.BEFORE_START, reasons.TOO_OLD})
_CLOSED = {"booked_by_hand": rec.BOOKED_BY_HAND, "not_to_be_booked": rec.NOT_TO_BE_BOOKED}
_WAITS = {BookingState.CLAIMED: rec.WAITING, BookingState.QUARANTINED: rec.QUARANTINED}

DocumentKey = tuple[DocumentKind, bytes]


@dataclass(frozen=True)
class Doc:
    """A document as the shop shows it and the core decides it today. Cents signed."""

    key: DocumentKey
    order_number: str
    reference: str | None
    result: Result  #: ``booked``: it would be
    reason: str | None
    day: date | None  #: where the law puts it, also where its period is closed in the books
    moved: bool  #: the core dates it on another day, its own period being closed
    currency: str
    figures: Figures | None
    sums: Sums
    changed_at: datetime | None

    @classmethod
    def of(cls, decision: Decision, key: DocumentKey, *, day: date | None, changed_at: datetime | None) -> Doc:
        """Read a decision; ``day`` is the shop's date for a document whose outcome names none."""
        if isinstance(decision, DocumentOutcome):
            total, vat = cents(decision.total), cents(decision.vat)
            sums = {UNDECIDED: (total - vat, vat)} if total or vat else {}
            return cls(
                key=key, order_number=decision.order_number, reference=decision.reference, result=decision.result,
                reason=decision.reason, day=decision.issue_date or day, moved=False, currency=decision.currency,
                figures=None, sums=sums, changed_at=changed_at,
            )  # fmt: skip
        invoice = decision.invoice
        figures = figures_of(invoice)
        return cls(
            key=key, order_number=invoice.order_number, reference=invoice.invoice_number, result=Result.BOOKED,
            reason=None, day=invoice.original_date or invoice.issue_date, moved=invoice.original_date is not None,
            currency=invoice.currency, figures=figures, sums=rec.sums_of(figures), changed_at=changed_at,
        )  # fmt: skip

    @property
    def total(self) -> int:
        """Cents with VAT and cash rounding."""
        return rec.total(self.sums)


@dataclass(frozen=True)
class Shown:
    """One order of the shop with all that the store knows of it."""

    docs: Sequence[Doc]
    rows: Sequence[Booking]  #: all revisions, all periods
    reversals: frozenset[DocumentKey]  #: keys of the reversals that its documents may have
    waiting: Mapping[DocumentKey, Waiting]
    number: Personal = NOBODY  #: the buyer's VAT number
    country: str = ""


@dataclass
class ShopSide:
    """Compares orders with their rows and tells every difference."""

    period: Period
    watermark: datetime | None
    sheet: Sheet
    books: Books
    books_side: BooksSide
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)  #: documents per reason and currency
    skipped_cents: Counter[tuple[str, str]] = field(default_factory=Counter)
    unbooked: dict[str, str] = field(default_factory=dict)  #: reference -> cause, of what no row holds

    def order(self, shown: Shown) -> None:
        """Compare one order."""
        docs = {doc.key: doc for doc in shown.docs}
        rows = [Row.of(row, self._figures(docs.get(row.key), row), self.books) for row in shown.rows]
        sold_on = _sold_on(shown)
        for row in rows:
            self.books_side.count(row, sold_on=sold_on, number=shown.number, country=shown.country)
        if all(row.booking.revision == 0 and row.booking.key in docs for row in rows):
            by_key = {row.booking.key: row for row in rows}
            for doc in shown.docs:
                self._pair(doc, by_key.get(doc.key), shown.waiting.get(doc.key))
        else:
            self._corrected(shown, rows)

    def gone(self, rows: Sequence[Booking], known: Sequence[Booking]) -> None:
        """Tell of rows whose order the shop does not show. ``known``: all rows of that order, of all periods."""
        counted = [Row.of(row, None, self.books) for row in rows]
        for row in counted:
            self.books_side.count(row)
        settled = not rec.merged([Row.of(row, None, self.books).sums for row in known if row.stands])
        cause = _waits(counted) or (rec.CORRECTED if settled else rec.GONE_FROM_SHOP)
        for currency in sorted({row.currency for row in rows}):
            ours = [row for row in counted if row.booking.currency == currency]
            last = max(ours, key=lambda row: (row.booking.issue_date, row.id)).booking
            here = rec.merged([row.sums for row in ours if row.booking.stands])
            self._differ(cause, last, None, here or None, detail=last.reason)

    # --------------------------------------------------------------------------------------- document by document

    def _pair(self, doc: Doc, row: Row | None, waiting: Waiting | None) -> None:
        held = row if row is not None and row.booking.stands else None
        agrees = held is not None and self._agrees(doc, held)
        counts = doc.result is not Result.SKIPPED or (agrees and doc.reason in OF_THE_PAST)
        taken = held if held is not None and agrees and doc.figures is None else None
        here, there = self.period.holds(doc.day), held is not None and self.period.holds(held.booking.issue_date)
        if not counts and held is None:
            self._skip(doc, here=here)
            return
        shop = (taken.sums if taken else doc.sums) if counts and here else None
        if shop is not None:
            self.sheet.add(Side.SHOP, taken.booking.currency if taken else doc.currency, shop)
        if held is None:
            cause, detail = self._not_booked(doc, row, waiting) if here else (None, None)
        else:
            cause, detail = self._booked(doc, held, waiting, agrees=agrees, shifted=(shop is not None) != there)
        if cause is not None and (here or there):
            unit = taken.booking.currency if taken else None
            self._differ(cause, held.booking if held else None, shop, held.sums if held and there else None,
                         doc=doc, detail=detail, currency=unit)  # fmt: skip

    def _not_booked(self, doc: Doc, row: Row | None, waiting: Waiting | None) -> tuple[str, str | None]:
        if row is not None:
            cause, detail = _WAITS[row.booking.state], row.booking.reason
        elif waiting is not None and waiting.closed_as is None:
            cause, detail = rec.QUARANTINED, waiting.reason
        elif waiting is not None and waiting.closed_as in _CLOSED:
            cause, detail = _CLOSED[waiting.closed_as], waiting.reason
        elif self._unread(doc):
            cause, detail = rec.NOT_READ_YET, doc.reason
        elif doc.result is Result.QUARANTINED:
            cause, detail = rec.QUARANTINED, doc.reason
        else:
            cause, detail = (rec.WAITING if doc.result is Result.DEFERRED else rec.NOT_BOOKED), doc.reason
        if doc.reference is not None:
            self.unbooked[doc.reference] = cause
        return cause, detail

    def _booked(
        self, doc: Doc, row: Row, waiting: Waiting | None, *, agrees: bool, shifted: bool
    ) -> tuple[str | None, str | None]:
        if not agrees:
            return self._changed(doc, same_total=doc.total == row.total, waiting=waiting)
        if shifted:
            moved = doc.moved or row.booking.original_date is not None
            return (rec.PERIOD_SHIFT if moved else rec.SHOP_DATE_MOVED), None
        return (rec.ADOPTED if row.booking.adopted else None), None

    def _changed(self, doc: Doc, *, same_total: bool, waiting: Waiting | None) -> tuple[str, str | None]:
        why = waiting.reason if waiting is not None and waiting.closed_as is None else doc.reason
        if self._unread(doc):
            return rec.NOT_READ_YET, rec.CHANGED_AFTER_BOOKING
        if same_total and doc.figures is not None:
            return rec.TREATMENT_DIFFERS, why
        return rec.CHANGED_AFTER_BOOKING, why

    # ----------------------------------------------------------------------------------------- orders as a whole

    def _corrected(self, shown: Shown, rows: Sequence[Row]) -> None:
        """An order of which more was booked than its documents: reversals, replacements, refunds that are gone."""
        with_rows = {row.booking.key for row in rows}
        docs = [doc for doc in shown.docs if doc.key in with_rows]
        for doc in shown.docs:
            if doc.key not in with_rows:
                self._pair(doc, None, shown.waiting.get(doc.key))
        standing = [row for row in rows if row.booking.stands]
        sold = [doc for doc in docs if doc.result is not Result.SKIPPED or doc.reason in OF_THE_PAST]
        agrees = _same([doc.sums for doc in sold], standing)
        shop_docs = [doc for doc in sold if self.period.holds(doc.day)]
        for doc in shop_docs:
            self.sheet.add(Side.SHOP, doc.currency, doc.sums)
        sluis_rows = [row for row in standing if self.period.holds(row.booking.issue_date)]
        cause, detail = (rec.CORRECTED, None) if agrees else self._uncorrected(shown, rows)
        for currency in sorted({d.currency for d in shop_docs} | {r.booking.currency for r in sluis_rows}):
            first = [doc.sums for doc in shop_docs if doc.currency == currency]
            second = [row.sums for row in sluis_rows if row.booking.currency == currency]
            if agrees and len(first) == len(second) and rec.merged(first) == rec.merged(second):
                continue
            self._differ(
                cause, rows[-1].booking, rec.merged(first) if first else None, rec.merged(second) if second else None,
                doc=replace(shown.docs[0], currency=currency), detail=detail, currency=currency,
            )  # fmt: skip

    def _uncorrected(self, shown: Shown, rows: Sequence[Row]) -> tuple[str, str | None]:
        keys = {doc.key for doc in shown.docs} | shown.reversals
        unshown = [row for row in rows if row.booking.key not in keys and row.booking.stands]
        waits = _waits(rows)
        opened = next((w.reason for w in shown.waiting.values() if w.closed_as is None), None)
        if any(self._unread(doc) for doc in shown.docs):
            return rec.NOT_READ_YET, rec.CHANGED_AFTER_BOOKING
        if waits is not None:
            return waits, next((row.booking.reason for row in rows if row.booking.reason), None)
        return (rec.GONE_FROM_SHOP if unshown else rec.CHANGED_AFTER_BOOKING), opened

    # ------------------------------------------------------------------------------------------------- helpers

    def _agrees(self, doc: Doc, row: Row) -> bool:
        """Whether what is booked is what the shop shows: per treatment where both are known, else the total."""
        if row.emptied:
            return True
        if doc.figures is not None:
            return _same([doc.sums], [row])
        if doc.result is Result.SKIPPED and doc.reason not in OF_THE_PAST:
            return False
        return doc.currency != row.booking.currency or doc.total == row.total  # another currency: nothing to compare

    def _figures(self, doc: Doc | None, row: Booking) -> Figures | None:
        return doc.figures if doc is not None and row.revision == 0 else None

    def _unread(self, doc: Doc) -> bool:
        return self.watermark is None or (doc.changed_at is not None and doc.changed_at >= self.watermark)

    def _skip(self, doc: Doc, *, here: bool) -> None:
        if here:
            key = (doc.reason or doc.result.value, doc.currency)
            self.skipped[key] += 1
            self.skipped_cents[key] += doc.total

    def _differ(
        self, cause: str, row: Booking | None, shop: Sums | None, sluis: Sums | None, *, doc: Doc | None = None,
        detail: str | None = None, currency: str | None = None,
    ) -> None:  # fmt: skip
        """Tell a difference; amounts in two currencies are two lines, as they cannot be subtracted."""
        first, second = (None if sums is None else rec.total(sums) for sums in (shop, sluis))
        of_shop = currency or (doc.currency if doc else row.currency if row else "")
        of_books = currency or (row.currency if row else of_shop)
        apart = first is not None and second is not None and of_shop != of_books
        pairs = [(first, None, of_shop), (None, second, of_books)] if apart else [
            (first, second, of_shop if first is not None or second is None else of_books)
        ]  # fmt: skip
        number, kind = (doc.order_number, doc.key[0]) if doc else (None, DocumentKind.INVOICE)
        if row is not None and doc is None:
            number, kind = row.order_number, row.kind
        for one, other, unit in pairs:
            self.sheet.differ(
                Difference(
                    cause=cause, between=SHOP_SLUIS, kind=kind, order_number=number,
                    reference=row.reference if row else doc.reference if doc else None, currency=unit,
                    first_cents=one, second_cents=other, first_date=doc.day if doc else None,
                    second_date=row.issue_date if row else None, detail=detail,
                )
            )  # fmt: skip


def _waits(rows: Iterable[Row]) -> str | None:
    """Return the cause of rows that do not stand in the books, the gravest first."""
    found = {_WAITS[row.booking.state] for row in rows if row.booking.state in _WAITS}
    return next((cause for cause in (rec.QUARANTINED, rec.WAITING) if cause in found), None)


def _same(shop: list[Sums], rows: Iterable[Row]) -> bool:
    """Whether sums and rows are equal: per treatment, or by their totals where the rows' rates are not known."""
    rows = list(rows)
    booked = [row.sums for row in rows]
    if any(row.emptied for row in rows):
        return True
    if all(row.split for row in rows) and not any(UNDECIDED in sums for sums in shop):
        return rec.merged(shop) == rec.merged(booked)
    return rec.total(rec.merged(shop)) == rec.total(rec.merged(booked))


def _sold_on(shown: Shown) -> date | None:
    """Return when the order was sold, for its credit notes: as it was first booked, or as the shop says."""
    booked = [row.issue_date for row in shown.rows if row.kind is DocumentKind.INVOICE and row.stands]
    told = [doc.day for doc in shown.docs if doc.key[0] is DocumentKind.INVOICE and doc.day is not None]
    return min(booked or told, default=None)
