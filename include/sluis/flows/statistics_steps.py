"""The steps of the DAG ``statistics``: each opens the store as the role of the statistics and logs for an auditor.

Between tasks nothing passes but what is told of them: numbers, dates and the hash of the release. Whatever could tell
of an enterprise stays inside the one process that makes the release.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

from sluis.core.frozen import Frozen
from sluis.errors import Defect, ProofFailed
from sluis.flows import statistics as flow
from sluis.statistics import domain
from sluis.store.database import statistics_connection
from sluis.store.statistics import Statistics

_log = logging.getLogger("sluis.statistics")


class StatisticsRequest(Frozen):
    """One run of the DAG."""

    dag_run_id: str
    quarter: str  #: ``2026-Q3``


class StatisticsStep(Frozen):
    """What a step tells."""

    quarter_from: date
    contributions: int | None = None
    provisional: bool | None = None
    release: int | None = None  #: its number
    published_now: bool | None = None  #: false: it stood already
    cells_published: int | None = None
    cells_hidden: int | None = None
    too_few: bool | None = None
    releases: int | None = None  #: in the ledger
    figures_recounted: int | None = None  #: ``None``: the input is gone, or changed since
    sha256: str | None = None


def freeze(request: StatisticsRequest) -> StatisticsStep:
    """Close the quarter: what comes later counts in the next one. A quarter that is released stays as it is.

    Raises ``Defect``: ``quarter_running``, ``quarter_past``.
    """
    first = domain.first_day(request.quarter)
    with statistics_connection() as conn:
        store = Statistics(conn)
        standing = next((known for known in store.releases() if known.quarter == first), None)
        if standing is not None:
            _log.info("quarter=%s release=%s stands already", request.quarter, standing.number)
            return StatisticsStep(quarter_from=first, release=standing.number)
        frozen = store.freeze(first)
    _log.info("quarter=%s frozen contributions=%s provisional=%s",
              request.quarter, frozen.contributions, frozen.provisional)  # fmt: skip
    return StatisticsStep(quarter_from=first, contributions=frozen.contributions, provisional=frozen.provisional)


def release(request: StatisticsRequest) -> StatisticsStep:
    """Build the tables, hide what could be attacked, attack, judge and publish; or publish nothing and say why.

    Raises what ``flows.statistics.publish`` does.
    """
    with statistics_connection() as conn:
        done = flow.publish(conn, request.quarter, now=datetime.now(UTC))
    figures = [figure for table in done.release.tables for figure in table.figures]
    published = sum(figure.published for figure in figures)
    return StatisticsStep(
        quarter_from=domain.first_day(request.quarter),
        release=done.release.number,
        published_now=done.published,
        cells_published=published,
        cells_hidden=len(figures) - published,
        too_few=done.release.too_few,
        sha256=done.sha256,
    )


def verify(request: StatisticsRequest) -> StatisticsStep:
    """Read back what is published: the whole chain, and the quarter's release counted and attacked anew.

    Raises ``ProofFailed``: ``ledger_broken``, ``release_wrong``; ``Defect("release_unknown")`` where there is none.
    """
    with statistics_connection() as conn:
        known, findings = flow.verified(conn)
        if findings:
            first = findings[0]
            raise ProofFailed(f"{len(findings)} finding(s) in the chain: {first.message}", code="ledger_broken")
        stored = next((one for one in known if one.release.quarter == request.quarter), None)
        if stored is None:
            raise Defect(f"{request.quarter} has no release: clear the task release", code="release_unknown")
        again = flow.recounted(conn, stored)
    told = {"quarter_from": domain.first_day(request.quarter), "release": stored.release.number,
            "releases": len(known), "sha256": stored.sha256}  # fmt: skip
    if again is None:
        _log.info("releases=%s chain=holds; the input of %s is gone or changed since", len(known), request.quarter)
        return StatisticsStep(**told)
    for family, found in again.items():
        smallest = [report.smallest_percent for report in found.audit.attackers if report.smallest_percent is not None]
        _log.info("family=%s figures=%s wrong=%s attacked=%s breached=%s smallest_protection=%s%%",
                  family.value, found.figures, found.wrong, sum(r.targets for r in found.audit.attackers),
                  sum(r.breached for r in found.audit.attackers), min(smallest, default=None))  # fmt: skip
    if not all(found.right for found in again.values()):
        raise ProofFailed(
            f"release {stored.release.number} is not what its input says, or an attacker comes too close: an engineer, "
            "before anybody cites it",
            code="release_wrong",
        )
    _log.info("releases=%s chain=holds release=%s counted and attacked again", len(known), stored.release.number)
    return StatisticsStep(**told, figures_recounted=sum(found.figures for found in again.values()))
