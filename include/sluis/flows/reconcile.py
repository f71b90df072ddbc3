"""Shop, sluis and package compared over a month or a quarter, and what the period puts into the VAT returns.

The shop is read anew and decided by the core as a run decides it, but nothing is asked of registers (what was answered
when a document was booked stands in its row), nothing is booked and no order is kept: what stays in memory are keys,
sums and the package's references. Stored are counts, cents and causes.

Read of the shop: the orders dated in the period, and those changed in it and a month after it (an order paid in the
period may be older). Only where a row is left that no such order explains is the shop read on to today.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from more_itertools import chunked

from sluis.core import reconciliation as rec
from sluis.core.bookable import local_date
from sluis.core.evidence import NO_EVIDENCE
from sluis.core.icp import Icp, IcpLine
from sluis.core.invoice import Decision, DocumentKind, Prepared, invoice_id
from sluis.core.invoicing import prepare, unreadable
from sluis.core.order import Order, Unreadable
from sluis.core.personal import NOBODY
from sluis.core.reconciliation import LeftOut, Period, Reconciliation, Sheet
from sluis.core.reversal import reversal_id
from sluis.core.territory import normalise
from sluis.core.vat_return import Maker, Rules
from sluis.errors import NotConfigured
from sluis.flows.period import days
from sluis.flows.reconcile_books import Books, BooksSide, InPackage, Row
from sluis.flows.reconcile_shop import Doc, DocumentKey, ShopSide, Shown
from sluis.flows.wiring import Session
from sluis.ports import Window
from sluis.store.bookings_rows import Booking, BookingState
from sluis.store.ledger import Ledger, RowId
from sluis.store.reconciliations import CLI, Reconciliations

log = logging.getLogger("sluis.reconcile")

#: How far the date of a document may have been moved in the package, and how long after the period changes are read.
NEAR = timedelta(days=31)
_PER_QUERY = 250


@dataclass(frozen=True)
class Reconciled:
    """The result, and the ICP list for the person who asked: its VAT numbers go nowhere else."""

    result: Reconciliation
    icp: tuple[IcpLine, ...] = field(repr=False, default=())


def reconcile(session: Session, period: Period, *, run_id: str = CLI, now: datetime | None = None) -> Reconciled:
    """Compare a period and store the counts. Raises what the connectors raise, and ``ProofFailed``.

    Raises ``NotConfigured``: ``period_ahead`` for one that has not begun, ``period_expired`` for one whose amounts
    retention has emptied.
    """
    making = _Making(session, period, now or datetime.now(UTC))
    if period.start > making.today:
        raise NotConfigured(f"the period {period.name} has not begun yet", code="period_ahead")
    if (gone := making.ledger.expired(period.start, period.end)) > 0:
        raise NotConfigured(
            f"the numbers and amounts of {period.name} have expired ({gone} documents; 45 days after the end of the"
            " quarter): nothing can be compared any more. What was reconciled in its time is kept for 15 months",
            code="period_expired",
        )
    made = making.make()
    Reconciliations(session.conn, session.integration).add(made.result, run_id)
    return made


class _Making:
    """One comparison under way."""

    def __init__(self, session: Session, period: Period, now: datetime) -> None:
        self.session, self.period, self.now = session, period, now
        self.settings = session.integration.settings
        self.today = now.astimezone(self.settings.zone).date()
        self.ledger = Ledger(session.conn, session.integration)
        self.sheet = Sheet()
        rules = Rules.of(self.settings)
        self.maker, self.icp = Maker(rules, period.quarter), Icp(rules)
        self._seen: set[bytes] = set()
        self.others: Counter[tuple[str, str]] = Counter()
        self.others_cents: Counter[tuple[str, str]] = Counter()

    def make(self) -> Reconciled:
        """Read the package, then the shop, then tell of what is left on either side."""
        start, end = self.period.start - NEAR, self.period.end + NEAR
        self.books = Books(self.session.package.documents(start, end))
        self.books_side = BooksSide(
            period=self.period, today=self.today, books=self.books, sheet=self.sheet, maker=self.maker, icp=self.icp,
            summaries={(s.document_key, s.revision): s for s in self.ledger.summaries(start, end)},
            prefix=self.settings.reference_prefix,
        )  # fmt: skip
        self.shop_side = ShopSide(
            period=self.period, watermark=self.session.integration.watermark, sheet=self.sheet, books=self.books,
            books_side=self.books_side,
        )  # fmt: skip
        rows = set(self.ledger.ids(self.period.start, self.period.end))
        for window in self._windows():
            self._read(window)
        rows = {row for row in rows if not self.books_side.seen(row)}
        if rows and (rest := self._rest()) is not None:
            self._read(rest)
            rows = {row for row in rows if not self.books_side.seen(row)}
        self._gone(sorted(rows))
        self.books_side.close_days()
        self._strangers()
        self.sheet.prove()
        return Reconciled(self._result(), self.icp.lines())

    # ---------------------------------------------------------------------------------------------------- the shop

    def _windows(self) -> Iterator[tuple[str, Window]]:
        first = min(self.ledger.first_moved_from(self.period.start, self.period.end) or date.max, self.period.start)
        last = min(self.period.end, self.today)
        yield "dated", days(first, last, self.settings)
        yield "modified", days(self.period.start, min(self.period.end + NEAR, self.today), self.settings)

    def _rest(self) -> tuple[str, Window] | None:
        """Return the window from where the others ended to today; ``None`` where they reached it."""
        after = self.period.end + NEAR + timedelta(days=1)
        return ("modified", days(after, self.today, self.settings)) if after <= self.today else None

    def _read(self, query: tuple[str, Window]) -> None:
        by, window = query
        for page in self.session.shop.read(window, by="dated" if by == "dated" else "modified"):
            fresh = [d for d in page.documents if self._first_time(d)]
            if fresh:
                self._page(fresh)

    def _first_time(self, document: Order | Unreadable) -> bool:
        key = self._key(DocumentKind.INVOICE, document.order_id)[1]
        if isinstance(document, Unreadable) and document.refund_id:
            key = self._key(DocumentKind.CREDIT_NOTE, document.refund_id)[1]
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _page(self, documents: Sequence[Order | Unreadable]) -> None:
        """Compare the orders of a page: two queries for their rows (by key, by number), one for their quarantine."""
        asked = sorted({key for document in documents for key in self._keys(document)})
        rows = self.session.bookings.of_orders(asked, sorted({d.number for d in documents if d.number}))
        known = _Known(rows)
        decided = [(document, self._decided(document, known)) for document in documents]
        parts = {doc.key for _, docs in decided for doc in docs} - {*asked, *known.by_key}
        if parts:  # further documents of an order: found by its number too, unless retention emptied that
            known = _Known([*rows, *self.session.bookings.of_orders(sorted(parts), [])])
        waiting = self.ledger.waiting(sorted({doc.key for _, docs in decided for doc in docs}))
        for document, docs in decided:
            keys = {*self._keys(document), *(doc.key for doc in docs)}
            main = self._key(DocumentKind.INVOICE, invoice_id(document.order_id))
            found = known.of(keys, document.number if main in known.by_key else None)
            buyer = document.buyer if isinstance(document, Order) else None
            self.shop_side.order(
                Shown(
                    docs=docs, rows=found,
                    reversals=frozenset({self._key(DocumentKind.CREDIT_NOTE, reversal_id(document.order_id))}),
                    waiting={doc.key: waiting[doc.key] for doc in docs if doc.key in waiting},
                    number=buyer.vat_number if buyer else NOBODY,
                    country=(normalise(buyer.address.country) or "") if buyer else "",
                )
            )  # fmt: skip

    def _decided(self, document: Order | Unreadable, known: _Known) -> list[Doc]:
        """Decide an order on the grounds on which it was booked; nobody is asked again."""
        if isinstance(document, Unreadable):
            decision = unreadable(document)
            day = local_date(document.created_at, self.settings) if document.created_at else None
            return [Doc.of(decision, self._of(decision), day=day, changed_at=document.created_at)]
        row = next(reversed(known.by_key.get(self._key(DocumentKind.INVOICE, invoice_id(document.order_id)), [])), None)
        evidence = (row.evidence if row is not None else None) or NO_EVIDENCE
        changed_at = max([document.modified_at, *(refund.created_at for refund in document.refunds)])
        days_of = {refund.refund_id: local_date(refund.created_at, self.settings) for refund in document.refunds}
        sold = local_date(document.created_at, self.settings)
        return [
            Doc.of(decision, self._of(decision), day=days_of.get(_shop_id(decision), sold), changed_at=changed_at)
            for decision in prepare(document, self.settings, today=self.today, evidence=evidence)
        ]

    def _of(self, decision: Decision) -> DocumentKey:
        kind = decision.invoice.kind if isinstance(decision, Prepared) else decision.kind
        return self._key(kind, _id(decision))

    def _keys(self, document: Order | Unreadable) -> list[DocumentKey]:
        """Every key that an order's rows may have, but for those of further documents of it."""
        ids = [(DocumentKind.INVOICE, document.order_id), (DocumentKind.CREDIT_NOTE, reversal_id(document.order_id))]
        if isinstance(document, Order):
            ids += [(DocumentKind.CREDIT_NOTE, refund.refund_id) for refund in document.refunds]
        elif document.refund_id:
            ids.append((DocumentKind.CREDIT_NOTE, document.refund_id))
        return [self._key(kind, document_id) for kind, document_id in ids]

    def _key(self, kind: DocumentKind, document_id: str) -> DocumentKey:
        return kind, self.session.pseudonyms.document_key(self.session.integration.code, kind, document_id)

    # --------------------------------------------------------------------------------------------- what is left over

    def _gone(self, left: Sequence[RowId]) -> None:
        """Tell of rows of the period whose order the shop does not show."""
        for ids in chunked(left, _PER_QUERY):
            rows = self.ledger.rows(ids)
            numbers = sorted({row.order_number for row in rows if row.order_number})
            known = self.session.bookings.of_orders([row.key for row in rows if not row.order_number], numbers)
            for group in _by_order(rows):
                number, keys = group[0].order_number, {row.key for row in group}
                self.shop_side.gone(
                    group, [row for row in known if row.key in keys or (number and row.order_number == number)]
                )

    def _strangers(self) -> None:
        """Tell of documents in the package that no booking of the period holds."""
        for found in chunked(self.books.left(self.period), _PER_QUERY):
            ids = [document.external_id for document in found]
            rows = {row.external_id: row for row in self.ledger.under_external_ids(ids)}
            neighbours = self.ledger.of_neighbours(ids)
            for document in found:
                if document.external_id in neighbours:
                    self._other("other_integration", document)
                elif (row := rows.get(document.external_id)) is not None:
                    self._elsewhere(row, document)
                else:
                    self._unknown(document)

    def _elsewhere(self, row: Booking, document: InPackage) -> None:
        """A row of another period, or one whose document stands wrongly in the books."""
        if row.kind is DocumentKind.DAY_SUMMARY:
            self.books_side.stranger(document, rec.DATED_ELSEWHERE)
        elif row.state is BookingState.BOOKED:
            self.books_side.count(Row.of(row, None, self.books))
        else:
            self.books_side.stranger(document, rec.QUARANTINED, detail=row.reason)

    def _unknown(self, document: InPackage) -> None:
        prefix = self.settings.reference_prefix
        if document.reference in self.books.references:
            self.books_side.stranger(document, rec.BOOKED_TWICE)
        elif document.reference in self.books_side.waiting_references:
            self.books_side.stranger(document, rec.WAITING)
        elif (cause := self.shop_side.unbooked.get(document.reference)) is not None:
            by_hand = cause == rec.BOOKED_BY_HAND
            self.books_side.stranger(document, cause if by_hand else rec.UNKNOWN_TO_SLUIS)
        elif document.ours or (document.ours is None and prefix and document.reference.startswith(prefix)):
            self.books_side.stranger(document, rec.UNKNOWN_TO_SLUIS)
        else:
            self._other("made_by_others", document)

    def _other(self, code: str, document: InPackage) -> None:
        self.others[code, document.currency] += 1
        self.others_cents[code, document.currency] += document.total_cents

    # ------------------------------------------------------------------------------------------------- the result

    def _result(self) -> Reconciliation:
        integration, sheet = self.session.integration, self.sheet
        after = days(self.period.start, self.period.end, self.settings).end
        return Reconciliation(
            merchant=integration.merchant, integration=integration.code, period=self.period.name,
            start=self.period.start, end=self.period.end, made_at=self.now,
            settings_version=integration.settings_version,
            complete=after <= self.now and integration.watermark is not None and integration.watermark >= after,
            settled=all(difference.explained for difference in sheet.differences),
            totals=sheet.totals(), treatments=sheet.treatments(), causes=sheet.causes(),
            skipped=_left_out(self.shop_side.skipped, self.shop_side.skipped_cents),
            quarantined=_quarantined(sheet), others=_left_out(self.others, self.others_cents),
            not_split=self.books_side.not_split, vat_return=self.maker.make(), icp=self.icp.totals(),
            differences=tuple(sorted(sheet.differences, key=lambda d: (d.explained, d.cause, d.reference or ""))),
        )  # fmt: skip


