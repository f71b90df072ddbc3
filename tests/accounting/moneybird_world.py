"""The connector beside the fake Moneybird, as the contract and the other tests use it."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from sluis.accounting import connector
from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.accounting.moneybird.client import Bearer, MoneybirdClient
from sluis.accounting.moneybird.connector import Moneybird
from sluis.accounting.moneybird.settings import MoneybirdCredentials, MoneybirdSettings
from sluis.core.personal import Personal
from sluis.core.settings import Mapping
from tests.accounting.fake_moneybird import ADMINISTRATION, TOKEN, Books, Server
from tests.contracts.accounting_contract import Fault, Standing, World

MAPPING = Mapping(
    tax_rates={"S 21 NL": "21", "S 9 NL": "9", "G 0 NL": "7", "O 0 NL": "5"}, revenue={"goods": "8000"},
    rounding="8900",
)  # fmt: skip
_FAULTS: dict[Fault, Any] = {
    Fault.SILENT_AFTER_COMMIT: "silent",
    Fault.TIMEOUT_AFTER_COMMIT: "hang",
    Fault.ERROR_AFTER_COMMIT: "500",
    Fault.TRUNCATED_AFTER_COMMIT: "cut",
    Fault.UNAUTHORISED: (401, {"error": "Authorization required"}),
    Fault.FORBIDDEN: (403, {"error": "Zoe Voorbeeld may not"}),
    Fault.ABSENT: (404, {"error": "record not found"}),
    Fault.INVALID: (422, {"error": {"reference": ["zoe.example@example.com is odd"], "Zoe Voorbeeld": ["x"]}}),
}


class FreeLimiter:
    """Counts calls and lets all of them pass."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.observed: list[dict[str, Any]] = []

    def acquire(self, key: str) -> None:
        self.keys.append(key)

    def observe(self, key: str, **what: Any) -> None:
        self.observed.append(what)


class MoneybirdWorld(World):
    def __init__(self, *, per_line: bool = False) -> None:
        self.books = Books(per_line=per_line)
        self.server = Server(self.books)
        self.limiter = FreeLimiter()
        self.settings = MoneybirdSettings(administration_id=ADMINISTRATION, base_url=self.server.url)
        self.credentials = MoneybirdCredentials(token=Personal(TOKEN))
        self.connector = connector("moneybird").connect(self.settings, self.credentials, MAPPING, self.limiter)
        self.hasty = self.make(read_timeout=1.0)

    def make(self, mapping: Mapping = MAPPING, **options: Any) -> Moneybird:
        key = to_moneybird.limiter_key(self.credentials)
        auth = Bearer(to_moneybird.authorization(self.credentials))
        options = {"sleep": lambda seconds: None, **options}
        client = MoneybirdClient(self.settings.base_url, ADMINISTRATION, auth, self.limiter, key, **options)
        return Moneybird(client, self.settings, mapping, key)

    def close(self) -> None:
        self.connector.close()
        self.hasty.close()
        self.server.stop()

    def next_write(self, fault: Fault) -> None:
        if fault is Fault.QUOTA:
            self.books.faults.append((429, "Retry later", {"Retry-After": str(int(time.time()) + 200)}))
        else:
            self.books.faults.append(_FAULTS[fault])

    def standing(self) -> list[Standing]:
        with self.books.lock:
            rows = list(self.books.invoices.values())
        return [Standing(row["reference"], Decimal(row["total_price_incl_tax"]), row["contact_id"]) for row in rows]

    def debtors(self) -> int:
        return len(self.books.contacts)

    def remove_debtor(self, debtor_id: str) -> None:
        del self.books.contacts[debtor_id]
