"""Every expectation has a document that fails it, alone, between documents that go on; and near misses that pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind, Prepared, VatCategory, VatTreatment
from sluis.core.order import ChargedVat, Order, Refund
from sluis.errors import Defect
from sluis.ports import Window
from sluis.quality import judge
from sluis.quality.judge import Flaw, Verdict, judge_extracted, judge_transformed
from tests.quality.documents import (
    READ_AT,
    SETTINGS,
    WINDOW,
    invoice_line,
    line,
    order,
    part,
    prepared,
    refund,
)


def extracted(*orders: Order, window: Window | None = WINDOW) -> Verdict:
    return judge_extracted(orders, settings=SETTINGS, read_at=READ_AT, window=window)


def transformed(*documents: Prepared, charged: str = "12.10") -> Verdict:
    totals = [Decimal(charged)] * len(documents)
    return judge_transformed(documents, totals, settings=SETTINGS, read_at=READ_AT)


def failing(verdict: Verdict) -> dict[str, int]:
    return {result.expectation: result.failing for result in verdict.results if not result.passed}


BAD_ORDERS = [
    ("document_present", {"order_id": " "}),
    ("currency_known", {"currency": "XTS"}),
    ("status_present", {"status": ""}),
    ("total_is_sane", {"lines": (), "total_vat": "0.00", "total": "-0.01"}),
    ("total_is_sane", {"lines": (line("1e13", "0.00", ("0", "0.00")),), "total_vat": "0.00", "total": "1e13"}),
    ("lines_add_up", {"total": "12.12"}),
    ("lines_add_up", {"total": "12.08"}),
    ("vat_adds_up", {"total_vat": "2.12"}),
    ("vat_fits_rate", {"lines": (line("9.98", "2.12"),), "total_vat": "2.12"}),
    ("vat_fits_rate", {"lines": (line("12.10", "0.00", ("21", "0.00")),), "total_vat": "0.00"}),
    ("vat_fits_rate", {"lines": (line("10.00", "2.10", ("21", "2.08")),)}),
    ("vat_fits_rate", {"lines": (line("10.00", "2.10", vat=()),)}),
    ("date_is_sane", {"created_at": datetime(1970, 1, 1, tzinfo=UTC)}),
    ("not_in_the_future", {"paid_at": READ_AT + timedelta(hours=1, seconds=2)}),
    ("not_in_the_future", {"completed_at": READ_AT + timedelta(days=300)}),
]


@pytest.mark.parametrize(("expectation", "changes"), BAD_ORDERS)
def test_exactly_the_failing_order_is_held_back(expectation: str, changes: dict[str, Any]) -> None:
    verdict = extracted(order(1), order(2, **changes), order(3))
    assert verdict.flaws == (Flaw(1, None, expectation),)
    assert failing(verdict) == {expectation: 1}
    assert verdict.flaw(1) == expectation
    assert verdict.flaw(0) is None
    assert verdict.flaw(2) is None


GOOD_ORDERS: list[dict[str, Any]] = [
    {"status": "completed"},
    {"lines": (line("9999999999999.99", "0.00", ("0", "0.00")),), "total_vat": "0.00", "total": "9999999999999.99"},
    {"total": "12.11"},
    {"total_vat": "2.11"},
    {"lines": (line("10.00", "2.11", ("21", "2.11")),), "total": "12.11", "total_vat": "2.11"},
    {"lines": (), "total": "0.00", "total_vat": "0.00"},
    {"lines": (line("0.00", "0.00"), line(line_id="2"))},
    {"lines": (line("10.00", "0.00", vat=()),), "total": "10.00", "total_vat": "0.00"},
    {"lines": (line("10.00", "0.00", ("0", "0.00")),), "total": "10.00", "total_vat": "0.00"},
    # A negative fee that the shop spreads over 21 % and 9 %.
    {
        "lines": (line("100.00", "21.00"), line("-10.00", "-1.50", ("21", "-1.05"), ("9", "-0.45"), line_id="2")),
        "total": "109.50",
        "total_vat": "19.50",
    },
    # Two taxes on top of each other: 5 % and 9.975 % of 105 %.
    {"lines": (line("100.00", "15.47", ("5", "5.00"), ("9.975", "10.47")),), "total": "115.47", "total_vat": "15.47"},
    {"created_at": datetime(2019, 3, 1, tzinfo=UTC), "paid_at": None},
    {"paid_at": READ_AT + timedelta(minutes=59)},
    {"modified_at": READ_AT + timedelta(days=2)},
    {"refunds": (refund(1), refund(2, lines=(), total="3.00"))},
]


@pytest.mark.parametrize("changes", GOOD_ORDERS)
def test_what_a_real_shop_says_goes_on(changes: dict[str, Any]) -> None:
    verdict = extracted(order(1), order(2, **changes))
    assert verdict.flaws == ()
    assert all(result.passed for result in verdict.results)


def test_both_rows_of_a_document_that_stands_there_twice_are_held_back() -> None:
    verdict = extracted(order(1), order(2), order(1, status="completed"))
    assert verdict.flaws == (Flaw(0, None, "document_unique"), Flaw(2, None, "document_unique"))


def test_an_order_and_a_refund_may_have_the_same_id() -> None:
    assert extracted(order(1, refunds=(refund(1, refund_id="5001"),))).flaws == ()


def test_a_window_holds_what_was_made_before_it_ended() -> None:
    late = order(2, created_at=READ_AT - timedelta(hours=2), paid_at=None)
    past = Window(start=READ_AT - timedelta(days=3), end=READ_AT - timedelta(days=2))
    assert extracted(late, window=past).flaws == (Flaw(0, None, "inside_window"),)
    assert extracted(late, window=None).flaws == ()
    # Paid and changed after the window of a backfill, and an old order that was offered again.
    made = order(3, created_at=past.end - timedelta(hours=1))
    offered = order(4, created_at=past.start - timedelta(days=20))
    assert extracted(made, offered, window=past).flaws == ()


def test_any_status_but_none_will_do() -> None:
    odd = order(1, status="wacht-op-levering")
    verdict = extracted(odd, order(2, status="  "))
    assert verdict.flaws == (Flaw(1, None, "status_present"),)


BAD_REFUNDS = [
    ("document_present", {"refund_id": ""}),
    ("total_is_sane", {"total": "-3.00", "lines": ()}),
    ("lines_add_up", {"total": "12.08"}),
    ("vat_fits_rate", {"lines": (line("12.10", "0.00", ("21", "0.00")),)}),
    ("date_is_sane", {"created_at": datetime(1899, 12, 30, tzinfo=UTC)}),
    ("not_in_the_future", {"created_at": READ_AT + timedelta(hours=2)}),
]


@pytest.mark.parametrize(("expectation", "changes"), BAD_REFUNDS)
def test_exactly_the_failing_refund_is_held_back(expectation: str, changes: dict[str, Any]) -> None:
    first: Refund = refund(1)
    verdict = extracted(order(1), order(2, refunds=(first, refund(2, **changes))), order(3, refunds=(refund(3),)))
    assert verdict.flaws == (Flaw(1, 1, expectation),)
    assert verdict.flaw(1, 1) == expectation
    assert verdict.flaw(1) is None
    assert verdict.flaw(1, 0) is None


def test_a_row_is_blamed_for_the_first_expectation_it_fails() -> None:
    verdict = extracted(order(1, currency="XTS", total="99.00", paid_at=READ_AT + timedelta(days=9)))
    assert verdict.flaws == (Flaw(0, None, "currency_known"),)
    assert failing(verdict) == {"currency_known": 1, "lines_add_up": 1, "not_in_the_future": 1}


ZERO_RATED = VatTreatment(category=VatCategory.EXPORT, rate=Decimal(0), country="NL")
LOW = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(9), country="NL")
EXPORT_WITH_RATE = VatTreatment(category=VatCategory.EXPORT, rate=Decimal(21), country="NL")
STANDARD_WITHOUT_RATE = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(0), country="NL")


def _rounding(cents: str) -> tuple[Any, ...]:
    return (invoice_line(), invoice_line(cents, "0.00", line_id="rounding", kind=None))


BAD_INVOICES = [
    ("document_present", {"document_id": ""}),
    ("number_present", {"invoice_number": " "}),
    ("currency_known", {"currency": "XTS"}),
    ("lines_add_up", {"total_without_vat": Decimal("10.01"), "total_vat": Decimal("2.09")}),
    ("breakdown_adds_up", {"vat_breakdown": ()}),
    ("breakdown_adds_up", {"vat_breakdown": (part("10.01", "2.10"),)}),
    ("breakdown_adds_up", {"vat_breakdown": (part(at=LOW),)}),
    ("breakdown_adds_up", {"vat_breakdown": (part(), part("0.00", "0.00"))}),
    ("not_before_start", {"issue_date": date(2026, 9, 30)}),
    ("not_in_the_future", {"issue_date": date(2026, 11, 21)}),
    ("vat_fits_rate", {"lines": (invoice_line(at=LOW),), "vat_breakdown": (part(at=LOW),)}),
    (
        "category_fits_rate",
        {"lines": (invoice_line(at=EXPORT_WITH_RATE),), "vat_breakdown": (part(at=EXPORT_WITH_RATE),)},
    ),
    (
        "category_fits_rate",
        {
            "lines": (invoice_line("12.10", "0.00", at=STANDARD_WITHOUT_RATE),),
            "vat_breakdown": (part("12.10", "0.00", at=STANDARD_WITHOUT_RATE),),
            "total_without_vat": Decimal("12.10"),
            "total_vat": Decimal("0.00"),
        },
    ),
]


@pytest.mark.parametrize(("expectation", "changes"), BAD_INVOICES)
def test_exactly_the_failing_invoice_is_held_back(expectation: str, changes: dict[str, Any]) -> None:
    verdict = transformed(prepared(1), prepared(2, **changes), prepared(3))
    assert verdict.flaws == (Flaw(1, None, expectation),)
    assert failing(verdict) == {expectation: 1}


GOOD_INVOICES: list[dict[str, Any]] = [
    {"kind": DocumentKind.CREDIT_NOTE, "document_id": "5001", "invoice_number": "1001-C1"},
    {"issue_date": date(2026, 10, 1)},
    {
        "lines": (invoice_line("12.10", "0.00", at=ZERO_RATED),),
        "vat_breakdown": (part("12.10", "0.00", at=ZERO_RATED),),
        "total_without_vat": Decimal("12.10"),
        "total_vat": Decimal("0.00"),
    },
    {
        "lines": (invoice_line("9.99", "2.10"), invoice_line("0.01", "0.00", line_id="rounding", kind=None)),
        "vat_breakdown": (part("10.00", "2.10"),),
    },
]


@pytest.mark.parametrize("changes", GOOD_INVOICES)
def test_a_sound_document_goes_on(changes: dict[str, Any]) -> None:
    verdict = transformed(prepared(1), prepared(2, **changes))
    assert verdict.flaws == ()
    assert all(result.passed for result in verdict.results)


@pytest.mark.parametrize("charged", ["12.09", "12.11"])
def test_an_invoice_of_another_total_than_was_charged_is_held_back(charged: str) -> None:
    totals = [Decimal("12.10"), Decimal(charged)]
    verdict = judge_transformed([prepared(1), prepared(2)], totals, settings=SETTINGS, read_at=READ_AT)
    assert verdict.flaws == (Flaw(1, None, "total_as_charged"),)


def test_a_negative_document_is_held_back() -> None:
    negative = prepared(
        1,
        lines=(invoice_line("-10.00", "-2.10"),),
        vat_breakdown=(part("-10.00", "-2.10"),),
        total_without_vat=Decimal("-10.00"),
        total_vat=Decimal("-2.10"),
        total_with_vat=Decimal("-12.10"),
    )
    assert transformed(negative, charged="-12.10").flaws == (Flaw(0, None, "total_is_sane"),)


def test_a_rounding_line_is_at_most_a_cent_per_line() -> None:
    lines = (invoice_line("9.98", "2.10"), invoice_line("0.02", "0.00", line_id="rounding", kind=None))
    assert transformed(prepared(1, lines=lines)).flaws == (Flaw(0, None, "rounding_bounded"),)


def test_two_documents_with_one_number_are_both_held_back() -> None:
    verdict = transformed(prepared(1), prepared(2), prepared(3, invoice_number="1001"))
    assert verdict.flaws == (Flaw(0, None, "number_unique"), Flaw(2, None, "number_unique"))


def test_a_document_that_stands_there_twice_is_held_back() -> None:
    verdict = transformed(prepared(1), prepared(1, invoice_number="1001-R1"))
    assert {flaw.expectation for flaw in verdict.flaws} == {"document_unique"}
    assert len(verdict.flaws) == 2


def test_the_date_is_judged_where_the_shop_is() -> None:
    midnight = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # half past twelve on the 21st in Amsterdam
    tomorrow = [prepared(1, issue_date=date(2026, 11, 21)), prepared(2, issue_date=date(2026, 11, 22))]
    verdict = judge_transformed(tomorrow, [Decimal("12.10")] * 2, settings=SETTINGS, read_at=midnight)
    assert verdict.flaws == (Flaw(1, None, "not_in_the_future"),)


def test_an_empty_batch_has_nothing_against_it() -> None:
    for verdict in (extracted(), transformed()):
        assert verdict.flaws == ()
        assert verdict.results
        assert all((r.passed, r.checked, r.failing) == (True, 0, 0) for r in verdict.results)


def test_every_document_needs_the_total_that_was_charged() -> None:
    with pytest.raises(ValueError, match="total that the shop charged"):
        judge_transformed([prepared(1)], [], settings=SETTINGS, read_at=READ_AT)


def test_every_expectation_is_proved_to_fail_by_a_document_above() -> None:
    elsewhere = {"document_unique", "number_unique", "total_as_charged", "total_is_sane", "rounding_bounded"}
    of_orders = {name for name, _ in [*BAD_ORDERS, *BAD_REFUNDS]} | {"inside_window", "document_unique"}
    assert {result.expectation for result in extracted().results} == of_orders
    assert {result.expectation for result in transformed().results} == {n for n, _ in BAD_INVOICES} | elsewhere


def test_counts_are_documents() -> None:
    verdict = extracted(order(1, refunds=(refund(1),)), order(2, total="50.00"), order(3, total="60.00"))
    sums = next(result for result in verdict.results if result.expectation == "lines_add_up")
    assert sums == ("lines_add_up", False, 4, 2)


def test_a_check_that_breaks_is_a_defect_that_shows_no_value() -> None:
    told = SimpleNamespace(
        exception_info={"metric": {"raised_exception": True, "exception_message": "canary-4711"}},
        expectation_config=SimpleNamespace(meta={"name": "lines_add_up"}),
    )
    with pytest.raises(Defect, match="lines_add_up") as caught:
        judge._evaluated(told)
    assert "canary" not in str(caught.value)


def test_a_real_broken_check_is_a_defect() -> None:
    bench = judge._bench("extracted")
    import pandas

    with pytest.raises(Defect):
        bench.failing_rows(pandas.DataFrame({"document": [1, 2]}), {"currencies": ["EUR"]})


def test_charged_vat_may_be_told_twice_for_a_rate() -> None:
    twice = line("10.00", "2.10", vat=(ChargedVat(rate="21", amount="1.05"), ChargedVat(rate="21", amount="1.05")))
    assert extracted(order(1, lines=(twice,))).flaws == ()
