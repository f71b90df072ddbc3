"""The limiter that all processes share: one row per key counts the calls of the vendor's current window.

The row's lock keeps the count exact; every statement commits by itself, so no caller holds it while he talks to the
vendor. What the vendor's headers say corrects the count and the window. A key no limit is known for costs two reads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sluis.errors import QuotaSpent
from sluis.store.database import Connection, connect, row

#: How long one call may wait for the next window before the rest is deferred.
MAX_WAIT = timedelta(seconds=20)
_DEFAULT_PERIOD = 60  # seconds; for a limit learned without a reset moment


class StoreLimiter:
    """Implements ``ports.Limiter``.

    ``defaults`` gives (calls, seconds) per key prefix (the part before the first ``:``) until an answer says better.
    Keys are hashed before they are stored, they may be made of a token. ``now`` and ``sleep`` are for tests; without
    ``now`` the database's clock counts, which all processes share.
    """

    def __init__(
        self,
        store: str | Callable[[], Connection],
        defaults: Mapping[str, tuple[int, int]] | None = None,
        *,
        max_wait: timedelta = MAX_WAIT,
        now: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect: Callable[[], Connection] = (lambda: connect(store)) if isinstance(store, str) else store
        self._defaults = dict(defaults or {})
        self._max_wait = max_wait
        self._now = now
        self._sleep = sleep
        self._open: Connection | None = None

    def acquire(self, key: str) -> None:
        """Take one call; waits up to ``max_wait`` in all, else raises ``QuotaSpent`` with the time still to wait."""
        waited = timedelta(0)
        while (wait := self._take(key)) is not None:
            if waited + wait > self._max_wait:
                raise QuotaSpent("the vendor's quota of calls is used up", retry_after=wait)
            self._sleep(wait.total_seconds())
            waited += wait

    def observe(self, key: str, *, limit: int | None, remaining: int | None, resets_at: datetime | None) -> None:
        """Learn from an answer's headers. Nothing known, nothing written; a reset in the past frees no call."""
        if limit is None and remaining is None:
            return
        default_limit, default_period = self._default(key)
        self._conn().execute(
            _OBSERVE,
            {
                **self._values(key), "limit": limit, "remaining": remaining, "resets_at": resets_at,
                "default_limit": default_limit, "default_period": default_period,
            },
        )  # fmt: skip

    def close(self) -> None:
        """Close the limiter's own connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __del__(self) -> None:
        if hasattr(self, "_open"):
            self.close()

    def _take(self, key: str) -> timedelta | None:
        """Take a call (``None``) or return how long to wait."""
        values = self._values(key)
        default_limit, default_period = self._default(key)
        while True:
            if row(self._conn(), _TAKE, values) is not None:
                return None
            held = row(self._conn(), _HELD, values)
            if held is not None and held["free"]:
                continue  # freed between the two statements
            if held is not None:
                wait: timedelta = held["wait"]
                return max(timedelta(milliseconds=10), wait)
            if default_limit is None:
                return None
            self._conn().execute(_CREATE, {**values, "limit": default_limit, "period": default_period})

    def _default(self, key: str) -> tuple[int | None, int]:
        return self._defaults.get(key.partition(":")[0], (None, _DEFAULT_PERIOD))

    def _values(self, key: str) -> dict[str, Any]:
        prefix = key.partition(":")[0] if ":" in key else "key"
        hashed = f"{prefix[:40]}:{hashlib.sha256(key.encode()).hexdigest()}"
        return {"key": hashed, "now": self._now() if self._now is not None else None}

    def _conn(self) -> Connection:
        if self._open is None or self._open.closed:
            self._open = self._connect()
        return self._open


_NOW = "coalesce(%(now)s::timestamptz, clock_timestamp())"
_FREE = (
    "((l.blocked_until is null or l.blocked_until <= "
    + _NOW
    + ") and (l.limit_calls is null or l.window_end is null or l.window_end <= "
    + _NOW
    + " or l.used < l.limit_calls))"
)
_TAKE = (
    "update sluis.limiter as l set used = case when l.window_end > "
    + _NOW
    + " then l.used + 1 else 1 end, window_end = case when l.window_end > "
    + _NOW
    + " then l.window_end else "
    + _NOW
    + " + make_interval(secs => l.period_seconds) end, updated_at = "
    + _NOW
    + " where l.key = %(key)s and "
    + _FREE
    + " returning l.used"
)
_HELD = (
    "select "
    + _FREE
    + " as free, greatest(l.blocked_until, case when l.used >= l.limit_calls then l.window_end end) - "
    + _NOW
    + " as wait from sluis.limiter as l where l.key = %(key)s"
)
_CREATE = """insert into sluis.limiter (key, limit_calls, period_seconds, used)
    values (%(key)s, %(limit)s, %(period)s, 0) on conflict (key) do nothing"""
#: A reset later than the window we count in starts the vendor's next window: his count replaces ours. Inside the same
#: window the higher count holds, because calls of others may be on their way.
_OBSERVE = (
    """with told as (select %(limit)s::int as limit_calls, %(remaining)s::int as remaining,
    case when %(resets_at)s::timestamptz > """
    + _NOW
    + " then %(resets_at)s::timestamptz end as resets_at, "
    + _NOW
    + """ as moment)
    insert into sluis.limiter as l (key, limit_calls, period_seconds, used, window_end, blocked_until, updated_at)
    select %(key)s, coalesce(t.limit_calls, %(default_limit)s::int), %(default_period)s::int,
    coalesce(coalesce(t.limit_calls, %(default_limit)s::int) - t.remaining, 0), t.resets_at,
    case when t.remaining <= 0 then t.resets_at end, t.moment from told as t
    on conflict (key) do update set
    limit_calls = coalesce(excluded.limit_calls, l.limit_calls),
    used = case
        when l.window_end is null or excluded.window_end > l.window_end + interval '1 second'
            then coalesce(coalesce(excluded.limit_calls, l.limit_calls) - %(remaining)s::int, l.used)
        else greatest(l.used, coalesce(coalesce(excluded.limit_calls, l.limit_calls) - %(remaining)s::int, l.used)) end,
    window_end = coalesce(excluded.window_end, l.window_end),
    blocked_until = greatest(l.blocked_until, excluded.blocked_until), updated_at = excluded.updated_at"""
)
