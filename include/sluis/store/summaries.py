"""Day summaries: which held documents one journal entry takes, and what becomes of them with it. Exactly once too.

A summary is a booking row of its own (kind ``day_summary``, the day's key, revision 0, 1, ...). Its claim and the names
of its members are written in one transaction before the entry is sent, its answer and their state in another after it:
killed anywhere between, the members stand under one claim that is looked up in the books before anything is sent again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind
from sluis.errors import ProofFailed
from sluis.store.bookings import Booking, Bookings
from sluis.store.bookings_rows import COLUMNS, booking
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

_OURS = " b.merchant_code = %(merchant)s and b.integration_code = %(integration)s"
_WAITS = _OURS + " and b.state = 'held' and b.summary_key is null"
_MEMBERS = _OURS + " and b.summary_key = %(key)s and b.summary_revision = %(revision)s"


class WaitingDay(Frozen):
    """A day with documents that no summary has taken yet."""

    day: date  #: in the shop's time zone
    documents: int


class Summaries:
    """The day summaries of one integration."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._bookings = Bookings(conn, integration)
        self._scope: dict[str, Any] = {"merchant": integration.merchant, "integration": integration.code}

    def waiting(self, before: date | None = None) -> list[WaitingDay]:
        """Return the days (before ``before``, where that is given) with documents to post, the oldest first."""
        found = rows(
            self._conn,
            "select b.issue_date as day, count(*)::int as documents from sluis.booking as b where"
            + _WAITS
            + " and (%(before)s::date is null or b.issue_date < %(before)s)"
            + " group by b.issue_date order by b.issue_date",
            {**self._scope, "before": before},
        )
        return [WaitingDay(**r) for r in found]

    def held(self, day: date) -> list[Booking]:
        """Return the documents of a day that no summary has taken yet, in a fixed order."""
        return self._members(_WAITS + " and b.issue_date = %(day)s", {"day": day})

    def unsettled(self) -> list[Booking]:
        """Return the summaries whose entry has no answer yet, or stands in the books but wrongly; the oldest first."""
        return self._members(_OURS + " and b.kind = 'day_summary' and b.state in ('claimed', 'quarantined')", {})

    def unreported(self) -> list[Booking]:
        """Return the summaries in the books whose run has no report under its own id; the oldest first.

        Of a run that was cleared (``Reports.mark``) ``Reports.told`` knows more. What was booked before the oldest
        report that is kept was told by one that retention took.
        """
        return self._members(
            _OURS
            + """ and b.kind = 'day_summary' and b.state = 'booked' and b.total_cents is not null
            and not exists (select from sluis.run_report as r where r.merchant_code = %(merchant)s
            and r.integration_code = %(integration)s and r.dag_run_id = b.run_id)
            and not exists (select from sluis.run_report as r where r.merchant_code = %(merchant)s
            and r.integration_code = %(integration)s having min(r.sequence) > 1 and b.booked_at < min(r.ended_at))""",
            {},
        )

    def members(self, key: bytes, revision: int) -> list[Booking]:
        """Return what a summary took."""
        return self._members(_MEMBERS, {"key": key, "revision": revision})

    def claim(self, key: bytes, day: date, *, documents: int, **content: Any) -> Booking:
        """Take all waiting documents of a day into a new revision of its summary, in one transaction.

        ``content`` is what ``Bookings.claim`` takes of the summary. Raises ``Refused("duplicate_number")`` when another
        document has its reference, and ``ProofFailed`` when the documents are not those (in number and in cents) that
        the content was made of.
        """
        with self._conn.transaction():
            claim = self._bookings.claim(kind=DocumentKind.DAY_SUMMARY, document_key=key, **content)
            taken = rows(
                self._conn,
                "update sluis.booking as b set summary_key = %(key)s, summary_revision = %(revision)s where"
                + _WAITS
                + " and b.issue_date = %(day)s returning b.total_cents, b.vat_cents",
                {**self._scope, "key": key, "revision": claim.revision, "day": day},
            )
            sums = (len(taken), sum(r["total_cents"] or 0 for r in taken), sum(r["vat_cents"] or 0 for r in taken))
            if sums != (documents, claim.total_cents, claim.vat_cents):
                raise ProofFailed(
                    f"day {day}: {sums[0]} documents of {sums[1]} cents wait, but its entry was made of {documents}"
                    f" documents of {claim.total_cents} cents"
                )
        return claim

    def record(self, claim: Booking, external_id: str, *, adopted: bool) -> int:
        """Record the entry's answer with its members, which stand in the books now; returns how many they are."""
        with self._conn.transaction():
            self._bookings.booked(
                claim.kind, claim.document_key, claim.revision, external_id=external_id, debtor_id=None,
                package_total_cents=claim.total_cents or 0, package_vat_cents=claim.vat_cents or 0, adopted=adopted,
            )  # fmt: skip
            return self._conn.execute(
                """update sluis.booking as b set state = 'booked', booked_at = now(), external_id = %(external_id)s,
                package_total_cents = b.total_cents, package_vat_cents = b.vat_cents where"""
                + _MEMBERS
                + " and b.state = 'held'",
                {**self._scope, "external_id": external_id, "key": claim.document_key, "revision": claim.revision},
            ).rowcount

    def release(self, claim: Booking) -> None:
        """Take a claim back, its members wait again: certainly no entry of it stands in the books."""
        with self._conn.transaction():
            self._conn.execute(
                "update sluis.booking as b set summary_key = null, summary_revision = null where"
                + _MEMBERS
                + " and b.state = 'held'",
                {**self._scope, "key": claim.document_key, "revision": claim.revision},
            )
            self._bookings.release(claim.kind, claim.document_key, claim.revision)

    def quarantine(self, claim: Booking, reason: str, external_id: str) -> None:
        """Note that the entry stands in the books, but not as it was sent."""
        self._bookings.quarantine(claim.kind, claim.document_key, claim.revision, reason, external_id)

    def reopen(self, claim: Booking, run_id: str) -> Booking:
        """Make a claim of what stood wrongly and was put right, and let this run account for it."""
        changed = row(
            self._conn,
            "update sluis.booking as b set state = 'claimed', reason = null, run_id = %(run_id)s where"
            + _OURS
            + """ and b.kind = 'day_summary' and b.document_key = %(key)s and b.revision = %(revision)s
            and b.state in ('claimed', 'quarantined') returning """
            + COLUMNS,
            {**self._scope, "run_id": run_id, "key": claim.document_key, "revision": claim.revision},
        )
        return claim if changed is None else booking(changed)

    def next_revision(self, key: bytes) -> int:
        """Return the number of the next entry of a day: 0 for the first."""
        found = row(
            self._conn,
            "select coalesce(max(b.revision) + 1, 0) as next from sluis.booking as b where"
            + _OURS
            + " and b.kind = 'day_summary' and b.document_key = %(key)s",
            {**self._scope, "key": key},
        )
        return int(found["next"]) if found else 0

    def _members(self, where: str, params: dict[str, Any]) -> list[Booking]:
        found = rows(
            self._conn,
            "select "
            + COLUMNS
            + " from sluis.booking as b where"
            + where
            + " order by b.issue_date, b.kind, b.document_key, b.revision",
            {**self._scope, **params},
        )
        return [booking(r) for r in found]
