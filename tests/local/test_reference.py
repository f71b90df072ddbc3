"""The page about Airflow's settings says a reason for every variable we set, and for no other."""

from __future__ import annotations

from pathlib import Path

from sluis.local import airflow_env
from sluis.local.places import repository
from sluis.local.reference import REASONS, page


def test_every_variable_has_its_reason_and_the_page_is_current(tmp_path: Path) -> None:
    made = airflow_env.environment(tmp_path, "postgresql://airflow@/airflow", port=18080, store={})
    assert set(REASONS) == set(made)
    for name, (kind, value, _) in REASONS.items():
        if kind == "must" and value.startswith("`") and value.endswith("`") and " " not in value and "..." not in value:
            assert made[name] == value.strip("`"), name
    written = (repository() / "docs" / "reference" / "airflow.md").read_text(encoding="utf-8")
    assert written == page(), "run: make docs"
