"""Who plays in the demonstration: three merchants with different shops, books and settings. All invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig


@dataclass(frozen=True)
class Part:
    """One merchant: his shop and administration in the sandbox, and what he chose."""

    name: str
    shop: ShopConfig
    administration: AdministrationConfig
    start_days_ago: int
    settings: dict[str, Any]
    what: str  #: one line for the table

    def start_date(self, today: date) -> date:
        """The first day whose documents are booked."""
        return today - timedelta(days=self.start_days_ago)


def cast(orders_csv: Path | None) -> tuple[Part, ...]:
    """Return the three merchants; with ``orders_csv`` the third one's shop holds those real order lines."""
    return (
        Part(
            name="De Zonnehoek (demo)",
            shop=ShopConfig(code="zonnehoek", name="De Zonnehoek", orders=160, days=40),
            administration=AdministrationConfig(id="460000000000000001", name="De Zonnehoek"),
            start_days_ago=60,
            settings={"interval_minutes": 15},
            what="prices with VAT, every awkward case, all of it after the start date",
        ),
        Part(
            name="Groothandel Noord (demo)",
            shop=ShopConfig(
                code="noord", name="Groothandel Noord", orders=120, days=40, prices_include_vat=False, eu_rates="home"
            ),
            administration=AdministrationConfig(id="460000000000000002", name="Groothandel Noord", contacts=60),
            start_days_ago=20,
            settings={
                "interval_minutes": 15,
                "reference_prefix": "N-",
                "eu_consumers": "home_vat",
                "document_date": "order",
                "debtors_before_start": True,
            },
            what="prices without VAT, contacts of before, only the last 20 days",
        ),
        _third(orders_csv),
    )


def _third(orders_csv: Path | None) -> Part:
    shop = ShopConfig(code="molen", name="De Molen", orders=0 if orders_csv else 80, days=30, eu_rates="home",
                      orders_csv=orders_csv, specials=orders_csv is None)  # fmt: skip
    return Part(
        name="De Molen (demo)",
        shop=shop,
        administration=AdministrationConfig(id="460000000000000003", name="De Molen"),
        start_days_ago=400 if orders_csv else 45,
        settings={
            "interval_minutes": 15,
            "reference_prefix": "WEB",
            "eu_consumers": "home_vat",
            "require_paid": {"*": True, "cod": False},
        },
        what="real order lines from the file" if orders_csv else "only what is paid, home VAT for EU consumers",
    )


def sandbox(parts: tuple[Part, ...]) -> SandboxConfig:
    """Return the sandbox that holds the merchants' shops and books, with fresh random keys."""
    return SandboxConfig(
        shops=tuple(part.shop for part in parts), administrations=tuple(part.administration for part in parts)
    )
