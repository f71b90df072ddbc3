"""Orders a shop can make, for properties: any mix of lines, cents moved by its own rounding, payments, refunds.

``orders()`` gives an order with what it was made of; every figure is what a shop would charge. Whoever wants less draws
with the arguments. Reused by the properties of journals and summaries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from sluis.core.evidence import Evidence, ExchangeRate
from sluis.core.invoice import total
from sluis.core.money import CENT, ZERO, from_cents, round_cents
from sluis.core.order import Address, Buyer, ChargedVat, LineKind, Order, OrderLine, Payment, Refund
from sluis.core.settings import IntegrationSettings

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)
SETTINGS = IntegrationSettings(start_date=date(2026, 1, 1))
RATES = (Decimal(21), Decimal(9), Decimal(0))
CATEGORIES = (None, "books", "mugs")
#: Rates as the market has them, and odd ones: dollars, yen, a currency of small units.
EXCHANGE = ("1.0850", "0.8612", "162.35", "11.4321", "1")


@dataclass(frozen=True)
class Drawn:
    """An order with the evidence it is decided on."""

    order: Order
    evidence: Evidence

    @property
    def foreign(self) -> bool:
        """Whether it is in another currency than the books."""
        return self.order.currency != SETTINGS.currency


def line(line_id: str, kind: LineKind, net: Decimal, rate: Decimal | None, category: str | None = None) -> OrderLine:
    """Return a line as a shop charges it; ``rate`` ``None``: it has no VAT row."""
    vat = round_cents(net * rate / 100) if rate is not None else ZERO
    rows = (ChargedVat(rate=rate, amount=vat),) if rate is not None else ()
    return OrderLine(
        line_id=line_id, kind=kind, description="Article", quantity=Decimal(1), net=net, vat=rows, vat_total=vat,
        category=category,
    )  # fmt: skip


def order_of(lines: Sequence[OrderLine], *, rate_off: int = 0, total_off: int = 0, cash: int = 0) -> Order:
    """Return an order of ``lines``; ``*_off`` are cents moved by the shop's own rounding, ``cash`` by that of coins."""
    charged: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for each in lines:
        for row in each.vat:
            charged[row.rate] += row.amount
    taxed = [rate for rate in charged if rate]
    if taxed:
        charged[taxed[0]] += rate_off * CENT
    vat = total(charged.values())
    return Order(
        platform="any", order_id="5001", number="1001", status="completed", currency="EUR",
        created_at=AT, modified_at=AT, paid_at=AT, prices_include_vat=True, lines=tuple(lines),
        vat=tuple(ChargedVat(rate=rate, amount=amount) for rate, amount in charged.items()), total_vat=vat,
        total=total(each.net for each in lines) + vat + (total_off + cash) * CENT, rounding_amount=cash * CENT,
        buyer=Buyer(address=Address(country="NL")), ship_to=Address(country="NL"), payment_method="ideal",
    )  # fmt: skip


_goods = st.builds(
    lambda rate, cents, category: (LineKind.GOODS, from_cents(cents), rate, category),
    st.sampled_from(RATES), st.integers(min_value=0, max_value=100_000), st.sampled_from(CATEGORIES),
)  # fmt: skip
_others = st.builds(
    lambda kind, rate, cents: (kind, from_cents(-cents if kind is LineKind.DISCOUNT else cents), rate, None),
    st.sampled_from([LineKind.TIP, LineKind.DEPOSIT, LineKind.DISCOUNT]),
    st.sampled_from(RATES), st.integers(min_value=1, max_value=500),
)  # fmt: skip
_vouchers = st.builds(
    lambda cents: (LineKind.GIFT_CARD, from_cents(cents), None, None), st.integers(min_value=500, max_value=10_000)
)


