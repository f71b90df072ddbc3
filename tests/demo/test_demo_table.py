"""The demo's verdict: it must see every kind of disagreement, and none where there is none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from sluis.demo.cast import cast, sandbox
from sluis.demo.table import Outcome, Sum, show

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
    books=Sum(8, 7_000),
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
        ({"books": Sum(8, 7_001)}, "the books hold"),
        ({"books": Sum(9, 7_000)}, "the books hold"),
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


def test_three_merchants_with_settings_of_their_own_and_books_of_their_own() -> None:
    parts = cast(None)
    assert len(parts) == 3
    assert len({part.administration.id for part in parts}) == 3
    assert len({str(sorted(part.settings.items())) for part in parts}) == 3
    keys = {shop.consumer_secret for shop in sandbox(parts).shops}
    assert len(keys) == 3
    assert keys.isdisjoint({shop.consumer_secret for shop in sandbox(cast(None)).shops})
