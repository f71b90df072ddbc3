"""The run reports of an integration, and whether their chain still holds."""

from __future__ import annotations

from sluis.core.frozen import Frozen
from sluis.flows.wiring import Session
from sluis.store.reports import RunReport


class Verified(Frozen):
    """The chain of run reports holds: ``reports`` links, the last one is ``head`` (SHA-256, hex)."""

    merchant: str
    integration: str
    reports: int
    head: str | None


def latest(session: Session, limit: int) -> list[RunReport]:
    """Return the latest reports, the newest first."""
    return list(session.reports.list(limit))


def verify(session: Session) -> Verified:
    """Check every link of the chain; raises ``ProofFailed("chain_broken")`` naming the first one that does not hold."""
    count = session.reports.verify()
    newest = session.reports.list(1)
    where = session.integration
    return Verified(
        merchant=where.merchant,
        integration=where.code,
        reports=count,
        head=newest[0].hash if newest else None,
    )
