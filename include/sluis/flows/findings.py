"""What ``integration check`` says: a finding per thing that was looked at; and the VAT treatments that orders need."""

from __future__ import annotations

from typing import Literal

from sluis.core.frozen import Frozen
from sluis.core.invoice import VatTreatment

Level = Literal["ok", "warning", "missing"]


class Finding(Frozen):
    """One thing that was looked at. ``missing`` keeps an integration from going live; ``message`` says what to do."""

    level: Level
    code: str
    message: str


class Needed(Frozen):
    """A VAT treatment that orders of this shop get. ``certain``: orders at home get it; else such orders may come."""

    treatment: VatTreatment
    why: str
    certain: bool


def ok(code: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(level="ok", code=code, message=message)


def warning(code: str, message: str) -> Finding:
    """Return what is odd, or makes some orders wait."""
    return Finding(level="warning", code=code, message=message)


def missing(code: str, message: str) -> Finding:
    """Return what must be filled before the first order moves."""
    return Finding(level="missing", code=code, message=message)


def gap(certain: bool, code: str, message: str) -> Finding:
    """Return what is missing where it is certain to be needed, else a warning."""
    return missing(code, message) if certain else warning(code, message)
