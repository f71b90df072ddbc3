"""Runs of retention as the store remembers them: the plan, how far it is carried out, what must still be rewritten.

What a batch deleted is recorded in the transaction that deleted it, together with the parts it stood in. So a run that
is killed anywhere is taken up where it was, and its counts are exact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect
from sluis.store.database import Connection, row, rows


class RunState(StrEnum):
    """How far a run is."""

    PLANNED = "planned"
    WAITING = "waiting"  #: for a person's confirmation
    DELETING = "deleting"
    PROVED = "proved"
    CERTIFIED = "certified"
    REFUSED = "refused"  #: never carried out: a later one took its place


class CategoryPlan(Frozen):
    """What a plan says of one category. ``counts`` per table or place; moments in UTC; merchants by their codes."""

    cutoff: Moment | None
    own_cutoffs: Mapping[str, Moment] = {}
    ended: tuple[str, ...] = ()
    held: bool = False
    held_merchants: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}
    standing: int = 0

    @property
    def total(self) -> int:
        """All that goes."""
        return sum(self.counts.values())


class Plan(Frozen):
    """All that a run is going to do."""

    clock: Moment
    register_version: int
    register_hash: str
    merchant: str | None = None
    category: str | None = None
    holds: int = 0  #: how many holds are in force
    categories: Mapping[str, CategoryPlan]

    @property
    def total(self) -> int:
        """All that goes."""
        return sum(category.total for category in self.categories.values())

    def sha256(self) -> str:
        """Return the plan hash: SHA-256 over its canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """Return its canonical JSON: sorted keys, no white space."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class Done(Frozen):
    """How much of a run is done: deleted per category and table, finished categories, parts still to be rewritten."""

    deleted: Mapping[str, Mapping[str, int]] = {}
    finished: tuple[str, ...] = ()
    rewrite: tuple[str, ...] = ()


class RetentionRun(Frozen):
    """One run."""

    id: int
    dag_run_id: str
    state: RunState
    plan: Plan
    plan_hash: str  #: hexadecimal
    done: Done
    started_at: Moment  #: by the database's clock
    confirmed_at: Moment | None = None

    @property
    def clock(self) -> Moment:
        """The moment from which everything is counted back."""
        return self.plan.clock


_COLUMNS = "id, dag_run_id, state, plan, plan_hash, done, started_at, confirmed_at"


class RetentionRuns:
    """The runs of the store."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, plan: Plan, dag_run_id: str) -> RetentionRun:
        """Store a plan; an earlier one of the same DAG run that was not begun is refused by it (a repeated task)."""
        with self._conn.transaction():
            self._conn.execute(
                "update sluis.retention_run set state = 'refused', ended_at = now()"
                " where dag_run_id = %s and dag_run_id <> 'cli' and state = 'planned'",
                [dag_run_id],
            )
            return self._one(
                "insert into sluis.retention_run (dag_run_id, merchant_code, category, state, clock, register_version,"
                " register_hash, plan, plan_hash) values (%(dag_run_id)s, %(merchant)s, %(category)s, 'planned',"
                " %(clock)s, %(version)s, decode(%(register)s, 'hex'), %(plan)s, decode(%(hash)s, 'hex'))",
                {
                    "dag_run_id": dag_run_id, "merchant": plan.merchant, "category": plan.category,
                    "clock": plan.clock, "version": plan.register_version, "register": plan.register_hash,
                    "plan": Jsonb(plan.model_dump(mode="json")), "hash": plan.sha256(),
                },
            )  # fmt: skip

    def replan(self, run: RetentionRun, plan: Plan) -> RetentionRun:
        """Put another plan (with holds taken out) in the place of one that was not begun."""
        return self._one(
            "update sluis.retention_run set plan = %(plan)s, plan_hash = decode(%(hash)s, 'hex')"
            " where id = %(id)s and state = 'planned'",
            {"id": run.id, "plan": Jsonb(plan.model_dump(mode="json")), "hash": plan.sha256()},
        )

    def get(self, number: int) -> RetentionRun:
        """Return a run; raises ``Defect("retention_run")`` when there is none of this number."""
        found = row(self._conn, f"select {_COLUMNS} from sluis.retention_run where id = %s", [number])  # noqa: S608
        if found is None:
            raise Defect(f"there is no retention run {number}", code="retention_run")
        return _run(found)

    def of_state(self, *states: RunState) -> list[RetentionRun]:
        """Return the runs in these states, oldest first."""
        wanted = [state.value for state in states]
        query = f"select {_COLUMNS} from sluis.retention_run where state = any(%s) order by id"  # noqa: S608
        return [_run(found) for found in rows(self._conn, query, [wanted])]

    def move(self, run: RetentionRun, to: RunState) -> RetentionRun:
        """Set the state, unless another process set it first: then ``Defect("retention_state")``."""
        return self._one(
            "update sluis.retention_run set state = %(to)s where id = %(id)s and state = %(from)s",
            {"id": run.id, "to": to.value, "from": run.state.value},
        )

    def begin(self, run: RetentionRun, *, confirmed: bool = False) -> RetentionRun:
        """Begin to delete; what waits of the same scope and was counted earlier is refused: it is part of this."""
        with self._conn.transaction():
            begun = self._one(
                "update sluis.retention_run set state = 'deleting',"
                " confirmed_at = case when %(confirmed)s then now() end where id = %(id)s and state = %(from)s",
                {"id": run.id, "from": run.state.value, "confirmed": confirmed},
            )
            self._conn.execute(
                "update sluis.retention_run set state = 'refused', ended_at = now()"
                " where state in ('planned', 'waiting') and done = '{}' and clock <= %(clock)s"
                " and merchant_code is not distinct from %(merchant)s and category is not distinct from %(category)s",
                {"clock": run.clock, "merchant": run.plan.merchant, "category": run.plan.category},
            )
        return begun

    def wait_again(self, run: RetentionRun, plan: Plan) -> RetentionRun:
        """Have a run that deletes wait for a person once more, with another plan; what it did so far stays recorded."""
        return self._one(
            "update sluis.retention_run set state = 'waiting', confirmed_at = null, plan = %(plan)s,"
            " plan_hash = decode(%(hash)s, 'hex') where id = %(id)s and state = 'deleting'",
            {"id": run.id, "plan": Jsonb(plan.model_dump(mode="json")), "hash": plan.sha256()},
        )

    def record(
        self,
        number: int,
        category: str,
        went: Mapping[str, int],
        *,
        rewrite: Iterable[str] = (),
        finished: bool = False,
    ) -> None:
        """Add to what is done: in the transaction of the deletion itself."""
        with self._conn.transaction():
            done = self._locked(number)
            deleted = {name: dict(counts) for name, counts in done.deleted.items()}
            counts = deleted.setdefault(category, {})
            for place, count in went.items():
                counts[place] = counts.get(place, 0) + count
            names = {*done.finished, category} if finished else set(done.finished)
            self._store(
                number,
                Done(
                    deleted=deleted, finished=tuple(sorted(names)),
                    rewrite=tuple(sorted({*done.rewrite, *rewrite})),
                ),
            )  # fmt: skip

    def rewritten(self, number: int, part: str) -> None:
        """Record that a part holds no deleted row any more."""
        with self._conn.transaction():
            done = self._locked(number)
            left = tuple(name for name in done.rewrite if name != part)
            self._store(number, done.model_copy(update={"rewrite": left}))

    def _locked(self, number: int) -> Done:
        found = row(self._conn, "select done from sluis.retention_run where id = %s for update", [number])
        if found is None:
            raise Defect(f"there is no retention run {number}", code="retention_run")
        return Done.model_validate(found["done"])

    def _store(self, number: int, done: Done) -> None:
        changed = Jsonb(done.model_dump(mode="json"))
        self._conn.execute("update sluis.retention_run set done = %s where id = %s", [changed, number])

    def _one(self, statement: str, values: Mapping[str, Any]) -> RetentionRun:
        changed = row(self._conn, f"{statement} returning {_COLUMNS}", values)
        if changed is None:
            raise Defect(
                "the retention run is in another state by now: look at `sluis retention`", code="retention_state"
            )
        return _run(changed)


def _run(found: Mapping[str, Any]) -> RetentionRun:
    values = dict(found) | {"plan_hash": bytes(found["plan_hash"]).hex()}
    return RetentionRun.model_validate(values)
