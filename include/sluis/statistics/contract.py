"""What the parts of the statistics say to each other: the fixed plan of tables, the rules, patterns and audits.

Two families of figures, sales and refunds, each an amount without VAT and its VAT, all non-negative (disclosure rules
fail on negatives). No identity links the families, so each has a pattern of its own. Amounts are whole euro cents until
they are published, rounded, in whole euros. Enterprises are numbers that mean nothing outside one build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import Field

from sluis.core.frozen import Frozen, Moment

#: The dimensions of the base cube, in this order. ``vat_rate`` is the percentage as ``rates.tidy`` writes it.
DIMENSIONS = ("country", "vat_rate", "platform", "package")


class Family(StrEnum):
    """Which figures: each family is an amount without VAT and the VAT on it."""

    SALES = "sales"
    REFUNDS = "refunds"


class Table(StrEnum):
    """The tables of the plan; there are no others, whoever asks (knowledge: no ad-hoc queries)."""

    TOTAL = "total"
    COUNTRY = "country"
    RATE = "vat_rate"
    PLATFORM = "platform"
    PACKAGE = "package"
    COUNTRY_RATE = "country_vat_rate"
    PLATFORM_PACKAGE = "platform_package"
    COUNTRY_PLATFORM = "country_platform"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Return what a cell of the table is keyed by, in this order."""
        return _DIMENSIONS[self]


_DIMENSIONS: dict[Table, tuple[str, ...]] = {
    Table.TOTAL: (),
    Table.COUNTRY: ("country",),
    Table.RATE: ("vat_rate",),
    Table.PLATFORM: ("platform",),
    Table.PACKAGE: ("package",),
    Table.COUNTRY_RATE: ("country", "vat_rate"),
    Table.PLATFORM_PACKAGE: ("platform", "package"),
    Table.COUNTRY_PLATFORM: ("country", "platform"),
}


class Step(StrEnum):
    """How much of the plan is published: it shrinks in these steps until the attacker loses."""

    ALL = "all_tables"
    ONE_WAY = "one_way"
    TOTAL = "total"
    NOTHING = "nothing"

    @property
    def tables(self) -> tuple[Table, ...]:
        """Return the tables of the step."""
        return _STEPS[self]


_STEPS: dict[Step, tuple[Table, ...]] = {
    Step.ALL: tuple(Table),
    Step.ONE_WAY: (Table.TOTAL, Table.COUNTRY, Table.RATE, Table.PLATFORM, Table.PACKAGE),
    Step.TOTAL: (Table.TOTAL,),
    Step.NOTHING: (),
}


class Cell(NamedTuple):
    """One cell of a table; ``key`` in the order of ``table.dimensions``."""

    table: Table
    key: tuple[str, ...]


class Rules(Frozen):
    """When a cell is safe by itself. Both can be made stricter, never looser than here (validated)."""

    min_enterprises: Annotated[int, Field(ge=10)] = 10
    #: What remains after the three largest, in percent of the largest; and the width of the protection interval.
    remainder_percent: Annotated[int, Field(ge=15, le=100)] = 15
    #: Published figures are rounded to this many euros; an attacker knows each within half of it.
    rounding_euros: Annotated[int, Field(ge=1000, multiple_of=1000)] = 1000


class Top(NamedTuple):
    """Who stands in a cell or in a union of base cells, of one family: only enterprises with an amount above zero."""

    enterprises: int
    cents: int
    largest: tuple[tuple[int, int], ...]  #: up to three (enterprise, cents), the largest first


class Population(Protocol):
    """The frozen input of one quarter and one family; in memory for tests, in SQL for a release."""

    @property
    def base(self) -> Sequence[tuple[str, ...]]:
        """The occupied cells of the full cube (keys in the order of DIMENSIONS), sorted; their numbers count from 0."""
        ...

    def cents(self) -> Sequence[int]:
        """Return the amount without VAT of every base cell."""
        ...

    def vat_cents(self) -> Sequence[int]:
        """Return the VAT of every base cell; about rate x amount (each document rounds)."""
        ...

    def tops(self, unions: Sequence[Sequence[int]]) -> list[Top]:
        """Return who stands in each union of base cells (an enterprise in several of them counts once, added up)."""
        ...

    def own(self, enterprise: int) -> Mapping[int, int]:
        """Return what one enterprise put in: base cell -> cents."""
        ...


