"""The XCom backend that refuses data: only what cannot be an order passes between tasks.

XComs stand readable in Airflow's database and in its UI, whatever the masker hides in a log. What may pass: whole
numbers (counts and cents), booleans, ``None``, dates and moments, opaque ids, and small dicts and lists of those. A
dict has the names of the fields that tasks tell of a run (``flows.context``, ``flows.retention_steps``,
``flows.statistics_steps``) or, for an
amount, of currencies: a name that nobody declared may be a person's. No free text, no decimals, no floats.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from functools import cache
from typing import Any

from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_KEY
from airflow.sdk.bases.xcom import BaseXCom

from sluis.airflow_support.run import SUMMARY
from sluis.errors import Defect

#: What a task of ours may push under; ``return_value`` is Airflow's name for what a task returns.
_KEYS = {SUMMARY, "return_value", XCOM_SKIPMIXIN_KEY}
#: Fields whose value is an amount per currency.
_PER_CURRENCY = {"cents"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_TASK_ID = re.compile(r"[a-z][a-z0-9_.]{0,99}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})")
#: A UUID, or hex that is too long to be a number of a person or of an order.
_OPAQUE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,64}")
_LARGEST, _DEEPEST, _MOST = 10**15, 4, 200


class RefusingXCom(BaseXCom):
    """Airflow's own backend behind a gate. Set as ``[core] xcom_backend``."""

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> str:
        """Serialise what may pass; raises ``Defect("xcom_refused")``, naming key and type and never the value."""
        if key not in _KEYS:
            raise Defect(f"the key of an XCom is one of: {', '.join(sorted(_KEYS))}", code="xcom_refused")
        passed = _skipped(value) if key == XCOM_SKIPMIXIN_KEY else _Gate(key).passed(value, 0)
        return BaseXCom.serialize_value(
            passed, key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index
        )


def _skipped(value: Any) -> Any:
    """Let Airflow's own note about skipped tasks pass: lists of task ids under the two words it knows."""
    if isinstance(value, dict) and set(value) <= {"skipped", "followed"}:
        lists = list(value.values())
        if all(type(ids) is list and all(_is_task_id(entry) for entry in ids) for ids in lists):
            return value
    raise Defect(f"XCom {XCOM_SKIPMIXIN_KEY} holds more than task ids", code="xcom_refused")


def _is_task_id(entry: Any) -> bool:
    return type(entry) is str and _TASK_ID.fullmatch(entry) is not None


@cache
def _fields() -> frozenset[str]:
    """Return the names of all fields that a task may tell of a run."""
    from sluis.flows import context
    from sluis.flows.retention_steps import RetentionStep
    from sluis.flows.statistics_steps import StatisticsStep

    told = (
        context.Extracted, context.Transformed, context.Loaded, context.Shredded, context.Compared, RetentionStep,
        StatisticsStep,
    )  # fmt: skip
    return frozenset(name for model in told for name in model.model_fields)


class _Gate:
    """One value on its way through; counts what it holds, so that a list of rows cannot pass as a list of ids."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._seen = 0

    def passed(self, value: Any, depth: int) -> Any:
        """Return the value as it is stored; types are compared exactly, as a subclass may hold more than it shows."""
        self._count(depth)
        if type(value) is dict:
            return {self._name(name): self._inside(name, inner, depth) for name, inner in value.items()}
        if type(value) in (list, tuple):
            return [self.passed(inner, depth + 1) for inner in value]
        return self._single(value)

    def _inside(self, name: str, value: Any, depth: int) -> Any:
        if name in _PER_CURRENCY and type(value) is dict:
            if not all(type(currency) is str and _CURRENCY.fullmatch(currency) for currency in value):
                raise self._refused("amounts under something that is not a currency")
            return {currency: self._counted(amount) for currency, amount in value.items()}
        return self.passed(value, depth + 1)

    def _counted(self, value: Any) -> Any:
        self._count(0)
        return self._single(value)

    def _count(self, depth: int) -> None:
        self._seen += 1
        if self._seen > _MOST or depth > _DEEPEST:
            raise self._refused("something too large for counts")

    def _single(self, value: Any) -> Any:
        if value is None or isinstance(value, bool) or (type(value) is int and abs(value) < _LARGEST):
            return value
        if isinstance(value, datetime):
            return self._moment(value)
        if type(value) is date:
            return value.isoformat()
        if type(value) is str and any(form.fullmatch(value) for form in (_DAY, _MOMENT, _OPAQUE)):
            return value
        raise self._refused("text" if isinstance(value, str) else f"a value of type {type(value).__name__}")

    def _moment(self, value: datetime) -> str:
        """Build the moment anew from its numbers: a subclass, or its time zone, may write what it likes."""
        off = value.utcoffset()
        if off is None:
            raise self._refused("a moment without a time zone")
        plain = datetime(value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond,
                         tzinfo=timezone(off))  # fmt: skip
        return plain.isoformat()

    def _name(self, name: Any) -> str:
        if type(name) is str and name in _fields():
            return name
        raise self._refused(f"a dict with a key ({type(name).__name__}) that is no field of what tasks tell of a run")

    def _refused(self, what: str) -> Defect:
        return Defect(
            f"XCom {self._key} holds {what}; only whole numbers, booleans, dates and opaque ids pass between tasks",
            code="xcom_refused",
        )
