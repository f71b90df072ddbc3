"""The register names every table of the installed Airflow's database, FAB's included, and none that it has not."""

from __future__ import annotations

import pytest

from sluis.privacy.register import read_register, register_path
from sluis.privacy.register_catalogue import check_airflow
from sluis.privacy.retention.airflow_tables import EXPIRED
from sluis.store.database import connect
from tests.airflow_harness import AirflowTemplate

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]


def test_every_table_of_the_installed_airflow_is_named(
    airflow_template: AirflowTemplate, tmp_path_factory: pytest.TempPathFactory
) -> None:
    register = read_register(register_path()).register_
    with connect(airflow_template.copy(tmp_path_factory.mktemp("named"))) as conn:
        checked = check_airflow(conn, register)
        assert [str(finding) for finding in checked.findings] == []
        assert checked.tables > 60
        conn.execute("create table public._airflow_deleted__xcom__20261123 as select * from public.xcom")
        conn.execute("alter table public.dag_run_note rename to dag_run_remark")
        assert [finding.place for finding in check_airflow(conn, register).findings] == [
            "Airflow's table _airflow_deleted__xcom__20261123",
            "Airflow's table dag_run_remark",
            "Airflow's table dag_run_note",
        ]


def test_what_is_cleaned_is_what_the_register_says_is_cleaned() -> None:
    """A table that the cleaner empties stands in the category that it carries out."""
    register = read_register(register_path()).register_
    named = {table for place in register.category("airflow_database").places for table in place.tables}
    assert set(EXPIRED) <= named
