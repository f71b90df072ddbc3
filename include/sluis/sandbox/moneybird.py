"""How Moneybird writes numbers and refusals (OpenAPI file v2-20260821)."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

Json = dict[str, Any]

_MONEY = re.compile(r"^-?[0-9]+([,.][0-9]*)?$")


class Invalid(Exception):
    """A refusal with Moneybird's body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def symbolic(status: int, message: str, place: Json | None = None) -> Invalid:
    """Return a refusal of the form ``{"error": text, "symbolic": {...}}``."""
    return Invalid(status, {"error": message, **({"symbolic": place} if place else {})})


def unprocessable(**problems: tuple[str, str]) -> Invalid:
    """Return a 422: field -> (message, short code); ``__`` in a field reads as a dot."""
    named = {name.replace("__", "."): problem for name, problem in problems.items()}
    return Invalid(
        422,
        {
            "error": {name: [message] for name, (message, _) in named.items()},
            "details": {name: [{"error": code}] for name, (_, code) in named.items()},
        },
    )


def plain(amount: Decimal) -> str:
    """Write a number as Ruby does: no more decimals than needed, but one at least (``121.0``)."""
    text = f"{amount.normalize():f}"
    return text if "." in text else f"{text}.0"


def money(value: object, name: str) -> Decimal:
    """Read Moneybird's money type: a number or a text such as ``10,95``."""
    if isinstance(value, bool) or not _MONEY.match(str(value)):
        raise unprocessable(**{name: ("is not a number", "not_a_number")})
    try:
        return Decimal(str(value).replace(",", "."))
    except InvalidOperation:
        raise unprocessable(**{name: ("is not a number", "not_a_number")}) from None
