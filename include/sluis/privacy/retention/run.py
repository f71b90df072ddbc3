"""A run of retention, step by step: plan, holds, guard, delete, prove. The DAG and the command line call these.

Every step reads the run from the store and leaves it there, so the next one may be another process on another day. A
run that was killed while deleting is finished before a new one is planned (``finish_earlier``).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from sluis.errors import Defect, ProofFailed, RetryLater
from sluis.privacy.register import Category, Published
from sluis.privacy.retention.certificates import Deletion, ProvedRun
from sluis.privacy.retention.contract import Count, Hold, Rule
from sluis.privacy.retention.guard import alarms, larger_than
from sluis.privacy.retention.kit import Kit
from sluis.privacy.retention.physical import patience, rewrite
from sluis.privacy.retention.plan import Work, made, work
from sluis.privacy.retention.rows import Batched
from sluis.privacy.retention.rules import holds_now
from sluis.privacy.retention.runs import Plan, RetentionRun, RetentionRuns, RunState
from sluis.store.database import Connection

#: One run at a time deletes: any constant will do, as long as it never changes.
_LOCK = 0x536C_7569_7302
#: Months are made this many years ahead, so that a service that stands still for long still finds its month.
_YEARS_AHEAD = 2
#: Rows that came in with an old date while it deleted are taken along, so often.
_PASSES = 3
_log = logging.getLogger("sluis.retention")


def preview(
    conn: Connection, published: Published, clock: datetime, *, merchant: str | None = None,
    category: str | None = None, kit: Kit,
) -> Plan:  # fmt: skip
    """Return what would go now, holds taken out; stores nothing. Raises what ``plan`` raises."""
    held = holds_now(conn, clock)
    this = work(conn, published, clock, kit, merchant=merchant, category=category, held=held)
    return made(this, published, clock, merchant=merchant, category=category, holds=len(held))


def plan(
    conn: Connection, published: Published, clock: datetime, *, dag_run_id: str, merchant: str | None = None,
    category: str | None = None, kit: Kit,
) -> RetentionRun:  # fmt: skip
    """Count what has expired at ``clock`` (UTC) and store it as a run that is planned; holds come next.

    Also makes the months of the tables that are split by month, two years ahead. Raises ``NotConfigured`` for a
    register that cannot be carried out, and ``Defect("retention_unfinished")`` while an earlier run has to be finished.
    """
    unfinished = earlier(conn)
    if unfinished:
        raise Defect(
            f"retention run {unfinished[0].id} was not finished: it is carried out before a new one is planned",
            code="retention_unfinished",
        )
    this = work(conn, published, clock, kit, merchant=merchant, category=category, held=[])
    conn.execute("select sluis.provide_months(%s)", [date(clock.year + _YEARS_AHEAD, 1, 1)])
    made_ = made(this, published, clock, merchant=merchant, category=category, holds=0)
    return RetentionRuns(conn).add(made_, dag_run_id)


def apply_holds(conn: Connection, run: RetentionRun, published: Published, *, kit: Kit) -> RetentionRun:
    """Take out of a plan what is held; its hash changes with it. A run that is under way is left as it is."""
    run = RetentionRuns(conn).get(run.id)
    held = holds_now(conn, run.clock)
    if run.state is not RunState.PLANNED or not held:
        return run
    merchant, category = run.plan.merchant, run.plan.category
    this = work(conn, published, run.clock, kit, merchant=merchant, category=category, plan=run.plan, held=held)
    without = made(this, published, run.clock, merchant=merchant, category=category, holds=len(held))
    return RetentionRuns(conn).replan(run, without)


def guard(conn: Connection, run: RetentionRun, published: Published, *, confirm: str | None = None) -> RetentionRun:
    """Let a plan through to deletion, or have it wait for a person.

    ``confirm`` is the full hash of the waiting plan, as the person was told it. Raises ``Defect``: ``plan_too_large``
    or ``clock_suspicious`` (the run waits from then on), ``plan_hash`` when another hash is confirmed.
    """
    runs = RetentionRuns(conn)
    run = runs.get(run.id)
    if run.state in (RunState.DELETING, RunState.PROVED, RunState.CERTIFIED):
        return run
    if run.state is RunState.SUPERSEDED:
        raise _superseded(conn, run)
    if confirm is not None and run.state is RunState.WAITING:
        if confirm != run.plan_hash:
            raise Defect(f"another plan was confirmed: the one that waits is {run.plan_hash}", code="plan_hash")
        return runs.begin(run, confirmed=True)
    found = alarms(run, runs.of_state(RunState.CERTIFIED), published.register_)
    if not found and run.state is RunState.PLANNED:
        return runs.begin(run)
    if run.state is RunState.PLANNED:
        run = runs.move(run, RunState.WAITING)
    told = "; ".join(f"{alarm.about}: {alarm.what}" for alarm in found) or "as it did before"
    strange = any(alarm.about == "clock" for alarm in found)
    raise Defect(
        f"nothing was deleted: the plan waits for a person ({told}). If it is right, confirm it by its hash"
        f" {run.plan_hash} (docs/runbooks/retention.md)",
        code="clock_suspicious" if strange else "plan_too_large",
    )


def waiting(conn: Connection, plan_hash: str) -> RetentionRun:
    """Return the waiting run with this plan hash, to be confirmed.

    Raises ``Defect``: ``plan_superseded``, naming the newer plan's hash, or ``plan_unknown``.
    """
    for run in RetentionRuns(conn).of_state(RunState.WAITING, RunState.SUPERSEDED):
        if run.plan_hash == plan_hash:
            if run.state is RunState.SUPERSEDED:
                raise _superseded(conn, run)
            return run
    raise Defect("no plan with that hash waits for confirmation: give the whole hash", code="plan_unknown")


def _superseded(conn: Connection, run: RetentionRun) -> Defect:
    newer = RetentionRuns(conn).successor(run)
    told = "no newer one is there: plan anew"
    if newer is not None:
        told = f"the newer one is run {newer.id}, which is {newer.state.value}, with the hash {newer.plan_hash}"
    return Defect(f"the plan of retention run {run.id} was superseded by a newer plan: {told}", code="plan_superseded")


def earlier(conn: Connection) -> list[RetentionRun]:
    """Return the runs that were killed or stopped halfway, oldest first."""
    return RetentionRuns(conn).of_state(RunState.DELETING, RunState.PROVED)


def finish_earlier(
    conn: Connection, published: Published, *, kit: Kit, certify: Callable[[Connection, ProvedRun], object]
) -> list[int]:
    """Finish the runs that were killed or stopped halfway; returns their numbers. What was superseded is passed by."""
    finished = []
    for found in earlier(conn):
        try:
            run = found if found.state is RunState.PROVED else delete(conn, found, published, kit=kit)
        except Defect as error:
            if error.code != "plan_superseded":
                raise
            _log.warning("%s", error)
            continue
        certify(conn, proved(prove(conn, run, published, kit=kit)))
        finished.append(run.id)
    return finished


def delete(conn: Connection, run: RetentionRun, published: Published, *, kit: Kit) -> RetentionRun:
    """Delete what a plan says, category by category, and rewrite the parts it stood in. May be killed and called again.

    Raises ``RetryLater("retention_busy")`` when another process deletes, or locks were busy each time: what is done is
    done, call it again. ``Defect``: ``plan_too_large`` when more has expired by now than a person confirmed,
    ``plan_superseded`` for a run that deleted nothing yet and has categories that the register lost since.
    """
    _must_delete(RetentionRuns(conn).get(run.id))
    with _alone(conn):
        run = _must_delete(RetentionRuns(conn).get(run.id))  # it may have been carried out meanwhile
        _not_lost(conn, run, published)
        this = _work(conn, run, published, kit)
        if run.confirmed_at is not None:
            try:
                _no_more_than_confirmed(conn, run, this)
            except Defect:
                _rewrite(conn, run.id, kit)  # what an earlier try deleted leaves the disk all the same
                raise
        run = _without_others(conn, run, this, published)
        busy = []
        for rule in this.rules:
            try:
                _carry_out(conn, run, rule, published, kit)
            except RetryLater as error:
                _log.warning("category %s waits: %s", rule.category.id, error.code)
                busy.append(rule.category.id)
        busy += _rewrite(conn, run.id, kit)
        if busy:
            raise RetryLater(f"retention run {run.id} found busy: {', '.join(busy)}", code="retention_busy")
        return RetentionRuns(conn).get(run.id)


def prove(conn: Connection, run: RetentionRun, published: Published, *, kit: Kit) -> RetentionRun:
    """Count again: nothing may be left that had expired at the run's clock, and no part unwritten.

    What was counted is recorded, for the certificate; of a category that the register lost meanwhile nothing is. Rows
    that came in after the plan was made, with an old date, are the next run's. Raises ``ProofFailed``; what is left is
    then taken again by the next ``delete``.
    """
    run = RetentionRuns(conn).get(run.id)
    if run.state in (RunState.PROVED, RunState.CERTIFIED):
        return run
    if run.state is not RunState.DELETING:
        raise Defect(f"retention run {run.id} is {run.state.value}: it deleted nothing yet", code="retention_state")
    this = _work(conn, run, published, kit, as_of=run.started_at)
    counts = this.counts()
    left = {name: count.total for name, count in counts.items() if count.total}
    after = {name: _after(run, this.tools.rules[name].category, count) for name, count in counts.items()}
    RetentionRuns(conn).proof(run.id, after, _keeping(conn, run, published, kit), again=left)
    if left or run.done.rewrite:
        told = ", ".join([*(f"{name}: {count} left" for name, count in left.items()), *run.done.rewrite])
        raise ProofFailed(f"retention run {run.id} did not delete everything: {told}", code="retention_left")
    return RetentionRuns(conn).move(run, RunState.PROVED)


def proved(run: RetentionRun) -> ProvedRun:
    """Return what the certificate tells of a run that is proved: nothing is left of what was counted again."""
    if run.state not in (RunState.PROVED, RunState.CERTIFIED):
        raise Defect(f"retention run {run.id} is {run.state.value}, not proved", code="not_proved")
    names = sorted({*run.plan.categories, *run.done.deleted})
    return ProvedRun(
        id=run.id, dag_run_id=run.dag_run_id, merchant=run.plan.merchant,
        register_version=run.plan.register_version, register_hash=run.plan.register_hash, plan_hash=run.plan_hash,
        holds=run.done.holds, deletions=tuple(_deletion(run, name) for name in names),
    )  # fmt: skip


def _deletion(run: RetentionRun, name: str) -> Deletion:
    planned = run.plan.categories[name]
    went, after = dict(run.done.deleted.get(name, {})), dict(run.done.after.get(name, {}))
    return Deletion(category=name, cutoff=planned.cutoff, before=dict(planned.counts), deleted=went, after=after)


def _after(run: RetentionRun, category: Category, count: Count) -> dict[str, int]:
    """Return what was counted again of a category, and 0 of every other place it was planned for or deleted in.

    Not of tables that are none of its places by now: those were not counted.
    """
    if all(place.table is not None for place in category.places):
        return dict(sorted(count.expired.items()))
    places = {*run.plan.categories[category.id].counts, *run.done.deleted.get(category.id, {}), *count.expired}
    return {place: count.expired.get(place, 0) for place in sorted(places)}


def _keeping(conn: Connection, run: RetentionRun, published: Published, kit: Kit) -> int:
    """Count the holds that keep something back of what a run is about: without them it would have gone."""
    held = holds_now(conn, run.clock)
    if not held:
        return 0
    free = {name: planned.model_copy(update={"held": False, "held_merchants": ()})
            for name, planned in run.plan.categories.items()}  # fmt: skip
    bare = run.model_copy(update={"plan": run.plan.model_copy(update={"categories": free})})
    without = _work(conn, bare, published, kit, as_of=run.started_at, held=[]).counts()
    kept = {name for name, count in without.items() if count.total}
    keeping = 0
    for hold in held:
        this = _work(conn, bare, published, kit, as_of=run.started_at, held=[hold])
        keeping += any(
            this.deleter(rule).count(rule).total < without[rule.category.id].total
            for rule in this.rules
            if rule.category.id in kept
        )
    return keeping


def _work(
    conn: Connection, run: RetentionRun, published: Published, kit: Kit, *, as_of: datetime | None = None,
    held: list[Hold] | None = None,
) -> Work:  # fmt: skip
    """Prepare the work of a stored run, with the holds there are now or those given."""
    return work(
        conn, published, run.clock, kit, merchant=run.plan.merchant, category=run.plan.category, plan=run.plan,
        held=held, as_of=as_of,
    )  # fmt: skip


def _no_more_than_confirmed(conn: Connection, run: RetentionRun, this: Work) -> None:
    """Have a confirmed run wait again where by now more has expired, what went already with it; under another hash."""
    done = run.done.deleted
    left = {name: count for name, count in this.counts().items() if name not in run.done.finished}
    now = {name: Counter(count.expired) + Counter(done.get(name, {})) for name, count in left.items()}
    larger = larger_than(run.plan, {name: counts.total() for name, counts in now.items()})
    if not larger:
        return
    grown = {name: run.plan.categories[name].model_copy(update={"counts": dict(now[name])}) for name in larger}
    again = run.plan.model_copy(update={"categories": {**run.plan.categories, **grown}})
    run = RetentionRuns(conn).wait_again(run, again)
    raise Defect(
        f"by now more has expired than was confirmed in: {', '.join(larger)}. Nothing more is deleted; if it is right,"
        f" confirm what there is now by its hash {run.plan_hash}",
        code="plan_too_large",
    )


def _must_delete(run: RetentionRun) -> RetentionRun:
    if run.state is not RunState.DELETING:
        raise Defect(f"retention run {run.id} is {run.state.value}: the guard lets it through", code="retention_state")
    return run


def _not_lost(conn: Connection, run: RetentionRun, published: Published) -> None:
    """Supersede a run that has categories the register lost since, if it deleted nothing; else go on without them.

    What went of them stands in the certificate, and no count after it: whether anything is left nobody knows.
    """
    lost = run.lost(published.register_)
    if not lost:
        return
    if run.untouched:
        RetentionRuns(conn).supersede(run)
        raise Defect(
            f"retention run {run.id} deleted nothing and is superseded: the register no longer has {', '.join(lost)};"
            " plan anew",
            code="plan_superseded",
        )
    _log.warning(
        "run %d goes on without what the register no longer has, and its certificate cannot say that this is gone: %s",
        run.id, ", ".join(lost),
    )  # fmt: skip


def _without_others(conn: Connection, run: RetentionRun, this: Work, published: Published) -> RetentionRun:
    """Plan a run anew that deletes nothing yet, where another one deleted meanwhile: what went is told by that one."""
    runs = RetentionRuns(conn)
    if not run.untouched or not runs.others_deleted(run):
        return run
    merchant, category = run.plan.merchant, run.plan.category
    again = made(this, published, run.clock, merchant=merchant, category=category, holds=run.plan.holds)
    before, now = ({name: dict(p.counts) for name, p in plan.categories.items()} for plan in (run.plan, again))
    return runs.replan(run, again) if now != before else run


def _carry_out(conn: Connection, run: RetentionRun, rule: Rule, published: Published, kit: Kit) -> None:
    """Delete one category, with the holds as they are at that moment; in batches, as they are at each."""
    name = rule.category.id
    runs = RetentionRuns(conn)
    if name in runs.get(run.id).done.finished:
        return
    this = _work(conn, run, published, kit)
    rule = this.tools.rules[name]
    if not isinstance(deleter := this.deleter(rule), Batched):
        went = deleter.delete(rule)
        runs.record(run.id, name, went, finished=True)
        return
    with patience(conn, kit.lock_seconds):
        for _ in range(_PASSES):
            if _batches(conn, run, name, published, kit) == 0:
                break
    runs.record(run.id, name, {}, finished=True)


def _rewrite(conn: Connection, number: int, kit: Kit) -> list[str]:
    """Rewrite the parts in which a run deleted; returns those that were busy."""
    runs = RetentionRuns(conn)
    busy = []
    for part in runs.get(number).done.rewrite:
        if rewrite(conn, part, kit):
            runs.rewritten(number, part)
        else:
            busy.append(part)
    return busy


def _batches(conn: Connection, run: RetentionRun, name: str, published: Published, kit: Kit) -> int:
    """Do all batches of a category, each with the holds in force then; returns how much has expired after them.

    While a batch lasts no hold can be made: so once ``sluis hold add`` is done, nothing of it goes any more.
    """
    runs = RetentionRuns(conn)
    held: list[Hold] | None = None
    while True:
        with conn.transaction():
            conn.execute("lock table sluis.hold in share mode")
            if (now := holds_now(conn, run.clock)) != held:
                held, this = now, _work(conn, run, published, kit, held=now)
                rule, batched = _batched(this, name)
            went = batched.batch(rule)
            if went is None:
                break
            if went.rows:
                runs.record(run.id, name, went.rows, rewrite=went.parts)
    return this.deleter(rule).count(rule).total


def _batched(this: Work, name: str) -> tuple[Rule, Batched]:
    rule = this.tools.rules[name]
    deleter = this.deleter(rule)
    assert isinstance(deleter, Batched)  # asked for those alone
    return rule, deleter


@contextmanager
def _alone(conn: Connection) -> Iterator[None]:
    found = conn.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
    if found is None or not found[0]:
        raise RetryLater("another process carries out retention: it will be done by that one", code="retention_busy")
    try:
        yield
    finally:
        if not conn.broken:
            conn.execute("select pg_advisory_unlock(%s)", [_LOCK])
