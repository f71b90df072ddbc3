"""A release as files for others: one tidy table as CSV and as JSON, and the metadata that say what stands in it.

One observation per period, cell and measure. The status flags are those of the SDMX code lists CL_OBS_STATUS and
CL_CONF_STATUS. A cell that is not published has no value and the same flags whatever the reason: whether it is unsafe
by itself or protects another, or nobody stands in it, is never told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sluis.statistics.contract import DIMENSIONS, Family, Figure, Release
from sluis.statistics.dictionary import csvw, text
from sluis.statistics.release import document, sha256
from sluis.statistics.sdmx import structure

#: What stands for all values of a dimension that a table does not have (SDMX).
TOTAL = "_T"
#: The measures of each family: the amount without VAT, and the VAT on it.
MEASURES: Mapping[Family, tuple[str, str]] = {
    Family.SALES: ("revenue", "revenue_vat"),
    Family.REFUNDS: ("refunds", "refunds_vat"),
}
NORMAL, PROVISIONAL, SUPPRESSED = "A", "P", "Q"  #: CL_OBS_STATUS: normal, provisional, missing value; suppressed
FREE, CONFIDENTIAL = "F", "C"  #: CL_CONF_STATUS


class Observation(NamedTuple):
    """One row of the table; its names are the columns."""

    release: int
    period: str  #: ``2026-Q3``, or a year: ``2026``
    table: str
    country: str
    vat_rate: str
    platform: str
    package: str
    measure: str
    unit: str
    value: int | None  #: whole euros, rounded; ``None``: not published
    obs_status: str
    conf_status: str
    decimals: int
    unit_mult: int  #: the power of ten that values are in: 0, euros
    enterprises: str | None  #: a band; ``None``: not published, or a year


def observations(release: Release) -> Iterator[Observation]:
    """Yield every observation in the order of the release.

    A year is provisional only when its fourth quarter is: what came too late for a quarter counts in the next one.
    """
    year = release.quarter.partition("-")[0]
    for period, tables in ((release.quarter, release.tables), (year, release.year)):
        for table in tables:
            for figure in table.figures:
                for measure, value in zip(MEASURES[table.family], (figure.amount, figure.vat), strict=True):
                    yield _observation(release, (period, table.table.value), figure, measure, value)


def _observation(
    release: Release, place: tuple[str, str], figure: Figure, measure: str, value: int | None
) -> Observation:
    country, vat_rate, platform, package = (figure.key.get(name, TOTAL) for name in DIMENSIONS)
    status = PROVISIONAL if release.provisional else NORMAL
    return Observation(
        release=release.number,
        period=place[0],
        table=place[1],
        country=country,
        vat_rate=vat_rate,
        platform=platform,
        package=package,
        measure=measure,
        unit="EUR",
        value=value if figure.published else None,
        obs_status=status if figure.published else SUPPRESSED,
        conf_status=FREE if figure.published else CONFIDENTIAL,
        decimals=0,
        unit_mult=0,
        enterprises=figure.enterprises if figure.published else None,
    )


def to_csv(release: Release) -> str:
    """Return the table as CSV (RFC 4180, a header, empty where there is no value)."""
    written = io.StringIO(newline="")
    rows = csv.writer(written)
    rows.writerow(Observation._fields)
    rows.writerows(observations(release))
    return written.getvalue()


def to_json(release: Release) -> str:
    """Return the table as JSON with what the release says of itself; ``null`` where there is no value.

    ``sha256`` is that of the release's canonical document, not of this text.
    """
    about = release.model_dump(mode="json", exclude={"tables", "year"})
    return text(
        {**about, "sha256": sha256(release), "observations": [seen._asdict() for seen in observations(release)]}
    )


def files(release: Release) -> dict[str, str]:
    """Return file name -> content of everything there is of a release but the page; text files in UTF-8.

    The ``.release.json`` is the canonical document: its SHA-256 is the one in the next release.
    """
    name = f"sluis-statistics-{release.number:04}"
    return {
        f"{name}.csv": to_csv(release),
        f"{name}.csv-metadata.json": text(csvw(release, f"{name}.csv")),
        f"{name}.json": to_json(release),
        f"{name}.sdmx.json": text(structure(release)),
        f"{name}.release.json": document(release),
    }