class Fate(StrEnum):
    """What becomes of a cell. Only PUBLISHED is told to the world; why a cell is missing is not."""

    PUBLISHED = "published"
    EMPTY = "empty"  #: nobody stands in it: fewer than the minimum too
    FEW = "few"  #: primary: fewer enterprises than the minimum
    DOMINATED = "dominated"  #: primary: too little remains after the three largest
    SECONDARY = "secondary"  #: safe by itself, suppressed to protect others


class Pattern(Frozen):
    """The fate of every cell of a family at one step of the plan, by cells that stand in the base cube."""

    family: Family
    step: Step
    fates: Mapping[Cell, Fate]


class Attacker(StrEnum):
    """Who attacks."""

    OUTSIDER = "outsider"  #: knows all that is published, of all releases
    INSIDER = "insider"  #: a large contributor of the cell, who knows his own figures
    COALITION = "coalition"  #: two of them together
    VENDOR = "vendor"  #: a platform's vendor, who knows every figure of the shops on it
    DERIVED = "derived"  #: subtracts published cells of a line: what remains must be safe as a whole


class AttackerReport(Frozen):
    """How one kind of attacker fared: counts and shares of the protection interval, no figure."""

    attacker: Attacker
    targets: int  #: how many (attacker, target) pairs were tried
    breached: int  #: how many came closer than the protection interval
    #: The smallest distance to a target in percent of its protection interval (100: just safe); ``None``: no target.
    smallest_percent: int | None


class FamilyAudit(Frozen):
    """What the audit of a family says; it holds no unpublished figure."""

    family: Family
    step: Step
    published: int
    suppressed: Mapping[Fate, int]  #: cells not published, by why; EMPTY are of the base's own values only
    attackers: tuple[AttackerReport, ...]
    cells_share_percent: int  #: published cells of those that are occupied
    revenue_share_percent: int  #: the share of the amount that published cells of the largest tables show
    rounds: int  #: how many times the attacker forced a further cell out
    linear_programmes: int

    @property
    def safe(self) -> bool:
        """Whether no attacker came too close."""
        return all(report.breached == 0 for report in self.attackers)


class Figure(Frozen):
    """One published cell of a family, in whole euros, rounded; or a cell that is not published."""

    key: Mapping[str, str]  #: dimension -> value
    published: bool
    amount: int | None = None
    vat: int | None = None
    enterprises: str | None = None  #: a band, e.g. ``10-24``


class ReleaseTable(Frozen):
    """A table of a release: every cell of its fixed domain, published or not."""

    table: Table
    family: Family
    figures: tuple[Figure, ...]


class Release(Frozen):
    """An immutable release. Its canonical JSON (``core.canonical``) is what is hashed, stored and exported."""

    format: int = 1
    number: int  #: from 1, without gaps
    quarter: str  #: ``2026-Q3``
    released_at: Moment
    step: Mapping[Family, Step]
    too_few: bool  #: fewer enterprises than the minimum: there is nothing to publish yet
    provisional: bool  #: the books of some integration had not reached the quarter's end when it was frozen
    rules: Rules
    tables: tuple[ReleaseTable, ...]
    #: In the release of a fourth quarter: cells of which all four quarters are published, their sums.
    year: tuple[ReleaseTable, ...] = ()
    refused: Mapping[str, int] = {}  #: documents whose contribution was refused at the door, by reason
    previous_hash: str | None  #: SHA-256 of the release before, lower-case hex; ``None`` for number 1


class StoredRelease(NamedTuple):
    """A release as it stands in the store, with its hash and its audit report (a mapping that JSON can hold)."""

    release: Release
    sha256: str
    audit: Mapping[str, Any]
