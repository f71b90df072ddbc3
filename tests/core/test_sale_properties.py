"""What must hold for every sale, its documents, its refunds and its conversion: nothing is lost, nothing left over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from sluis.core.figures import Figure, add_up, figures_of
from sluis.core.fingerprint import content
from sluis.core.invoice import Decision, Invoice, Prepared, Result, total
from sluis.core.invoicing import charged, outcome, prepare
from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.order import Order
from sluis.core.summary import Tally, extracted
from tests.core.orders_strategy import SETTINGS, Drawn, back, orders, pieces, with_refunds


def decided(drawn: Drawn, order: Order | None = None) -> tuple[Decision, ...]:
    return prepare(order or drawn.order, SETTINGS, evidence=drawn.evidence)


def invoices_of(decisions: Iterable[Decision]) -> list[Invoice]:
    return [decision.invoice for decision in decisions if isinstance(decision, Prepared)]


def sold(drawn: Drawn) -> list[Invoice]:
    """The order's own documents; draws that a shop cannot make (below zero on a document) are left out."""
    decisions = decided(drawn)
    assume(all(isinstance(decision, Prepared) for decision in decisions))
    return invoices_of(decisions)


def left_over(documents: Iterable[Invoice]) -> tuple[Figure, ...]:
    """What an order and its credit notes leave on the accounts, in the books' currency."""
    figures = add_up(figure for document in documents for figure in figures_of(document))
    return tuple(figure for figure in figures if figure.net_cents or figure.vat_cents)


def shops(invoice: Invoice) -> Decimal:
    return invoice.owed if invoice.charged_total is None else invoice.charged_total


@given(orders())
def test_an_order_in_the_shops_own_bounds_is_booked_unless_a_document_is_below_zero(drawn: Drawn) -> None:
    decisions = decided(drawn)
    reasons = {d.reason for d in decisions if not isinstance(d, Prepared)}
    event(f"not booked: {reasons or 'no'}")
    # A rounding line converted into a currency of larger units may be more than its cent per line.
    assert reasons <= {"negative_total", "total_differs_from_lines"}
    if not drawn.foreign:
        assert reasons <= {"negative_total"}


@given(orders())
def test_the_documents_add_up_to_what_the_shop_charged(drawn: Drawn) -> None:
    documents = sold(drawn)
    assert total(shops(invoice) for invoice in documents) == drawn.order.total
    amounts = charged(drawn.order, decided(drawn))
    assert {(i.kind, i.document_id): shops(i) for i in documents} == amounts
    if not drawn.foreign:
        assert total(invoice.rounding_amount for invoice in documents) == drawn.order.rounding_amount


@given(orders(foreign=False))
def test_vat_per_rate_is_what_the_shop_charged(drawn: Drawn) -> None:
    booked: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for invoice in sold(drawn):
        for part in invoice.vat_breakdown:
            booked[part.treatment.rate] += part.vat_amount
    assert {rate: amount for rate, amount in booked.items() if amount} == {
        row.rate: row.amount for row in drawn.order.vat if row.amount
    }


@given(orders())
def test_paid_gift_cards_and_open_are_the_total(drawn: Drawn) -> None:
    documents = sold(drawn)
    for invoice in documents:
        assert invoice.paid_amount + invoice.amount_due == invoice.owed
        if drawn.order.payments:
            assert invoice.paid_amount == total(payment.amount for payment in invoice.payments)
    if drawn.order.payments and not drawn.foreign:
        assert total(i.paid_amount for i in documents) == total(p.amount for p in drawn.order.payments)
        assert all(invoice.amount_due >= 0 for invoice in documents[1:])  # too much is told on the main document
    paid, due = total(p.amount for p in drawn.order.payments), drawn.order.total
    if drawn.order.payments and paid == due:
        assert {invoice.amount_due for invoice in documents} == {ZERO}


