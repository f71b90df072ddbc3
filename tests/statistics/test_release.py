"""A release: rounding, bands, bare suppressed cells, the year, the canonical text and the chain."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256 as plain_sha256

import pytest

from sluis.errors import ProofFailed
from sluis.statistics.contract import Cell, Family, Figure, Rules, Step, StoredRelease, Table
from sluis.statistics.domain import domain
from sluis.statistics.release import BANDS, band, by_cell, document, parse, rounded, sha256, verify
from tests.statistics import released
from tests.statistics.released import NL, NL21, RATE9, RATE21, TOTAL, ledger, places, release, sold, stored

YEAR = ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


@pytest.mark.parametrize(
    ("cents", "euros"),
    [
        (0, 0), (49_999, 0), (50_000, 0), (50_001, 1000), (150_000, 2000), (249_999, 2000), (250_000, 2000),
        (250_001, 3000), (10**15 + 150_000, 10**13 + 2000),
    ],
)  # fmt: skip
def test_half_is_rounded_to_even(cents: int, euros: int) -> None:
    assert rounded(cents, Rules()) == euros


def test_a_stricter_rounding_is_followed() -> None:
    assert rounded(123_456_789, Rules(rounding_euros=5000)) == 1_235_000


def test_bands_have_no_gap_and_no_overlap() -> None:
    assert [band(number) for number in (10, 24, 25, 49, 50, 99, 100, 249, 250, 999, 1000, 10**6)] == [
        name for *_, name in BANDS for _ in "ab"
    ]
    with pytest.raises(ProofFailed):
        band(9)


def test_a_published_cell_has_rounded_figures_and_a_band() -> None:
    figures = by_cell(release().tables)
    # 12 x 100,000 and 2 x 1,000; VAT 252,000 + 180
    assert figures[Family.SALES, TOTAL] == Figure(
        key={}, published=True, amount=1_202_000, vat=252_000, enterprises="10-24"
    )
    assert figures[Family.SALES, NL21] == Figure(
        key={"country": "NL", "vat_rate": "21"}, published=True, amount=1_200_000, vat=252_000, enterprises="10-24"
    )


def test_every_other_cell_of_the_domain_is_bare_whether_unsafe_or_empty() -> None:
    made = release()
    figures = by_cell(made.tables)
    domain_ = places("2026-Q3")
    assert set(figures) == {(f, Cell(table, key)) for f in Family for table in Table for key in domain_[table]}
    bare = [figure for cell, figure in figures.items() if cell[0] is Family.REFUNDS or cell[1] not in released.SHOWN]
    assert all(f == Figure(key=f.key, published=False) for f in bare)
    unsafe, empty = figures[Family.SALES, RATE9], figures[Family.SALES, Cell(Table.RATE, ("25",))]
    assert unsafe.model_dump(exclude={"key"}) == empty.model_dump(exclude={"key"})


def test_two_inputs_list_the_same_cells_in_the_same_order() -> None:
    def cells(sales: list[released.Row]) -> list[tuple[Table, Family, list[dict[str, str]]]]:
        made = release(sales=sales, shown=[TOTAL])
        return [(t.table, t.family, [dict(f.key) for f in t.figures]) for t in made.tables]

    assert cells(sold()) == cells([(n, "DE 19 shopify exact", 5.0) for n in range(30)])


def test_a_cell_outside_the_domain_is_not_listed_and_counts_above() -> None:
    sales = [*sold(), *((number, "NL 19 woocommerce moneybird", 50_000.0) for number in range(12))]
    made = release(sales=sales, shown=[TOTAL, NL, Cell(Table.COUNTRY_RATE, ("NL", "19"))])
    figures = by_cell(made.tables)
    assert (Family.SALES, Cell(Table.COUNTRY_RATE, ("NL", "19"))) not in figures
    assert figures[Family.SALES, NL].amount == 1_802_000


def test_too_few_enterprises_publish_nothing() -> None:
    made = release(sales=sold()[:9], shown=[], step=Step.NOTHING)
    assert made.too_few
    assert not any(figure.published for figure in by_cell(made.tables).values())
    assert not release().too_few
    assert release(rules=Rules(min_enterprises=13), shown=[], step=Step.NOTHING).too_few


@pytest.mark.parametrize(
    ("shown", "step"),
    [
        ([RATE9], Step.ALL),  # two enterprises
        ([Cell(Table.COUNTRY, ("BE",))], Step.ALL),  # nobody
        ([TOTAL, NL], Step.TOTAL),  # not in the step
    ],
)
def test_a_pattern_that_tells_too_much_is_refused(shown: list[Cell], step: Step) -> None:
    with pytest.raises(ProofFailed):
        release(shown=shown, step=step)


def test_stricter_rules_refuse_what_the_pattern_publishes() -> None:
    with pytest.raises(ProofFailed, match="fewer enterprises"):
        release(sales=[*sold(), *sold_in_belgium()], shown=[NL], rules=Rules(min_enterprises=13))


def sold_in_belgium() -> list[released.Row]:
    return [(100 + number, "BE 21 woocommerce moneybird", 10_000.0) for number in range(14)]


def test_only_a_fourth_quarter_tells_a_year() -> None:
    chain = ledger(*YEAR)
    assert [bool(entry.release.year) for entry in chain] == [False, False, False, True]
    year = by_cell(chain[-1].release.year)
    assert set(year) == set(by_cell(chain[-1].release.tables))
    quarters = [by_cell(entry.release.tables)[Family.SALES, NL] for entry in chain]
    told = year[Family.SALES, NL]
    assert told.published
    assert told.amount == sum(f.amount or 0 for f in quarters) == 1_202_000 + 1_322_000 + 1_442_000 + 1_562_000
    assert told.vat == sum(f.vat or 0 for f in quarters)
    assert told.enterprises is None


def test_a_year_lacks_the_cell_that_one_quarter_hides() -> None:
    chain = ledger(*YEAR[:2])
    chain.append(stored(release(YEAR[2], shown=[TOTAL, NL, RATE21], earlier=chain)))
    year = by_cell(release(YEAR[3], earlier=chain).year)
    assert not year[Family.SALES, NL21].published
    assert year[Family.SALES, NL21].amount is None
    assert year[Family.SALES, NL].published


def test_a_year_that_lacks_a_quarter_tells_nothing() -> None:
    year = by_cell(release(YEAR[3], earlier=ledger(*YEAR[1:3])).year)
    assert year
    assert not any(figure.published for figure in year.values())


def test_a_year_sums_releases_read_back_from_their_text() -> None:
    pair = Cell(Table.PLATFORM_PACKAGE, ("woocommerce", "moneybird"))  # the text has its names in another order
    chain = [
        StoredRelease(parse(document(entry.release)), entry.sha256, {}) for entry in ledger(*YEAR[:3], shown=[pair])
    ]
    told = by_cell(release(YEAR[3], shown=[pair], earlier=chain).year)[Family.SALES, pair]
    assert told.amount == 1_200_000 + 1_320_000 + 1_440_000 + 1_200_000


def test_the_text_is_canonical_and_comes_back_whole() -> None:
    made = ledger(*YEAR)[-1].release
    text = document(made)
    assert parse(text) == made
    assert document(parse(text)) == text
    assert sha256(made) == plain_sha256(text.encode()).hexdigest()
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_a_moment_has_one_text_whatever_its_zone() -> None:
    made = release()
    other = made.model_copy(update={"released_at": datetime.fromisoformat("2026-10-29T01:00:00+01:00")})
    same = made.model_copy(update={"released_at": datetime(2026, 10, 29, tzinfo=UTC)})
    assert sha256(other) == sha256(same)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"number":1,', '"number":1, '),
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: text.replace('"provisional":false', '"provisional":false,"secret":1'),
        lambda text: text[:-1],
        lambda text: "",
    ],
)
def test_any_other_text_is_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    text = document(release())
    assert spoil(text) != text
    with pytest.raises(ProofFailed) as refused:
        parse(spoil(text))
    assert "1202000" not in str(refused.value)


def test_a_whole_ledger_has_no_finding() -> None:
    chain = ledger(*YEAR, "2027-Q1")
    assert verify(chain) == ()
    assert [entry.release.number for entry in chain] == [1, 2, 3, 4, 5]
    assert [entry.release.previous_hash for entry in chain] == [None, *(entry.sha256 for entry in chain[:-1])]


def forged(entry: StoredRelease, **changes: object) -> StoredRelease:
    """Return ``entry`` changed, with the hash that fits the change."""
    return stored(entry.release.model_copy(update=changes))


def test_a_changed_figure_breaks_its_hash() -> None:
    chain = ledger(*YEAR[:3])
    chain[1] = chain[1]._replace(release=forged(chain[1], provisional=True).release)
    assert [(found.number, found.code) for found in verify(chain)] == [(2, "hash")]


def test_a_forged_hash_breaks_the_chain() -> None:
    chain = ledger(*YEAR[:3])
    chain[1] = forged(chain[1], provisional=True)
    assert [(found.number, found.code) for found in verify(chain)] == [(3, "chain")]


def test_a_missing_release_is_noticed_wherever_it_stood() -> None:
    chain = ledger(*YEAR[:3])
    assert [(f.number, f.code) for f in verify(chain[1:])] == [(2, "chain"), (2, "number"), (3, "number")]
    assert {(f.number, f.code) for f in verify([chain[0], chain[2]])} == {(3, "chain"), (3, "number")}


@pytest.mark.parametrize("quarter", ["2026-Q1", "2025-Q4", "sometime"])
def test_a_quarter_comes_once_and_later_than_the_one_before(quarter: str) -> None:
    chain = ledger(*YEAR[:2])
    chain[1] = forged(chain[1], quarter=quarter)
    assert [(found.number, found.code) for found in verify(chain)] == [(2, "quarter")]


def test_a_year_that_is_not_its_quarters_is_noticed() -> None:
    chain = ledger(*YEAR)
    chain[3] = forged(chain[3], year=chain[3].release.tables)
    assert [(found.number, found.code) for found in verify(chain)] == [(4, "year")]
    chain[3] = forged(chain[3], year=())
    assert [(found.number, found.code) for found in verify(chain)] == [(4, "year")]


def test_nothing_follows_a_broken_ledger_or_a_quarter_that_is_told() -> None:
    chain = ledger(*YEAR[:3])
    with pytest.raises(ProofFailed, match="broken ledger"):
        release(YEAR[3], earlier=chain[1:])
    with pytest.raises(ProofFailed, match="does not come after"):
        release(YEAR[2], earlier=chain)


def test_the_domain_may_grow_between_quarters() -> None:
    """A connector that came later has no year yet."""
    chain, magento = ledger(*YEAR[:3]), Cell(Table.PLATFORM, ("magento",))
    sales = [*sold(), *((number, "NL 21 magento moneybird", 50_000.0) for number in range(12))]
    wider = domain(YEAR[3], (*released.PLATFORMS, "magento"), released.PACKAGES)
    made = release(YEAR[3], sales, shown=[NL, magento], earlier=chain, cells=wider)
    assert by_cell(made.tables)[Family.SALES, magento].amount == 600_000
    year = by_cell(made.year)
    assert not year[Family.SALES, magento].published
    assert year[Family.SALES, NL].published
    assert verify([*chain, stored(made)]) == ()
