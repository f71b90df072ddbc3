"""Heavy modules are imported where tasks are forked, nowhere else, and a forked task can use them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluis.airflow_support import preload

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("argv", "executor", "forks"),
    [
        (["airflow", "scheduler"], "LocalExecutor", True),
        (["/x/airflow/__main__.py", "scheduler", "--skip-serve-logs"], "LocalExecutor", True),
        (["airflow", "scheduler"], "CeleryExecutor", False),
        (["airflow", "dag-processor"], "LocalExecutor", False),
        (["airflow", "triggerer"], "LocalExecutor", False),
        (["airflow", "api-server"], "LocalExecutor", False),
        (["airflow", "db", "migrate"], "LocalExecutor", False),
        (["airflow"], "LocalExecutor", False),
    ],
)
def test_only_the_scheduler_that_forks_preloads(argv: list[str], executor: str, forks: bool) -> None:
    assert preload.forks_tasks(argv, executor) is forks


def test_a_missing_module_is_an_error() -> None:
    with pytest.raises(ImportError):
        preload.load(["sluis.no_such_module"])


PROBE = """
import sys
sys.argv = ["airflow", {component!r}]
from airflow.jobs.job import Job
Job()
print(sorted({{"numpy", "pandas", "great_expectations", "sluis.flows.sync"}} & set(sys.modules)))
"""


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("component", "loaded"),
    [
        ("scheduler", ["great_expectations", "numpy", "pandas", "sluis.flows.sync"]),
        ("dag-processor", []),
        ("triggerer", []),
    ],
)
def test_airflows_own_job_calls_the_listener(tmp_path: Path, component: str, loaded: list[str]) -> None:
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(component=component)],
        env=env, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == str(loaded)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_hundred_forks_use_what_was_preloaded() -> None:
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.airflow_support.forks"],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "forks 200 failed 0 stuck 0" in done.stdout
