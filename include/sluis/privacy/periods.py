"""Periods of the register: ISO 8601 durations, and the day before which something has expired.

A thing expires when its trigger's day, rounded up to the end of its quarter or year where the register says so, plus
the period has passed: at the period's last day it stands, the day after it is gone. All days are UTC days.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from dateutil.relativedelta import relativedelta
from pydantic import StringConstraints

from sluis.errors import NotConfigured

_FORM = re.compile(r"P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(\d+)H)?")
#: Longer than any law asks: a slip of the pen, not a period.
_LONGEST_YEARS = 30

Duration = Annotated[str, StringConstraints(pattern=r"^P(\d+Y)?(\d+M)?(\d+D)?(T\d+H)?$")]
Rounded = Literal["none", "quarter", "year"]


def duration(text: str) -> relativedelta:
    """Read an ISO 8601 duration of years, months, days and hours (``P24M``, ``PT24H``, ``P0D``).

    Raises ``NotConfigured("period_impossible")`` for anything else and for more than 30 years.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise NotConfigured("a period is an ISO 8601 duration such as P24M, P45D or PT24H", code="period_impossible")
    years, months, days, hours = (int(part or 0) for part in found.groups())
    if years * 366 + months * 31 + days + hours // 24 > _LONGEST_YEARS * 366:
        raise NotConfigured(f"a period is at most {_LONGEST_YEARS} years", code="period_impossible")
    return relativedelta(years=years, months=months, days=days, hours=hours)


def cutoff(period: str, now: datetime, rounded: Rounded = "none") -> datetime:
    """Return the moment before which a trigger's value has expired at ``now`` (UTC, as the answer).

    Whole days count from midnight UTC (so a date compares as its midnight); a period with hours counts from ``now``.
    """
    length = duration(period)
    if period.startswith("PT"):  # by the text: to relativedelta 24 hours are a day
        return now - length
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - length
    if rounded == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if rounded == "year" else day


def not_longer(one: str, other: str) -> bool:
    """Whether the first period is at most as long as the second, counted from the first day of a year."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return moment + duration(one) <= moment + duration(other)
