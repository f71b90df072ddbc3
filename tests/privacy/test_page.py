"""The public page: everything of the register is on it, in words, escaped, and it loads and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date
from pathlib import Path

import pytest
from lxml import html as parser

from sluis.privacy.page import Languages, Standing, render
from sluis.privacy.period_words import Language, kept_words, period_words
from sluis.privacy.register import Category, read_register, register_path
from sluis.privacy.register_diff import difference, places_of
from sluis.privacy.register_versions import since_before
from tests.privacy.registers import category, register, write

DAY = date(2026, 11, 24)
HOSTILE = "<script>alert('x')</script> \" onmouseover=\"x {{ 7*7 }} </style>"


def real(languages: Languages = "both", **standing: object) -> str:
    path = register_path()
    values = Standing.model_validate({"on": DAY, **standing})
    return render(read_register(path), since_before(path), values, languages)


@pytest.mark.parametrize(
    ("period", "nl", "en"),
    [
        ("P24M", "24 maanden", "24 months"), ("P1M", "1 maand", "1 month"), ("P7Y", "7 jaar", "7 years"),
        ("P1D", "1 dag", "1 day"), ("PT24H", "24 uur", "24 hours"), ("P0D", "0 dagen", "0 days"),
        ("P1Y6M", "1 jaar en 6 maanden", "1 year and 6 months"),
    ],
)  # fmt: skip
def test_a_period_in_words(period: str, nl: str, en: str) -> None:
    assert (period_words(period, "nl"), period_words(period, "en")) == (nl, en)


@pytest.mark.parametrize(
    ("name", "language", "says"),
    [
        ("booking_amounts", "nl", "45 dagen na het einde van het btw-kwartaal van de factuurdatum"),
        ("booking_amounts", "en", "45 days after the end of the VAT quarter of the invoice's date"),
        ("statistics_input", "nl", "120 dagen na het einde van het kwartaal"),
        ("own_invoicing", "en", "7 years after the end of the year of the month"),
        ("credentials", "nl", "hoogstens zolang het contract met de webwinkel loopt"),
        ("schema_version", "en", "stays: it is about nobody"),
        ("airflow_accounts", "en", "until the administrator deletes it"),
    ],
)
def test_how_long_in_words(name: str, language: Language, says: str) -> None:
    assert kept_words(read_register(register_path()).register_.category(name), language) == says


def test_a_period_of_nothing_is_the_day_itself() -> None:
    kept = Category.model_validate(category())
    assert kept_words(kept, "nl", "P0D") == "tot en met de dag van de laatste boeking"


def test_everything_in_the_register_is_on_the_page() -> None:
    page = parser.fromstring(real())
    for language in ("nl", "en"):
        (section,) = page.xpath(f"//*[@id='{language}'][@lang='{language}']")
        text = " ".join(section.text_content().split())
        for kept in read_register(register_path()).register_.categories:
            assert " ".join(getattr(kept.what, language).split()) in text
            assert kept_words(kept, language).casefold() in text.casefold()  # type: ignore[arg-type]
            codes = {code.text for code in section.xpath(".//code")}
            assert {re.split(r": |\.(?=\w+$)", place)[-1] for place in places_of(kept) if "files" not in place} <= (
                codes | {strong.text for strong in section.xpath(".//strong")}
            )


def test_what_is_not_kept_comes_before_what_is_and_the_purposes_keep_their_order() -> None:
    page = parser.fromstring(real("nl"))
    heads = [head.get("id").removeprefix("nl-") for head in page.xpath("//main//h2")]
    assert heads == [
        "not-kept", "same_debtor", "support", "own_invoicing", "anonymous_statistics", "security", "pass_through",
        "backups", "holds", "roles", "changes", "fields",
    ]  # fmt: skip


def test_version_hash_date_and_backups_are_told() -> None:
    published = read_register(register_path())
    text = " ".join(parser.fromstring(real("nl")).text_content().split())
    assert f"Versie {published.register_.version} van " in text
    assert f"sha256:{published.sha256}" in text
    assert "plus 35 dagen" in text


@pytest.mark.parametrize(
    ("holds", "says"), [(None, "niet bekend"), (0, "gold er 0 keer"), (1, "gold er 1 opdracht"), (7, "golden er 7")]
)
def test_the_holds(holds: int | None, says: str) -> None:
    (told,) = parser.fromstring(real("nl", holds=holds)).xpath("//p[@class='holds']")
    assert says in told.text_content()


def test_orders_in_transit_are_in_no_backup_and_bookings_are() -> None:
    page = parser.fromstring(real("nl"))
    assert "In reservekopieën" not in page.get_element_by_id("nl-c-order_in_transit").text_content()
    assert "In reservekopieën hoogstens 35 dagen langer" in page.get_element_by_id("nl-c-booking_key").text_content()


@pytest.mark.parametrize("languages", ["nl", "en", "both"])
def test_it_loads_and_runs_nothing_and_its_policy_allows_its_style_only(languages: Languages) -> None:
    text = real(languages)
    page = parser.fromstring(text)
    assert page.get("lang") == ("nl" if languages == "both" else languages)
    assert not page.xpath("//script|//link|//img|//iframe|//form|//@style|//@*[starts-with(name(),'on')]|//@src")
    assert all(link.startswith("#") for link in page.xpath("//@href"))
    assert {link[1:] for link in page.xpath("//@href")} <= set(page.xpath("//@id"))
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert not re.search(r"url\(|@import", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert len(page.xpath("//nav[@class='switch']")) == (2 if languages == "both" else 0)


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    words = {"nl": HOSTILE, "en": HOSTILE}
    bad = category(
        what=words, basis=words, how=words, recipients=[words], trigger={"event": words, "column": "at"},
        places=[{"table": HOSTILE, "columns": [HOSTILE]}],
    )  # fmt: skip
    published = write(tmp_path / "register.yaml", bad, version=2)
    text = render(published, difference(register(), published.register_), Standing(on=DAY, merchant=HOSTILE))
    page = parser.fromstring(text)
    assert not page.xpath("//script|//@onmouseover")
    assert len(page.xpath("//style")) == 1
    assert "<script" not in text
    what = page.xpath("//span[@class='what']")[0].text_content()
    assert what == HOSTILE


def test_the_changes_say_which_are_to_a_persons_disadvantage(tmp_path: Path) -> None:
    published = write(tmp_path / "register.yaml", category(period="P36M", recipients=[]), version=2)
    page = parser.fromstring(render(published, difference(register(), published.register_), Standing(on=DAY), "en"))
    longer, fewer = page.xpath("//table[@class='changes']/tbody/tr")
    assert "36 months after the last booking (was: 24 months" in longer.text_content()
    assert longer.xpath(".//strong[@class='worse']")
    assert not fewer.xpath(".//strong[@class='worse']")
    first = render(published, difference(None, published.register_), Standing(on=DAY), "en")
    assert "This is the first version" in first


def test_a_merchants_own_page() -> None:
    page = parser.fromstring(real("nl", merchant="m7f3k", own_periods={"debtor_link": "P6M"}))
    row = page.get_element_by_id("nl-c-debtor_link").text_content()
    assert "6 maanden na de laatste boeking" in row
    assert "het register zegt: 24 maanden" in row
    assert "m7f3k" in page.text_content()
    assert page.get_element_by_id("nl-own") is not None
    plain = parser.fromstring(real("nl", merchant="m7f3k"))
    assert "hij koos geen kortere" in plain.text_content()
