"""Turns orders and invoices into frames of opaque row keys, codes, dates as numbers and whole cents.

Why numbers: a frame that holds no name, address, description or order number cannot leak one, whatever the library
that judges it does. ``row`` is the place in the frame, ``document`` an integer that says which rows speak of the same
document of this chunk and means nothing outside it. All amounts are cents of the document's currency.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, Prepared, VatCategory, VatTreatment, total
from sluis.core.money import ZERO, cents
from sluis.core.order import Order, OrderLine, Refund
from sluis.ports import Window

#: The largest amount in cents that a frame tells apart: Great Expectations keeps its bounds as 64-bit floating numbers,
#: exact up to 9 x 10^15. A shop that says more is wrong in any currency.
MOST = 10**15
#: Cents of VAT that pieces given back before may have left to a credit note. The core holds it against the whole sale,
#: the suite over what was extracted against the number of pieces; this bound needs neither.
_SPARE = 10


def extracted_frame(orders: Sequence[Order], *, window: Window | None, read_at: datetime) -> Any:
    """Return a frame with a row per document: each order, followed by its refunds.

    ``window`` is the one that was read (``None``: single orders), ``read_at`` the moment of reading (UTC).
    """
    keys = _Keys()
    rows: list[dict[str, Any]] = []
    for order in orders:
        gone_by = (window, read_at)
        rows.append(_order_row(order, keys, *gone_by))
        rows.extend(_refund_row(order, refund, keys, *gone_by) for refund in order.refunds)
    return _frame(rows)


def transformed_frame(prepared: Sequence[Prepared], charged: Sequence[Decimal]) -> Any:
    """Return a frame with a row per invoice or credit note; ``charged`` is what the shop charged or gave back on it.

    ``charged`` runs parallel to ``prepared`` (``invoicing.charged``): with VAT and cash rounding, positive, in the
    shop's currency. The total that is held against it is in that currency too, all other amounts in the books'.
    """
    documents, numbers = _Keys(), _Keys()
    return _frame(
        [_invoice_row(item.invoice, amount, documents, numbers) for item, amount in zip(prepared, charged, strict=True)]
    )


class _Keys:
    """Gives every new identity the next integer, and the same identity the same one."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, kind: DocumentKind, identity: str) -> int | None:
        if not identity.strip():
            return None
        return self._known.setdefault((kind, identity), len(self._known))


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    frame = pd.DataFrame(rows)
    for column in ("document", "number"):
        if column in frame:
            frame[column] = frame[column].astype("Int64")  # holds a missing key, which a plain int64 cannot
    return frame


def _order_row(order: Order, keys: _Keys, window: Window | None, read_at: datetime) -> dict[str, Any]:
    moments = [m for m in (order.created_at, order.paid_at, order.completed_at) if m is not None]
    lines_total = total(line.gross for line in order.lines)
    lines_vat = total(line.vat_total for line in order.lines)
    return {
        "document": keys.of(DocumentKind.INVOICE, order.order_id),
        "currency": order.currency,
        "status": order.status.strip() or None,
        "bound_cents": _bound(order.lines),
        "total_cents": _whole(order.total),
        "total_gap_cents": abs(_whole(order.total - order.rounding_amount - lines_total)),
        "vat_gap_cents": abs(_whole(order.total_vat - lines_vat)),
        "rate_excess_cents": _rate_excess(order.lines),
        "dated_on": order.created_at.date().toordinal(),
        "seconds_ahead": int((max(moments) - read_at).total_seconds()),
        "seconds_past_window": _past(order, window),
    }


def _refund_row(order: Order, refund: Refund, keys: _Keys, window: Window | None, read_at: datetime) -> dict[str, Any]:
    # An amount may be given back beside the lines or without any; lines may not be more than it. No VAT total is told.
    over = total(line.gross for line in refund.lines) - (refund.total - refund.rounding_amount)
    return {
        "document": keys.of(DocumentKind.CREDIT_NOTE, refund.refund_id),
        "currency": order.currency,
        "status": order.status.strip() or None,
        "bound_cents": _bound(refund.lines),
        "total_cents": _whole(refund.total),
        "total_gap_cents": max(_whole(over), 0),
        "vat_gap_cents": 0,
        "rate_excess_cents": _rate_excess(refund.lines, spare=_pieces(order)),
        "dated_on": refund.created_at.date().toordinal(),
        "seconds_ahead": int((refund.created_at - read_at).total_seconds()),
        "seconds_past_window": _past(order, window),
    }


