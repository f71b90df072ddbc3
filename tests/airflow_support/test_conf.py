"""Ids of orders pass, words do not; and a run is named by Airflow or by a hash."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from sluis.airflow_support.conf import MOST_ORDERS, ORDER_ID, own_run_id, refused_conf, run_name

UUID = "4f0c2b9e-6a51-4c1d-9b3a-2d7e8f901234"
WRONG = [
    "JanJansen", "jan.jansen@example.com", "0612345678", "06-12345678", "1001\n", "\n1001", "1001\nJan", " 1001", "",
    "0", "-1", "1" * 20, "١٠٠١", "deadbeef-cafe", UUID + "\n", UUID[:-1], "1001 Jan",
]  # fmt: skip


@pytest.mark.parametrize("order_id", ["1", "1001", "9" * 19, UUID, UUID.upper()])
def test_ids_of_orders_pass(order_id: str) -> None:
    assert refused_conf({"order_ids": [order_id]}) is None
    assert schema([order_id]) == [order_id]


@pytest.mark.parametrize("order_id", WRONG)
def test_what_is_no_id_does_not_pass_here_nor_in_airflows_own_reading(order_id: str) -> None:
    told = refused_conf({"order_ids": ["1001", order_id]})
    assert told is not None
    assert len(order_id) < 5 or order_id not in told
    with pytest.raises(ParamValidationError):
        schema([order_id])


def schema(ids: list[str]) -> Any:
    """Validate as the DAG's params do."""
    param = Param([], type="array", items={"type": "string", "pattern": ORDER_ID}, maxItems=MOST_ORDERS)
    params = ParamsDict({"order_ids": param})
    params.update({"order_ids": ids})
    return params.validate()["order_ids"]


@pytest.mark.parametrize("conf", [None, {}, {"order_ids": []}, {"order_ids": ["1"] * MOST_ORDERS}])
def test_a_run_may_be_told_nothing(conf: Any) -> None:
    assert refused_conf(conf) is None


@pytest.mark.parametrize(
    "conf",
    [
        {"note": "Jan"}, {"order_ids": ["1"], "note": ""}, {"order_ids": "1001"}, {"order_ids": [1001]}, [], "Jan",
        {"order_ids": None}, {"order_ids": ["1"] * (MOST_ORDERS + 1)}, {"order_ids": [["1"]]}, {1: 1},
    ],
    ids=str,
)  # fmt: skip
def test_anything_else_is_refused_without_showing_it(conf: Any) -> None:
    told = refused_conf(conf)
    assert told is not None
    assert "Jan" not in told
    assert "note" not in told


@pytest.mark.parametrize(
    "run_id",
    ["manual__2026-11-23T18:06:39.530595+00:00", "scheduled__2026-11-23T10:00:00+00:00",
     "backfill__2026-11-23T10:00:00Z", "asset_triggered__2026-11-23T10:00:00+01:00"],
)  # fmt: skip
def test_airflows_own_ids_stay(run_id: str) -> None:
    assert own_run_id(run_id)
    assert run_name("sync__m__a", run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    ["Jan de Vries", "manual__Jan", "manual__2026-11-23T10:00:00+00:00_JanJanse", "manual__2026-11-23T10:00:00Z\n",
     "jan__2026-11-23T10:00:00Z", "run-0123456789ab", ""],
)  # fmt: skip
def test_a_persons_own_ids_become_a_hash_that_differs_per_dag(run_id: str) -> None:
    name = run_name("sync__m__a", run_id)
    assert name.startswith("run-")
    assert len(name) == 16
    assert name == run_name("sync__m__a", run_id) != run_name("sync__m__b", run_id)
