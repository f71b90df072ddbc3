"""Who plays in the demonstration: three merchants with different shops, books and settings. All invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig

#: A well-formed number of documentation that the sandbox's VIES knows; every merchant of the demo goes by it.
VAT_NUMBER = "NL000099998B57"
#: The article of the sandbox's catalogue that is a voucher.
VOUCHER = "GIFT50"


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
            settings={"interval_minutes": 15, "vat_number": VAT_NUMBER},
            what="prices with VAT, OSS, gift cards, every awkward case, all of it after the start date",
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
                "vat_number": VAT_NUMBER,
                "reference_prefix": "N-",
                "trigger_statuses": {
                    "*": ("processing", "completed"),
                    "bacs": ("on-hold", "processing", "completed"),
                    "cod": ("completed",),
                },
                "eu_consumers": "home_vat",
                "document_date": "order",
                "debtors_before_start": True,
            },
            what="prices without VAT, contacts of before, open invoices for bank transfers, only the last 20 days",
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
            "vat_number": VAT_NUMBER,
            "booking_mode": "daily",
            "reference_prefix": "WEB",
            "eu_consumers": "home_vat",
            "require_paid": {"*": True, "cod": False},
        },
        what=("real order lines from the file" if orders_csv else "only what is paid, home VAT for EU consumers")
        + ", one journal entry a day",
    )


def sandbox(parts: tuple[Part, ...]) -> SandboxConfig:
    """Return the sandbox that holds the merchants' shops and books, with fresh random keys."""
    return SandboxConfig(
        shops=tuple(part.shop for part in parts), administrations=tuple(part.administration for part in parts)
    )
