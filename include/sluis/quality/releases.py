"""Judges a release of the statistics before it is published: Great Expectations over its cells, and nothing is kept.

A release is judged whole: one cell that does not hold keeps all of it back (``ProofFailed``). Nothing here decides what
is safe to tell, the audit does; this says that what is told is a release at all: every cell of the fixed domain once,
suppressed cells bare, figures rounded, and amounts that can be true by the law and by one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from functools import cache
from threading import Lock
from typing import Any

from sluis.errors import ProofFailed
from sluis.quality.judge import Checked, _evaluated
from sluis.quality.library import preload, silent_context
from sluis.quality.suites import _at_most, _between, _given, _named
from sluis.statistics.contract import Cell, Family, Figure, Release, Rules, Table
from sluis.statistics.domain import Domain, law, quarters_of_year
from sluis.statistics.lines import CHILDREN
from sluis.statistics.release import BANDS, by_cell, cell_of

#: VAT strays a cent per line at most (``statistics.door``): as a share of the amount, for lines of a euro on average.
LINES_SHARE = Decimal("0.01")
#: What every figure is a multiple of, whatever the rules of its quarter were, in euros.
_LEAST_ROUNDING = 1000
_TURN = Lock()

_Figures = Mapping[tuple[Family, Cell], Figure]


def release_expectations() -> list[Any]:
    """Return what holds for every cell. Parameters: ``cells``, how many there are to be, and the number of the last."""
    x = preload().expectations
    return [
        x.ExpectTableRowCountToEqual(value=_given("cells"), meta=_named("every_cell_is_there")),
        x.ExpectColumnValuesToNotBeNull(column="cell", meta=_named("cell_of_the_domain")),
        _between(x, "cell", "cell_in_the_domain", min_value=0, max_value=_given("last")),
        x.ExpectColumnValuesToBeUnique(column="cell", meta=_named("cell_once")),
        x.ExpectColumnPairValuesToBeEqual(column_A="held", column_B="due", meta=_named("suppressed_is_bare")),
        _between(x, "beyond_plan", "inside_the_step", max_value=0),
        _between(x, "amount", "amount_not_negative", min_value=0),
        _between(x, "vat", "vat_not_negative", min_value=0),
        _between(x, "unrounded", "rounded", max_value=0),
        x.ExpectColumnValuesToBeInSet(column="band", value_set=[name for *_, name in BANDS], meta=_named("band_known")),
        _at_most(x, "vat_above", "slack", "vat_within_law"),
        _at_most(x, "vat_gap", "slack", "vat_fits_rate"),
        _between(x, "part_above", "parts_not_above_total", max_value=0),
        _between(x, "parts_above", "parts_add_up", max_value=0),
    ]


def judge_release(release: Release, domain: Domain) -> tuple[Checked, ...]:
    """Return every expectation with how many cells it looked at and refused; no figure.

    ``domain``: the fixed domain of the release's quarter. Raises ``ProofFailed`` with the names of the expectations
    that were not met: such a release may not be published. Raises ``Defect`` when one cannot be evaluated.
    """
    due = _due(release, domain)
    rows = list(_rows(release, due))
    results = _judge(rows, {"cells": len(due), "last": len(due) - 1})
    failed = [f"{result.expectation} ({result.failing})" for result in results if not result.passed]
    if failed:
        raise ProofFailed(
            f"release {release.number} may not be published, expectations not met (cells): {', '.join(failed)}",
            code="release_refused",
        )
    return results


def _due(release: Release, domain: Domain) -> dict[tuple[bool, Family, Cell], int]:
    """Return the cells that a release of the quarter has (the year's are ``True``), numbered."""
    periods = (False, True) if release.quarter == quarters_of_year(release.quarter)[-1] else (False,)
    every = ((year, family, Cell(table, key)) for year in periods for family in Family for table in Table
             for key in domain[table])  # fmt: skip
    return {cell: number for number, cell in enumerate(every)}


def _rows(release: Release, due: Mapping[tuple[bool, Family, Cell], int]) -> Iterator[dict[str, Any]]:
    highest = law(release.quarter)
    for year, tables in ((False, release.tables), (True, release.year)):
        known = by_cell(tables)
        inside = _inside(known)
        for table in tables:
            allowed = not release.too_few and table.table in release.step[table.family].tables
            for figure in table.figures:
                cell = cell_of(table.table, figure)
                named = figure.key.keys() == set(table.table.dimensions)
                number = due.get((year, table.family, cell)) if named else None
                yield {
                    "cell": number,
                    "held": sum(part is not None for part in (figure.amount, figure.vat, figure.enterprises)),
                    "due": 3 - year if figure.published else 0,  # a year's cell has no band
                    "beyond_plan": int(figure.published and not allowed),
                    "amount": figure.amount,
                    "vat": figure.vat,
                    "unrounded": _unrounded(figure, _LEAST_ROUNDING if year else release.rules.rounding_euros),
                    "band": figure.enterprises,
                    **_taxed(figure, {} if year or number is None else highest, release.rules),
                    **_parts(figure, inside.get((table.family, cell), {}), None if year else release.rules),
                }


def _unrounded(figure: Figure, step: int) -> int:
    return ((figure.amount or 0) % step) + ((figure.vat or 0) % step)


def _taxed(figure: Figure, rates: Mapping[str, tuple[Decimal, ...]], rules: Rules) -> dict[str, int]:
    """Return how far VAT lies above the law's highest rate and from the cell's only one, and what rounding explains.

    Whole euros. Without ``rates`` nothing is asked: a year's cell is made of quarters that were each judged by
    their own rounding, and a cell outside the domain is refused as it is.
    """
    if not rates or figure.amount is None or figure.vat is None:
        return {"vat_above": 0, "vat_gap": 0, "slack": 0}
    country = figure.key.get("country")
    known = rates.get(country, ()) if country else tuple(rate for each in rates.values() for rate in each)
    only = figure.key.get("vat_rate")
    rate = Decimal(only) if only else max(known, default=Decimal(0))
    difference = figure.vat - figure.amount * rate / 100
    slack = rules.rounding_euros * (1 + rate / 100) / 2 + figure.amount * LINES_SHARE
    return {
        "vat_above": _up(max(difference, Decimal(0))),
        "vat_gap": _up(abs(difference)) if only else 0,
        "slack": _up(slack),
    }


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def _inside(known: _Figures) -> dict[tuple[Family, Cell], dict[Table, list[Figure]]]:
    """Return the published cells one dimension finer of every cell, by table."""
    found: dict[tuple[Family, Cell], dict[Table, list[Figure]]] = {}
    for (family, cell), figure in known.items():
        if not figure.published:
            continue
        named = dict(zip(cell.table.dimensions, cell.key, strict=True))
        for coarser, finer in CHILDREN.items():
            if cell.table in finer:
                parent = Cell(coarser, tuple(named[name] for name in coarser.dimensions))
                found.setdefault((family, parent), {}).setdefault(cell.table, []).append(figure)
    return found


def _parts(figure: Figure, inside: Mapping[Table, list[Figure]], rules: Rules | None) -> dict[str, int]:
    """Return by how many euros a part, and the parts of one table together, are above the cell that they are in.

    Rounding keeps order, so one part is never above; together they may be by half of the rounding for each and for the
    cell. ``rules`` ``None``: a year's cell, of quarters that may be rounded differently: only the first is asked.
    """
    part = together = 0
    for figures in inside.values() if figure.published else ():
        for whole, parts in (
            (figure.amount or 0, [f.amount or 0 for f in figures]),
            (figure.vat or 0, [f.vat or 0 for f in figures]),
        ):
            part = max(part, max(parts) - whole)
            if rules is not None:
                together = max(together, sum(parts) - whole - (len(parts) + 1) * rules.rounding_euros // 2)
    return {"part_above": part, "parts_above": together}


def _judge(rows: list[dict[str, Any]], parameters: dict[str, int]) -> tuple[Checked, ...]:
    with _TURN:
        bench = _bench()
        return bench.judge(rows, parameters)


class _Bench:
    """The suite in an ephemeral context of its own. A batch is asked directly, so no store ever holds a result."""

    def __init__(self) -> None:
        preload()
        asset = silent_context().data_sources.add_pandas("memory").add_dataframe_asset("release")
        self._batches = asset.add_batch_definition_whole_dataframe("release")
        self._expectations = release_expectations()

    def judge(self, rows: list[dict[str, Any]], parameters: dict[str, int]) -> tuple[Checked, ...]:
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        return tuple(self._one(batch, expectation, len(rows), parameters) for expectation in self._expectations)

    @staticmethod
    def _one(batch: Any, expectation: Any, cells: int, parameters: dict[str, int]) -> Checked:
        outcome = _evaluated(batch.validate(expectation, result_format=_COUNTS_ONLY, expectation_parameters=parameters))
        passed = bool(outcome.success)
        failing = 0 if passed else int(outcome.result.get("unexpected_count") or 1)
        return Checked(str(expectation.meta["name"]), passed, cells, failing)


_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
_WHOLE = ("cell", "held", "due", "beyond_plan", "amount", "vat", "unrounded", "vat_above", "vat_gap", "slack",
          "part_above", "parts_above")  # fmt: skip
#: Whole numbers that may be missing, and the one column of text.
_TYPES: dict[str, Any] = {**dict.fromkeys(_WHOLE, "Int64"), "band": "object"}


@cache
def _bench() -> _Bench:
    return _Bench()
