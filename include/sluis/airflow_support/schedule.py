"""When a DAG starts: as often as the integration asks, and never together with the others.

A cron expression only expresses cadences that divide the hour or the day, so an interval is rounded down to the next
cadence that does: the shop is then read at least as often as was asked.
"""

from __future__ import annotations

import hashlib

#: Minutes that divide an hour or a day.
CADENCES = (5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
_HOUR = 60


def cadence(interval_minutes: int) -> int:
    """Return the minutes between two runs: the longest of ``CADENCES`` that is not longer than what was asked.

    Raises ``ValueError`` under five minutes: a run costs more than that leaves.
    """
    fitting = [minutes for minutes in CADENCES if minutes <= interval_minutes]
    if not fitting:
        raise ValueError(f"an interval is at least {CADENCES[0]} minutes")
    return fitting[-1]


def cron(dag_id: str, interval_minutes: int) -> str:
    """Return the cron expression of a DAG; its offset inside the interval is a hash of its id, so it never moves.

    Minute 0 is left out (everybody else's cron jobs start there). Hours are those of the DAG's own time zone.
    """
    every = cadence(interval_minutes)
    drawn = int.from_bytes(hashlib.sha256(dag_id.encode()).digest()[:8], "big")
    if every < _HOUR:
        return f"{1 + drawn % (every - 1)}-59/{every} * * * *"
    minute, hours = 1 + drawn % (_HOUR - 1), every // _HOUR
    first = (drawn // _HOUR) % hours
    if hours == 1:
        return f"{minute} * * * *"
    if hours == 24:
        return f"{minute} {first} * * *"
    return f"{minute} {first}-23/{hours} * * *"
