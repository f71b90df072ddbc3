"""Shipping and payment fees follow the goods: over mixed rates pro rata to the goods' net values, judged, not changed.

VAT directive art. 78(b); Toelichting Tabel I Wet OB, 4.5 "Bezorgkosten" (BWBR0046571). What the shop charged
stands: too much VAT is owed as charged (Wet OB art. 37) and told, too little needs a person. Only judged where goods
and fees carry VAT of one country at a rate: everything else was decided by the VAT table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sluis.core import reasons
from sluis.core.invoice import VatCategory, total
from sluis.core.judging import Item, Items
from sluis.core.money import CENT
from sluis.core.order import LineKind, OrderLine
from sluis.errors import Refused

_WITH_RATE = frozenset({VatCategory.STANDARD, VatCategory.ZERO})
_GOODS = frozenset({LineKind.GOODS, LineKind.DISCOUNT})
_FOLLOWS = frozenset({LineKind.SHIPPING, LineKind.FEE})


def judge(items: Items, lines: Sequence[OrderLine]) -> Items:
    """Return ``items`` with a warning where too much VAT is on shipping and fees; raises ``Refused`` for too little."""
    goods = [item for item in items if item.line.kind in _GOODS]
    followers = [item for item in items if item.line.kind in _FOLLOWS and item.line.net > 0]
    treatments = {item.line.treatment for item in [*goods, *followers]}
    comparable = all(t.category in _WITH_RATE for t in treatments) and len({t.country for t in treatments}) == 1
    worth = total(item.line.net for item in goods)
    if not followers or not comparable or worth <= 0 or any(_worth(goods, t.rate) < 0 for t in treatments):
        return items
    share = sum((item.line.net * item.line.treatment.rate for item in goods), start=Decimal(0)) / (worth * 100)
    off = total(item.line.vat for item in followers) - share * total(item.line.net for item in followers)
    slack = CENT * (len(followers) + 1)  # a cent per line, and one for the goods' own cents
    if off < -slack:
        raise Refused("less VAT than the goods", code=reasons.SHIPPING_VAT_TOO_LOW, field=_place(followers, lines))
    if off <= slack:
        return items
    return tuple(_told(item) if item in followers else item for item in items)


def _worth(goods: Sequence[Item], rate: Decimal) -> Decimal:
    return total(item.line.net for item in goods if item.line.treatment.rate == rate)


def _told(item: Item) -> Item:
    return item if item.warning else replace(item, warning=reasons.SHIPPING_VAT_TOO_HIGH)


def _place(followers: Sequence[Item], lines: Sequence[OrderLine]) -> str:
    lowest = min(followers, key=lambda item: (item.line.treatment.rate, item.line.line_id)).line.line_id
    index = next(n for n, line in enumerate(lines) if lowest == line.line_id or lowest.startswith(f"{line.line_id}/"))
    return f"lines[{index}].vat"
