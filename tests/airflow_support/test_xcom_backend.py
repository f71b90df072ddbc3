"""Counts pass, data does not, and a refusal does not show what it refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk.bases.xcom import BaseXCom

from sluis.airflow_support.xcom_backend import RefusingXCom
from sluis.core.frozen import Frozen
from sluis.errors import Defect
from sluis.flows.context import Extracted, Loaded, Shredded, Transformed

BATCH = "0123456789abcdef0123456789abcdef"
PERSON = "jan.jansen@example.com"


class Sly(int):
    """An int that carries more than a number."""


class SlyMoment(datetime):
    """A moment that writes what it likes."""

    def isoformat(self, *_: Any) -> str:
        return PERSON


def stored(value: Any, key: str = "summary") -> Any:
    return RefusingXCom.serialize_value(value, key=key, task_id="extract", dag_id="d", run_id="r")


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1210, "2026-11-23", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.123456+01:00", BATCH,
        "4f0c2b9e-6a51-4c1d-9b3a-2d7e8f901234",
        {"booked": 3, "cents": {"EUR": -1210, "XXX": 0}, "deferred": 2}, {"cents": {}}, [1, 2, None],
    ],
)  # fmt: skip
def test_counts_dates_and_ids_pass_unchanged(value: Any) -> None:
    assert stored(value) == BaseXCom.serialize_value(value)


def test_dates_and_moments_pass_as_text() -> None:
    assert stored(date(2026, 11, 23)) == "2026-11-23"
    assert stored(datetime(2026, 11, 23, 10, tzinfo=UTC)) == "2026-11-23T10:00:00+00:00"
    assert stored(SlyMoment(2026, 11, 23, 10, tzinfo=UTC)) == "2026-11-23T10:00:00+00:00"


@pytest.mark.parametrize(
    "summary",
    [
        Extracted(batch_id=BATCH, documents=3, cents={"EUR": 36300}, shop_count=3,
                  window_start=datetime(2026, 11, 1, tzinfo=UTC), window_end=datetime(2026, 11, 2, tzinfo=UTC)),
        Extracted(batch_id=BATCH), Transformed(batch_id=BATCH, skipped=1), Shredded(batch_id=BATCH, chunks=4),
        Loaded(batch_id=BATCH, booked=2, cents={"EUR": -1, "GBP": 2}, quarantined=1,
               watermark=datetime(2026, 11, 2, 1, 2, 3, 4, tzinfo=UTC)),
    ],
    ids=lambda s: type(s).__name__,
)  # fmt: skip
def test_what_the_flows_tell_passes(summary: Frozen) -> None:
    told = summary.model_dump(mode="json", exclude_none=True)
    assert stored(told) == told


@pytest.mark.parametrize(
    "value",
    [
        PERSON, "Jan Jansen", "jansen", "NL91ABNA0417164300", "0612345678", "", 12.10, Decimal("12.10"), b"bytes",
        {"booked": PERSON}, {"customer": 1}, {"jan_jansen": 612345678}, {"cents": {"jan": 1}}, {"cents": {"EURO": 1}},
        {"cents": {"EUR": {"EUR": 1}}}, {"EUR": 1}, {"booked": {"jan": 1}}, {"booked": {"cents": {PERSON: 1}}},
        {"cents": {f"{chr(65 + n // 26)}{chr(65 + n % 26)}X": n for n in range(300)}},
        {PERSON: 1}, {"Jan Jansen": 1}, {1: 1}, [[PERSON]], {"booked": {"booked": {"booked": ["1012AB"]}}},
        {1, 2}, object(), Sly(3), 10**15, datetime(2026, 11, 23), list(range(500)), [[[[[[1]]]]]],  # noqa: DTZ001
    ],
    ids=lambda value: type(value).__name__,  # the same in every worker of pytest-xdist
)  # fmt: skip
def test_anything_else_is_refused_without_showing_it(value: Any) -> None:
    with pytest.raises(Defect) as caught:
        stored(value)
    assert caught.value.code == "xcom_refused"
    assert "summary" in str(caught.value)
    for piece in (PERSON, "Jan", "jansen", "customer", "612345678", "0612345678", "NL91", "12.1", "1012AB"):
        assert piece not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", ["", PERSON, "Jan Jansen", "jan_jansen", "summary\n", None])
def test_the_key_is_one_of_ours(key: str | None) -> None:
    with pytest.raises(Defect) as caught:
        stored(1, key=key)  # type: ignore[arg-type]
    assert PERSON not in str(caught.value)


def test_airflows_own_note_of_skipped_tasks_passes_and_nothing_under_its_name() -> None:
    note = {"skipped": ["transform", "load", "shred"]}
    assert stored(note, key="skipmixin_key") == note
    for sly in ({"skipped": [PERSON]}, {"skipped": PERSON}, {"names": ["transform"]}, "transform"):
        with pytest.raises(Defect):
            stored(sly, key="skipmixin_key")
