"""Contributions to the anonymous statistics: sums per merchant and quarter, each booked document counted exactly once.

A booking is marked in the transaction that adds its figures, so a killed run leaves either both or neither; what is not
marked yet is counted by the next run. Nothing but sums is kept: no document, no customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sluis.core.figures import Figures
from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

#: Freezing takes it alone, counting takes it shared: any constant will do, as long as it never changes.
FREEZE_LOCK = 0x536C_7569_7303
#: Run ids of ``sluis adopt`` begin so (``flows.booking``): what it links did not pass through us.
_ADOPTED = "adopt\\_\\_%"


class Uncounted(Frozen):
    """A booked document that was not counted yet. ``figures`` ``None``: they have expired."""

    kind: DocumentKind
    document_key: bytes
    revision: int
    order_number: str | None
    issue_date: date
    currency: str
    figures: Figures | None


class Contribution(Frozen):
    """What documents add to one cell of a merchant. Whole euro cents, none negative."""

    quarter: date  #: its first day
    country: str
    vat_rate: Decimal
    revenue_cents: int = 0
    revenue_vat_cents: int = 0
    refunds_cents: int = 0
    refunds_vat_cents: int = 0
    documents: int = 0


class Refusal(Frozen):
    """Documents that could not be counted."""

    merchant: str
    quarter: date
    reason: str
    documents: int


class Contributions:
    """The contributions of one integration; the connection is its merchant's."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._integration = integration
        self._scope: dict[str, Any] = {"merchant": integration.merchant, "integration": integration.code}

    def agreed(self) -> bool:
        """Whether the merchant agreed to statistics and did not object."""
        found = row(
            self._conn,
            """select statistics_agreed_at is not null and statistics_objected_at is null as agreed
            from sluis.merchant where code = %(merchant)s""",
            self._scope,
        )
        return found is not None and bool(found["agreed"])

    def open_quarter(self) -> date | None:
        """Return the first quarter that is not frozen; ``None``: none is. Holds freezing off until the commit."""
        self._conn.execute("select pg_advisory_xact_lock_shared(%s)", [FREEZE_LOCK])
        found = row(self._conn, "select sluis.statistics_open_quarter() as quarter")
        return found["quarter"] if found is not None else None

    def uncounted(self, limit: int) -> list[Uncounted]:
        """Return booked documents that were not counted yet, the oldest first, and hold them until the commit."""
        found = rows(
            self._conn,
            """select kind, document_key, revision, order_number, issue_date, currency, figures
            from sluis.booking where merchant_code = %(merchant)s and integration_code = %(integration)s
            and state = 'booked' and not contributed and kind <> 'day_summary'
            order by issue_date, document_key, revision limit %(limit)s for update""",
            {**self._scope, "limit": limit},
        )
        return [Uncounted(**r) for r in found]

    def leave_out(self) -> int:
        """Mark what is not counted at all: what ``sluis adopt`` linked, and everything of who did not agree."""
        return self._conn.execute(
            """update sluis.booking set contributed = true where merchant_code = %(merchant)s
            and integration_code = %(integration)s and state = 'booked' and not contributed and kind <> 'day_summary'
            and (not %(agreed)s or run_id like %(adopted)s)""",
            {**self._scope, "agreed": self.agreed(), "adopted": _ADOPTED},
        ).rowcount

    def mark(self, documents: Sequence[Uncounted]) -> None:
        """Note that these documents are counted, or refused."""
        self._conn.execute(
            """update sluis.booking as b set contributed = true from unnest(%(kinds)s::text[], %(keys)s::bytea[],
            %(revisions)s::int[]) as k (kind, document_key, revision) where b.merchant_code = %(merchant)s
            and b.integration_code = %(integration)s and b.kind = k.kind and b.document_key = k.document_key
            and b.revision = k.revision""",
            {
                **self._scope, "kinds": [d.kind.value for d in documents],
                "keys": [d.document_key for d in documents], "revisions": [d.revision for d in documents],
            },
        )  # fmt: skip

    def add(self, contributions: Iterable[Contribution]) -> None:
        """Add sums to what stands. Raises ``Defect`` for a quarter that is frozen."""
        with self._conn.cursor() as cursor:
            cursor.executemany(
                """insert into sluis.statistics_contribution as c (merchant_code, quarter, country, vat_rate, platform,
                package, revenue_cents, revenue_vat_cents, refunds_cents, refunds_vat_cents, documents)
                values (%(merchant)s, %(quarter)s, %(country)s, %(vat_rate)s, %(platform)s, %(package)s,
                %(revenue_cents)s, %(revenue_vat_cents)s, %(refunds_cents)s, %(refunds_vat_cents)s, %(documents)s)
                on conflict (merchant_code, quarter, country, vat_rate, platform, package) do update set
                revenue_cents = c.revenue_cents + excluded.revenue_cents,
                revenue_vat_cents = c.revenue_vat_cents + excluded.revenue_vat_cents,
                refunds_cents = c.refunds_cents + excluded.refunds_cents,
                refunds_vat_cents = c.refunds_vat_cents + excluded.refunds_vat_cents,
                documents = c.documents + excluded.documents""",
                [
                    {
                        **self._scope, **one.model_dump(), "platform": self._integration.shop,
                        "package": self._integration.package,
                    }
                    for one in contributions
                ],
            )  # fmt: skip

    def refuse(self, quarter: date, reason: str, documents: int) -> None:
        """Count documents that were refused at the door."""
        self._conn.execute(
            """insert into sluis.statistics_refusal as r (merchant_code, quarter, reason, documents)
            values (%(merchant)s, %(quarter)s, %(reason)s, %(documents)s)
            on conflict (merchant_code, quarter, reason) do update set documents = r.documents + excluded.documents""",
            {**self._scope, "quarter": quarter, "reason": reason, "documents": documents},
        )


def withdraw(conn: Connection, merchant: str) -> int:
    """Delete a merchant's contributions of quarters that are not frozen (he objected); returns how many rows."""
    return conn.execute(
        """delete from sluis.statistics_contribution where merchant_code = %(merchant)s
        and quarter >= coalesce(sluis.statistics_open_quarter(), '-infinity')""",
        {"merchant": merchant},
    ).rowcount


def refusals(conn: Connection, quarter: date) -> list[Refusal]:
    """Return what could not be counted in a quarter, as far as the connection may see."""
    found = rows(
        conn,
        """select merchant_code as merchant, quarter, reason, documents from sluis.statistics_refusal
        where quarter = %(quarter)s order by merchant_code, reason""",
        {"quarter": quarter},
    )
    return [Refusal(**r) for r in found]
