"""What every accounting connector must do, whatever the package: inherit ``AccountingContract`` and build a world.

A world is a connector beside a package in which faults can be switched on. The contract asserts what stands in the
books afterwards, read from the package itself and not through the connector.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any, ClassVar

import pytest

from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, VatBreakdown, VatCategory, VatTreatment
from sluis.core.journal import JournalEntry, JournalLine
from sluis.core.order import Address, Buyer, LineKind
from sluis.core.personal import Personal
from sluis.errors import Defect, OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.ports import AccountingConnector, Booked, Form, PaidInBooks, PaymentEntry

#: Accounts of every world whose package posts entries or takes payments; ``World.accounts`` says which these are.
CLEARING, RECEIVABLE, SALES, VAT = "1250", "1300", "8000", "1500"
TODAY = date(2026, 11, 20)
HIGH = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(21), country="NL")
LOW = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(9), country="NL")
EXPORT = VatTreatment(category=VatCategory.EXPORT, rate=Decimal(0), country="NL")


class Fault(Enum):
    """What goes wrong with the next write that creates a document."""

    SILENT_AFTER_COMMIT = auto()  #: booked, and the connection closes without an answer
    TIMEOUT_AFTER_COMMIT = auto()  #: booked, and the answer never comes
    ERROR_AFTER_COMMIT = auto()  #: booked, and the answer is a 500
    TRUNCATED_AFTER_COMMIT = auto()  #: booked, and the answer breaks off
    UNAUTHORISED = auto()
    FORBIDDEN = auto()
    ABSENT = auto()  #: the administration is not there
    INVALID = auto()  #: the package does not accept the document
    QUOTA = auto()


@dataclass(frozen=True)
class Standing:
    """A document as the package holds it."""

    reference: str
    total: Decimal
    debtor: str


class World(ABC):
    """A package with a connector to it. ``hasty`` is one that waits for no answer for long."""

    connector: AccountingConnector
    hasty: AccountingConnector

    #: The package's own ids of the accounts CLEARING, RECEIVABLE, SALES and VAT, where they are other ones.
    accounts: ClassVar[Mapping[str, str]] = {}

    def own(self, account: str) -> str:
        """Return the package's id of one of the accounts."""
        return self.accounts.get(account, account)

    def entry(self, reference: str = "WS-DAY-1", **how: Any) -> JournalEntry:
        """Return a day's entry on the package's own accounts."""
        made = entry(reference, **how)
        lines = tuple(item.model_copy(update={"account": self.own(item.account)}) for item in made.lines)
        return made.model_copy(update={"lines": lines})

    def payment(self, key: str = "a1" * 16, **how: Any) -> PaymentEntry:
        """Return a payment on the package's own clearing account."""
        return payment(key, account=self.own(CLEARING), **how)

    @abstractmethod
    def next_write(self, fault: Fault) -> None:
        """Let the next write, and only that, go wrong."""

    @abstractmethod
    def standing(self) -> list[Standing]:
        """Return the documents in the books, after all that was sent has been worked off."""

    @abstractmethod
    def debtors(self) -> int:
        """Return how many debtors stand in the books."""

    @abstractmethod
    def remove_debtor(self, debtor_id: str) -> None:
        """Delete a debtor behind the connector's back."""


def line(
    net: str, vat: str, treatment: VatTreatment = HIGH, *, quantity: str = "1", kind: LineKind | None = LineKind.GOODS,
    description: str = "Teapot",
) -> InvoiceLine:  # fmt: skip
    """Return an invoice line with totals as given."""
    return InvoiceLine(
        line_id=uuid.uuid4().hex, kind=kind, description=description, quantity=Decimal(quantity), net=Decimal(net),
        vat=Decimal(vat), treatment=treatment,
    )  # fmt: skip


def buyer(email: str = "zoe.example@example.com", **fields: str) -> Buyer:
    """Return an invented person."""
    texts = {"first_name": "Zoe", "last_name": "Voorbeeld", "email": email, **fields}
    address = Address(
        country="NL", postcode=Personal("1012 JS"), city=Personal("Amsterdam"), street=Personal("Damrak 1\n2 hoog")
    )
    return Buyer(**{name: Personal(value) for name, value in texts.items()}, address=address)


