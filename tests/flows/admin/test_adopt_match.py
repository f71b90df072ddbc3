"""What is linked and what is only listed when shop and books are laid beside each other."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.invoice import DocumentKind
from sluis.flows.adopt_match import NEAR, Candidate, Link, match, other_numbers
from sluis.ports import Booked

DAY = date(2026, 11, 2)


def candidate(number: str = "1001", **other: Any) -> Candidate:
    values: dict[str, Any] = {
        "kind": DocumentKind.INVOICE, "document_key": number.encode().rjust(32), "order_number": number,
        "references": (f"W-{number}", number), "total_cents": 1210, "vat_cents": 210, "currency": "EUR",
        "issue_date": DAY, "fingerprint": b"f" * 32, "bookable": True,
    }  # fmt: skip
    return Candidate(**{**values, **other})


def booked(reference: str = "1001", external_id: str = "a", **other: Any) -> Booked:
    values: dict[str, Any] = {
        "external_id": external_id, "reference": reference, "issue_date": DAY, "currency": "EUR",
        "total_with_vat": Decimal("12.10"), "total_vat": Decimal("2.10"),
    }  # fmt: skip
    return Booked(**{**values, **other})


@pytest.mark.parametrize("reference", ["1001", "W-1001"])
def test_with_the_prefix_and_without_it(reference: str) -> None:
    [found] = match([candidate()], [booked(reference), booked("1002", "b")])
    assert found.link is Link.LINKED
    assert found.booked is not None
    assert found.booked.external_id == "a"


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"total_with_vat": Decimal("12.11")}, "total"),
        ({"total_with_vat": Decimal("-12.10")}, "total"),
        ({"currency": "USD"}, "currency"),
        ({"issue_date": DAY + NEAR + timedelta(days=1)}, "date"),
        ({"issue_date": DAY - NEAR - timedelta(days=1)}, "date"),
    ],
)
def test_the_same_reference_with_other_figures_is_a_difference(other: dict[str, Any], what: str) -> None:
    [found] = match([candidate()], [booked(**other)])
    assert (found.link, found.what) == (Link.DIFFERENT, what)


@pytest.mark.parametrize("days", [-NEAR.days, 0, NEAR.days])
def test_dates_a_few_days_apart_are_near(days: int) -> None:
    [found] = match([candidate()], [booked(issue_date=DAY + timedelta(days=days))])
    assert found.link is Link.LINKED


def test_two_in_the_books_are_ambiguous() -> None:
    [found] = match([candidate()], [booked("1001", "a"), booked("W-1001", "b")])
    assert (found.link, found.what, set(found.called_so)) == (Link.AMBIGUOUS, "twice_in_books", {"a", "b"})


def test_of_two_in_the_books_the_one_with_the_same_figures_is_it() -> None:
    [found] = match([candidate()], [booked("1001", "a", total_with_vat=Decimal("99.99")), booked("W-1001", "b")])
    assert found.link is Link.LINKED
    assert found.booked is not None
    assert found.booked.external_id == "b"


def test_a_number_that_repeats_in_the_shop_is_ambiguous() -> None:
    twice = [candidate(document_key=b"1".rjust(32)), candidate(document_key=b"2".rjust(32))]
    assert {found.link for found in match(twice, [booked()])} == {Link.AMBIGUOUS}
    assert {found.link for found in match(twice, [])} == {Link.NOT_IN_BOOKS}


def test_the_number_of_one_that_is_the_prefixed_number_of_another_is_ambiguous() -> None:
    one = candidate("1001")
    other = candidate("W-1001", references=("W-W-1001", "W-1001"))
    assert {found.link for found in match([one, other], [booked("W-1001")])} == {Link.AMBIGUOUS}


def test_what_is_not_in_the_books() -> None:
    found = match([candidate(), candidate("1002", bookable=False)], [])
    assert [one.link for one in found] == [Link.NOT_IN_BOOKS, Link.NOT_BOOKABLE]


def test_an_order_that_the_core_cannot_decide_is_linked_with_its_reason() -> None:
    [found] = match([candidate(fingerprint=None, bookable=False, reason="vat_wrong_regime")], [booked()])
    assert (found.link, found.what) == (Link.LINKED, "vat_wrong_regime")


def test_an_unknown_reference_with_the_same_total_and_a_near_date_is_for_a_person() -> None:
    books = [booked("WC-1001", "a"), booked("WC-1002", "b", issue_date=DAY + NEAR)]
    [found] = other_numbers(match([candidate()], books), books)
    assert (found.link, found.what, set(found.called_so)) == (Link.OTHER_NUMBER, "same_total_2_times", {"a", "b"})
    assert found.booked is not None
    assert found.booked.external_id == "a", "the nearest date"


@pytest.mark.parametrize(
    "other",
    [
        {"total_with_vat": Decimal("12.11")},
        {"currency": "USD"},
        {"issue_date": DAY + NEAR + timedelta(days=1)},
    ],
)
def test_what_differs_is_not_pointed_out(other: dict[str, Any]) -> None:
    books = [booked("WC-1001", "a", **other)]
    assert [found.link for found in other_numbers(match([candidate()], books), books)] == [Link.NOT_IN_BOOKS]


def test_a_document_that_answers_to_its_own_order_is_not_pointed_out_for_another() -> None:
    books = [booked("1001", "a")]
    both = other_numbers(match([candidate("1001"), candidate("1002")], books), books)
    assert [found.link for found in both] == [Link.LINKED, Link.NOT_IN_BOOKS]
    unbookable = other_numbers(match([candidate("1003", bookable=False)], books), books)
    assert [found.link for found in unbookable] == [Link.NOT_BOOKABLE]


_NUMBERS = st.sampled_from(["1", "W-1", "W-W-1", "2"])
_CENTS = st.sampled_from([1210, 1211])


@given(
    st.lists(st.tuples(_NUMBERS, _CENTS), max_size=6),
    st.lists(st.tuples(_NUMBERS, _CENTS), max_size=6),
)
def test_a_link_is_one_to_one_and_always_of_the_same_total(
    shop: list[tuple[str, int]], books: list[tuple[str, int]]
) -> None:
    candidates = [candidate(n, references=(f"W-{n}", n), total_cents=c) for n, c in shop]
    documents = [booked(n, str(i), total_with_vat=Decimal(c) / 100) for i, (n, c) in enumerate(books)]
    linked = [found for found in match(candidates, documents) if found.link is Link.LINKED]
    ids = [found.booked.external_id for found in linked if found.booked is not None]
    assert len(ids) == len(linked) == len(set(ids))
    for found in linked:
        assert found.booked is not None
        assert found.booked.reference in found.candidate.references
        assert found.booked.total_with_vat * 100 == found.candidate.total_cents
