"""The public page of the statistics: the last release with charts and tables, and how it went quarter by quarter.

One self-contained HTML file, the sibling of the register's page: nothing is loaded and nothing runs, one style sheet
allowed by its hash, both languages in one file. All it shows comes from published releases; a cell that is not
published is named as such and has no length in a chart.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from sluis.statistics import page_charts as charts
from sluis.statistics.contract import Cell, Family, Figure, Release, ReleaseTable, StoredRelease, Table
from sluis.statistics.dictionary import TABLES, Words
from sluis.statistics.page_words import DIMENSIONS, FAMILIES, REASONS, STEPS, TEXTS
from sluis.statistics.release import by_cell
from sluis.statistics.sdmx import COUNTRIES

Language = Literal["nl", "en"]
Languages = Literal["nl", "en", "both"]
#: So many quarters fit in a chart that can be read on a phone; older ones stand in their own releases.
QUARTERS = 8
_HERE = Path(__file__).parent


class _Shown(NamedTuple):
    """A table of the release, what is published first."""

    table: Table
    family: Family
    shown: Sequence[Figure]  #: published, the largest first
    hidden: Sequence[Figure]
    bands: bool  #: whether it tells how many enterprises: a year does not
    period: str  #: ``2026-Q3``, or ``2026``

    @classmethod
    def of(cls, table: ReleaseTable, period: str, *, bands: bool = True) -> _Shown:
        """Sort the cells of a table."""
        published = sorted((f for f in table.figures if f.published), key=lambda f: -(f.amount or 0))
        return cls(table.table, table.family, published, [f for f in table.figures if not f.published], bands, period)

    @property
    def words(self) -> Words:
        return TABLES[self.table]

    @property
    def family_words(self) -> Words:
        return FAMILIES[self.family]

    @property
    def dimensions(self) -> Sequence[Words]:
        return [DIMENSIONS[name] for name in self.table.dimensions]

    @property
    def id(self) -> str:
        return f"{self.family.value}-{self.table.value}"


class _Page:
    """What the page says in one language."""

    def __init__(self, language: Language, known: Sequence[StoredRelease]) -> None:
        self.language = language
        self._known = known[-QUARTERS:]
        self._release: Release | None = known[-1].release if known else None

    def __getitem__(self, name: str) -> str:
        return self.of(TEXTS[name])

    def of(self, words: Words) -> str:
        return words.nl if self.language == "nl" else words.en

    def form(self, name: str, **values: object) -> str:
        return self[name].format(**values)

    def family(self, family: Family) -> str:
        return self.of(FAMILIES[family])

    def step(self, family: Family) -> str:
        """Return that the plan was shrunk; empty where it was not."""
        return self.of(STEPS[self._release.step[family]]) if self._release else ""

    def euros(self, amount: int) -> str:
        return f"{amount:,}".replace(",", "." if self.language == "nl" else ",")

    def short(self, amount: int) -> str:
        """Return an amount as it fits beside a bar: thousands (``k``) or millions."""
        millions = amount >= 1_000_000
        number = f"{amount / 1_000_000:,.{0 if amount >= 10_000_000 else 1}f}" if millions else f"{amount / 1000:,.0f}"
        if self.language == "nl":
            number = number.translate(str.maketrans(",.", ".,"))
        return number + ((" mln" if self.language == "nl" else "m") if millions else ("k" if amount else ""))

    def quarter(self, quarter: str) -> str:
        """Return what a quarter is called; a year is called what it is."""
        return quarter if "-" not in quarter else f"{quarter[:4]} {'K' if self.language == 'nl' else 'Q'}{quarter[-1]}"

    def day(self, moment: datetime) -> str:
        """Return the day in UTC."""
        return moment.date().isoformat()

    def value(self, name: str, key: str) -> str:
        """Return what a value of a dimension is called."""
        if name == "country" and key in COUNTRIES:
            return self.of(COUNTRIES[key])
        if name == "vat_rate":
            return f"{key.replace('.', ',') if self.language == 'nl' else key} %"
        return key

    def key(self, figure: Figure) -> Sequence[str]:
        """Return what a figure is of, one word per dimension in the table's order."""
        names = [name for name in DIMENSIONS if name in figure.key]
        return [self.value(name, figure.key[name]) for name in names]

    def names(self, table: _Shown) -> str:
        """Return what is not published, in one line."""
        return ", ".join(" ".join(self.key(figure)) or self["total"] for figure in table.hidden) + "."

    def described(self, table: _Shown) -> str:
        counts = {"published": len(table.shown), "hidden": len(table.hidden)}
        return self.form("chart_desc", **counts).rstrip(".")

    def refused(self) -> str:
        refused = self._release.refused if self._release else {}
        words = {reason: self.of(REASONS[reason]) if reason in REASONS else reason for reason in refused}
        reasons = ", ".join(f"{words[reason]}: {count}" for reason, count in refused.items())
        return self.form("refused", count=sum(refused.values()), reasons=reasons)

    def totals(self) -> Sequence[_Shown]:
        return [table for family in Family for table in self._of(family) if table.table is Table.TOTAL]

    def tables(self, family: Family) -> Sequence[_Shown]:
        """Return the tables below the total, which stands at the head."""
        return [table for table in self._of(family) if table.table is not Table.TOTAL]

    def years(self) -> Sequence[_Shown]:
        if self._release is None:
            return []
        return [_Shown.of(table, self._release.quarter[:4], bands=False) for table in self._release.year]

    def history(self, family: Family) -> Sequence[tuple[str, Figure | None]]:
        """Return the total of every quarter that has a release, the oldest first; ``None``: not published."""
        found = []
        for stored in self._known:
            total = by_cell(stored.release.tables).get((family, Cell(Table.TOTAL, ())))
            found.append((stored.release.quarter, total if total is not None and total.published else None))
        return found

    def over_time(self, family: Family) -> Markup:
        """Draw the totals of the quarters."""
        found = [self._bar(self.quarter(quarter), figure) for quarter, figure in self.history(family)]
        bars = [bar._replace(told=bar.told.replace(" + ", "\n+ ")) for bar in found]  # columns are narrow
        published = sum(bar.amount is not None for bar in bars)
        desc = self.form("chart_desc", published=published, hidden=len(bars) - published)
        title = f"{self.family(family)}: {self['over_time']}"
        return charts.columns(f"{self.language}-{family.value}-time", bars, self._measures(), title, desc)

    def chart(self, table: _Shown) -> Markup:
        """Draw a table of which anything is published."""
        name, title = f"{self.language}-{table.id}", f"{self.of(table.family_words)}: {self.of(table.words)}"
        desc = self.form("chart_desc", published=len(table.shown), hidden=len(table.hidden))
        if len(table.dimensions) == 1:
            bars = [self._bar(" ".join(self.key(figure)), figure) for figure in table.shown]
            return charts.rows(name, bars, self._measures(), title, desc)
        return charts.tiles(name, self._tiles(table), title, desc)

    def _of(self, family: Family) -> list[_Shown]:
        if self._release is None:
            return []
        quarter = self._release.quarter
        return [_Shown.of(table, quarter) for table in self._release.tables if table.family is family]

    def _measures(self) -> tuple[str, str]:
        return self["amount"], self["vat"]

    def _bar(self, name: str, figure: Figure | None) -> charts.Bar:
        if figure is None or figure.amount is None or figure.vat is None:
            return charts.Bar(name, None, None, self["hidden"])
        return charts.Bar(name, figure.amount, figure.vat, f"{self.short(figure.amount)} + {self.short(figure.vat)}")

    def _tiles(self, table: _Shown) -> list[charts.Tile]:
        """Return the cells of every row and column of which something is published; the others only hide."""
        rows, columns = ({self.key(figure)[place]: None for figure in table.shown} for place in (0, 1))
        largest = max(figure.amount or 0 for figure in table.shown) or 1
        by_name = {tuple(self.key(figure)): figure for figure in (*table.shown, *table.hidden)}
        return [
            self._tile(row, column, by_name[row, column], largest)
            for row in rows
            for column in columns
            if (row, column) in by_name
        ]

    def _tile(self, row: str, column: str, figure: Figure, largest: int) -> charts.Tile:
        if figure.amount is None:
            return charts.Tile(row, column, None, self["hidden"])
        return charts.Tile(row, column, figure.amount / largest, self.short(figure.amount))


def render(known: Sequence[StoredRelease], *, made_at: datetime, languages: Languages = "both") -> str:
    """Return the page of all releases so far, the last one in front. ``made_at``: aware, UTC."""
    chosen: tuple[Language, ...] = ("nl", "en") if languages == "both" else (languages,)
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        sections=[_Page(language, known) for language in chosen],
        languages=chosen,
        switch=len(chosen) > 1,
        families=list(Family),
        release=known[-1].release if known else None,
        sha256=known[-1].sha256 if known else None,
        made_at=made_at,
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.jinja")
