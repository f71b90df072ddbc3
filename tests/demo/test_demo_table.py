"""The demo's verdict: it must see every kind of disagreement, and none where there is none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from sluis.demo.cast import cast, sandbox
from sluis.demo.standing import Books, Standing, Sum, counted
from sluis.demo.table import After, Outcome, show, show_after

IN_BOOKS = Books(invoices=Sum(6, 5_000), entries=Sum(2, 1_500), payments=Sum(5, 4_800))
STANDING = Standing(
    books=IN_BOOKS,
    days=IN_BOOKS.entries,
    in_entries=Sum(3, 1_500),
    waiting=Sum(1, 500),
    quarantined=Sum(2, 900),
    reversals=Sum(1, -400),
    replacements=Sum(1, 450),
    parts=Sum(1, 50),
)
GOOD = Outcome(
    merchant="m7f3k Test",
    what="a test",
    orders=Sum(10, 10_000),
    refunds=Sum(2, -1_000),
    unread=Sum(1, 500),
    booked=Sum(8, 7_000),
    skipped=Sum(1, 600),
    quarantined=Sum(2, 900),
    skipped_reasons={"test": 1},
    quarantine_reasons={"untaxed_line": 1, "refund_without_lines": 1},
    standing=STANDING,
    books=IN_BOOKS,
    debtors=5,
    duplicates=0,
    seconds=1.0,
)


def printed(outcome: Outcome) -> tuple[bool, str]:
    out = io.StringIO()
    return show(Console(file=out, width=120), outcome), out.getvalue()


def test_agreement_to_the_cent() -> None:
    agrees, text = printed(GOOD)
    assert agrees
    assert "agree to the cent" in text
    assert "refund_without_lines" in text
    assert "100.00" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"books": replace(IN_BOOKS, invoices=Sum(6, 5_001))}, "the books hold"),
        ({"books": replace(IN_BOOKS, invoices=Sum(7, 5_000))}, "the books hold"),
        ({"books": replace(IN_BOOKS, entries=Sum(2, 1_499))}, "journal entries"),
        ({"books": replace(IN_BOOKS, payments=Sum(4, 4_800))}, "payments"),
        ({"standing": replace(STANDING, in_entries=Sum(3, 1_400), waiting=Sum(1, 600))}, "entries of days"),
        ({"standing": replace(STANDING, waiting=Sum())}, "sluis' rows come to"),
        ({"quarantined": Sum(1, 900)}, "are accounted for"),
        ({"skipped": Sum(1, 599)}, "are accounted for"),
        ({"duplicates": 1}, "more than once"),
        ({"problems": ["the run failed: see the UI"]}, "the run failed"),
    ],
)
def test_every_disagreement_is_told(change: dict[str, object], told: str) -> None:
    agrees, text = printed(replace(GOOD, **change))  # type: ignore[arg-type]
    assert not agrees
    assert told in text


AFTER = After(
    merchant="m7f3k Test",
    changes=("1001 cancelled", "1002 a piece more"),
    in_shop=9_000,
    unread=500,
    skipped=200,
    ended=400,
    standing=STANDING,
    books=IN_BOOKS,
    duplicates=0,
    reconciled="reconcile 2026Q4: settled",
)


def told_after(after: After) -> tuple[bool, str]:
    out = io.StringIO()
    return show_after(Console(file=out, width=120), after), out.getvalue()


def test_corrections_and_the_quarter_are_told() -> None:
    agrees, text = told_after(AFTER)
    assert agrees
    for told in ("1001 cancelled", "reversals", "replacements", "vouchers apart", "waiting for their day", "2026Q4"):
        assert told in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"in_shop": 9_001}, "are accounted for"),
        ({"ended": 0}, "are accounted for"),
        ({"books": replace(IN_BOOKS, invoices=Sum(6, 4_999))}, "the books hold"),
        ({"duplicates": 2}, "more than once"),
        ({"problems": ["2026Q4 is not settled"]}, "not settled"),
    ],
)
def test_every_disagreement_after_a_stir_is_told(change: dict[str, object], told: str) -> None:
    agrees, text = told_after(replace(AFTER, **change))  # type: ignore[arg-type]
    assert not agrees
    assert told in text


def test_books_are_counted_by_their_own_accounts() -> None:
    administration = {
        "invoices": 2, "invoices_cents": 3_000, "payments": 1, "journal_entries": 1,
        "accounts": {"1250": "136.00", "8000": "-100.00", "1500": "-21.00"},
    }  # fmt: skip
    assert counted(administration) == Books(Sum(2, 3_000), Sum(1, 12_100), Sum(1, 1_500))
    assert counted({**administration, "journal_entries": 0}).entries == Sum()


def test_three_merchants_with_settings_of_their_own_and_books_of_their_own() -> None:
    parts = cast(None)
    assert len(parts) == 3
    assert len({part.administration.id for part in parts}) == 3
    assert len({str(sorted(part.settings.items())) for part in parts}) == 3
    keys = {shop.consumer_secret for shop in sandbox(parts).shops}
    assert len(keys) == 3
    assert keys.isdisjoint({shop.consumer_secret for shop in sandbox(cast(None)).shops})
