"""The public page: every published figure is on it and no other, in both languages, also of a shrunken plan."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from sluis.statistics.contract import Family, Step, StoredRelease
from sluis.statistics.page import render
from tests.statistics.released import SHOWN, TOTAL, ledger, release, sold, stored

NOW = datetime(2026, 11, 24, tzinfo=UTC)
VOID = {"meta", "link", "br", "img", "line", "path", "rect"}


class _Page(HTMLParser):
    """Reads a page: its tables' rows, what hangs open, the ids, and the charts with their titles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.tags: set[str] = set()
        self.outside: list[str] = []
        self.charts = 0
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        if tag not in VOID:
            self.open.append(tag)
        if found.get("role") == "img":
            self.charts += 1
        self.ids += [found["id"] or ""] if "id" in found else []
        self.named += (found.get("aria-labelledby") or "").split()
        self.outside += [value for name in ("src", "href") if (value := found.get(name)) and not value.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


def read(known: list[StoredRelease], languages: str = "both") -> tuple[str, _Page]:
    html = render(known, made_at=NOW, languages=languages)  # type: ignore[arg-type]
    return html, _Page(html)


def told(known: list[StoredRelease]) -> set[int]:
    """Return every amount that is published, of all releases."""
    tables = [table for one in known for table in (*one.release.tables, *one.release.year)]
    figures = [figure for table in tables for figure in table.figures if figure.published]
    return {amount for figure in figures for amount in (figure.amount, figure.vat) if amount is not None}


@pytest.fixture(scope="module")
def year() -> list[StoredRelease]:
    return ledger("2025-Q3", "2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


@pytest.mark.parametrize(("language", "mark"), [("nl", "."), ("en", ",")])
def test_its_tables_hold_what_is_published_and_no_other_amount(
    year: list[StoredRelease], language: str, mark: str
) -> None:
    _, page = read(year, language)
    amount = re.compile(rf"\d{{1,3}}(\{mark}\d{{3}})+|0")
    amounts = {int(cell.replace(mark, "")) for row in page.rows for cell in row if amount.fullmatch(cell)}
    last = [year[-1]]
    assert told(last) <= amounts <= told(year)
    assert len(told(last)) > 4


def test_it_stands_alone_and_is_well_formed(year: list[StoredRelease]) -> None:
    html, page = read(year)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.named) <= set(page.ids)
    assert page.outside == []
    assert not page.tags & {"script", "img", "iframe", "object", "form"}
    assert "style=" not in html
    assert "default-src &#39;none&#39;" in html
    assert render(year, made_at=NOW) == html


def test_every_chart_has_a_name_and_a_description(year: list[StoredRelease]) -> None:
    html, page = read(year, "en")
    assert page.charts == html.count("<desc ")
    assert page.charts >= 4  # two over time, and sales by country and by rate
    assert '<title id="en-sales-country-title">Sales: By country</title>' in html
    assert "#0404" not in html  # every colour became one of the page's own
    assert "var(--amount)" in html


def test_what_is_not_published_is_said_and_never_zero(year: list[StoredRelease]) -> None:
    html, page = read([*year[:-1], stored(release("2026-Q4", shown=(), step=Step.NOTHING, earlier=year[:-1]))], "en")
    (row,) = [row for row in page.rows if row[:1] == ["2026 Q4"] and len(row) == 2][:1]
    assert row == ["2026 Q4", "not published"]
    assert "This quarter nothing could be made safe." in html
    assert 'fill="url(#hatch)"' in html
    assert not any(cell == "0" for row in page.rows for cell in row[1:2])


@pytest.mark.parametrize(
    ("step", "shown", "sentence"),
    [(Step.TOTAL, [TOTAL], "only the total"), (Step.ONE_WAY, SHOWN[:2], "only tables of one dimension")],
)
def test_a_shrunken_plan_is_told(step: Step, shown: list[object], sentence: str) -> None:
    html, _ = read([stored(release(shown=shown, step=step))], "en")  # type: ignore[arg-type]
    assert sentence in html


def test_too_few_and_nothing_say_so() -> None:
    few = [stored(release(sales=sold()[:3], shown=(), step=Step.NOTHING))]
    assert few[0].release.too_few
    html, page = read(few)
    assert "Too few: fewer than 10 enterprises" in html
    assert "Te weinig: er deden minder dan 10" in html
    assert page.open == []
    html, page = read([])
    assert "Er is nog niets gepubliceerd." in html
    assert page.charts == 0


def test_it_names_the_release_its_chain_what_is_provisional_and_what_was_refused() -> None:
    first = stored(release("2026-Q2", provisional=True))
    second = stored(release("2026-Q3", provisional=True, earlier=[first]))
    html, _ = read([first, second], "nl")
    for words in (second.sha256, first.sha256, "2026 K3", "Voorlopig", "een onbekend land: 2", "Uitgave 2"):
        assert words in html


def test_a_name_from_a_connector_is_escaped() -> None:
    made = release()
    tables = [
        table.model_copy(update={"figures": tuple(
            figure.model_copy(update={"key": {**figure.key, "country": "<script>x</script>"}})
            if "country" in figure.key and figure.published else figure for figure in table.figures)})
        for table in made.tables if table.family is Family.SALES
    ]  # fmt: skip
    html, page = read([stored(made.model_copy(update={"tables": tuple(tables)}))])
    assert "script" not in page.tags
    assert "&lt;script&gt;" in html
