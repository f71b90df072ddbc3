"""Shop, sluis and package side by side over a period, and the closed list of causes why they may differ.

Every cent by which two columns differ is told by a line with a cause (``prove``). A cause is explained (harmless: time
or a known property of a package brings it) or open (a person must act); a period is settled when none is open.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sluis.core.figures import Figures
from sluis.core.frozen import Frozen, Moment
from sluis.core.icp import IcpTotal
from sluis.core.invoice import DocumentKind
from sluis.core.money import Number
from sluis.core.vat_return import VatReturn, quarter_of
from sluis.errors import Defect, ProofFailed

_PERIOD = re.compile(r"(\d{4})(?:Q([1-4])|-(0[1-9]|1[0-2]))", re.ASCII)


class Period(Frozen):
    """A month or a quarter; both days included."""

    name: str  #: ``2026-07`` or ``2026Q3``
    start: date
    end: date

    @classmethod
    def of(cls, name: str) -> Period:
        """Read a period; raises ``Defect("period")``."""
        found = _PERIOD.fullmatch(name)
        if found is None or found[1] < "1900":
            raise Defect("a period is a quarter or a month: 2026Q3 or 2026-07", code="period")
        year, last = int(found[1]), int(found[2]) * 3 if found[2] else int(found[3])
        first = last - 2 if found[2] else last
        return cls(name=name, start=date(year, first, 1), end=date(year, last, calendar.monthrange(year, last)[1]))

    def holds(self, day: date | None) -> bool:
        """Whether a day lies in it."""
        return day is not None and self.start <= day <= self.end

    @property
    def quarter(self) -> str:
        """The quarter it is, or lies in."""
        return quarter_of(self.end)


def ended(today: date) -> tuple[Period, ...]:
    """Return the month that ended before ``today``, and the quarter where it ended with it."""
    last = today.replace(day=1) - timedelta(days=1)
    month = Period.of(f"{last.year:04d}-{last.month:02d}")
    return (month, Period.of(quarter_of(last))) if last.month % 3 == 0 else (month,)


# -------------------------------------------------------------------------------------------------------- causes


@dataclass(frozen=True)
class Cause:
    """A code, whether the difference is explained by it, and one sentence on what to do."""

    code: str
    explained: bool
    action: str


CAUSES: dict[str, Cause] = {}


def _cause(code: str, action: str, *, explained: bool = False) -> str:
    CAUSES[code] = Cause(code, explained, action)
    return code


NOT_READ_YET = _cause(
    "not_read_yet", "Changed in the shop since the last run; the next run takes it, reconcile again after it.",
    explained=True,
)  # fmt: skip
HELD_FOR_DAY = _cause(
    "held_for_day", "Waits for its day's journal entry, which a run after that day posts; reconcile again after it.",
    explained=True,
)  # fmt: skip
PERIOD_SHIFT = _cause(
    "period_shift", "Dated in a closed period, so booked on the first open day that names it; nothing to do.",
    explained=True,
)  # fmt: skip
CORRECTED = _cause(
    "corrected", "Changed after it was booked: credited and invoiced anew on the day of the change; nothing to do.",
    explained=True,
)  # fmt: skip
VAT_ROUNDING = _cause(
    "vat_rounding", "The package computed the VAT itself: at most a cent per line; file what the package says.",
    explained=True,
)  # fmt: skip
DATE_MOVED = _cause(
    "date_moved", "Somebody moved the document's date in the package inside the period; nothing to do.", explained=True
)
ADOPTED = _cause(
    "adopted", "Was in the books before sluis and was linked, not made by it; nothing to do.", explained=True
)
BOOKED_BY_HAND = _cause(
    "booked_by_hand", "A person closed it in quarantine as booked by hand; look whether it stands in the package.",
    explained=True,
)  # fmt: skip
NOT_TO_BE_BOOKED = _cause(
    "not_to_be_booked", "A person closed it in quarantine as not to be booked; nothing to do.", explained=True
)
QUARANTINED = _cause(
    "quarantined", "Waits in quarantine, so it is not booked: solve the named reason and offer it again."
)
WAITING = _cause(
    "waiting", "Sent without a clear answer, or not sent yet; the next run goes on with it, reconcile again after it."
)
NOT_BOOKED = _cause(
    "not_booked", "The shop shows it and sluis never took it: run a backfill over its day, then reconcile again."
)
HELD_TOO_LONG = _cause(
    "held_too_long", "Its day is over and its day's journal entry is not posted: look at the log of the last run."
)
CHANGED_AFTER_BOOKING = _cause(
    "changed_after_booking",
    "The shop's figures are not those that were booked: offer the order again, or correct the books by hand.",
)
TREATMENT_DIFFERS = _cause(
    "treatment_differs",
    "Same amounts under another VAT treatment than when it was booked (settings or address): decide which is right.",
)
GONE_FROM_SHOP = _cause(
    "gone_from_shop",
    "Booked, but the shop does not show it any more (binned, deleted): credit it in the package, or restore it.",
)
SHOP_DATE_MOVED = _cause(
    "shop_date_moved", "The shop dates it in another period than when it was booked: decide in which return it belongs."
)
MISSING_IN_PACKAGE = _cause(
    "missing_in_package", "Booked, but it does not stand in the package any more: was it deleted there? Enter it again."
)
UNKNOWN_TO_SLUIS = _cause(
    "unknown_to_sluis",
    "Stands in the package as one of ours but no booking knows it: look at it there, delete it if it is a double.",
)
BOOKED_TWICE = _cause(
    "booked_twice", "The package holds two documents under one number: delete the one that sluis does not name."
)
TOTAL_DIFFERS = _cause(
    "total_differs", "The package holds it with another total than was booked: somebody edited it; correct it there."
)
VAT_DIFFERS = _cause("vat_differs", "The package holds it with other VAT than was booked: look at its tax rates there.")
DATED_ELSEWHERE = _cause(
    "dated_elsewhere", "The package dates it in another period than sluis booked it: move the date back there."
)


# -------------------------------------------------------------------------------------------------------- figures


class Key(Frozen):
    """What sums are kept under. ``name`` is set, and the rest empty, for what no treatment is known of."""

    category: str = ""
    rate: Number | None = None
    country: str = ""
    scheme: str = ""
    name: str = ""  #: ``undecided``, ``not_split``, ``cash_rounding``


UNDECIDED = Key(name="undecided")  #: the shop's documents that no VAT decision was made for
NOT_SPLIT = Key(name="not_split")  #: amounts whose rates are not known: figures emptied, or the package's alone
CASH_ROUNDING = Key(name="cash_rounding")

Amounts = tuple[int, int]  #: (net, VAT) in cents, signed
Sums = dict[Key, Amounts]


def sums_of(figures: Figures) -> Sums:
    """Return a document's figures per treatment; what nets to nothing is left out."""
    found: Sums = {}
    for figure in figures:
        t = figure.treatment
        key = Key(category=t.category.value, rate=t.rate, country=t.country, scheme=t.scheme.value) if t else None
        add(found, key or CASH_ROUNDING, (figure.net_cents, figure.vat_cents))
    return {key: amounts for key, amounts in found.items() if amounts != (0, 0)}


