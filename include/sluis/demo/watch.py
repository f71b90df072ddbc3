"""Waits for the runs of every merchant, and lays what they proved beside what shops and books count themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sluis.core.invoice import Result
from sluis.core.reconciliation import QUARANTINED, Period, Reconciliation
from sluis.core.summary import Tally
from sluis.core.vat_return import quarter_of
from sluis.demo.stage import Actor, Sandbox
from sluis.demo.standing import Sum, counted, standing
from sluis.demo.stir import Stirred
from sluis.demo.table import After, Outcome, euro
from sluis.errors import Defect, RetryLater
from sluis.flows.reconcile import reconcile
from sluis.flows.wiring import open_session
from sluis.local.api import AirflowApi
from sluis.local.stack import LocalAirflow, Progress
from sluis.store.reports import RunReport

#: A first run of thousands of orders takes minutes on two cores.
TIMEOUT_SECONDS = 3600
CURRENCY = "EUR"
#: Tasks that say nothing about a run: they come whatever happens, or wait for a month's end.
_QUIET = frozenset({"shred", "reconcile"})

#: Per merchant the report of a run and the state Airflow gave it.
Ended = dict[str, tuple[RunReport | None, str]]


def first_runs(actors: Sequence[Actor], airflow: LocalAirflow, sandbox: Sandbox, progress: Progress) -> Ended:
    """Return how every merchant's first scheduled run ended, which Airflow starts by itself."""
    api = AirflowApi(airflow.url, airflow.login)
    api.wait_for_dags([actor.dag_id for actor in actors])
    progress("Airflow: one DAG per merchant, each runs its last interval now")

    def first(actor: Actor) -> str | None:
        runs = api.runs(actor.dag_id)
        return str(runs[0]["dag_run_id"]) if runs else None

    return _wait(api, actors, first, (airflow, sandbox), progress)


def second_runs(actors: Sequence[Actor], airflow: LocalAirflow, sandbox: Sandbox, progress: Progress) -> Ended:
    """Trigger a run of every merchant, which reads from his watermark to now, and return how it ended."""
    api = AirflowApi(airflow.url, airflow.login)
    triggered = {actor.merchant: api.trigger(actor.dag_id) for actor in actors}
    progress("Airflow: a second run of every merchant was triggered")
    return _wait(api, actors, lambda actor: triggered[actor.merchant], (airflow, sandbox), progress)


def _wait(
    api: AirflowApi,
    actors: Sequence[Actor],
    run_of: Callable[[Actor], str | None],
    alive: tuple[LocalAirflow, Sandbox],
    progress: Progress,
) -> Ended:
    """Wait for a run of each merchant; tells what changes meanwhile. Raises ``RetryLater("run_not_ended")``."""
    found: Ended = {}
    told: dict[str, str] = {}
    began = time.monotonic()
    while len(found) < len(actors):
        for process in alive:
            process.check()
        for actor in actors:
            run_id = run_of(actor) if actor.merchant not in found else None
            if run_id and (ended := _look(api, actor, run_id, told, progress)) is not None:
                found[actor.merchant] = ended
        if time.monotonic() - began > TIMEOUT_SECONDS:
            raise RetryLater(f"the runs did not end in {TIMEOUT_SECONDS} s; see the UI", code="run_not_ended")
        time.sleep(1)
    return found


def _look(
    api: AirflowApi, actor: Actor, run_id: str, told: dict[str, str], progress: Progress
) -> tuple[RunReport | None, str] | None:
    states = api.states(actor.dag_id, run_id)
    now = ", ".join(f"{task} {state}" for task, state in states.items() if state and task not in _QUIET)
    if now and told.get(actor.merchant) != now:
        told[actor.merchant] = now
        progress(f"merchant {actor.merchant}: {now}")
    state = str(api.run(actor.dag_id, run_id)["state"])
    if state not in ("success", "failed"):
        return None
    with open_session(actor.merchant, actor.integration) as session:
        reports = [r for r in session.reports.list(50) if r.dag_run_id == run_id]
    return (reports[-1] if reports else None), state


def windows(actors: Sequence[Actor], runs: Ended, later: Ended | None = None) -> dict[str, str]:
    """Return per shop the interval its first run read, or both did, as the shop's own count is asked for it."""
    found = {}
    for actor in actors:
        report, last = runs[actor.merchant][0], (later or runs)[actor.merchant][0]
        if report and last and report.window_start and last.window_end:
            found[actor.part.shop.code] = f"{report.window_start.isoformat()}/{last.window_end.isoformat()}"
    return found