class _Known:
    """The rows of a page's orders."""

    def __init__(self, rows: Sequence[Booking]) -> None:
        self.by_key: dict[DocumentKey, list[Booking]] = {}
        self._by_number: dict[str, list[Booking]] = {}
        for row in rows:
            self.by_key.setdefault(row.key, []).append(row)
            self._by_number.setdefault(row.order_number or "", []).append(row)

    def of(self, keys: Set[DocumentKey], number: str | None) -> list[Booking]:
        """Return the rows under these keys, and those under the order's number beside them.

        ``number`` ``None``: the order itself was never booked, so that rows under its number are another order's.
        """
        found = [row for key in sorted(keys) for row in self.by_key.get(key, ())]
        more = self._by_number.get(number, ()) if number else ()
        return found + [row for row in more if row.key not in keys and row.kind is not DocumentKind.DAY_SUMMARY]


def _id(decision: Decision) -> str:
    return decision.invoice.document_id if isinstance(decision, Prepared) else decision.document_id


def _shop_id(decision: Decision) -> str:
    return _id(decision).partition("/")[0]


def _by_order(rows: Sequence[Booking]) -> Iterator[list[Booking]]:
    """Group rows by their order's number; one that has none (any more) stands alone."""
    groups: dict[object, list[Booking]] = {}
    for row in rows:
        groups.setdefault(row.order_number or row.key, []).append(row)
    yield from groups.values()


def _left_out(documents: Counter[tuple[str, str]], money: Counter[tuple[str, str]]) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(code=code, currency=currency, documents=documents[code, currency], cents=money[code, currency])
        for code, currency in sorted(documents)
    )


def _quarantined(sheet: Sheet) -> tuple[LeftOut, ...]:
    """Sum up what of the period waits in quarantine, per reason: it is not booked."""
    documents: Counter[tuple[str, str]] = Counter()
    money: Counter[tuple[str, str]] = Counter()
    for difference in sheet.differences:
        if difference.cause == rec.QUARANTINED and difference.between == rec.SHOP_SLUIS:
            key = (difference.detail or difference.cause, difference.currency)
            documents[key] += difference.documents
            money[key] += difference.first_cents or 0
    return _left_out(documents, money)
