"""Counting what was booked for the anonymous statistics: each document once, by the run that finds it uncounted.

The figures of a booking are added to sums per quarter, country, rate, platform and package in the transaction that
marks it. So it does not matter which run booked it, or where that run was killed.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from pydantic import Field

from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind
from sluis.errors import Refused
from sluis.flows.wiring import Session
from sluis.statistics.door import Sums, admitted, quarter_of
from sluis.store.contributions import Contribution, Contributions, Uncounted

log = logging.getLogger("sluis.statistics")

#: Documents per transaction.
CHUNK = 1000
_Key = tuple[date, str, Decimal]


class Counted(Frozen):
    """What became of documents that were booked and not counted yet."""

    counted: int = 0
    refused: Mapping[str, int] = Field(default_factory=dict)  #: by reason; they stay booked
    left_out: int = 0  #: of a merchant without statistics, or linked by ``sluis adopt``


def count(session: Session) -> Counted:
    """Count all booked documents of an integration that were not counted yet.

    A document dated in a quarter that is frozen counts in the first one that is not. Nothing is counted of a merchant
    who did not agree to statistics, or who objected (GDPR art. 21).
    """
    store = Contributions(session.conn, session.integration)
    left_out, counted, refused = store.leave_out(), 0, Counter[str]()
    while True:
        with session.conn.transaction():
            earliest = store.open_quarter()
            documents = store.uncounted(CHUNK)
            if not documents:
                break
            told = _add(store, documents, earliest)
            store.mark(documents)
        refused += told
        counted += len(documents) - told.total()
    if counted or refused:
        log.info("statistics counted=%s refused=%s", counted, dict(refused))
    return Counted(counted=counted, refused=dict(refused), left_out=left_out)


def _add(store: Contributions, documents: Sequence[Uncounted], earliest: date | None) -> Counter[str]:
    """Add what the documents say; returns how many were refused, by reason."""
    cells: defaultdict[_Key, list[tuple[bool, Sums]]] = defaultdict(list)
    refused: Counter[tuple[date, str]] = Counter()
    for document in documents:
        credit, dated = document.kind is DocumentKind.CREDIT_NOTE, quarter_of(document.issue_date)
        quarter = max(dated, earliest or dated)
        try:
            admitted_ = admitted(
                document.figures, credit=credit, currency=document.currency, on=document.issue_date
            )  # fmt: skip
        except Refused as error:
            log.warning("order=%s is not counted in the statistics: %s", document.order_number, error)
            refused[quarter, error.code] += 1
            continue
        for sums in admitted_:
            cells[quarter, sums.country, sums.vat_rate].append((credit, sums))
    store.add(_added(key, parts) for key, parts in sorted(cells.items()))
    for (quarter, reason), number in sorted(refused.items()):
        store.refuse(quarter, reason, number)
    by_reason: Counter[str] = Counter()
    for (_, reason), number in refused.items():
        by_reason[reason] += number
    return by_reason


def _added(key: _Key, parts: Sequence[tuple[bool, Sums]]) -> Contribution:
    quarter, country, rate = key
    sales, credits = ([sums for credit, sums in parts if credit is which] for which in (False, True))
    return Contribution(
        quarter=quarter, country=country, vat_rate=rate,
        revenue_cents=sum(s.net_cents for s in sales), revenue_vat_cents=sum(s.vat_cents for s in sales),
        refunds_cents=sum(s.net_cents for s in credits), refunds_vat_cents=sum(s.vat_cents for s in credits),
        documents=len(parts),
    )  # fmt: skip
