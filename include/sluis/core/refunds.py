"""Refunds: every one a credit note that refers to the invoice it lowers, at the sale's own VAT decision.

* Credit notes are numbered ``-C1``, ``-C2`` over *all* refunds of the order in the order they were made, also those
  that are skipped or wait: the number of one never depends on the window that was read. A refund over two documents of
  one order becomes two credit notes, each named after its invoice.
* Lines are taken as the shop gives them back. An amount beside the lines, or without any, is spread over what earlier
  refunds left (``settings.amount_refunds``). What gives back all that is left takes exactly that, so that an order
  and its refunds leave nothing on any account, whatever was rounded.
* VAT of single pieces may round off and come back in the last one: it is held against its rate together with what is
  left of the sale.
* Dated when it was made, never before its invoice. A refund of a sale that sluis did not book (before its start, or too
  long ago) is judged by the rates of the sale's day and dated on its own (VAT directive art. 90; Wet OB art. 29).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sluis.core import amounts, bookable, exchange, judging, reasons
from sluis.core.assembling import Content, Papers, assemble, by_part, shared_out
from sluis.core.invoice import Decision, DocumentKind, Prepared, Result, invoice_id, total
from sluis.core.judging import Items
from sluis.core.money import CENT, ZERO
from sluis.core.order import Order, Payment, Refund
from sluis.core.outcomes import not_booked
from sluis.core.remainder import Remainder
from sluis.core.sale import Sale
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused


def in_sequence(refunds: Sequence[Refund]) -> tuple[Refund, ...]:
    """Sort by id where ids are numbers (a shop hands them out in sequence and never changes them), else by moment."""
    if all(refund.refund_id.isdecimal() for refund in refunds):
        return tuple(sorted(refunds, key=lambda refund: int(refund.refund_id)))
    return tuple(sorted(refunds, key=lambda refund: (refund.created_at, refund.refund_id)))


def refund_date(refund: Refund, settings: IntegrationSettings, invoiced: date) -> date:
    """Return the day of a refund in the shop's time zone, never before its invoice (a clock may run behind)."""
    return max(bookable.local_date(refund.created_at, settings), invoiced)


def empty(refund: Refund) -> bool:
    """Whether there is nothing to give back."""
    return not refund.lines and not refund.total


@dataclass(frozen=True)
class _Taken:
    """What one refund takes back, in both currencies. ``payments`` are shared out later."""

    charged: Items
    booked: Items
    charged_rounding: Decimal = ZERO
    booked_rounding: Decimal = ZERO
    warnings: frozenset[str] = frozenset()


def decide(sale: Sale, invoiced: date, today: date | None, *, earlier: bool = False) -> Iterator[Decision]:
    """Yield the decisions on all refunds of ``sale``, in the order of their numbers.

    ``invoiced``: its invoice's date. ``earlier``: sluis did not book the sale. ``today`` as in ``invoicing.prepare``.
    """
    charged = Remainder.of(sale.charged, sale.order.rounding_amount)
    booked = Remainder.of(sale.booked, sale.booked_rounding)
    given_back = ZERO
    for index, refund in enumerate(in_sequence(sale.order.refunds)):
        day = refund_date(refund, sale.settings, invoiced)
        if empty(refund):
            yield not_booked(sale.order, refund, day, Result.SKIPPED, reason=reasons.NOTHING_TO_BOOK)
            continue
        field = _field(sale.order, refund)
        given_back += refund.total
        try:
            if given_back > sale.order.total:
                raise Refused("more was refunded than sold", code=reasons.REFUND_EXCEEDS_ORDER, field=f"{field}.total")
            taken = _taken(sale, refund, charged, booked, field)
            bookable.not_in_future(day, today, f"{field}.created_at")
            contents = _contents(sale, refund, taken, field)
        except Refused as refused:
            charged = charged.without_unknown()
            yield not_booked(sale.order, refund, day, Result.QUARANTINED, reason=refused.code, field=refused.field)
            continue
        charged = charged.without(taken.charged, taken.charged_rounding)
        booked = booked.without(taken.booked, taken.booked_rounding)
        if (reason := _too_early(day, sale.settings, today)) is not None:
            yield not_booked(sale.order, refund, day, Result.SKIPPED, reason=reason)
        else:
            yield from _credit_notes(sale, _Note(refund, contents, f"-C{index + 1}", day, earlier))


def _field(order: Order, refund: Refund) -> str:
    return f"refunds[{order.refunds.index(refund)}]"


def _too_early(day: date, settings: IntegrationSettings, today: date | None) -> str | None:
    if day < settings.start_date:
        return reasons.BEFORE_START
    if today is not None and day < bookable.oldest_bookable(today):
        return reasons.TOO_OLD
    return None


# ------------------------------------------------------------------------------------------------- what is taken back


