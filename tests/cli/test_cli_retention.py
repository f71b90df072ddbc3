"""`sluis retention` and `sluis hold`: what goes is shown first, done, certified and verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluis.privacy.keyring import Keyring
from sluis.privacy.register import REGISTER, read_register, register_path
from tests.cli.runner import new_merchant, ok, ok_json, run
from tests.conftest import Database

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _tables_alone(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a register of the categories that are about tables alone: files and Airflow are other tests' work."""
    whole = yaml.safe_load(register_path().read_text(encoding="utf-8"))
    whole["categories"] = [c for c in whole["categories"] if all("table" in place for place in c["places"])]
    (tmp_path / "register.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    monkeypatch.setenv(REGISTER, str(tmp_path / "register.yaml"))
    for name in ("AIRFLOW_HOME", "SLUIS_HOME", "SLUIS_BACKUPS"):
        monkeypatch.delenv(name, raising=False)


def limiters(database: Database, count: int) -> None:
    """Leave rows that nobody has used for forty days, and one of today."""
    with database.owner() as conn:
        conn.execute(
            """insert into sluis.limiter (key, period_seconds, updated_at)
            select 'old' || n, 1, now() - interval '40 days' from generate_series(1, %s) as n
            union all select 'new', 1, now()""",
            [count],
        )


def standing(database: Database) -> int:
    with database.owner() as conn:
        found = conn.execute("select count(*) from sluis.limiter").fetchone()
    assert found is not None
    return int(found[0])


def test_what_goes_is_shown_then_gone_certified_and_verified(database: Database) -> None:
    limiters(database, 3)
    plan = ok_json("retention", "plan")
    assert plan["plan"]["categories"]["limiter"]["counts"] == {"limiter": 3}
    assert standing(database) == 4
    shown = ok("retention", "plan")
    assert "limiter" in shown
    assert "3 would go, 0 hold(s) in force" in shown
    assert ok_json("retention", "list") == []

    told = ok("retention", "run")
    assert "is proved; certificate 1:" in told
    assert standing(database) == 1
    assert ok_json("retention", "plan")["plan"]["categories"]["limiter"]["counts"] == {}
    [line] = ok_json("retention", "list")
    assert (line["state"], line["planned"], line["deleted"], line["certificate"]) == ("certified", 3, 3, 1)
    stored, certificate = ok_json("retention", "show", str(line["run"]))
    assert stored["plan_hash"] == certificate["plan_hash"] == line["plan_hash"]
    deleted = {d["category"]: d for d in certificate["deletions"]}["limiter"]
    assert (deleted["before"], deleted["deleted"], deleted["after"]) == ({"limiter": 3},) * 2 + ({"limiter": 0},)
    assert certificate["register_hash"] == read_register(register_path()).sha256
    shown = ok("retention", "show", str(line["run"]))
    assert certificate["hash"] in shown
    assert "there was no backup" in shown
    assert f"the chain holds: 1 certificate(s); head 1:{certificate['hash']}" in ok("retention", "verify")


def test_a_plan_that_is_too_large_waits_for_its_hash(database: Database) -> None:
    limiters(database, 60)
    refused = run("retention", "run")
    assert refused.exit_code == 1
    assert "plan_too_large" in refused.output
    assert standing(database) == 61
    [line] = ok_json("retention", "list")
    assert line["state"] == "waiting"
    assert "60" in ok("retention", "show", str(line["run"]))
    assert line["plan_hash"] in refused.output

    other = run("retention", "run", "--confirm", "0" * 64)
    assert (other.exit_code, standing(database)) == (1, 61)
    assert run("retention", "run", "--confirm", line["plan_hash"], "--category", "limiter").exit_code == 2
    certificate = ok_json("retention", "run", "--confirm", line["plan_hash"])
    assert certificate["plan_hash"] == line["plan_hash"]
    assert standing(database) == 1


def test_a_newer_plan_takes_the_place_of_the_one_that_waits(database: Database) -> None:
    limiters(database, 60)
    first, second = (run("retention", "run") for _ in range(2))
    assert first.exit_code == second.exit_code == 1
    newer, older = ok_json("retention", "list")
    assert (newer["state"], older["state"]) == ("waiting", "superseded")
    assert "superseded" in ok("retention", "list")
    refused = run("retention", "run", "--confirm", older["plan_hash"])
    assert refused.exit_code == 1
    assert "plan_superseded" in refused.output
    assert newer["plan_hash"] in refused.output
    assert ok_json("retention", "run", "--confirm", newer["plan_hash"])["plan_hash"] == newer["plan_hash"]
    assert standing(database) == 1


def test_what_is_held_stays_until_the_hold_ends(database: Database) -> None:
    limiters(database, 2)
    ends = ok_json("hold", "add", "--category", "limiter", "--reason", "dispute", "--owner", "desk", "--ends", _soon())
    assert "limiter" in ok("hold", "list")
    assert ok_json("retention", "plan")["plan"]["holds"] == 1
    assert ok_json("retention", "run")["holds"] == 1
    assert standing(database) == 3
    assert "has ended" in ok("hold", "end", str(ends["id"]))
    assert "nothing is held" in ok("hold", "list")
    assert len(ok_json("hold", "list", "--all")) == 1
    ok("retention", "run")
    assert standing(database) == 1


def test_one_merchant_and_one_category(database: Database) -> None:
    limiters(database, 2)
    merchant = new_merchant()
    assert "limiter" not in ok_json("retention", "plan", "--merchant", merchant)["plan"]["categories"]
    assert list(ok_json("retention", "plan", "--category", "limiter")["plan"]["categories"]) == ["limiter"]
    for wrong in (("--merchant", "m9zzz"), ("--category", "bookings")):
        refused = run("retention", "plan", *wrong)
        assert refused.exit_code == 1
        assert "Traceback" not in refused.output
    refused = run("hold", "add", "--reason", "dispute", "--owner", "desk", "--ends", _soon())
    assert (refused.exit_code, "hold_scope" in refused.output) == (1, True)


def test_an_auditor_verifies_with_what_he_noted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    limiters(database, 1)
    ok("retention", "run")
    public = ok("retention", "key").strip()
    head = ok_json("retention", "verify")
    monkeypatch.delenv("SLUIS_KEYS")
    assert run("retention", "verify").exit_code == 1  # neither keys nor a noted one
    noted = f"{head['last']}:{head['head']}"
    assert "the chain holds" in ok("retention", "verify", "--key", public, "--head", noted)
    assert run("retention", "verify", "--key", public, "--head", "x").exit_code == 2
    with database.owner() as conn:
        conn.execute("update sluis.deletion_certificate set holds = 9")
    broken = run("retention", "verify", "--key", public)
    assert broken.exit_code == 1
    assert "certificate 1 (retention run" in broken.output
    assert "was altered" in broken.output


def test_a_lost_key_is_replaced_and_what_came_meanwhile_is_signed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok("retention", "run")
    public = ok("retention", "key").strip()
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    ok("retention", "run")
    assert run("retention", "verify").exit_code == 1
    assert run("retention", "key", "--key", public).exit_code == 2
    done: dict[str, Any] = ok_json("retention", "key", "--renew", "--key", public)
    assert (done["renewed"], done["caught_up"]) == (1, 1)
    assert done["public_key"] != public
    assert "the chain holds: 2 certificate(s)" in ok("retention", "verify")


def _soon() -> str:
    return str((datetime.now(UTC) + timedelta(days=20)).date())