@st.composite
def line_lists(draw: st.DrawFn, *, vouchers: bool = True) -> list[OrderLine]:
    """Draw the lines of an order: goods, what comes beside them, and a gift card now and then."""
    drawn = [*draw(st.lists(_goods, min_size=1, max_size=8)), *draw(st.lists(_others, max_size=2))]
    if vouchers:
        drawn += draw(st.lists(_vouchers, max_size=1))
    return [line(str(n + 1), *each) for n, each in enumerate(drawn)]


@st.composite
def payments_on(draw: st.DrawFn, order: Order) -> tuple[Payment, ...]:
    """Draw what was paid: all at once, in part, with a gift card, or more than is owed."""
    amounts = draw(st.lists(st.integers(min_value=1, max_value=60_000), max_size=3))
    return tuple(
        Payment(
            payment_id=f"p{n}", method="gift_card" if gift else "ideal", amount=from_cents(cents), paid_at=AT,
            gift_card=gift,
        )
        for n, cents in enumerate(amounts)
        for gift in [draw(st.booleans())]
    )  # fmt: skip


@st.composite
def orders(
    draw: st.DrawFn, *, vouchers: bool = True, cents_off: int = 3, foreign: bool = True, payments: bool = True
) -> Drawn:
    """Draw an order above zero. ``cents_off`` bounds what its own rounding moved."""
    lines = draw(line_lists(vouchers=vouchers))
    moved = st.integers(min_value=-cents_off, max_value=cents_off)
    # VAT of a line is rounded by half a cent; what the shop may move beside that stays within a cent per line.
    bound = sum(1 for each in lines if each.vat and each.vat[0].rate == next(_taxed(lines), None)) // 2
    order = order_of(
        lines,
        rate_off=max(-bound, min(bound, draw(moved))),
        total_off=max(-len(lines), min(len(lines), draw(moved))),
        cash=draw(st.sampled_from([0, 0, 0, 2, -2])),
    )
    if payments:
        order = order.model_copy(update={"payments": draw(payments_on(order))})
    if foreign and draw(st.booleans()):
        rate = Decimal(draw(st.sampled_from(EXCHANGE)))
        exchange = ExchangeRate(currency="USD", rate=rate, on=AT.date())
        return Drawn(order.model_copy(update={"currency": "USD"}), Evidence(exchange=exchange))
    return Drawn(order, Evidence())


def _taxed(lines: Sequence[OrderLine]) -> Iterator[Decimal]:
    return (row.rate for each in lines for row in each.vat if row.rate)


def with_refunds(order: Order, refunds: Sequence[Refund]) -> Order:
    """Return the order with refunds a day apart, numbered in the order given."""
    numbered = tuple(
        refund.model_copy(update={"refund_id": str(6001 + n), "created_at": AT + timedelta(days=n + 1)})
        for n, refund in enumerate(refunds)
    )
    return order.model_copy(update={"refunds": numbered})


def back(lines: Sequence[OrderLine], amount: Decimal, rounding: Decimal = ZERO) -> Refund:
    """Return a refund of ``lines`` (none: an amount) over ``amount`` with VAT."""
    renamed = tuple(each.model_copy(update={"line_id": f"r{each.line_id}"}) for each in lines)
    return Refund(refund_id="6001", created_at=AT, total=amount, lines=renamed, rounding_amount=rounding)


@st.composite
def pieces(draw: st.DrawFn, order: Order, *, most: int = 5) -> list[Refund]:
    """Draw refunds that together give the whole order back: by amount, or single lines first and the rest after."""
    left = order.total
    refunds: list[Refund] = []
    if draw(st.booleans()):
        for each in draw(st.lists(st.sampled_from(order.lines), max_size=3, unique_by=lambda each: each.line_id)):
            if ZERO < each.gross < left:
                refunds.append(back([each], each.gross))
                left -= each.gross
    for _ in range(draw(st.integers(min_value=0, max_value=most - 1))):
        cents = draw(st.integers(min_value=1, max_value=max(1, int(left * 100) - 1)))
        if from_cents(cents) < left:
            refunds.append(back([], from_cents(cents)))
            left -= from_cents(cents)
    return [*refunds, back([], left)] if left else refunds