def add(sums: Sums, key: Key, amounts: Amounts) -> None:
    """Add amounts under a key."""
    have = sums.get(key, (0, 0))
    sums[key] = (have[0] + amounts[0], have[1] + amounts[1])


def merged(many: list[Sums]) -> Sums:
    """Return the sum of sums, without what nets to nothing."""
    found: Sums = {}
    for sums in many:
        for key, amounts in sums.items():
            add(found, key, amounts)
    return {key: amounts for key, amounts in found.items() if amounts != (0, 0)}


def total(sums: Sums) -> int:
    """Return the cents with VAT."""
    return sum(net + vat for net, vat in sums.values())


class Side(StrEnum):
    """A column."""

    SHOP = "shop"
    SLUIS = "sluis"
    PACKAGE = "package"


class Column(Frozen):
    """One side of a line. A document under two treatments counts under both."""

    documents: int = 0
    net_cents: int = 0
    vat_cents: int = 0


class Line(Frozen):
    """One VAT treatment, or (``key`` empty) all of them, in one currency."""

    key: Key
    currency: str
    shop: Column
    sluis: Column
    package: Column

    @property
    def agrees(self) -> bool:
        """Whether the three columns hold the same cents."""
        return len({(c.net_cents, c.vat_cents) for c in (self.shop, self.sluis, self.package)}) == 1


class Difference(Frozen):
    """A document that two neighbouring columns hold differently. Cents with VAT inside the period; ``None``: absent."""

    cause: str
    between: tuple[Side, Side]  #: shop and sluis, or sluis and package
    kind: DocumentKind
    order_number: str | None  #: ``None`` where it is not kept (any more)
    reference: str | None
    currency: str
    documents: int = 1  #: how many it stands for (a day's entry: its members)
    first_cents: int | None  #: what the first of ``between`` holds
    second_cents: int | None
    first_date: date | None = None
    second_date: date | None = None
    detail: str | None = None  #: a code: a reason of quarantine, a field

    @property
    def explained(self) -> bool:
        """Whether nobody needs to act."""
        return CAUSES[self.cause].explained

    @property
    def cents(self) -> int:
        """By how much the first exceeds the second."""
        return (self.first_cents or 0) - (self.second_cents or 0)


