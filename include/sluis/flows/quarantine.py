"""What waits for a person: grouped by reason, with what to do, and offered to the next run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from sluis.core import reasons
from sluis.core.frozen import Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.core.money import Amount, from_cents
from sluis.errors import Defect, NotConfigured
from sluis.store.database import Connection
from sluis.store.integrations import Integration, Integrations
from sluis.store.merchants import Merchants
from sluis.store.quarantine import Quarantine, QuarantineItem

#: Of the document key, in hexadecimal: enough to tell apart what waits in one integration.
_ITEM_DIGITS = 8


class ClosedAs(StrEnum):
    """What a person did about a document. The first two keep it closed until its reason or total changes."""

    BOOKED_BY_HAND = "booked_by_hand"
    NOT_TO_BE_BOOKED = "not_to_be_booked"
    GONE = "gone"  #: deleted in the shop; one that comes back waits again


class Waiting(Frozen):
    """One document that waits. The order number is for support; nothing of the order's content is kept."""

    item: str  #: names this document alone: an order may have several credit notes that wait
    merchant: str
    integration: str
    kind: DocumentKind
    order_number: str | None  #: ``None``, like ``field`` and ``total``: reduced to its key and reason after 90 days
    field: str | None  #: what is wrong
    total: Amount | None  #: with VAT, signed; ``None``: it could not be read
    currency: str
    first_seen: Moment
    last_seen: Moment
    attempts: int
    offered: bool  #: the next run tries it again
    warned_at: Moment | None = None  #: when the merchant was told that it waits for long
    reduced_at: Moment | None = None  #: it is unbooked until a person closes it by its item; nothing can fetch it


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
    unknown: tuple[str, ...] = ()  #: of the numbers that were given: nothing of that name waits
    reduced: tuple[
        str, ...
    ] = ()  #: items that cannot be fetched any more: a person books them by hand, and closes them


class Closed(Frozen):
    """What was closed by hand, and how much still waits in the integration."""

    closed: tuple[Waiting, ...]
    closed_as: ClosedAs
    waiting: int


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
    """Mark documents to be tried again; ``order_numbers`` may hold items of ``listing`` too.

    What was reduced to its key has no id in the shop any more: it is named in the answer, and nothing is done about it.
    An order is fetched whole, so all that waits of it is tried. Raises ``Defect`` unless exactly one way says which.
    """
    if sum((bool(order_numbers), reason is not None, everything)) != 1:
        raise Defect("say which: order numbers, or a reason, or all of them", code="offer_which")
    quarantine = Quarantine(conn, Integrations(conn).get(merchant, integration))
    waiting = quarantine.open()
    found = {name: _named(waiting, name) for name in order_numbers}
    numbers = sorted({item.order_number for items in found.values() for item in items if item.order_number})
    chosen = numbers if order_numbers else None
    offered = quarantine.offer(order_numbers=chosen, reason=reason, everything=everything)
    unknown = tuple(name for name, items in found.items() if not items)
    asked = [item for items in found.values() for item in items] if order_numbers else waiting
    reduced = tuple(_item(item) for item in asked if item.reduced and reason in (None, item.reason))
    return Offered(offered=offered, waiting=len(waiting), unknown=unknown, reduced=reduced)


def close(conn: Connection, merchant: str, integration: str, names: Sequence[str], closed_as: ClosedAs) -> Closed:
    """Close documents that a person has settled, named by order number or by item; all of them or none.

    Raises ``Defect``: ``nothing_waits`` for a name of nothing that waits, ``several_wait`` for an order of which more
    than one document waits (their items tell them apart).
    """
    quarantine = Quarantine(conn, Integrations(conn).get(merchant, integration))
    with conn.transaction():
        waiting = quarantine.open()
        chosen = {item.document_key: item for name in names for item in [_one(waiting, name)]}
        for item in chosen.values():
            quarantine.close(item.kind, item.document_key, closed_as.value)
    closed = tuple(_waiting(item) for item in chosen.values())
    return Closed(closed=closed, closed_as=closed_as, waiting=len(waiting) - len(closed))


def _named(waiting: Sequence[QuarantineItem], name: str) -> list[QuarantineItem]:
    return [item for item in waiting if name in (item.order_number, _item(item))]


def _one(waiting: Sequence[QuarantineItem], name: str) -> QuarantineItem:
    found = _named(waiting, name)
    if not found:
        raise Defect(f"nothing that waits is called {name}: see `sluis quarantine list`", code="nothing_waits")
    if len(found) > 1:
        items = ", ".join(f"{_item(item)} ({item.kind.value.replace('_', ' ')}, {item.reason})" for item in found)
        raise Defect(f"{len(found)} documents of order {name} wait: name the item, {items}", code="several_wait")
    return found[0]


def _item(item: QuarantineItem) -> str:
    """Name a document by the beginning of its key, a keyed hash; ``q-`` keeps it apart from an order number."""
    return f"q-{item.document_key.hex()[:_ITEM_DIGITS]}"


def _selected(conn: Connection, merchant: str | None, code: str | None) -> Iterable[Integration]:
    if merchant and code:
        return [Integrations(conn).get(merchant, code)]
    if merchant:
        Merchants(conn).get(merchant)
    found = [one for one in Integrations(conn).all(merchant) if code in (None, one.code)]
    if code and not found:
        raise NotConfigured(f"no merchant has an integration {code}: see `sluis integration list`",
                            code="integration_unknown")  # fmt: skip
    return found


def _group(code: str, items: Sequence[QuarantineItem]) -> ReasonGroup:
    totals: dict[str, int] = {}
    for item in items:
        if item.total_cents is not None:
            totals[item.currency] = totals.get(item.currency, 0) + item.total_cents
    return ReasonGroup(
        reason=code,
        action=reasons.explain(code),
        documents=len(items),
        offered=sum(_offered(item) for item in items),
        totals={currency: from_cents(total) for currency, total in sorted(totals.items())},
        items=tuple(_waiting(item) for item in items),
    )


def _offered(item: QuarantineItem) -> bool:
    return item.offered_at is not None and not item.reduced


def _waiting(item: QuarantineItem) -> Waiting:
    return Waiting(
        item=_item(item),
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
        offered=_offered(item),
        warned_at=item.warned_at,
        reduced_at=item.reduced_at,
    )
