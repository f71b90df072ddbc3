"""Great Expectations: no value in its answers, no page, no call home. Logs and files: tests/quality/test_silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sluis.quality.library import preload, silent_context
from tests.walls.person import PERSON

ROOT = Path(__file__).resolve().parents[2]
#: Every attempt to reach anybody is noted and refused.
CHILD = """
import socket, sys
from pathlib import Path
asked = []
def refuse(*arguments, **more):
    asked.append(arguments)
    raise OSError("no network in this test")
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
if "leak" in sys.argv:
    try:
        socket.create_connection(("127.0.0.1", 9))
    except OSError:
        pass
from sluis.quality.judge import judge_extracted
from tests.quality.documents import READ_AT, SETTINGS, WINDOW, order
judge_extracted([order(1), order(2, currency="XTS")], settings=SETTINGS, read_at=READ_AT, window=WINDOW)
print("asked", len(asked), "")
"""


def judged(result_format: str) -> str:
    """Judge a frame that holds a person, as the library shows its result."""
    gx = preload()
    import pandas as pd

    context = silent_context()
    batch = context.data_sources.add_pandas("source").add_dataframe_asset("asset")
    definition = batch.add_batch_definition_whole_dataframe("whole")
    suite = gx.ExpectationSuite(name="suite")
    suite.add_expectation(gx.expectations.ExpectColumnValuesToBeInSet(column="buyer", value_set=["nobody"]))
    validation: Any = gx.ValidationDefinition(name="definition", data=definition, suite=context.suites.add(suite))
    checkpoint = gx.Checkpoint(
        name="checkpoint", validation_definitions=[context.validation_definitions.add(validation)],
        result_format=result_format,
    )  # fmt: skip
    context.checkpoints.add(checkpoint)
    found = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame({"buyer": [PERSON]})})
    assert not found.success
    return f"{found} {found.describe()}"


def test_results_hold_values_unless_only_a_verdict_is_asked_for() -> None:
    for leaking in ("BASIC", "SUMMARY", "COMPLETE"):
        assert PERSON in judged(leaking)  # the leak
    assert PERSON not in judged("BOOLEAN_ONLY")


def test_pages_are_planned_by_itself_and_by_us_not() -> None:
    gx = preload()
    theirs = gx.get_context(mode="ephemeral")
    assert theirs.config.data_docs_sites  # the leak: a site in the temporary directory
    assert not silent_context().config.data_docs_sites


def told(tmp_path: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("GX_ANALYTICS_ENABLED", None)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=300, check=True,
    )  # fmt: skip
    return child.stdout


def test_nobody_is_called(tmp_path: Path) -> None:
    assert "asked 1 " in told(tmp_path, "leak")  # the control: a call would be seen
    assert "asked 0 " in told(tmp_path)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert silent_context().config.analytics_enabled is False
