"""Quarantine: documents that wait for a person, with a reason code. No payload: offering one fetches it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluis.core.frozen import Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.errors import Defect
from sluis.store.database import Connection, rows
from sluis.store.integrations import Integration


class QuarantineItem(Frozen):
    """One document in quarantine. ``total_cents`` with VAT in cents of ``currency``, signed; ``None``: unreadable."""

    merchant: str
    integration: str
    kind: DocumentKind
    document_key: bytes
    shop_order_id: str | None  #: plain, because the order is fetched from the shop again by it
    order_number: str | None  #: this, the id, ``field`` and ``total_cents`` are ``None`` once it was reduced
    reason: str  #: a code
    field: str | None  #: what is wrong, e.g. ``line_items[2].taxes``
    currency: str
    total_cents: int | None
    first_seen: Moment
    last_seen: Moment
    attempts: int  #: how often it was put here
    offered_at: Moment | None  #: since when it waits to be tried again
    closed_at: Moment | None
    closed_as: str | None  #: a code: what became of it
    warned_at: Moment | None = None  #: when the merchant was told that it waits for long
    reduced_at: Moment | None = None  #: when retention left its key and reason only; it cannot be fetched any more

    @property
    def reduced(self) -> bool:
        """Whether nothing but key and reason is left of it."""
        return self.shop_order_id is None


class QuarantineTotal(Frozen):
    """Open items of one reason and currency; ``total_cents`` counts those whose total could be read."""

    reason: str
    currency: str
    documents: int
    offered: int
    total_cents: int


_COLUMNS = """merchant_code as merchant, integration_code as integration, kind, document_key, shop_order_id,
    order_number, reason, field, currency, total_cents, first_seen, last_seen, attempts, offered_at, closed_at,
    closed_as, warned_at, reduced_at"""
#: A person settled the document outside of sluis: it stays closed while nothing about it changes.
BY_HAND = ("booked_by_hand", "not_to_be_booked")
_REMEMBER = """insert into sluis.settled_by_hand as s (merchant_code, integration_code, kind, document_key, reason)
    select merchant_code, integration_code, kind, document_key, reason from sluis.quarantine
    where merchant_code = %(merchant)s and integration_code = %(integration)s and kind = %(kind)s
    and document_key = %(document_key)s
    on conflict (merchant_code, integration_code, kind, document_key)
    do update set reason = excluded.reason, settled_at = excluded.settled_at"""
_SETTLED = """q.closed_as = any(%(by_hand)s) and q.reason = excluded.reason and q.currency = excluded.currency
    and (q.reduced_at is not null or q.total_cents is not distinct from excluded.total_cents)"""
#: It waits from now on: what was settled and is open again, and what was reduced and is known again.
_ANEW = f"(q.closed_at is null and q.reduced_at is not null) or (q.closed_at is not null and not ({_SETTLED}))"
_OPEN = """ where merchant_code = %(merchant)s and integration_code = %(integration)s and closed_at is null"""


class Quarantine:
    """The quarantine of one integration."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._scope: dict[str, Any] = {"merchant": integration.merchant, "integration": integration.code}

    def put(
        self,
        *,
        kind: DocumentKind,
        document_key: bytes,
        shop_order_id: str,
        order_number: str,
        reason: str,
        field: str | None = None,
        currency: str = "",
        total_cents: int | None = None,
    ) -> None:
        """Put a document in quarantine, or note that it came again (which ends an offer and opens a closed one).

        What a person closed as one of ``BY_HAND`` stays closed as long as reason and total are the same. What retention
        has reduced is filled anew and waits from now on.
        """
        self._conn.execute(
            f"""insert into sluis.quarantine as q (merchant_code, integration_code, kind, document_key, shop_order_id,
            order_number, reason, field, currency, total_cents) values (%(merchant)s, %(integration)s, %(kind)s,
            %(document_key)s, %(shop_order_id)s, %(order_number)s, %(reason)s, %(field)s, %(currency)s, %(total_cents)s)
            on conflict (merchant_code, integration_code, kind, document_key) do update set
            shop_order_id = excluded.shop_order_id, order_number = excluded.order_number, reason = excluded.reason,
            field = excluded.field, currency = excluded.currency, total_cents = excluded.total_cents, last_seen = now(),
            attempts = q.attempts + 1, offered_at = null, reduced_at = null,
            first_seen = case when {_ANEW} then now() else q.first_seen end,
            warned_at = case when {_ANEW} then null else q.warned_at end,
            closed_at = case when {_SETTLED} then q.closed_at end,
            closed_as = case when {_SETTLED} then q.closed_as end""",
            {
                **self._scope, "kind": kind.value, "document_key": document_key, "shop_order_id": shop_order_id,
                "order_number": order_number, "reason": reason, "field": field, "currency": currency,
                "total_cents": total_cents, "by_hand": list(BY_HAND),
            },
        )  # fmt: skip

    def close(self, kind: DocumentKind, document_key: bytes, as_: str) -> bool:
        """Close an open item under a code (``booked``, ``booked_by_hand``, ...); says whether there was one.

        What a person settled is remembered for as long as a booking: the closed item goes sooner.
        """
        values = {**self._scope, "as": as_, "kind": kind.value, "document_key": document_key}
        with self._conn.transaction():
            closed = self._conn.execute(
                "update sluis.quarantine set closed_at = now(), closed_as = %(as)s, offered_at = null"
                + _OPEN
                + " and kind = %(kind)s and document_key = %(document_key)s",
                values,
            ).rowcount
            if closed and as_ in BY_HAND:
                self._conn.execute(_REMEMBER, values)
        return bool(closed)

    def close_order(self, shop_order_id: str, as_: str) -> list[str]:
        """Close what was offered of an order, under a code; returns the order number of each item."""
        found = rows(
            self._conn,
            "update sluis.quarantine set closed_at = now(), closed_as = %(as)s, offered_at = null"
            + _OPEN
            + " and shop_order_id = %(order)s and offered_at is not null returning order_number",
            {**self._scope, "as": as_, "order": shop_order_id},
        )
        return [r["order_number"] for r in found]

    def open(
        self, *, reason: str | None = None, order_number: str | None = None, limit: int | None = None
    ) -> list[QuarantineItem]:
        """Return open items, the oldest first."""
        found = rows(
            self._conn,
            "select "
            + _COLUMNS
            + " from sluis.quarantine"
            + _OPEN
            + """ and (%(reason)s::text is null or reason = %(reason)s)
            and (%(number)s::text is null or order_number = %(number)s)
            order by first_seen, kind, document_key limit %(limit)s""",
            {**self._scope, "reason": reason, "number": order_number, "limit": limit},
        )
        return [QuarantineItem(**r) for r in found]

    def offer(
        self, *, order_numbers: Sequence[str] | None = None, reason: str | None = None, everything: bool = False
    ) -> int:
        """Offer open items to the next run again; returns how many. Raises ``Defect`` unless it is said which.

        What retention has reduced has no id in the shop any more and is left out.
        """
        if order_numbers is None and reason is None and not everything:
            raise Defect("say which items to offer: order numbers, a reason, or everything", code="offer_nothing")
        return self._conn.execute(
            "update sluis.quarantine set offered_at = now()"
            + _OPEN
            + """ and shop_order_id is not null and (%(reason)s::text is null or reason = %(reason)s)
            and (%(numbers)s::text[] is null or order_number = any(%(numbers)s))""",
            {**self._scope, "reason": reason, "numbers": None if order_numbers is None else list(order_numbers)},
        ).rowcount

    def known(self, keys: Sequence[tuple[DocumentKind, bytes]]) -> dict[tuple[DocumentKind, bytes], bool]:
        """Return which of these documents stand or ever stood here, and whether each is offered now; one query."""
        found = rows(
            self._conn,
            """with k as (select * from unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key))
            select kind, document_key, bool_or(offered) as offered from (
                select kind, document_key, closed_at is null and offered_at is not null as offered
                from sluis.quarantine join k using (kind, document_key)
                where merchant_code = %(merchant)s and integration_code = %(integration)s
                union all select kind, document_key, false from sluis.settled_by_hand join k using (kind, document_key)
                where merchant_code = %(merchant)s and integration_code = %(integration)s
            ) as found group by kind, document_key""",
            {**self._scope, "kinds": [kind.value for kind, _ in keys], "keys": [key for _, key in keys]},
        )
        return {(DocumentKind(r["kind"]), bytes(r["document_key"])): r["offered"] for r in found}

    def settled_by_hand(self, keys: Sequence[tuple[DocumentKind, bytes]]) -> dict[tuple[DocumentKind, bytes], str]:
        """Return the reason under which a person settled these documents outside of sluis, last; one query.

        What waits again since is not settled any more.
        """
        found = rows(
            self._conn,
            """select s.kind, s.document_key, s.reason from sluis.settled_by_hand as s
            join unnest(%(kinds)s::text[], %(keys)s::bytea[]) as k (kind, document_key) using (kind, document_key)
            where s.merchant_code = %(merchant)s and s.integration_code = %(integration)s and not exists (
                select from sluis.quarantine as q where q.merchant_code = s.merchant_code
                and q.integration_code = s.integration_code and q.kind = s.kind and q.document_key = s.document_key
                and q.closed_at is null)""",
            {**self._scope, "kinds": [kind.value for kind, _ in keys], "keys": [key for _, key in keys]},
        )
        return {(DocumentKind(r["kind"]), bytes(r["document_key"])): r["reason"] for r in found}

    def offered_order_ids(self) -> list[str]:
        """Return the shop's ids of the orders that were offered again, each once, sorted.

        A day's entry has none: every run tries it again by itself.
        """
        found = rows(
            self._conn,
            "select distinct shop_order_id from sluis.quarantine"
            + _OPEN
            + " and offered_at is not null and shop_order_id is not null and kind <> 'day_summary'"
            + " order by shop_order_id",
            self._scope,
        )
        return [r["shop_order_id"] for r in found]

    def summary(self) -> list[QuarantineTotal]:
        """Return counts and cents of the open items per reason and currency."""
        found = rows(
            self._conn,
            """select reason, currency, count(*)::int as documents,
            count(offered_at) filter (where shop_order_id is not null)::int as offered,
            coalesce(sum(total_cents), 0)::bigint as total_cents from sluis.quarantine"""
            + _OPEN
            + " group by reason, currency order by reason, currency",
            self._scope,
        )
        return [QuarantineTotal(**r) for r in found]
