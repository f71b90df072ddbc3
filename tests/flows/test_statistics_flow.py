"""A quarter becomes a release: frozen, built, attacked, judged, published once, and chained to the one before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

import pytest

from sluis.errors import Defect, ProofFailed
from sluis.flows import statistics as flow
from sluis.statistics.contract import Family, Step, Table
from sluis.statistics.simulate import contributions
from sluis.store.database import Connection, rows
from tests.conftest import Database

pytestmark = pytest.mark.postgres
QUARTER, NEXT = "2026-Q2", "2026-Q3"
NOW = datetime(2026, 10, 15, 3, 23, tzinfo=UTC)


def fill(owner: Connection, enterprises: int, quarter: date = date(2026, 4, 1), *, seed: int = 1) -> None:
    """Let simulated merchants of the one platform and package there is sell something in a quarter."""
    made = contributions(enterprises, seed, platforms=1, packages=1)
    codes = sorted({row.enterprise for row in made})
    with owner.cursor() as cursor:
        cursor.executemany(
            """insert into sluis.merchant (code, name, statistics_agreed_at) values (%s, 'Voorbeeld', now())
            on conflict do nothing""",
            [(f"m{code:04d}",) for code in codes],
        )
        cursor.executemany(
            """insert into sluis.statistics_contribution values (%s, %s, %s, %s, 'woocommerce', 'moneybird',
            %s, %s, %s, %s, 1) on conflict do nothing""",
            [
                (f"m{r.enterprise:04d}", quarter, r.country, r.vat_rate, r.revenue_cents, r.revenue_vat_cents,
                 r.refunds_cents, r.refunds_vat_cents)
                for r in made
            ],
        )  # fmt: skip


def shown(release: flow.Release, family: Family) -> dict[Table, int]:
    tables: Iterable[flow.releases.ReleaseTable] = release.tables
    return {t.table: sum(f.published for f in t.figures) for t in tables if t.family is family}


def test_a_quarter_is_published_once_and_for_good(database: Database) -> None:
    with database.owner() as owner, database.statistics() as conn:
        fill(owner, 60)
        done = flow.publish(conn, QUARTER, now=NOW)
        assert (done.published, done.release.number, done.release.previous_hash) == (True, 1, None)
        assert shown(done.release, Family.SALES)[Table.TOTAL] == 1
        assert all(a["breached"] == 0 for f in done.audit["families"] for a in f["attackers"])
        fill(owner, 61, date(2026, 7, 1), seed=2)
        again = flow.publish(conn, QUARTER, now=NOW)
        assert (again.published, again.sha256) == (False, done.sha256)
        following = flow.publish(conn, NEXT, now=NOW)
        assert (following.release.number, following.release.previous_hash) == (2, done.sha256)
        known, findings = flow.verified(conn)
        assert ([stored.sha256 for stored in known], findings) == ([done.sha256, following.sha256], ())
        with pytest.raises(Defect, match="store_refused"):
            owner.execute("update sluis.statistics_release set document = '{}'")


def test_a_young_company_publishes_that_there_are_too_few(database: Database) -> None:
    with database.owner() as owner, database.statistics() as conn:
        fill(owner, 9)
        done = flow.publish(conn, QUARTER, now=NOW)
    assert (done.release.too_few, dict(done.release.step)) == (True, dict.fromkeys(Family, Step.NOTHING))
    assert sum(shown(done.release, Family.SALES).values()) == 0


def test_a_dry_run_leaves_nothing_behind(database: Database) -> None:
    with database.owner() as owner, database.statistics() as conn:
        fill(owner, 30)
        assert flow.publish(conn, QUARTER, now=NOW, dry_run=True).published is False
        assert rows(owner, "select from sluis.statistics_freeze") == []
        assert rows(owner, "select from sluis.statistics_release") == []


def test_who_objects_while_it_is_counted_stops_the_release(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.owner() as owner, database.statistics() as conn:
        fill(owner, 20)
        judge = flow.judge_release

        def objecting(*given: object) -> object:
            owner.execute("update sluis.merchant set statistics_objected_at = now() where code = 'm0001'")
            return judge(*given)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(flow, "judge_release", objecting)
            with pytest.raises(ProofFailed, match="input_changed"):
                flow.publish(conn, QUARTER, now=NOW)
        assert rows(owner, "select from sluis.statistics_release") == []
        assert flow.publish(conn, QUARTER, now=NOW).published is True


def test_a_quarter_that_runs_is_not_published(database: Database) -> None:
    with database.statistics() as conn, pytest.raises(Defect, match="quarter_running"):
        flow.publish(conn, flow.domains.quarter_of(datetime.now(UTC).date()), now=NOW)


@pytest.mark.parametrize(
    ("now", "quarter"), [("2026-01-15", "2025-Q4"), ("2026-04-01", "2026-Q1"), ("2026-12-31", "2026-Q3")]
)
def test_the_last_quarter_is_the_one_that_ended(now: str, quarter: str) -> None:
    assert flow.last_quarter(datetime.fromisoformat(f"{now}T00:00:00+00:00")) == quarter
