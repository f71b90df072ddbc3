"""What has expired in Airflow's own database: per table the condition under which a row goes.

Airflow's cleaner (``db clean``) goes by one date per table. It leaves rows without that date, tables it does not know
and everything of the last run of a DAG that is gone; and it also takes rows of a run that is still running and of a
trigger that somebody still waits for. These conditions say what goes and what stays, so that a plan can count exactly
what a deletion takes; a test holds them against the installed Airflow. Read with ``%(before)s`` (the cutoff),
``%(now)s`` (the clock of the plan) and ``%(held)s`` (patterns of the DAGs of merchants on hold).
"""
# ruff: noqa: S608 - pieces of statements are constants of this module; values are always parameters

from __future__ import annotations

#: A DAG that no parse has seen since the cutoff: its file, or its integration, is gone.
_GONE = """not exists (select from dag as known where known.dag_id = {}.dag_id
    and coalesce(known.last_parsed_time, 'infinity') >= %(before)s)"""
#: As it was at the clock of the plan, like what was the last run then: what happens meanwhile is the next plan's.
_DONE = "({0}.state in ('success', 'failed') and coalesce({0}.end_date, '-infinity') <= %(now)s)"
_SINCE = "coalesce({0}.start_date, {0}.end_date, {0}.queued_at, {0}.created_at, {0}.run_after)"
#: The last run that no person started: from it Airflow reckons the next one (so does ``db clean``).
_LAST = """coalesce({0}.start_date = (select max(one.start_date) from dag_run as one
    where one.dag_id = {0}.dag_id and one.run_type <> 'manual' and one.start_date <= %(now)s), false)"""
_FREE = "not coalesce({}.dag_id like any(%(held)s::text[]), false)"
_RUN = "({since} < %(before)s and {free} and ({gone} or ({done} and not {last})))"


def _run(alias: str) -> str:
    return _RUN.format(
        since=_SINCE.format(alias), gone=_GONE.format(alias), done=_DONE.format(alias), last=_LAST.format(alias),
        free=_FREE.format(alias),
    )  # fmt: skip


def _of_run(alias: str, own: str) -> str:
    """Return the condition for what belongs to a run by (dag_id, run_id): the run goes, or it ended and ``own``."""
    done = f"{_DONE.format('r')} and {_FREE.format('r')}"
    return (
        f"exists (select from dag_run as r where r.dag_id = {alias}.dag_id and r.run_id = {alias}.run_id"
        f" and ({_run('r')} or ({done} and {own})))"
    )


def _task(alias: str) -> str:
    own = f"coalesce({alias}.start_date, {alias}.end_date, {_SINCE.format('r')}) < %(before)s"
    return _of_run(alias, own)


#: What goes with its task by the database's own cascade, found by the task's id or by its four names.
_BY_TASK_ID = "exists (select from task_instance as ti where ti.id = t.{} and " + _task("ti") + ")"
_BY_TASK = (
    "exists (select from task_instance as ti where (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)"
    " = (t.dag_id, t.run_id, t.task_id, t.map_index) and " + _task("ti") + ")"
)
_UNUSED = "not exists (select from task_instance as ti where ti.{} and not " + _task("ti") + ")"
_VERSION = (
    f"({_FREE.format('v')} and {_UNUSED.format('dag_version_id = v.id')} and ({_GONE.format('v')}"
    " or (v.created_at < %(before)s"
    " and v.created_at <> (select max(one.created_at) from dag_version as one"
    " where one.dag_id = v.dag_id and one.created_at <= %(now)s))))"
)
_BY_VERSION = "exists (select from dag_version as v where v.id = t.dag_version_id and " + _VERSION + ")"

