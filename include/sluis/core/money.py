"""Money as ``Decimal`` in a named currency, rounded half up to the cent, never ``float``.

Rounding: no EU rule exists (CJEU C-484/06); commercial practice in the Netherlands is half up, away from zero for
negative amounts, so that a credit note mirrors its invoice.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def cents(amount: Decimal) -> int:
    """Return ``amount`` in whole cents; raises ``ValueError`` when it is not a whole number of cents."""
    scaled = amount * 100
    whole = int(scaled)
    if scaled != whole:
        raise ValueError("not a whole number of cents")
    return whole


def from_cents(amount: int) -> Decimal:
    """Return whole cents as an amount with two decimals."""
    return (Decimal(amount) / 100).quantize(CENT)


def round_cents(amount: Decimal) -> Decimal:
    """Round half up (away from zero) to the cent."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def _decimal(value: object) -> Decimal:
    if isinstance(value, float):
        raise ValueError("money is never a float")
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("not a decimal number") from None


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value


def _two_decimals(value: Decimal) -> Decimal:
    try:
        whole = value.quantize(CENT)
    except InvalidOperation:
        raise ValueError("too large for an amount") from None
    if value != whole:
        raise ValueError("not a whole number of cents")
    return whole


#: A finite decimal number (quantities, rates in percent, unit prices).
Number = Annotated[Decimal, BeforeValidator(_decimal), AfterValidator(_finite)]
#: An amount in whole cents of the document's currency.
Amount = Annotated[Decimal, BeforeValidator(_decimal), AfterValidator(_finite), AfterValidator(_two_decimals)]
