"""Ending an integration or a merchant after the run underway: no order is left halfway with its credential gone.

New runs are held off first (state ``paused``, reason ``ending``), then the run underway is waited for, then credentials
are deleted at once, and so are orders that a crashed run left in transit. What else is held must be gone within 30 days
of the end of the contract.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from sluis.core.frozen import Frozen, Moment
from sluis.errors import RetryLater
from sluis.privacy.keyring import Keyring
from sluis.store.credentials import Credentials
from sluis.store.database import Connection
from sluis.store.integrations import Integration, Integrations, IntegrationState
from sluis.store.locks import administration_lock
from sluis.store.merchants import Merchants
from sluis.transit.store import Transit
from sluis.transit.underway import batches_underway

#: A run's batch gets chunks all the time; one that got none for so long belongs to a run that crashed.
STALE = timedelta(hours=6)
#: Contract end: everything held as processor is gone within this time (DESIGN.md section 5).
HELD_AFTER_END = timedelta(days=30)
_POLL_SECONDS = 2.0


class Ended(Frozen):
    """What was ended, and what will be deleted when. Moments in UTC."""

    merchant: str
    integrations: tuple[str, ...]  #: codes of the integrations that ended now
    credentials_deleted: int
    chunks_deleted: int  #: of orders that a run which crashed had left in transit
    ended_at: Moment
    everything_deleted_by: Moment | None  #: ``None``: the merchant stays, and his records with their own periods


def end_merchant(
    conn: Connection, keyring: Keyring, merchant: str, *, wait: timedelta, sleep: Callable[[float], None] = time.sleep
) -> Ended:
    """End a merchant with all his integrations. Raises ``RetryLater("run_underway")``: paused, but not ended yet."""
    Merchants(conn).get(merchant)
    open_ones = [i for i in Integrations(conn).all(merchant) if i.state is not IntegrationState.ENDED]
    with _quiet(conn, merchant, open_ones, wait, sleep):
        credentials = Credentials(conn, keyring)
        deleted = sum(credentials.delete(merchant, i.code) for i in Integrations(conn).all(merchant))
        ended_at = Merchants(conn).end(merchant).ended_at or datetime.now(UTC)
        swept = Transit(conn, merchant, keyring).sweep(timedelta(0))
    return Ended(
        merchant=merchant,
        integrations=tuple(i.code for i in open_ones),
        credentials_deleted=deleted,
        chunks_deleted=swept,
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
    """End one integration; it never starts again. Raises ``RetryLater("run_underway")``: paused, but not ended yet."""
    integration = Integrations(conn).get(merchant, code)
    ending = [] if integration.state is IntegrationState.ENDED else [integration]
    with _quiet(conn, merchant, ending, wait, sleep):
        deleted = Credentials(conn, keyring).delete(merchant, code)
        Integrations(conn).set_state(merchant, code, IntegrationState.ENDED, "ended_by_hand")
        swept = Transit(conn, merchant, keyring).sweep(STALE)  # another integration of his may have started a run
    return Ended(
        merchant=merchant,
        integrations=tuple(i.code for i in ending),
        credentials_deleted=deleted,
        chunks_deleted=swept,
        ended_at=datetime.now(UTC),
        everything_deleted_by=None,
    )


def _quiet(
    conn: Connection, merchant: str, ending: Sequence[Integration], wait: timedelta, sleep: Callable[[float], None]
) -> ExitStack:
    """Hold new runs off and wait for the one underway; holds the administrations' locks until the stack is left."""
    for integration in ending:
        if integration.state is not IntegrationState.PREVIEW:
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


def _underway(merchant: str) -> RetryLater:
    return RetryLater(
        f"a run of merchant {merchant} is underway: new runs are held off; end again once it is done",
        code="run_underway",
    )
