"""The connector against the sandbox's own shop, which was built apart from it: signature, check and a whole reading."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from sluis.core.order import Order
from sluis.errors import Reconnect
from sluis.ports import Window
from sluis.sandbox.config import SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from sluis.shops.woocommerce import CONNECTOR
from sluis.shops.woocommerce.connector import WooCommerceShop

CONFIG = SandboxConfig(shops=(ShopConfig(code="winkel", orders=130),))
EVERYTHING = Window(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime.now(UTC) + timedelta(days=1))


def connect(server: SandboxServer, secret: str) -> WooCommerceShop:
    settings = CONNECTOR.settings_model.model_validate({"url": server.shop_url("winkel")})
    keys = {"consumer_key": CONFIG.shops[0].consumer_key, "consumer_secret": secret}
    return CONNECTOR.connect(settings, CONNECTOR.credentials_model.model_validate(keys), None, None)


@pytest.mark.parametrize("by", ["modified", "dated"])
def test_the_whole_sandbox_shop_is_read(by: Literal["modified", "dated"]) -> None:
    with SandboxServer(CONFIG) as server:
        shop = connect(server, CONFIG.shops[0].consumer_secret)
        pages = list(shop.read(EVERYTHING, by=by))
        facts = shop.check()
        refunds = server.state.shop("winkel").book.refunds
    orders = [document for page in pages for document in page.documents if isinstance(document, Order)]
    assert sum(len(page.documents) for page in pages) == len(orders)
    seen = [order for order in orders if order.status != "trash"]
    assert len(seen) == sum(page.counted or 0 for page in pages) == pages[0].shop_count == facts.orders
    assert len(orders) > len(seen)
    assert facts.orders is not None
    assert facts.orders > 100
    assert max(Counter(order.order_id for order in orders).values()) == 1
    assert {refund.refund_id for order in orders for refund in order.refunds} == {str(number) for number in refunds}


def test_a_wrong_secret_is_refused() -> None:
    with SandboxServer(CONFIG) as server, pytest.raises(Reconnect):
        connect(server, "cs_wrong").check()
