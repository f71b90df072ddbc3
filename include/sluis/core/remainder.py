"""What is left of a sale after its refunds, cell by cell, and how an amount without lines is taken from it.

A cell is a kind of line, product class and VAT treatment on one document: what stands on one ledger account at one
rate. So an order and all that was given back on it leave nothing on any account, whatever was rounded on the way.
A price that is given back in part lowers the base of every rate in it (VAT directive art. 90; Wet OB art. 29).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from sluis.core import reasons
from sluis.core.invoice import InvoiceLine, VatTreatment, total
from sluis.core.judging import ROUNDING, Item, Items
from sluis.core.money import CENT, ZERO, cents, from_cents, round_cents
from sluis.core.order import LineKind
from sluis.errors import Refused

#: Which treatment an amount is taken from first.
Preference = Literal["pro_rata", "highest_rate", "lowest_rate"]


class Cell(NamedTuple):
    """One account at one rate on one document."""

    part: str
    kind: LineKind | None
    category: str | None
    treatment: VatTreatment

    @property
    def rank(self) -> tuple[str, str, str, str]:
        """A fixed order."""
        return (self.part, self.kind or "", self.category or "", self.treatment.model_dump_json())


class Sums(NamedTuple):
    """Net and VAT."""

    net: Decimal = ZERO
    vat: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        """With VAT."""
        return self.net + self.vat


@dataclass(frozen=True)
class Remainder:
    """What is left, in one currency. ``rules`` tells which rule decided a cell; ``lines`` counts what was added up."""

    cells: Mapping[Cell, Sums]
    rounding: Decimal  #: cash rounding
    rules: Mapping[Cell, str]
    lines: int
    blurred: bool = field(default=False)  #: a refund is not in it, because nobody knows what it took back

    @classmethod
    def of(cls, items: Sequence[Item], rounding: Decimal) -> Remainder:
        """All of a sale."""
        return cls(_sums(items), rounding, {_cell(item): item.rule for item in items}, len(items))

    @property
    def owed(self) -> Decimal:
        """Total with VAT and cash rounding."""
        return total(sums.gross for sums in self.cells.values()) + self.rounding

    def without(self, items: Sequence[Item], rounding: Decimal = ZERO) -> Remainder:
        """Return what is left after ``items`` were given back."""
        cells = dict(self.cells)
        for cell, sums in _sums(items).items():
            left = cells.get(cell, Sums())
            cells[cell] = Sums(left.net - sums.net, left.vat - sums.vat)
        rules = {**{_cell(item): item.rule for item in items}, **self.rules}
        return Remainder(cells, self.rounding - rounding, rules, self.lines + len(items), self.blurred)

    def without_unknown(self) -> Remainder:
        """Return it with the note that a refund which nobody could divide is not taken off."""
        return Remainder(self.cells, self.rounding, self.rules, self.lines, blurred=True)

    def per_treatment(self) -> dict[VatTreatment, Sums]:
        """Add up per treatment."""
        result: dict[VatTreatment, Sums] = {}
        for cell, sums in self.cells.items():
            so_far = result.get(cell.treatment, Sums())
            result[cell.treatment] = Sums(so_far.net + sums.net, so_far.vat + sums.vat)
        return result

    def covers(self, items: Sequence[Item]) -> bool:
        """Whether ``items`` take no more back at any treatment than is left, but for a cent per line."""
        taken = Remainder.of(items, ZERO).per_treatment()
        left = self.per_treatment()
        slack = CENT * (self.lines + len(items))
        return all(
            treatment in left and sums.gross <= max(left[treatment].gross, ZERO) + slack
            for treatment, sums in taken.items()
        )

    def everything(self, items: Sequence[Item] = ()) -> Items:
        """Return all that is left as items; those of ``items`` keep their words where they differ by cents only."""
        result: list[Item] = []
        slack = CENT * (self.lines + len(items))
        for cell in sorted({*self.cells, *map(_cell, items)}, key=lambda cell: cell.rank):
            target = self.cells.get(cell, Sums())
            if cell.kind is None and target == Sums():
                continue  # no rounding is no line
            named = [item for item in items if _cell(item) == cell]
            said = _sums(named).get(cell, Sums())
            if named and max(abs(target.net - said.net), abs(target.vat - said.vat)) <= slack:
                result.extend(_mended(named, Sums(target.net - said.net, target.vat - said.vat)))
            elif target != Sums():
                result.append(self._item(cell, target))
        return tuple(result)

    def spread(self, amount: Decimal, how: Preference) -> Items:
        """Take ``amount`` (with VAT) from what is left; raises ``Refused`` where there is not so much of it.

        Per treatment first, the amount's cents by largest remainder, so that VAT is right per rate; then over the
        cells of the treatment in proportion.
        """
        left = self.per_treatment()
        open_ones = {t: sums for t, sums in left.items() if sums.gross > 0 and sums.net > 0 and sums.vat >= 0}
        if amount > total(sums.gross for sums in open_ones.values()):
            raise Refused("not so much is left", code=reasons.REFUND_DIFFERS, field="total")
        items: list[Item] = []
        for treatment, share in _shares(amount, {t: s.gross for t, s in open_ones.items()}, how).items():
            items.extend(self._taken(treatment, open_ones[treatment], share))
        return tuple(items)

    def _taken(self, treatment: VatTreatment, left: Sums, share: Decimal) -> list[Item]:
        cells = sorted((cell for cell in self.cells if cell.treatment == treatment), key=lambda cell: cell.rank)
        if share == left.gross:
            return [self._item(cell, self.cells[cell]) for cell in cells if self.cells[cell] != Sums()]
        vat = left.vat - round_cents(left.vat * (left.gross - share) / left.gross)
        nets = apportioned(share - vat, [self.cells[cell].net for cell in cells])
        vats = apportioned(vat, [self.cells[cell].vat for cell in cells])
        pairs = zip(cells, nets, vats, strict=True)
        return [self._item(cell, Sums(n, v)) for cell, n, v in pairs if n or v]

    def _item(self, cell: Cell, sums: Sums) -> Item:
        line = InvoiceLine(
            line_id="/".join(["rest", cell.part, cell.kind or "rounding", cell.category or "", _short(cell.treatment)]),
            kind=cell.kind,
            description=ROUNDING if cell.kind is None else "Refund",
            quantity=Decimal(1),
            net=sums.net,
            vat=sums.vat,
            treatment=cell.treatment,
            category=cell.category,
        )
        return Item(line, self.rules[cell], None, cell.part)


def apportioned(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide ``amount`` in proportion to ``weights`` in whole cents, the largest remainders first."""
    whole = sum(weights, start=ZERO)
    if not whole:
        return [ZERO] * len(weights) if not amount else [amount, *[ZERO] * (len(weights) - 1)]
    exact = [amount * 100 * weight / whole for weight in weights]
    floors = [int(share // 1) if share >= 0 else -int(-share // 1) for share in exact]
    missing = cents(amount) - sum(floors)
    step = 1 if missing >= 0 else -1
    by_rest = sorted(range(len(weights)), key=lambda n: (-step * (exact[n] - floors[n]), n))
    for n in by_rest[: abs(missing)]:
        floors[n] += step
    return [from_cents(share) for share in floors]


def _shares(amount: Decimal, left: Mapping[VatTreatment, Decimal], how: Preference) -> dict[VatTreatment, Decimal]:
    ranked = sorted(left, key=lambda t: (t.rate if how == "lowest_rate" else -t.rate, t.model_dump_json()))
    if how == "pro_rata":
        return dict(zip(ranked, apportioned(amount, [left[t] for t in ranked]), strict=True))
    shares: dict[VatTreatment, Decimal] = {}
    for treatment in ranked:
        shares[treatment] = min(left[treatment], amount - total(shares.values()))
    return {treatment: share for treatment, share in shares.items() if share}


def _mended(items: Sequence[Item], off: Sums) -> list[Item]:
    """Put a few cents that are off on the largest of ``items``."""
    if off == Sums():
        return list(items)
    place = max(range(len(items)), key=lambda n: (abs(items[n].line.net), items[n].line.line_id))
    line = items[place].line
    return [
        item.amounting(line.net + off.net, line.vat + off.vat) if n == place else item for n, item in enumerate(items)
    ]


def _cell(item: Item) -> Cell:
    return Cell(item.part, item.line.kind, item.line.category, item.line.treatment)


def _sums(items: Iterable[Item]) -> dict[Cell, Sums]:
    sums: dict[Cell, Sums] = {}
    for item in items:
        so_far = sums.get(_cell(item), Sums())
        sums[_cell(item)] = Sums(so_far.net + item.line.net, so_far.vat + item.line.vat)
    return sums


def _short(treatment: VatTreatment) -> str:
    return f"{treatment.category.value}{treatment.rate.normalize():f}{treatment.country}"
