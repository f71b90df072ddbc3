"""What a person may hand to a run: ids, codes, dates and switches, and nothing that could name somebody.

Airflow keeps a run's conf, note and id as they come, and shows them. So they are refused where they come in
(``gate``), and once more in every task, as ``airflow dags trigger`` on the machine passes no gate. What a DAG takes
stands in one table, ``SCHEMAS``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sluis.errors import NotConfigured
from sluis.privacy.register import register_path

#: An order's id in a shop: a number without a leading zero (a telephone number has one) or a UUID. No platform in
#: sight has another form. The end is a look-ahead, as ``$`` would let a line feed pass in Python's reading of a schema.
ORDER_ID = r"^([1-9][0-9]{0,18}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?![\s\S])"
MOST_ORDERS = 1000
#: A merchant's opaque code, as ``sluis merchant add`` makes them (too short for a name), or nothing: all merchants.
MERCHANT = r"^(m[a-z0-9]{1,4})?(?![\s\S])"
#: The whole hash of a plan, or nothing.
PLAN_HASH = r"^([0-9a-f]{64})?(?![\s\S])"
#: A quarter, or nothing: the last that ended.
QUARTER = r"^(20[0-9]{2}-Q[1-4])?(?![\s\S])"
_ORDER_ID, _MERCHANT, _PLAN_HASH, _QUARTER = (
    re.compile(form) for form in (ORDER_ID, MERCHANT, PLAN_HASH, QUARTER)
)  # fmt: skip
_CATEGORY = re.compile(r"^ *- +id: +([a-z][a-z0-9_]{1,40}) *$", re.MULTILINE)
_OWN_RUN_ID = re.compile(
    r"(scheduled|manual|backfill|asset_triggered|asset_materialization|operator_triggered)"
    r"__\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)


class Field(NamedTuple):
    """One field of a conf."""

    passes: Callable[[Any], bool]
    told: str  #: what it must be, for who gave something else


class Schema(NamedTuple):
    """What the runs of some DAGs may be given: those whose id starts with ``prefix``."""

    prefix: str
    fields: Mapping[str, Field]


@cache
def categories() -> tuple[str, ...]:
    """Return the ids of the register's categories; none where there is no register: the run itself says what is wrong.

    Read without judging the file, as DAGs are parsed often and must not vanish over a wrong line.
    """
    try:
        return tuple(_CATEGORY.findall(register_path().read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, NotConfigured):
        return ()


def _are_order_ids(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= MOST_ORDERS and all(_is_form(_ORDER_ID, i) for i in value)


def _is_form(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.match(value) is not None


SYNC = Schema(
    "sync__",
    {"order_ids": Field(_are_order_ids, f"a list of at most {MOST_ORDERS} ids of orders: digits or a UUID, as texts")},
)
RETENTION = Schema(
    "retention",
    {
        "merchant": Field(lambda value: _is_form(_MERCHANT, value), "the code of a merchant, or empty for all"),
        "category": Field(lambda value: value == "" or value in categories(), "a category of the register, or empty"),
        "dry_run": Field(lambda value: isinstance(value, bool), "true or false"),
        "confirm": Field(lambda value: _is_form(_PLAN_HASH, value), "the whole hash of the plan that waits, or empty"),
    },
)
STATISTICS = Schema(
    "statistics",
    {"quarter": Field(lambda value: _is_form(_QUARTER, value), "a quarter, as in 2026-Q3, or empty for the last")},
)
SCHEMAS = (SYNC, RETENTION, STATISTICS)


def schema_of(dag_id: str) -> Schema | None:
    """Return what a DAG's runs may be given; ``None`` for a DAG that is not ours."""
    return next((schema for schema in SCHEMAS if dag_id.startswith(schema.prefix)), None)


def refused_conf(conf: Any, schema: Schema = SYNC) -> str | None:
    """Return what is wrong with a run's conf, without showing any of it; ``None`` when nothing is."""
    if conf is None:
        return None
    if not isinstance(conf, Mapping) or not set(conf) <= set(schema.fields):
        return f"the conf of a run may hold {', '.join(schema.fields)} and nothing else"
    for name, field in schema.fields.items():
        if name in conf and not field.passes(conf[name]):
            return f"{name} is {field.told}"
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
