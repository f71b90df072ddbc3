"""The steps of the DAG ``statistics``: what each tells, and that what is published is held against its input."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import psycopg
import pytest

from sluis.errors import Defect, ProofFailed
from sluis.flows import statistics as flow
from sluis.flows import statistics_steps as steps
from sluis.statistics.domain import first_day
from sluis.statistics.release import document, sha256
from sluis.store.server import SUPERUSER, LocalServer
from tests.conftest import Database
from tests.flows.test_statistics_flow import fill

pytestmark = pytest.mark.postgres
QUARTER = flow.last_quarter(datetime.now(UTC))
REQUEST = steps.StatisticsRequest(dag_run_id="scheduled__2026-10-15T03:23:00+00:00", quarter=QUARTER)


def filled(database: Database, enterprises: int = 60) -> None:
    with database.owner() as owner:
        fill(owner, enterprises, first_day(QUARTER))


def test_the_steps_freeze_publish_and_count_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    filled(database)
    with caplog.at_level(logging.INFO, "sluis.statistics"):
        frozen, released = steps.freeze(REQUEST), steps.release(REQUEST)
        checked = steps.verify(REQUEST)
    assert isinstance(frozen.quarter_from, date)
    assert frozen.contributions
    assert (released.release, released.published_now) == (1, True)
    assert released.cells_published
    assert checked.figures_recounted == released.cells_published
    assert "release=1 counted and attacked again" in caplog.text
    again = steps.freeze(REQUEST), steps.release(REQUEST)
    assert [step.release for step in again] == [1, 1]
    assert again[1].published_now is False


def test_verify_wants_a_release(database: Database) -> None:
    with pytest.raises(Defect, match="release_unknown"):
        steps.verify(REQUEST)


def test_a_release_whose_text_is_not_its_input_s_is_found(database: Database, postgres: LocalServer) -> None:
    """Published with one figure changed, its hash right: only the input can tell."""
    filled(database)
    steps.release(REQUEST)
    with database.statistics() as conn:
        (stored,) = flow.ledger(flow.Statistics(conn))
    tables = list(stored.release.tables)
    place = next(i for i, table in enumerate(tables) if any(figure.published for figure in table.figures))
    figures = [
        figure.model_copy(update={"vat": (figure.vat or 0) + 1000}) if figure.published else figure
        for figure in tables[place].figures
    ]
    tables[place] = tables[place].model_copy(update={"figures": tuple(figures)})
    forged = stored.release.model_copy(update={"tables": tuple(tables)})
    name = psycopg.conninfo.conninfo_to_dict(database.owner_dsn)["dbname"]
    with psycopg.connect(postgres.dsn(str(name), SUPERUSER), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            "update sluis.statistics_release set document = %s, sha256 = %s",
            [document(forged), bytes.fromhex(sha256(forged))],
        )
    with pytest.raises(ProofFailed, match="release_wrong"):
        steps.verify(REQUEST)


def test_an_input_that_changed_since_leaves_the_chain(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    filled(database)
    steps.release(REQUEST)
    with database.owner() as owner:
        owner.execute("update sluis.merchant set statistics_objected_at = now() where code = 'm0001'")
    with caplog.at_level(logging.INFO, "sluis.statistics"):
        checked = steps.verify(REQUEST)
    assert (checked.releases, checked.figures_recounted) == (1, None)
    assert "is gone or changed since" in caplog.text
