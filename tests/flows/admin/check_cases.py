"""Settings, and what both sides of an integration say of themselves, for the tests of ``integration check``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sluis.core.settings import IntegrationSettings, tax_key
from sluis.flows.findings import Finding, Needed
from sluis.ports import LedgerAccount, PackageFacts, ShopFacts, TaxRate
from sluis.store.integrations import Integration, IntegrationState

TODAY = date(2026, 11, 23)


def settings(**other: Any) -> IntegrationSettings:
    return IntegrationSettings(**{"start_date": date(2026, 11, 1), "eu_consumers": "home_vat", **other})


def shop(**other: Any) -> ShopFacts:
    values: dict[str, Any] = {
        "version": "10.0.2", "currency": "EUR", "timezone": "Europe/Amsterdam", "prices_include_vat": True,
        "orders": 3, "tax_rates": (("NL", "21", "BTW"), ("NL", "9", "BTW laag")),
        "statuses": ("pending", "processing", "completed"),
    }  # fmt: skip
    return ShopFacts(**{**values, **other})


def books(**other: Any) -> PackageFacts:
    values: dict[str, Any] = {
        "administration": "1", "country": "NL", "currency": "EUR",
        "tax_rates": (
            TaxRate(id="21", name="21% btw", percent=Decimal(21), country=None),
            TaxRate(id="9", name="9% btw", percent=Decimal(9), country=None),
            TaxRate(id="old", name="19% btw", percent=Decimal(19), country=None, active=False),
        ),
        "ledger_accounts": (LedgerAccount(id="8000", name="Omzet", code="8000", kind="revenue"),),
        "has_debtors": False,
    }  # fmt: skip
    return PackageFacts(**{**values, **other})


def integration(code: str = "one", merchant: str = "mbcdf", state: str = "live", **other: Any) -> Integration:
    where = {"shop": {"url": other.pop("url", "https://shop.example.com")}}
    return Integration(
        merchant=merchant, code=code, shop="woocommerce", package="moneybird", state=IntegrationState(state),
        state_reason=None, settings=settings(**where, **other), settings_version=1, administration_key="moneybird/1",
        watermark=None, created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip


def codes(findings: Iterable[object], level: str) -> set[str]:
    return {finding.code for finding in findings if isinstance(finding, Finding) and finding.level == level}


def keys(found: Iterable[object], *, certain: bool | None = None) -> set[str]:
    return {tax_key(n.treatment) for n in found if isinstance(n, Needed) and certain in (None, n.certain)}
