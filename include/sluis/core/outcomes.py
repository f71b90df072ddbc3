"""What became of a document, in the figures of the shop: one line in the log, in the run's proof and in its report."""

from __future__ import annotations

from datetime import date

from sluis.core.bookable import ENDED
from sluis.core.frozen import Moment
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Result, Role, total
from sluis.core.money import ZERO
from sluis.core.order import Order, Refund, Unreadable


def unreadable(document: Unreadable) -> DocumentOutcome:
    """Return the outcome of an order (or one of its refunds) that could not be read or did not pass the suite."""
    return DocumentOutcome(
        kind=DocumentKind.CREDIT_NOTE if document.refund_id else DocumentKind.INVOICE,
        document_id=document.refund_id or document.order_id,
        order_id=document.order_id,
        order_number=document.number,
        result=Result.QUARANTINED,
        reason=document.code,
        field=document.field,
        issue_date=None,
        currency=document.currency,
        total=document.total or ZERO,
    )


def outcome(
    invoice: Invoice,
    result: Result,
    *,
    reason: str | None = None,
    field: str | None = None,
    external_id: str | None = None,
) -> DocumentOutcome:
    """Return what became of a prepared document. Amounts are signed: a credit note counts below zero.

    Currency, total and VAT are those of the shop, by which a run is proved; where the books hold the document in
    another currency, ``booked_currency`` and ``booked_total`` say what they hold. Cash rounding is in the totals.
    """
    sign = invoice.kind.sign
    converted = bool(invoice.charged_currency)
    charged = invoice.charged_total if invoice.charged_total is not None else invoice.owed
    charged_vat = invoice.charged_vat if invoice.charged_vat is not None else invoice.total_vat
    return DocumentOutcome(
        kind=invoice.kind,
        document_id=invoice.document_id,
        order_id=invoice.order_id,
        order_number=invoice.order_number,
        result=result,
        reason=reason,
        field=field,
        rule=invoice.rule,
        reference=invoice.invoice_number,
        external_id=external_id,
        issue_date=invoice.issue_date,
        currency=invoice.charged_currency or invoice.currency,
        total=charged * sign,
        vat=charged_vat * sign,
        warnings=invoice.warnings,
        part=invoice.part,
        role=Role.PART if invoice.is_further else Role.MAIN,
        booked_currency=invoice.currency if converted else "",
        booked_total=invoice.owed * sign if converted else None,
        exchange=invoice.evidence.exchange if converted else None,
    )


def not_booked(
    order: Order, refund: Refund | None, on: date, result: Result, *, reason: str | None, field: str | None = None
) -> DocumentOutcome:
    """Return the outcome of a document that is not booked, with the shop's own amounts, signed."""
    return DocumentOutcome(
        kind=DocumentKind.CREDIT_NOTE if refund else DocumentKind.INVOICE,
        document_id=refund.refund_id if refund else order.order_id,
        order_id=order.order_id,
        order_number=order.number,
        result=result,
        reason=reason,
        field=field,
        issue_date=on,
        currency=order.currency,
        total=-refund.total if refund else order.total,
        vat=-total(line.vat_total for line in refund.lines) if refund else order.total_vat,
        changed_at=changed_at(order) if result in (Result.DEFERRED, Result.SKIPPED) else None,
        ended=(ended := result is Result.SKIPPED and order.status in ENDED),
        buyer=order.buyer if ended and refund is None else None,
    )


def changed_at(order: Order) -> Moment:
    """Return the latest moment by which a window finds the order: its change, or that of its latest refund."""
    return max([order.modified_at, *(refund.created_at for refund in order.refunds)])
