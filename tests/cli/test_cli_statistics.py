"""``sluis statistics``: a release is made, shown, exported, audited and verified."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluis.flows.statistics import last_quarter
from sluis.statistics.domain import first_day
from tests.cli.runner import run
from tests.conftest import Database
from tests.flows.test_statistics_flow import fill

pytestmark = pytest.mark.postgres


def ok(*arguments: str) -> str:
    done = run("statistics", *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_release_from_nothing_to_files(database: Database, tmp_path: Path) -> None:
    quarter = last_quarter(datetime.now(UTC))
    with database.owner() as owner:
        fill(owner, 60, first_day(quarter))
    assert "nothing is released" in ok("list")
    assert "would be published" in ok("run", "--dry-run")
    assert "nothing is released" in ok("list")
    assert f"release 1 of {quarter} is published" in ok("run")
    assert "stands already" in ok("run", "--quarter", quarter)
    (told,) = json.loads(ok("list", "--json"))
    assert (told["number"], told["quarter"], told["too_few"]) == (1, quarter, False)
    assert told["published"] > 0
    assert "sales, total: 1 published, 0 not" in ok("show", "1")
    families = json.loads(ok("audit", "1"))["families"]
    assert {family["family"] for family in families} == {"sales", "refunds"}
    assert "1 release(s), 1 counted and attacked again: the chain holds" in ok("verify")
    written = [Path(line) for line in ok("export", "1", "-o", str(tmp_path / "out")).splitlines()]
    assert all(path.stat().st_size for path in written)
    (table,) = (path for path in written if path.suffix == ".csv")
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    hidden = [row for row in rows if not row["value"]]
    assert {row["obs_status"] for row in hidden} == {"Q"}
    assert len(hidden) < len(rows)


def test_a_release_that_is_not_there_is_named(database: Database) -> None:
    done = run("statistics", "show", "7")
    assert done.exit_code == 1
    assert "release_unknown" in done.output
