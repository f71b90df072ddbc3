"""Runs of retention as the store remembers them: the plan, how far it is carried out, what must still be rewritten.

What a batch deleted is recorded in the transaction that deleted it, together with the parts it stood in. So a run that
is killed anywhere is taken up where it was, and its counts are exact.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import Field

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect
from sluis.privacy.register import Register
from sluis.store.database import Connection, row, rows


class RunState(StrEnum):
    """How far a run is."""

    PLANNED = "planned"
    WAITING = "waiting"  #: for a person's confirmation
    DELETING = "deleting"
    PROVED = "proved"
    CERTIFIED = "certified"
    SUPERSEDED = "superseded"  #: never carried out: a newer plan of the same scope took its place


class CategoryPlan(Frozen):
    """What a plan says of one category. ``counts`` per table or place; moments in UTC.

    Merchants by their codes while the plan can be carried out; after it by digests (``Plan.forgotten``).
    """

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

    def forgotten(self, salt: str) -> CategoryPlan:
        """Return it with digests in the place of merchants' codes; a digest stays as it is."""
        return self.model_copy(
            update={
                "own_cutoffs": {_digest(code, salt): at for code, at in self.own_cutoffs.items()},
                "ended": tuple(sorted(_digest(code, salt) for code in self.ended)),
                "held_merchants": tuple(sorted(_digest(code, salt) for code in self.held_merchants)),
            }
        )


class Plan(Frozen):
    """All that a run is going to do.

    Its hash is over digests of the merchants' codes, salted per plan. So codes and salt are dropped once it is
    certified or superseded (such records outlive merchants), and the hash can still be made anew from what is left.
    """

    clock: Moment
    register_version: int
    register_hash: str
    merchant: str | None = None
    category: str | None = None
    holds: int = 0  #: how many holds are in force
    categories: Mapping[str, CategoryPlan]
    salt: str = Field(default_factory=lambda: secrets.token_hex(16))  #: empty once the codes are forgotten

    @property
    def total(self) -> int:
        """All that goes."""
        return sum(category.total for category in self.categories.values())

    def sha256(self) -> str:
        """Return the plan hash: SHA-256 over its canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """Return the canonical JSON of what is kept of it: sorted keys, no white space."""
        return json.dumps(self.forgotten().model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def forgotten(self) -> Plan:
        """Return it without merchants' codes and without the salt by which they could be guessed; the hash stays."""
        categories = {name: category.forgotten(self.salt) for name, category in self.categories.items()}
        return self.model_copy(update={"categories": categories, "salt": ""})


class Done(Frozen):
    """How much of a run is done: per category and table, and what a proof found when it counted again."""

    deleted: Mapping[str, Mapping[str, int]] = {}
    finished: tuple[str, ...] = ()
    rewrite: tuple[str, ...] = ()  #: parts still to be rewritten
    after: Mapping[str, Mapping[str, int]] = {}  #: expired and not held, per category and table, at the latest proof
    holds: int = 0  #: how many holds in force at the latest proof kept something back


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
    ended_at: Moment | None = None

    @property
    def clock(self) -> Moment:
        """The moment from which everything is counted back."""
        return self.plan.clock

    @property
    def untouched(self) -> bool:
        """Whether it deleted nothing yet."""
        return not any(sum(counts.values()) for counts in self.done.deleted.values())

    def lost(self, register: Register) -> list[str]:
        """Return the planned categories that a register does not have (any more)."""
        return sorted(self.plan.categories.keys() - {category.id for category in register.categories})


#: ``dag_run_id`` of the runs of a restore, which answer the guard themselves.
OF_RESTORE = "restore"
_COLUMNS = "id, dag_run_id, state, plan, plan_hash, done, started_at, confirmed_at, ended_at"
#: Runs that deleted something while another waited to begin. An hour, as the end is by the clock of the process.
_BESIDE = """select from sluis.retention_run where id <> %s and state in ('deleting', 'proved', 'certified')
    and coalesce(ended_at, 'infinity') >= %s::timestamptz - interval '1 hour'
    and jsonb_path_exists(done, '$.deleted.*.* ? (@ > 0)') limit 1"""
_SCOPE = "merchant_code is not distinct from %(merchant)s and category is not distinct from %(category)s"


