"""A period of whole days, and what is summed over it for a preview. In memory only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sluis.core.frozen import Frozen
from sluis.core.invoice import Result
from sluis.core.money import ZERO, Amount
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect
from sluis.ports import Window


class OutcomeTotal(Frozen):
    """Documents that share a result and a reason. ``total`` with VAT, signed: credit notes count below zero."""

    result: Result
    reason: str | None
    currency: str
    documents: int
    total: Amount


class Totals:
    """Adds documents up."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Result, str | None, str], tuple[int, Decimal]] = {}

    def add(self, result: Result, reason: str | None, currency: str, total: Decimal) -> None:
        """Count one document with its signed total."""
        key = (result, reason, currency)
        count, amount = self._sums.get(key, (0, ZERO))
        self._sums[key] = (count + 1, amount + total)

    def totals(self) -> tuple[OutcomeTotal, ...]:
        """Return the sums, by result, reason and currency."""
        return tuple(self._sorted())

    def _sorted(self) -> Iterator[OutcomeTotal]:
        order = list(Result)
        for key in sorted(self._sums, key=lambda k: (order.index(k[0]), k[1] or "", k[2])):
            (result, reason, currency), (count, amount) = key, self._sums[key]
            yield OutcomeTotal(result=result, reason=reason, currency=currency, documents=count, total=amount)


def days(start: date, end: date, settings: IntegrationSettings) -> Window:
    """Return the window of whole days in the shop's time zone, ``end`` included; raises ``Defect("period")``."""
    if end < start:
        raise Defect("the period ends before it starts: give --from and --to in this order", code="period")
    first = datetime.combine(start, time(), tzinfo=settings.zone)
    after = datetime.combine(end + timedelta(days=1), time(), tzinfo=settings.zone)
    return Window(start=first, end=after)
