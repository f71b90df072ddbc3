"""The codec alone: whatever characters a shop's texts hold, a chunk comes out as it went in, or is refused."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.order import Address, Buyer, LineKind, Order, OrderLine
from sluis.core.personal import Personal
from sluis.errors import Defect
from sluis.transit.codec import decode, encode

MARKER = "Canary-7f3k"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
#: Everything at which ``str.splitlines`` ends a line.
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(LINE_ENDS + '"\\{}a', min_size=1)


def order(text: str, name: str) -> Order:
    line = OrderLine(
        line_id="1", kind=LineKind.GOODS, description=name, quantity=Decimal(1), net=Decimal("10.00"),
        vat_total=Decimal("2.10"),
    )  # fmt: skip
    address = Address(country="NL", street=Personal(text))
    return Order(
        platform="woocommerce", order_id="1", number="1", status="completed", currency="EUR", created_at=NOON,
        modified_at=NOON, prices_include_vat=True, lines=(line,), total_vat=Decimal("2.10"), total=Decimal("12.10"),
        buyer=Buyer(last_name=Personal(text), address=address), ship_to=address,
    )  # fmt: skip


@pytest.mark.parametrize("end", LINE_ENDS)
def test_no_line_end_inside_a_text_ends_an_item(end: str) -> None:
    items = [order(f"Dorps{end}straat", f"Fie{end}ts"), order("Anna", "Mok")]
    assert decode(encode(items)) == items


@given(text=TEXTS, name=TEXTS)
def test_every_text_comes_out_as_it_went_in(text: str, name: str) -> None:
    items = [order(text, name), order(name, text)]
    assert decode(encode(items)) == items


def test_half_a_surrogate_pair_is_refused_without_showing_the_text() -> None:
    with pytest.raises(Defect) as caught:
        encode([order(MARKER + "\ud83d", "Mok")])
    assert caught.value.code == "transit_text"
    assert MARKER not in "".join(traceback.format_exception(caught.value))
