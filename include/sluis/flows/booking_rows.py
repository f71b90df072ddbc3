"""What our own store says of the orders of a chunk: their booking rows, and what a person did about them.

Two queries per chunk, not some per document. A row belongs to an order by its keyed id; what the shop does not name any
more (a deleted refund, a further document that an edit took out) is found by order number and by its reference, which
begins with that of the order's invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from sluis.core import reasons
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Prepared, invoice_id
from sluis.core.reversal import reversal_id
from sluis.core.sale import SUFFIXES
from sluis.errors import Refused
from sluis.flows.booking_names import Names
from sluis.flows.wiring import Session
from sluis.store.bookings import Booking

Key = tuple[DocumentKind, bytes]
#: Further documents that an order may have (``Invoice.part``), to name one that is not there any more.
PARTS = tuple(SUFFIXES)


def key_of(session: Session, kind: DocumentKind, document_id: str) -> Key:
    """Return the keyed name of a document."""
    return kind, session.pseudonyms.document_key(session.integration.code, kind, document_id)


@dataclass
class Rows:
    """The booking rows of the orders at hand; kept up to date by whoever books."""

    session: Session
    _rows: dict[Key, dict[int, Booking]] = field(default_factory=dict)
    _named: dict[str, set[Key]] = field(default_factory=dict)  # what the shop names now, per order id
    _waited: dict[Key, bool] = field(default_factory=dict)  # has (had) a row in quarantine; whether it is offered
    _by_hand: dict[Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = Names(self.session)

    def load(self, decisions: Sequence[Decision]) -> None:
        """Read what is known of these documents and their orders."""
        self._named = {}
        keys: set[Key] = set()
        for decision in decisions:
            document = decision.invoice if isinstance(decision, Prepared) else decision
            key = self.key(document.kind, document.document_id)
            self._named.setdefault(document.order_id, set()).add(key)
            keys.add(key)
            for part in {"", document.part}:
                keys |= set(self._sale(invoice_id(document.order_id, part)))
        self._names.note([d.invoice if isinstance(d, Prepared) else d for d in decisions])
        numbers = {(d.invoice if isinstance(d, Prepared) else d).order_number for d in decisions}
        self._rows = {}
        for row in self.session.bookings.of_orders(sorted(keys), sorted(numbers)):
            self.keep(row)
        self._waited = self.session.quarantine.known(sorted(keys))
        self._by_hand = self.session.quarantine.settled_by_hand(sorted(keys))

    def key(self, kind: DocumentKind, document_id: str) -> Key:
        """Return the keyed name of a document."""
        return key_of(self.session, kind, document_id)

    def keep(self, row: Booking) -> Booking:
        """Note a row as it stands in the store now, under its number also where retention emptied that."""
        row = self._names.restored(row)
        self._rows.setdefault(row.key, {})[row.revision] = row
        return row

    def drop(self, row: Booking) -> None:
        """Note that a row is gone."""
        self._rows.get(row.key, {}).pop(row.revision, None)

    def latest(self, key: Key) -> Booking | None:
        """Return the latest revision of a document, ``None`` where there is no row."""
        revisions = self._rows.get(key)
        return revisions[max(revisions)] if revisions else None

    def at(self, key: Key, revision: int) -> Booking | None:
        """Return one revision of a document."""
        return self._rows.get(key, {}).get(revision)

    def sale(self, order_id: str, part: str = "") -> Booking | None:
        """Return the latest revision of an order's invoice (or of a further document of it)."""
        return self.latest(self.key(DocumentKind.INVOICE, invoice_id(order_id, part)))

    def reversal(self, document_id: str, revision: int) -> Booking | None:
        """Return what reverses a revision of an invoice; ``document_id`` is the invoice's."""
        return self._rows.get(self.key(DocumentKind.CREDIT_NOTE, reversal_id(document_id)), {}).get(revision)

    def reversed(self, document_id: str, sale: Booking) -> bool:
        """Whether a revision of an invoice is taken back in the books."""
        found = self.reversal(document_id, sale.revision)
        return found is not None and found.stands

    def credit_notes(
        self, document_id: str, sale: Booking, leave_out: Set[Key] = frozenset()
    ) -> Iterator[Booking]:  # fmt: skip
        """Yield the credit notes on an invoice that count against its latest revision, whatever their state.

        Refunds that the cancellation of an earlier revision netted are left out. ``document_id`` is the invoice's.
        Raises ``Refused`` where amounts have expired without which nobody can tell.
        """
        others = self.key(DocumentKind.CREDIT_NOTE, reversal_id(document_id))
        for key in [
            key for key in self._rows if key[0] is DocumentKind.CREDIT_NOTE and key not in {others, *leave_out}
        ]:
            row = self.latest(key)
            if row is not None and self._credits(row, sale) and not self.netted(document_id, row):
                yield row

    def netted(self, document_id: str, credit_note: Booking) -> bool:
        """Whether a credit note was taken into account by a reversal: it credited only what was left beside it."""
        sales = self._rows.get(self.key(DocumentKind.INVOICE, document_id), {})
        first = _named_after(credit_note, sales.values())
        for revision, sale in sales.items():
            back = self.reversal(document_id, revision)
            if revision < first or back is None or not back.stands:
                continue
            if back.total_cents is None or sale.total_cents is None:  # emptied by retention: nobody can say
                raise Refused("its totals have expired", code=reasons.BOOKED_FIGURES_EXPIRED, field="figures")
            if back.total_cents != -sale.total_cents:
                return True
        return False

    def booked_anew(self, document_id: str, sale: Booking) -> Iterator[Booking]:
        """Yield the credit notes that reversals of an invoice netted and that its replacement is to get anew."""
        others = self.key(DocumentKind.CREDIT_NOTE, reversal_id(document_id))
        for key in [key for key in self._rows if key[0] is DocumentKind.CREDIT_NOTE and key != others]:
            row = self.latest(key)
            if row is not None and row.stands and self._credits(row, sale) and self.netted(document_id, row):
                yield row

    def vanished(self, order_id: str) -> Iterator[tuple[str, Booking]]:
        """Yield further documents of an order that have a row and that the shop names no more, with their part."""
        named = self._named.get(order_id, set())
        for part in PARTS:
            key = self.key(DocumentKind.INVOICE, invoice_id(order_id, part))
            row = self.latest(key)
            if key not in named and row is not None:
                yield part, row

    def deleted_refunds(self, order_id: str) -> Iterator[Booking]:
        """Yield credit notes that count against an order's invoice and whose refund the shop names no more."""
        sale, named = self.sale(order_id), self._named.get(order_id, set())
        if sale is not None:
            yield from (row for row in self.credit_notes(order_id, sale, named) if row.stands)

    def waited(self, key: Key) -> bool:
        """Whether a document stands or ever stood in quarantine."""
        return key in self._waited

    def offered(self, key: Key) -> bool:
        """Whether a person offered it again (or new settings did)."""
        return self._waited.get(key, False)

    def settled_by_hand(self, key: Key) -> bool:
        """Whether a person has corrected the books himself after the document had changed."""
        return self._by_hand.get(key) in (reasons.CHANGED_AFTER_BOOKING, reasons.BOOKED_FIGURES_EXPIRED)

    def _sale(self, document_id: str) -> Iterable[Key]:
        yield self.key(DocumentKind.INVOICE, document_id)
        yield self.key(DocumentKind.CREDIT_NOTE, reversal_id(document_id))

    def _credits(self, row: Booking, sale: Booking) -> bool:
        """Whether a row is a refund's credit note on this invoice: by its number, which is made from the invoice's.

        Where either has none any more, each of the same order is: it has no figures, so a person decides.
        """
        if row.reference is None or sale.reference is None:
            order_id = self._names.order_of(row.key)
            return order_id is not None and order_id == self._names.order_of(sale.key)
        sales = self._rows.get(sale.key, {}).values()
        return any(_numbered_after(row, one) for one in sales)


