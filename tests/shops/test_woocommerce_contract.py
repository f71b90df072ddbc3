"""WooCommerce keeps the contract of every shop connector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.shop_contract import ShopContract
from tests.shops.fake_woocommerce import FakeWooCommerce, serve


class TestWooCommerce(ShopContract):
    @pytest.fixture
    def shop(self) -> Iterator[FakeWooCommerce]:
        with serve(read_timeout=3.0, read_retries=1) as running:
            yield running
