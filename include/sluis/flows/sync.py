"""The tasks of a sync DAG, in one place for the DAG to call."""

from __future__ import annotations

from sluis.flows.context import Compared, Extracted, Loaded, RunRequest, Shredded, Transformed
from sluis.flows.extract import extract
from sluis.flows.load import load, shred
from sluis.flows.reconcile_ended import is_due, reconcile_ended
from sluis.flows.transform import transform

__all__ = [
    "Compared", "Extracted", "Loaded", "RunRequest", "Shredded", "Transformed", "extract", "is_due", "load",
    "reconcile_ended", "shred", "transform",
]  # fmt: skip
