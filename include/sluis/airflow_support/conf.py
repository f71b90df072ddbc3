"""What a person may hand to a run: ids of orders, and nothing that could name somebody.

Airflow keeps a run's conf, note and id as they come, and shows them. So they are refused where they come in
(``gate``), and once more in every task, as ``airflow dags trigger`` on the machine passes no gate.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

#: An order's id in a shop: a number without a leading zero (a telephone number has one) or a UUID. No platform in
#: sight has another form. The end is a look-ahead, as ``$`` would let a line feed pass in Python's reading of a schema.
ORDER_ID = r"^([1-9][0-9]{0,18}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?![\s\S])"
MOST_ORDERS = 1000
#: The DAGs this is about.
OURS = "sync__"
_KEYS = {"order_ids"}
_ORDER_ID = re.compile(ORDER_ID)
_OWN_RUN_ID = re.compile(
    r"(scheduled|manual|backfill|asset_triggered|asset_materialization|operator_triggered)"
    r"__\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)


def refused_conf(conf: Any) -> str | None:
    """Return what is wrong with a run's conf, without showing any of it; ``None`` when nothing is."""
    if conf is None:
        return None
    if not isinstance(conf, Mapping) or not set(conf) <= _KEYS:
        return "the conf of a run may hold order_ids and nothing else"
    ids = conf.get("order_ids", [])
    if not isinstance(ids, list | tuple) or len(ids) > MOST_ORDERS or not all(_is_order_id(i) for i in ids):
        return f"order_ids is a list of at most {MOST_ORDERS} ids of orders: digits or a UUID, as texts"
    return None


def own_run_id(run_id: str) -> bool:
    """Whether Airflow made this id itself: the type of the run and a moment."""
    return _OWN_RUN_ID.fullmatch(run_id) is not None


def run_name(dag_id: str, run_id: str) -> str:
    """Return what our logs and our store call the run: its id, or ``run-<12 hex>`` where a person chose the id."""
    if own_run_id(run_id):
        return run_id
    digest = hashlib.sha256(f"sluis/run\0{dag_id}\0{run_id}".encode()).hexdigest()
    return f"run-{digest[:12]}"


def _is_order_id(value: Any) -> bool:
    return isinstance(value, str) and _ORDER_ID.match(value) is not None
