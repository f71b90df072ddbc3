"""Whoever subtracts releases from each other: a second release of a quarter, and a year less three of its quarters."""

from __future__ import annotations

import pytest

from sluis.errors import ProofFailed
from sluis.statistics.contract import Family
from sluis.statistics.release import by_cell
from tests.statistics.released import NL, NL21, RATE9, RATE21, TOTAL, ledger, release, sold, stored

YEAR = ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


def test_a_second_release_with_one_enterprise_more_would_tell_on_him_and_cannot_be_made() -> None:
    """The attack works, to the rounding: that is why the ledger takes one release of a quarter and no other."""
    newcomer = 456_000
    first = stored(release("2026-Q3", sold()))
    late = [*sold(), (99, "NL 21 woocommerce moneybird", float(newcomer))]
    again = release("2026-Q3", late)
    before, after = (by_cell(made.tables)[Family.SALES, TOTAL].amount for made in (first.release, again))
    assert before is not None
    assert after is not None
    assert abs(after - before - newcomer) <= 1000
    with pytest.raises(ProofFailed, match="quarter_past"):
        release("2026-Q3", late, earlier=[first])


def test_a_year_less_three_quarters_is_the_fourth_as_it_was_published_and_nothing_else() -> None:
    shown = {"2026-Q1": [TOTAL, NL, NL21, RATE21], "2026-Q2": [TOTAL, NL], "2026-Q3": [TOTAL, NL, RATE21],
             "2026-Q4": [TOTAL, NL, NL21, RATE21]}  # fmt: skip
    chain = ledger(YEAR[0], shown=shown[YEAR[0]])
    for place, quarter in enumerate(YEAR[1:], start=1):
        chain.append(stored(release(quarter, sold(100_000 + 7_000 * place), shown=shown[quarter], earlier=chain)))
    quarters = [by_cell(one.release.tables) for one in chain]
    year = by_cell(chain[-1].release.year)
    for cell in (TOTAL, NL, NL21, RATE21, RATE9):
        told = [known[Family.SALES, cell].amount for known in quarters]
        whole = year[Family.SALES, cell].amount
        if None in told:
            assert whole is None  # else the quarter that hides it could be worked out
        else:
            assert whole is not None
            for missing, amount in enumerate(told):
                assert whole - sum(a or 0 for place, a in enumerate(told) if place != missing) == amount
    assert year[Family.SALES, TOTAL].published
    assert not year[Family.SALES, NL21].published
