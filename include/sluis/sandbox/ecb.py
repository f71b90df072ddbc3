"""Stands in for the European Central Bank's files of reference rates: real rates where we have them, then made-up ones.

Days that the package's own copy knows have its rates. After it the last ones go on, a little higher every day, on every
working day up to today: enough to book by on a machine without internet, and wrong enough not to be mistaken.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from lxml import etree

from sluis.registers.ecb import ALL, RECENT, package_copy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluis.sandbox.state import State

#: Below the sandbox's address; ``SLUIS_ECB_URL`` is the address with this behind it.
API = "/stats/eurofxref"
_GESMES = "http://www.gesmes.org/xml/2002-08-01"
_RATES = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"


def router(state: State) -> APIRouter:
    """Return the routes below ``/stats/eurofxref``."""
    routes = APIRouter(prefix=API)

    @routes.get("/{name}")
    async def rates(name: str) -> Response:
        if name not in (RECENT, ALL):
            raise HTTPException(404, "no such file")
        today = state.now().date()
        first = today - timedelta(days=90) if name == RECENT else date.min
        table = {day: row for day, row in _table(today).items() if first <= day <= today}
        return Response(_xml(table), media_type="application/xml")

    return routes


def _table(today: date) -> dict[date, Mapping[str, str]]:
    known = package_copy()
    last = max(known)
    table = dict(known)
    for number in range(1, (today - last).days + 1):
        day = last + timedelta(days=number)
        if day.weekday() < 5:
            factor = 1 + Decimal(number) / 10000
            table[day] = {name: str(round(Decimal(rate) * factor, 4)) for name, rate in known[last].items()}
    return table


def _xml(table: Mapping[date, Mapping[str, str]]) -> bytes:
    root = etree.Element(f"{{{_GESMES}}}Envelope", nsmap={"gesmes": _GESMES, None: _RATES})
    etree.SubElement(root, f"{{{_GESMES}}}subject").text = "Reference rates"
    days = etree.SubElement(root, f"{{{_RATES}}}Cube")
    for day in sorted(table, reverse=True):
        cube = etree.SubElement(days, f"{{{_RATES}}}Cube", time=day.isoformat())
        for currency, rate in table[day].items():
            etree.SubElement(cube, f"{{{_RATES}}}Cube", currency=currency, rate=rate)
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
