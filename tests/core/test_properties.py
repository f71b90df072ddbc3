"""What must hold for every order a shop can make: nothing is lost, nothing is invented, nothing depends on order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.core.fingerprint import content
from sluis.core.invoice import Decision, Invoice, Prepared, VatTreatment, total
from sluis.core.invoicing import prepare
from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.order import Address, Buyer, ChargedVat, LineKind, Order, OrderLine, Refund
from sluis.core.settings import IntegrationSettings
from sluis.core.summary import extracted

SETTINGS = IntegrationSettings(start_date=datetime(2026, 1, 1, tzinfo=UTC).date())
AT = datetime(2026, 5, 4, 10, tzinfo=UTC)
RATES = (Decimal(21), Decimal(9), Decimal(0))

amounts = st.integers(min_value=-5_000, max_value=100_000).map(lambda cents: Decimal(cents) / 100)
lines = st.lists(st.tuples(st.sampled_from(RATES), amounts), min_size=1, max_size=12)


def order_of(drawn: list[tuple[Decimal, Decimal]], *, rate_off: int = 0, total_off: int = 0) -> Order:
    """An order as a shop charges it; ``*_off`` are cents that the shop's own rounding moved."""
    numbers = count(1)
    made = tuple(_line(str(next(numbers)), rate, net) for rate, net in drawn)
    charged: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for line in made:
        charged[line.vat[0].rate] += line.vat[0].amount
    taxed = [rate for rate in charged if rate]
    if taxed:
        charged[taxed[0]] += rate_off * CENT
    vat = total(charged.values())
    return Order(
        platform="any", order_id="5001", number="1001", status="completed", currency="EUR",
        created_at=AT, modified_at=AT, paid_at=AT, prices_include_vat=True, lines=made,
        vat=tuple(ChargedVat(rate=rate, amount=amount) for rate, amount in charged.items()),
        total_vat=vat, total=total(line.net for line in made) + vat + total_off * CENT,
        buyer=Buyer(), ship_to=Address(country="NL"),
    )  # fmt: skip


def _line(line_id: str, rate: Decimal, net: Decimal) -> OrderLine:
    vat = round_cents(net * rate / 100)
    rows = (ChargedVat(rate=rate, amount=vat),)
    return OrderLine(
        line_id=line_id,
        kind=LineKind.GOODS,
        description="Article",
        quantity=Decimal(1),
        net=net,
        vat=rows,
        vat_total=vat,
    )


def invoice_of(order: Order) -> Invoice | None:
    """The prepared invoice, ``None`` when the order was not prepared."""
    first = prepare(order, SETTINGS)[0]
    return first.invoice if isinstance(first, Prepared) else None


def reason_of(decision: Decision) -> str | None:
    """The reason of an outcome that was not prepared."""
    return None if isinstance(decision, Prepared) else decision.reason


@given(lines)
def test_the_books_hold_what_the_shop_charged(drawn: list[tuple[Decimal, Decimal]]) -> None:
    order = order_of(drawn)
    invoice = invoice_of(order)
    if order.total < 0:
        assert reason_of(prepare(order, SETTINGS)[0]) == "negative_total"
        return
    assert invoice is not None
    assert invoice.total_with_vat == order.total
    assert invoice.warnings == ()
    booked = {part.treatment.rate: (part.taxable_amount, part.vat_amount) for part in invoice.vat_breakdown}
    for row in order.vat:
        nets = total(line.net for line in order.lines if line.vat[0].rate == row.rate)
        assert booked[row.rate] == (nets, row.amount)
    assert {part.treatment.category.value for part in invoice.vat_breakdown} <= {"S", "Z"}


@given(lines, st.integers(min_value=-15, max_value=15), st.integers(min_value=-15, max_value=15))
def test_cents_are_kept_and_bounded(drawn: list[tuple[Decimal, Decimal]], rate_off: int, total_off: int) -> None:
    order = order_of(drawn, rate_off=rate_off, total_off=total_off)
    first = prepare(order, SETTINGS)[0]
    if not isinstance(first, Prepared):
        taxed = [line for line in order.lines if line.vat[0].rate]
        close = abs(total_off) <= len(order.lines) and (not taxed or not rate_off)
        assert order.total < 0 or not close
        return
    invoice = first.invoice
    assert invoice.total_with_vat == order.total
    assert {p.treatment.rate: p.vat_amount for p in invoice.vat_breakdown} == {v.rate: v.amount for v in order.vat}
    rounding = [line for line in invoice.lines if line.kind is None]
    assert len(rounding) <= 1
    assert abs(total(line.net for line in rounding)) <= CENT * len(order.lines)
    assert total(line.net for line in rounding) == total_off * CENT
    moved = [abs(a.vat - b.vat_total) for a, b in zip(invoice.lines, order.lines, strict=False)]
    assert max(moved) <= CENT


