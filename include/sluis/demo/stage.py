"""Sets the stage: PostgreSQL, both databases, the sandbox, the merchants, and Airflow. Leaves no process behind."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sluis.demo.cast import VOUCHER, Part, sandbox
from sluis.errors import Defect
from sluis.flows import integrations
from sluis.flows.check import check_and_apply
from sluis.flows.wiring import open_session
from sluis.http.session import VendorSession
from sluis.local.airflow_env import child_environment
from sluis.local.processes import Child, free_port, stop
from sluis.local.stack import LocalAirflow, Progress
from sluis.privacy.keyring import KEYS_FILE, Keyring
from sluis.registers import ecb, vies
from sluis.sandbox import ecb as sandbox_ecb
from sluis.sandbox import vies as sandbox_vies
from sluis.store.database import OWNER_URL, RETENTION_URL, STATISTICS_URL, TASK_URL, owner_connection
from sluis.store.merchants import Merchants
from sluis.store.migrate import RETENTION_ROLE, STATISTICS_ROLE, TASK_ROLE, upgrade
from sluis.store.server import LocalServer

STORE, AIRFLOW = "sluis", "airflow"
_OWNERS = {STORE: "sluis_owner", AIRFLOW: "airflow"}
#: Filling a shop from a large file of order lines takes its time.
_SANDBOX_SECONDS = 300


@dataclass(frozen=True)
class Actor:
    """A merchant on the stage."""

    part: Part
    merchant: str
    integration: str

    @property
    def dag_id(self) -> str:
        """His DAG."""
        return f"sync__{self.merchant}__{self.integration}"


class Sandbox:
    """The sandbox as a child process, and what it says of itself. Raises ``Defect`` when it does not start."""

    def __init__(self, home: Path, parts: tuple[Part, ...], progress: Progress) -> None:
        self._keys, log = home / "sandbox-keys.json", home / "logs" / "sandbox.log"
        config = home / "sandbox.yaml"
        _write_private(config, yaml.safe_dump(sandbox(parts).model_dump(mode="json")))
        self._keys.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sluis.sandbox", "--port", str(free_port()), "--config", str(config),
                   "--keys-file", str(self._keys)]  # fmt: skip
        self._child = Child("sandbox", command, child_environment({}), log)
        try:
            self.facts = self._wait(progress)
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raise ``Defect`` when it has ended."""
        if self._child.status() is not None:
            raise Defect(f"the sandbox ended: {self._child.last_line()} (log: {self._child.log})", code="sandbox_died")

    def stats(self, windows: Mapping[str, str]) -> dict[str, Any]:
        """What shops and books count themselves: documents, cents, contacts, calls.

        ``windows`` gives per shop the interval (ISO 8601, with a slash) whose changes are counted apart.
        """
        stats: dict[str, Any] = self.control("GET", "/stats", params=windows)
        return stats

    def control(self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None) -> Any:
        """Call its control API; returns the answer's body. Raises what a ``VendorSession`` raises."""
        control = self.facts["control"]
        http = VendorSession(
            control["url"], vendor="sandbox", auth=None, limiter=None, limiter_key="sandbox",
            headers={"Authorization": f"Bearer {control['token']}"},
        )  # fmt: skip
        try:
            return http.request(method, path, params=dict(params or {}), json_body=body).body
        finally:
            http.close()

    @property
    def registers(self) -> dict[str, str]:
        """The variables that name its stand-ins for VIES and the ECB: nothing of the demo leaves this machine."""
        url = self.facts["url"]
        return {vies.URL: url + sandbox_vies.API, ecb.URL: url + sandbox_ecb.API}

    def stop(self) -> None:
        """End it."""
        stop([self._child])

    def _wait(self, progress: Progress) -> dict[str, Any]:
        began = time.monotonic()
        progress("sandbox: filling the shops")
        while not self._keys.exists():
            self.check()
            if time.monotonic() - began > _SANDBOX_SECONDS:
                raise Defect(f"the sandbox was not ready after {_SANDBOX_SECONDS} s (log: {self._child.log})")
            time.sleep(0.1)
        facts: dict[str, Any] = json.loads(self._keys.read_text(encoding="utf-8"))
        orders = sum(shop["orders"] for shop in facts["shops"].values())
        progress(f"sandbox: {len(facts['shops'])} shops with {orders} orders at {facts['url']}")
        return facts