def invoice(
    lines: Sequence[InvoiceLine] | None = None, *, number: str = "WS-1001", kind: DocumentKind = DocumentKind.INVOICE,
    gross: bool = True, on: date = TODAY, who: Buyer | None = None,
) -> Invoice:  # fmt: skip
    """Return an invoice (or credit note) of these lines; amounts are positive on both."""
    lines = tuple(lines or (line("82.64", "17.36", quantity="2"), line("4.13", "0.87", kind=LineKind.SHIPPING)))
    net, vat = sum(item.net for item in lines), sum(item.vat for item in lines)
    treatments = dict.fromkeys(item.treatment for item in lines)
    parts = tuple(
        VatBreakdown(
            treatment=treatment,
            taxable_amount=sum((item.net for item in lines if item.treatment == treatment), Decimal(0)),
            vat_amount=sum((item.vat for item in lines if item.treatment == treatment), Decimal(0)),
        )
        for treatment in treatments
    )
    return Invoice(
        kind=kind, document_id=number, order_id=number, order_number=number, invoice_number=number, issue_date=on,
        currency="EUR", lines=lines, vat_breakdown=parts, total_without_vat=net, total_vat=vat,
        total_with_vat=net + vat, amount_due=net + vat, prices_include_vat=gross, buyer=who or buyer(),
        preceding_invoice=None if kind is DocumentKind.INVOICE else "WS-1000", rule="nl_domestic",
    )  # fmt: skip


def entry(
    reference: str = "WS-DAY-1", *, on: date = TODAY, sign: int = 1, debtor_id: str | None = None
) -> JournalEntry:
    """Return a day's entry: 60.50 received and 60.50 open; 100.00 and VAT 21.00 sold. ``sign`` -1: taken back."""
    sides = ("debit", "credit") if sign > 0 else ("credit", "debit")

    def side(debit: bool, account: str, amount: str, words: str, **more: object) -> JournalLine:
        name = sides[0 if debit else 1]
        return JournalLine(**{"account": account, name: Decimal(amount), "description": words, **more})

    return JournalEntry(
        reference=reference,
        issue_date=on,
        currency="EUR",
        lines=(
            side(True, CLEARING, "60.50", "Payments ideal"),
            side(True, RECEIVABLE, "60.50", "Receivable", debtor_id=debtor_id),
            side(False, SALES, "100.00", "Sales S 21 NL", treatment=HIGH),
            side(False, VAT, "21.00", "VAT S 21 NL", treatment=HIGH, is_vat=True),
        ),
        total_with_vat=Decimal("121.00") * sign,
        total_vat=Decimal("21.00") * sign,
    )


def payment(
    key: str = "a1" * 16, *, amount: str = "105.00", reference: str = "tr_7UhSN1zuXS", account: str = ""
) -> PaymentEntry:
    """Return a payment of an order."""
    return PaymentEntry(
        payment_key=key, paid_on=TODAY, amount=Decimal(amount), currency="EUR", account=account or CLEARING,
        reference=Personal(reference),
    )  # fmt: skip


def signed(document: Invoice) -> Decimal:
    """Return the total as it counts in the books."""
    return document.total_with_vat * document.kind.sign


