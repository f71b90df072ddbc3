"""When to come back: ``Retry-After`` and ``RateLimit-Reset`` in every form that vendors use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime

#: A number above this is a moment (epoch seconds), not a duration: 10^8 seconds are three years.
EPOCH_FROM = 100_000_000
#: No wait is longer: a vendor's typing error or wrong clock must not stop an integration for years.
LONGEST = timedelta(hours=24)


def parse_wait(value: str | None, now: datetime) -> timedelta | None:
    """Return how long to wait from ``now`` (aware), between 0 and 24 hours; ``None`` when absent or not understood.

    Forms: seconds and HTTP date (RFC 9110, 10.2.3), and epoch seconds (Moneybird).
    """
    if value is None or not value.strip():
        return None
    wait = _wait(value.strip(), now)
    return None if wait is None else min(max(wait, timedelta(0)), LONGEST)


def _wait(text: str, now: datetime) -> timedelta | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _until_date(text, now)
    if not number.is_finite():
        return None
    if number < EPOCH_FROM:
        return timedelta(milliseconds=int(number * 1000))
    return _until_epoch(int(number), now)


def _until_epoch(seconds: int, now: datetime) -> timedelta | None:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC) - now
    except (OverflowError, ValueError, OSError):
        return None


def _until_date(text: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
