"""Which payments a booked document still needs, from what the shop says and what was registered already.

A payment is registered once under its id and keeps its amount: an order that is edited later gets an open or a credit
balance, never another payment. Where a document was taken back and booked anew, its payments go along: back out over
the reversal and in again on the replacement, on the same account and day, so that a clearing account always shows the
money that moved. Without a replacement they stay: the customer has a credit until he is paid back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sluis.core.invoice import DocumentKind, Invoice
from sluis.core.mapping import Mapping as BooksMapping
from sluis.core.money import from_cents
from sluis.core.order import Payment
from sluis.core.personal import NOBODY, Personal
from sluis.core.settings import IntegrationSettings
from sluis.store.bookings import Booking
from sluis.store.payments import PaymentRow, PaymentState, Place


@dataclass(frozen=True)
class Due:
    """A payment to register. ``amount`` signed: below zero it is paid back."""

    place: Place
    document_id: str
    external_id: str  #: the package's id of the document
    amount: Decimal
    currency: str
    paid_on: date
    account: str | None  #: ``None``: ``setting`` must be filled
    setting: str = ""
    reference: Personal = NOBODY
    closed: bool = False  #: its day lies in a closed period, and the settings leave that to a person
    moved: bool = False  #: registered on the first open day, by the settings


@dataclass(frozen=True)
class Undone:
    """The reversal that took back an earlier revision, as it stands in the books."""

    document_key: bytes
    document_id: str
    standing: Mapping[int, str]  #: revision -> the package's id
    paid: Mapping[tuple[int, bytes], PaymentRow]  #: what was registered on it


def missing(invoice: Invoice, settings: IntegrationSettings, mapping: BooksMapping) -> str | None:
    """Name the setting without which a payment of this invoice cannot be registered; ``None``: all is mapped."""
    if not settings.register_payments:
        return None
    named = (account_of(payment, mapping) for payment in invoice.payments if payment.amount)
    return next((setting for account, setting in named if account is None), None)


def account_of(payment: Payment, mapping: BooksMapping) -> tuple[str | None, str]:
    """Return the clearing account of a payment, and the setting that names it."""
    if payment.gift_card:
        return mapping.clearing_account(payment.method, gift_card=True), "mapping.clearing['gift_card']"
    return mapping.clearing_account(payment.method), f"mapping.clearing['{payment.method or '*'}']"


def from_shop(
    invoice: Invoice, row: Booking, keys: Mapping[str, bytes], settings: IntegrationSettings
) -> Iterator[Due]:
    """Yield what the shop says was paid on a document (paid back, on a credit note); ``keys`` by payment id."""
    for payment in invoice.payments:
        if not payment.amount or row.external_id is None:
            continue
        account, setting = account_of(payment, settings.mapping)
        told = payment.paid_at.astimezone(settings.zone).date()
        closed = settings.books_closed_until is not None and told <= settings.books_closed_until
        moves = closed and settings.closed_period == "first_open_day"
        yield Due(
            place=_place(row, row.revision, keys[payment.payment_id]),
            document_id=invoice.document_id,
            external_id=row.external_id,
            amount=payment.amount * invoice.kind.sign,
            currency=invoice.currency,
            paid_on=open_day(told, settings) if moves else told,
            account=account,
            setting=setting,
            reference=payment.reference,
            closed=closed and not moves,
            moved=moves,
        )


def open_day(day: date, settings: IntegrationSettings) -> date:
    """Return a day, or the first one that the settings say is open."""
    closed = settings.books_closed_until
    return day if closed is None else max(day, closed + timedelta(days=1))


def carried(
    invoice: Invoice, row: Booking, known: Mapping[tuple[int, bytes], PaymentRow], undone: Undone,
    settings: IntegrationSettings,
) -> Iterator[Due]:  # fmt: skip
    """Yield what moves from earlier revisions of a document to this one: out on the reversals, in here.

    A credit note has no reversal of its own: it was netted by one of its invoice, the last that stands. So its payment
    goes out on that one once for each time it came in, whatever reversal took it before.
    """
    first: dict[bytes, PaymentRow] = {}
    netted = invoice.kind is DocumentKind.CREDIT_NOTE
    legs_in = Counter(key for (n, key), paid in known.items() if n < row.revision and paid.state is PaymentState.BOOKED)
    legs_out = Counter(key for _, key in undone.paid)
    sent = set(undone.paid)
    for (revision, key), paid in sorted(known.items()):
        if revision >= row.revision or paid.state is not PaymentState.BOOKED or paid.emptied:
            continue
        back = revision if invoice.kind is DocumentKind.INVOICE else max(undone.standing, default=-1)
        if back not in undone.standing:
            continue  # not taken back as an invoice: the payment stays where it is
        first.setdefault(key, paid)
        out = Place(kind=DocumentKind.CREDIT_NOTE, document_key=undone.document_key, revision=back, payment_key=key)
        if (back, key) not in sent and not (netted and legs_out[key] >= legs_in[key]):
            sent.add((back, key))
            legs_out[key] += 1
            day = open_day(paid.sent[1], settings)
            yield _moved(paid, out, (undone.document_id, undone.standing[back]), -1, day)
    if row.external_id is None or row.form != "invoice":
        return
    for key, paid in first.items():
        if (row.revision, key) not in known:
            day = open_day(paid.sent[1], settings)
            yield _moved(paid, _place(row, row.revision, key), (invoice.document_id, row.external_id), 1, day)


def _moved(paid: PaymentRow, place: Place, document: tuple[str, str], sign: int, day: date) -> Due:
    document_id, external_id = document
    return Due(
        place=place,
        document_id=document_id,
        external_id=external_id,
        amount=from_cents(paid.sent[0]) * sign,
        currency=paid.currency,
        paid_on=day,
        account=paid.account,
    )


def _place(row: Booking, revision: int, key: bytes) -> Place:
    return Place(kind=row.kind, document_key=row.document_key, revision=revision, payment_key=key)
