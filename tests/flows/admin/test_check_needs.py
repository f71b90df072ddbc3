"""Which VAT treatments ``integration check`` says that orders need, before there is an order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sluis.core.order import LineKind
from sluis.flows.check_needs import needed
from sluis.flows.findings import Finding, Needed
from tests.flows.admin.check_cases import TODAY, codes, keys, settings, shop

ABROAD = (("NL", "21", ""), ("NL", "9", ""), ("DE", "19", ""), ("DE", "7", ""), ("DE", "0", ""), ("FR", "20", ""))


def found(on: date = TODAY, facts: dict[str, Any] | None = None, **chosen: Any) -> list[Needed | Finding]:
    return list(needed(settings(**chosen), shop(**(facts or {})), on))


def test_every_rate_at_home_is_certain_and_the_rest_may_come() -> None:
    assert keys(found(), certain=True) == {"S 21 NL", "S 9 NL"}
    assert keys(found(), certain=False) == {"G 0 NL", "K 0 NL"}


def test_a_rate_of_every_country_counts_as_the_home_rate() -> None:
    assert "S 21 NL" in keys(found(facts={"tax_rates": (("", "21.0000", "BTW"),)}), certain=True)


def test_each_country_of_the_one_stop_shop_needs_its_rates() -> None:
    oss = found(facts={"tax_rates": ABROAD}, eu_consumers="oss")
    # Every shop has rows of 0 % for its zero class: only where a class is named for it is there such a sale.
    assert keys(oss, certain=False) == {"S 19 DE", "S 7 DE", "S 20 FR", "K 0 NL", "G 0 NL"}
    solar = found(facts={"tax_rates": ABROAD}, eu_consumers="oss", zero_rate_categories=("solar",))
    assert keys(solar, certain=False) - keys(oss, certain=False) == {"Z 0 DE"}
    assert codes(found(facts={"tax_rates": (*ABROAD, ("FR", "0", ""))}, eu_consumers="oss"), "warning") == set()
    why = {n.why for n in oss if isinstance(n, Needed) and n.treatment.country == "FR"}
    assert why == {"the shop charges 20 % in FR"}


def test_after_the_threshold_was_crossed_the_destinations_are_needed() -> None:
    chosen: dict[str, Any] = {"facts": {"tax_rates": ABROAD}, "eu_consumers": "home_vat", "oss_from": TODAY}
    assert "S 19 DE" in keys(found(**chosen))
    before = found(date(2026, 11, 22), **chosen)
    assert "S 19 DE" not in keys(before)
    assert codes(before, "warning")  # a German rate while home VAT is due


def test_rates_that_would_wait_for_a_person_are_told_by_the_core() -> None:
    odd = found(facts={"tax_rates": (("NL", "21", ""), ("NL", "17", ""), ("NL", "x", ""))})
    assert codes(odd, "warning") == {"vat_rate_unknown"}
    assert "17 % in NL" in next(f.message for f in odd if isinstance(f, Finding))
    assert keys(odd, certain=True) == {"S 21 NL"}


def test_a_shop_without_rates_misses_them_unless_the_key_may_not_read_them() -> None:
    assert codes(found(facts={"tax_rates": ()}), "missing") == {"shop_charges_no_vat"}
    hidden = found(facts={"tax_rates": (), "warnings": ("taxes_not_readable",)})
    assert codes(hidden, "missing") == set()
    assert keys(hidden, certain=True) == {"S 21 NL", "S 9 NL"}


def test_under_the_small_business_scheme_the_exempt_rate_is_needed() -> None:
    kor = found(facts={"tax_rates": ()}, vat_scheme="kor")
    assert keys(kor, certain=True) == {"E 0 NL"}
    assert codes(kor, "missing") == set()
    assert codes(found(vat_scheme="kor"), "warning") == {"shop_charges_vat_under_kor"}


def test_exempt_lines_need_the_exempt_rate() -> None:
    assert "E 0 NL" in keys(found(untaxed_lines="exempt"), certain=True)


@pytest.mark.parametrize(
    ("chosen", "key"),
    [
        ({"supplies": "services"}, "AE 0 NL"),
        ({"supplies_by_category": {"advies": "services"}}, "AE 0 NL"),
        ({"supplies": "services"}, "O 0 NL"),
        ({"margin_categories": {"antiek": "J"}}, "E 0 NL VATEX-EU-J"),
        ({"reverse_charge_categories": ("telefoons",)}, "AE 0 NL"),
    ],
)
def test_classes_and_services_need_rates_of_their_own(chosen: dict[str, Any], key: str) -> None:
    assert key in keys(found(**chosen), certain=False)
    assert key not in keys(found())


@pytest.mark.parametrize(
    ("trait", "key"), [("gift_card", "O 0 NL"), ("rounding", "O 0 NL"), ("marketplace", "E 0 NL"), ("tip", "E 0 NL")]
)
def test_what_the_shop_sells_besides_goods_needs_rates_too(trait: str, key: str) -> None:
    assert key in keys(found(facts={"traits": (trait,)}), certain=False)
    assert key not in keys(found())


def test_every_kind_of_line_can_be_imagined() -> None:
    traits = tuple(kind.value for kind in LineKind)
    assert keys(found(facts={"traits": traits})) >= {"S 21 NL", "O 0 NL"}
