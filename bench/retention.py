"""What physical deletion costs: bookings of a quarter are emptied, then the parts they stood in are rewritten.

``python bench/retention.py [bookings]`` starts a PostgreSQL of its own, with fsync on, and prints seconds.
Beside it a sync goes on claiming in the part that is rewritten: the longest it waited is the price of rewriting. The
baseline is the plain VACUUM, which leaves the bytes on disk.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from sluis.privacy.retention import physical
from sluis.privacy.retention.kit import Kit
from sluis.store.migrate import RETENTION_ROLE, upgrade
from sluis.store.server import LocalServer

_OWNER = "sluis_owner"
_MERCHANTS = 400
_FILL = f"""
insert into sluis.merchant (code, name, hash_key_wrapped, key_id)
    select 'm' || n, 'Voorbeeld', 'sealed', 'k' from generate_series(1, {_MERCHANTS}) as n;
insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key)
    select code, 'shop', 'woocommerce', 'moneybird', '{{}}', 'moneybird/' || code from sluis.merchant;
"""
_BOOKINGS = f"""
insert into sluis.booking (merchant_code, integration_code, administration_key, kind, document_key, revision, state,
    reference, order_number, booked_at, external_id, fingerprint, total_cents, vat_cents, package_total_cents,
    package_vat_cents, figures, currency, issue_date, run_id)
select 'm' || n %% {_MERCHANTS} + 1, 'shop', 'moneybird/m' || n %% {_MERCHANTS} + 1, 'invoice',
    sha256(n::text::bytea), 0, 'booked', n::text, n::text, now(), n::text, sha256(n::text::bytea), 12100, 2100, 12100,
    2100, '{{"goods": {{"S21": {{"net": 10000, "vat": 2100}}}}}}', 'EUR',
    date '2026-01-01' + (n %% 365)::int, 'scheduled__2026-01-01T00:00:00+00:00'
from generate_series(1, %s) as n
"""


class Sync(threading.Thread):
    """Writes a row of the part again and again, and notes the longest it waited."""

    def __init__(self, dsn: str, merchant: str) -> None:
        super().__init__()
        self._dsn, self._merchant, self._over, self.longest = dsn, merchant, threading.Event(), 0.0

    def run(self) -> None:
        """Write until it is stopped."""
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            while not self._over.wait(0.005):
                started = time.perf_counter()
                conn.execute(
                    "update sluis.booking set attempts = attempts + 1 where merchant_code = %s and document_key ="
                    " (select min(document_key) from sluis.booking where merchant_code = %s)",
                    [self._merchant, self._merchant],
                )
                self.longest = max(self.longest, time.perf_counter() - started)

    def end(self) -> float:
        """Stop, and return the longest wait in seconds."""
        self._over.set()
        self.join()
        return self.longest


def main(bookings: int) -> None:
    """Fill, empty a quarter, and time both ways of clearing up."""
    with tempfile.TemporaryDirectory(prefix="sluis-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        server = LocalServer(Path(directory) / "server", settings={"max_wal_size": "4GB", "shared_buffers": "256MB"})
        server.start()
        try:
            server.provide("bench", _OWNER)
            upgrade(server.dsn("bench", _OWNER))
            _measure(server.dsn("bench", _OWNER), server.dsn("bench", RETENTION_ROLE), bookings)
        finally:
            server.stop()


def _measure(owner_dsn: str, retention_dsn: str, bookings: int) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as owner, psycopg.connect(retention_dsn, autocommit=True) as conn:
        owner.execute(_FILL)
        owner.execute(_BOOKINGS, [bookings])
        owner.execute("analyze sluis.booking")
        started = time.perf_counter()
        emptied = conn.execute(
            "update sluis.booking set reference = null, order_number = null, total_cents = null, vat_cents = null,"
            " package_total_cents = null, package_vat_cents = null, figures = null where issue_date < '2026-04-01'"
        ).rowcount
        print(f"{bookings} bookings in 8 parts; {emptied} emptied in {time.perf_counter() - started:.1f} s")
        _part(owner_dsn, conn, "plain VACUUM of booking_0", "vacuum sluis.booking_0")
        _part(owner_dsn, conn, "VACUUM (FULL) of booking_1", None)


def _part(owner_dsn: str, conn: psycopg.Connection[tuple[object, ...]], what: str, statement: str | None) -> None:
    part = what.rpartition(" ")[2]
    sizes = f"select pg_size_pretty(pg_total_relation_size('sluis.{part}'))"
    found = conn.execute(
        "select min(merchant_code), count(*) from sluis.booking where tableoid = %s::regclass", [f"sluis.{part}"]
    )
    merchant, number = found.fetchone() or ("", 0)
    before = (conn.execute(sizes).fetchone() or ("",))[0]
    sync = Sync(owner_dsn, str(merchant))
    sync.start()
    time.sleep(0.5)
    started = time.perf_counter()
    if statement is not None:
        conn.execute(statement)
    elif not physical.rewrite(conn, part, Kit(tries=20)):
        print("it was busy each time")
    took = time.perf_counter() - started
    waited = sync.end()
    after = (conn.execute(sizes).fetchone() or ("",))[0]
    print(f"{what} ({number} rows): {took:.1f} s; the sync waited {waited:.1f} s at most; {before} -> {after}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
