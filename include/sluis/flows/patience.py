"""Waits out a vendor's quota, so that a first import or a backfill comes to its end in one run.

Deferring at the first spent window would book one window's worth of documents per run: at 150 calls in five minutes
and a run an hour that is 150 documents an hour instead of 1,800. What is left beyond the bound is deferred.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from sluis.errors import QuotaSpent

log = logging.getLogger("sluis.quota")

#: How long a load may go on waiting, counted from its beginning: its task may take six hours in all.
BOUND = timedelta(hours=5)
#: One wait at most; then the quota is asked for again, and the log says that the run is alive.
ONE_WAIT = timedelta(minutes=5)
#: Where the vendor does not say when his quota frees.
UNSAID = timedelta(minutes=1)

T = TypeVar("T")


@dataclass
class Patience:
    """How long one load has for the vendor's quota. Make it when the load begins."""

    bound: timedelta = BOUND
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic  #: seconds
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def wait(self, error: QuotaSpent) -> bool:
        """Wait for the quota to free and return ``True``, or ``False`` at once where that lies beyond the bound."""
        frees_in = UNSAID if error.retry_after is None else max(error.retry_after, timedelta(seconds=1))
        left = self.bound - timedelta(seconds=self.clock() - self._began)
        if frees_in > left:
            return False
        wait = min(frees_in, ONE_WAIT)
        log.info("the quota is spent; waiting %.0f s, then going on (%.0f minutes left for waiting)",
                 wait.total_seconds(), left.total_seconds() / 60)  # fmt: skip
        self.sleep(wait.total_seconds())
        return True

    def call(self, call: Callable[[], T]) -> T:
        """Call until the quota allows it; raises ``QuotaSpent`` beyond the bound. Not for calls that hold a claim."""
        while True:
            try:
                return call()
            except QuotaSpent as error:
                if not self.wait(error):
                    raise
