"""A small sandbox in this process, and the means to sign a request as a WooCommerce client does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer

SHOP = ShopConfig(code="winkel", orders=120, consumer_key="ck_test", consumer_secret="cs_test")
BOOKS = AdministrationConfig(id="460000000000000001", token="token-one", contacts=2)
OTHER = AdministrationConfig(id="460000000000000002", token="token-two")


class Client:
    """Speaks to a running sandbox as the two connectors would."""

    def __init__(self, server: SandboxServer) -> None:
        self.server, self.state = server, server.state
        self.session = requests.Session()

    def shop(self, path: str, *, code: str = "winkel", secret: str | None = None, **query: Any) -> requests.Response:
        config = self.state.shop(code).config
        auth = OAuth1(
            config.consumer_key,
            client_secret=secret or config.consumer_secret,
            signature_method="HMAC-SHA256",
            signature_type="query",
        )
        url = f"{self.server.shop_url(code)}/wp-json/wc/v3{path}"
        return self.session.get(url, params=query, auth=auth, timeout=10)

    def books(
        self, method: str, path: str, *, administration: str = BOOKS.id, token: str = BOOKS.token, **options: Any
    ) -> requests.Response:
        url = f"{self.server.books_url}/{administration}{path}"
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.request(method, url, headers=headers, timeout=options.pop("timeout", 10), **options)

    def control(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.state.config.control_token}"}
        return self.session.request(method, f"{self.server.url}/_sandbox{path}", headers=headers, timeout=10, **options)

    def contact(self, **fields: Any) -> str:
        answer = self.books("POST", "/contacts.json", json={"contact": {"firstname": "Test", **fields}})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def invoice(self, contact_id: str, reference: str = "1001", **fields: Any) -> requests.Response:
        lines = fields.pop("lines", [{"description": "Mok", "price": "12.95", "amount": "3"}])
        timeout = fields.pop("timeout", 10)
        body = {"contact_id": contact_id, "reference": reference, "details_attributes": lines, **fields}
        return self.books(
            "POST", "/external_sales_invoices.json", json={"external_sales_invoice": body}, timeout=timeout
        )


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(seed=7, shops=(SHOP,), administrations=(BOOKS, OTHER))) as running:
        yield running


@pytest.fixture
def client(server: SandboxServer) -> Iterator[Client]:
    server.state.reset()
    speaker = Client(server)
    yield speaker
    speaker.session.close()
