"""Retention with a moved clock, on the store and the logs of the shared Airflow."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from sluis.errors import Defect
from sluis.flows import retention
from sluis.local.places import repository
from sluis.privacy.register import read_register
from sluis.privacy.retention.runs import RetentionRun
from tests.airflow_harness import AirflowStack


def carry_out(stack: AirflowStack, clock: datetime, category: str) -> RetentionRun:
    """Carry a category out as ``sluis retention run`` would at ``clock``; what waits for a person is confirmed."""
    published = read_register(repository() / "config" / "register.yaml")
    keyring = stack.database.keyring
    with pytest.MonkeyPatch.context() as monkeypatch, stack.database.retention() as conn:
        monkeypatch.setattr(retention, "now_utc", lambda: clock)
        try:
            return retention.carry_out(conn, published, keyring, category=category)[0]
        except Defect as error:
            if error.code not in ("plan_too_large", "clock_suspicious"):
                raise
            (plan_hash,) = re.findall("[0-9a-f]{64}", str(error))
        return retention.carry_out(conn, published, keyring, category=category, confirm=plan_hash)[0]
