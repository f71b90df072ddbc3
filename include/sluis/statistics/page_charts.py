"""The charts of the page: Vega-Lite (altair), drawn to SVG without a browser and without a script in the page.

Each is drawn at the width of a phone and scales with its column. Colours are the page's own custom properties, so that
a chart follows light and dark; a cell that is not published is hatched and says so, and has no length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import vl_convert
from markupsafe import Markup, escape

#: What is drawn with -> what it becomes in the page. Vega knows no custom properties.
_INK, _SOFT, _LINE, _AMOUNT, _VAT, _HATCH = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_BECOMES = {
    _INK: "var(--ink)", _SOFT: "var(--soft)", _LINE: "var(--line)", _AMOUNT: "var(--amount)", _VAT: "var(--vat)",
    _HATCH: "url(#hatch)",
}  # fmt: skip
_WIDTH = 330
_FONT = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


class Bar(NamedTuple):
    """One bar: euros without VAT and the VAT on them; ``None``: not published."""

    name: str
    amount: int | None
    vat: int | None
    told: str  #: the figures as they stand beside the bar, or that there are none


class Tile(NamedTuple):
    """One cell of a map of two dimensions."""

    row: str
    column: str
    shade: float | None  #: 0 to 1 by its size; ``None``: not published
    told: str


def columns(name: str, bars: Sequence[Bar], words: tuple[str, str], title: str, desc: str) -> Markup:
    """Draw upright bars, in the order given: quarters. ``words``: what amount and VAT are called."""
    order = [bar.name for bar in bars]
    x = alt.X("name:N", sort=order, title=None, axis=alt.Axis(labelAngle=0 if len(order) < 6 else -45))
    whole = max((_whole(bar) for bar in bars), default=0) or 1
    scale = alt.Scale(domain=[0, whole * 1.15])  # room for two lines above the highest
    height = alt.Y("euros:Q", title=None, axis=None, stack=True, scale=scale)
    stacked = _stacked(bars, words).encode(x=x, y=height)
    hidden = _rows([{"name": bar.name, "euros": whole, "told": bar.told} for bar in bars if bar.amount is None])
    ghosts = (
        alt.Chart(hidden)
        .mark_bar(size=16, color=_HATCH, stroke=_LINE)
        .encode(x=x, y=alt.Y("euros:Q", axis=None, scale=scale))
    )
    told = _rows([{"name": bar.name, "top": _whole(bar), "told": bar.told} for bar in bars if bar.amount is not None])
    top = alt.Y("top:Q", axis=None, scale=scale)
    labels = (
        alt.Chart(told)
        .mark_text(baseline="bottom", dy=-14, color=_INK, fontSize=9, lineBreak="\n")
        .encode(x=x, y=top, text="told:N")
    )
    hints = (
        alt.Chart(hidden)
        .mark_text(angle=270, color=_INK, fontSize=10, align="left", dx=6)
        .encode(x=x, y=alt.datum(0), text="told:N")
    )
    return _svg(name, alt.layer(ghosts, stacked, labels, hints), 230, title, desc)


def rows(name: str, bars: Sequence[Bar], words: tuple[str, str], title: str, desc: str) -> Markup:
    """Draw lying bars, in the order given: the values of one dimension."""
    order = [bar.name for bar in bars]
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=105))
    whole = max((_whole(bar) for bar in bars), default=0) or 1
    scale = alt.Scale(domain=[0, whole * 2.1])  # room for the figures beside the longest
    x = alt.X("euros:Q", title=None, axis=None, stack=True, scale=scale)
    told = _rows([{"name": bar.name, "end": _whole(bar), "told": bar.told} for bar in bars])
    labels = (
        alt.Chart(told)
        .mark_text(align="left", dx=5, color=_INK, fontSize=11)
        .encode(y=y, x=alt.X("end:Q", axis=None, scale=scale), text="told:N")
    )
    drawn = alt.layer(_stacked(bars, words).encode(y=y, x=x), labels)
    return _svg(name, drawn, 50 + 26 * len(bars), title, desc)


def tiles(name: str, cells: Sequence[Tile], title: str, desc: str) -> Markup:
    """Draw a map of two dimensions: the larger, the darker; what is not published is hatched."""
    axes = {
        "y": alt.Y("row:N", sort=list(dict.fromkeys(cell.row for cell in cells)), title=None,
                   axis=alt.Axis(labelLimit=105)),
        "x": alt.X("column:N", sort=list(dict.fromkeys(cell.column for cell in cells)), title=None,
                   axis=alt.Axis(orient="top", labelAngle=-40)),
    }  # fmt: skip
    shown = _rows([cell._asdict() for cell in cells if cell.shade is not None])
    hidden = _rows([cell._asdict() for cell in cells if cell.shade is None])
    opacity = alt.Opacity("shade:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.12, 0.5]))
    drawn = alt.layer(
        alt.Chart(hidden).mark_rect(fill=_HATCH, stroke=_LINE).encode(**axes),
        alt.Chart(shown).mark_rect(fill=_AMOUNT, stroke=_LINE).encode(**axes, opacity=opacity),
        alt.Chart(shown).mark_text(color=_INK, fontSize=9).encode(**axes, text="told:N"),
    )
    return _svg(name, drawn, 80 + 28 * len({cell.row for cell in cells}), title, desc)


def _whole(bar: Bar) -> int:
    return (bar.amount or 0) + (bar.vat or 0)


def _rows(values: Sequence[dict[str, Any]]) -> Any:
    return alt.InlineData(values=list(values))


def _stacked(bars: Sequence[Bar], words: tuple[str, str]) -> Any:
    values = [
        {"name": bar.name, "what": what, "place": place, "euros": euros}
        for bar in bars
        for place, (what, euros) in enumerate(zip(words, (bar.amount, bar.vat), strict=True))
        if euros is not None
    ]
    colour = alt.Color(
        "what:N", scale=alt.Scale(domain=list(words), range=[_AMOUNT, _VAT]),
        legend=alt.Legend(title=None, orient="top", symbolType="square"),
    )  # fmt: skip
    return alt.Chart(_rows(values)).mark_bar(size=16).encode(color=colour, order="place:Q")


def _svg(name: str, chart: Any, height: int, title: str, desc: str) -> Markup:
    """Return the chart as SVG in the page's colours, told to a screen reader by its title and description."""
    fitted = chart.properties(
        width=_WIDTH, height=height, padding={"left": 10, "right": 10, "top": 4, "bottom": 4},
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
    )  # fmt: skip
    plain = fitted.configure(
        aria=False, font=_FONT, background="transparent",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(domainColor=_LINE, tickColor=_LINE, labelColor=_SOFT, grid=False, labelFontSize=11),
        legend=alt.LegendConfig(labelColor=_SOFT, labelFontSize=11),
    )  # fmt: skip
    drawn = vl_convert.vegalite_to_svg(plain.to_dict())
    for colour, variable in _BECOMES.items():
        drawn = drawn.replace(f'"{colour}"', f'"{variable}"')
    drawn = re.sub(
        r' (role="graphics-[a-z]+"|aria-roledescription="[^"]*")', "", drawn
    )  # the title tells, not the marks
    drawn = re.sub(r"(id=\"|url\(#)(clip|gradient)", rf"\g<1>{name}-\g<2>", drawn)
    box = re.search(r'viewBox="[^"]*"', drawn)
    inside = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    return Markup(  # noqa: S704 - drawn by Vega, which escapes the texts in it; ours are escaped here
        f'<svg xmlns="http://www.w3.org/2000/svg" {box[0] if box else ""} role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(desc)}</desc>{inside}'
    )