#: Table -> condition on its alias ``t``. In the order in which what is left is deleted: what others point at last.
EXPIRED: dict[str, str] = {
    "xcom": _of_run("t", "t.timestamp < %(before)s"),
    "rendered_task_instance_fields": _BY_TASK,
    "task_map": _BY_TASK,
    "task_reschedule": _BY_TASK_ID.format("ti_id"),
    "task_instance_note": _BY_TASK_ID.format("ti_id"),
    "hitl_detail": _BY_TASK_ID.format("ti_id"),
    "task_instance_history": _task("t"),
    "task_state_store": "(t.expires_at < %(now)s or " + _of_run("t", "t.updated_at < %(before)s") + ")",
    "deadline": "t.deadline_time < %(before)s",
    "task_instance": _task("t"),
    "dag_run_note": "exists (select from dag_run as r where r.id = t.dag_run_id and ("
    + _run("r") + " or t.created_at < %(before)s))",
    "dag_run": _run("t"),
    "backfill": "t.completed_at < %(before)s and not exists (select from dag_run as r where r.backfill_id = t.id"
    " and not " + _run("r") + ")",
    "callback": "t.created_at < %(before)s and (t.state is null or t.state in ('success', 'failed') or"
    " (t.state = 'scheduled' and not exists (select from deadline as d where d.callback_id = t.id"
    " and d.deadline_time >= %(before)s)))",
    "trigger": "t.created_date < %(before)s"
    f" and {_UNUSED.format('trigger_id = t.id')}"
    " and not exists (select from asset_watcher as w where w.trigger_id = t.id)"
    " and not exists (select from callback as c where c.trigger_id = t.id)",
    "asset_event": "t.timestamp < %(before)s",
    "asset_state_store": "t.updated_at < %(before)s",
    "partitioned_asset_key_log": "t.created_at < %(before)s and not exists (select from asset_partition_dag_run as p"
    " where p.id = t.asset_partition_dag_run_id)",
    "serialized_dag": _BY_VERSION,
    "dag_code": _BY_VERSION,
    "dag_version": _VERSION.replace("v.", "t."),
    "dag_warning": f"t.timestamp < %(before)s and {_FREE.format('t')}",
    "dag": f"t.last_parsed_time < %(before)s and {_FREE.format('t')} and {_UNUSED.format('dag_id = t.dag_id')}",
    "log": f"coalesce(t.dttm, '-infinity') < %(before)s and {_FREE.format('t')}",
    "job": "coalesce(t.latest_heartbeat, t.end_date, t.start_date, '-infinity') < %(before)s"
    f" and {_FREE.format('t')}",
    "import_error": "coalesce(t.timestamp, '-infinity') < %(before)s",
    "connection_test_request": "t.updated_at < %(before)s and t.state in ('success', 'failed')",
    # Worth nothing from the moment they end: what they name (a login) need not stay for a month more.
    "revoked_token": "t.exp < %(now)s",
    "session": "coalesce(t.expiry, '-infinity') < %(now)s at time zone 'UTC'",
    "celery_taskmeta": "t.date_done < %(before)s at time zone 'UTC'",
    "celery_tasksetmeta": "t.date_done < %(before)s at time zone 'UTC'",
}  # fmt: skip

#: What Airflow's own cleaner is asked for. Not ``trigger``: it takes those that a task or an asset still waits for, and
#: the task with it.
CLEANED = (
    "asset_event", "callback", "celery_taskmeta", "celery_tasksetmeta", "connection_test_request", "dag", "dag_run",
    "dag_version", "deadline", "import_error", "job", "log", "partitioned_asset_key_log", "revoked_token", "session",
    "task_instance", "task_instance_history", "task_reschedule", "task_state_store", "xcom",
)  # fmt: skip

#: Runs of DAGs that are gone: Airflow's cleaner keeps the last one, and then fails on the DAG itself.
GONE_RUNS = _run("t") + " and " + _GONE.format("t")

#: DAGs that Airflow's cleaner must not touch: one of their runs is older than the cutoff and not done, tasks would keep
#: the cleaner from taking the DAG itself, or their merchant is on hold.
LIVING = f"""
select distinct r.dag_id from dag_run as r
where not {_FREE.format("r")} or not {_DONE.format("r")} and not {_run("r")} and (
    {_SINCE.format("r")} < %(before)s or exists (select from task_instance as ti where ti.dag_id = r.dag_id
        and ti.run_id = r.run_id and coalesce(ti.start_date, ti.end_date) < %(before)s))
union
select distinct ti.dag_id from task_instance as ti
join dag as d on d.dag_id = ti.dag_id and d.last_parsed_time < %(before)s where not {_task("ti")}
union
select d.dag_id from dag as d where not {_FREE.format("d")}
"""

#: Copies that ``db clean`` makes of what it deletes, and one that a migration of Airflow made.
COPIES = r"""select c.relname from pg_class as c
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
and (c.relname like '\_airflow\_deleted\_\_%%' or c.relname = '_xcom_archive')"""
