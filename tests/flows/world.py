"""One merchant with a shop and books in the sandbox, and the runs of his integration, without Airflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sluis.flows import integrations, sync
from sluis.flows.check import check_and_apply
from sluis.flows.context import Loaded, RunRequest
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from sluis.store.database import owner_connection
from sluis.store.merchants import Merchants

NO_WAIT = timedelta(0)


def config(**shop: Any) -> SandboxConfig:
    """A sandbox with one shop (60 orders unless said otherwise) and one administration."""
    return SandboxConfig(
        shops=(ShopConfig(**{"code": "shop", "orders": 60, "days": 20, **shop}),),
        administrations=(AdministrationConfig(id="460000000000000001"),),
    )


@dataclass
class World:
    """An integration that is live, and the sandbox it works against."""

    server: SandboxServer
    settings: dict[str, Any] = field(default_factory=dict)
    start: date = field(default_factory=lambda: datetime.now(UTC).date() - timedelta(days=90))
    live: bool = True
    merchant: str = ""
    code: str = ""
    _numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        shop = next(iter(self.server.state.shops.values()))
        books = next(iter(self.server.state.books.values()))
        keyring = Keyring.from_environment()
        with owner_connection() as conn:
            self.merchant = Merchants(conn).add("Test", keyring).code
            new = integrations.NewIntegration(
                merchant=self.merchant, shop="woocommerce", package="moneybird", start_date=self.start,
                shop_url=self.server.shop_url(shop.config.code),
                settings={
                    "package": {"administration_id": books.config.id, "base_url": self.server.books_url},
                    **self.settings,
                },
            )  # fmt: skip
            self.code = integrations.add(
                conn, keyring, new,
                {
                    "shop": {
                        "consumer_key": shop.config.consumer_key, "consumer_secret": shop.config.consumer_secret
                    },
                    "package": {"token": books.config.token},
                },
            ).code  # fmt: skip
        with open_session(self.merchant, self.code) as session:
            accounts = {a.code: a.id for a in session.package.check().ledger_accounts}
            integrations.change(session.conn, self.merchant, self.code, {"mapping": {
                "revenue": {"goods": accounts["8000"], "shipping": accounts["8100"]}, "rounding": accounts["8900"],
            }})  # fmt: skip
        with open_session(self.merchant, self.code) as session:
            check_and_apply(session)
        if self.live:
            with open_session(self.merchant, self.code) as session:
                integrations.go_live(session)

    def request(self, run_type: str = "scheduled", run_id: str | None = None, **more: Any) -> RunRequest:
        """A run as Airflow would start it; a scheduled one over the hour that ends now."""
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        if run_type == "scheduled":
            more = {"interval_start": end - timedelta(hours=1), "interval_end": end, **more}
        return RunRequest(
            merchant=self.merchant, integration=self.code, dag_id=f"sync__{self.merchant}__{self.code}",
            run_id=run_id or f"{run_type}__{next(self._numbers)}", run_type=run_type, **more,
        )  # fmt: skip

    def run(self, request: RunRequest | None = None) -> Loaded | None:
        """Run all four tasks; ``None`` when extract found nothing new."""
        request = request or self.request()
        try:
            if sync.extract(request).nothing_new:
                return None
            sync.transform(request)
            return sync.load(request, settle=NO_WAIT)
        finally:
            sync.shred(request)

    def stats(self) -> dict[str, Any]:
        """What shop and books count themselves."""
        return self.server.state.stats()
