"""The books' half of a reconciliation: booking rows (the column ``sluis``) against what stands in the package.

Packages tell a document's total and VAT, not its rates: those are taken from our own figures, and where the package's
VAT is off, the difference stands under the one rate it can belong to, or under ``not_split``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from sluis.core import reconciliation as rec
from sluis.core.figures import Figures
from sluis.core.icp import Icp
from sluis.core.invoice import DocumentKind
from sluis.core.money import cents
from sluis.core.personal import NOBODY, Personal
from sluis.core.reconciliation import NOT_SPLIT, SLUIS_PACKAGE, Difference, Period, Sheet, Side, Sums
from sluis.core.vat_return import Maker
from sluis.flows.summaries import NOTHING
from sluis.ports import Booked
from sluis.shops.reading import is_order_number
from sluis.store.bookings_rows import Booking, BookingState
from sluis.store.ledger import RowId

#: What sluis puts behind an order's number: credit note, revision, further document, reverse charge, late payment.
_ENDINGS = re.compile(r"(-(C[0-9]{0,3}|R[0-9]{1,3}|V[0-9]{1,3}|RC|P[0-9]{1,3}))+\Z")
#: A day's journal entry is posted by the first runs after the day; later than this something is wrong.
POSTED_WITHIN = timedelta(days=3)


class InPackage(NamedTuple):
    """A document of the package, as small as it can be kept."""

    external_id: str
    reference: str
    day: date
    currency: str
    total_cents: int
    vat_cents: int
    ours: bool | None


class Books:
    """What stands in the package around the period; each document is taken by at most one booking."""

    def __init__(self, documents: Iterable[Booked]) -> None:
        self._left = {found.external_id: found for found in map(_in_package, documents)}
        self._taken: dict[str, InPackage] = {}
        self.references: set[str] = set()  #: of what was taken

    def take(self, external_id: str | None) -> InPackage | None:
        """Return a document by the package's id, and leave it out of what is left over."""
        found = self._left.pop(external_id or "", None)
        if found is not None:
            self._taken[found.external_id] = found
            self.references.add(found.reference)
        return found or self._taken.get(external_id or "")

    def left(self, period: Period) -> list[InPackage]:
        """Return what no booking took, dated in the period."""
        return [found for found in self._left.values() if period.holds(found.day)]


@dataclass(frozen=True)
class Row:
    """A booking row with its figures as they are counted. ``split``: whether the rates are known."""

    booking: Booking
    figures: Figures | None
    sums: Sums
    split: bool

    @classmethod
    def of(cls, booking: Booking, shown: Figures | None, books: Books) -> Row:
        """Take the row's own figures; where they are not kept, those the shop shows now, if the total is the same.

        With nothing of its own left (retention empties totals too) the package's total counts.
        """
        if booking.figures is not None:
            return cls(booking, booking.figures, rec.sums_of(booking.figures), split=True)
        total, vat = booking.total_cents, booking.vat_cents
        if shown is not None and total in (None, rec.total(rec.sums_of(shown))):
            return cls(booking, shown, rec.sums_of(shown), split=True)
        if total is None and (found := books.take(booking.external_id)) is not None:
            total, vat = found.total_cents, found.vat_cents
        sums = {NOT_SPLIT: ((total or 0) - (vat or 0), vat or 0)}
        return cls(booking, None, sums, split=False)

    @property
    def id(self) -> RowId:
        """What it is found by."""
        return RowId(self.booking.kind, self.booking.document_key, self.booking.revision)

    @property
    def total(self) -> int:
        """Cents with VAT and cash rounding."""
        return rec.total(self.sums)

    @property
    def emptied(self) -> bool:
        """Whether retention left no amount to compare."""
        return self.booking.total_cents is None and self.booking.figures is None

    @property
    def lines(self) -> int:
        """How many lines it stands for: by so many cents a package's own VAT may be off."""
        return sum(figure.lines for figure in self.figures) if self.figures else 1


@dataclass
class _Members:
    """The documents of one day's entry that are dated in the period."""

    summary: Booking
    documents: int = 0
    cents: int = 0


