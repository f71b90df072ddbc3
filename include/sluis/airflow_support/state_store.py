"""The store backend that refuses: no task keeps a word in Airflow's task and asset state stores.

What a task puts there stands readable in Airflow's database, for thirty days by default or for ever, and ``airflow db
clean`` passes the asset store over. Our tasks keep their state in our own store, under the register. Set as
``[workers] state_store_backend``; reading, deleting and clearing go on, so that nothing of Airflow's breaks on it.
"""

from __future__ import annotations

from typing import Any

from sluis.errors import Defect


class RefusingStateStore:
    """What Airflow asks before it stores a value of a task or an asset; the answer is always no."""

    def serialize_task_state_store_to_ref(self, **_: Any) -> str:
        """Raise ``Defect("state_refused")``, naming neither key nor value."""
        raise _refused("task")

    def serialize_asset_state_store_to_ref(self, **_: Any) -> str:
        """Raise ``Defect("state_refused")``, naming neither key nor value."""
        raise _refused("asset")

    def delete(self, *_: Any, **__: Any) -> None:
        """Do nothing: nothing stands outside Airflow's own table."""

    def clear(self, *_: Any, **__: Any) -> None:
        """Do nothing, as above."""


def _refused(kind: str) -> Defect:
    return Defect(
        f"a task of sluis keeps nothing in Airflow's {kind} state store: its state belongs in our own store, where the"
        " register names it",
        code="state_refused",
    )
