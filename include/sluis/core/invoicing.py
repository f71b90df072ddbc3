"""From an order to the documents that go to the books: decisions for the order and for each of its refunds.

The order of judging: is it to be booked at all (``bookable``), whose VAT is it (``vat``), do the amounts hold
(``amounts``), on which documents and in which currency (``sale``), what was given back (``refunds``). A document that
fails goes to quarantine with a code and the field that is wrong; the others go on.

A refund follows its order: skipped or quarantined for the same reason. But where money went back on an order that was
sold, a credit note belongs with an invoice that stands:

* of an order that ended (cancelled, binned) after payment the credit notes are prepared as usual; whoever books them
  holds them against the invoice, if it was booked, and takes back only what is left when the order itself is reversed;
* of an order sold before the integration's start, or too long ago, a credit note on an earlier sale is made
  (``Invoice.earlier``), or a person is asked: ``settings.earlier_refunds``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sluis.core import bookable, reasons, refunds, vat
from sluis.core.evidence import NO_EVIDENCE, Evidence, Needs
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Invoice, Prepared, Result
from sluis.core.order import Order, Refund
from sluis.core.outcomes import changed_at, not_booked, outcome, unreadable
from sluis.core.sale import Sale
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

__all__ = ["called_after", "changed_at", "charged", "needs", "outcome", "prepare", "unreadable"]

#: Reasons to skip an order that was sold all the same: its invoice stands where sluis did not book it.
_EARLIER = (reasons.BEFORE_START, reasons.TOO_OLD)


def needs(order: Order, settings: IntegrationSettings, *, today: date | None = None) -> Needs:
    """Return what must be asked of others before ``prepare`` can decide ``order``; nothing where all is skipped."""
    on = bookable.document_date(order, settings)
    reason = bookable.skip_reason(order, settings, on, today) or _nothing(order)
    if reason and not _refunds_count(order, settings, reason):
        return Needs()
    foreign = order.currency != settings.currency and settings.foreign_currency == "convert"
    return Needs(
        vat_number=vat.needs_number_check(order, settings, on), exchange=(order.currency, on) if foreign else None
    )


def prepare(
    order: Order, settings: IntegrationSettings, *, today: date | None = None, evidence: Evidence = NO_EVIDENCE
) -> tuple[Decision, ...]:
    """Return the decisions for ``order`` (one, or one per document it needs), then those for each of its refunds.

    Refunds come in the order of their numbers. ``order.refunds`` must hold *all* refunds of the order: their numbers
    and the check on too much rest on it. ``today`` (in the shop's time zone) bounds the age of what is booked;
    ``None``: it is not looked at. ``evidence``: what was asked because of ``needs``. Never raises for what a shop says.
    """
    on = bookable.document_date(order, settings)
    reason = bookable.skip_reason(order, settings, on, today) or _nothing(order)
    if reason:
        return _skipped(order, settings, today, evidence, reason)
    try:
        bookable.not_in_future(on, today, bookable.dated_by(order, settings))
        sale = Sale.of(order, settings, on, evidence)
        dated = bookable.booked_on(on, settings)
        invoices = sale.invoices(dated.day, dated.original)
    except Refused as refused:
        result = _unsettled(refused, settings)
        first = not_booked(order, None, on, result, reason=refused.code, field=refused.field)
        return (first, *_following(first, order, settings))
    prepared = (Prepared(invoice=invoice, unless_booked=dated.unless_booked) for invoice in invoices)
    return (*prepared, *refunds.decide(sale, on, today))


def called_after(credit_note: Invoice, invoice_number: str) -> Invoice:
    """Return the credit note as one of the invoice that stands in the books under ``invoice_number``.

    The number of a booked invoice never changes, while the reference prefix of the settings may.
    """
    computed = credit_note.preceding_invoice
    if computed is None or computed == invoice_number:
        return credit_note
    number = invoice_number + credit_note.invoice_number.removeprefix(computed)
    return credit_note.model_copy(update={"invoice_number": number, "preceding_invoice": invoice_number})


def charged(order: Order, decisions: Sequence[Decision]) -> dict[tuple[DocumentKind, str], Decimal]:
    """Return what the shop charged (or gave back) on each prepared document, positive, in the shop's currency.

    Keys: kind and document id. Of several documents of one order the main one has the order's total less the others,
    so that a cent lost between them shows.
    """
    found = [d.invoice for d in decisions if isinstance(d, Prepared)]
    totals = {(DocumentKind.INVOICE, order.order_id): order.total}
    totals |= {(DocumentKind.CREDIT_NOTE, refund.refund_id): refund.total for refund in order.refunds}
    result = dict(totals)
    for invoice in (invoice for invoice in found if invoice.is_further):
        own = invoice.owed if invoice.charged_total is None else invoice.charged_total
        result[invoice.kind, invoice.document_id] = own
        result[invoice.kind, invoice.document_id.removesuffix(f"/{invoice.part}")] -= own
    return {key: amount for key, amount in result.items() if key in {(i.kind, i.document_id) for i in found}}


# ------------------------------------------------------------------------------------------------- what is not booked


def _skipped(
    order: Order, settings: IntegrationSettings, today: date | None, evidence: Evidence, reason: str
) -> tuple[Decision, ...]:
    """Return the decisions where the order is skipped: its refunds are too, unless an invoice stands for it."""
    on = bookable.document_date(order, settings)
    first = not_booked(order, None, on, Result.SKIPPED, reason=reason)
    if not _refunds_count(order, settings, reason):
        if reason not in _EARLIER:
            return (first, *_following(first, order, settings))
        return (first, *(_by_hand(order, refund, settings) for refund in refunds.in_sequence(order.refunds)))
    try:
        sale = Sale.of(order, settings, on, evidence)
    except Refused as refused:
        cause = {"result": _unsettled(refused, settings), "reason": refused.code, "field": refused.field}
        return (first, *_following(first.model_copy(update=cause), order, settings))
    return (first, *refunds.decide(sale, on, today, earlier=reason in _EARLIER))


def _refunds_count(order: Order, settings: IntegrationSettings, reason: str) -> bool:
    """Whether refunds of an order that is skipped for ``reason`` may be booked: its invoice stands somewhere."""
    if reason in _EARLIER:
        days = [bookable.local_date(refund.created_at, settings) for refund in order.refunds]
        recent = any(day >= settings.start_date for day in days)
        return recent and settings.earlier_refunds == "book" and bookable.sold(order, settings)
    ended = reason == reasons.STATUS_NOT_BOOKABLE and order.status in bookable.ENDED
    return ended and order.paid_at is not None and bool(order.refunds)


def _by_hand(order: Order, refund: Refund, settings: IntegrationSettings) -> Decision:
    """Return the outcome of a refund of an earlier sale that is not booked by itself."""
    day = bookable.local_date(refund.created_at, settings)
    if day < settings.start_date:
        return not_booked(order, refund, day, Result.SKIPPED, reason=reasons.BEFORE_START)
    return not_booked(order, refund, day, Result.QUARANTINED, reason=reasons.REFUND_OF_UNBOOKED_ORDER)


def _following(first: DocumentOutcome, order: Order, settings: IntegrationSettings) -> tuple[Decision, ...]:
    """Return the outcomes of refunds that follow their order's, ``first``."""
    on = bookable.document_date(order, settings)
    return tuple(
        not_booked(
            order,
            refund,
            refunds.refund_date(refund, settings, on),
            first.result,
            reason=first.reason,
            field=first.field,
        )
        for refund in refunds.in_sequence(order.refunds)
    )


def _unsettled(refused: Refused, settings: IntegrationSettings) -> Result:
    """What waits for a register's answer comes back by itself; everything else needs a person."""
    waits = refused.code == reasons.VAT_NUMBER_UNVERIFIED and settings.vat_number_unverified == "wait"
    return Result.DEFERRED if waits else Result.QUARANTINED


def _nothing(order: Order) -> str | None:
    return reasons.NOTHING_TO_BOOK if not order.lines and not order.total else None