class CauseTotal(Frozen):
    """Differences of one cause and currency. ``cents``: by how much the first column exceeds the second."""

    cause: str
    explained: bool
    between: tuple[Side, Side]
    currency: str
    documents: int
    cents: int


class LeftOut(Frozen):
    """Documents that belong to no column, under a code: skipped by the core, or of others in the package."""

    code: str
    currency: str
    documents: int
    cents: int


class Reconciliation(Frozen):
    """A period compared. ``differences`` are for the person who asked; ``stored`` leaves them out."""

    merchant: str
    integration: str
    period: str
    start: date
    end: date
    made_at: Moment
    settings_version: int
    complete: bool  #: the period is over and the shop was read past its end
    settled: bool  #: no open difference
    totals: tuple[Line, ...]  #: per currency
    treatments: tuple[Line, ...]
    causes: tuple[CauseTotal, ...]
    skipped: tuple[LeftOut, ...]  #: in the shop, and not to be booked (yet): the core's reasons
    quarantined: tuple[LeftOut, ...]  #: open quarantine of the period, per reason
    others: tuple[LeftOut, ...]  #: in the package, made by others
    not_split: int  #: documents whose figures per rate are not kept any more
    vat_return: VatReturn
    icp: tuple[IcpTotal, ...]
    differences: tuple[Difference, ...]

    def stored(self) -> dict[str, object]:
        """Return what the store keeps: counts, cents and causes; no document, no number."""
        kept = self.model_dump(mode="json", exclude={"differences", "merchant", "integration", "period"})
        return dict(kept)


class Sheet:
    """Gathers columns and differences while documents pass by; keeps sums and lines, no document."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Key], dict[Side, list[int]]] = {}
        self._totals: dict[str, dict[Side, list[int]]] = {}
        self.differences: list[Difference] = []

    def add(self, side: Side, currency: str, sums: Sums, *, documents: int = 1) -> None:
        """Count a document on one side."""
        whole = self._totals.setdefault(currency, _row())[side]
        whole[0] += documents
        for key, (net, vat) in sums.items():
            cell = self._cells.setdefault((currency, key), _row())[side]
            for counted in (cell, whole):
                counted[1] += net
                counted[2] += vat
            cell[0] += documents

    def differ(self, difference: Difference) -> None:
        """Tell a difference."""
        self.differences.append(difference)

    def treatments(self) -> tuple[Line, ...]:
        """Return the lines per treatment: treatments first, by country, the highest rate first."""
        keys = sorted(self._cells, key=lambda k: (k[0], k[1].name, k[1].country, k[1].category, -(k[1].rate or 0)))
        return tuple(_line(key, currency, self._cells[currency, key]) for currency, key in keys)

    def totals(self) -> tuple[Line, ...]:
        """Return the totals per currency."""
        return tuple(_line(Key(), currency, self._totals[currency]) for currency in sorted(self._totals))

    def causes(self) -> tuple[CauseTotal, ...]:
        """Return the differences per cause, open ones first."""
        sums: dict[tuple[bool, str, tuple[Side, Side], str], list[int]] = {}
        for d in self.differences:
            counted = sums.setdefault((d.explained, d.cause, d.between, d.currency), [0, 0])
            counted[0] += d.documents
            counted[1] += d.cents
        return tuple(
            CauseTotal(cause=k[1], explained=k[0], between=k[2], currency=k[3], documents=sums[k][0], cents=sums[k][1])
            for k in sorted(sums)
        )

    def prove(self) -> None:
        """Raise ``ProofFailed`` unless the causes account for every cent by which the columns differ."""
        told: dict[tuple[str, tuple[Side, Side]], int] = {}
        for d in self.differences:
            told[d.currency, d.between] = told.get((d.currency, d.between), 0) + d.cents
        for currency, row in self._totals.items():
            for between in (SHOP_SLUIS, SLUIS_PACKAGE):
                first, second = (row[side][1] + row[side][2] for side in between)
                if first - second != told.pop((currency, between), 0):
                    raise ProofFailed(
                        f"reconciliation: {between[0].value} and {between[1].value} differ by {first - second} cents of"
                        f" {currency or 'unknown currency'} that no cause accounts for",
                        code="not_reconciled",
                    )


SHOP_SLUIS = (Side.SHOP, Side.SLUIS)
SLUIS_PACKAGE = (Side.SLUIS, Side.PACKAGE)


def _row() -> dict[Side, list[int]]:
    return {side: [0, 0, 0] for side in Side}


def _line(key: Key, currency: str, row: dict[Side, list[int]]) -> Line:
    columns = {
        side.value: Column(documents=counted[0], net_cents=counted[1], vat_cents=counted[2])
        for side, counted in row.items()
    }
    return Line(key=key, currency=currency, **columns)
