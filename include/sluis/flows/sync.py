"""The four tasks of a sync DAG, in one place for the DAG to call."""

from __future__ import annotations

from sluis.flows.context import Extracted, Loaded, RunRequest, Shredded, Transformed
from sluis.flows.extract import extract
from sluis.flows.load import load, shred
from sluis.flows.transform import transform

__all__ = ["Extracted", "Loaded", "RunRequest", "Shredded", "Transformed", "extract", "load", "shred", "transform"]