@given(orders())
def test_no_document_mixes_what_may_not_stand_together(drawn: Drawn) -> None:
    """EN 16931 BR-O-11; document ids and numbers are told apart; only one document is the main one."""
    documents = sold(drawn)
    for invoice in documents:
        categories = {part.treatment.category.value for part in invoice.vat_breakdown}
        assert "O" not in categories or categories == {"O"}
    assert len({invoice.document_id for invoice in documents}) == len(documents)
    assert len({invoice.invoice_number for invoice in documents}) == len(documents)
    assert [invoice.is_further for invoice in documents] == [False] + [True] * (len(documents) - 1)


@given(orders(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_rows_changes_nothing(drawn: Drawn, random: object) -> None:
    shuffled = list(drawn.order.lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = drawn.order.model_copy(update={"lines": tuple(shuffled), "vat": drawn.order.vat[::-1]})
    assert [content(i) for i in invoices_of(decided(drawn))] == [content(i) for i in invoices_of(decided(drawn, other))]


@given(orders())
def test_an_order_and_its_full_refund_leave_nothing_on_any_account(drawn: Drawn) -> None:
    sold(drawn)
    assume(drawn.order.total > 0)
    whole = back(drawn.order.lines, drawn.order.total, drawn.order.rounding_amount)
    documents = invoices_of(decided(drawn, with_refunds(drawn.order, [whole])))
    assert next(i.invoice_number for i in documents if i.kind.sign < 0) == "1001-C1"
    assert left_over(documents) == ()


@given(orders(), st.data())
@settings(max_examples=150)
def test_pieces_that_add_up_to_everything_leave_nothing(drawn: Drawn, data: st.DataObject) -> None:
    sold(drawn)
    assume(drawn.order.total > 0)
    refunds = data.draw(pieces(drawn.order))
    decisions = decided(drawn, with_refunds(drawn.order, refunds))
    refused = [d.reason for d in decisions if not isinstance(d, Prepared)]
    event(f"refused: {refused or 'none'}")
    if refused:  # an amount that no positive rate has left, beside discounts: a person looks
        assert set(refused) <= {"refund_differs", "total_differs_from_lines"}
        return
    assert left_over(invoices_of(decisions)) == ()


@given(orders(foreign=False), st.data())
def test_every_credit_note_is_what_was_given_back(drawn: Drawn, data: st.DataObject) -> None:
    sold(drawn)
    assume(drawn.order.total > 0)
    order = with_refunds(drawn.order, data.draw(pieces(drawn.order)))
    notes = [i for i in invoices_of(decided(drawn, order)) if i.kind.sign < 0]
    for refund in order.refunds:
        own = [i for i in notes if i.document_id.split("/")[0] == refund.refund_id]
        assert not own or total(i.owed for i in own) == refund.total
        assert [i.is_further for i in own] == [False] * bool(own) + [True] * (len(own) - 1)
    for note in notes:
        for part in note.vat_breakdown:
            lines = [line for line in note.lines if line.treatment == part.treatment]
            slack = CENT * (len(lines) + len(drawn.order.lines) + len(order.refunds))
            assert abs(part.taxable_amount * part.treatment.rate / 100 - part.vat_amount) <= slack


@given(orders(), st.data())
def test_a_run_over_it_is_proved(drawn: Drawn, data: st.DataObject) -> None:
    assume(drawn.order.total > 0)
    order = with_refunds(drawn.order, data.draw(pieces(drawn.order)))
    tally = Tally(
        outcome(decision.invoice, Result.BOOKED) if isinstance(decision, Prepared) else decision
        for decision in decided(drawn, order)
    )
    tally.prove(*extracted([order]))


@given(orders())
def test_conversion_keeps_totals(drawn: Drawn) -> None:
    assume(drawn.foreign)
    documents = sold(drawn)
    exchange = drawn.evidence.exchange
    assert exchange is not None
    assert total(i.owed for i in documents) == round_cents(drawn.order.total / exchange.rate)
    vat: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for invoice in documents:
        for part in invoice.vat_breakdown:
            vat[part.treatment.rate] += part.vat_amount
    for row in drawn.order.vat:
        assert abs(vat[row.rate] - row.amount / exchange.rate) <= CENT * _treatments(documents, row.rate) / 2


def _treatments(documents: Sequence[Invoice], rate: Decimal) -> int:
    return len({p.treatment for invoice in documents for p in invoice.vat_breakdown if p.treatment.rate == rate}) or 1
