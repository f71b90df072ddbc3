"""Stored settings and credentials that no longer fit are named by the connector's own fields only."""

from __future__ import annotations

import pytest

from sluis.errors import NotConfigured, Reconnect
from sluis.flows.wiring import _validated
from sluis.shops.woocommerce.settings import WooCommerceCredentials, WooCommerceSettings


def test_a_credential_stored_as_a_name_is_not_shown() -> None:
    stored = {"consumer_key": "ck", "cs_CANARY": "x"}
    with pytest.raises(
        Reconnect, match=r"wrong in: consumer_secret, unknown field\(s\); known: consumer_key"
    ) as caught:
        _validated(WooCommerceCredentials, stored, "credentials of the shop")
    assert "CANARY" not in str(caught.value)
    with pytest.raises(NotConfigured, match="wrong in: test_payments;") as caught_too:
        _validated(WooCommerceSettings, {"url": "https://x.nl", "test_payments": {"CANARY": 1}}, "settings of the shop")
    assert "CANARY" not in str(caught_too.value)
