"""Payments registered on booked documents: one row per payment and document says whether it reached the books.

As for documents: ``claimed`` before the package is called, ``booked`` with its id right after the answer. A claim that
is found again has no answer: the payment is looked up on its document before any other try. A row is never deleted
once its payment stands in the books, so nothing is paid twice and an edited order cannot change what was registered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.core.journals import Paid
from sluis.errors import Defect
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration


class PaymentState(StrEnum):
    """Where a payment stands."""

    CLAIMED = "claimed"
    BOOKED = "booked"
    QUARANTINED = "quarantined"


class Place(Frozen):
    """A payment on one revision of a document."""

    kind: DocumentKind
    document_key: bytes
    revision: int
    payment_key: bytes  #: keyed hash of the shop's payment id


class PaymentRow(Place):
    """What the store knows of it. ``amount_cents`` signed: below zero where it was paid back.

    Retention empties amount and day of what is no claim: then it is known as dealt with, and never touched again.
    """

    state: PaymentState
    amount_cents: int | None
    currency: Currency
    paid_on: date | None  #: as sent
    account: str  #: the package's id of the clearing account
    claimed_at: Moment
    attempts: int
    external_id: str | None
    reason: str | None
    run_id: str

    @property
    def emptied(self) -> bool:
        """Whether retention has emptied it."""
        return self.amount_cents is None or self.paid_on is None

    @property
    def sent(self) -> tuple[int, date]:
        """Amount in cents and day, as sent. Raises ``Defect`` for what is ``emptied``."""
        if self.amount_cents is None or self.paid_on is None:
            raise Defect("a payment that retention has emptied was to be moved", code="payment_emptied")
        return self.amount_cents, self.paid_on


_COLUMNS = """p.kind, p.document_key, p.revision, p.payment_key, p.state, p.amount_cents, p.currency, p.paid_on,
    p.account, p.claimed_at, p.attempts, p.external_id, p.reason, p.run_id"""
_HERE = """ where p.merchant_code = %(merchant)s and p.integration_code = %(integration)s and p.kind = %(kind)s
    and p.document_key = %(document_key)s and p.revision = %(revision)s and p.payment_key = %(payment_key)s"""
_RETURNING = " returning " + _COLUMNS


class PaymentRows:
    """The payments of one integration."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._scope = {"merchant": integration.merchant, "integration": integration.code}

    def of(self, documents: Sequence[tuple[DocumentKind, bytes]]) -> list[PaymentRow]:
        """Return the payments on these documents, in all their revisions, in one query."""
        found = rows(
            self._conn,
            "select " + _COLUMNS + """ from sluis.payment as p
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where p.merchant_code = %(merchant)s and p.integration_code = %(integration)s
            order by p.kind, p.document_key, p.revision, p.claimed_at, p.payment_key""",
            {**self._scope, "kinds": [kind.value for kind, _ in documents], "keys": [key for _, key in documents]},
        )  # fmt: skip
        return [PaymentRow(**r) for r in found]

    def standing(self, kind: DocumentKind, document_key: bytes) -> dict[int, str]:
        """Return the package's ids of the revisions of a document that stand in the books as invoices."""
        found = rows(
            self._conn,
            """select b.revision, b.external_id from sluis.booking as b
            where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s and b.kind = %(kind)s
            and b.document_key = %(document_key)s and b.state = 'booked' and b.form = 'invoice'""",
            {**self._scope, "kind": kind.value, "document_key": document_key},
        )
        return {int(r["revision"]): str(r["external_id"]) for r in found}

    def claim(
        self, place: Place, *, amount_cents: int, currency: str, paid_on: date, account: str, run_id: str
    ) -> PaymentRow | None:
        """Write before the package is called; ``None``: it is claimed or booked already, and must be looked up."""
        values = self._values(place) | {
            "amount_cents": amount_cents, "currency": currency, "paid_on": paid_on, "account": account,
            "run_id": run_id,
        }  # fmt: skip
        made = row(
            self._conn,
            """insert into sluis.payment as p (merchant_code, integration_code, kind, document_key, revision,
            payment_key, state, amount_cents, currency, paid_on, account, run_id)
            values (%(merchant)s, %(integration)s, %(kind)s, %(document_key)s, %(revision)s, %(payment_key)s,
            'claimed', %(amount_cents)s, %(currency)s, %(paid_on)s, %(account)s, %(run_id)s)
            on conflict do nothing""" + _RETURNING,
            values,
        )  # fmt: skip
        return None if made is None else PaymentRow(**made)

    def booked(self, place: Place, external_id: str) -> PaymentRow:
        """Record what the books hold of a claim; the same recorded twice changes nothing."""
        made = row(
            self._conn,
            "update sluis.payment as p set state = 'booked', booked_at = now(), external_id = %(external_id)s"
            + _HERE + " and (p.state <> 'booked' or p.external_id = %(external_id)s)" + _RETURNING,
            self._values(place) | {"external_id": external_id},
        )  # fmt: skip
        return self._changed(made, "booked")

    def counted(self, place: Place, external_id: str, paid: Sequence[Paid]) -> None:
        """Record the answer to a payment's own journal entry, and with it what the books count as paid now (``paid``).

        One transaction: a correction takes back what is counted, no more and no less.
        """
        with self._conn.transaction():
            self.booked(place, external_id)
            self._conn.execute(
                """update sluis.booking as b set paid = %(paid)s where b.merchant_code = %(merchant)s
                and b.integration_code = %(integration)s and b.kind = %(kind)s and b.document_key = %(document_key)s
                and b.revision = %(revision)s""",
                self._values(place) | {"paid": Jsonb([part.model_dump(mode="json") for part in paid])},
            )

    def release(self, place: Place) -> None:
        """Take a claim (or a quarantined row) back: certainly nothing of it stands in the books."""
        removed = self._conn.execute(
            "delete from sluis.payment as p" + _HERE + " and p.state <> 'booked'", self._values(place)
        ).rowcount
        if not removed:
            raise Defect("a payment that stands in the books cannot be released", code="payment_state")

    def quarantine(self, place: Place, reason: str, external_id: str | None = None) -> PaymentRow:
        """Let a claim wait for a person; ``external_id`` where it stands in the books, but wrongly."""
        made = row(
            self._conn,
            """update sluis.payment as p set state = 'quarantined', reason = %(reason)s,
            external_id = %(external_id)s""" + _HERE + " and p.state = 'claimed'" + _RETURNING,
            self._values(place) | {"reason": reason, "external_id": external_id},
        )  # fmt: skip
        return self._changed(made, "quarantined")

    def _values(self, place: Place) -> dict[str, Any]:
        return {
            **self._scope, "kind": place.kind.value, "document_key": place.document_key, "revision": place.revision,
            "payment_key": place.payment_key,
        }  # fmt: skip

    @staticmethod
    def _changed(made: dict[str, Any] | None, wanted: str) -> PaymentRow:
        if made is None:
            raise Defect(f"a payment cannot become {wanted} from where it is", code="payment_state")
        return PaymentRow(**made)
