"""No value of a row reaches a log, a stream or a file, and no chunk stays in memory after it was judged."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from sluis.quality import judge
from sluis.quality.frames import extracted_frame, transformed_frame
from sluis.quality.judge import judge_extracted, judge_transformed
from tests.quality.documents import READ_AT, SETTINGS, WINDOW, order, prepared

ROOT = Path(__file__).resolve().parents[2]

#: What the judged documents hold: a person, codes and amounts that occur nowhere else.
CANARIES = (
    "Canaria",
    "canaria@example.com",
    "canary-status",
    "canary-number",
    "canary-id",
    "77777712",
    "77776502",
    "777777.12",
)

CHILD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from decimal import Decimal
from sluis.core.order import Address, Buyer
from sluis.core.personal import Personal
from sluis.quality import judge
from sluis.quality.judge import judge_extracted, judge_transformed
from tests.quality.documents import READ_AT, SETTINGS, WINDOW, order, prepared

person = Buyer(first_name=Personal("Canaria"), email=Personal("canaria@example.com"), customer_id=Personal("canary-id"))
facts = {"order_id": "canary-id", "number": "canary-number", "status": "canary-status", "buyer": person}
orders = [order(1), order(2, total="777777.12", **facts), order(3, currency="XTS", total="777777.12")]
extracted = judge_extracted(orders, settings=SETTINGS, read_at=READ_AT, window=WINDOW)
bad = prepared(2, document_id="canary-id", invoice_number="canary-number", total_with_vat=Decimal("777777.12"))
transformed = judge_transformed([prepared(1), bad], [Decimal("12.10")] * 2, settings=SETTINGS, read_at=READ_AT)
assert len(extracted.flaws) == 2 and len(transformed.flaws) == 1, (extracted, transformed)
print("judged", extracted, transformed)
if "leak" in sys.argv:
    bench = judge._bench("extracted")
    from sluis.quality.frames import extracted_frame
    frame = extracted_frame(orders, window=WINDOW, read_at=READ_AT)
    bench._checkpoint.result_format = "COMPLETE"
    given = {"currencies": ["EUR"]}
    bench._checkpoint.save()
    print(bench._checkpoint.run(batch_parameters={"dataframe": frame}, expectation_parameters=given))
"""


def _told(tmp_path: Path, *arguments: str) -> tuple[str, list[Path]]:
    """Run the child where everything it could write is ours to look at; return its words and files."""
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    environment = {**os.environ, **places, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("GX_ANALYTICS_ENABLED", None)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "judged" in child.stdout, child.stderr[-2000:]
    return child.stdout + child.stderr, list(tmp_path.rglob("*"))


def test_no_value_reaches_a_log_a_stream_or_a_file(tmp_path: Path) -> None:
    told, files = _told(tmp_path)
    assert [canary for canary in CANARIES if canary in told] == []
    assert files == []
    assert "Calculating Metrics" not in told


def test_the_search_would_find_a_leak(tmp_path: Path) -> None:
    told, _ = _told(tmp_path, "leak")
    assert "77776502" in told


def test_frames_hold_no_identifier() -> None:
    orders = extracted_frame([order(1, order_id="canary-id", number="canary-number")], window=WINDOW, read_at=READ_AT)
    invoices = transformed_frame([prepared(1, document_id="canary-id", order_number="canary-number")], [Decimal(1)])
    for frame in (orders, invoices):
        texts = {column for column in frame.columns if frame[column].dtype.kind not in "iu"}
        assert texts <= {"currency", "status"}
        assert "canary-" not in frame.to_csv()


def test_telemetry_is_off() -> None:
    judge_extracted([order(1)], settings=SETTINGS, read_at=READ_AT)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert judge._bench("extracted")._context.config.analytics_enabled is False
    assert not judge._bench("extracted")._context.config.data_docs_sites


def _resident_kb() -> int:
    with Path("/proc/self/statm").open() as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from Linux' /proc")
def test_memory_does_not_grow_with_the_number_of_chunks() -> None:
    orders = [order(number, total="99.00" if number % 50 == 0 else "12.10") for number in range(100)]
    invoices = [prepared(number) for number in range(100)]
    charged = [Decimal("12.10")] * 100

    def judge_chunks(count: int) -> None:
        for _ in range(count):
            judge_extracted(orders, settings=SETTINGS, read_at=READ_AT, window=WINDOW)
            judge_transformed(invoices, charged, settings=SETTINGS, read_at=READ_AT)

    judge_chunks(5)
    before = _resident_kb()
    judge_chunks(25)
    assert _resident_kb() - before < 8 * 1024  # 50 judgements; a chunk's frame alone is 10 kB, a kept result more
    for stage in ("extracted", "transformed"):
        assert judge._bench(stage)._kept.list_keys() == []