class AccountingContract:
    """Inherit, and give a fixture ``world``."""

    @staticmethod
    def known(world: World, key: str = "a1" * 16) -> str:
        return world.connector.debtor(buyer(), key).id

    def find(self, world: World, document: Invoice, debtor: str | None):  # type: ignore[no-untyped-def]
        return world.connector.find(document.invoice_number, signed(document), document.issue_date, debtor)

    def test_an_invoice_stands_in_the_books_to_the_cent(self, world: World) -> None:
        debtor, document = self.known(world), invoice()
        booked = world.connector.book(document, debtor)
        assert (booked.reference, booked.total_with_vat, booked.debtor_id) == ("WS-1001", Decimal("105.00"), debtor)
        assert (booked.issue_date, booked.currency) == (TODAY, "EUR")
        # The package may compute the VAT itself: a cent per line.
        assert abs(booked.total_vat - document.total_vat) <= Decimal("0.02")
        assert world.standing() == [Standing("WS-1001", Decimal("105.00"), debtor)]

    def test_a_credit_note_is_negative(self, world: World) -> None:
        debtor, document = self.known(world), invoice(number="WS-1001-C1", kind=DocumentKind.CREDIT_NOTE)
        booked = world.connector.book(document, debtor)
        assert booked.total_with_vat == Decimal("-105.00")
        assert booked.total_vat < 0
        assert world.standing() == [Standing("WS-1001-C1", Decimal("-105.00"), debtor)]

    @pytest.mark.parametrize("gross", [True, False], ids=["gross", "net"])
    def test_odd_cents_of_many_rates_add_up(self, world: World, gross: bool) -> None:
        lines = [
            line("0.83", "0.17"),
            line("0.83", "0.17"),
            line("0.83", "0.17", quantity="3"),
            line("9.17", "0.83", LOW),
            line("16.53", "3.46", quantity="0.5"),
            line("0.01", "0.00", kind=None),
            line("12.00", "0.00", EXPORT),
        ]
        document = invoice(lines, gross=gross)
        booked = world.connector.book(document, self.known(world))
        assert booked.total_with_vat == document.total_with_vat
        assert abs(booked.total_vat - document.total_vat) <= Decimal("0.01") * len(lines)

    @pytest.mark.parametrize(
        "fault", [Fault.SILENT_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.TRUNCATED_AFTER_COMMIT]
    )
    def test_an_unclear_answer_is_unknown_and_found_again(self, world: World, fault: Fault) -> None:
        debtor, document = self.known(world), invoice()
        world.next_write(fault)
        with pytest.raises(OutcomeUnknown):
            world.connector.book(document, debtor)
        found = self.find(world, document, debtor)
        assert found is not None
        assert (found.reference, found.total_with_vat) == ("WS-1001", Decimal("105.00"))
        assert len(world.standing()) == 1

    def test_a_time_out_after_the_commit_is_unknown(self, world: World) -> None:
        debtor, document = self.known(world), invoice()
        world.next_write(Fault.TIMEOUT_AFTER_COMMIT)
        with pytest.raises(OutcomeUnknown):
            world.hasty.book(document, debtor)
        assert len(world.standing()) == 1
        assert self.find(world, document, debtor) is not None

    def test_what_was_never_booked_is_not_found(self, world: World) -> None:
        debtor = self.known(world)
        world.connector.book(invoice(number="WS-1"), debtor)
        world.connector.book(invoice(number="WS-10010"), debtor)
        assert self.find(world, invoice(), debtor) is None
        assert self.find(world, invoice(), None) is None

    def test_a_document_of_last_year_is_found(self, world: World) -> None:
        document = invoice(on=date(2025, 12, 31))
        debtor = self.known(world)
        world.connector.book(document, debtor)
        assert self.find(world, document, debtor) is not None

    def test_a_find_without_a_debtor_looks_at_everybody(self, world: World) -> None:
        world.connector.book(invoice(), self.known(world))
        assert self.find(world, invoice(), None) is not None

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault.UNAUTHORISED, Reconnect), (Fault.FORBIDDEN, Reconnect), (Fault.ABSENT, Defect),
            (Fault.INVALID, Refused), (Fault.QUOTA, QuotaSpent),
        ],
    )  # fmt: skip
    def test_a_refusal_books_nothing_and_names_the_next_action(
        self, world: World, fault: Fault, error: type[Exception]
    ) -> None:
        debtor = self.known(world)
        world.next_write(fault)
        with pytest.raises(error) as caught:
            world.connector.book(invoice(), debtor)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert world.standing() == []
        self.no_person_in(str(caught.value))
        if error is Refused:
            assert isinstance(caught.value, Refused)
            assert caught.value.field
            assert world.connector.book(invoice(), debtor).reference == "WS-1001"

    def test_a_spent_quota_says_when(self, world: World) -> None:
        debtor = self.known(world)
        world.next_write(Fault.QUOTA)
        with pytest.raises(QuotaSpent) as caught:
            world.connector.book(invoice(), debtor)
        assert caught.value.retry_after is not None
        assert timedelta(0) < caught.value.retry_after <= timedelta(hours=1)

    def test_one_customer_is_one_debtor(self, world: World) -> None:
        before = world.debtors()
        first = world.connector.debtor(buyer(), "b2" * 16)
        again = world.connector.debtor(buyer(first_name="Zoë"), "b2" * 16)
        other = world.connector.debtor(buyer("another@example.com"), "c3" * 16)
        assert (first.created, again.created, other.created) == (True, False, True)
        assert first.id == again.id != other.id
        assert world.debtors() == before + 2

    @pytest.mark.parametrize("fault", [Fault.SILENT_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT])
    def test_a_debtor_whose_creation_got_no_answer_is_adopted(self, world: World, fault: Fault) -> None:
        before = world.debtors()
        world.next_write(fault)
        with pytest.raises(RetryLater):
            world.connector.debtor(buyer(), "d4" * 16)
        assert world.connector.debtor(buyer(), "d4" * 16).created is False
        assert world.debtors() == before + 1

    def test_a_debtor_that_is_gone_has_a_code_of_its_own(self, world: World) -> None:
        debtor = self.known(world)
        world.remove_debtor(debtor)
        with pytest.raises(Refused) as caught:
            world.connector.book(invoice(), debtor)
        assert caught.value.code == "debtor_gone"
        assert self.known(world) != debtor

    def test_documents_lists_the_period_to_the_day(self, world: World) -> None:
        debtor = self.known(world)
        for number, on in {"A": 1, "B": 2, "C": 3, "D": 4}.items():
            world.connector.book(invoice(number=number, on=date(2026, 3, on)), debtor)
        listed = world.connector.documents(date(2026, 3, 2), date(2026, 3, 3))
        assert sorted(booked.reference for booked in listed) == ["B", "C"]

    def test_a_nameless_customer_can_be_booked(self, world: World) -> None:
        debtor = world.connector.debtor(Buyer(), "e5" * 16)
        assert world.connector.book(invoice(who=Buyer()), debtor.id).total_with_vat == Decimal("105.00")

    def test_an_unmapped_rate_is_named(self, world: World) -> None:
        strange = VatTreatment(category=VatCategory.STANDARD, rate=Decimal("25.50"), country="FI")
        setting = world.connector.missing(invoice([line("10.00", "2.55", strange)]))
        assert setting is not None
        assert "S 25.5 FI" in setting
        assert world.connector.missing(invoice()) is None

    # ---------------------------------------------------------------------------------------------------- payments

    def paid_for(self, world: World, document: Invoice | None = None) -> Booked:
        """Book a document that can be paid; skips where the package takes no payments."""
        if Form.PAYMENT not in world.connector.forms:
            pytest.skip("this package takes no payments")
        return world.connector.book(document or invoice(), self.known(world))

    @staticmethod
    def shown(paid: PaidInBooks) -> tuple[Decimal, date, bool]:
        """What of a payment any package can tell; whether it can be known again by its key or its reference."""
        return paid.amount, paid.paid_on, bool(paid.payment_key or paid.reference)

    def test_a_payment_stands_on_its_document(self, world: World) -> None:
        booked = self.paid_for(world)
        assert world.connector.payments(booked.external_id) == ()
        first = world.connector.pay(booked.external_id, world.payment(amount="100.00"))
        second = world.connector.pay(booked.external_id, world.payment("b2" * 16, amount="5.00", reference=""))
        assert [self.shown(p) for p in (first, second)] == [
            (Decimal("100.00"), TODAY, True), (Decimal("5.00"), TODAY, True),
        ]  # fmt: skip
        assert set(world.connector.payments(booked.external_id)) == {first, second}
        assert first.payment_key == "a1" * 16 or first.reference == Personal("tr_7UhSN1zuXS")
        assert second.payment_key == "b2" * 16

    def test_what_is_paid_back_is_negative(self, world: World) -> None:
        note = self.paid_for(world, invoice(number="WS-1001-C1", kind=DocumentKind.CREDIT_NOTE))
        world.connector.pay(note.external_id, world.payment(amount="-105.00"))
        assert [p.amount for p in world.connector.payments(note.external_id)] == [Decimal("-105.00")]

    def test_more_than_is_open_can_be_paid(self, world: World) -> None:
        booked = self.paid_for(world)
        world.connector.pay(booked.external_id, world.payment(amount="120.00"))
        assert [p.amount for p in world.connector.payments(booked.external_id)] == [Decimal("120.00")]

    @pytest.mark.parametrize(
        "fault", [Fault.SILENT_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.TRUNCATED_AFTER_COMMIT]
    )
    def test_a_payment_without_an_answer_is_unknown_and_seen(self, world: World, fault: Fault) -> None:
        booked = self.paid_for(world)
        world.next_write(fault)
        with pytest.raises(OutcomeUnknown):
            world.connector.pay(booked.external_id, world.payment())
        assert [p.amount for p in world.connector.payments(booked.external_id)] == [Decimal("105.00")]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [(Fault.UNAUTHORISED, Reconnect), (Fault.FORBIDDEN, Reconnect), (Fault.INVALID, Refused),
         (Fault.QUOTA, QuotaSpent)],
    )  # fmt: skip
    def test_a_refused_payment_stands_nowhere(self, world: World, fault: Fault, error: type[Exception]) -> None:
        booked = self.paid_for(world)
        world.next_write(fault)
        with pytest.raises(error) as caught:
            world.connector.pay(booked.external_id, world.payment())
        assert not isinstance(caught.value, OutcomeUnknown)
        self.no_person_in(str(caught.value))
        assert "tr_7UhSN1zuXS" not in str(caught.value)
        assert world.connector.payments(booked.external_id) == ()

    def test_a_document_that_is_gone_cannot_be_paid(self, world: World) -> None:
        self.paid_for(world)
        for call in (
            lambda: world.connector.payments("9" * 18),
            lambda: world.connector.pay("9" * 18, world.payment()),
        ):
            with pytest.raises(Refused):
                call()

    # --------------------------------------------------------------------------------------------- journal entries

    @staticmethod
    def posting(world: World) -> None:
        if Form.JOURNAL_ENTRY not in world.connector.forms:
            pytest.skip("this package takes no journal entries")

    @pytest.mark.parametrize("sign", [1, -1])
    def test_an_entry_is_found_again_with_its_totals(self, world: World, sign: int) -> None:
        self.posting(world)
        made = world.connector.post(world.entry(sign=sign))
        found = world.connector.find_entry("WS-DAY-1", TODAY)
        assert found == made
        assert (made.reference, made.issue_date, made.currency) == ("WS-DAY-1", TODAY, "EUR")
        assert (made.total_with_vat, made.total_vat) == (Decimal("121.00") * sign, Decimal("21.00") * sign)

    def test_an_entry_that_was_never_posted_is_not_found(self, world: World) -> None:
        self.posting(world)
        world.connector.post(world.entry("WS-DAY-10"))
        assert world.connector.find_entry("WS-DAY-1", TODAY) is None
        assert world.connector.find_entry("WS-DAY-10", TODAY - timedelta(days=200)) is None

    def test_an_entry_without_an_answer_is_unknown_and_found(self, world: World) -> None:
        self.posting(world)
        world.next_write(Fault.SILENT_AFTER_COMMIT)
        with pytest.raises(OutcomeUnknown):
            world.connector.post(world.entry(on=date(2025, 12, 31)))
        found = world.connector.find_entry("WS-DAY-1", date(2025, 12, 31))
        assert found is not None
        assert (found.total_with_vat, found.copies) == (Decimal("121.00"), 1)

    def test_a_refused_entry_stands_nowhere(self, world: World) -> None:
        self.posting(world)
        world.next_write(Fault.INVALID)
        with pytest.raises(Refused):
            world.connector.post(world.entry())
        assert world.connector.find_entry("WS-DAY-1", TODAY) is None

    def test_documents_lists_invoices_and_entries(self, world: World) -> None:
        self.posting(world)
        world.connector.book(invoice(), self.known(world))
        world.connector.post(world.entry())
        listed = list(world.connector.documents(TODAY, TODAY))
        assert sorted(booked.reference for booked in listed) == ["WS-1001", "WS-DAY-1"]
        assert list(world.connector.documents(TODAY + timedelta(days=1), TODAY + timedelta(days=9))) == []

    # -------------------------------------------------------------------------------------------------- closed books

    def test_cash_rounding_is_part_of_what_the_books_hold(self, world: World) -> None:
        document = invoice()
        rounded = document.model_copy(update={"rounding_amount": Decimal("-0.02"), "amount_due": Decimal("104.98")})
        if world.connector.missing(rounded) is not None:
            pytest.skip("this world maps no rounding line")
        assert world.connector.book(rounded, self.known(world)).total_with_vat == rounded.owed == Decimal("104.98")

    @staticmethod
    def no_person_in(text: str) -> None:
        for value in ("Zoe", "Voorbeeld", "example.com", "1012 JS", "Damrak"):
            assert value not in text
