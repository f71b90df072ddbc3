"""Deletions that follow from no period: each leaves a row, so that a restored backup is made to forget them again.

Written in the transaction of the deletion. No customer: what ended is a merchant, an integration or its credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from sluis.store.database import Connection, rows

Kind = Literal["credential", "integration", "merchant"]

_CREDENTIALS = """delete from sluis.credential where merchant_code = %(merchant_code)s
    and (%(integration_code)s::text is null or integration_code = %(integration_code)s) and updated_at <= %(made_at)s"""
_INTEGRATIONS = """update sluis.integration set state = 'ended', state_reason = %(reason)s, updated_at = now()
    where merchant_code = %(merchant_code)s and state <> 'ended'
    and (%(integration_code)s::text is null or code = %(integration_code)s)"""
_MERCHANT = """update sluis.merchant set ended_at = %(made_at)s where code = %(merchant_code)s and ended_at is null"""


def record(conn: Connection, kind: Kind, merchant: str, integration: str | None = None) -> None:
    """Write that something ended now; in the transaction that ends it."""
    conn.execute(
        "insert into sluis.tombstone (kind, merchant_code, integration_code) values (%s, %s, %s)",
        [kind, merchant, integration],
    )


def replay(conn: Connection, since: datetime) -> int:
    """End again what ended after a moment, as the tombstones in the store say; returns how many did something.

    For a store that was put back from a backup of that moment. A contract ends on the day it ended.
    """
    found = rows(
        conn,
        """select kind, merchant_code, integration_code, made_at from sluis.tombstone
        where made_at >= %s order by made_at, id""",
        [since],
    )
    return end_again(conn, found)


def end_again(conn: Connection, found: Iterable[Mapping[str, Any]]) -> int:
    """End what is said to have ended: rows as ``store.later.ended`` gives them; returns how many did something."""
    return sum(bool(_ENDING[one["kind"]](conn, {**one, "reason": "ended_by_restore"})) for one in found)


def _credential(conn: Connection, tombstone: dict[str, Any]) -> int:
    return conn.execute(_CREDENTIALS, tombstone).rowcount


def _integration(conn: Connection, tombstone: dict[str, Any]) -> int:
    return conn.execute(_INTEGRATIONS, tombstone).rowcount + _credential(conn, tombstone)


def _merchant(conn: Connection, tombstone: dict[str, Any]) -> int:
    return conn.execute(_MERCHANT, tombstone).rowcount + _integration(conn, tombstone)


_ENDING: dict[str, Callable[[Connection, dict[str, Any]], int]] = {
    "credential": _credential,
    "integration": _integration,
    "merchant": _merchant,
}