@dataclass
class BooksSide:
    """Counts rows and package documents into the sheet, the VAT return and the ICP list; each row once."""

    period: Period
    today: date  #: in the shop's time zone
    books: Books
    sheet: Sheet
    maker: Maker
    icp: Icp
    summaries: dict[tuple[bytes, int], Booking]
    prefix: str = ""  #: of the integration's numbers
    not_split: int = 0
    waiting_references: set[str] = field(default_factory=set)  #: of claims: the package may hold them
    _done: set[RowId] = field(default_factory=set)
    _members: dict[tuple[bytes, int], _Members] = field(default_factory=dict)

    def seen(self, row_id: RowId) -> bool:
        """Whether a row was counted already."""
        return row_id in self._done

    def count(self, row: Row, *, sold_on: date | None = None, number: Personal = NOBODY, country: str = "") -> None:
        """Count a row, if it is dated in the period or its document in the package is."""
        if row.id in self._done or row.booking.kind is DocumentKind.DAY_SUMMARY:
            return
        self._done.add(row.id)
        if row.booking.state is BookingState.CLAIMED and row.booking.reference is not None:
            self.waiting_references.add(row.booking.reference)
        if not row.booking.stands:
            return
        if self.period.holds(row.booking.issue_date):
            self.sheet.add(Side.SLUIS, row.booking.currency, row.sums)
            self.not_split += not row.split
            if row.figures is not None:
                self.maker.add(row.figures, sold_on=sold_on if row.booking.kind is DocumentKind.CREDIT_NOTE else None)
                self.icp.add(row.figures, number, country)
        if row.booking.state is BookingState.HELD or row.booking.summary_key is not None:
            self._member(row)
        else:
            self._single(row)

    # ---------------------------------------------------------------------------------------- documents by themselves

    def _single(self, row: Row) -> None:
        found = self.books.take(row.booking.external_id)
        here = self.period.holds(row.booking.issue_date)
        there = found is not None and self.period.holds(found.day)
        if found is None:
            if here:
                self._differ(row, rec.MISSING_IN_PACKAGE, first=row.total)
            return
        held = self._held(row, found)
        if there:
            self.sheet.add(Side.PACKAGE, row.booking.currency, held)
        cause, detail = _cause(row, found, rec.total(held), here=here, there=there)
        if cause is not None and (here or there):
            self._differ(
                row, cause, first=row.total if here else None, second=rec.total(held) if there else None,
                second_date=found.day, detail=detail,
            )  # fmt: skip

    def _held(self, row: Row, found: InPackage) -> Sums:
        """Return the package's amounts per treatment: ours, and what its own total and VAT are off by."""
        sent = row.booking.package_total_cents  # as the package computed it when it was booked, which was accepted
        off = 0 if row.emptied else found.total_cents - (row.total if sent is None else sent)
        off_vat = found.vat_cents - sum(vat for _, vat in row.sums.values())
        if not off and not off_vat:
            return row.sums
        taxed = [key for key, (_, vat) in row.sums.items() if vat] or list(row.sums)
        held = dict(row.sums)
        rec.add(held, taxed[0] if len(taxed) == 1 else NOT_SPLIT, (off - off_vat, off_vat))
        return held

    # --------------------------------------------------------------------------------------------- days' entries

    def _member(self, row: Row) -> None:
        booking = row.booking
        here = self.period.holds(booking.issue_date)
        if booking.summary_key is None or booking.summary_revision is None:
            if here:
                late = self.today - booking.issue_date > POSTED_WITHIN
                self._differ(row, rec.HELD_TOO_LONG if late else rec.HELD_FOR_DAY, first=row.total)
            return
        key = (booking.summary_key, booking.summary_revision)
        summary = self.summaries.get(key)
        if summary is None or summary.state is not BookingState.BOOKED:
            if here:
                waits = summary is None or summary.state is BookingState.CLAIMED
                cause = rec.WAITING if waits else rec.QUARANTINED
                self._differ(row, cause, first=row.total, detail=summary.reason if summary else None)
            return
        if not here:
            return
        if summary.external_id == NOTHING:  # the day nets to zero on every account
            self.sheet.add(Side.PACKAGE, booking.currency, row.sums)
        members = self._members.setdefault(key, _Members(summary))
        members.documents += 1
        members.cents += row.total
        found = self.books.take(summary.external_id)
        if found is not None and self.period.holds(found.day):
            self.sheet.add(Side.PACKAGE, booking.currency, row.sums)

    def close_days(self) -> None:
        """Compare every day's entry with its members."""
        for members in self._members.values():
            if members.summary.external_id == NOTHING:
                if members.cents:
                    self.sheet.add(
                        Side.PACKAGE, members.summary.currency, {NOT_SPLIT: (-members.cents, 0)}, documents=0
                    )
                    self._day_differs(members, rec.TOTAL_DIFFERS, None, 0)
                continue
            found = self.books.take(members.summary.external_id)
            there = found is not None and self.period.holds(found.day)
            if found is None or not there:
                cause = rec.MISSING_IN_PACKAGE if found is None else rec.DATED_ELSEWHERE
                self._day_differs(members, cause, found, None)
            elif found.total_cents != members.cents:
                off = found.total_cents - members.cents
                self.sheet.add(Side.PACKAGE, members.summary.currency, {NOT_SPLIT: (off, 0)}, documents=0)
                self._day_differs(members, rec.TOTAL_DIFFERS, found, found.total_cents)

    def _day_differs(self, members: _Members, cause: str, found: InPackage | None, second: int | None) -> None:
        summary = members.summary
        self.sheet.differ(
            Difference(
                cause=cause, between=SLUIS_PACKAGE, kind=DocumentKind.DAY_SUMMARY, order_number=None,
                reference=summary.reference, currency=summary.currency, documents=members.documents,
                first_cents=members.cents, second_cents=second, first_date=summary.issue_date,
                second_date=found.day if found else None,
            )
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- the rest

    def stranger(self, found: InPackage, cause: str, *, detail: str | None = None) -> None:
        """Count a document of the package that no booking holds."""
        self.sheet.add(
            Side.PACKAGE, found.currency, {NOT_SPLIT: (found.total_cents - found.vat_cents, found.vat_cents)}
        )
        self.sheet.differ(
            Difference(
                cause=cause, between=SLUIS_PACKAGE,
                kind=DocumentKind.CREDIT_NOTE if found.total_cents < 0 else DocumentKind.INVOICE,
                order_number=None, reference=shown(found, self.prefix), currency=found.currency, first_cents=None,
                second_cents=found.total_cents, second_date=found.day, detail=detail,
            )
        )  # fmt: skip

    def _differ(
        self, row: Row, cause: str, *, first: int | None = None, second: int | None = None,
        second_date: date | None = None, detail: str | None = None,
    ) -> None:  # fmt: skip
        booking = row.booking
        self.sheet.differ(
            Difference(
                cause=cause, between=SLUIS_PACKAGE, kind=booking.kind, order_number=booking.order_number,
                reference=booking.reference, currency=booking.currency, first_cents=first, second_cents=second,
                first_date=booking.issue_date, second_date=second_date, detail=detail,
            )
        )  # fmt: skip


def shown(found: InPackage, prefix: str) -> str:
    """Return what a document that no booking holds is called in tables and logs.

    A person may have typed anything into its reference, so that is shown only where it is a number of our form: an
    order number behind the integration's prefix, with the endings that sluis gives. Else ``id:`` and the package's id.
    """
    number = _ENDINGS.sub("", found.reference)
    ours = is_order_number(number) and is_order_number(number.removeprefix(prefix))
    return found.reference if ours else f"id:{found.external_id}"


def _cause(row: Row, found: InPackage, held: int, *, here: bool, there: bool) -> tuple[str | None, str | None]:
    """Say why a row and its document differ, the gravest cause first."""
    booking = row.booking
    off_vat = found.vat_cents - sum(vat for _, vat in row.sums.values())
    checks: Iterator[tuple[bool, str, str | None]] = iter(
        (
            (here != there, rec.DATED_ELSEWHERE, None),
            (found.currency != booking.currency, rec.TOTAL_DIFFERS, "currency"),
            (held != row.total, rec.TOTAL_DIFFERS, None),
            (abs(off_vat) > row.lines, rec.VAT_DIFFERS, None),
            (off_vat != 0, rec.VAT_ROUNDING, None),
            (found.day != booking.issue_date, rec.DATE_MOVED, None),
        )
    )
    return next(((cause, detail) for holds, cause, detail in checks if holds), (None, None))


def _in_package(booked: Booked) -> InPackage:
    return InPackage(
        booked.external_id, booked.reference, booked.issue_date, booked.currency, cents(booked.total_with_vat),
        cents(booked.total_vat), booked.ours,
    )  # fmt: skip