def _invoice_row(invoice: Invoice, charged: Decimal, documents: _Keys, numbers: _Keys) -> dict[str, Any]:
    net, vat = total(line.net for line in invoice.lines), total(line.vat for line in invoice.lines)
    charged_lines = [line for line in invoice.lines if line.kind is not None]
    rounding = total(abs(line.gross) for line in invoice.lines if line.kind is None)
    return {
        "document": documents.of(invoice.kind, invoice.document_id),
        "number": numbers.of(DocumentKind.INVOICE, invoice.invoice_number),  # both kinds share one series
        "currency": invoice.currency,
        "bound_cents": _bound(charged_lines),
        "charged_cents": _whole(charged),
        "total_cents": _whole(invoice.owed if invoice.charged_total is None else invoice.charged_total),
        "lines_gap_cents": _gaps(
            (net, invoice.total_without_vat), (vat, invoice.total_vat), (net + vat, invoice.total_with_vat)
        ),
        "breakdown_gap_cents": _breakdown_gap(invoice),
        "rate_excess_cents": _treatment_excess(charged_lines, spare=_SPARE if invoice.kind.sign < 0 else 0),
        "rounding_cents": _whole(rounding),
        "odd_rates": sum(not _category_fits(line) for line in invoice.lines),
        "issued_on": invoice.issue_date.toordinal(),
    }


def _past(order: Order, window: Window | None) -> int:
    """Seconds by which the order was made after the window ended.

    Only its making, and only the end, say anything: an order of a past day that a backfill reads may be paid or changed
    long after, and an order that is offered again comes along from long before.
    """
    return int((order.created_at - window.end).total_seconds()) if window is not None else 0


def _whole(amount: Decimal) -> int:
    return max(-MOST, min(MOST, cents(amount)))


def _gaps(*pairs: tuple[Decimal, Decimal]) -> int:
    return sum(abs(_whole(one - other)) for one, other in pairs)


def _bound(lines: Sequence[object]) -> int:
    """A cent per line (DESIGN.md section 4), and one for a document without lines."""
    return max(1, len(lines))


def _pieces(order: Order) -> int:
    """Lines that an order was sold and given back in: each may leave its cent of VAT to the last one given back."""
    return len(order.lines) + sum(len(refund.lines) for refund in order.refunds)


def _rate_excess(lines: Iterable[OrderLine], *, spare: int = 0) -> int:
    """Cents by which VAT strays from net x rate, beyond a cent per line, over the lines that share their rates.

    ``spare`` cents are allowed beside that.

    Lines with one rate must meet it. A line with several (a compound tax, or a negative fee that the shop spreads
    over the rates of the goods) must lie between the lowest rate and all of them on top of each other.
    """
    groups: dict[tuple[Decimal, ...], list[OrderLine]] = defaultdict(list)
    for line in lines:
        groups[tuple(sorted({row.rate for row in line.vat}))].append(line)
    return max((_group_excess(rates, group, spare) for rates, group in groups.items()), default=0)


def _group_excess(rates: tuple[Decimal, ...], lines: list[OrderLine], spare: int) -> int:
    vat = total(line.vat_total for line in lines)
    rows = total(row.amount for line in lines for row in line.vat)
    net = total(line.net for line in lines)
    stacked = Decimal(1)
    for rate in rates:
        stacked *= 1 + rate / 100
    edges = sorted((net * (rates[0] / 100 if rates else 0), net * (stacked - 1)))
    outside = max(edges[0] - vat, vat - edges[1], ZERO)
    allowed = len(lines) * max(1, len(rates))
    return max(_excess(outside, allowed + spare), _excess(abs(vat - rows), allowed))


def _breakdown_gap(invoice: Invoice) -> int:
    """Cents by which the VAT breakdown strays from the lines, treatment by treatment."""
    lines = _per_treatment(invoice.lines)
    parts = {part.treatment: (part.taxable_amount, part.vat_amount) for part in invoice.vat_breakdown}
    nothing = (ZERO, ZERO)
    gap = sum(
        _gaps(*zip(lines.get(treatment, nothing), parts.get(treatment, nothing), strict=True))
        for treatment in {*lines, *parts}
    )
    return gap + abs(len(parts) - len(invoice.vat_breakdown))  # a treatment that stands there twice


def _treatment_excess(lines: Sequence[InvoiceLine], *, spare: int = 0) -> int:
    """Cents by which VAT strays from net x rate, beyond a cent per line and ``spare``, over the lines of a rate."""
    counts = Counter(line.treatment for line in lines)
    return max(
        (
            _excess(abs(vat - net * at.rate / 100), counts[at] + spare)
            for at, (net, vat) in _per_treatment(lines).items()
        ),
        default=0,
    )


def _per_treatment(lines: Sequence[InvoiceLine]) -> dict[VatTreatment, tuple[Decimal, Decimal]]:
    sums: dict[VatTreatment, tuple[Decimal, Decimal]] = {}
    for line in lines:
        net, vat = sums.get(line.treatment, (ZERO, ZERO))
        sums[line.treatment] = (net + line.net, vat + line.vat)
    return sums


def _excess(gap: Decimal, allowed: int) -> int:
    return max(0, min(MOST, int((gap * 100).to_integral_value(ROUND_CEILING)) - allowed))


def _category_fits(line: InvoiceLine) -> bool:
    """Standard VAT has a rate, every other category has none (EN 16931 BR-S-05, BR-Z-05, BR-E-05 and on)."""
    rate = line.treatment.rate
    return rate > 0 if line.treatment.category is VatCategory.STANDARD else rate == 0
