"""Changing the booking mode halfway books nothing twice and loses nothing, whatever stands there at that moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Prepared, Result
from sluis.core.money import cents
from sluis.core.order import Buyer, LineKind, Payment
from sluis.errors import OutcomeUnknown, Refused
from sluis.flows.booking import Booker
from sluis.flows.patience import Patience
from sluis.ports import Booked, Debtor, Form
from tests.conftest import Database
from tests.core.journals_world import S21, invoice, payment
from tests.flows.summaries_world import D1, D2, D3, NO_WAIT, Books, DailyWorld

pytestmark = pytest.mark.postgres

MODES = ("invoice", "journal_entry", "daily")
CREDIT = DocumentKind.CREDIT_NOTE
#: When the shop changed the order: the corrections are dated on that day.
CHANGED = datetime(2026, 11, 2, 12, tzinfo=UTC)


@dataclass
class BothBooks(Books):
    """Books that hold invoices and journal entries."""

    invoices: list[tuple[str, str | None, Invoice]] = field(default_factory=list)
    forms: frozenset[Form] = frozenset(Form)

    def debtor(self, buyer: Buyer, customer_key: str) -> Debtor:
        return Debtor(id=f"d-{customer_key[:6]}", created=True)

    def book(self, document: Invoice, debtor_id: str) -> Booked:
        self.calls.append(f"book {document.invoice_number}")
        if self.before:
            raise self.before.pop(0)
        self.invoices.append((f"i{len(self.calls)}", debtor_id, document))
        if self.after:
            raise self.after.pop(0)
        return _booked(*self.invoices[-1])

    def find(self, reference: str, total: Decimal, on: date, debtor_id: str | None) -> Booked | None:
        found = [_booked(*each) for each in self.invoices if each[2].invoice_number == reference]
        return next((each for each in found if each.total_with_vat == total), None)

    def documents(self, start: date, end: date) -> Iterable[Booked]:
        return [*(_booked(*each) for each in self.invoices), *super().documents(start, end)]

    @property
    def total(self) -> int:
        """What all of it adds up to, in cents."""
        return sum(d.kind.sign * cents(d.total_with_vat) for _, _, d in self.invoices) + sum(
            total for _, _, total in self.booked
        )

    @property
    def references(self) -> list[str]:
        """The number of every document."""
        return [d.invoice_number for _, _, d in self.invoices] + [reference for reference, _, _ in self.booked]


def _booked(key: str, debtor_id: str | None, document: Invoice) -> Booked:
    return Booked(
        external_id=key, reference=document.invoice_number, issue_date=document.issue_date, debtor_id=debtor_id,
        currency=document.currency, total_with_vat=document.kind.sign * document.owed,
        total_vat=document.kind.sign * document.total_vat,
    )  # fmt: skip


def sold(net: str = "100", pays: Sequence[Payment] | str = "ideal") -> Invoice:
    """The order, as the shop shows it."""
    return invoice((LineKind.GOODS, S21, net), pays=pays)


def given_back(net: str = "40") -> Invoice:
    """A refund on it."""
    back = invoice((LineKind.GOODS, S21, net), kind=CREDIT)
    return back.model_copy(update={
        "document_id": "r1", "invoice_number": "1001-C1", "issue_date": D2, "preceding_invoice": "1001",
    })  # fmt: skip


class Shop:
    """Runs of one integration over what the shop shows."""

    def __init__(self) -> None:
        self.books = BothBooks()
        self.daily = DailyWorld(books=self.books)
        self.runs = 0

    def run(self, *documents: Invoice, today: date = D1) -> list[DocumentOutcome]:
        """Book what is shown and post the days that are over, as a load does."""
        self.runs += 1
        decisions = [Prepared(invoice=document, changed_at=CHANGED) for document in documents]
        with self.daily.session() as session:
            booker = Booker(session, f"run{self.runs}", settle=NO_WAIT, patience=Patience(bound=NO_WAIT))
            booker.prefetch(decisions)
            outcomes = [booker.book(decision) for decision in decisions]
        self.daily.post(today, f"run{self.runs}", reported=False)
        return outcomes

    def settle(self, *documents: Invoice, today: date = D3) -> None:
        """Run until all is settled, and once more: the last run changes nothing."""
        for _ in range(3):
            self.run(*documents, today=today)
        before = list(self.books.references)
        self.run(*documents, today=today)
        assert self.books.references == before
        assert len(before) == len(set(before)), "a number stands twice in the books"


#: What stands there when the mode is changed: how it gets there, given a shop in mode A.
def not_booked(shop: Shop) -> None:
    pass


def booked(shop: Shop) -> None:
    shop.run(sold())


def unanswered_and_written(shop: Shop) -> None:
    shop.books.after.append(OutcomeUnknown("time-out"))
    shop.run(sold())


def unanswered_and_lost(shop: Shop) -> None:
    shop.books.before.append(OutcomeUnknown("time-out"))
    shop.run(sold())


def refused(shop: Shop) -> None:
    shop.books.before.append(Refused("no"))
    shop.run(sold())


def held(shop: Shop) -> None:
    (outcome,) = shop.run(sold())
    assert outcome.result is Result.SUMMARISED


def summary_unanswered_and_written(shop: Shop) -> None:
    shop.books.after.append(OutcomeUnknown("time-out"))
    shop.run(sold(), today=D2)


def summary_unanswered_and_lost(shop: Shop) -> None:
    shop.books.before.append(OutcomeUnknown("time-out"))
    shop.run(sold(), today=D2)


def summary_posted(shop: Shop) -> None:
    shop.run(sold(), today=D2)
    assert shop.books.booked


_SENT = (not_booked, booked, unanswered_and_written, unanswered_and_lost, refused)
_HELD = (not_booked, held, summary_unanswered_and_written, summary_unanswered_and_lost, summary_posted)
CASES = [
    pytest.param(before, state, after, id=f"{before}-{state.__name__}-{after}")
    for before in MODES
    for state in (_HELD if before == "daily" else _SENT)
    for after in MODES
]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop()


def arrive(shop: Shop, before: str, state: object, after: str) -> None:
    shop.daily.change(booking_mode=before)
    state(shop)  # type: ignore[operator]
    shop.daily.change(booking_mode=after)


@pytest.mark.parametrize(("before", "state", "after"), CASES)
def test_an_order_stands_once_in_the_books(shop: Shop, before: str, state: object, after: str) -> None:
    arrive(shop, before, state, after)
    shop.settle(sold())
    assert shop.books.total == 12100
    assert len(shop.books.references) == 1


@pytest.mark.parametrize(("before", "state", "after"), CASES)
def test_a_refund_after_the_change_takes_back_what_stands(shop: Shop, before: str, state: object, after: str) -> None:
    arrive(shop, before, state, after)
    shop.settle(sold(), given_back())
    assert shop.books.total == 12100 - 4840
    assert sum(accounts(shop).values()) == 0


@pytest.mark.parametrize(("before", "state", "after"), CASES)
def test_an_edit_after_the_change_leaves_what_the_shop_shows(
    shop: Shop, before: str, state: object, after: str
) -> None:
    arrive(shop, before, state, after)
    shop.settle(sold("150", [payment("ideal", "121")]))  # more than was paid: an open item, so booked singly
    assert shop.books.total == 18150
    shop.settle(sold("80", [payment("ideal", "96.80")]))
    assert shop.books.total == 9680


@pytest.mark.parametrize("state", _HELD[1:], ids=lambda state: state.__name__)
def test_a_held_order_and_its_refund_never_reach_a_debtor(shop: Shop, state: object) -> None:
    arrive(shop, "daily", state, "invoice")
    shop.settle(sold(), given_back())
    assert shop.books.invoices == []
    assert accounts(shop) == {"1200": 4840 - 12100, "8000": 6000, "1500": 1260}


@pytest.mark.parametrize("mode", MODES)
def test_what_needs_a_debtor_gets_one_and_nothing_else_does(shop: Shop, mode: str) -> None:
    shop.daily.change(booking_mode=mode)
    unpaid = sold("10", ()).model_copy(update={
        "document_id": "78", "order_id": "78", "order_number": "1002", "invoice_number": "1002",
    })  # fmt: skip
    shop.settle(sold(), unpaid)
    with_debtor = {document.invoice_number for _, _, document in shop.books.invoices}
    with_debtor |= {entry.reference for _, entry in shop.books.entries if any(line.debtor_id for line in entry.lines)}
    assert with_debtor == ({"1001", "1002"} if mode == "invoice" else {"1002"})
    assert shop.books.total == 12100 + 1210


@pytest.mark.parametrize("mode", ["journal_entry", "daily"])
def test_an_entry_whose_account_is_not_mapped_waits_with_the_setting(shop: Shop, mode: str) -> None:
    shop.daily.change(booking_mode=mode, mapping={"vat_accounts": {"S 21 NL": ""}})
    (outcome,) = shop.run(sold())
    assert (outcome.reason, outcome.field) == ("mapping_missing", "mapping.vat_accounts['S 21 NL']")
    assert shop.books.calls == []
    shop.daily.change(mapping={"vat_accounts": {"S 21 NL": "1500"}})
    shop.settle(sold())
    assert shop.books.total == 12100


def accounts(shop: Shop) -> dict[str, int]:
    """Cents per ledger account over all journal entries, credit above zero."""
    sums: dict[str, int] = {}
    for _, entry in shop.books.entries:
        for line in entry.lines:
            sums[line.account] = sums.get(line.account, 0) + cents(line.credit) - cents(line.debit)
    return {account: amount for account, amount in sums.items() if amount}
