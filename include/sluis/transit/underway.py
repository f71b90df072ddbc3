"""Whether a run of a merchant is underway: what stands in transit tells it, without asking Airflow."""

from __future__ import annotations

from datetime import timedelta

from sluis.store.database import Connection, row


def batches_underway(conn: Connection, merchant: str, *, within: timedelta) -> int:
    """Return how many of the merchant's batches got a chunk within that time; older ones are a crash's leftovers."""
    found = row(
        conn,
        """select count(distinct batch_id)::int as n from sluis.transit_chunk
        where merchant_code = %s and created_at > now() - %s::interval""",
        [merchant, within],
    )
    return int(found["n"]) if found is not None else 0
