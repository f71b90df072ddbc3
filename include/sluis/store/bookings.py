"""Bookings: one row per document says whether it reached the books. Exactly once hangs on these statements.

``claimed`` is written before the package is called, ``booked`` with the package's id right after its answer. A claim
that is found again (``attempts`` above 1) has no answer: the caller looks the document up in the books before any new
create. Claims do not keep two runs apart in time; the lock on the administration does (``store.locks``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluis.core.invoice import DocumentKind
from sluis.errors import Defect, Refused
from sluis.store.bookings_rows import (
    ADOPT,
    COLUMNS,
    HERE,
    INSERT,
    NO_ANSWER,
    REHOLD,
    RETURNING,
    Booking,
    BookingForm,
    BookingState,
    booking,
    content,
)
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

__all__ = ["Booking", "BookingForm", "BookingState", "Bookings"]


class Bookings:
    """The bookings of one integration. Every change is one statement that the state before it must allow."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._integration = integration

    def latest(self, keys: Sequence[tuple[DocumentKind, bytes]]) -> dict[tuple[DocumentKind, bytes], Booking]:
        """Return the latest revision of each of these documents that has a row, in one query."""
        found = rows(
            self._conn,
            "select distinct on (b.kind, b.document_key) "
            + COLUMNS
            + """ from sluis.booking as b
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s
            order by b.kind, b.document_key, b.revision desc""",
            {**self._scope(), "kinds": [k.value for k, _ in keys], "keys": [key for _, key in keys]},
        )
        return {(b.kind, b.document_key): b for b in map(booking, found)}

    def of_orders(self, keys: Sequence[tuple[DocumentKind, bytes]], order_numbers: Sequence[str]) -> list[Booking]:
        """Return all revisions of these documents, and all rows under these order numbers; oldest revision first.

        Retention empties order numbers, so neither way alone finds all: the keys guard against double booking, the
        numbers find what the shop does not name any more (a deleted refund, a part that an edit took out).
        """
        found = rows(
            self._conn,
            "select "
            + COLUMNS
            + """ from sluis.booking as b
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s
            union select """
            + COLUMNS
            + """ from sluis.booking as b where b.merchant_code = %(merchant)s
            and b.integration_code = %(integration)s and b.order_number = any(%(numbers)s)""",
            {
                **self._scope(), "kinds": [k.value for k, _ in keys], "keys": [key for _, key in keys],
                "numbers": list(order_numbers),
            },
        )  # fmt: skip
        return sorted(map(booking, found), key=lambda b: (b.kind.value, b.document_key, b.revision))

    def claim(self, *, kind: DocumentKind, document_key: bytes, revision: int, **what: Any) -> Booking:
        """Claim a document before it is sent; the returned row tells by ``attempts`` whether it was claimed before.

        ``what``: the content, as ``bookings_rows.content`` takes it.
        A row that exists keeps the content of the attempt before (its reference and total are what to look up in the
        books); when that look-up finds nothing and the content has changed, ``release`` it and claim again.
        Raises ``Refused("duplicate_number")`` when another document has the reference in this administration,
        ``Refused`` with the stored reason when it is quarantined but stands in the books, ``Defect("already_booked")``.
        """
        values = self._values(kind, document_key, revision) | content(**what) | NO_ANSWER | {"state": "claimed"}
        return self._insert_or(
            values,
            """update sluis.booking as b set state = 'claimed', attempts = b.attempts + 1, claimed_at = now(),
            reason = null, run_id = %(run_id)s"""
            + HERE
            + " and (b.state = 'claimed' or (b.state = 'quarantined' and b.external_id is null))"
            + RETURNING,
        )

    def hold(self, *, kind: DocumentKind, document_key: bytes, revision: int, **what: Any) -> Booking:
        """Hold a document for its day's journal entry: nothing is sent for it alone. Raises what ``claim`` raises.

        ``what``: the content, as ``bookings_rows.content`` takes it. A claim in the way must be released first.
        """
        values = self._values(kind, document_key, revision) | content(**what) | NO_ANSWER | {"state": "held"}
        return self._insert_or(values, REHOLD)

    def rehold(self, *, kind: DocumentKind, document_key: bytes, revision: int, **what: Any) -> Booking | None:
        """Give a held document another content, unless a summary has taken it: then ``None``, and nothing changes."""
        values = self._values(kind, document_key, revision) | content(**what)
        changed = row(self._conn, REHOLD, values)
        return booking(changed) if changed is not None else None

    def booked(
        self,
        kind: DocumentKind,
        document_key: bytes,
        revision: int,
        *,
        external_id: str,
        debtor_id: str | None,
        package_total_cents: int,
        package_vat_cents: int,
        adopted: bool,
    ) -> Booking:
        """Record the package's answer to a claim; the same answer recorded twice changes nothing."""
        values = self._values(kind, document_key, revision) | {
            "external_id": external_id, "debtor_id": debtor_id, "package_total_cents": package_total_cents,
            "package_vat_cents": package_vat_cents, "adopted": adopted,
        }  # fmt: skip
        changed = row(
            self._conn,
            """update sluis.booking as b set state = 'booked', booked_at = now(), external_id = %(external_id)s,
            debtor_id = %(debtor_id)s, package_total_cents = %(package_total_cents)s,
            package_vat_cents = %(package_vat_cents)s, adopted = %(adopted)s"""
            + HERE
            + " and b.state = 'claimed'"
            + RETURNING,
            values,
        )
        if changed is not None:
            return booking(changed)
        current = self._current(values)
        if current is not None and current.state is BookingState.BOOKED and current.external_id == external_id:
            return current
        raise self._illegal("booked", current)

    def take_over(self, kind: DocumentKind, document_key: bytes, revision: int, run_id: str) -> Booking:
        """Let another run account for a booked or held document: the run that booked it failed before its report."""
        values = self._values(kind, document_key, revision) | {"run_id": run_id}
        changed = row(
            self._conn,
            "update sluis.booking as b set run_id = %(run_id)s"
            + HERE
            + " and b.state in ('booked', 'held')"
            + RETURNING,
            values,
        )
        if changed is None:
            raise self._illegal("taken over", self._current(values))
        return booking(changed)

    def release(self, kind: DocumentKind, document_key: bytes, revision: int) -> None:
        """Take back a claim, a quarantined row, or what no summary has taken: certainly nothing stands in the books.

        With ``attempts`` above 1 that takes a look-up first: the answer to the last call alone proves nothing.
        """
        values = self._values(kind, document_key, revision)
        removed = self._conn.execute(
            "delete from sluis.booking as b"
            + HERE
            + " and (b.state in ('claimed', 'quarantined') or (b.state = 'held' and b.summary_key is null))",
            values,
        ).rowcount
        if not removed:
            raise self._illegal("released", self._current(values))

    def quarantine(
        self, kind: DocumentKind, document_key: bytes, revision: int, reason: str, external_id: str | None = None
    ) -> Booking:
        """Put a claim in quarantine under a reason code; ``external_id`` where it stands in the books, but wrongly."""
        values = self._values(kind, document_key, revision) | {"reason": reason, "external_id": external_id}
        changed = row(
            self._conn,
            """update sluis.booking as b set state = 'quarantined', reason = %(reason)s,
            external_id = coalesce(%(external_id)s, b.external_id)"""
            + HERE
            + " and b.state in ('claimed', 'quarantined')"
            + RETURNING,
            values,
        )
        if changed is None:
            raise self._illegal("quarantined", self._current(values))
        return booking(changed)

    def adopt(
        self,
        *,
        kind: DocumentKind,
        document_key: bytes,
        revision: int,
        external_id: str,
        debtor_id: str | None,
        package_total_cents: int,
        package_vat_cents: int,
        **what: Any,
    ) -> Booking:
        """Record a document that was found in the books, whoever put it there; adopting it twice changes nothing.

        ``what``: the content, as ``bookings_rows.content`` takes it.
        Raises ``Refused("duplicate_number")`` when another document has the reference, ``Defect("already_booked")``
        when this one is already booked under another id of the package.
        """
        values = self._values(kind, document_key, revision) | content(**what) | {
            "state": "booked", "external_id": external_id, "debtor_id": debtor_id, "adopted": True,
            "package_total_cents": package_total_cents, "package_vat_cents": package_vat_cents,
        }  # fmt: skip
        current = self._current(values)
        if current is not None and current.state is BookingState.BOOKED and current.external_id == external_id:
            return current
        return self._insert_or(values, ADOPT)

    def key_references(self, name: Callable[[str], bytes]) -> int:
        """Give rows of before the keyed references theirs, while they still have a reference; returns how many.

        ``name``: the keyed hash of a reference. Without it a number could come again once retention emptied it.
        """
        found = rows(
            self._conn,
            """select kind, document_key, revision, reference from sluis.booking
            where merchant_code = %(merchant)s and integration_code = %(integration)s
            and reference is not null and reference_key is null""",
            self._scope(),
        )
        with self._conn.transaction(), self._conn.cursor() as cursor:
            cursor.executemany(
                """update sluis.booking as b set reference_key = %(name)s
                where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s and b.kind = %(kind)s
                and b.document_key = %(document_key)s and b.revision = %(revision)s and b.reference is not null""",
                [{**self._scope(), **one, "name": name(one["reference"])} for one in found],
            )
        return len(found)

    def counts(self) -> dict[BookingState, int]:
        """Return how many rows stand in each state; a state without rows is 0."""
        found = rows(
            self._conn,
            """select state, count(*) as n from sluis.booking
            where merchant_code = %(merchant)s and integration_code = %(integration)s group by state""",
            self._scope(),
        )
        counted = {r["state"]: int(r["n"]) for r in found}
        return {state: counted.get(state.value, 0) for state in BookingState}

    def _insert_or(self, values: Mapping[str, Any], update: str) -> Booking:
        """Insert the row; where it exists run ``update``, which its state must allow."""
        for _ in range(3):  # the row in the way may be released between two statements
            made = row(self._conn, INSERT + RETURNING, values) or row(self._conn, update, values)
            if made is not None:
                return booking(made)
            current = self._current(values)
            if current is not None:
                raise self._refusal(current)
        raise Refused(
            f"another document has the number {values['reference']} in this administration",
            code="duplicate_number",
            field="number",
        )

    def _refusal(self, current: Booking) -> Exception:
        if current.state is BookingState.QUARANTINED:
            return Refused(
                f"{_called(current)} stands in the books with other amounts: correct or delete it there",
                code=current.reason,
                field="external_id",
            )
        return Defect(f"{_called(current)} is already booked", code="already_booked")

    def _illegal(self, wanted: str, current: Booking | None) -> Defect:
        now = current.state.value if current is not None else "not claimed"
        name = _called(current) if current is not None else "a document"
        return Defect(f"{name} cannot become {wanted}: it is {now}", code="booking_state")

    def _current(self, values: Mapping[str, Any]) -> Booking | None:
        found = row(self._conn, "select " + COLUMNS + " from sluis.booking as b" + HERE, values)
        return booking(found) if found is not None else None

    def _scope(self) -> dict[str, Any]:
        return {"merchant": self._integration.merchant, "integration": self._integration.code}

    def _values(self, kind: DocumentKind, document_key: bytes, revision: int) -> dict[str, Any]:
        administration = {"administration": self._integration.administration_key}
        key = {"kind": kind.value, "document_key": document_key, "revision": revision}
        return self._scope() | administration | key


def _called(row: Booking) -> str:
    return f"document {row.reference}" if row.reference is not None else f"a document of {row.issue_date}"
