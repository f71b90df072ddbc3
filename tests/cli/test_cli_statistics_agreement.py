"""``sluis merchant statistics``: nobody takes part unasked, an objection deletes, a company counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluis.store.database import rows
from tests.cli.runner import run
from tests.conftest import Database
from tests.privacy.retention.world import merchant, put

pytestmark = pytest.mark.postgres


def told(*arguments: str) -> dict[str, Any]:
    done = run("merchant", "statistics", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nobody_takes_part_before_he_agrees_and_an_objection_deletes(database: Database) -> None:
    with database.owner() as conn:
        for code in ("m1aa", "m2bb"):
            merchant(conn, code)
            put(conn, "statistics_contribution", merchant_code=code)
            put(conn, "booking", merchant_code=code, contributed=False)
    assert told("m1aa")["takes_part"] is False
    agreed = told("m1aa", "--agree")
    assert agreed["takes_part"] is True
    assert told("m1aa", "--agree")["agreed_at"] == agreed["agreed_at"]
    objected = told("m1aa", "--object")
    assert (objected["takes_part"], objected["deleted"]) == (False, 1)
    assert told("m1aa", "--agree")["takes_part"] is True
    with database.owner() as conn:
        left = rows(conn, "select merchant_code as code from sluis.statistics_contribution")
        before = rows(conn, "select merchant_code as code from sluis.booking where not contributed")
    assert [r["code"] for r in left] == ["m2bb"]
    assert [r["code"] for r in before] == ["m2bb"], "what he booked before he agreed is not counted"


def test_merchants_of_one_company_are_one_enterprise(database: Database) -> None:
    with database.owner() as conn:
        for code in ("m1aa", "m2bb", "m3cc"):
            merchant(conn, code)
    assert told("m2bb", "--enterprise", "m1aa")["enterprise"] == "m1aa"
    assert "enterprise_chain" in run("merchant", "statistics", "m3cc", "--enterprise", "m2bb").output
    assert "enterprise_chain" in run("merchant", "statistics", "m1aa", "--enterprise", "m3cc").output
    assert told("m2bb", "--enterprise", "m2bb")["enterprise"] == "m2bb"
    assert "merchant_unknown" in run("merchant", "statistics", "m9zz").output
