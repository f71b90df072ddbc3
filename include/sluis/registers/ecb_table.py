"""The European Central Bank's reference rates as a table of days, and the two writings it is read from.

A rate is so many units of a currency for one euro. Every day of the table is a day on which the ECB published; a
currency that it did not publish on that day has none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from lxml import etree

from sluis.http.answer import BrokenBody, ForeignBody

#: Day -> currency -> rate as the ECB wrote it (a text: most are never looked at).
Table = Mapping[date, Mapping[str, str]]
#: How long the ECB is silent at most (Christmas, Easter) and what is bridged: beyond it there is no rate.
LONGEST_SILENCE = timedelta(days=7)
_CURRENCY = re.compile(r"[A-Z]{3}")
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?")


def published(table: Table, currency: str, on: date) -> tuple[date, Decimal] | None:
    """Return the day and the rate of the last publication up to ``on``, at most seven days before it.

    ``None`` where that publication has no rate of the currency: it ended, or the ECB does not follow it.
    """
    for back in range(LONGEST_SILENCE.days + 1):
        day = on - timedelta(days=back)
        if day in table:
            rate = table[day].get(currency)
            return None if rate is None else (day, Decimal(rate))
    return None


def read_csv(text: str) -> dict[date, dict[str, str]]:
    """Read the ECB's CSV, or our own: ``Date,USD,...``, one row per day. Raises ``ValueError`` for anything else."""
    lines = csv.reader(io.StringIO(text))
    head = next(lines, [])
    currencies = [name.strip() for name in head[1:]]
    if not head or head[0] != "Date" or not all(_CURRENCY.fullmatch(name) for name in currencies if name):
        raise ValueError("not a table of reference rates")
    table: dict[date, dict[str, str]] = {}
    for line in lines:
        cells = zip(currencies, line[1:], strict=True)
        table[date.fromisoformat(line[0])] = {name: _rate(cell) for name, cell in cells if cell not in ("", "N/A")}
    return table


def write_csv(table: Table) -> str:
    """Return the table as ``read_csv`` reads it, the same for the same table."""
    currencies = sorted({currency for rates in table.values() for currency in rates})
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["Date", *currencies])
    for day in sorted(table):
        lines.writerow([day.isoformat(), *(table[day].get(currency, "") for currency in currencies)])
    return out.getvalue()


def read_xml(raw: bytes) -> dict[date, dict[str, str]]:
    """Read an ``eurofxref-*.xml``: no entity, no document type and nothing from the network is looked at.

    Raises ``BrokenBody`` for XML that was cut off and ``ForeignBody`` for anything else than rates.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise (BrokenBody() if raw.lstrip()[:5] == b"<?xml" else ForeignBody(json_inside=False)) from None
    if root.getroottree().docinfo.doctype:
        raise ForeignBody(json_inside=False)
    table: dict[date, dict[str, str]] = {}
    try:
        for day in root.iter("{*}Cube"):
            if "time" in day.attrib:
                rates = {str(cube.attrib["currency"]): _rate(str(cube.attrib["rate"])) for cube in day}
                table[date.fromisoformat(str(day.attrib["time"]))] = rates
    except (KeyError, ValueError):
        raise ForeignBody(json_inside=False) from None
    if not table or not all(_CURRENCY.fullmatch(name) for rates in table.values() for name in rates):
        raise ForeignBody(json_inside=False)
    return table


def _rate(text: str) -> str:
    """Pass a rate on as it is written. Raises ``ValueError`` where it is none."""
    try:
        if _RATE.fullmatch(text) and Decimal(text) > 0:
            return text
    except InvalidOperation:
        pass
    raise ValueError("not a rate")
