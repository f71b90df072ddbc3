"""Periods, the closed list of causes, and the sheet that proves itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sluis.core.invoice import DocumentKind
from sluis.core.reconciliation import (
    CAUSES,
    CHANGED_AFTER_BOOKING,
    SHOP_SLUIS,
    UNDECIDED,
    Difference,
    Period,
    Sheet,
    Side,
    ended,
)
from sluis.errors import Defect, ProofFailed

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbooks" / "reconcile.md"


@pytest.mark.parametrize(
    ("name", "start", "end", "quarter"),
    [
        ("2026Q3", date(2026, 7, 1), date(2026, 9, 30), "2026Q3"),
        ("2026Q1", date(2026, 1, 1), date(2026, 3, 31), "2026Q1"),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29), "2028Q1"),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31), "2026Q4"),
    ],
)
def test_periods(name: str, start: date, end: date, quarter: str) -> None:
    period = Period.of(name)
    assert (period.start, period.end, period.quarter) == (start, end, quarter)
    assert period.holds(start)
    assert period.holds(end)
    assert not period.holds(None)


@pytest.mark.parametrize("name", ["2026Q5", "2026-13", "2026", "26Q1", "2026-7", "2026Q3\n", "0000Q1", "２０２６Q1"])
def test_what_is_no_period_is_refused(name: str) -> None:
    with pytest.raises(Defect) as caught:
        Period.of(name)
    assert caught.value.code == "period"


def test_what_ended_before_a_day() -> None:
    assert [p.name for p in ended(date(2026, 10, 1))] == ["2026-09", "2026Q3"]
    assert [p.name for p in ended(date(2026, 11, 30))] == ["2026-10"]
    assert [p.name for p in ended(date(2027, 1, 1))] == ["2026-12", "2026Q4"]


def test_every_cause_has_its_action_and_its_line_in_the_runbook() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    for code, cause in CAUSES.items():
        assert cause.action.endswith("."), code
        verdict = "explained" if cause.explained else "open"
        assert any(f"`{code}`" in line and f"| {verdict} |" in line for line in text.splitlines()), code


def difference(first: int | None, second: int | None) -> Difference:
    return Difference(
        cause=CHANGED_AFTER_BOOKING, between=SHOP_SLUIS, kind=DocumentKind.INVOICE, order_number="1", reference="1",
        currency="EUR", first_cents=first, second_cents=second,
    )  # fmt: skip


def test_a_cent_without_a_cause_fails_the_proof() -> None:
    sheet = Sheet()
    for side, cents in ((Side.SHOP, 1211), (Side.SLUIS, 1210), (Side.PACKAGE, 1210)):
        sheet.add(side, "EUR", {UNDECIDED: (cents, 0)})
    with pytest.raises(ProofFailed) as caught:
        sheet.prove()
    assert caught.value.code == "not_reconciled"
    sheet.differ(difference(1211, 1210))
    sheet.prove()
    (cause,) = sheet.causes()
    assert (cause.documents, cause.cents, cause.explained) == (1, 1, False)