@contextmanager
def database(home: Path, progress: Progress) -> Iterator[LocalServer]:
    """Start PostgreSQL, make both databases anew, and migrate sluis' own; the environment names them from here on."""
    server = LocalServer(home / "postgres")
    progress("PostgreSQL 18: starting")
    server.start()
    try:
        for name, owner in _OWNERS.items():
            server.discard(name)
            server.provide(name, owner)
        keys = home / "keys"
        _write_private(keys, Keyring.generate())
        os.environ |= {
            OWNER_URL: server.dsn(STORE, _OWNERS[STORE]),
            TASK_URL: server.dsn(STORE, TASK_ROLE),
            RETENTION_URL: server.dsn(STORE, RETENTION_ROLE),
            STATISTICS_URL: server.dsn(STORE, STATISTICS_ROLE),
            KEYS_FILE: str(keys),
        }
        os.environ.pop("SLUIS_KEYS", None)
        version = upgrade(os.environ[OWNER_URL])[1]
        progress(f"PostgreSQL 18: answers; sluis' schema is at {version}")
        yield server
    finally:
        server.stop()


def enter(parts: tuple[Part, ...], facts: dict[str, Any], progress: Progress) -> list[Actor]:
    """Register the merchants as an operator does: add, check, take the proposed mapping, go live."""
    return [_enter(part, facts, progress) for part in parts]


def _enter(part: Part, facts: dict[str, Any], progress: Progress) -> Actor:
    shop = facts["shops"][part.shop.code]
    books = facts["administrations"][part.administration.id]
    keyring = Keyring.from_environment()
    with owner_connection() as conn:
        merchant = Merchants(conn).add(part.name, keyring).code
        new = integrations.NewIntegration(
            merchant=merchant, shop="woocommerce", package="moneybird",
            start_date=part.start_date(datetime.now(UTC).date()), shop_url=shop["url"],
            settings={
                "package": {"administration_id": part.administration.id, "base_url": books["url"]},
                "shop": {"gift_card_skus": [VOUCHER]},
                **part.settings,
            },
        )  # fmt: skip
        secrets: integrations.Secrets = {
            "shop": {"consumer_key": shop["consumer_key"], "consumer_secret": shop["consumer_secret"]},
            "package": {"token": books["token"]},
        }
        code = integrations.add(conn, keyring, new, secrets).code
    with open_session(merchant, code) as session:  # the one choice that is the merchant's own: his revenue accounts
        accounts = {account.code: account.id for account in session.package.check().ledger_accounts}
        revenue = {"goods": accounts["8000"], "shipping": accounts["8100"], "gift_card": accounts["1850"]}
        chosen = {"mapping": {"revenue": revenue, "rounding": accounts["8900"]}}
        integrations.change(session.conn, merchant, code, chosen)
    with open_session(merchant, code) as session:
        filled = check_and_apply(session)[1].filled
    with open_session(merchant, code) as session:
        integrations.go_live(session)
    progress(f"merchant {merchant} ({part.name}): {shop['orders']} orders, {len(filled)} settings proposed, live")
    return Actor(part=part, merchant=merchant, integration=code)


def airflow(
    home: Path, server: LocalServer, port: int, registers: Mapping[str, str], progress: Progress
) -> LocalAirflow:
    """Return Airflow, not started yet. Raises ``NotConfigured("port_in_use")`` before anything is started."""
    needed = (TASK_URL, RETENTION_URL, STATISTICS_URL, KEYS_FILE)
    store = {**{name: os.environ[name] for name in needed}, **registers}
    return LocalAirflow(
        home / "airflow", server.dsn(AIRFLOW, _OWNERS[AIRFLOW]), port=port, store=store, progress=progress
    )


def fresh_home(home: Path) -> Path:
    """Return the home, which the caller holds, without the last demonstration's logs and Airflow."""
    home = home.resolve()
    for left in ("airflow", "logs"):
        shutil.rmtree(home / left, ignore_errors=True)
    return home


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