def outcome(actor: Actor, report: RunReport | None, state: str, stats: dict[str, Any]) -> Outcome:
    """Lay a merchant's report beside what his shop and books count. Raises ``Defect`` for one the sandbox lacks."""
    shop, books = _of(actor, stats)
    tally = Tally.from_dict(report.tally) if report else Tally()
    problems = [] if state == "success" else [f"the run {state}: see the UI"]
    if tally.count(Result.DEFERRED):
        problems.append(f"{tally.count(Result.DEFERRED)} documents were deferred")
    reasons = tally.as_dict()["reasons"]
    with open_session(actor.merchant, actor.integration) as session:
        stands = standing(session)
    listed = shop["listed"]
    return Outcome(
        merchant=f"{actor.merchant} {actor.part.name}",
        what=actor.part.what,
        orders=Sum(shop["orders"], shop["orders_cents"]),
        refunds=Sum(shop["refunds"], -shop["refunds_cents"]),
        unread=Sum(
            shop["orders"] - listed["orders"] + shop["refunds"] - listed["refunds"],
            shop["orders_cents"] - listed["orders_cents"] - shop["refunds_cents"] + listed["refunds_cents"],
        ),
        booked=_sum(tally, Result.BOOKED, Result.ADOPTED, Result.SUMMARISED),
        skipped=_sum(tally, Result.SKIPPED),
        quarantined=_sum(tally, Result.QUARANTINED),
        skipped_reasons=_counts(reasons.get("skipped")),
        quarantine_reasons=_counts(reasons.get("quarantined")),
        standing=stands,
        books=counted(books),
        debtors=books["contacts"],
        duplicates=sum(books["duplicates"].values()),
        seconds=(report.ended_at - report.started_at).total_seconds() if report else 0.0,
        problems=problems,
    )


def after(actor: Actor, first: Outcome, stirred: Stirred, state: str, stats: dict[str, Any]) -> After:
    """Lay what stands after a second run beside what shop and books count now, and reconcile the running quarter."""
    shop, books = _of(actor, stats)
    listed = shop["listed"]
    with open_session(actor.merchant, actor.integration) as session:
        stands = standing(session)
        found = reconcile(session, Period.of(quarter_of(datetime.now(UTC).date()))).result
    reconciled, problems = _reconciled(found)
    if state != "success":
        problems.append(f"the second run {state}: see the UI")
    return After(
        merchant=first.merchant,
        changes=tuple(stirred.done),
        in_shop=shop["orders_cents"] - shop["refunds_cents"],
        unread=shop["orders_cents"] - listed["orders_cents"] - shop["refunds_cents"] + listed["refunds_cents"],
        skipped=first.skipped.cents - stirred.paid_late_cents,
        ended=stirred.ended_cents,
        standing=stands,
        books=counted(books),
        duplicates=sum(books["duplicates"].values()),
        reconciled=reconciled,
        problems=problems,
    )


def _reconciled(found: Reconciliation) -> tuple[str, list[str]]:
    """Return the line of a reconciliation, and what is wrong: any open cause but quarantine, which is told above it."""
    causes = {one.cause for one in found.differences if not one.explained}
    wrong = sorted(causes - {QUARANTINED})
    waiting = sum(one.documents for one in found.quarantined)
    verdict = f"OPEN ({', '.join(wrong)})" if wrong else "settled"
    if causes and not wrong:
        verdict += f" but for {waiting} in quarantine"
    sums = "; ".join(
        ", ".join(
            f"{name} {euro(side.net_cents + side.vat_cents)}"
            for name, side in (("shop", line.shop), ("sluis", line.sluis), ("package", line.package))
        )
        for line in found.totals
    )
    problems = [f"{found.period} is not settled: {', '.join(wrong)}"] if wrong else []
    return f"reconcile {found.period}: {verdict} ({sums or 'no sales'})", problems


def _of(actor: Actor, stats: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return stats["shops"][actor.part.shop.code], stats["administrations"][actor.part.administration.id]
    except KeyError:
        raise Defect(f"the sandbox does not know the shop or books of {actor.merchant}") from None


def _sum(tally: Tally, *results: Result) -> Sum:
    return Sum(tally.count(*results), tally.total_cents(CURRENCY, *results))


def _counts(value: object) -> dict[str, int]:
    return {str(k): int(v) for k, v in value.items()} if isinstance(value, dict) else {}
