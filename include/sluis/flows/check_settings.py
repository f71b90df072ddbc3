"""Settings that contradict each other, or that nothing answers to: said before they surprise somebody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from stdnum.eu import vat as eu_vat

from sluis.core import territory
from sluis.core.bookable import oldest_bookable
from sluis.core.settings import IntegrationSettings
from sluis.flows.findings import Finding, missing, ok, warning
from sluis.ports import PackageFacts, ShopFacts

_LOCKED = re.compile(r"period_locked_until_(\d{4})-?(\d{2})-?(\d{2})")
#: A VAT number's letters -> ISO code.
_LETTERS = {"EL": "GR"}


def date_findings(settings: IntegrationSettings, today: date) -> Iterator[Finding]:
    """Judge the start date against the age beyond which nothing is booked by itself."""
    if settings.start_date < oldest_bookable(today):
        yield warning("start_date_old", "documents of more than 23 months ago are never booked by themselves")
    else:
        yield ok("start_date", f"documents dated from {settings.start_date} on are booked")


def period_findings(settings: IntegrationSettings, package: PackageFacts) -> Iterator[Finding]:
    """Hold the last closed day against the lock of the package: it refuses what is dated before."""
    locked = locked_until(package.warnings)
    closed = settings.books_closed_until
    if locked is None or (closed is not None and closed >= locked) or settings.start_date > locked:
        return
    told = "is empty" if closed is None else f"is {closed}"
    yield missing(
        "period_locked",
        f"the administration is locked until {locked}, books_closed_until {told}: set it to {locked}, or sales of"
        " before are refused one by one",
    )


def locked_until(warnings: Iterable[str]) -> date | None:
    """Return the last locked day that a package tells in its warnings."""
    for found in filter(None, map(_LOCKED.fullmatch, warnings)):
        return date(*(int(part) for part in found.groups()))
    return None


def settings_findings(settings: IntegrationSettings, shop: ShopFacts | None) -> Iterator[Finding]:
    """Name what has no effect, contradicts another setting, or that the shop never gives."""
    found = [*_of_scheme(settings), *_of_number(settings), *_of_place(settings), *_of_books(settings)]
    found += _of_classes(settings, shop)
    yield from found or [ok("settings", "no setting contradicts another")]


def _of_scheme(settings: IntegrationSettings) -> Iterator[Finding]:
    if settings.oss_from is not None and settings.eu_consumers == "oss":
        yield _useless("oss_from", "eu_consumers is 'oss' already: destination VAT is due from the start date on")
    if settings.kor_until is not None and settings.vat_scheme != "kor":
        yield _useless("kor_until", "vat_scheme is not 'kor'")
    if settings.home_country in settings.registrations:
        yield _useless("registrations", f"{settings.home_country} is home_country: name only other countries")
    if settings.home_country in settings.eu_kor:
        yield _useless("eu_kor", f"{settings.home_country} is home_country: its own scheme is vat_scheme 'kor'")
    if strange := sorted({*settings.registrations, *settings.eu_kor} - territory.EU - {"XI"}):
        yield _useless("registrations, eu_kor", f"{', '.join(strange)} has no EU VAT: sales there are exports")
    if both := sorted(set(settings.registrations) & set(settings.eu_kor)):
        yield warning(
            "settings_contradict", f"registrations and eu_kor both name {', '.join(both)}: VAT is charged there or not"
        )


def _of_number(settings: IntegrationSettings) -> Iterator[Finding]:
    number = settings.vat_number.strip()
    if settings.vat_number_check == "off":
        if settings.vat_number_unverified != "wait":
            yield _useless("vat_number_unverified", "vat_number_check is 'off'")
        yield warning(
            "vat_number_check_off", "VAT numbers of buyers are not looked up: a well-formed one is no valid one"
        )
    elif not number:
        yield warning(
            "vat_number_missing",
            "vat_number (your own) is empty: VIES then gives no request id, the proof of having asked",
        )
    if number and not eu_vat.is_valid(number):
        yield missing("vat_number_wrong", "vat_number is no European VAT number; write it with its country, NL...B01")
    elif number and _LETTERS.get(number[:2].upper(), number[:2].upper()) not in {
        settings.home_country, *settings.registrations,
    }:  # fmt: skip
        yield warning("vat_number_elsewhere", "vat_number is neither of home_country nor of a country of registrations")


def _of_place(settings: IntegrationSettings) -> Iterator[Finding]:
    origin = settings.ships_from
    if origin is None:
        return
    if origin == settings.home_country:
        yield _useless("ships_from", f"{origin} is home_country")
    elif origin not in settings.registrations:
        yield missing(
            "registration_missing",
            f"goods leave from {origin}: their sales are taxed there (VAT directive art. 32), so registrations must"
            " name it, or ships_from is wrong",
        )


def _of_books(settings: IntegrationSettings) -> Iterator[Finding]:
    if settings.closed_period == "first_open_day" and settings.books_closed_until is None:
        yield _useless("closed_period", "books_closed_until is empty, so no period is closed")
    others = sorted(set(settings.filter_currencies) - {settings.currency})
    if others and settings.foreign_currency == "quarantine":
        yield warning(
            "settings_contradict",
            f"filter_currencies takes {', '.join(others)}, and foreign_currency is 'quarantine': all those orders wait",
        )
    if settings.booking_mode == "daily" and not settings.register_payments:
        yield _useless(
            "register_payments", "booking_mode is 'daily', and a day always balances on its clearing accounts"
        )
    if settings.booking_mode == "daily" and settings.document_date == "completed":
        yield warning(
            "daily_by_completion", "a day holds what was completed on it: paid orders that are not sent yet are in none"
        )


def _of_classes(settings: IntegrationSettings, shop: ShopFacts | None) -> Iterator[Finding]:
    both = sorted(set(settings.margin_categories) & set(settings.reverse_charge_categories))
    if both:
        named = ", ".join(both)
        yield warning("settings_contradict", f"margin_categories and reverse_charge_categories both name {named}")
    if shop is None or not shop.categories:
        return
    for name, classes in (
        ("supplies_by_category", settings.supplies_by_category),
        ("margin_categories", settings.margin_categories),
        ("reverse_charge_categories", settings.reverse_charge_categories),
        ("zero_rate_categories", settings.zero_rate_categories),
    ):
        if strange := sorted(set(classes) - set(shop.categories)):
            known = ", ".join(shop.categories)
            yield warning(
                "category_unknown", f"{name} names {', '.join(strange)}, which no line carries; known: {known}"
            )


def _useless(setting: str, why: str) -> Finding:
    return warning("setting_without_effect", f"{setting} has no effect: {why}")
