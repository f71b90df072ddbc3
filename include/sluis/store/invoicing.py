"""How many documents were booked per merchant and month: what our own invoice rests on. Counts, no document."""

from __future__ import annotations

from datetime import date, datetime

from sluis.core.frozen import Frozen
from sluis.store.database import Connection, rows


class InvoicingMonth(Frozen):
    """A merchant's documents of a month: orders and refunds of his shops that sluis brought to the books, each once.

    What was found there already, corrections and days' entries are not among them.
    """

    merchant: str
    month: date  #: its first day, UTC
    documents: int


class Invoicing:
    """The counts that the connection may see (the owner: all; a task: its merchant's)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, merchant: str, at: datetime, documents: int) -> None:
        """Count documents that a run booked, in the month (UTC) it ended in; in the transaction of its report."""
        if documents:
            self._conn.execute(
                """insert into sluis.invoicing_month as m (merchant_code, month, documents)
                values (%s, date_trunc('month', %s::timestamptz at time zone 'UTC')::date, %s)
                on conflict (merchant_code, month) do update set documents = m.documents + excluded.documents""",
                [merchant, at, documents],
            )

    def list(self, month: date, merchant: str | None = None) -> list[InvoicingMonth]:
        """Return the counts of a month, by merchant."""
        found = rows(
            self._conn,
            """select merchant_code as merchant, month, documents from sluis.invoicing_month
            where month = %(month)s and (%(merchant)s::text is null or merchant_code = %(merchant)s)
            order by merchant_code""",
            {"month": month.replace(day=1), "merchant": merchant},
        )
        return [InvoicingMonth(**r) for r in found]
