"""What the demo hands to the processes it starts: none of them gets the owner's address of the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluis.demo import stage
from sluis.errors import Defect

STORE = {
    "SLUIS_TASK_DATABASE_URL": "task", "SLUIS_RETENTION_DATABASE_URL": "retention",
    "SLUIS_STATISTICS_DATABASE_URL": "statistics", "SLUIS_KEYS_FILE": "/keys",
}  # fmt: skip
OPERATORS = {"SLUIS_DATABASE_URL": "owner", **STORE}


@pytest.fixture(autouse=True)
def operators(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPERATORS.items():
        monkeypatch.setenv(name, value)


def test_the_sandbox_gets_nothing_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Mapping[str, str]] = []

    def child(name: str, command: list[str], env: Mapping[str, str], log: Path) -> Any:
        started.append(env)
        raise Defect("not started in this test")

    monkeypatch.setattr(stage, "Child", child)
    with pytest.raises(Defect, match="not started in this test"):
        stage.Sandbox(tmp_path, (), lambda _: None)
    assert "PATH" in started[0]
    assert not [name for name in started[0] if name.startswith("SLUIS_")]


def test_airflow_gets_the_tasks_address_and_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(stage, "LocalAirflow", lambda home, dsn, **rest: given.update(rest))
    server: Any = SimpleNamespace(dsn=lambda database, role: "postgresql://")
    registers = {"SLUIS_VIES_URL": "http://127.0.0.1:1/vies", "SLUIS_ECB_URL": "http://127.0.0.1:1/ecb"}
    stage.airflow(tmp_path, server, 18080, registers, lambda _: None)
    assert given["store"] == {**STORE, **registers}
