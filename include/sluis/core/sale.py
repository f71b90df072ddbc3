"""A sold order, judged: its lines with their VAT, divided over the documents it needs, in both currencies.

An order becomes a second document where EN 16931 does not let two treatments stand together (BR-O-11: what is outside
the scope of VAT; BR-AE and Wet OB art. 12(5): a domestic reverse charge is invoiced by itself). Such lines alone are
the order's main document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sluis.core import amounts, ancillary, bookable, exchange, judging, reasons, vat
from sluis.core.assembling import Content, Papers, assemble, by_part, shared_out
from sluis.core.evidence import Evidence, ExchangeRate
from sluis.core.invoice import DocumentKind, Invoice, invoice_id, total
from sluis.core.judging import Items
from sluis.core.money import CENT, ZERO
from sluis.core.order import Order, Payment
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

#: What is written behind the number of the order's further documents.
SUFFIXES = {"voucher": "V1", "reverse_charge": "RC"}
#: Cash is rounded to the nearest coin: half the smallest one, where that is more than half a unit of the currency.
_COIN = {"HUF": Decimal("2.50")}
_HALF = Decimal("0.50")


@dataclass(frozen=True)
class Sale:
    """A bookable order, as its invoices and refunds need it. ``charged`` is in the shop's currency, ``booked`` not."""

    order: Order
    settings: IntegrationSettings
    facts: vat.Facts
    evidence: Evidence
    rate: ExchangeRate | None  #: ``None``: the order is in the currency of the books
    charged: Items
    booked: Items
    booked_rounding: Decimal
    main: str  #: what the decision calls the part that is the order's main document
    rates: frozenset[Decimal | None]  #: the rates that were charged; ``None`` where a line had no VAT row
    warnings: frozenset[str]

    @property
    def number(self) -> str:
        """Number of the main document."""
        return self.settings.reference_prefix + self.order.number

    @property
    def parts(self) -> tuple[str, ...]:
        """The documents the order has, the main one (``""``) first."""
        return tuple(by_part(self.charged)) or ("",)

    def number_of(self, part: str) -> str:
        """Number of one of the order's documents."""
        return f"{self.number}-{SUFFIXES[part]}" if part else self.number

    @classmethod
    def of(cls, order: Order, settings: IntegrationSettings, on: date, evidence: Evidence) -> Sale:
        """Judge VAT and amounts of the order under the law of the day ``on``; raises ``Refused``."""
        _sane(order)
        facts = vat.facts(order, settings, on, evidence)
        judging.judge(facts, order.lines, "lines")
        rate = exchange.rate_for(order, settings, evidence)
        parts = amounts.parts_of(order.lines)
        figures = amounts.settle(parts, amounts.per_rate(order.vat), order.total - order.rounding_amount)
        amounts.plausible(figures.parts)
        bound = CENT * len(order.lines)
        if abs(figures.residual) > bound:
            code = reasons.TOTAL_DIFFERS_FROM_LINES
            raise Refused("lines and VAT are not the total", code=code, field="total")
        if abs(order.total_vat - total(part.vat for part in figures.parts)) > bound:
            raise Refused("VAT per rate is not the total", code=reasons.VAT_AMOUNT_DIFFERS, field="total_vat")
        items = ancillary.judge(judging.items_of(facts, figures), order.lines)
        main = min((item.part for item in items), default="")
        charged = _named(items, main)
        booked = charged if rate is None else exchange.convert(charged, rate)
        owed = order.total if rate is None else exchange.converted(order.total, rate)
        return cls(
            order=order,
            settings=settings,
            facts=facts,
            evidence=evidence,
            rate=rate,
            charged=charged,
            booked=booked,
            booked_rounding=owed - judging.gross(booked) if order.rounding_amount else ZERO,
            main=main,
            rates=frozenset(part.rate for part in parts),
            warnings=frozenset({reasons.VAT_SPREAD_OVER_LINES} if figures.spread else ()),
        )

    def named(self, items: Items) -> Items:
        """Put decided items (of a refund) on the documents that the order has."""
        return _named(items, self.main)

    def invoices(self, day: date, original: date | None) -> tuple[Invoice, ...]:
        """Return the order's documents, the main one first, dated ``day``."""
        contents = {part: self._content(part) for part in self.parts}
        self._pay(contents)
        return tuple(
            assemble(
                self.order,
                Papers(
                    DocumentKind.INVOICE,
                    invoice_id(self.order.order_id, part),
                    self.number_of(part),
                    day,
                    original,
                    part,
                ),
                content,
                self.evidence,
                self.settings.currency,
            )
            for part, content in contents.items()
        )

    def payments_in_books(self, payments: tuple[Payment, ...], content: Content) -> tuple[Payment, ...]:
        """Return payments on a document in the currency of the books."""
        if self.rate is None:
            return payments
        return exchange.convert_payments(payments, self.rate, content.charged_owed, content.owed)

    def _content(self, part: str) -> Content:
        items = by_part(self.booked).get(part, ())
        charged = by_part(self.charged).get(part, ())
        content = Content(
            items,
            charged,
            ZERO if part else self.booked_rounding,
            ZERO if part else self.order.rounding_amount,
            warnings=self.warnings if part == self.parts[0] else frozenset(),
        )
        if content.owed < 0:
            raise Refused("a document below zero", code=reasons.NEGATIVE_TOTAL, field="total")
        return content

    def _pay(self, contents: dict[str, Content]) -> None:
        shares = shared_out(self.order.payments, [content.charged_owed for content in contents.values()])
        for (part, content), share in zip(list(contents.items()), shares, strict=True):
            paid = content.owed if not self.order.payments and self.order.paid_at is not None else None
            contents[part] = replace(content, payments=self.payments_in_books(share, content), paid=paid)


def _sane(order: Order) -> None:
    """Refuse what no order can be, before anything is looked up."""
    if order.total < 0:
        raise Refused("the total is below zero", code=reasons.NEGATIVE_TOTAL, field="total")
    if order.status == bookable.REFUNDED and not order.refunds:
        raise Refused("refunded, but there is no refund", code=reasons.REFUND_MISSING, field="refunds")
    for index, line in enumerate(order.lines):
        if line.net * line.vat_total < 0 and abs(line.vat_total) > CENT:
            raise Refused("VAT against its amount", code=reasons.NEGATIVE_VAT, field=f"lines[{index}].vat")
    if abs(order.rounding_amount) > _COIN.get(order.currency, _HALF):
        code = reasons.TOTAL_DIFFERS_FROM_LINES
        raise Refused("no coin is so large", code=code, field="rounding_amount")


def _named(items: Items, main: str) -> Items:
    """Call the document ``main`` the order's main one: where no line is free to stand there, another becomes it."""
    return tuple(item.on("") if item.part == main else item for item in items)
