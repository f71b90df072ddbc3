"""A real PostgreSQL for the whole session, and a fresh migrated database for whoever asks, in a tenth of a second."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sluis.privacy.keyring import Keyring
from sluis.registers import ecb, vies
from sluis.store.database import OWNER_URL, RETENTION_URL, STATISTICS_URL, TASK_URL, Connection, connect
from sluis.store.migrate import RETENTION_ROLE, STATISTICS_ROLE, TASK_ROLE, upgrade
from sluis.store.server import SUPERUSER, LocalServer

OWNER = "sluis_owner"
_TEMPLATE = "sluis_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A migrated database of this test alone: how the owner and the tasks reach it, and the keys it is sealed with."""

    name: str
    owner_dsn: str
    task_dsn: str
    keys: str
    retention_dsn: str = ""
    statistics_dsn: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {
            OWNER_URL: self.owner_dsn, TASK_URL: self.task_dsn, RETENTION_URL: self.retention_dsn,
            STATISTICS_URL: self.statistics_dsn, "SLUIS_KEYS": self.keys,
        }  # fmt: skip

    @property
    def keyring(self) -> Keyring:
        """The keys."""
        return Keyring.parse(self.keys)

    def owner(self) -> Connection:
        """Connect as the owner."""
        return connect(self.owner_dsn)

    def retention(self) -> Connection:
        """Connect as the role that deletes what has expired."""
        return connect(self.retention_dsn)

    def statistics(self) -> Connection:
        """Connect as the role that makes the anonymous statistics."""
        return connect(self.statistics_dsn)

    def task(self, merchant: str | None) -> Connection:
        """Connect as the task role, for one merchant's rows (``None``: with no merchant set)."""
        return connect(self.task_dsn, merchant=merchant)


@pytest.fixture(autouse=True)
def _registers_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep VAT numbers and exchange rates from being asked outside: nobody answers, unless a test names its sandbox."""
    for name in (vies.URL, ecb.URL):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalServer]:
    """Start one server for the session. It keeps nothing: fsync is off."""
    with tempfile.TemporaryDirectory(prefix="sluis-pg-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o711)  # our own directory: the account that runs PostgreSQL for root passes through
        server = LocalServer(
            Path(directory) / "server",
            settings={
                "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
                "shared_buffers": "32MB", "max_connections": "100",
            },
        )  # fmt: skip
        server.start()
        try:
            server.provide(_TEMPLATE, OWNER)
            upgrade(server.dsn(_TEMPLATE, OWNER))
            yield server
        finally:
            server.stop()


@pytest.fixture
def database(postgres: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Give a fresh migrated database to one test, and name it in the environment."""
    yield from _fresh(postgres, monkeypatch)


@pytest.fixture(scope="module")
def module_database(postgres: LocalServer) -> Iterator[Database]:
    """Give a fresh migrated database to the tests of one module, and name it in the environment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from _fresh(postgres, monkeypatch)


@pytest.fixture
def empty_database(postgres: LocalServer) -> Iterator[str]:
    """Give the DSN (as owner) of a database that was never migrated."""
    name = f"empty_{next(_numbers)}"
    postgres.provide(name, OWNER)
    try:
        yield postgres.dsn(name, OWNER)
    finally:
        _drop(postgres, name)


def _fresh(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
        names = sql.Identifier(name), sql.Identifier(_TEMPLATE), sql.Identifier(OWNER)
        conn.execute(sql.SQL("create database {} template {} owner {}").format(*names))
    dsns = [server.dsn(name, role) for role in (OWNER, TASK_ROLE, RETENTION_ROLE, STATISTICS_ROLE)]
    made = Database(name, dsns[0], dsns[1], Keyring.generate(), dsns[2], dsns[3])
    for variable, value in made.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("SLUIS_KEYS_FILE", raising=False)
    try:
        yield made
    finally:
        _drop(server, name)


def _drop(server: LocalServer, name: str) -> None:
    with psycopg.connect(server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
        conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