def in_order(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions as they are to be carried out: an order that ended comes after its refunds.

    So a refund gets its own credit note, with what was paid back, and the order is credited for the rest.
    """
    result: list[Decision] = []
    ended: list[DocumentOutcome] = []
    for decision in decisions:
        order_id = (decision.invoice if isinstance(decision, Prepared) else decision).order_id
        result += [one for one in ended if one.order_id != order_id]
        ended = [one for one in ended if one.order_id == order_id]
        if isinstance(decision, DocumentOutcome) and decision.ended and decision.kind is DocumentKind.INVOICE:
            ended.append(decision)
        else:
            result.append(decision)
    return [*result, *ended]


def number_of(sale: Booking) -> str:
    """Return the number that an invoice had before any replacement, whatever the prefix is now."""
    number = called(sale)
    return number.removesuffix(f"-R{sale.revision}") if sale.revision else number


def called(row: Booking) -> str:
    """Return the number of a document in the books; raises ``Refused`` where it has expired and fits none of today."""
    if row.reference is None:
        raise Refused("its number has expired", code=reasons.BOOKED_FIGURES_EXPIRED, field="reference")
    return row.reference


def _numbered_after(credit_note: Booking, sale: Booking) -> bool:
    if credit_note.reference is None or sale.reference is None:
        return False
    number = credit_note.reference.removeprefix(f"{sale.reference}-C")
    return number != credit_note.reference and number[:1].isdecimal()


def _named_after(credit_note: Booking, sales: Iterable[Booking]) -> int:
    return max((sale.revision for sale in sales if _numbered_after(credit_note, sale)), default=0)
