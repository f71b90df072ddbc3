"""A release: what is told of a quarter, its canonical text and hash, and the chain that it is a link of.

Rounding: amount and VAT of a published cell are each rounded to ``rules.rounding_euros``, half to even, from exact
cents (Decimal). They are rounded one by one, so the cells of a table need not add up to its total. A cell that is not
published is bare: no amount, no band, no reason. Cells outside the fixed domain (``domain``) are never listed; they
count in the cells above them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from pydantic import ValidationError

from sluis.core.canonical import canonical_hash, canonical_json
from sluis.errors import Defect, ProofFailed
from sluis.statistics.contract import (
    Cell,
    Family,
    Fate,
    Figure,
    Pattern,
    Population,
    Release,
    ReleaseTable,
    Rules,
    StoredRelease,
    Table,
)
from sluis.statistics.domain import Domain, first_day, quarters_of_year
from sluis.statistics.lines import Cube

#: How many enterprises stand in a published cell is told as one of these: (from, up to and with, as it is written).
BANDS: tuple[tuple[int, int | None, str], ...] = (
    (10, 24, "10-24"),
    (25, 49, "25-49"),
    (50, 99, "50-99"),
    (100, 249, "100-249"),
    (250, 999, "250-999"),
    (1000, None, "1000+"),
)


class Finding(NamedTuple):
    """What is wrong with the ledger of releases."""

    number: int  #: of the release
    code: str  #: ``hash``, ``chain``, ``number``, ``quarter`` or ``year``
    message: str


def build(
    quarter: str,
    released_at: datetime,
    *,
    patterns: Mapping[Family, Pattern],
    populations: Mapping[Family, Population],
    domain: Domain,
    rules: Rules,
    refused: Mapping[str, int],
    provisional: bool,
    earlier: Sequence[StoredRelease],
) -> Release:
    """Return the release of ``quarter`` (``2026-Q3``), which takes the next number and the hash of the last.

    ``earlier``: all releases so far, the first one first; the year's tables of a fourth quarter are summed from them.
    ``refused``: documents turned away at the door, by reason. Raises ``ProofFailed`` where the ledger is broken, the
    quarter does not come after it, or a pattern publishes what must not be.
    """
    _may_follow(quarter, earlier)
    standing = {family: _standing(populations[family]) for family in Family}
    too_few = max(standing.values()) < rules.min_enterprises
    told = {family: _told(family, patterns[family], populations[family], rules) for family in Family}
    if too_few and any(told.values()):
        raise ProofFailed("there are too few enterprises to publish anything", code="cell_unsafe")
    tables = tuple(table for family in Family for table in _tables(family, told[family], domain))
    return Release(
        number=len(earlier) + 1,
        quarter=quarter,
        released_at=released_at,
        step={family: patterns[family].step for family in Family},
        too_few=too_few,
        provisional=provisional,
        rules=rules,
        tables=tables,
        year=_year(quarter, tables, [stored.release for stored in earlier]),
        refused=dict(sorted(refused.items())),
        previous_hash=earlier[-1].sha256 if earlier else None,
    )


def rounded(cents: int, rules: Rules) -> int:
    """Return an amount of cents in euros, rounded to ``rules.rounding_euros``, half to even."""
    steps = Decimal(cents) / (100 * rules.rounding_euros)
    return int(steps.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) * rules.rounding_euros


def band(enterprises: int) -> str:
    """Return how a number of enterprises is told; raises ``ProofFailed`` below the lowest band."""
    for least, most, name in BANDS:
        if least <= enterprises and (most is None or enterprises <= most):
            return name
    raise ProofFailed("fewer enterprises stand in a published cell than may be told", code="cell_unsafe")


def document(release: Release) -> str:
    """Return the canonical JSON of a release: what is stored, hashed and published."""
    return canonical_json(release.model_dump())


def sha256(release: Release) -> str:
    """Return the SHA-256 of the canonical JSON, lower-case hex."""
    return canonical_hash(release.model_dump())


def parse(text: str) -> Release:
    """Return the release that ``document`` wrote; raises ``ProofFailed`` for any other text."""
    try:
        release = Release.model_validate_json(text)
    except ValidationError as error:
        raise ProofFailed(f"a stored release cannot be read: {error.error_count()} fault(s)", code="release") from None
    if release.format != 1 or document(release) != text:
        raise ProofFailed("a stored release is not in the form it was published in", code="release")
    return release


def verify(releases: Sequence[StoredRelease]) -> tuple[Finding, ...]:
    """Return what is wrong with the ledger, the first release first: hashes, chain, numbers, quarters, years."""
    found: list[Finding] = []
    before: StoredRelease | None = None
    for place, stored in enumerate(releases):
        release, number = stored.release, stored.release.number
        if sha256(release) != stored.sha256:
            found.append(Finding(number, "hash", f"release {number} is not the one its hash was taken of"))
        if release.previous_hash != (before.sha256 if before else None):
            found.append(Finding(number, "chain", f"release {number} does not follow from the release before it"))
        if number != place + 1:
            found.append(Finding(number, "number", f"release {number} stands where {place + 1} is due"))
        if not _follows(release, before):
            found.append(Finding(number, "quarter", f"release {number} is of no quarter after the one before it"))
        elif release.year != _year(release.quarter, release.tables, [other.release for other in releases[:place]]):
            found.append(Finding(number, "year", f"the year in release {number} is not the sum of its quarters"))
        before = stored
    return tuple(found)


def cell_of(table: Table, figure: Figure) -> Cell:
    """Return the cell that a figure is of: the canonical text does not keep the order of its names."""
    return Cell(table, tuple(figure.key.get(name, "") for name in table.dimensions))


def by_cell(tables: Sequence[ReleaseTable]) -> dict[tuple[Family, Cell], Figure]:
    """Return the figures of ``tables`` (those of a quarter, or of a year) by what they are of."""
    return {(table.family, cell_of(table.table, f)): f for table in tables for f in table.figures}


# -------------------------------------------------------------------------------------------------------------- pieces


def _may_follow(quarter: str, earlier: Sequence[StoredRelease]) -> None:
    broken = verify(earlier)
    if broken:
        raise ProofFailed(f"no release can follow a broken ledger: {broken[0].message}", code="ledger_broken")
    if earlier and first_day(quarter) <= first_day(earlier[-1].release.quarter):
        raise ProofFailed(f"{quarter} does not come after the last release", code="quarter_past")


def _follows(release: Release, before: StoredRelease | None) -> bool:
    try:
        first = first_day(release.quarter)
        return before is None or first > first_day(before.release.quarter)
    except Defect:
        return False


def _standing(population: Population) -> int:
    everybody = list(range(len(population.base)))
    return population.tops([everybody])[0].enterprises if everybody else 0


def _tables(family: Family, told: Mapping[Cell, Figure], domain: Domain) -> list[ReleaseTable]:
    """Return all tables of the plan, also those that the step shows nothing of."""
    return [
        ReleaseTable(
            table=table,
            family=family,
            figures=tuple(
                told.get(Cell(table, key)) or Figure(key=_named(table, key), published=False) for key in domain[table]
            ),
        )
        for table in Table
    ]


def _told(family: Family, pattern: Pattern, population: Population, rules: Rules) -> dict[Cell, Figure]:
    shown = [cell for cell, fate in pattern.fates.items() if fate is Fate.PUBLISHED]
    members = Cube(population.base).members
    wrong = [cell for cell in shown if cell.table not in pattern.step.tables or cell not in members]
    if wrong or pattern.family is not family:
        raise ProofFailed(
            f"the pattern of {family} publishes {len(wrong)} cell(s) that its step does not have or nobody stands in",
            code="cell_unsafe",
        )
    cents, vat = population.cents(), population.vat_cents()
    figures = {}
    for cell, top in zip(shown, population.tops([members[cell] for cell in shown]), strict=True):
        if top.enterprises < rules.min_enterprises:
            raise ProofFailed("fewer enterprises stand in a published cell than may be told", code="cell_unsafe")
        figures[cell] = Figure(
            key=_named(cell.table, cell.key),
            published=True,
            amount=rounded(sum(cents[number] for number in members[cell]), rules),
            vat=rounded(sum(vat[number] for number in members[cell]), rules),
            enterprises=band(top.enterprises),
        )
    return figures


def _named(table: Table, key: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(table.dimensions, key, strict=True))


def _year(quarter: str, tables: Sequence[ReleaseTable], earlier: Sequence[Release]) -> tuple[ReleaseTable, ...]:
    """Return the tables of the year in a fourth quarter: sums of what its four releases published, rounded as it is."""
    *before, last = quarters_of_year(quarter)
    if quarter != last:
        return ()
    by_quarter = {release.quarter: release.tables for release in earlier}
    parts = [by_cell(tables), *(by_cell(by_quarter.get(name, ())) for name in before)]
    return tuple(
        table.model_copy(update={"figures": tuple(_sum(f, _parts(parts, table, f)) for f in table.figures)})
        for table in tables
    )


def _parts(
    quarters: Sequence[Mapping[tuple[Family, Cell], Figure]], table: ReleaseTable, figure: Figure
) -> list[Figure | None]:
    cell = cell_of(table.table, figure)
    return [known.get((table.family, cell)) for known in quarters]


def _sum(figure: Figure, quarters: Sequence[Figure | None]) -> Figure:
    """Return the year's cell. It tells no enterprises: who stands in four quarters cannot be told from four bands."""
    amount = vat = 0
    for part in quarters:
        if part is None or not part.published or part.amount is None or part.vat is None:
            return Figure(key=figure.key, published=False)
        amount, vat = amount + part.amount, vat + part.vat
    return Figure(key=figure.key, published=True, amount=amount, vat=vat)
