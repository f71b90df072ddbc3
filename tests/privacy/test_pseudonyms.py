"""Pseudonyms: the same customer or document always has the same name, and the name tells nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, VatBreakdown, VatCategory, VatTreatment
from sluis.core.order import Address, Buyer, LineKind
from sluis.core.personal import Personal
from sluis.errors import NotConfigured
from sluis.privacy.pseudonyms import Pseudonyms

NAMES = Pseudonyms(b"k" * 32)
OTHERS = Pseudonyms(b"o" * 32)


def buyer(**fields: str) -> Buyer:
    """A buyer with these personal fields."""
    return Buyer(**{name: Personal(value) for name, value in fields.items()})


def customer(order_id: str = "1", integration: str = "a", names: Pseudonyms = NAMES, **fields: str) -> str:
    """Return the name of a customer."""
    return names.customer_key(buyer(**fields), order_id, integration_code=integration)


def test_document_keys_differ_by_everything_that_makes_a_document() -> None:
    kinds = (DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE)
    keys = {
        names.document_key(integration, kind, number)
        for names in (NAMES, OTHERS) for integration in ("a", "ab") for kind in kinds for number in ("1", "b1", "11")
    }  # fmt: skip
    assert len(keys) == 24
    assert {len(key) for key in keys} == {32}
    assert NAMES.document_key("a", kinds[0], "1") == Pseudonyms(b"k" * 32).document_key("a", kinds[0], "1")


def test_the_names_are_pinned_because_another_form_would_book_everything_again() -> None:
    assert (
        NAMES.document_key("a", DocumentKind.INVOICE, "1").hex()
        == "c9912329f6d774d86d85999e13850f424395835e50a4b617d5184e30871a12d9"
    )
    assert customer(email="jan@example.nl") == "4pdj7bguwc3esn7bicpsuyqcd7wendhb"


def test_an_email_address_is_one_customer_however_it_was_typed_and_in_whatever_shop() -> None:
    expected = customer(email="jan@example.nl")
    assert customer("2", "b", email=" Jan@Example.NL ", customer_id="9", first_name="Jan") == expected
    assert customer(email="piet@example.nl") != expected
    assert customer(email="jan@example.nl", names=OTHERS) != expected
    assert len(expected) == 32
    assert expected.isalnum()
    assert expected == expected.lower()


def test_another_vat_number_on_the_same_address_is_another_debtor() -> None:
    plain = customer(email="jan@example.nl")
    first = customer(email="jan@example.nl", vat_number="NL123456789B01")
    assert first != plain
    assert customer(email="jan@example.nl", vat_number=" nl 1234.567.89.b01 ") == first
    assert customer(email="jan@example.nl", vat_number="NL987654321B01") not in {first, plain}


def test_without_an_address_the_account_decides_and_without_that_the_order_each_in_its_own_shop() -> None:
    account = customer("1", customer_id="7")
    assert customer("2", customer_id="7") == account
    assert customer("1", "b", customer_id="7") != account
    assert customer("1", email="  ", customer_id="7") == account
    guest = customer("7")
    assert guest not in {account, customer("8"), customer("7", "b")}
    assert customer("7", first_name="Jan", last_name="Jansen") == guest


def invoice(**other: Any) -> Invoice:
    """An invoice over 12,10."""
    treatment = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(21), country="NL")
    net, vat, gross = Decimal("10.00"), Decimal("2.10"), Decimal("12.10")
    line = InvoiceLine(
        line_id="1", kind=LineKind.GOODS, description="Fiets", quantity=Decimal(1), net=net, vat=vat,
        treatment=treatment,
    )  # fmt: skip
    values: dict[str, Any] = {
        "kind": DocumentKind.INVOICE, "document_id": "1", "order_id": "1", "order_number": "1", "invoice_number": "1",
        "issue_date": date(2026, 11, 2), "currency": "EUR", "lines": (line,),
        "vat_breakdown": (VatBreakdown(treatment=treatment, taxable_amount=net, vat_amount=vat),),
        "total_without_vat": net, "total_vat": vat, "total_with_vat": gross, "amount_due": gross,
        "prices_include_vat": True, "buyer": buyer(email="jan@example.nl"), "rule": "nl_standard",
    }  # fmt: skip
    return Invoice(**{**values, **other})


def test_a_fingerprint_changes_with_the_books_and_not_with_what_they_do_not_hold() -> None:
    before = NAMES.fingerprint(invoice())
    assert len(before) == 32
    assert NAMES.fingerprint(invoice(rule="other", buyer=buyer(email="piet@example.nl", first_name="Piet"))) == before
    assert OTHERS.fingerprint(invoice()) != before
    changed = [
        NAMES.fingerprint(invoice(**other))
        for other in (
            {"kind": DocumentKind.CREDIT_NOTE}, {"currency": "USD"},
            {"buyer": buyer(email="jan@example.nl", vat_number="NL123456789B01")},
            {"buyer": buyer(email="jan@example.nl", company="Voorbeeld BV")},
        )
    ]  # fmt: skip
    assert len({before, *changed}) == 5
    assert NAMES.fingerprint(invoice(buyer=buyer(company=" voorbeeld  BV"))) == changed[3]


def test_a_short_hash_key_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(NotConfigured):
        Pseudonyms(b"short")
    assert repr(NAMES) == "Pseudonyms()"


def test_where_documents_carry_the_buyer_his_name_and_address_are_part_of_them() -> None:
    carrying = Pseudonyms(b"k" * 32, carries_buyer=True)

    def living(street: str = "Sluisweg 1", city: str = "Sluisdorp", postcode: str = "1234 AB", **who: str) -> Invoice:
        address = Address(country="NL", street=Personal(street), city=Personal(city), postcode=Personal(postcode))
        person = buyer(**{"first_name": "Jan", "last_name": "Jansen", **who})
        return invoice(buyer=person.model_copy(update={"address": address}))

    moved = [living("Brugweg 2"), living(city="Brugge"), living(postcode="4321 BA"), living(first_name="Piet")]
    assert len({carrying.fingerprint(each) for each in [living(), *moved]}) == 5
    assert len({NAMES.fingerprint(each) for each in [living(), *moved]}) == 1
    assert carrying.fingerprint(living(" sluisweg\n1 ", "SLUISDORP")) == carrying.fingerprint(living())
    named = [living(company="Voorbeeld BV", first_name=name) for name in ("Jan", "Piet")]
    assert len({carrying.fingerprint(each) for each in named}) == 1  # the company stands there, not he
