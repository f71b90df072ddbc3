"""Exactly once after a restore: what was booked since the backup stands in the books, and our store does not know it.

Two guards, each of them enough by itself for what it sees. An integration that was put back stays paused until a person
adopted the time since the backup (``adopt``: few calls, and he sees what is odd). And whatever may have been booked
since the backup is looked up in the books before it is sent: documents by reference, payments on their document, days
by their entry; so neither an old order that was booked late, nor a backfill, nor an offer is booked twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sluis.core.bookable import local_date
from sluis.core.invoice import DocumentKind, Invoice
from sluis.errors import NotConfigured
from sluis.store.integrations import RESTORED, RESTORED_ADOPTED, Integration, IntegrationState

if TYPE_CHECKING:
    from sluis.flows.wiring import Session

#: Orders are booked some days after they were placed: so much earlier than the backup adopting begins.
MARGIN = timedelta(days=7)
#: A correction made in the time between bears the day of its order's change, which may have changed again since: until
#: so long after the restore it is looked for over all that time. The first run after it reads every such order.
CORRECTIONS = timedelta(days=31)
#: Packages look up to some days around a date (at least five).
_STEP = timedelta(days=7)


def period(integration: Integration) -> tuple[date, date] | None:
    """Return the first and last day (the shop's) to adopt after a restore; ``None``: it was never put back."""
    if integration.restored_from is None or integration.restored_at is None:
        return None
    settings = integration.settings
    first = max(local_date(integration.restored_from, settings) - MARGIN, settings.start_date)
    last = local_date(integration.restored_at, settings)
    return min(first, last), last


def may_resume(integration: Integration) -> None:
    """Raise ``NotConfigured("adopt_first")`` while the time since the backup was not adopted."""
    days = period(integration)
    if days is None or integration.state is not IntegrationState.PAUSED or integration.state_reason != RESTORED:
        return
    raise NotConfigured(
        f"integration {integration.code} was put back from a backup and does not know what it booked since: run "
        f"`sluis integration adopt {integration.merchant} {integration.code} --from {days[0]} --to {days[1]}`, then "
        "resume",
        code="adopt_first",
    )


def adopted(session: Session, start: date, end: date) -> None:
    """Note that a period was adopted; where it covers all since the backup the integration may be resumed."""
    where = session.integration
    days = period(where)
    if days is None or where.state is not IntegrationState.PAUSED or where.state_reason != RESTORED:
        return
    if start <= days[0] and end >= days[1]:
        session.integrations.set_state(where.merchant, where.code, IntegrationState.PAUSED, RESTORED_ADOPTED)


def may_hold(integration: Integration, days: Iterable[date]) -> bool:
    """Whether the books may hold something of one of these days that our store does not know since a restore."""
    restored = period(integration)
    return restored is not None and any(day <= restored[1] for day in days)


def look_up(integration: Integration, invoice: Invoice, revision: int) -> tuple[date, ...]:
    """Return the dates around which a document is looked up in the books before it is sent; none: it is not.

    One dated until the restore under its own date; a correction or credit note over all the time since the backup too.
    """
    restored = period(integration)
    if restored is None or integration.restored_from is None:
        return ()
    if not revision and invoice.kind is not DocumentKind.CREDIT_NOTE:
        own = min(invoice.issue_date, invoice.original_date or invoice.issue_date)
        return (invoice.issue_date,) if own <= restored[1] else ()
    if invoice.issue_date > restored[1] + CORRECTIONS:
        return ()
    first = local_date(integration.restored_from, integration.settings)
    between = (first + n * _STEP for n in range((restored[1] - first) // _STEP + 1))
    return tuple(dict.fromkeys((invoice.issue_date, *between)))
