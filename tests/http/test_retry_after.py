"""``Retry-After`` in every form that vendors use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.http.retry_after import LONGEST, parse_wait

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        (" 1.5 ", timedelta(seconds=1.5)),
        ("-4", timedelta(0)),
        (str(EPOCH + 300), timedelta(seconds=300)),
        (str(EPOCH - 300), timedelta(0)),
        (str(EPOCH * 1000), None),
        ("99999999", LONGEST),
        ("9" * 400, None),
        ("Mon, 23 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 23 Nov 2026 13:05:00 +0100", timedelta(minutes=5)),
        ("Mon, 23 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 99 Nov 2026 12:05:00 GMT", None),
    ],
)
def test_every_form(value: str | None, expected: timedelta | None) -> None:
    assert parse_wait(value, NOW) == expected
