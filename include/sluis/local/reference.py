"""Renders ``docs/reference/airflow.md``: the settings sluis runs Airflow with, for who runs an Airflow of his own."""

from __future__ import annotations

import sys

_MUST, _SHOULD, _HERE = "must", "should", "local"
#: Per variable of ``airflow_env.environment``: how far it binds an Airflow elsewhere, the value there, and the reason.
REASONS: dict[str, tuple[str, str, str]] = {
    "AIRFLOW__CORE__DAGS_FOLDER": (_MUST, "`dags/` of this repository", "one DAG per integration is made by `sync.py`"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": (
        _MUST, "`plugins/` of this repository",
        "preloads heavy modules in the scheduler (a task costs 0.4 CPU seconds instead of 8) and guards the API: what"
        " a person gives a run is order ids and nothing else",
    ),
    "AIRFLOW__CORE__XCOM_BACKEND": (
        _MUST, "`sluis.airflow_support.xcom_backend.RefusingXCom`",
        "lets counts, cents and ids pass between tasks and refuses everything else, so that no person enters XCom",
    ),
    "AIRFLOW__WORKERS__STATE_STORE_BACKEND": (
        _MUST, "`sluis.airflow_support.state_store.RefusingStateStore`",
        "no task keeps anything in Airflow's task and asset state stores, of which the second is never cleaned",
    ),
    "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": (_MUST, "`1`", "rendered arguments would be copied into the database"),
    "AIRFLOW__CORE__NUM_DAG_RUNS_TO_RETAIN_RENDERED_FIELDS": (
        _MUST, "`1`", "keeps the stubs of one run; `0` would keep those of all runs for ever"
    ),
    "AIRFLOW__CORE__TEST_CONNECTION": (_SHOULD, "`Disabled`", "nobody tries foreign addresses from the server"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": (_SHOULD, "`False`", "only our DAGs"),
    "AIRFLOW__CORE__AUTH_MANAGER": (
        _SHOULD, "FAB (`apache-airflow-providers-fab`)", "roles that can be limited per DAG; simple auth has none"
    ),
    "AIRFLOW__CORE__FERNET_KEY": (_MUST, "a secret of your own", "encrypts what Airflow itself keeps"),
    "AIRFLOW__API__SECRET_KEY": (_MUST, "a secret of your own", "signs sessions; the same for every api-server"),
    "AIRFLOW__API_AUTH__JWT_SECRET": (_MUST, "64 random bytes of your own", "signs tokens; the same in all processes"),
    "AIRFLOW__API__EXPOSE_CONFIG": (_SHOULD, "`False`", "the configuration holds secrets"),
    "AIRFLOW__API__EXPOSE_STACKTRACE": (_SHOULD, "`False`", "an answer to a browser shows no inside"),
    "AIRFLOW__API__HOST": (_HERE, "yours", "127.0.0.1 here: nobody else on the network"),
    "AIRFLOW__API__PORT": (_HERE, "yours", "`PORT=`"),
    "AIRFLOW__API__BASE_URL": (_HERE, "yours", "the address in links"),
    "AIRFLOW__API__WORKERS": (_HERE, "yours", "one is enough for one person"),
    "AIRFLOW__API__INSTANCE_NAME": (_HERE, "yours", "the title of the UI"),
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": (_MUST, "your api-server's address and `/execution/`",
                                                "tasks report there"),
    "NO_PROXY": (_HERE, "the api-server's host, where a proxy is set", "tasks' calls to it take no company's proxy"),
    "no_proxy": (_HERE, "the same", "some libraries read this spelling"),
    "AIRFLOW__CORE__EXECUTOR": (
        _SHOULD, "`LocalExecutor`", "tasks are forked from the scheduler, which is what preloading needs"
    ),
    "AIRFLOW__CORE__MP_START_METHOD": (_SHOULD, "`fork`", "preloading depends on it"),
    "AIRFLOW__CORE__PARALLELISM": (
        _SHOULD, "about twice the cores", "tasks wait for vendors most of their time; pools limit each vendor apart"
    ),
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": (
        _MUST, "`False`", "`go-live` and `pause` decide what books; a DAG in Airflow's own pause stands still silently"
    ),
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": (_HERE, "`300`", "5 s here, so that a new merchant shows at once"),
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": (
        _HERE, "`300`", "5 s here; parsing 1,000 DAGs costs 12 CPU seconds a time"
    ),
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": (_SHOULD, "`1`", "all DAGs come from one file"),
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": (_SHOULD, "`60`", "1,000 DAGs on a busy machine take more than 30 s"),
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": (_SHOULD, "`120`", "longer than the import's time-out"),
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": (_HERE, "default", "5 s here, so that a change shows at once"),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": (
        _SHOULD, "`60`", "a killed task is noticed after a minute, not after five"
    ),
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": (
        _SHOULD, "`30`", "a busy machine answers late; failing tasks for it would only add work"
    ),
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": (_HERE, "yours", "under the home"),
    "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": (_HERE, "yours", "under the home"),
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": (
        _SHOULD, "`0o700`", "logs hold order numbers and amounts: nobody else on the machine needs them"
    ),
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": (_SHOULD, "`0o600`", "the same"),
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": (_HERE, "`False`", "log files are read in an editor"),
    "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": (_HERE, "`WARNING`", "not a line per poll of the UI"),
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": (
        _SHOULD, "`http.access=WARNING, great_expectations=WARNING`", "what is read stays readable"
    ),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
        _MUST, "`postgresql+psycopg://...`, a database of its own", "never the store: another owner, other backups"
    ),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": (_MUST, "the same", "psycopg speaks both ways; asyncpg is not there"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": (_HERE, "yours", "four processes share one small server here"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": (_HERE, "yours", "the same"),
    "AIRFLOW_HOME": (_HERE, "yours", "under the home"),
    "SLUIS_HOME": (
        _MUST, "a writable directory",
        "the DAG factory's copy of the list: DAGs stay while the store is away; and the newest exchange rates",
    ),
    "SLUIS_AIRFLOW_DATABASE_URL": (
        _MUST, "Airflow's own database as its owner, `postgresql://...`; to the processes that run tasks only",
        "the DAG `retention` deletes old runs there, and Airflow blocks its own address in every task; a task of any"
        " other DAG drops it when it starts",
    ),
    "GX_ANALYTICS_ENABLED": (_MUST, "`false`", "great-expectations tells its maker nothing"),
    "OPENBLAS_NUM_THREADS": (_MUST, "`1`", "numpy's threads do not survive the fork of a task"),
    "PYTHONUNBUFFERED": (_HERE, "`1`", "the last line of a process that dies is in its log"),
}  # fmt: skip
_TITLES = {
    _MUST: "What must be so everywhere",
    _SHOULD: "What should be so unless you know better",
    _HERE: "What is only this machine's choice",
}
_HEAD = """\
# Airflow's settings

`make airflow` (`python -m sluis.local.run`) and `make demo` start Airflow 3 with these variables; who runs an Airflow
of his own sets them there. Made by `python -m sluis.local.reference`; a test holds it beside the code.

The store's variables go only where they are needed: `SLUIS_TASK_DATABASE_URL` and `SLUIS_KEYS` (or `SLUIS_KEYS_FILE`)
to the processes that run tasks (with a LocalExecutor: the scheduler), `SLUIS_TASK_DATABASE_URL` to the dag-processor,
none of them to api-server and triggerer. `SLUIS_RETENTION_DATABASE_URL`, the address of the role that deletes, goes to
the processes that run tasks, where only the DAG `retention` keeps it; so does `SLUIS_BACKUPS`, where there are backups.
`SLUIS_STATISTICS_DATABASE_URL`, the address of the role that reads contributions and adds releases, goes there too.
`SLUIS_DATABASE_URL`, the owner's, goes to no process of Airflow. A register elsewhere than in the repository is named
by `SLUIS_REGISTER`, to scheduler, dag-processor and api-server. Where VAT
numbers and exchange rates are asked elsewhere than at the EU and the European Central Bank, `SLUIS_VIES_URL` and
`SLUIS_ECB_URL` say so to the processes that run tasks. Pools: `airflow pools import config/pools.json`; a task in a
pool that does not exist never starts.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for kind, title in _TITLES.items():
        parts.append(f"## {title}\n\n| Variable | Value elsewhere | Reason |\n| --- | --- | --- |")
        rows = [f"| `{name}` | {value} | {why} |" for name, (of, value, why) in REASONS.items() if of == kind]
        parts[-1] += "\n" + "\n".join(rows) + "\n"
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
