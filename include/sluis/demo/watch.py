"""Waits for the first run of every merchant, and lays its report beside what shops and books count themselves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sluis.core.invoice import Result
from sluis.core.summary import Tally
from sluis.demo.stage import Actor, Sandbox
from sluis.demo.table import Outcome, Sum
from sluis.errors import Defect, RetryLater
from sluis.flows.wiring import open_session
from sluis.local.api import AirflowApi
from sluis.local.stack import LocalAirflow, Progress
from sluis.store.reports import RunReport

#: A first run of thousands of orders takes minutes on two cores.
TIMEOUT_SECONDS = 3600
CURRENCY = "EUR"


def first_runs(
    actors: Sequence[Actor], airflow: LocalAirflow, sandbox: Sandbox, progress: Progress
) -> dict[str, tuple[RunReport | None, str]]:
    """Return per merchant the report of his first run and the state Airflow gave it; tells what changes meanwhile."""
    api = AirflowApi(airflow.url, airflow.login)
    api.wait_for_dags([actor.dag_id for actor in actors])
    progress("Airflow: one DAG per merchant, each runs its last interval now")
    found: dict[str, tuple[RunReport | None, str]] = {}
    told: dict[str, str] = {}
    began = time.monotonic()
    while len(found) < len(actors):
        airflow.check()
        sandbox.check()
        for actor in actors:
            if actor.merchant not in found:
                ended = _look(api, actor, told, progress)
                if ended is not None:
                    found[actor.merchant] = ended
        if time.monotonic() - began > TIMEOUT_SECONDS:
            raise RetryLater(f"the runs did not end in {TIMEOUT_SECONDS} s; see the UI", code="run_not_ended")
        time.sleep(1)
    return found


def _look(
    api: AirflowApi, actor: Actor, told: dict[str, str], progress: Progress
) -> tuple[RunReport | None, str] | None:
    runs = api.runs(actor.dag_id)
    if not runs:
        return None
    run_id = runs[0]["dag_run_id"]
    states = api.states(actor.dag_id, run_id)
    now = ", ".join(f"{task} {state}" for task, state in states.items() if state and task != "shred")
    if now and told.get(actor.merchant) != now:
        told[actor.merchant] = now
        progress(f"merchant {actor.merchant}: {now}")
    state = str(api.run(actor.dag_id, run_id)["state"])
    if state not in ("success", "failed"):
        return None
    with open_session(actor.merchant, actor.integration) as session:
        reports = [r for r in session.reports.list(50) if r.dag_run_id == run_id]
    return (reports[-1] if reports else None), state


def windows(actors: Sequence[Actor], runs: Mapping[str, tuple[RunReport | None, str]]) -> dict[str, str]:
    """Return per shop the interval its first run read, as the shop's own count is asked for it."""
    found = {}
    for actor in actors:
        report = runs[actor.merchant][0]
        if report is not None and report.window_start is not None and report.window_end is not None:
            found[actor.part.shop.code] = f"{report.window_start.isoformat()}/{report.window_end.isoformat()}"
    return found


def outcome(actor: Actor, report: RunReport | None, state: str, stats: dict[str, Any]) -> Outcome:
    """Lay a merchant's report beside what his shop and books count. Raises ``Defect`` for one the sandbox lacks."""
    try:
        shop = stats["shops"][actor.part.shop.code]
        books = stats["administrations"][actor.part.administration.id]
    except KeyError:
        raise Defect(f"the sandbox does not know the shop or books of {actor.merchant}") from None
    tally = Tally.from_dict(report.tally) if report else Tally()
    problems = [] if state == "success" else [f"the run {state}: see the UI"]
    if tally.count(Result.DEFERRED):
        problems.append(f"{tally.count(Result.DEFERRED)} documents were deferred")
    reasons = tally.as_dict()["reasons"]
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
        booked=_sum(tally, Result.BOOKED, Result.ADOPTED),
        skipped=_sum(tally, Result.SKIPPED),
        quarantined=_sum(tally, Result.QUARANTINED),
        skipped_reasons=_counts(reasons.get("skipped")),
        quarantine_reasons=_counts(reasons.get("quarantined")),
        books=Sum(books["invoices"], books["invoices_cents"]),
        debtors=books["contacts"],
        duplicates=sum(books["duplicates"].values()),
        seconds=(report.ended_at - report.started_at).total_seconds() if report else 0.0,
        problems=problems,
    )


def _sum(tally: Tally, *results: Result) -> Sum:
    return Sum(tally.count(*results), tally.total_cents(CURRENCY, *results))


def _counts(value: object) -> dict[str, int]:
    return {str(k): int(v) for k, v in value.items()} if isinstance(value, dict) else {}
