"""Bookings: one row per document says whether it reached the books. Exactly once hangs on these statements.

``claimed`` is written before the package is called, ``booked`` with the package's id right after its answer. A claim
that is found again (``attempts`` above 1) has no answer: the caller looks the document up in the books before any new
create. Claims do not keep two runs apart in time; the lock on the administration does (``store.locks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.errors import Defect, Refused
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration


class BookingState(StrEnum):
    """Where a document stands."""

    CLAIMED = "claimed"
    HELD = "held"  #: waits for its day's journal entry
    BOOKED = "booked"
    QUARANTINED = "quarantined"


class Booking(Frozen):
    """One document in one revision. Amounts in cents of ``currency``, signed: negative for a credit note."""

    kind: DocumentKind
    document_key: bytes  #: keyed hash of the shop's id
    revision: int  #: 0, and one more for every replacement after a correction
    state: BookingState
    reference: str  #: the document's number in the books
    order_number: str | None  #: ``None`` once retention emptied it
    claimed_at: Moment
    attempts: int  #: how often it was claimed; above 1 the outcome of an earlier attempt is unknown
    booked_at: Moment | None
    external_id: str | None  #: the package's id
    debtor_id: str | None  #: the package's id of the debtor
    fingerprint: bytes  #: keyed hash of what the books hold of it
    total_cents: int | None  #: with VAT, as sent; ``None`` once retention emptied it
    vat_cents: int | None
    package_total_cents: int | None  #: with VAT, as the package computed it
    package_vat_cents: int | None
    currency: Currency
    issue_date: date
    adopted: bool  #: found in the books, not created by us
    reason: str | None  #: why it is quarantined, a code
    run_id: str


_COLUMNS = """b.kind, b.document_key, b.revision, b.state, b.reference, b.order_number, b.claimed_at, b.attempts,
    b.booked_at, b.external_id, b.debtor_id, b.fingerprint, b.total_cents, b.vat_cents, b.package_total_cents,
    b.package_vat_cents, b.currency, b.issue_date, b.adopted, b.reason, b.run_id"""
_RETURNING = " returning " + _COLUMNS
_HERE = """ where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s and b.kind = %(kind)s
    and b.document_key = %(document_key)s and b.revision = %(revision)s"""
_INSERT = """insert into sluis.booking as b (merchant_code, integration_code, administration_key, kind, document_key,
    revision, state, reference, order_number, fingerprint, total_cents, vat_cents, currency, issue_date, run_id,
    external_id, debtor_id, package_total_cents, package_vat_cents, adopted, booked_at)
    values (%(merchant)s, %(integration)s, %(administration)s, %(kind)s, %(document_key)s, %(revision)s, %(state)s,
    %(reference)s, %(order_number)s, %(fingerprint)s, %(total_cents)s, %(vat_cents)s, %(currency)s, %(issue_date)s,
    %(run_id)s, %(external_id)s, %(debtor_id)s, %(package_total_cents)s, %(package_vat_cents)s, %(adopted)s,
    case when %(state)s = 'booked' then now() end) on conflict do nothing"""

_ADOPT = (
    """update sluis.booking as b set state = 'booked', booked_at = now(), reason = null, adopted = true,
    external_id = %(external_id)s, debtor_id = %(debtor_id)s, fingerprint = %(fingerprint)s,
    total_cents = %(total_cents)s, vat_cents = %(vat_cents)s, issue_date = %(issue_date)s,
    package_total_cents = %(package_total_cents)s, package_vat_cents = %(package_vat_cents)s,
    run_id = %(run_id)s"""
    + _HERE
    + " and b.state in ('claimed', 'quarantined')"
    + _RETURNING
)


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
            + _COLUMNS
            + """ from sluis.booking as b
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s
            order by b.kind, b.document_key, b.revision desc""",
            {**self._scope(), "kinds": [k.value for k, _ in keys], "keys": [key for _, key in keys]},
        )
        return {(b.kind, b.document_key): b for b in map(_booking, found)}

    def claim(
        self,
        *,
        kind: DocumentKind,
        document_key: bytes,
        revision: int,
        reference: str,
        order_number: str,
        fingerprint: bytes,
        total_cents: int,
        vat_cents: int,
        currency: str,
        issue_date: date,
        run_id: str,
    ) -> Booking:
        """Claim a document before it is sent; the returned row tells by ``attempts`` whether it was claimed before.

        A row that exists keeps the content of the attempt before (its reference and total are what to look up in the
        books); when that look-up finds nothing and the content has changed, ``release`` it and claim again.
        Raises ``Refused("duplicate_number")`` when another document has the reference in this administration,
        ``Refused`` with the stored reason when it is quarantined but stands in the books, ``Defect("already_booked")``.
        """
        values = self._values(kind, document_key, revision) | {
            "state": "claimed", "reference": reference, "order_number": order_number, "fingerprint": fingerprint,
            "total_cents": total_cents, "vat_cents": vat_cents, "currency": currency, "issue_date": issue_date,
            "run_id": run_id, "external_id": None, "debtor_id": None, "package_total_cents": None,
            "package_vat_cents": None, "adopted": False,
        }  # fmt: skip
        return self._insert_or(
            values,
            """update sluis.booking as b set state = 'claimed', attempts = b.attempts + 1, claimed_at = now(),
            reason = null, run_id = %(run_id)s"""
            + _HERE
            + " and (b.state = 'claimed' or (b.state = 'quarantined' and b.external_id is null))"
            + _RETURNING,
        )

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
            + _HERE
            + " and b.state = 'claimed'"
            + _RETURNING,
            values,
        )
        if changed is not None:
            return _booking(changed)
        current = self._current(values)
        if current is not None and current.state is BookingState.BOOKED and current.external_id == external_id:
            return current
        raise self._illegal("booked", current)

    def take_over(self, kind: DocumentKind, document_key: bytes, revision: int, run_id: str) -> Booking:
        """Let another run account for a booked document: the run that booked it failed before its report."""
        values = self._values(kind, document_key, revision) | {"run_id": run_id}
        changed = row(
            self._conn,
            "update sluis.booking as b set run_id = %(run_id)s" + _HERE + " and b.state = 'booked'" + _RETURNING,
            values,
        )
        if changed is None:
            raise self._illegal("taken over", self._current(values))
        return _booking(changed)

    def release(self, kind: DocumentKind, document_key: bytes, revision: int) -> None:
        """Take a claim (or a quarantined row) back: certainly nothing of it stands in the books.

        With ``attempts`` above 1 that takes a look-up first: the answer to the last call alone proves nothing.
        """
        values = self._values(kind, document_key, revision)
        removed = self._conn.execute(
            "delete from sluis.booking as b" + _HERE + " and b.state in ('claimed', 'quarantined')", values
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
            + _HERE
            + " and b.state in ('claimed', 'quarantined')"
            + _RETURNING,
            values,
        )
        if changed is None:
            raise self._illegal("quarantined", self._current(values))
        return _booking(changed)

    def adopt(
        self,
        *,
        kind: DocumentKind,
        document_key: bytes,
        revision: int,
        reference: str,
        order_number: str,
        fingerprint: bytes,
        total_cents: int,
        vat_cents: int,
        currency: str,
        issue_date: date,
        run_id: str,
        external_id: str,
        debtor_id: str | None,
        package_total_cents: int,
        package_vat_cents: int,
    ) -> Booking:
        """Record a document that was found in the books, whoever put it there; adopting it twice changes nothing.

        Raises ``Refused("duplicate_number")`` when another document has the reference, ``Defect("already_booked")``
        when this one is already booked under another id of the package.
        """
        values = self._values(kind, document_key, revision) | {
            "state": "booked", "reference": reference, "order_number": order_number, "fingerprint": fingerprint,
            "total_cents": total_cents, "vat_cents": vat_cents, "currency": currency, "issue_date": issue_date,
            "run_id": run_id, "external_id": external_id, "debtor_id": debtor_id, "adopted": True,
            "package_total_cents": package_total_cents, "package_vat_cents": package_vat_cents,
        }  # fmt: skip
        current = self._current(values)
        if current is not None and current.state is BookingState.BOOKED and current.external_id == external_id:
            return current
        return self._insert_or(values, _ADOPT)

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
            made = row(self._conn, _INSERT + _RETURNING, values) or row(self._conn, update, values)
            if made is not None:
                return _booking(made)
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
                f"document {current.reference} stands in the books with other amounts: correct or delete it there",
                code=current.reason,
                field="external_id",
            )
        return Defect(f"document {current.reference} is already booked", code="already_booked")

    def _illegal(self, wanted: str, current: Booking | None) -> Defect:
        now = current.state.value if current is not None else "not claimed"
        name = current.reference if current is not None else "a document"
        return Defect(f"{name} cannot become {wanted}: it is {now}", code="booking_state")

    def _current(self, values: Mapping[str, Any]) -> Booking | None:
        found = row(self._conn, "select " + _COLUMNS + " from sluis.booking as b" + _HERE, values)
        return _booking(found) if found is not None else None

    def _scope(self) -> dict[str, Any]:
        return {"merchant": self._integration.merchant, "integration": self._integration.code}

    def _values(self, kind: DocumentKind, document_key: bytes, revision: int) -> dict[str, Any]:
        administration = {"administration": self._integration.administration_key}
        key = {"kind": kind.value, "document_key": document_key, "revision": revision}
        return self._scope() | administration | key


def _booking(found: Mapping[str, Any]) -> Booking:
    return Booking(**found)
