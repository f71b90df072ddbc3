"""Airflow's settings on one machine, as environment variables, each with its reason where it needs one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sluis.errors import NotConfigured
from sluis.local.places import repository
from sluis.local.secrets import LocalSecrets, local_secrets
from sluis.privacy.backup import BACKUPS
from sluis.privacy.keyring import KEYS, KEYS_FILE
from sluis.privacy.register import REGISTER
from sluis.privacy.retention.airflow import AIRFLOW_URL
from sluis.registers import ecb, vies
from sluis.store.database import RETENTION_URL, STATISTICS_URL, TASK_URL

#: Two cores: tasks wait for vendors most of their time, so twice the cores keeps them busy and the UI alive.
PARALLELISM = 4
_OURS = "SLUIS_"
#: What each process needs of the store. Keys open credentials and orders, so they stand only where tasks run.
_STORE = {
    "scheduler": frozenset(
        {
            "SLUIS_HOME",
            TASK_URL,
            RETENTION_URL,
            STATISTICS_URL,
            AIRFLOW_URL,
            KEYS,
            KEYS_FILE,
            REGISTER,
            BACKUPS,
            vies.URL,
            ecb.URL,
        }
    ),
    "dag-processor": frozenset({"SLUIS_HOME", TASK_URL, REGISTER}),
    "api-server": frozenset({REGISTER}),
}


def environment(home: Path, dsn: str, *, port: int, store: Mapping[str, str]) -> dict[str, str]:
    """Return every variable the scheduler of ``home`` and its tasks need, secrets included: never print it.

    ``dsn`` is Airflow's own database; ``store`` holds the ``SLUIS_*`` variables of the tasks; ``port`` is the API
    server's on 127.0.0.1. Raises ``NotConfigured`` for a DSN that is not PostgreSQL's. See ``of_component`` for the
    other processes.
    """
    secrets = local_secrets(home)
    return {
        **_paths(home, repository()),
        **_database(dsn),
        **_server(port, secrets),
        **_privacy(),
        **_scheduling(),
        **_tasks(home),
        **store,
    }


def of_component(settings: Mapping[str, str], component: str) -> dict[str, str]:
    """Return the settings of one process of Airflow: of the ``SLUIS_*`` variables only those its work needs.

    Tasks are forked from the scheduler; no process and no task works as the owner of the schema.
    """
    needed = _STORE.get(component, frozenset())
    return {name: value for name, value in settings.items() if not name.startswith(_OURS) or name in needed}


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with ``settings`` over it: nothing else of Airflow's or of ours is in it.

    Our own variables open the store and its keys; a child has those it is given and not those of an operator's shell.
    """
    foreign = ("AIRFLOW", "_AIRFLOW", _OURS)
    return {**{name: value for name, value in os.environ.items() if not name.startswith(foreign)}, **settings}


def _paths(home: Path, root: Path) -> dict[str, str]:
    logs = home / "logs"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(logs / "dag_processor"),
        # Logs hold order numbers and amounts: nobody else on the machine needs them.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",  # our own log files are read in an editor
        # Not a line per poll of the UI, nor what great-expectations tells of itself when it is imported.
        "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING, great_expectations=WARNING",
    }


def _database(dsn: str) -> dict[str, str]:
    try:
        url = make_url(dsn)
    except ArgumentError:
        raise NotConfigured("the address of Airflow's database is not a URL (postgresql://...)") from None
    if url.get_backend_name() != "postgresql":
        raise NotConfigured("Airflow's database is PostgreSQL here (postgresql://...)")
    address = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address,
        # psycopg speaks both ways; Airflow would otherwise look for asyncpg.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": address,
        # The DAG that cleans it reaches it by this: Airflow blocks its own address in every task.
        AIRFLOW_URL: url.set(drivername="postgresql").render_as_string(hide_password=False),
        # Four processes share one small server with sluis' own database (100 connections).
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "7",
    }


def _server(port: int, secrets: LocalSecrets) -> dict[str, str]:
    base = f"http://127.0.0.1:{port}"
    return {
        # Roles come with the console; simple auth has none that can be limited per DAG.
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": base,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.secret_key,
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "False",
        "AIRFLOW__API__INSTANCE_NAME": "sluis",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        # The tasks' own calls to 127.0.0.1 must not take a company's proxy.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _privacy() -> dict[str, str]:
    return {
        "AIRFLOW__CORE__XCOM_BACKEND": "sluis.airflow_support.xcom_backend.RefusingXCom",
        "AIRFLOW__WORKERS__STATE_STORE_BACKEND": "sluis.airflow_support.state_store.RefusingStateStore",
        # Rendered arguments would be copied into the database: 1 stores a stub, and 0 runs would keep all for ever.
        "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "1",
        "AIRFLOW__CORE__NUM_DAG_RUNS_TO_RETAIN_RENDERED_FIELDS": "1",
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _scheduling() -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__MP_START_METHOD": "fork",  # preloading depends on it
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # A merchant that was just added has his DAG within seconds. A production of 1,000 DAGs uses 300 s: parsing
        # them costs 12 CPU seconds a time.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "60",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        # A killed task is noticed after a minute, not after five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    }


def _tasks(home: Path) -> dict[str, str]:
    return {
        "SLUIS_HOME": str(home),
        # numpy's threads do not survive the fork of a task; one CPU is its share anyway.
        "OPENBLAS_NUM_THREADS": "1",
        # A machine that is busy answers the tasks late; failing them for it would only add work.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "PYTHONUNBUFFERED": "1",
    }
