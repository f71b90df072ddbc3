"""A store with a bit of everything a backup holds, and a register of two lines. Nobody in it exists."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sluis.core.settings import IntegrationSettings
from sluis.privacy.register import Published, Register
from sluis.store.credentials import Credentials
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.merchants import Merchants
from tests.conftest import Database


def published(window: str = "P35D") -> Published:
    """A register whose only use here is its version and its backup window."""
    words = {"nl": "proef", "en": "test"}
    category = {
        "id": "backups", "what": words, "places": [{"files": "backups/*.dump"}], "data": "none",
        "purposes": ["security"], "role": "processor", "basis": words, "method": "delete_files",
    }  # fmt: skip
    register = {"version": 3, "date": date(2026, 11, 23), "backup_window": window, "categories": [category]}
    return Published(register_=Register.model_validate(register), sha256="ab" * 32)


def fill(database: Database, **more: Any) -> str:
    """Add a merchant with a live integration, its credentials and one booking; returns his code."""
    with database.owner() as conn:
        merchant = Merchants(conn).add("Voorbeeld B.V.", database.keyring).code
        settings = IntegrationSettings.model_validate({"start_date": date(2026, 1, 1)})
        code = Integrations(conn).add(
            merchant, shop="woocommerce", package="moneybird", settings=settings, administration_key=f"mb/{merchant}"
        ).code  # fmt: skip
        for side in ("shop", "package"):
            Credentials(conn, database.keyring).put(merchant, code, side, {"token": "geheim"})  # type: ignore[arg-type]
        Integrations(conn).set_state(merchant, code, IntegrationState.LIVE)
        book(conn, merchant, code, 1, more.get("issued", datetime.now(UTC).date()))
    return merchant


def book(conn: Any, merchant: str, code: str, number: int, issued: date) -> None:
    """Add a booking row as a run would leave it."""
    conn.execute(
        """insert into sluis.booking (merchant_code, integration_code, administration_key, kind, document_key,
        revision, state, reference, order_number, booked_at, external_id, fingerprint, total_cents, vat_cents, currency,
        issue_date, run_id)
        values (%s, %s, %s, 'invoice', %s, 0, 'booked', %s, %s, %s, %s, %s, 12100, 2100, 'EUR', %s, 'run')""",
        [merchant, code, f"mb/{merchant}", number.to_bytes(32, "big"), f"W-{number}", str(number),
         datetime.now(UTC) - timedelta(days=1), f"x{number}", bytes(32), issued],
    )  # fmt: skip
