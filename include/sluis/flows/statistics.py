"""A release of the anonymous statistics: close the quarter, look for what can be told, have it attacked, publish it.

All of it happens in one process: what could tell of an enterprise is never handed on, written to disk or logged. Told
are counts, shares and steps of the plan. Asked again for a quarter that is published nothing changes.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Literal

from sluis import accounting, shops
from sluis.core.frozen import Frozen
from sluis.errors import Defect, ProofFailed
from sluis.quality.releases import judge_release
from sluis.statistics import domain as domains
from sluis.statistics import release as releases
from sluis.statistics.contract import Family, FamilyAudit, Pattern, Population, Release, Rules, StoredRelease
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.recount import Recount, recount
from sluis.statistics.release import Finding
from sluis.statistics.suppression import decide
from sluis.store.contributions import refusals
from sluis.store.database import Connection
from sluis.store.statistics import Freeze, Ledger, Statistics

log = logging.getLogger("sluis.statistics")

#: Seconds in which the cheapest pattern of one step of the plan is sought; after that the plan shrinks.
SEARCH_SECONDS = 120.0


class Outcome(Frozen):
    """What became of a quarter. ``published``: by this call; else the release stood already, or it was a dry run."""

    release: Release
    sha256: str
    audit: Mapping[str, Any]
    published: bool


def last_quarter(now: datetime) -> str:
    """Return the quarter that ended last (``2026-Q3``), in UTC."""
    first = domains.first_day(domains.quarter_of(now.astimezone(UTC).date()))
    return domains.quarter_of(date(first.year - (first.month == 1), (first.month - 4) % 12 + 1, 1))


def publish(
    conn: Connection, quarter: str, *, now: datetime, rules: Rules | None = None, dry_run: bool = False
) -> Outcome:
    """Publish the release of a quarter, or return the one that stands. ``conn``: of the role of the statistics.

    ``dry_run``: nothing is frozen or stored; what is counted so far is built, attacked and judged, and goes nowhere.
    Raises ``Defect`` (``quarter_running``, ``quarter_past``), and ``ProofFailed`` where the ledger is broken, the input
    changes on the way, or the release does not pass: then nothing is published.
    """
    store, first = Statistics(conn), domains.first_day(quarter)
    earlier = ledger(store)
    standing = next((known for known in earlier if known.release.quarter == quarter), None)
    if standing is not None:
        return Outcome(release=standing.release, sha256=standing.sha256, audit=standing.audit, published=False)
    frozen = None if dry_run else store.freeze(first)
    if frozen is not None:
        log.info("quarter=%s frozen contributions=%s enterprises=%s provisional=%s",
                 quarter, frozen.contributions, frozen.enterprises, frozen.provisional)  # fmt: skip
    made, audit = _made(conn, store, quarter, frozen=frozen, earlier=earlier, now=now, rules=rules or Rules())
    text, sha256 = releases.document(made), releases.sha256(made)
    if frozen is None:
        return Outcome(release=made, sha256=sha256, audit=audit, published=False)
    if not store.unchanged(frozen):
        raise ProofFailed(f"the input of {quarter} changed while it was counted: run it again", code="input_changed")
    row = Ledger(
        number=made.number, quarter=first, released_at=made.released_at, document=text, sha256=sha256,
        previous_sha256=made.previous_hash, audit=audit,
    )  # fmt: skip
    if not store.publish(row):
        raise Defect(f"another process published {quarter} just now", code="release_stands")
    log.info("release=%s quarter=%s sha256=%s published", made.number, quarter, sha256)
    return Outcome(release=made, sha256=sha256, audit=audit, published=True)


def ledger(store: Statistics) -> list[StoredRelease]:
    """Return all releases as they are stored; raises ``ProofFailed`` for one that cannot be read."""
    return [StoredRelease(releases.parse(row.document), row.sha256, row.audit) for row in store.releases()]


def verified(conn: Connection) -> tuple[list[StoredRelease], tuple[Finding, ...]]:
    """Return all releases, and what is wrong with their chain: nothing, as it should be."""
    known = ledger(Statistics(conn))
    return known, releases.verify(known)


def recounted(conn: Connection, stored: StoredRelease) -> dict[Family, Recount] | None:
    """Count and attack a release again from its frozen input; ``None`` where that is gone or changed since.

    It is deleted 45 days after the release, and who objects later takes his part out of it at once.
    """
    store, first = Statistics(conn), domains.first_day(stored.release.quarter)
    frozen = store.frozen(first)
    if frozen is None or not store.unchanged(frozen):
        return None
    with store.reading():
        populations = _populations(store, first)
    with _silent():
        return {family: recount(stored.release, family, populations[family]) for family in Family}


# ------------------------------------------------------------------------------------------------------- the building


def _made(
    conn: Connection, store: Statistics, quarter: str, *, frozen: Freeze | None, earlier: Sequence[StoredRelease],
    now: datetime, rules: Rules,
) -> tuple[Release, dict[str, Any]]:  # fmt: skip
    """Build a release from the input and have it attacked and judged."""
    first, began = domains.first_day(quarter), time.monotonic()
    with store.reading():
        populations = _populations(store, first)
        refused: Counter[str] = Counter()
        for refusal in refusals(conn, first):
            refused[refusal.reason] += refusal.documents
    patterns: dict[Family, Pattern] = {}
    audits: list[FamilyAudit] = []
    for family, population in populations.items():
        with _silent():
            patterns[family], audit = decide(
                population, rates_of(population.base), rules, family=family, seconds=SEARCH_SECONDS
            )
        _tell(audit)
        audits.append(audit)
    fixed = domains.domain(quarter, shops.connectors(), accounting.connectors())
    made = releases.build(
        quarter, now, patterns=patterns, populations=populations, domain=fixed, rules=rules, refused=refused,
        provisional=frozen is None or frozen.provisional, earlier=earlier,
    )  # fmt: skip
    checked = judge_release(made, fixed)
    told = {
        "families": [audit.model_dump(mode="json") for audit in audits],
        "expectations": len(checked),
        "seconds": round(time.monotonic() - began),
        "attack": "linear programmes over the occupied cube (docs/reference/statistics.md)",
    }
    return made, told


def _populations(store: Statistics, first: date) -> dict[Family, Population]:
    """Read the input of a quarter; call it inside ``store.reading``."""
    names: dict[Family, Literal["sales", "refunds"]] = {Family.SALES: "sales", Family.REFUNDS: "refunds"}
    return {family: InMemory.copied(*store.entries(first, name)) for family, name in names.items()}


def _tell(audit: FamilyAudit) -> None:
    """Tell what an auditor may see, and stop at a breach: ``decide`` never returns one, so it would be our mistake."""
    log.info(
        "family=%s step=%s published=%s suppressed=%s cells_share=%s%% revenue_share=%s%% programmes=%s",
        audit.family.value, audit.step.value, audit.published,
        {fate.value: number for fate, number in audit.suppressed.items()}, audit.cells_share_percent,
        audit.revenue_share_percent, audit.linear_programmes,
    )  # fmt: skip
    if not audit.safe:
        raise ProofFailed(f"{audit.family.value}: an attacker comes too close", code="release_unsafe")


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what HiGHS writes to the process's own output out of the task log: its lines are about our figures."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
