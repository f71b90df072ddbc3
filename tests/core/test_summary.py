"""The sum at the end of a run: exact, mergeable, and unforgiving."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.invoice import DocumentKind, DocumentOutcome, Result, Role
from sluis.core.invoicing import unreadable
from sluis.core.order import Unreadable
from sluis.core.summary import Tally, extracted
from sluis.errors import ProofFailed


def outcome(
    result: Result, cents: int, currency: str = "EUR", reason: str | None = None, role: Role = Role.MAIN
) -> DocumentOutcome:
    return DocumentOutcome(
        role=role,
        kind=DocumentKind.INVOICE if cents >= 0 else DocumentKind.CREDIT_NOTE, document_id="1", order_id="1",
        order_number="1", result=result, reason=reason, currency=currency, total=Decimal(cents) / 100,
        warnings=("rounding_line_added",) if cents == 1 else (),
    )  # fmt: skip


outcomes = st.lists(
    st.builds(
        outcome,
        st.sampled_from(Result),
        st.integers(min_value=-10_000, max_value=10_000),
        st.sampled_from(["EUR", "USD"]),
        st.sampled_from([None, "test", "too_old"]),
        st.sampled_from(Role),
    )
)


def test_a_run_that_lost_nothing_is_proved() -> None:
    tally = Tally([outcome(Result.BOOKED, 1210), outcome(Result.SKIPPED, 500, reason="test")])
    tally.add(outcome(Result.QUARANTINED, -210, reason="refund_without_lines"))
    tally.add(outcome(Result.DEFERRED, 100, "USD", reason="quota_spent"))
    tally.prove(4, {"EUR": 1500, "USD": 100})
    assert tally.count() == 4
    assert tally.count(Result.BOOKED, Result.SKIPPED) == 2
    assert tally.total_cents("EUR", Result.BOOKED) == 1210
    assert tally.reasons == {
        "skipped": {"test": 1}, "quarantined": {"refund_without_lines": 1}, "deferred": {"quota_spent": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "money", "said"),
    [
        (2, {"EUR": 1210}, "2 documents extracted but 1 accounted for (difference 1)"),
        (1, {"EUR": 1209}, "1209 cents of EUR extracted but 1210 accounted for (difference -1)"),
        (1, {}, "0 cents of EUR extracted but 1210 accounted for (difference -1210)"),
        (1, {"EUR": 1210, "USD": 5}, "5 cents of USD extracted but 0 accounted for (difference 5)"),
    ],
)
def test_a_run_that_lost_something_says_what(documents: int, money: dict[str, int], said: str) -> None:
    with pytest.raises(ProofFailed) as caught:
        Tally([outcome(Result.BOOKED, 1210)]).prove(documents, money)
    assert said in str(caught.value)


def test_a_further_document_counts_in_cents_only() -> None:
    """A gift card beside goods: one order of 62.10, two documents in the books."""
    tally = Tally([outcome(Result.BOOKED, 1210), outcome(Result.BOOKED, 5000, role=Role.PART)])
    tally.prove(1, {"EUR": 6210})
    assert (tally.count(), tally.total_cents("EUR")) == (1, 6210)


def test_what_sluis_makes_by_itself_proves_nothing_and_is_told_apart() -> None:
    tally = Tally([outcome(Result.CORRECTED, 1815), outcome(Result.BOOKED, -1210, role=Role.OWN)])
    tally.prove(1, {"EUR": 1815})
    assert tally.own == {"credit_note": {"booked": 1}}
    assert tally.own_cents == {"EUR": {"booked": -1210}}


def test_what_waits_for_its_days_entry_is_accounted_for() -> None:
    Tally([outcome(Result.SUMMARISED, 1210)]).prove(1, {"EUR": 1210})


def test_equal_cents_do_not_hide_a_lost_document() -> None:
    """Two documents that cancel out are two documents all the same."""
    with pytest.raises(ProofFailed):
        Tally().prove(2, {"EUR": 0})


@given(outcomes, outcomes, outcomes)
def test_merging_is_adding(
    first: list[DocumentOutcome], second: list[DocumentOutcome], third: list[DocumentOutcome]
) -> None:
    a, b, c = Tally(first), Tally(second), Tally(third)
    assert (a + b) + c == a + (b + c) == Tally([*third, *first, *second])
    assert a + Tally() == a


@given(outcomes)
def test_the_report_form_holds_whole_numbers_and_comes_back(drawn: list[DocumentOutcome]) -> None:
    tally = Tally(drawn)
    text = json.dumps(tally.as_dict())
    assert Tally.from_dict(json.loads(text)) == tally
    assert "." not in text


def test_an_unreadable_order_and_refund_are_counted() -> None:
    documents = [
        Unreadable(order_id="1", number="1001", code="unreadable", field="total"),
        Unreadable(
            order_id="2", refund_id="6001", number="1002", code="unreadable", total=Decimal("-3.00"), currency="EUR"
        ),
    ]
    tally = Tally(unreadable(document) for document in documents)
    assert [unreadable(document).kind.value for document in documents] == ["invoice", "credit_note"]
    assert unreadable(documents[1]).document_id == "6001"
    tally.prove(*extracted(documents))
    assert tally.total_cents("EUR") == -300
