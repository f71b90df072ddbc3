"""Renders ``docs/reference/vat.md`` for accountants, from the decision table, the special places and the rates.

``python -m sluis.cli.reference_vat > docs/reference/vat.md`` writes it. A test holds the page against this, so that
what is decided and what is written cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from sluis.core import rates, reasons, territory, vat
from sluis.core.invoice import VatScheme
from sluis.core.vat_terms import Column

HEADER = """# VAT: what is decided, and by which law

*Made by `python -m sluis.cli.reference_vat`; change the tables in the code, not this page.*

For every line of an order the first row that fits decides, from top to bottom. Nothing is recomputed: a row says under
which category, rate and country the amounts belong that the shop charged, or why a person has to look (quarantine).
Three rules stand behind the table: VAT charged too high is owed as charged and is booked with a warning (Wet OB
art. 37); VAT charged too low or for the wrong regime waits for a person; what is not known is never guessed.

- VD is Directive 2006/112/EC, Wet OB the Wet op de omzetbelasting 1968, Reg. 282/2011 its implementing regulation.
- The *seller's country* of goods is where they leave from (`ships_from`), of services where the merchant is
  established.
- Shipping, fees and discounts follow the products of the order (VD art. 78(b), 79); where those are not all alike they
  count as plain goods, if there are goods. What goods and services are is set by `supplies` and `supplies_by_category`.
- A VAT number counts as valid when its format and check digits hold *and* the register (VIES) says so, unless the
  merchant checks numbers himself (`vat_number_check: off`). It is looked up only where the outcome hangs on it.
- The day is that of the order's document; a refund follows its order's decision and rates.
- *By the country* in the column of returns: the home return for VAT of the home country, the return of a registration
  abroad for VAT of a country in `registrations`, else the one stop shop.
- The Dutch boxes are those a Dutch merchant fills; `OSS` is the one stop shop's return.
"""

_RATE_HEAD = "\n| Where | Rate | Name | From | To and with | Law |\n| --- | --- | --- | --- | --- | --- |\n"
_SCHEMES = {
    VatScheme.HOME: "home return",
    VatScheme.OSS: "one stop shop",
    VatScheme.LOCAL: "local return",
    VatScheme.NONE: "no return",
    None: "by the country",
}
_WHOSE = {"home": "home", "base": "the seller's country", "due": "where VAT is due", "destination": "the destination"}


def render() -> str:
    """Return the page."""
    return (
        HEADER + "".join(_booked()) + "".join(_refused()) + "".join(_apart()) + "".join(_places()) + "".join(_rates())
    )


def _booked() -> Iterator[str]:
    yield "\n## What is booked\n\nRows in the order in which they are tried; a gap in the numbers is a refusal.\n"
    yield "\n| # | Rule | Cases | When | Category | Exemption | Country | Return | Dutch box | Law |\n"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    for number, rule in enumerate(vat.TABLE, 1):
        if isinstance(rule.outcome, vat.Booked):
            outcome = rule.outcome
            category = outcome.category.value + " at 0 %" if outcome.category else "S at the rate charged, Z at 0 %"
            warning = f" (warning `{rule.warning}`)" if rule.warning else ""
            yield _row(
                number, f"`{rule.id}`", rule.cases, _when(rule) + warning, category,
                "; ".join(filter(None, [outcome.exemption, outcome.reason])), _WHOSE[outcome.whose],
                _SCHEMES[outcome.scheme], outcome.box, rule.law,
            )  # fmt: skip


def _refused() -> Iterator[str]:
    yield "\n## What waits for a person\n\n| # | Rule | Cases | When | Reason | What to do | Law |\n"
    yield "| --- | --- | --- | --- | --- | --- | --- |\n"
    for number, rule in enumerate(vat.TABLE, 1):
        if isinstance(rule.outcome, vat.Refusal):
            code = rule.outcome.code
            yield _row(
                number, f"`{rule.id}`", rule.cases, _when(rule), f"`{code}`", reasons.explain(code), rule.law
            )  # fmt: skip


def _apart() -> Iterator[str]:
    yield """
## What stands on a document of its own

- Category O (gift cards, services outside the scope) never stands beside another category: EN 16931 BR-O-11 to -14.
- Domestic reverse charge stands alone on its document: Wet OB art. 12(5), 35a(1)(k).

Tips and deposits without VAT have category E, not O, so that they can stay on the invoice of the goods.
"""


def _places() -> Iterator[str]:
    yield "\n## Special places\n\nTold by country code or postcode. Outside: goods that go there are exported.\n"
    yield "\n| Place | Code | Postcode (pattern) | VAT territory | Rates | Law |\n"
    yield "| --- | --- | --- | --- | --- | --- |\n"
    for special in territory.SPECIAL:
        where = territory.place(special.country, "") if special.postcode is None else None
        inside = "outside" if special.outside else "inside for goods, outside for services"
        if not special.outside and special.name != "Northern Ireland":
            inside = f"inside, as {where.country}" if where else "inside"
        pattern = f"`{special.postcode}`" if special.postcode else "any"
        rate_key = f"`{special.rates}`" if special.rates else ("`XI`" if special.name == "Northern Ireland" else "")
        yield _row(special.name, special.country, pattern, inside, rate_key, special.law)


def _rates() -> Iterator[str]:
    yield f"\n## Rates\n\nTable {rates.TABLE_VERSION}. Which rates exist on which day, not which goods they are for.\n"
    yield "A dash in the last column of days: still law.\n"
    yield _RATE_HEAD
    members = sorted(country for country in {rate.country for rate in rates.RATES} if country in territory.MEMBERS)
    for country in [*members, *_others(members)]:
        for rate in rates.RATES:
            if rate.country == country:
                until = rate.until.isoformat() if rate.until else "-"
                yield _row(country, f"{rates.tidy(rate.percent)} %", rate.name, rate.since.isoformat(), until, rate.law)


def _others(members: Iterable[str]) -> list[str]:
    seen = set(members)
    return [c for c in dict.fromkeys(rate.country for rate in rates.RATES) if c not in seen]


def _when(rule: vat.Rule) -> str:
    """The conditions in the order seller, sold, buyer, where, charged."""
    parts = []
    for column in get_args(Column):
        texts = [condition.text for condition in rule.when if condition.column == column]
        if texts:
            parts.append(f"*{column}*: {' and '.join(texts)}")
    return "; ".join(parts)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    from sluis.cli.output import say

    say(render().rstrip("\n"))
