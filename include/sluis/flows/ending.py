"""Ending an integration or a merchant after the run underway: no order is left halfway with its credential gone.

New runs are held off first (state ``paused``, reason ``ending``), then the run underway is waited for, then credentials
are deleted at once, and so are orders that a crashed run left in transit. What else is held must be gone within 30 days
of the end of the contract. Days whose journal entry is not posted yet are posted before that, over or not: no order
comes any more. What the books do not take for good is counted and told, never dropped in silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta

from sluis.core.frozen import Frozen, Moment
from sluis.core.invoice import Result
from sluis.errors import NotConfigured, Reconnect, RetryLater
from sluis.flows import backup, summaries
from sluis.flows.booking import SETTLE
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session
from sluis.privacy.keyring import Keyring
from sluis.store import tombstones
from sluis.store.credentials import Credentials
from sluis.store.database import Connection
from sluis.store.integrations import RESTORED, RESTORED_ADOPTED, Integration, Integrations, IntegrationState
from sluis.store.locks import administration_lock
from sluis.store.merchants import Merchants
from sluis.store.summaries import Summaries
from sluis.transit.store import Transit
from sluis.transit.underway import batches_underway

#: A run's batch gets chunks all the time; one that got none for so long belongs to a run that crashed.
STALE = timedelta(hours=6)
#: Contract end: everything held as processor is gone within this time (DESIGN.md section 5).
HELD_AFTER_END = timedelta(days=30)
#: Under which run id the entries stand that the end posted.
ENDED = "ended_by_hand"
_POLL_SECONDS = 2.0


class Ended(Frozen):
    """What was ended, and what will be deleted when. Moments in UTC."""

    merchant: str
    integrations: tuple[str, ...]  #: codes of the integrations that ended now
    credentials_deleted: int
    chunks_deleted: int  #: of orders that a run which crashed had left in transit
    documents_not_posted: int  #: held for a day's journal entry that could not be posted: to be booked by hand
    ended_at: Moment
    everything_deleted_by: Moment | None  #: ``None``: the merchant stays, and his records with their own periods


def end_merchant(
    conn: Connection, keyring: Keyring, merchant: str, *, wait: timedelta, sleep: Callable[[float], None] = time.sleep
) -> Ended:
    """End a merchant with all his integrations.

    Raises ``RetryLater`` (``run_underway``, ``days_not_posted``): paused, but not ended yet.
    """
    Merchants(conn).get(merchant)
    open_ones = [i for i in Integrations(conn).all(merchant) if i.state is not IntegrationState.ENDED]
    with _quiet(conn, merchant, open_ones, wait, sleep):
        left = sum(_post_held(conn, keyring, integration) for integration in open_ones)
        credentials = Credentials(conn, keyring)
        deleted = sum(credentials.delete(merchant, i.code) for i in Integrations(conn).all(merchant))
        ended_at = Merchants(conn).end(merchant).ended_at or datetime.now(UTC)
        swept = Transit(conn, merchant, keyring).sweep(timedelta(0))
    backup.write_down(conn)
    return Ended(
        merchant=merchant,
        integrations=tuple(i.code for i in open_ones),
        credentials_deleted=deleted,
        chunks_deleted=swept,
        documents_not_posted=left,
        ended_at=ended_at,
        everything_deleted_by=ended_at + HELD_AFTER_END,
    )


def end_integration(
    conn: Connection,
    keyring: Keyring,
    merchant: str,
    code: str,
    *,
    wait: timedelta,
    sleep: Callable[[float], None] = time.sleep,
) -> Ended:
    """End one integration; it never starts again. Raises as ``end_merchant``: paused, but not ended yet."""
    integration = Integrations(conn).get(merchant, code)
    ending = [] if integration.state is IntegrationState.ENDED else [integration]
    with _quiet(conn, merchant, ending, wait, sleep):
        left = sum(_post_held(conn, keyring, one) for one in ending)
        deleted = Credentials(conn, keyring).delete(merchant, code)
        with conn.transaction():
            Integrations(conn).set_state(merchant, code, IntegrationState.ENDED, ENDED)
            if ending:
                tombstones.record(conn, "integration", merchant, code)
        swept = Transit(conn, merchant, keyring).sweep(STALE)  # another integration of his may have started a run
    backup.write_down(conn)
    return Ended(
        merchant=merchant,
        integrations=tuple(i.code for i in ending),
        credentials_deleted=deleted,
        chunks_deleted=swept,
        documents_not_posted=left,
        ended_at=datetime.now(UTC),
        everything_deleted_by=None,
    )


def _quiet(
    conn: Connection, merchant: str, ending: Sequence[Integration], wait: timedelta, sleep: Callable[[float], None]
) -> ExitStack:
    """Hold new runs off and wait for the one underway; holds the administrations' locks until the stack is left."""
    for integration in ending:
        if integration.state is not IntegrationState.PREVIEW and not _held_off(integration):
            Integrations(conn).set_state(merchant, integration.code, IntegrationState.PAUSED, "ending")
    deadline = time.monotonic() + wait.total_seconds()
    while ending and batches_underway(conn, merchant, within=STALE):
        if time.monotonic() >= deadline:
            raise _underway(merchant)
        sleep(_POLL_SECONDS)
    with ExitStack() as stack:
        left = timedelta(seconds=max(1.0, deadline - time.monotonic()))
        for key in sorted({integration.administration_key for integration in ending}):
            try:
                stack.enter_context(administration_lock(conn, key, left))
            except RetryLater as error:
                raise _underway(merchant) from error
        return stack.pop_all()


def _held_off(integration: Integration) -> bool:
    """Whether it waits since a restore: no run starts, and its reason must outlive an end that is refused halfway."""
    return integration.state is IntegrationState.PAUSED and integration.state_reason in (RESTORED, RESTORED_ADOPTED)


def _post_held(conn: Connection, keyring: Keyring, integration: Integration) -> int:
    """Post what is held for days; returns how many documents the books do not take for good.

    Raises ``RetryLater("days_not_posted")`` where they may take them later.
    """
    if not _held(conn, integration):
        return 0
    with closing(Session(conn, keyring, integration, "owner")) as session:
        try:
            outcomes = summaries.post_due(session, ENDED, date.max, Patience(bound=timedelta(0)), SETTLE)
        except (Reconnect, NotConfigured):  # no credential that works: nobody can post them any more
            outcomes = []
    if any(outcome.result is Result.DEFERRED for outcome in outcomes):
        raise RetryLater(
            f"{_held(conn, integration)} documents of integration {integration.code} wait for their day's journal entry"
            " and the package does not take it now: new runs are held off; end again later",
            code="days_not_posted",
        )
    return _held(conn, integration)


def _held(conn: Connection, integration: Integration) -> int:
    days = Summaries(conn, integration)
    taken = sum(len(days.members(claim.document_key, claim.revision)) for claim in days.unsettled())
    return taken + sum(waiting.documents for waiting in days.waiting())


def _underway(merchant: str) -> RetryLater:
    return RetryLater(
        f"a run of merchant {merchant} is underway: new runs are held off; end again once it is done",
        code="run_underway",
    )
