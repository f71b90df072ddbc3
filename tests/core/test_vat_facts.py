"""What the VAT decision gathers of an order, and when a buyer's number must be looked up first."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sluis.core import vat
from sluis.core.evidence import Evidence, VatCheck
from sluis.core.order import LineKind
from sluis.core.settings import IntegrationSettings
from tests.core import golden

DAY = date(2026, 5, 4)
BELGIUM = {"country": "BE", "postcode": "2000"}
MOMENT = datetime(2026, 5, 4, 10, 6, tzinfo=UTC)


def _order(*lines: dict[str, Any], number: str = "", to: dict[str, str] | None = None, **known: Any) -> Any:
    rows = [
        {"line_id": str(i), "kind": "goods", "description": "Mug", "quantity": "1", "net": "10.00", "vat_total": "0.00"}
        | line
        for i, line in enumerate(lines or ({},), 1)
    ]
    data = {"lines": rows, "total": "10.00", "buyer": {"vat_number": number}, "ship_to": to or BELGIUM, **known}
    return golden.order_of(data)


def _taxed(rate: str) -> dict[str, Any]:
    amount = str(Decimal(rate) / 10)
    return {"vat": [{"rate": rate, "amount": amount}], "vat_total": amount}


def _settings(**known: Any) -> IntegrationSettings:
    return golden.settings_of(known)


def _needs(order: Any, **settings: Any) -> bool:
    return vat.needs_number_check(order, _settings(**settings), DAY)


GOOD = "BE0123456749"


@pytest.mark.parametrize(
    ("asked", "order", "settings"),
    [
        pytest.param(True, _order(number=GOOD), {}, id="goods without VAT"),
        pytest.param(True, _order(number="0123456749"), {}, id="number without letters"),
        pytest.param(True, _order(number=GOOD), {"supplies": "services"}, id="services without VAT"),
        pytest.param(True, _order(_taxed("21"), number=GOOD), {}, id="taxed as a consumer under OSS"),
        pytest.param(True, _order({}, _taxed("21"), number=GOOD), {"eu_consumers": "home_vat"}, id="one line untaxed"),
        pytest.param(False, _order(_taxed("21"), number=GOOD), {"eu_consumers": "home_vat"}, id="home VAT either way"),
        pytest.param(False, _order(number=GOOD), {"vat_number_check": "off"}, id="check is off"),
        pytest.param(False, _order(number="BE123"), {}, id="cannot exist"),
        pytest.param(False, _order(), {}, id="no number"),
        pytest.param(False, _order(number="EU372000123"), {}, id="a one stop shop number"),
        pytest.param(False, _order(number=GOOD, to={"country": "US", "postcode": "1"}), {}, id="export"),
        pytest.param(
            False, _order(_taxed("21"), number=GOOD, to={"country": "NL", "postcode": "1234 AB"}), {}, id="at home"
        ),
        pytest.param(False, _order({"kind": "gift_card"}, number=GOOD), {}, id="a voucher"),
        pytest.param(
            True,
            _order({"category": "phones"}, number="NL004495445B01", to={"country": "NL", "postcode": "1234 AB"}),
            {"reverse_charge_categories": ["phones"]},
            id="reversed at home",
        ),
        pytest.param(
            False, _order({"category": "old"}, number=GOOD), {"margin_categories": {"old": "F"}}, id="margin goods"
        ),
    ],
)
def test_a_number_is_looked_up_only_where_the_outcome_hangs_on_it(
    asked: bool, order: Any, settings: dict[str, Any]
) -> None:
    assert _needs(order, **settings) is asked


@pytest.mark.parametrize("state", ["valid", "invalid", "unverified"])
@pytest.mark.parametrize("choice", ["wait", "quarantine", "book"])
def test_the_answer_of_the_register_becomes_the_state_of_the_number(state: Any, choice: Any) -> None:
    evidence = Evidence(vat_check=VatCheck(state=state, checked_at=MOMENT))
    facts = vat.facts(_order(number=GOOD), _settings(vat_number_unverified=choice), DAY, evidence)
    assert facts.number == ("assumed" if (state, choice) == ("unverified", "book") else state)


@pytest.mark.parametrize(
    ("number", "to", "state", "country"),
    [
        (GOOD, BELGIUM, "unverified", "BE"),
        ("EL094259216", {"country": "GR", "postcode": "10431"}, "unverified", "GR"),
        ("094259216", {"country": "GR", "postcode": "10431"}, "unverified", "GR"),
        ("980780684", {"country": "GB", "postcode": "BT1 5GS"}, "unverified", "XI"),
        ("GB980780684", {"country": "GB", "postcode": "BT1 5GS"}, "invalid", None),
        ("40303265045", {"country": "MC", "postcode": "98000"}, "unverified", "FR"),
        ("IM3720000224", BELGIUM, "invalid", None),
        ("CHE-123.456.788", BELGIUM, "invalid", None),
        ("", BELGIUM, "none", None),
    ],
)
def test_a_number_is_read_with_the_letters_of_its_state(
    number: str, to: dict[str, str], state: str, country: str | None
) -> None:
    facts = vat.facts(_order(number=number, to=to), _settings(), DAY)
    assert (facts.number, facts.number_country) == (state, country)


def test_the_day_decides_the_threshold_and_the_exemption() -> None:
    settings = _settings(eu_consumers="home_vat", oss_from="2026-05-04", vat_scheme="kor", kor_until="2026-05-03")
    before, after = (vat.facts(_order(), settings, day) for day in (date(2026, 5, 3), DAY))
    assert (before.oss, before.kor) == (False, True)
    assert (after.oss, after.kor) == (True, False)


@pytest.mark.parametrize(
    ("categories", "followed"),
    [
        (("course",), vat.Item("services")),
        (("course", "course"), vat.Item("services")),
        (("old",), vat.Item(margin="F")),
        (("course", None), vat.Item("goods")),
        (("old", None), vat.Item("goods")),
        (("course", "file"), vat.Item("services")),
    ],
)
def test_shipping_and_fees_follow_the_products(categories: tuple[str | None, ...], followed: vat.Item) -> None:
    settings = _settings(
        supplies_by_category={"course": "services", "file": "electronic"}, margin_categories={"old": "F"}
    )
    facts = vat.facts(_order(*({"category": category} for category in categories)), settings, DAY)
    assert facts.accessory == followed


def test_the_facts_hold_nothing_of_a_person() -> None:
    order = _order(number=GOOD, to={"country": "BE", "postcode": "9728"})
    text = repr(vat.facts(order, _settings(), DAY))
    assert "0123456749" not in text
    assert "9728" not in text


def test_an_imagined_order_has_a_buyer_of_that_country() -> None:
    facts = vat.assume(_settings(), DAY, "be", "valid")
    verdict = vat.decide(facts, vat.Charge(LineKind.GOODS, Decimal(100), None, "vat"))
    assert verdict.rule == "eu-goods"
    assert vat.assume(_settings(), DAY, "??").place is None
