"""What deleters work with: the store, and whatever is deleted outside it (files, Airflow's own database)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import Field

from sluis.core.frozen import Frozen
from sluis.privacy.register import Register
from sluis.privacy.retention.contract import Rule
from sluis.privacy.retention.schema import Schema
from sluis.store.database import Connection


class Kit(Frozen):
    """Where retention reaches outside the store, and how patient it is inside."""

    roots: Mapping[str, Path] = {}  #: of files, by the name that a register's pattern starts with
    airflow: tuple[str, ...] = ("airflow",)  #: the command of Airflow's own cleaner
    batch: int = Field(default=1000, ge=1, le=10_000)  #: rows per transaction
    lock_seconds: float = Field(default=2.0, gt=0)  #: how long one try waits for a lock, and others behind it
    tries: int = Field(default=5, ge=1)  #: how often a busy part is tried in one run


@dataclass(frozen=True)
class Tools:
    """What a deleter is made with: ``rules`` of the whole register, of which those ``in_scope`` are carried out."""

    conn: Connection
    kit: Kit
    register: Register
    rules: Mapping[str, Rule]
    in_scope: frozenset[str]
    schema: Schema
    #: Set by the proof: rows that were made after this moment are another run's, whatever date they carry.
    as_of: datetime | None = None
