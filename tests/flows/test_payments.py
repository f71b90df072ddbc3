"""Payments: once, with date, amount, reference and account; never more than was paid; the clearing account adds up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from sluis.core import reasons
from sluis.core.invoice import DocumentOutcome, Invoice, Result, Role
from sluis.core.order import Payment
from sluis.flows.payments import Payments, missing
from sluis.store.database import owner_connection, rows
from sluis.store.payments import PaymentRows
from tests.contracts.accounting_contract import TODAY
from tests.flows.payments_desk import PAYPAL, PSP, VOUCHERS, Desk, paid, refund, reversal, sale
from tests.flows.world import World

PAYMENTS = "*/payments.json"
D = Decimal


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    yield Desk(world)
    with owner_connection() as conn:
        assert rows(conn, "select 1 from sluis.payment where state = 'booked' and external_id is null") == []


def results(outcomes: tuple[DocumentOutcome, ...]) -> list[tuple[Result, str | None]]:
    assert all((o.role, o.part) == (Role.OWN, "payment") for o in outcomes)
    return [(outcome.result, outcome.reason) for outcome in outcomes]


BOOKED, ADOPTED = [(Result.BOOKED, None)], [(Result.ADOPTED, None)]


class TestOnce:
    def test_a_paid_order_is_registered_with_date_amount_reference_and_account(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00", at=datetime(2026, 11, 14, 23, 30, tzinfo=UTC)))
        desk.book(document)
        (told,) = desk.settle(document)
        (stands,) = desk.on(document)
        assert (stands["payment_date"], stands["price"], stands["transaction_identifier"]) == (
            "2026-11-15", "121.0", "tr_order",
        )  # fmt: skip
        assert stands["ledger_account_id"] == desk.world.books.account(PSP)
        assert (told.total, told.currency, told.external_id, told.issue_date) == (
            D("121.00"), "EUR", stands["id"], date(2026, 11, 15),
        )  # fmt: skip
        assert results((told,)) == BOOKED
        assert (desk.open(document), desk.balance(), desk.calls()) == (D(0), D("121.00"), 1)

    def test_a_second_run_registers_nothing_and_asks_nothing(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.settle(document)
        gets = desk.world.calls("GET", "external_sales_invoices")
        assert desk.settle(document) == ()
        assert (desk.calls(), desk.world.calls("GET", "external_sales_invoices")) == (1, gets)

    def test_the_same_run_tells_it_again_until_it_is_reported(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        assert desk.settle(document, run="r") == desk.settle(document, run="r")
        assert desk.calls() == 1

    def test_an_order_paid_later_and_in_parts_gets_each_payment_when_it_came(self, desk: Desk) -> None:
        first, second = paid("21.00", "a"), paid("100.00", "b", "paypal")
        unpaid = sale("121.00")
        desk.book(unpaid)
        assert desk.settle(unpaid) == ()
        assert results(desk.settle(sale("121.00", first))) == BOOKED
        assert desk.open(unpaid) == D("100.00")
        assert results(desk.settle(sale("121.00", first, second))) == BOOKED
        assert (desk.open(unpaid), desk.balance(PSP), desk.balance(PAYPAL)) == (D(0), D("21.00"), D("100.00"))

    def test_equal_payments_of_one_day_are_two(self, desk: Desk) -> None:
        document = sale("121.00", paid("60.50", "a", reference=""), paid("60.50", "b", reference=""))
        desk.book(document)
        assert results(desk.settle(document)) == BOOKED * 2
        assert desk.settle(document) == ()
        assert desk.amounts(document) == [D("60.50")] * 2

    def test_a_used_gift_card_is_paid_from_the_liability(self, desk: Desk) -> None:
        document = sale("121.00", paid("21.00", "card", "gift_card", gift_card=True), paid("100.00"))
        desk.book(document)
        desk.settle(document)
        assert (desk.balance(VOUCHERS), desk.balance(PSP), desk.open(document)) == (D("21.00"), D("100.00"), D(0))

    def test_a_refund_goes_out_over_the_same_account(self, desk: Desk) -> None:
        document, note = sale("121.00", paid("121.00")), refund("40.00", paid("40.00", "r1"))
        desk.book(document)
        desk.book(note)
        desk.settle(document)
        (told,) = desk.settle(note)
        assert (told.total, desk.amounts(note), desk.open(note)) == (D("-40.00"), [D("-40.00")], D(0))
        assert desk.balance() == D("81.00")

    def test_nothing_is_registered_where_it_is_switched_off(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.change(register_payments=False)
        assert desk.settle(document) == ()
        assert desk.calls() == 0


class TestEdits:
    def test_an_edited_order_keeps_what_was_registered(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.settle(document)
        assert desk.settle(sale("121.00", paid("90.00"))) == ()
        assert (desk.amounts(document), desk.balance()) == ([D("121.00")], D("121.00"))

    @pytest.mark.parametrize(("total", "left"), [("80.00", "-41.00"), ("150.00", "29.00")])
    def test_a_correction_leaves_an_open_or_a_credit_balance(self, desk: Desk, total: str, left: str) -> None:
        old, new = sale("121.00", paid("121.00")), sale(total, paid(total))
        desk.book(old)
        desk.settle(old)
        back = reversal("121.00", 0)
        desk.book(back)
        assert desk.settle(back) == ()
        desk.book(new, 1)
        assert results(desk.settle(new, 1)) == BOOKED * 2
        assert desk.settle(new, 1) == ()
        assert (desk.amounts(old), desk.amounts(back), desk.amounts(new, 1)) == (
            [D("121.00")], [D("-121.00")], [D("121.00")],
        )  # fmt: skip
        assert (desk.open(old), desk.open(back), desk.open(new, 1)) == (D(0), D(0), D(left))
        assert desk.balance() == D("121.00")

    def test_a_second_correction_moves_it_on(self, desk: Desk) -> None:
        documents = [sale(total, paid("121.00")) for total in ("121.00", "80.00", "100.00")]
        for revision, document in enumerate(documents):
            if revision:
                desk.book(reversal(str(documents[revision - 1].total_with_vat), revision - 1), revision - 1)
            desk.book(document, revision)
            desk.settle(document, revision)
        assert [desk.open(documents[n], n) for n in range(3)] == [D(0), D("-41.00"), D("-21.00")]
        assert [desk.open(reversal("1", n), n) for n in range(2)] == [D(0), D("41.00")]
        assert desk.balance() == D("121.00")

    def test_a_correction_that_broke_off_between_out_and_in_goes_on(self, desk: Desk) -> None:
        old, new = sale("121.00", paid("121.00")), sale("80.00", paid("80.00"))
        desk.book(old)
        desk.settle(old)
        desk.book(reversal("121.00", 0))
        desk.book(new, 1)
        desk.world.fault("status", path=PAYMENTS, status=422, skip=1, body='{"error": {"price": ["odd"]}}')
        assert results(desk.settle(new, 1)) == [*BOOKED, (Result.QUARANTINED, reasons.PAYMENT_REFUSED)]
        assert results(desk.settle(new, 1)) == BOOKED
        assert (desk.balance(), desk.amounts(new, 1)) == (D("121.00"), [D("121.00")])

    def test_a_cancelled_order_leaves_a_credit_until_it_is_paid_back(self, desk: Desk) -> None:
        document, back = sale("121.00", paid("121.00")), reversal("121.00", 0)
        desk.book(document)
        desk.settle(document)
        desk.book(back)
        assert desk.settle(back) == ()
        assert (desk.balance(), desk.open(back)) == (D("121.00"), D("-121.00"))
        assert results(desk.settle(back.model_copy(update={"payments": (paid("121.00", "r1"),)}))) == BOOKED
        assert (desk.balance(), desk.open(back)) == (D(0), D(0))

    @pytest.mark.parametrize("revision", [0, 1])
    def test_a_refund_that_was_credited_with_its_order_is_paid_back_over_the_reversal(
        self, desk: Desk, revision: int
    ) -> None:
        document = sale("121.00", paid("121.00"))
        for number in range(revision + 1):
            desk.book(document, number)
            desk.settle(document, number)
            desk.book(reversal("121.00", number), number)
        note, back = refund("121.00", paid("121.00", "r1")), reversal("121.00", revision)
        desk.rows[note.document_id, 0] = desk.rows[back.document_id, revision]
        assert results(desk.settle(note)) == BOOKED
        assert desk.settle(note) == ()
        assert (desk.balance(), desk.open(back, revision)) == (D(0), D(0))

    def test_a_netted_refund_that_is_booked_anew_is_paid_back_once(self, desk: Desk) -> None:
        # Cancelled after a refund (the reversal credits what was left), then the sale goes on: booked anew, both.
        document, note = sale("121.00", paid("121.00")), refund("40.00", paid("40.00", "r1"))
        for one in (document, note):
            desk.book(one)
            desk.settle(one)
        desk.book(reversal("81.00", 0))
        for one in (document, note):
            desk.book(one, 1)
            desk.settle(one, 1)
        assert desk.balance() == D("81.00")
        opens = [desk.open(document), desk.open(note), desk.open(reversal("1", 0))]
        assert [*opens, desk.open(document, 1), desk.open(note, 1)] == [D(0)] * 5


class TestWithoutAnAnswer:
    @pytest.mark.parametrize("fault", ["reset_after", "status_after", "truncated"])
    def test_what_was_registered_is_found_and_not_sent_again(self, desk: Desk, fault: str) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.world.fault(fault, path=PAYMENTS)
        assert results(desk.settle(document)) == [(Result.DEFERRED, reasons.OUTCOME_UNKNOWN)]
        assert desk.last is not None
        assert desk.last.must_retry
        assert results(desk.settle(document)) == ADOPTED
        assert (desk.amounts(document), desk.calls()) == ([D("121.00")], 1)
        assert desk.settle(document) == ()

    @pytest.mark.parametrize("reference", ["", "tr_1"])
    def test_the_right_one_of_two_equal_payments_is_found(self, desk: Desk, reference: str) -> None:
        both = [paid("60.50", name, reference=reference and f"{reference}{name}") for name in "ab"]
        document = sale("121.00", *both)
        desk.book(document)
        desk.world.fault("reset_after", path=PAYMENTS, skip=1)
        assert results(desk.settle(document)) == [*BOOKED, (Result.DEFERRED, reasons.OUTCOME_UNKNOWN)]
        assert results(desk.settle(document)) == ADOPTED
        assert desk.amounts(document) == [D("60.50")] * 2

    def test_what_never_arrived_is_sent_again(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.world.fault("reset", path=PAYMENTS)
        assert results(desk.settle(document)) == [(Result.DEFERRED, reasons.OUTCOME_UNKNOWN)]
        assert results(desk.settle(document)) == BOOKED
        assert desk.amounts(document) == [D("121.00")]

    @pytest.mark.parametrize("step", ["claim", "booked"])
    def test_killed_at_any_step_it_is_registered_once(
        self, desk: Desk, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        real = getattr(PaymentRows, step)

        def killed(*args: Any, **kwargs: Any) -> Any:
            if step == "claim":
                real(*args, **kwargs)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(PaymentRows, step, killed)
            with pytest.raises(KeyboardInterrupt):
                desk.settle(document)
        assert results(desk.settle(document)) == (BOOKED if step == "claim" else ADOPTED)
        assert (desk.amounts(document), desk.calls()) == ([D("121.00")], 1)

    def test_a_fresh_claim_is_not_looked_up_before_it_has_settled(self, desk: Desk) -> None:
        document, slept = sale("121.00", paid("121.00")), []
        row = desk.book(document)
        desk.world.fault("reset", path=PAYMENTS)
        desk.settle(document)
        with desk.session() as session:
            late = Payments(session, "r", desk.last._patience, timedelta(seconds=60), sleep=slept.append)  # type: ignore[union-attr]
            late.prefetch([row])
            late.settle(document, row)
        assert len(slept) == 1
        assert 0 < slept[0] <= 60

    def test_a_claim_whose_payment_the_shop_no_longer_tells_is_settled_too(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.world.fault("reset_after", path=PAYMENTS)
        desk.settle(document)
        assert results(desk.settle(sale("121.00"))) == ADOPTED


class TestRefusals:
    def test_a_spent_quota_defers_and_leaves_no_claim(self, desk: Desk) -> None:
        document = sale("121.00", paid("100.00", "a"), paid("21.00", "b"))
        desk.book(document)
        desk.world.fault("status", path=PAYMENTS, status=429, headers={"Retry-After": "9999999999"})
        assert results(desk.settle(document)) == [(Result.DEFERRED, reasons.QUOTA_SPENT)] * 2
        assert desk.last is not None
        assert not desk.last.must_retry
        assert desk.last.quota_frees_in is not None
        assert desk.calls() == 1
        with owner_connection() as conn:
            assert rows(conn, "select 1 from sluis.payment") == []
        desk.world.quota_frees()
        assert results(desk.settle(document)) == BOOKED * 2

    def test_a_refused_payment_waits_and_the_document_stays(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.world.fault("status", path=PAYMENTS, status=422, body='{"error": {"payment_date": ["is odd"]}}')
        (told,) = desk.settle(document)
        assert (told.result, told.reason, told.field) == (
            Result.QUARANTINED, reasons.PAYMENT_REFUSED, "payment_date",
        )  # fmt: skip
        assert results(desk.settle(document)) == BOOKED

    def test_what_a_person_registered_by_hand_is_taken_for_it(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document)
        desk.world.fault("status", path=PAYMENTS, status=422, body='{"error": {"price": ["is odd"]}}')
        desk.settle(document)
        desk.by_hand(document, "121.00", TODAY - timedelta(days=9))
        assert results(desk.settle(document)) == ADOPTED
        assert (desk.calls(), desk.amounts(document)) == (1, [D("121.00")])

    def test_a_period_that_is_closed_in_the_package_is_told(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00", at=datetime(2026, 3, 31, 12, tzinfo=UTC)))
        desk.book(document)
        desk.world.books.config = desk.world.books.config.model_copy(update={"period_locked_until": "2026-03-31"})
        (told,) = desk.settle(document)
        assert (told.reason, told.field) == (reasons.PAYMENT_REFUSED, "payment_date")
        assert desk.amounts(document) == []

    def test_a_closed_period_by_the_settings(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00", at=datetime(2026, 3, 30, 12, tzinfo=UTC)))
        desk.book(document)
        desk.change(books_closed_until="2026-03-31")
        assert results(desk.settle(document)) == [(Result.QUARANTINED, reasons.PAYMENT_REFUSED)]
        assert desk.calls() == 0
        desk.change(closed_period="first_open_day")
        (told,) = desk.settle(document)
        assert (told.result, told.warnings) == (Result.BOOKED, (reasons.DATED_IN_CLOSED_PERIOD,))
        assert [payment["payment_date"] for payment in desk.on(document)] == ["2026-04-01"]

    def test_a_method_without_an_account_is_named(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00", method="klarna"))
        desk.book(document)
        with desk.session() as session:
            settings = session.integration.settings
        assert missing(document, settings, settings.mapping) is None
        bare = settings.mapping.model_copy(update={"clearing": {"mollie": "1"}, "revenue": {}})
        assert missing(document, settings, bare) == "mapping.clearing['klarna']"
        card = sale("121.00", paid("121.00", gift_card=True))
        assert missing(card, settings, bare) == "mapping.clearing['gift_card']"
        off = settings.model_copy(update={"register_payments": False})
        assert missing(document, off, bare) is None

    def test_an_invoice_that_was_deleted_in_the_books(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        row = desk.book(document)
        desk.world.books.delete_invoice(str(row.external_id))
        (told,) = desk.settle(document)
        assert (told.reason, told.field) == (reasons.PAYMENT_REFUSED, "external_id")

    def test_after_three_silences_the_rest_is_not_tried(self, desk: Desk) -> None:
        parts = [paid("10.00", str(n)) for n in range(5)]
        document = sale("50.00", *parts)
        desk.book(document)
        desk.world.fault("reset", path=PAYMENTS, times=3)
        told = results(desk.settle(document))
        assert (
            told
            == [(Result.DEFERRED, reasons.OUTCOME_UNKNOWN)] * 3 + [(Result.DEFERRED, reasons.PACKAGE_UNAVAILABLE)] * 2
        )
        assert desk.calls() == 3
        assert results(desk.settle(document)) == BOOKED * 5
        assert desk.balance() == D("50.00")


class TestOthersWork:
    def test_what_a_former_connector_registered_is_not_registered_again(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document, adopted=True)
        desk.by_hand(document, "121.00", TODAY - timedelta(days=3))
        assert results(desk.settle(document)) == ADOPTED
        assert (desk.settle(document), desk.calls(), desk.balance()) == ((), 0, D("121.00"))

    def test_other_parts_of_it_wait_for_a_person(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document, adopted=True)
        desk.by_hand(document, "120.00", TODAY)
        assert results(desk.settle(document)) == [(Result.QUARANTINED, reasons.PAYMENT_REFUSED)]
        assert desk.calls() == 0

    def test_an_adopted_document_without_payments_gets_its_own(self, desk: Desk) -> None:
        document = sale("121.00", paid("121.00"))
        desk.book(document, adopted=True)
        assert results(desk.settle(document)) == BOOKED
        assert desk.balance() == D("121.00")


def _events(seed: int) -> list[str]:
    dice = Random(seed)
    return dice.choices(["pay", "refund", "correct", "edit", "silence", "loss", "refuse", "again"], k=12)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_clearing_account_holds_the_money_that_came_in(desk: Desk, seed: int) -> None:
    dice, money, revision, total = Random(seed), D(0), 0, 200
    payments: list[Payment] = []
    notes: list[Invoice] = []
    current = sale(str(total))
    desk.book(current)
    for number, event in enumerate(_events(seed)):
        amount = D(dice.randint(1, 40))
        if event == "pay":
            payments.append(paid(str(amount), f"p{number}", reference=dice.choice(["", f"tr_{number}"])))
            money += amount
        elif event == "refund":
            note = refund(str(amount), paid(str(amount), f"r{number}"), number=number)
            desk.book(note)
            notes.append(note)
            money -= amount
        elif event == "correct":
            back = reversal(str(total), revision)
            desk.book(back, revision)
            revision, total = revision + 1, dice.randint(50, 300)
            desk.book(sale(str(total)), revision)
        elif event == "edit" and payments:  # the shop shows another amount of a payment that it told before
            settled = dice.randrange(len(payments))
            before = payments[settled]
            desk.settle(sale(str(total), *payments), revision)  # as every run before the edit has done
            payments[settled] = before.model_copy(update={"amount": before.amount + 7})
        elif event in {"silence", "loss", "refuse"}:
            kind = {"silence": "reset_after", "loss": "reset", "refuse": "status"}[event]
            body = {"status": 422, "body": '{"error": {"price": ["odd"]}}'} if kind == "status" else {}
            desk.world.fault(kind, path=PAYMENTS, **body)
        current = sale(str(total), *payments)
        for document in (current, *notes):
            desk.settle(document, revision if document is current else 0)
    desk.world.server.state.faults.clear()
    for _ in range(2):
        last = [desk.settle(d, revision if d is current else 0) for d in (current, *notes)]
    assert last == [()] * (1 + len(notes))
    assert desk.balance() == money
    assert sum(desk.amounts(current, revision)) == sum((p.amount for p in payments), D(0)) - _grown(payments, desk)


def _grown(payments: list[Payment], desk: Desk) -> Decimal:
    """By how much payments were edited upward after they had been registered."""
    with owner_connection() as conn:
        registered = rows(
            conn,
            """select distinct on (payment_key) amount_cents from sluis.payment
            where kind = 'invoice' and state = 'booked' order by payment_key, revision""",
        )
    assert len(registered) == len(payments)
    return sum((p.amount for p in payments), D(0)) - D(sum(row["amount_cents"] for row in registered)) / 100
