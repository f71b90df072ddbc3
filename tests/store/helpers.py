"""Merchants and integrations for the tests of the store; nobody in them exists."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from sluis.core.invoice import DocumentKind
from sluis.core.settings import IntegrationSettings
from sluis.store.bookings import Booking, Bookings
from sluis.store.integrations import Integration, Integrations
from sluis.store.merchants import Merchants
from tests.conftest import Database

SETTINGS = IntegrationSettings(start_date=date(2026, 1, 1))


def add_integration(
    database: Database, *, merchant: str | None = None, administration: str | None = None, code: str | None = None
) -> Integration:
    """Add an integration, for a new merchant unless one is named; in the merchant's one administration unless named."""
    with database.owner() as conn:
        owner = merchant or Merchants(conn).add("Voorbeeld", database.keyring).code
        return Integrations(conn).add(
            owner, shop="woocommerce", package="moneybird", settings=SETTINGS, code=code,
            administration_key=administration or f"moneybird/{owner}",
        )  # fmt: skip


def key(number: int) -> bytes:
    """Return a document key."""
    return number.to_bytes(32, "big")


def claim(bookings: Bookings, number: int, **other: Any) -> Booking:
    """Claim an invoice over 12,10 with 2,10 VAT; ``other`` replaces what it is given."""
    values: dict[str, Any] = {
        "kind": DocumentKind.INVOICE, "document_key": key(number), "revision": 0, "reference": str(number),
        "order_number": str(number), "fingerprint": b"f" * 32, "total_cents": 1210, "vat_cents": 210,
        "currency": "EUR", "issue_date": date(2026, 11, 2), "run_id": "run",
    }  # fmt: skip
    values |= other
    return bookings.claim(**{"reference_key": name(values["reference"]), **values})


def name(reference: str) -> bytes:
    """Stand for the keyed hash of a reference."""
    return hashlib.sha256(reference.encode()).digest()
