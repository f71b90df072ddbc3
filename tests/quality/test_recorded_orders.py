"""Orders that a real shop told: what the core would book passes both suites; neither holds back a good order."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind, Prepared
from sluis.core.invoicing import prepare
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.quality.judge import judge_extracted, judge_transformed
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.shared import shared_root

FOLDER = shared_root() / "recordings" / "woocommerce-10.0.2"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.exists(), reason="needs shared/recordings/woocommerce-10.0.2, which is not here"),
]
SETTINGS = IntegrationSettings(start_date=date(2020, 1, 1))
READ_AT = datetime(2026, 11, 24, tzinfo=UTC)  # a day after the recording


def _body(name: str) -> Any:
    path = FOLDER / name
    return json.loads(path.read_text(), parse_float=Decimal)["response"]["body"] if path.exists() else []


def _orders() -> list[Order]:
    shop = WooCommerceSettings(url="https://shop.example")
    found: dict[str, Order] = {}
    for path in sorted(FOLDER.glob("order-*.json")):
        raw = _body(path.name)
        if isinstance(raw, dict) and "line_items" in raw:
            order = to_order(raw, _body(path.name.replace("order-", "refunds-", 1)), shop)
            if isinstance(order, Order):
                found.setdefault(order.order_id, order)
    return list(found.values())


def test_no_recorded_order_that_would_be_booked_is_held_back() -> None:
    orders = _orders()
    extracted = judge_extracted(orders, settings=SETTINGS, read_at=READ_AT)
    ready: list[Prepared] = []
    charged: list[Decimal] = []
    for position, order in enumerate(orders):
        refunds = {refund.refund_id: place for place, refund in enumerate(order.refunds)}
        for decision in prepare(order, SETTINGS, today=date(2026, 11, 23)):
            if isinstance(decision, Prepared):
                credit = decision.invoice.kind is DocumentKind.CREDIT_NOTE
                place = refunds[decision.invoice.document_id] if credit else None
                assert extracted.flaw(position, place) is None
                ready.append(decision)
                charged.append(order.total if place is None else order.refunds[place].total)
    assert len(ready) > 30
    assert judge_transformed(ready, charged, settings=SETTINGS, read_at=READ_AT).flaws == ()
