"""The shape of the decision table: every combination of facts meets one row, and every row is met by some."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from sluis.core import reasons, territory, vat
from sluis.core.invoice import VatCategory, VatScheme, VatTreatment
from sluis.core.mapping import tax_key
from sluis.core.order import LineKind
from sluis.core.vat_table import first, hangs_on_number
from sluis.errors import Refused

DAY = date(2026, 5, 4)
CLASSES = {
    "download": vat.Item("electronic"),
    "course": vat.Item("services"),
    "book": vat.Item(zero_rate=True),
    "vintage": vat.Item(margin="F"),
    "painting": vat.Item(margin="I"),
    "antique": vat.Item(margin="J"),
    "phone": vat.Item(reverse_charge=True),
}
SELLERS: list[dict[str, object]] = [
    {}, {"oss": True}, {"kor": True}, {"kor": True, "oss": True}, {"oss": True, "eu_kor": frozenset({"DE"})},
    {"registrations": frozenset({"DE", "GB"})}, {"oss": True, "registrations": frozenset({"DE"}), "origin": "DE"},
    {"registrations": frozenset({"DE"}), "origin": "DE"}, {"origin": "DE"}, {"origin": "US"}, {"home": "GB"},
    {"untaxed_exempt": True}, {"marketplace": True}, {"foreign_currency": True}, {"compound": True},
    {"multi_purpose": False},
]  # fmt: skip
PLACES = [
    ("NL", "1234 AB"), ("DE", "10115"), ("IE", ""), ("PT", "9000-042"), ("ES", "35001"),
    ("GB", "BT1 5GS"), ("GB", "SW1A 1AA"), None,
]  # fmt: skip
NUMBERS: list[tuple[vat.NumberState, str | None]] = [
    ("none", None), ("invalid", None), ("valid", "NL"), ("valid", "DE"), ("unverified", "DE"), ("unverified", "NL"),
    ("assumed", "DE"),
]  # fmt: skip
RATES = [None, "0", "21", "19", "20", "23"]


def _facts(**known: object) -> vat.Facts:
    facts = vat.Facts(home="NL", origin="NL", place=territory.place("NL", ""), on=DAY, items=CLASSES)
    return replace(facts, **known)  # type: ignore[arg-type]


def _all_facts() -> Iterator[vat.Facts]:
    for seller, place, (number, country) in itertools.product(SELLERS, PLACES, NUMBERS):
        where = territory.place(*place) if place else None
        yield _facts(place=where, number=number, number_country=country, business=number != "none", **seller)


def _charges() -> Iterator[vat.Charge]:
    for rate, net in [*((rate, "10.00") for rate in RATES), (None, "0.00"), ("0", "0.00")]:
        percent = None if rate is None else Decimal(rate)
        for category in (None, *CLASSES):
            yield vat.Charge(LineKind.GOODS, Decimal(net), percent, "lines[0].vat", category)
        for kind in (LineKind.SHIPPING, LineKind.GIFT_CARD, LineKind.TIP, LineKind.DEPOSIT):
            yield vat.Charge(kind, Decimal(net), percent, "lines[0].vat")


def test_every_combination_meets_a_row_and_every_row_is_met() -> None:
    """The table is total, no row is dead, what it refuses has a listed code, and what it books is consistent."""
    met = set()
    charges = list(_charges())
    for facts in _all_facts():
        for charge in charges:
            case = vat.Case(facts, charge)
            rule = first(case)
            if rule.id in met and charge.net:
                continue
            met.add(rule.id)
            if isinstance(rule.outcome, vat.Refusal):
                assert reasons.REASONS[rule.outcome.code].kind is reasons.Kind.QUARANTINED
            else:
                _consistent(rule.outcome, case)
    assert met == {rule.id for rule in vat.TABLE}


def _consistent(outcome: vat.Booked, case: vat.Case) -> None:
    treatment = outcome.treatment(case)
    assert (treatment.rate > 0) is (treatment.category is VatCategory.STANDARD)
    assert treatment.rate == (case.charge.rate or 0)  # nothing is recomputed
    assert treatment.country in territory.COUNTRIES
    assert tax_key(treatment)
    without_code = {VatCategory.STANDARD, VatCategory.ZERO, VatCategory.EXEMPT}
    assert treatment.exemption or treatment.category in without_code
    assert (treatment.category is VatCategory.EXEMPT) is bool(outcome.reason)  # BR-E-10


def test_no_vat_is_left_out_for_a_business_without_a_valid_number_and_oss_ends_where_a_registration_begins() -> None:
    rates = (None, Decimal(19), Decimal(21))
    charges = [
        vat.Charge(LineKind.GOODS, Decimal("10.00"), rate, "lines[0].vat", category)
        for rate in rates
        for category in (None, *CLASSES)
    ]
    booked = 0
    for facts in _all_facts():
        for case in (vat.Case(facts, charge) for charge in charges):
            outcome = first(case).outcome
            if isinstance(outcome, vat.Refusal):
                continue
            booked += 1
            treatment = outcome.treatment(case)
            if treatment.category in (VatCategory.INTRA_COMMUNITY, VatCategory.REVERSE_CHARGE):
                assert facts.number in ("valid", "assumed")
            if treatment.scheme is VatScheme.OSS:
                assert facts.number not in ("valid", "assumed")
                assert treatment.country not in facts.registrations
            if treatment.scheme is VatScheme.LOCAL and treatment.country != facts.origin:
                assert treatment.country in facts.registrations
            if treatment.scheme is VatScheme.NONE or facts.marketplace:
                assert not treatment.rate
    assert booked > 1000


def test_rule_ids_are_unique_and_every_rule_names_its_law() -> None:
    ids = [rule.id for rule in vat.TABLE]
    assert len(ids) == len(set(ids))
    assert all(rule.law and rule.cases and rule.when for rule in vat.TABLE)


def test_a_warning_stands_only_where_something_is_booked_and_is_listed() -> None:
    for rule in vat.TABLE:
        if rule.warning:
            assert isinstance(rule.outcome, vat.Booked)
            assert reasons.REASONS[rule.warning].kind is reasons.Kind.WARNING


def test_a_seller_outside_the_eu_is_refused_by_name() -> None:
    charge = vat.Charge(LineKind.GOODS, Decimal("10.00"), Decimal(20), "lines[0].vat")
    with pytest.raises(Refused) as caught:
        vat.decide(_facts(home="GB", origin="GB"), charge)
    assert (caught.value.code, caught.value.field) == ("vat_home_not_supported", "settings.home_country")


def test_the_outcome_never_hangs_on_a_number_at_home() -> None:
    charge = vat.Charge(LineKind.GOODS, Decimal("10.00"), Decimal(21), "lines[0].vat")
    assert not hangs_on_number(vat.Case(_facts(number="unverified", number_country="BE"), charge))


def test_an_unverified_number_decides_nothing_where_both_answers_lead_to_one() -> None:
    """Under the threshold home VAT was charged: a consumer's VAT, and a business's as charged."""
    facts = _facts(place=territory.place("BE", ""), number="unverified", number_country="BE", business=True)
    verdict = vat.decide(facts, vat.Charge(LineKind.GOODS, Decimal("10.00"), Decimal(21), "lines[0].vat"))
    assert (verdict.rule, verdict.warning) == ("eu-home-vat", None)


def test_a_number_taken_for_valid_leaves_a_warning() -> None:
    facts = _facts(place=territory.place("BE", ""), number="assumed", number_country="BE", business=True)
    verdict = vat.decide(facts, vat.Charge(LineKind.GOODS, Decimal("10.00"), None, "lines[0].vat"))
    assert (verdict.treatment.category, verdict.warning) == (VatCategory.INTRA_COMMUNITY, "vat_number_assumed")


@pytest.mark.parametrize(
    ("category", "services", "part"),
    [
        (VatCategory.OUT_OF_SCOPE, False, "voucher"),
        (VatCategory.OUT_OF_SCOPE, True, "voucher"),
        (VatCategory.REVERSE_CHARGE, False, "reverse_charge"),
        (VatCategory.REVERSE_CHARGE, True, ""),
        (VatCategory.INTRA_COMMUNITY, False, ""),
        (VatCategory.EXEMPT, False, ""),
        (VatCategory.STANDARD, False, ""),
    ],
)
def test_what_must_stand_apart(category: VatCategory, services: bool, part: str) -> None:
    treatment = VatTreatment(category=category, rate=Decimal(0), country="NL", services=services)
    assert vat.separate(treatment) == part


def test_exempt_documents_can_say_why() -> None:
    assert vat.exemption_text("nl-kor") == "Small business exemption (art. 25 Wet OB)"
    both = vat.exemption_text("deposit+margin-second-hand+nl-domestic")
    assert both == "Deposit on packaging (art. 92 Directive 2006/112/EC); Margin scheme - Second-hand goods"
    assert vat.exemption_text("nl-domestic") == ""


def test_margin_goods_have_a_tax_rate_of_their_own_in_the_mapping() -> None:
    charge = vat.Charge(LineKind.GOODS, Decimal("10.00"), None, "lines[0].vat", "vintage")
    treatment = vat.decide(_facts(), charge).treatment
    assert tax_key(treatment) == "E 0 NL VATEX-EU-F"
    assert treatment.scheme is VatScheme.HOME
