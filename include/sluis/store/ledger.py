"""What the bookings of a period say, for reconciliation: read in chunks, never changed.

A period is of days of issue (``booking.issue_date``). A server-side cursor keeps memory small whatever the period.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind
from sluis.store.bookings_rows import COLUMNS, Booking, booking
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

_OURS = " where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s"


class RowId(NamedTuple):
    """What one booking row is found by."""

    kind: DocumentKind
    document_key: bytes
    revision: int


class Waiting(Frozen):
    """What quarantine says of a document."""

    reason: str
    field: str | None
    closed_as: str | None  #: ``None``: it is open


class Ledger:
    """The booking rows of one integration, as a period's books."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._integration = integration

    def ids(self, start: date, end: date) -> Iterator[RowId]:
        """Yield every row dated in the period (both days included) that stands or waits, summaries left out."""
        with self._conn.transaction(), self._conn.cursor(name="sluis_ledger") as cursor:
            cursor.execute(
                "select b.kind, b.document_key, b.revision from sluis.booking as b"
                + _OURS
                + " and b.kind <> 'day_summary' and b.issue_date between %(start)s and %(end)s"
                + " order by b.kind, b.document_key, b.revision",
                {**self._scope(), "start": start, "end": end},
            )
            for kind, document_key, revision in cursor:
                yield RowId(DocumentKind(kind), bytes(document_key), revision)

    def rows(self, ids: Sequence[RowId]) -> list[Booking]:
        """Return these rows, in one query."""
        found = rows(
            self._conn,
            "select "
            + COLUMNS
            + """ from sluis.booking as b
            join unnest(%(kinds)s::text[], %(keys)s::bytea[], %(revisions)s::int[]) as k (kind, document_key, revision)
            using (kind, document_key, revision)"""
            + _OURS
            + " order by b.order_number, b.kind, b.document_key, b.revision",
            {
                **self._scope(), "kinds": [i.kind.value for i in ids], "keys": [i.document_key for i in ids],
                "revisions": [i.revision for i in ids],
            },
        )  # fmt: skip
        return [booking(r) for r in found]

    def summaries(self, start: date, end: date) -> list[Booking]:
        """Return the day summaries dated in the period: one or a few per day."""
        found = rows(
            self._conn,
            "select "
            + COLUMNS
            + " from sluis.booking as b"
            + _OURS
            + " and b.kind = 'day_summary' and b.issue_date between %(start)s and %(end)s"
            + " order by b.issue_date, b.document_key, b.revision",
            {**self._scope(), "start": start, "end": end},
        )
        return [booking(r) for r in found]

    def expired(self, start: date, end: date) -> int:
        """Return how many rows dated in the period retention has emptied: nothing can be compared with them."""
        found = row(
            self._conn,
            "select count(*)::int as n from sluis.booking as b"
            + _OURS
            + " and b.issue_date between %(start)s and %(end)s and b.total_cents is null",
            {**self._scope(), "start": start, "end": end},
        )
        return int(found["n"]) if found is not None else 0

    def first_moved_from(self, start: date, end: date) -> date | None:
        """Return the earliest day that a document of the period would have had, its own period being closed."""
        found = row(
            self._conn,
            "select min(b.original_date) as first from sluis.booking as b"
            + _OURS
            + " and b.issue_date between %(start)s and %(end)s",
            {**self._scope(), "start": start, "end": end},
        )
        return found["first"] if found is not None else None

    def under_external_ids(self, external_ids: Sequence[str]) -> list[Booking]:
        """Return the rows of this integration under these ids of the package."""
        found = rows(
            self._conn,
            "select " + COLUMNS + " from sluis.booking as b" + _OURS + " and b.external_id = any(%(ids)s)",
            {**self._scope(), "ids": list(external_ids)},
        )
        return [booking(r) for r in found]

    def of_neighbours(self, external_ids: Sequence[str]) -> set[str]:
        """Return which of these ids are booked by other integrations of the same administration."""
        found = rows(
            self._conn,
            """select b.external_id from sluis.booking as b where b.administration_key = %(administration)s
            and b.external_id = any(%(ids)s)
            and (b.merchant_code, b.integration_code) <> (%(merchant)s, %(integration)s)""",
            {**self._scope(), "administration": self._integration.administration_key, "ids": list(external_ids)},
        )
        return {r["external_id"] for r in found}

    def waiting(self, keys: Sequence[tuple[DocumentKind, bytes]]) -> dict[tuple[DocumentKind, bytes], Waiting]:
        """Return what quarantine says of these documents, open or closed; one query."""
        found = rows(
            self._conn,
            """select q.kind, q.document_key, q.reason, q.field, q.closed_as from sluis.quarantine as q
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where q.merchant_code = %(merchant)s and q.integration_code = %(integration)s""",
            {**self._scope(), "kinds": [kind.value for kind, _ in keys], "keys": [key for _, key in keys]},
        )
        return {
            (DocumentKind(r["kind"]), bytes(r["document_key"])): Waiting(
                reason=r["reason"], field=r["field"], closed_as=r["closed_as"]
            )
            for r in found
        }

    def _scope(self) -> dict[str, Any]:
        return {"merchant": self._integration.merchant, "integration": self._integration.code}
