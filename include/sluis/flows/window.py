"""Which piece of time a run reads. The watermark is ours; Airflow's run history never decides what was handled.

* scheduled: from the watermark (less an overlap) to the end of its data interval, so that one run closes any gap; and
  never less than its own interval, so that clearing an old failed run reads what it should have read.
* backfill: exactly its own interval.
* all others (manual, webhook, event): from the watermark to now, or single orders.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sluis.errors import NotConfigured
from sluis.flows.context import RunRequest
from sluis.ports import Window
from sluis.store.integrations import Integration


def choose(request: RunRequest, integration: Integration, now: datetime) -> Window | None:
    """Return the window of a run (UTC), ``None`` when it only fetches single orders.

    Raises ``NotConfigured`` for a backfill without a data interval.
    """
    if request.order_ids:
        return None
    if request.is_backfill:
        if request.interval_start is None or request.interval_end is None:
            raise NotConfigured("a backfill needs a data interval: the DAG's timetable gives none")
        return Window(start=request.interval_start, end=request.interval_end)
    settings = integration.settings
    first = datetime.combine(settings.start_date, time(), tzinfo=settings.zone)
    start = first
    if integration.watermark is not None:
        start = integration.watermark - timedelta(minutes=settings.overlap_minutes)
    if request.run_type == "scheduled" and request.interval_start is not None:
        start = min(start, max(request.interval_start, first))
    end = request.interval_end if request.run_type == "scheduled" and request.interval_end else now
    return Window(start=min(start, end), end=end)