@given(lines, st.integers(min_value=-3, max_value=3), st.integers(min_value=-3, max_value=3), st.randoms())
def test_the_order_of_lines_changes_nothing(
    drawn: list[tuple[Decimal, Decimal]], rate_off: int, total_off: int, random: object
) -> None:
    order = order_of(drawn, rate_off=rate_off, total_off=total_off)
    shuffled = list(order.lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = order.model_copy(update={"lines": tuple(shuffled), "vat": order.vat[::-1]})
    first, second = invoice_of(order), invoice_of(other)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.vat_breakdown == second.vat_breakdown
        assert content(first) == content(second)
        assert {line.line_id: line for line in first.lines} == {line.line_id: line for line in second.lines}


def per_treatment(invoices: Iterable[Invoice]) -> dict[VatTreatment, tuple[Decimal, Decimal]]:
    """Sum net and VAT per treatment, credit notes below zero."""
    sums: dict[VatTreatment, tuple[Decimal, Decimal]] = {}
    for invoice in invoices:
        for part in invoice.vat_breakdown:
            net, vat = sums.get(part.treatment, (ZERO, ZERO))
            sign = invoice.kind.sign
            sums[part.treatment] = (net + sign * part.taxable_amount, vat + sign * part.vat_amount)
    return sums


@given(lines, st.integers(min_value=-3, max_value=3), st.integers(min_value=-3, max_value=3))
def test_an_order_and_its_full_refund_leave_nothing(
    drawn: list[tuple[Decimal, Decimal]], rate_off: int, total_off: int
) -> None:
    order = order_of(drawn, rate_off=rate_off, total_off=total_off)
    back = tuple(line.model_copy(update={"line_id": f"r{line.line_id}"}) for line in order.lines)
    refund = Refund(refund_id="6001", created_at=AT + timedelta(days=3), total=order.total, lines=back)
    decisions = prepare(order.model_copy(update={"refunds": (refund,), "status": "refunded"}), SETTINGS)
    assert len(decisions) == 2
    if isinstance(decisions[0], Prepared):
        assert isinstance(decisions[1], Prepared)
        left = per_treatment(decision.invoice for decision in decisions if isinstance(decision, Prepared))
        assert set(left.values()) == {(ZERO, ZERO)}


@given(lines, st.integers(min_value=0, max_value=11))
@settings(max_examples=50)
def test_every_part_refunded_alone_leaves_nothing(drawn: list[tuple[Decimal, Decimal]], shift: int) -> None:
    drawn = [(rate, abs(net) + CENT) for rate, net in drawn]
    order = order_of(drawn)
    refunds = tuple(
        Refund(refund_id=str(7000 + (n + shift) % len(drawn)), created_at=AT, total=line.gross, lines=(line,))
        for n, line in enumerate(order.lines)
    )
    decisions = prepare(order.model_copy(update={"refunds": refunds}), SETTINGS)
    invoices = [decision.invoice for decision in decisions if isinstance(decision, Prepared)]
    assert len(invoices) == len(refunds) + 1
    assert [i.invoice_number for i in invoices[1:]] == [f"1001-C{n + 1}" for n in range(len(refunds))]
    assert set(per_treatment(invoices).values()) == {(ZERO, ZERO)}


@given(lines, st.booleans())
def test_documents_and_cents_are_those_extracted(drawn: list[tuple[Decimal, Decimal]], bookable: bool) -> None:
    order = order_of(drawn)
    refund = Refund(refund_id="6001", created_at=AT, total=Decimal("1.00"))
    order = order.model_copy(update={"refunds": (refund,), "status": "completed" if bookable else "pending"})
    decisions = prepare(order, SETTINGS)
    number, money = extracted([order])
    assert len(decisions) == number == 2
    signed = [d.invoice.total_with_vat * d.invoice.kind.sign if isinstance(d, Prepared) else d.total for d in decisions]
    assert money == {"EUR": int(total(signed) * 100)}
