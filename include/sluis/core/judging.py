"""From charged lines to items: every line with the VAT treatment the decision table gives it, in the shop's figures.

VAT law and what sluis does not know are judged before any amount: that is the better reason. No amount is replaced; a
left-over of cents stands on one named rounding line in the rate it arose in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sluis.core import amounts, vat
from sluis.core.amounts import Figures, Part
from sluis.core.invoice import InvoiceLine, VatTreatment, total
from sluis.core.money import ZERO
from sluis.core.order import OrderLine

ROUNDING = "Rounding"


@dataclass(frozen=True)
class Item:
    """A line of a document with the rule that decided it, and the document of its order it stands on."""

    line: InvoiceLine
    rule: str
    warning: str | None = None
    part: str = ""  #: ``""``: the order's main document

    def on(self, part: str) -> Item:
        """Return it on the document ``part``."""
        return replace(self, part=part)

    def amounting(self, net: Decimal, vat_amount: Decimal) -> Item:
        """Return it with other amounts."""
        return replace(self, line=self.line.model_copy(update={"net": net, "vat": vat_amount}))


Items = tuple[Item, ...]


def gross(items: Iterable[Item]) -> Decimal:
    """Sum with VAT."""
    return total(item.line.gross for item in items)


def judge(facts: vat.Facts, lines: Sequence[OrderLine], where: str) -> None:
    """Refuse what VAT law or sluis does not know, line by line. ``where`` is their place in the order."""
    for index, line in enumerate(lines):
        rates: set[Decimal | None] = {row.rate for row in line.vat} or ({None} if line.net else set())
        for rate in sorted(rates, key=lambda rate: rate or 0):
            vat.decide(facts, vat.Charge(line.kind, line.net, rate, f"{where}[{index}].vat", line.category))


def items_of(facts: vat.Facts, figures: Figures) -> Items:
    """Return the items of settled figures, the rounding line last. Raises ``Refused``."""
    verdicts = _verdicts(facts, figures.parts)
    items = [
        Item(_line(part, verdict.treatment), verdict.rule, verdict.warning, vat.separate(verdict.treatment))
        for part, verdict in zip(figures.parts, verdicts, strict=True)
    ]
    if figures.residual and figures.origin is not None:
        origin = items[figures.parts.index(figures.origin)]
        items.append(rounding_item(figures.residual, origin))
    return tuple(items)


def rounding_item(residual: Decimal, origin: Item) -> Item:
    """Return the named rounding line, in the treatment and on the document of ``origin``."""
    line = InvoiceLine(
        line_id="rounding",
        kind=None,
        description=ROUNDING,
        quantity=Decimal(1),
        net=residual,
        vat=ZERO,
        treatment=origin.line.treatment,
    )
    return Item(line, origin.rule, None, origin.part)


def _verdicts(facts: vat.Facts, parts: Sequence[Part]) -> list[vat.Verdict]:
    """Decide every part. A line of nothing without a VAT row (free shipping) goes with the largest other part.

    With the largest of the main document where there is one: free shipping is no part of a voucher.
    """
    decided = {id(part): _decide(facts, part) for part in parts if part.net or part.rate is not None}
    candidates = [part for part in parts if id(part) in decided]
    chief = [part for part in candidates if not vat.separate(decided[id(part)].treatment)]
    main = amounts.largest(chief or candidates)
    free = _decide(facts, replace(parts[0], rate=Decimal(0))) if main is None else decided[id(main)]
    return [decided.get(id(part), free) for part in parts]


def _decide(facts: vat.Facts, part: Part) -> vat.Verdict:
    return vat.decide(facts, vat.Charge(part.line.kind, part.net, part.rate, part.field, part.line.category))


def _line(part: Part, treatment: VatTreatment) -> InvoiceLine:
    line = part.line
    return InvoiceLine(
        line_id=f"{line.line_id}/{part.rate}" if part.divided else line.line_id,
        kind=line.kind,
        description=line.description,
        quantity=line.quantity,
        net=part.net,
        vat=part.vat,
        treatment=treatment,
        category=line.category,
    )
