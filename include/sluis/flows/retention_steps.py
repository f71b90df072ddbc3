"""The steps of the DAG ``retention``: each opens the store, does its part of one run and logs it for an auditor.

Between tasks only the run's number passes; everything else stands in ``sluis.retention_run``. So a task may be killed
and tried again, and a run that was left halfway is finished by the next day's ``plan`` before it plans anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect
from sluis.flows.retention import certified, kit
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import Published, read_register, register_path
from sluis.privacy.retention import run as engine
from sluis.privacy.retention.certificates import ProvedRun
from sluis.privacy.retention.chain import Certificate
from sluis.privacy.retention.contract import now_utc
from sluis.privacy.retention.rules import holds_now
from sluis.privacy.retention.runs import Plan, RetentionRun, RetentionRuns
from sluis.store.database import Connection, retention_connection

_log = logging.getLogger("sluis.retention")
#: What the guard raises for a plan that a person must look at.
_WAITS = frozenset({"plan_too_large", "clock_suspicious", "plan_hash"})


class RetentionRequest(Frozen):
    """One run of the DAG. Empty merchant or category: all of them."""

    dag_run_id: str
    merchant: str | None = None
    category: str | None = None
    dry_run: bool = False
    confirm: str | None = None  #: hash of a plan that waits: that one is carried out
    run: int | None = None  #: the retention run, once it is planned


class RetentionStep(Frozen):
    """What a step tells: numbers and dates only."""

    run: int | None = None  #: ``None`` in a dry run, which stores nothing
    clock: Moment | None = None
    categories: int = 0  #: with something that goes
    expired: int = 0  #: rows and files that go
    holds: int = 0
    deleted: int = 0
    finished: int = 0  #: earlier runs that were carried out to their end first
    certificate: int | None = None  #: its place in the chain
    backups_gone_on: date | None = None


def plan(request: RetentionRequest) -> RetentionStep:
    """Finish what was left halfway, then count what has expired now and store the plan; a dry run stores nothing.

    Raises what ``privacy.retention.run.plan`` does, ``NotConfigured("register_wrong")`` before anything is deleted.
    """
    published = read_register(register_path())
    _log.info("register version %d of %s", published.register_.version, published.register_.date)
    asked = {"merchant": request.merchant, "category": request.category}
    with retention_connection() as conn:
        if request.dry_run:
            found = engine.preview(conn, published, now_utc(), kit=kit(), **asked)
            _tell(found, "dry run")
            return _counted(found)
        if request.confirm is not None:
            run, finished = engine.waiting(conn, request.confirm), []
        else:
            finished = engine.finish_earlier(conn, published, kit=kit(), certify=_certifying(published))
            for number in finished:
                _log.info("run %d was left halfway: it is carried out, proved and certified now", number)
            run = engine.plan(conn, published, now_utc(), dag_run_id=request.dag_run_id, kit=kit(), **asked)
        _tell(run.plan, f"run {run.id}")
        return _counted(run.plan, run).model_copy(update={"finished": len(finished)})


def holds(request: RetentionRequest) -> RetentionStep:
    """Take out of the plan what is held, and name every hold in force. A dry run's plan is without it already."""
    published = read_register(register_path())
    with retention_connection() as conn:
        run = _run(conn, request) if request.run is not None else None
        for hold in holds_now(conn, run.clock if run else now_utc()):
            _log.info(
                "hold %d: merchant %s, category %s, reason %s, of %s, to the end of %s", hold.id,
                hold.merchant or "all", hold.category or "all", hold.reason, hold.owner, hold.ends_on,
            )  # fmt: skip
        if run is None:
            _log.info("dry run: nothing is stored and nothing is deleted")
            return RetentionStep()
        run = engine.apply_holds(conn, run, published, kit=kit())
        _tell(run.plan, f"run {run.id} with {run.plan.holds} hold(s)")
        return _counted(run.plan, run)


def guard(request: RetentionRequest) -> RetentionStep:
    """Let the plan through, or leave it waiting for a person and say how he confirms it.

    Raises ``Defect`` (``plan_too_large``, ``clock_suspicious``, ``plan_hash``), which nothing retries.
    """
    published = read_register(register_path())
    with retention_connection() as conn:
        run = _run(conn, request)
        try:
            run = engine.guard(conn, run, published, confirm=request.confirm)
        except Defect as error:
            if error.code not in _WAITS:
                raise
            raise Defect(f"{error.args[0]}. {how_to_confirm(run.plan_hash)}", code=error.code) from None
        _log.info("run %d may delete: plan %s", run.id, run.plan_hash)
        return _counted(run.plan, run)


