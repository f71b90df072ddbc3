"""What a comparison plays on: the sandbox and PostgreSQL in processes of their own, and an integration that is live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml

from sluis.flows import integrations
from sluis.flows.check import check
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.store.database import OWNER_URL, TASK_URL, owner_connection
from sluis.store.merchants import Merchants
from sluis.store.migrate import TASK_ROLE, upgrade
from sluis.store.server import LocalServer

OWNER = "sluis_owner"
ADMINISTRATION = "460000000000000001"
#: The orders are spread over so many days; the integration starts before the first of them.
DAYS = 45


@dataclass(frozen=True)
class Stage:
    """Addresses and keys of the sandbox, and the store's server."""

    facts: dict[str, Any]
    server: LocalServer

    @property
    def shop(self) -> dict[str, str]:
        """The shop's address and key, as the bare script takes them."""
        shop = self.facts["shops"]["shop"]
        return {"url": shop["url"], "key": shop["consumer_key"], "secret": shop["consumer_secret"]}

    @property
    def books(self) -> dict[str, str]:
        """The books' address and token."""
        books = self.facts["administrations"][ADMINISTRATION]
        return {"url": books["url"], "administration": ADMINISTRATION, "token": books["token"]}

    def stats(self) -> dict[str, Any]:
        """What shop and books count themselves, and how often each path was called."""
        return self._control("GET", "stats")

    def reset(self) -> None:
        """Empty the books and fill the shop again with the same orders."""
        self._control("POST", "reset")

    def calls(self) -> int:
        """Calls of shop and books since the start or the last ``reset``."""
        counted: dict[str, int] = self.stats()["calls"]
        return sum(count for path, count in counted.items() if "/_sandbox" not in path)

    def postmaster(self) -> int:
        """The process id of PostgreSQL."""
        return int((self.server.data / "postmaster.pid").read_text().split()[0])

    def _control(self, method: str, path: str) -> Any:
        control = self.facts["control"]
        headers = {"Authorization": f"Bearer {control['token']}"}
        answer = requests.request(method, f"{control['url']}/{path}", headers=headers, timeout=600)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def stage(orders: int) -> Iterator[Stage]:
    """Start a sandbox with so many ordinary orders and an empty store; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sluis-bench-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o711)  # our own directory: the account that runs PostgreSQL for root passes through
        home = Path(directory)
        server = LocalServer(home / "server")
        server.start()
        try:
            with _sandbox(home, orders) as facts:
                yield Stage(facts, server)
        finally:
            server.stop()


@contextmanager
def _sandbox(home: Path, orders: int) -> Iterator[dict[str, Any]]:
    config = {
        "shops": [{"code": "shop", "orders": orders, "days": DAYS, "specials": False}],
        "administrations": [{"id": ADMINISTRATION}],
    }
    (home / "sandbox.yaml").write_text(yaml.safe_dump(config))
    keys = home / "keys.json"
    arguments = ["--config", str(home / "sandbox.yaml"), "--port", "0", "--keys-file", str(keys)]
    process = subprocess.Popen([sys.executable, "-m", "sluis.sandbox", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield _told(process, keys)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _told(process: subprocess.Popen[bytes], keys: Path) -> dict[str, Any]:
    """Wait for the sandbox: it writes its keys when it listens, and answers soon after."""
    while process.poll() is None:
        if keys.exists() and (text := keys.read_text()):
            facts: dict[str, Any] = json.loads(text)
            try:
                requests.get(facts["url"], timeout=60)
            except requests.ConnectionError:
                pass
            else:
                return facts
        time.sleep(0.1)
    raise SystemExit("the sandbox did not start: its last words stand above")


def environment(played: Stage, database: str) -> dict[str, str]:
    """Make an empty, migrated database and return what a process needs to use it."""
    played.server.provide(database, OWNER)
    owner = played.server.dsn(database, OWNER)
    upgrade(owner)
    task = played.server.dsn(database, TASK_ROLE)
    return {OWNER_URL: owner, TASK_URL: task, "SLUIS_KEYS": Keyring.generate()}


def connect(played: Stage) -> dict[str, Any]:
    """Add a merchant with a live integration; return the request of its first scheduled run, as JSON."""
    start = datetime.now(UTC).date() - timedelta(days=2 * DAYS)
    keyring = Keyring.from_environment()
    shop, books = played.shop, played.books
    with owner_connection() as conn:
        merchant = Merchants(conn).add("Bench", keyring).code
        package = {"administration_id": ADMINISTRATION, "base_url": books["url"]}
        new = integrations.NewIntegration(
            merchant=merchant, shop="woocommerce", package="moneybird", start_date=start, shop_url=shop["url"],
            settings={"package": package, "register_payments": False},  # the bare script registers none either
        )  # fmt: skip
        secrets: integrations.Secrets = {
            "shop": {"consumer_key": shop["key"], "consumer_secret": shop["secret"]},
            "package": {"token": books["token"]},
        }
        code = integrations.add(conn, keyring, new, secrets).code
    with open_session(merchant, code) as session:
        integrations.change(session.conn, merchant, code, {"mapping": _mapping(session.package.check())})
    with open_session(merchant, code) as session:
        proposed = check(session).proposal.mapping.model_dump(mode="json")
        integrations.change(session.conn, merchant, code, {"mapping": proposed})
    with open_session(merchant, code) as session:
        integrations.go_live(session)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return {
        "merchant": merchant,
        "integration": code,
        "dag_id": f"sync__{merchant}__{code}",
        "run_id": "bench",
        "run_type": "scheduled",
        "interval_start": (end - timedelta(hours=1)).isoformat(),
        "interval_end": end.isoformat(),
    }


def _mapping(facts: Any) -> dict[str, Any]:
    """One ledger account for all, as in the bare script, and the rates that ``check`` cannot tell apart by itself."""
    revenue = next(account.id for account in facts.ledger_accounts if account.kind == "revenue")
    rates = {rate.name: rate.id for rate in facts.tax_rates if rate.active and rate.country is None}
    home = {f"S {percent} NL": rates[f"{percent}% btw"] for percent in (21, 9)}
    export = next(rate_id for name, rate_id in rates.items() if "export" in name)
    return {"tax_rates": {**home, "G 0 NL": export}, "revenue": {"goods": revenue}}
