"""The VAT decision: what was charged on a line, under the facts of its order, to a VAT treatment or a refusal.

The decision itself is a table (``vat_table``) over facts (``vat_facts``) in an accountant's words (``vat_terms``);
``docs/reference/vat.md`` is printed from it. The table asks for a buyer's number to be looked up only where the
outcome hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from sluis.core import reasons
from sluis.core.evidence import NO_EVIDENCE
from sluis.core.invoice import VatCategory, VatTreatment
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.core.vat_facts import Case, Charge, Facts, Item, NumberState, assume, facts
from sluis.core.vat_table import TABLE, first, hangs_on_number
from sluis.core.vat_terms import Booked, Condition, Refusal, Rule
from sluis.errors import Refused

__all__ = [
    "TABLE", "Booked", "Case", "Charge", "Condition", "Facts", "Item", "NumberState", "Refusal", "Rule", "Verdict",
    "assume", "decide", "exemption_text", "facts", "needs_number_check", "separate",
]  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the table made of one line."""

    treatment: VatTreatment
    rule: str
    warning: str | None


def decide(facts: Facts, charge: Charge) -> Verdict:
    """Return the treatment of one line; raises ``Refused`` with code and field where a person has to decide."""
    case = Case(facts, charge)
    rule = first(case)
    if isinstance(rule.outcome, Refusal):
        field = rule.outcome.field or charge.field
        raise Refused(f"VAT rule {rule.id}: {reasons.explain(rule.outcome.code)}", code=rule.outcome.code, field=field)
    assumed = facts.number == "assumed" and hangs_on_number(case)
    return Verdict(rule.outcome.treatment(case), rule.id, reasons.VAT_NUMBER_ASSUMED if assumed else rule.warning)


def needs_number_check(order: Order, settings: IntegrationSettings, on: date) -> bool:
    """Whether the buyer's VAT number must be looked up before ``order`` can be decided.

    So it is where the number is well-formed and the outcome of some line hangs on it: VAT left out for a business
    elsewhere (K, AE), domestic reverse charge, and VAT charged to a business as to a consumer. Source: VAT directive
    art. 138(1)(b), Regulation 282/2011 art. 18.
    """
    if settings.vat_number_check == "off":
        return False
    known = facts(order, settings, on, NO_EVIDENCE)
    if known.number_country is None:
        return False
    return any(hangs_on_number(Case(replace(known, number="valid"), charge)) for charge in _charges(order))


def separate(treatment: VatTreatment) -> str:
    """Return the part of a document a line must stand apart on, empty for none.

    ``voucher``: category O beside any other (EN 16931 BR-O-11 to -14); ``reverse_charge``: domestic reverse charge,
    which stands alone on its document (Wet OB art. 35a(1)(k)).
    """
    if treatment.category is VatCategory.OUT_OF_SCOPE:
        return "voucher"
    if treatment.category is VatCategory.REVERSE_CHARGE and not treatment.services:
        return "reverse_charge"
    return ""


def exemption_text(rule_ids: str) -> str:
    """Return BT-120 for category E: why there is no VAT, from the rules of a document (``Invoice.rule``).

    EN 16931 BR-E-10 wants a reason as code or text, and there are no codes for the small business schemes; of two
    exemptions on one document, which BR-E-01 wants in one breakdown, it names both.
    """
    ids = rule_ids.split("+")
    texts = [rule.outcome.reason for rule in TABLE if rule.id in ids and isinstance(rule.outcome, Booked)]
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _charges(order: Order) -> Iterator[Charge]:
    """Yield what was charged on each line under each rate; a line of nothing without a row decides nothing."""
    for index, line in enumerate(order.lines):
        if not line.vat and line.net:
            yield Charge(line.kind, line.net, None, f"lines[{index}].vat", line.category)
        for rate in {row.rate for row in line.vat}:
            yield Charge(line.kind, line.net, rate, f"lines[{index}].vat", line.category)
