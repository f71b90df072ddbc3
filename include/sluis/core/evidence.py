"""What was asked of others before a document was decided: a VAT number's validity, a currency's rate.

Kept as proof: the day, the answer and the number of the request; never the name or address that a register gives.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.money import Number


class VatCheck(Frozen):
    """What a register of VAT numbers said. ``unverified``: nobody answered, which is neither yes nor no."""

    state: Literal["valid", "invalid", "unverified"]
    checked_at: Moment
    request_id: str | None = None  #: the register's own number of the consultation, the proof of having asked
    source: str = "VIES"


class ExchangeRate(Frozen):
    """``rate`` units of ``currency`` for one unit of ``base`` on the day ``on`` (VAT directive art. 91(2))."""

    currency: Currency
    base: Currency = "EUR"
    rate: Number
    on: date  #: the day the source published it for, at or before the document's day
    source: str = "ECB"


class Evidence(Frozen):
    """All that was asked for one order; its refunds rest on the same."""

    vat_check: VatCheck | None = None
    exchange: ExchangeRate | None = None


class Needs(Frozen):
    """What must be asked before an order can be decided."""

    vat_number: bool = False  #: whether the buyer's VAT number must be looked up (categories K and AE)
    exchange: tuple[Currency, date] | None = None  #: the rate of this currency on this day


#: Nothing was asked.
NO_EVIDENCE = Evidence()