def delete(request: RetentionRequest) -> RetentionStep:
    """Delete what the plan says; goes on where a killed try was. Raises ``RetryLater`` where locks were busy."""
    published = read_register(register_path())
    with retention_connection() as conn:
        run = engine.delete(conn, _run(conn, request), published, kit=kit())
        for name, planned in sorted(run.plan.categories.items()):
            went = run.done.deleted.get(name, {})
            if planned.counts or went:
                _log.info(
                    "run %d: category %s, before %s: %s went of %s", run.id, name, _moment(planned.cutoff),
                    _places(went), _places(planned.counts),
                )  # fmt: skip
        return _counted(run.plan, run)


def prove(request: RetentionRequest) -> RetentionStep:
    """Count again and find nothing; raises ``ProofFailed`` otherwise."""
    published = read_register(register_path())
    with retention_connection() as conn:
        run = engine.prove(conn, _run(conn, request), published, kit=kit())
        for name, planned in sorted(run.plan.categories.items()):
            if name not in run.done.after:
                _log.warning("run %d: category %s left the register: what is left was not counted", run.id, name)
                continue
            _log.info(
                "run %d: category %s: nothing is left from before %s%s", run.id, name, _moment(planned.cutoff),
                " that is not held" if planned.held or planned.held_merchants else "",
            )  # fmt: skip
        return _counted(run.plan, run)


def certificate(request: RetentionRequest) -> RetentionStep:
    """Certify what was proved; its place in the chain and its hash stand in the log, to be noted."""
    published = read_register(register_path())
    with retention_connection() as conn:
        run = _run(conn, request)
        made = _certifying(published)(conn, engine.proved(run))
        gone = f"the last backup with it expires on {made.backups_gone_on}" if made.backups_gone_on else "no backup"
        _log.info("certificate %d:%s of run %d; %s", made.sequence, made.hash, run.id, gone)
        step = _counted(run.plan, run)
        return step.model_copy(update={"certificate": made.sequence, "backups_gone_on": made.backups_gone_on})


def how_to_confirm(plan_hash: str) -> str:
    """Return what a person types to have a waiting plan carried out."""
    return (
        f'Look with `sluis retention list`, then trigger the DAG retention with the conf {{"confirm": "{plan_hash}"}}'
        f" or run `sluis retention run --confirm {plan_hash}`"
    )


def _certifying(published: Published) -> Callable[[Connection, ProvedRun], Certificate]:
    keyring = Keyring.from_environment()
    return lambda conn, proved: certified(conn, proved, published.register_, keyring)


def _run(conn: Connection, request: RetentionRequest) -> RetentionRun:
    if request.run is None:
        raise Defect("no retention run was planned: clear the run from plan on", code="retention_run")
    return RetentionRuns(conn).get(request.run)


def _counted(found: Plan, run: RetentionRun | None = None) -> RetentionStep:
    return RetentionStep(
        run=run.id if run else None, clock=found.clock, holds=found.holds, expired=found.total,
        categories=sum(planned.total > 0 for planned in found.categories.values()),
        deleted=sum(sum(places.values()) for places in run.done.deleted.values()) if run else 0,
    )  # fmt: skip


def _tell(found: Plan, what: str) -> None:
    """Log a plan, a line per category: cutoff, how much goes of how much, and what holds."""
    whose = f" of merchant {found.merchant}" if found.merchant else ""
    for name, planned in sorted(found.categories.items()):
        held = "all of it" if planned.held else ", ".join(planned.held_merchants) or "nothing"
        ended = f", all of ended merchants {', '.join(planned.ended)}" if planned.ended else ""
        shorter = "".join(f", of {code} before {_moment(at)}" for code, at in sorted(planned.own_cutoffs.items()))
        _log.info(
            "%s: category %s%s: before %s%s%s: %s of %d; held: %s", what, name, whose, _moment(planned.cutoff), shorter,
            ended, _places(planned.counts), planned.standing, held,
        )  # fmt: skip
    _log.info(
        "%s: %d go in all, counted back from %s; plan %s", what, found.total, _moment(found.clock), found.sha256()
    )


def _places(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {place}" for place, count in sorted(counts.items())) or "nothing"


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else "no date"
