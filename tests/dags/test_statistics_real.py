"""The statistics in a real Airflow: a quarter is frozen, published once, verified; and no figure stands in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from sluis.flows.statistics import last_quarter, ledger
from sluis.statistics.contract import Family, Table
from sluis.statistics.domain import first_day
from sluis.store.server import SUPERUSER
from sluis.store.statistics import Statistics
from tests.airflow_harness import AirflowStack, AirflowTemplate
from tests.flows.test_statistics_flow import fill

pytestmark = pytest.mark.airflow
DAG = "statistics"
TASKS = ["freeze", "release", "verify"]
QUARTER = last_quarter(datetime.now(UTC))


@pytest.fixture(scope="module")
def filled(airflow_stack: AirflowStack, airflow_template: AirflowTemplate) -> int:
    """Wait for the run that a new installation makes at once, then start over with 60 enterprises; returns their cents.

    The ledger lets nobody take a release away, so the superuser does it past the triggers.
    """
    airflow_stack.api.wait_for_dags([DAG])
    first = airflow_stack.api.wait_for_first_run(DAG, run_type="scheduled")
    assert first["state"] == "success"
    told = airflow_stack.api.summary(DAG, first["dag_run_id"], "release")
    assert (told["release"], told["too_few"], told["cells_published"]) == (1, True, 0)
    name = psycopg.conninfo.conninfo_to_dict(airflow_stack.database.owner_dsn)["dbname"]
    with psycopg.connect(airflow_template.server.dsn(str(name), SUPERUSER), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("delete from sluis.statistics_release")
        conn.execute("delete from sluis.statistics_freeze")
    with airflow_stack.database.owner() as owner:
        fill(owner, 60, first_day(QUARTER))
        found = owner.execute("select sum(revenue_cents)::bigint from sluis.statistics_contribution").fetchone()
    assert found is not None
    return int(found[0])


def test_a_quarter_is_published_once_and_airflow_learns_no_figure(airflow_stack: AirflowStack, filled: int) -> None:
    stack, api = airflow_stack, airflow_stack.api
    run_id = api.trigger(DAG, conf={"quarter": QUARTER})
    assert api.wait_for_run(DAG, run_id) == "success"
    assert api.states(DAG, run_id) == dict.fromkeys(TASKS, "success")
    told, checked = api.summary(DAG, run_id, "release"), api.summary(DAG, run_id, "verify")
    assert told["published_now"] is True
    assert 0 < told["cells_published"] == checked["figures_recounted"]
    with stack.database.statistics() as conn:
        (standing,) = ledger(Statistics(conn))
    assert (standing.sha256, standing.release.quarter) == (told["sha256"], QUARTER)
    (total,) = (
        figure.amount
        for table in standing.release.tables
        if (table.family, table.table) == (Family.SALES, Table.TOTAL)
        for figure in table.figures
    )
    assert total == pytest.approx(filled / 100, abs=500)
    logs = "".join(api.log(DAG, run_id, task) for task in TASKS)
    assert "smallest_protection=" in logs
    for figure in (str(filled), str(filled // 100), str(total), "Highs", "HiGHS"):
        assert figure not in logs
        assert figure not in str((told, checked, api.summary(DAG, run_id, "freeze")))

    again = api.trigger(DAG, conf={"quarter": QUARTER})
    assert api.wait_for_run(DAG, again) == "success"
    assert api.summary(DAG, again, "release")["published_now"] is False
    assert api.summary(DAG, again, "verify")["sha256"] == standing.sha256


def test_a_quarter_that_is_not_over_is_red_at_once_and_says_so(airflow_stack: AirflowStack, filled: int) -> None:
    api = airflow_stack.api
    run_id = api.trigger(DAG, conf={"quarter": "2099-Q1"})
    assert api.wait_for_run(DAG, run_id) == "failed"
    assert "[quarter_running]" in api.log(DAG, run_id, "freeze")
    assert api.tasks(DAG, run_id)["freeze"]["try_number"] == 1
    assert api.states(DAG, run_id)["release"] == "upstream_failed"
