"""Answers what a currency was worth on a day, by the European Central Bank's reference rates.

Three sources, the older one leading: the copy in this package (never changes under a booking), what was read before and
is kept under ``SLUIS_HOME``, and the ECB itself, asked only for days that may have been published since, a few times a
day at most. The last 90 days are read where that closes the gap, else the whole history: the table has no hole, so a
day without a publication is a weekend or a holiday and not one that was missed.
"""

from __future__ import annotations

import gzip
import logging
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from sluis.core.evidence import ExchangeRate
from sluis.errors import NotConfigured, SluisError
from sluis.http import VendorSession
from sluis.http.address import is_plain_afar, parsed_address
from sluis.registers.ecb_table import Table, published, read_csv, read_xml, write_csv

URL = "SLUIS_ECB_URL"
DEFAULT_URL = "https://www.ecb.europa.eu/stats/eurofxref"
RECENT, ALL = "eurofxref-hist-90d.xml", "eurofxref-hist.xml"
COPY = "ecb_rates.csv.gz"
KEPT, ASKED = "ecb-rates.csv", "ecb-rates.asked"
#: How long after a question, answered or not, the next one may follow.
PAUSE = timedelta(hours=4)
#: The ECB publishes at about 16:00 in Frankfurt on the days of TARGET.
_ZONE, _TIME = ZoneInfo("Europe/Berlin"), time(16, 15)
_RECENT_DAYS = 85  # that ``RECENT`` surely holds
_LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)
_FIRST_ZONE = timedelta(hours=14)  # the earliest time zone is so far ahead of UTC: there it may be tomorrow

log = logging.getLogger(__name__)


def address() -> str:
    """Return the folder of the ECB's files or of their stand-in. Raises ``NotConfigured`` for an address that is none.

    Rates decide amounts: they come over an encrypted connection, or from this machine.
    """
    url = os.environ.get(URL, "").strip() or DEFAULT_URL
    try:
        parsed_address(url)
    except ValueError as error:
        raise NotConfigured(f"{URL} {error}") from None
    if is_plain_afar(url):
        raise NotConfigured(f"{URL} must begin with https://: whoever is on the way could change the rates")
    return url


@cache
def package_copy() -> Table:
    """Return the copy of the rates in this package (its day and source stand in the README)."""
    packed = (files(__package__) / COPY).read_bytes()
    return read_csv(gzip.decompress(packed).decode("ascii"))


class EcbRates:
    """Implements ``ports.ReferenceRates``, against the euro. ``home`` ``None``: nothing is kept."""

    def __init__(
        self,
        home: Path | None,
        url: str = DEFAULT_URL,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._home, self._now = home, now
        self._kept: Table = {}
        self._read_kept = False
        self._asked: datetime | None = None
        self._session = VendorSession(
            url, vendor="ECB", auth=None, limiter=None, limiter_key="ecb", headers={"Accept": "application/xml"},
            read_timeout=20.0, read_retries=1, parse=read_xml, now=now,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def rate(self, currency: str, on: date) -> ExchangeRate | None:
        """Return the rate published on ``on`` or, where there was none, the last one of the seven days before it.

        ``None`` for a day that has not come, a currency that the ECB does not publish (any more), and a day near which
        no publication is known. Never raises for an ECB that is away: what is known counts, and the log says so.
        """
        if on > (self._now() + _FIRST_ZONE).date():
            return None
        if self._may_be_newer(on):
            self._refresh(on)
        found = published(self._table(), currency, on)
        if found is None:
            return None
        return ExchangeRate(currency=currency, base="EUR", rate=found[1], on=found[0], source="ECB")

    def _table(self) -> Table:
        if not self._read_kept:
            self._kept, self._read_kept = self._load(), True
        return {**self._kept, **package_copy()}

    def _may_be_newer(self, on: date) -> bool:
        """Whether the ECB may have published for ``on``, or for a day before it, what we have not."""
        local = self._now().astimezone(_ZONE)
        last = local.date() if local.time() >= _TIME else local.date() - timedelta(days=1)
        day = min(on, last)
        while day.weekday() >= 5:  # Saturday, Sunday
            day -= timedelta(days=1)
        return day > max(self._table())

    def _refresh(self, on: date) -> None:
        now, last = self._now(), max(self._table())
        asked = self._last_asked()
        if asked is not None and timedelta(0) <= now - asked < PAUSE:
            return
        self._note_asked(now)
        name = RECENT if (now.date() - last).days < _RECENT_DAYS else ALL
        try:
            fresh: Table = self._session.get(name).body or {}
        except SluisError as error:
            log.warning("ECB: no new rates (%s): %s is the last day known, %s is asked for", error.code, last, on)
            return
        end = max(package_copy())
        self._kept = {day: rates for day, rates in {**self._kept, **fresh}.items() if day > end}
        log.info("ECB: rates up to %s", max(self._table()))
        self._keep(KEPT, write_csv(self._kept))

    def _last_asked(self) -> datetime | None:
        if self._asked is None and self._home is not None:
            try:
                told = datetime.fromisoformat((self._home / ASKED).read_text(encoding="ascii").strip())
                self._asked = told if told.tzinfo else None
            except (OSError, ValueError):
                return None
        return self._asked

    def _note_asked(self, now: datetime) -> None:
        self._asked = now
        self._keep(ASKED, now.isoformat())

    def _load(self) -> Table:
        if self._home is None:
            return {}
        try:
            return read_csv((self._home / KEPT).read_text(encoding="ascii"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            log.warning("ECB: the rates kept in %s cannot be read; they are asked for again", self._home / KEPT)
            self._asked = _LONG_AGO
            return {}

    def _keep(self, name: str, text: str) -> None:
        """Replace a file at once, so that no reader sees half of it."""
        if self._home is None:
            return
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._home, prefix=f".{name}.")
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(self._home / name)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            log.warning("ECB: %s could not be written (%s)", self._home / name, error.strerror)
