"""What waits for a person: grouped by reason, with what to do, and offered to the next run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sluis.core import reasons
from sluis.core.frozen import Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.core.money import Amount, from_cents
from sluis.errors import Defect
from sluis.store.database import Connection
from sluis.store.integrations import Integration, Integrations
from sluis.store.quarantine import Quarantine, QuarantineItem


class Waiting(Frozen):
    """One document that waits. The order number is for support; nothing of the order's content is kept."""

    merchant: str
    integration: str
    kind: DocumentKind
    order_number: str
    field: str | None  #: what is wrong
    total: Amount | None  #: with VAT, signed; ``None``: it could not be read
    currency: str
    first_seen: Moment
    last_seen: Moment
    attempts: int
    offered: bool  #: the next run tries it again


class ReasonGroup(Frozen):
    """All that waits for one reason. ``totals`` per currency, with VAT, of those whose total could be read."""

    reason: str
    action: str  #: what a person should do
    documents: int
    offered: int
    totals: dict[str, Amount]
    items: tuple[Waiting, ...]


class Offered(Frozen):
    """How many documents the next run fetches from the shop and tries again."""

    offered: int
    waiting: int  #: open in this integration, offered or not


def listing(
    conn: Connection, *, merchant: str | None = None, integration: str | None = None, reason: str | None = None
) -> list[ReasonGroup]:
    """Return what waits, grouped by reason, the largest group first; raises ``NotConfigured`` for an unknown one."""
    waiting: dict[str, list[QuarantineItem]] = {}
    for one in _selected(conn, merchant, integration):
        for item in Quarantine(conn, one).open(reason=reason):
            waiting.setdefault(item.reason, []).append(item)
    groups = [_group(code, items) for code, items in waiting.items()]
    return sorted(groups, key=lambda group: (-group.documents, group.reason))


def offer(
    conn: Connection,
    merchant: str,
    integration: str,
    *,
    order_numbers: Sequence[str] = (),
    reason: str | None = None,
    everything: bool = False,
) -> Offered:
    """Mark documents to be tried again. Raises ``Defect`` unless exactly one way says which."""
    if sum((bool(order_numbers), reason is not None, everything)) != 1:
        raise Defect("say which: order numbers, or a reason, or all of them", code="offer_which")
    quarantine = Quarantine(conn, Integrations(conn).get(merchant, integration))
    offered = quarantine.offer(order_numbers=list(order_numbers) or None, reason=reason, everything=everything)
    return Offered(offered=offered, waiting=len(quarantine.open()))


def _selected(conn: Connection, merchant: str | None, code: str | None) -> Iterable[Integration]:
    if merchant and code:
        return [Integrations(conn).get(merchant, code)]
    return [one for one in Integrations(conn).all(merchant) if code in (None, one.code)]


def _group(code: str, items: Sequence[QuarantineItem]) -> ReasonGroup:
    totals: dict[str, int] = {}
    for item in items:
        if item.total_cents is not None:
            totals[item.currency] = totals.get(item.currency, 0) + item.total_cents
    return ReasonGroup(
        reason=code,
        action=reasons.explain(code),
        documents=len(items),
        offered=sum(item.offered_at is not None for item in items),
        totals={currency: from_cents(total) for currency, total in sorted(totals.items())},
        items=tuple(_waiting(item) for item in items),
    )


def _waiting(item: QuarantineItem) -> Waiting:
    return Waiting(
        merchant=item.merchant,
        integration=item.integration,
        kind=item.kind,
        order_number=item.order_number,
        field=item.field,
        total=None if item.total_cents is None else from_cents(item.total_cents),
        currency=item.currency,
        first_seen=item.first_seen,
        last_seen=item.last_seen,
        attempts=item.attempts,
        offered=item.offered_at is not None,
    )
