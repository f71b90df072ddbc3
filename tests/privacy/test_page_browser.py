"""The public page in a browser: phone width, the switch of languages, contrast in light and dark, and paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.privacy.test_page import real

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed on this machine")

#: WCAG contrast of every text against the nearest background that is painted; returns those below 4.5.
_CONTRAST = """() => {
  const rgb = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const lum = c => { const [r, g, b] = rgb(c).map(v => { v /= 255;
    return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126*r + .7152*g + .0722*b; };
  const painted = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (rgb(c).length === 3 || rgb(c)[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
  const seen = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const low = seen.filter(e => { const a = lum(getComputedStyle(e).color), b = lum(painted(e));
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5; });
  return [seen.length, low.map(e => e.outerHTML.slice(0, 80))];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "register.html"
    file.write_text(real(holds=2), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_nothing_is_wider_than_the_screen(browser: Any, address: str, width: int, language: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{address}#{language}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_switch_shows_one_language_at_a_time(browser: Any, address: str) -> None:
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: told.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(address)
    shown = lambda: [page.is_visible(f"#{language}") for language in ("nl", "en")]  # noqa: E731
    assert shown() == [True, False]
    page.click("#nl .switch a")
    assert shown() == [False, True]
    page.click("#en .contents a[href='#en-backups']")
    assert shown() == [False, True]
    page.click("#en .switch a")
    assert shown() == [True, False]
    assert told == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(browser: Any, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    seen, low = page.evaluate(_CONTRAST)
    assert seen > 200
    assert low == []
    page.close()


def test_on_a_phone_the_tables_stay_tables_to_a_screen_reader(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(address)
    assert page.get_by_role("table").count() >= 7
    assert page.get_by_role("rowheader").count() > 40
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    page.close()


def test_on_paper_it_has_pages_and_no_row_is_cut(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    pdf = page.pdf(prefer_css_page_size=True)
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", pdf)
    assert 4 <= len(pages) <= 30
    boxes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842)}
    page.emulate_media(media="print")
    styles = page.evaluate(
        "['thead', 'tbody tr'].map(s => { const c = getComputedStyle(document.querySelector('#nl ' + s));"
        " return [c.display, c.breakInside]; })"
    )
    assert [display for display, _ in styles] == ["table-header-group", "table-row"]
    assert styles[1][1] == "avoid"
    assert not page.is_visible("#nl .switch")
    page.close()
