"""Journal entries: what stands on which side, what is added up, and what never stands in a day's entry."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.figures import add_up
from sluis.core.invoice import DocumentKind, Invoice
from sluis.core.journal import JournalEntry
from sluis.core.journals import Member, day_missing, entry_of, missing, open_cents, paid_together, singly, summary_of
from sluis.core.mapping import Mapping
from sluis.core.money import cents, from_cents
from sluis.core.order import LineKind
from sluis.errors import Defect, NotConfigured
from tests.core.journals_world import (
    DAY,
    EXPORT,
    INTRA,
    MAPPING,
    REVERSE,
    S9,
    S19_DE,
    S21,
    VOUCHER,
    invoice,
    member,
    payment,
    settled,
)

GOODS, SHIPPING = LineKind.GOODS, LineKind.SHIPPING
CREDIT = DocumentKind.CREDIT_NOTE


def rows(entry: JournalEntry) -> list[tuple[str, Decimal, Decimal]]:
    return [(line.account, line.debit, line.credit) for line in entry.lines]


def balances(entry: JournalEntry) -> Counter[str]:
    """Cents per account, credit above zero."""
    sums: Counter[str] = Counter()
    for line in entry.lines:
        sums[line.account] += cents(line.credit) - cents(line.debit)
    return sums


def day(*documents: Invoice, mapping: Mapping = MAPPING) -> JournalEntry:
    return summary_of("D20261101", DAY, "EUR", [member(document) for document in documents], mapping)


def amounts(*pairs: tuple[str, str, str]) -> list[tuple[str, Decimal, Decimal]]:
    return [(account, Decimal(debit), Decimal(credit)) for account, debit, credit in pairs]


# ------------------------------------------------------------------------------------------------------ one document


def test_a_paid_order_debits_the_account_of_its_payment_method() -> None:
    entry = entry_of(invoice((GOODS, S21, "100"), (SHIPPING, S9, "10")), MAPPING, None)
    assert rows(entry) == amounts(
        ("1200", "131.90", "0"),
        ("8000", "0", "100"), ("8100", "0", "10"), ("1500", "0", "21"), ("1509", "0", "0.90"),
    )  # fmt: skip
    assert (entry.reference, entry.issue_date, entry.total_with_vat, entry.total_vat) == (
        "1001", DAY, Decimal("131.90"), Decimal("21.90"),
    )  # fmt: skip


def test_what_is_open_stands_on_the_debtor_with_its_revenue() -> None:
    entry = entry_of(invoice((GOODS, S21, "100"), pays=[payment("paypal", "50")]), MAPPING, "d1")
    assert [(line.account, line.debit, line.debtor_id) for line in entry.lines if line.debit] == [
        ("1210", Decimal(50), None), ("1300", Decimal(71), "d1"),
    ]  # fmt: skip
    assert [line.debtor_id for line in entry.lines if line.account == "8000"] == ["d1"]


def test_more_paid_than_owed_is_owed_to_the_debtor() -> None:
    entry = entry_of(invoice((GOODS, S21, "100"), pays=[payment("ideal", "150")]), MAPPING, "d1")
    assert ("1300", Decimal("0.00"), Decimal("29.00")) in rows(entry)


def test_a_credit_note_mirrors_its_invoice() -> None:
    sold = entry_of(invoice((GOODS, S21, "100")), MAPPING, None)
    back = entry_of(invoice((GOODS, S21, "100"), kind=CREDIT), MAPPING, None)
    assert {(line.account, line.debit, line.credit) for line in back.lines} == {
        (line.account, line.credit, line.debit) for line in sold.lines
    }
    assert (back.total_with_vat, back.total_vat) == (-sold.total_with_vat, -sold.total_vat)


def test_a_used_gift_card_comes_out_of_the_liability_it_was_sold_into() -> None:
    sold = entry_of(invoice((LineKind.GIFT_CARD, VOUCHER, "50")), MAPPING, None)
    pays = [payment("gift_card", "50", gift_card=True), payment("ideal", "71")]
    used = entry_of(invoice((GOODS, S21, "100"), pays=pays), MAPPING, None)
    assert balances(sold)["1700"] == 5000
    assert balances(used)["1700"] == -5000
    assert balances(used)["1200"] == -7100


def test_a_discount_stands_on_the_debit_side_and_cash_rounding_on_its_own_account() -> None:
    entry = entry_of(invoice((GOODS, S21, "100"), (LineKind.DISCOUNT, S21, "-10"), rounding="-0.02"), MAPPING, None)
    assert balances(entry) == {"1200": -10888, "8000": 9000, "1500": 1890, "8900": -2}
    assert all(line.treatment is None for line in entry.lines if line.account == "8900")


def test_revenue_of_another_country_has_its_own_account_and_vat() -> None:
    entry = entry_of(invoice((GOODS, S19_DE, "100"), (GOODS, EXPORT, "10")), MAPPING, None)
    assert balances(entry) == {"1200": -12900, "8019": 10000, "8000": 1000, "1519": 1900}
    told = {(line.account, line.is_vat, line.treatment) for line in entry.lines if line.treatment}
    assert told == {("8019", False, S19_DE), ("1519", True, S19_DE), ("8000", False, EXPORT)}


def test_an_entry_that_was_moved_out_of_a_closed_period_names_its_own_date() -> None:
    moved = invoice((GOODS, S21, "100")).model_copy(update={"original_date": date(2026, 9, 30)})
    words = {line.account: line.description for line in entry_of(moved, MAPPING, None).lines}
    assert words["1200"] == "Payments ideal (dated 2026-09-30, its period is closed)"
    assert words["8000"] == "Sales S 21 NL"


@pytest.mark.parametrize(
    ("document", "mapping", "setting"),
    [
        (invoice((GOODS, S21, "1")), {"vat_accounts": {}}, "mapping.vat_accounts['S 21 NL']"),
        (invoice((GOODS, S21, "1")), {"clearing": {}}, "mapping.clearing['ideal']"),
        (invoice((GOODS, S21, "1"), pays=""), {"clearing": {}}, "mapping.clearing['*']"),
        (invoice((GOODS, S21, "1")), {"revenue": {}}, "mapping.revenue['goods']"),
        (invoice((LineKind.GIFT_CARD, VOUCHER, "1")), {"revenue": {}}, "mapping.revenue['gift_card']"),
        (invoice((LineKind.DEPOSIT, S9, "1")), {"revenue": {GOODS: "8000"}}, "mapping.revenue['deposit']"),
        (invoice((GOODS, S21, "1"), pays=()), {"receivable": None}, "mapping.receivable"),
        (
            invoice((GOODS, EXPORT, "1"), pays=[payment("x", "1", gift_card=True)]),
            {"revenue": {GOODS: "8000"}}, "mapping.clearing['gift_card']",
        ),
    ],
)  # fmt: skip
def test_what_is_not_mapped_is_named_by_its_setting(document: Invoice, mapping: object, setting: str) -> None:
    lacking = MAPPING.model_copy(update=mapping)  # type: ignore[arg-type]
    assert missing(document, MAPPING) is None
    assert missing(document, lacking) == setting
    with pytest.raises(NotConfigured, match="is not filled") as caught:
        entry_of(document, lacking, None)
    assert setting in str(caught.value)


def test_an_account_that_nothing_needs_is_not_asked_for() -> None:
    without = MAPPING.model_copy(update={"receivable": None, "vat_accounts": {}, "rounding": None})
    assert missing(invoice((GOODS, EXPORT, "10")), without) is None


@pytest.mark.parametrize(
    ("document", "alone"),
    [
        (invoice((GOODS, S21, "10")), False),
        (invoice((LineKind.GIFT_CARD, VOUCHER, "10")), False),
        (invoice((GOODS, S21, "10"), kind=CREDIT), False),
        (invoice((GOODS, S21, "0")), False),
        (invoice((GOODS, INTRA, "10")), True),
        (invoice((GOODS, S21, "10"), (GOODS, REVERSE, "10")), True),
        (invoice((GOODS, S21, "10"), vat_number="NL001234567B01"), True),
        (invoice((GOODS, S21, "10"), pays=()), True),
        (invoice((GOODS, S21, "10"), pays=[payment("ideal", "12.09")]), True),
        (invoice((GOODS, S21, "10"), pays=[payment("ideal", "12.11")]), True),
        (invoice((GOODS, S21, "10"), pays=(), kind=CREDIT), True),
    ],
)
def test_what_needs_a_debtor_is_booked_singly(document: Invoice, alone: bool) -> None:
    assert singly(document) is alone


# ------------------------------------------------------------------------------------------------------------ a day


def test_a_day_adds_up_per_treatment_account_and_method() -> None:
    entry = day(
        invoice((GOODS, S21, "100"), (SHIPPING, S21, "5")),
        invoice((GOODS, S21, "50"), (GOODS, S9, "10"), pays="paypal"),
        invoice((GOODS, S21, "10"), kind=CREDIT),
    )
    assert rows(entry) == amounts(
        ("1200", "114.95", "0"), ("1210", "71.40", "0"),
        ("8000", "0", "140"), ("8000", "0", "10"), ("8100", "0", "5"), ("1500", "0", "30.45"), ("1509", "0", "0.90"),
    )  # fmt: skip
    assert entry.total_with_vat == Decimal("186.35")


def test_a_day_of_refunds_alone_stands_the_other_way_round() -> None:
    entry = day(invoice((GOODS, S21, "10"), kind=CREDIT))
    assert rows(entry) == amounts(("8000", "10", "0"), ("1500", "2.10", "0"), ("1200", "0", "12.10"))
    assert entry.total_with_vat == Decimal("-12.10")


def test_a_day_that_nets_to_zero_has_no_lines() -> None:
    entry = day(invoice((GOODS, S21, "10")), invoice((GOODS, S21, "10"), kind=CREDIT))
    assert (entry.lines, entry.total_with_vat) == ((), Decimal(0))


def test_no_customer_order_or_product_stands_in_a_days_entry() -> None:
    entry = day(invoice((GOODS, S21, "100")), invoice((LineKind.GIFT_CARD, VOUCHER, "10")))
    assert all(line.debtor_id is None for line in entry.lines)
    said = entry.model_dump_json()
    assert not any(word in said for word in ("Anna", "sjaal", "1001", "77", "tr_secret"))
    assert {line.description for line in entry.lines} == {
        "Payments ideal", "Sales S 21 NL", "VAT S 21 NL", "Gift cards sold O 0 NL",
    }  # fmt: skip


def test_a_day_names_the_setting_that_it_lacks() -> None:
    lacking = MAPPING.model_copy(update={"vat_accounts": {}})
    members = [member(invoice((GOODS, EXPORT, "1"))), member(invoice((GOODS, S9, "1")))]
    assert day_missing(members, MAPPING) is None
    assert day_missing(members, lacking) == "mapping.vat_accounts['S 9 NL']"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"total_cents": 1209},
        {"vat_cents": 209},
        {"paid": ()},
        {"currency": "USD"},
        {"figures": ()},
    ],
)
def test_a_member_that_does_not_add_up_stops_the_day(spoilt: dict[str, object]) -> None:
    sound = member(invoice((GOODS, S21, "10")))
    with pytest.raises(Defect, match="does not add up"):
        summary_of("D20261101", DAY, "EUR", [sound, sound.model_copy(update=spoilt)], MAPPING)


# ------------------------------------------------------------------------------------------------------- properties


@given(settled())
def test_every_entry_balances_and_holds_the_document_to_the_cent(document: Invoice) -> None:
    entry = entry_of(document, MAPPING, "d1")
    sums = balances(entry)
    assert sum(sums.values()) == 0
    sales = [line for line in entry.lines if line.treatment is not None]
    signed = document.kind.sign * cents(document.total_with_vat)
    assert sum(cents(line.credit) - cents(line.debit) for line in sales) == signed
    vat = sum(cents(line.credit) - cents(line.debit) for line in sales if line.is_vat)
    assert vat == document.kind.sign * cents(document.total_vat)
    assert open_cents(document) == 0


@given(settled())
def test_an_order_and_its_full_refund_leave_every_account_at_zero(document: Invoice) -> None:
    sold = document.model_copy(update={"kind": DocumentKind.INVOICE})
    back = document.model_copy(update={"kind": CREDIT})
    sums = balances(entry_of(sold, MAPPING, None))
    sums.update(balances(entry_of(back, MAPPING, None)))
    assert not any(sums.values())
    assert day(sold, back).lines == ()


@given(st.lists(settled(), max_size=6))
def test_a_day_is_the_sum_of_its_orders_per_rate_country_and_method(documents: list[Invoice]) -> None:
    entry = day(*documents)
    treatments: Counter[tuple[str, bool]] = Counter()
    for line in entry.lines:
        if line.treatment is not None:
            treatments[line.treatment.model_dump_json(), line.is_vat] += cents(line.credit) - cents(line.debit)
    expected: Counter[tuple[str, bool]] = Counter()
    methods: Counter[str] = Counter()
    for document in documents:
        for part in document.vat_breakdown:
            key = part.treatment.model_dump_json()
            expected[key, False] += document.kind.sign * cents(part.taxable_amount)
            expected[key, True] += document.kind.sign * cents(part.vat_amount)
        for paid in document.payments:
            methods["Gift cards used" if paid.gift_card else f"Payments {paid.method}"] += document.kind.sign * cents(
                paid.amount
            )
    assert {k: n for k, n in treatments.items() if n} == {k: n for k, n in expected.items() if n}
    received = Counter({
        line.description: cents(line.debit) - cents(line.credit) for line in entry.lines if not line.treatment
        and line.description != "Cash rounding"
    })  # fmt: skip
    assert {k: n for k, n in methods.items() if n} == dict(received)


@given(st.lists(settled(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_documents_changes_nothing(documents: list[Invoice], chance: object) -> None:
    def shuffled(items: tuple[object, ...]) -> tuple[object, ...]:
        mixed = list(items)
        chance.shuffle(mixed)  # type: ignore[attr-defined]
        return tuple(mixed)

    mixed = [
        document.model_copy(update={"lines": shuffled(document.lines), "payments": shuffled(document.payments)})
        for document in documents
    ]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert day(*mixed) == day(*documents)


@given(st.lists(settled(), max_size=6), st.integers(min_value=0, max_value=6))
def test_a_day_in_two_entries_is_the_day_in_one(documents: list[Invoice], cut: int) -> None:
    apart = balances(day(*documents[:cut]))
    apart.update(balances(day(*documents[cut:])))
    whole = balances(day(*documents))
    assert {k: n for k, n in apart.items() if n} == {k: n for k, n in whole.items() if n}


@given(st.lists(settled(), max_size=6))
def test_what_the_store_adds_up_is_what_the_entry_holds(documents: list[Invoice]) -> None:
    members = [member(document) for document in documents]
    together = Member(
        figures=add_up(figure for each in members for figure in each.figures),
        paid=paid_together(each.paid for each in members),
        total_cents=sum(each.total_cents for each in members),
        vat_cents=sum(each.vat_cents for each in members),
        currency="EUR",
    )
    assert summary_of("D", date(2026, 11, 1), "EUR", [together], MAPPING).lines == day(*documents).lines
    assert day(*documents).total_with_vat == from_cents(together.total_cents)