def _taken(sale: Sale, refund: Refund, charged: Remainder, booked: Remainder, field: str) -> _Taken:
    """Divide a refund over lines and treatments; raises ``Refused``."""
    if refund.total < 0:
        raise Refused("a refund is positive", code=reasons.NEGATIVE_TOTAL, field=f"{field}.total")
    items = _by_line(sale, refund, charged, field)
    if refund.total == charged.owed and not charged.blurred and charged.covers(items):
        everything = charged.everything(items)
        in_books = everything if sale.rate is None else booked.everything(everything)
        spread = items and _vat(items) != _vat(everything)
        warnings = frozenset({reasons.VAT_SPREAD_OVER_LINES} if spread else ())
        return _Taken(everything, in_books, charged.rounding, booked.rounding, warnings)
    items = _with_rest(sale, refund, items, charged, field)
    if not charged.covers(items):
        raise Refused("more than is left at that rate", code=reasons.REFUND_DIFFERS, field=f"{field}.lines")
    if sale.rate is None:
        return _Taken(items, items, refund.rounding_amount, refund.rounding_amount)
    in_books = exchange.convert(items, sale.rate)
    owed = exchange.converted(refund.total, sale.rate)
    rounding = owed - judging.gross(in_books) if refund.rounding_amount else ZERO
    return _Taken(items, in_books, refund.rounding_amount, rounding)


def _vat(items: Items) -> Decimal:
    return total(item.line.vat for item in items)


def _by_line(sale: Sale, refund: Refund, left: Remainder, field: str) -> Items:
    """Return the items of the lines the refund names, with what a cent per line leaves over on a rounding line."""
    if not refund.lines:
        return ()
    parts = amounts.parts_of(refund.lines, f"{field}.lines")
    strange = next((part for part in parts if part.net and part.rate not in sale.rates), None)
    if strange:
        raise Refused("the order has no such rate", code=reasons.REFUND_DIFFERS, field=strange.field)
    judging.judge(sale.facts, refund.lines, f"{field}.lines")
    named = total(part.gross for part in parts)
    owed = refund.total - refund.rounding_amount
    near = abs(owed - named) <= CENT * len(refund.lines)
    items = sale.named(judging.items_of(sale.facts, amounts.settle(parts, {}, owed if near else named)))
    try:
        amounts.plausible(parts)
    except Refused:
        if not _rounded_off(left, items):
            raise
    return items


def _rounded_off(left: Remainder, items: Items) -> bool:
    """Whether VAT that is not its rate of the piece is so because of the pieces before it: the sale's rest is right."""
    rest = left.without(items)
    return all(
        abs(sums.net * treatment.rate / 100 - sums.vat) <= CENT * rest.lines
        for treatment, sums in rest.per_treatment().items()
    ) and left.covers(items)


def _with_rest(sale: Sale, refund: Refund, items: Items, left: Remainder, field: str) -> Items:
    """Add what the refund is beyond its lines, spread over what is left; raises ``Refused``."""
    rest = refund.total - refund.rounding_amount - judging.gross(items)
    if not rest and items:
        return items
    if rest < 0:
        raise Refused("the refund's lines are more than it", code=reasons.REFUND_DIFFERS, field=f"{field}.total")
    how = sale.settings.amount_refunds
    if how == "quarantine":
        raise Refused("the refund names no lines", code=reasons.REFUND_WITHOUT_LINES, field=f"{field}.lines")
    try:
        spread = left.without(items).spread(rest, how)
    except Refused as refused:
        raise Refused(refused.args[0], code=refused.code, field=f"{field}.{refused.field}") from None
    return (*items, *spread)


# ------------------------------------------------------------------------------------------------------- the documents


@dataclass(frozen=True)
class _Note:
    """One refund's credit notes: what they hold per document of the order, their number behind the invoice's, date."""

    refund: Refund
    contents: dict[str, Content]
    suffix: str
    day: date
    earlier: bool


def _credit_notes(sale: Sale, note: _Note) -> Iterator[Decision]:
    dated = bookable.booked_on(note.day, sale.settings)
    chief = next(iter(note.contents))
    for part, content in note.contents.items():
        papers = Papers(
            DocumentKind.CREDIT_NOTE,
            invoice_id(note.refund.refund_id, "" if part == chief else part),
            sale.number_of(part) + note.suffix,
            dated.day,
            dated.original,
            part,
            preceding=sale.number_of(part),
            earlier=note.earlier,
        )
        invoice = assemble(sale.order, papers, content, sale.evidence, sale.settings.currency)
        yield Prepared(invoice=invoice, unless_booked=dated.unless_booked)


def _contents(sale: Sale, refund: Refund, taken: _Taken, field: str) -> dict[str, Content]:
    booked, charged = by_part(taken.booked), by_part(taken.charged)
    found = list(charged) or [""]
    first = found[0]
    bare = {
        part: Content(
            booked.get(part, ()),
            charged.get(part, ()),
            taken.booked_rounding if part == first else ZERO,
            taken.charged_rounding if part == first else ZERO,
            warnings=taken.warnings if part == first else frozenset(),
        )
        for part in found
    }
    if any(content.owed < 0 or not content.items for content in bare.values()):
        raise Refused("a credit note below zero", code=reasons.REFUND_DIFFERS, field=f"{field}.lines")
    shares = shared_out(refund.payments, [content.charged_owed for content in bare.values()])
    return {
        part: _paid(sale, refund, content, share) for (part, content), share in zip(bare.items(), shares, strict=True)
    }


def _paid(sale: Sale, refund: Refund, content: Content, share: tuple[Payment, ...]) -> Content:
    told = bool(refund.payments) or sale.order.paid_at is None
    payments = sale.payments_in_books(share, content)
    return replace(content, payments=payments, paid=None if told else content.owed)