class RetentionRuns:
    """The runs of the store."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, plan: Plan, dag_run_id: str) -> RetentionRun:
        """Store a plan; those of the same scope that were never begun are superseded by it."""
        with self._conn.transaction():
            self._supersede(plan)
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
        """Put another plan (with holds taken out, or what others deleted) in the place of one that deleted nothing."""
        return self._one(
            "update sluis.retention_run set plan = %(plan)s, plan_hash = decode(%(hash)s, 'hex')"
            " where id = %(id)s and state = %(from)s",
            {
                "id": run.id, "from": run.state.value, "plan": Jsonb(plan.model_dump(mode="json")),
                "hash": plan.sha256(),
            },
        )  # fmt: skip

    def others_deleted(self, run: RetentionRun) -> bool:
        """Whether another run deleted anything since this one was planned."""
        return row(self._conn, _BESIDE, [run.id, run.started_at]) is not None

    def supersede(self, run: RetentionRun) -> None:
        """End a run that deleted nothing: a new plan takes its place."""
        with self._conn.transaction():
            self._one(
                "update sluis.retention_run set state = 'superseded', ended_at = now()"
                " where id = %(id)s and state = %(from)s",
                {"id": run.id, "from": run.state.value},
            )
            self.forget(run.id)

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
        """Begin to delete; what was planned meanwhile, of the same scope and an earlier moment, is superseded."""
        with self._conn.transaction():
            begun = self._one(
                "update sluis.retention_run set state = 'deleting',"
                " confirmed_at = case when %(confirmed)s then now() end where id = %(id)s and state = %(from)s",
                {"id": run.id, "from": run.state.value, "confirmed": confirmed},
            )
            self._supersede(run.plan, before=run.clock)
        return begun

    def successor(self, run: RetentionRun) -> RetentionRun | None:
        """Return the newest run of the same scope after one, ``None`` where there is none (any more)."""
        found = row(
            self._conn,
            f"select {_COLUMNS} from sluis.retention_run where id > %(id)s and {_SCOPE} order by id desc limit 1",  # noqa: S608
            {"id": run.id, "merchant": run.plan.merchant, "category": run.plan.category},
        )
        return None if found is None else _run(found)

    def forget(self, number: int) -> None:
        """Drop the merchants' codes out of a plan that is not carried out any more; its hash stays true."""
        plan = Jsonb(self.get(number).plan.forgotten().model_dump(mode="json"))
        self._conn.execute("update sluis.retention_run set plan = %s where id = %s", [plan, number])

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
                done.model_copy(
                    update={
                        "deleted": deleted,
                        "finished": tuple(sorted(names)),
                        "rewrite": tuple(sorted({*done.rewrite, *rewrite})),
                    }
                ),
            )

    def proof(self, number: int, after: Mapping[str, Mapping[str, int]], holds: int, again: Iterable[str]) -> None:
        """Record what a proof counted; the categories in which something is left are to be deleted ``again``."""
        with self._conn.transaction():
            done = self._locked(number)
            finished = tuple(name for name in done.finished if name not in {*again})
            self._store(number, done.model_copy(update={"after": after, "holds": holds, "finished": finished}))

    def rewritten(self, number: int, part: str) -> None:
        """Record that a part holds no deleted row any more."""
        with self._conn.transaction():
            done = self._locked(number)
            left = tuple(name for name in done.rewrite if name != part)
            self._store(number, done.model_copy(update={"rewrite": left}))

    def _supersede(self, plan: Plan, before: Moment | None = None) -> None:
        """End what is planned or waits of a plan's scope and was never begun; ``before``: counted until that moment."""
        found = rows(
            self._conn,
            "update sluis.retention_run set state = 'superseded', ended_at = now()"  # noqa: S608
            f" where state in ('planned', 'waiting') and done = '{{}}' and {_SCOPE}"
            " and clock <= coalesce(%(before)s, clock) returning id",
            {"before": before, "merchant": plan.merchant, "category": plan.category},
        )
        for superseded in found:
            self.forget(superseded["id"])

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


def _digest(code: str, salt: str) -> str:
    """Return a code's digest, which no code can be taken for; of a digest itself."""
    if code.startswith("#"):
        return code
    return "#" + hashlib.sha256(f"{salt}{code}".encode()).hexdigest()[:32]


def _run(found: Mapping[str, Any]) -> RetentionRun:
    values = dict(found) | {"plan_hash": bytes(found["plan_hash"]).hex()}
    return RetentionRun.model_validate(values)
