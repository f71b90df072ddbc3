"""Secrets, pools and settings of a local Airflow."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from sluis.errors import NotConfigured
from sluis.local import airflow_env, pools, stack
from sluis.local.places import repository
from sluis.local.secrets import FILE_NAME, local_secrets

DSN = "postgresql://airflow_owner@/airflow?host=%2Ftmp%2Fa%20b&port=5432"


def settings(home: Path, dsn: str = DSN) -> dict[str, str]:
    return airflow_env.environment(home, dsn, port=18080, store={"SLUIS_KEYS": "k"})


def test_secrets_are_made_once_per_home_and_differ_between_homes(tmp_path: Path) -> None:
    first, again, other = (local_secrets(tmp_path / name) for name in ("a", "a", "b"))
    assert first == again
    assert len({first.fernet_key, other.fernet_key, first.jwt_secret, other.jwt_secret}) == 4
    assert len(first.jwt_secret) >= 64
    assert len(first.admin_password) >= 16


def test_only_the_owner_reads_the_secrets_and_a_repr_shows_none(tmp_path: Path) -> None:
    made = local_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    for value in made.model_dump().values():
        assert value not in repr(made)


def test_a_damaged_file_of_secrets_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"fernet_key": "half')
    with pytest.raises(NotConfigured, match=FILE_NAME):
        local_secrets(tmp_path)


def test_every_package_has_a_pool_and_the_file_sets_its_slots() -> None:
    found = pools.wanted(repository() / "config" / "pools.json")
    assert found["package__moneybird"].slots == 32
    packages = {p.name for p in (repository() / "include/sluis/accounting").iterdir() if (p / "__init__.py").exists()}
    assert {f"package__{name}" for name in packages} <= set(found)


def test_a_package_without_an_entry_gets_a_few_slots(tmp_path: Path) -> None:
    (tmp_path / "pools.json").write_text("{}")
    found = pools.wanted(tmp_path / "pools.json")
    assert {pool.slots for pool in found.values()} <= {pools.DEFAULT_SLOTS}
    assert "package__moneybird" in found


@pytest.mark.parametrize("text", ["", "[]", '{"p": {"slots": 0}}', '{"p": {"slot": 1}}'])
def test_a_wrong_list_of_pools_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "pools.json").write_text(text)
    with pytest.raises(NotConfigured, match=r"pools\.json"):
        pools.wanted(tmp_path / "pools.json")


def test_the_settings_keep_data_out_of_airflows_database(tmp_path: Path) -> None:
    env = settings(tmp_path)
    assert env["AIRFLOW__CORE__XCOM_BACKEND"] == "sluis.airflow_support.xcom_backend.RefusingXCom"
    assert env["AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH"] == "1"
    assert env["AIRFLOW__CORE__NUM_DAG_RUNS_TO_RETAIN_RENDERED_FIELDS"] == "1"
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__API__EXPOSE_CONFIG"] == "False"
    assert env["GX_ANALYTICS_ENABLED"] == "false"
    assert env["SLUIS_KEYS"] == "k"


def test_every_setting_is_one_that_airflow_knows(tmp_path: Path) -> None:
    from airflow.sdk.configuration import conf

    for name in settings(tmp_path):
        if name.startswith("AIRFLOW__"):
            _, section, option = name.split("__", 2)
            assert option.lower() in conf.configuration_description[section.lower()]["options"], name


def test_airflows_database_is_reached_with_psycopg(tmp_path: Path) -> None:
    env = settings(tmp_path)
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg://airflow_owner@/airflow?host=")
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]


@pytest.mark.parametrize("dsn", ["", "host=/tmp dbname=airflow", "sqlite:////tmp/a.db"])
def test_another_database_is_refused(tmp_path: Path, dsn: str) -> None:
    with pytest.raises(NotConfigured, match="postgresql://"):
        settings(tmp_path, dsn)


def test_the_users_own_airflow_settings_do_not_reach_our_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/home/somebody/airflow.cfg")
    monkeypatch.setenv("LANG", "C.UTF-8")
    env = airflow_env.child_environment({"AIRFLOW_HOME": "/ours"})
    assert {name: env[name] for name in env if name.startswith("AIRFLOW")} == {"AIRFLOW_HOME": "/ours"}
    assert env["LANG"] == "C.UTF-8"


def test_an_operators_own_addresses_and_keys_do_not_reach_our_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUIS_DATABASE_URL", "SLUIS_KEYS", "SLUIS_ANYTHING"):
        monkeypatch.setenv(name, "the shell's")
    env = airflow_env.child_environment({"SLUIS_KEYS": "given"})
    assert {name: env[name] for name in env if name.startswith("SLUIS_")} == {"SLUIS_KEYS": "given"}


STORE = {
    "SLUIS_DATABASE_URL": "owner", "SLUIS_TASK_DATABASE_URL": "task", "SLUIS_RETENTION_DATABASE_URL": "retention",
    "SLUIS_KEYS": "k", "SLUIS_KEYS_FILE": "f",
}  # fmt: skip


@pytest.mark.parametrize(
    ("component", "given"),
    [
        (
            "scheduler",
            {
                "SLUIS_HOME",
                "SLUIS_TASK_DATABASE_URL",
                "SLUIS_RETENTION_DATABASE_URL",
                "SLUIS_AIRFLOW_DATABASE_URL",
                "SLUIS_KEYS",
                "SLUIS_KEYS_FILE",
            },
        ),
        ("dag-processor", {"SLUIS_HOME", "SLUIS_TASK_DATABASE_URL"}),
        ("api-server", set()),
        ("triggerer", set()),
        ("prepare", set()),
    ],
)
def test_every_process_gets_what_its_work_needs_and_none_the_owners_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, component: str, given: set[str]
) -> None:
    started: dict[str, Mapping[str, str]] = {}
    monkeypatch.setattr(stack, "Child", lambda name, command, env, log: started.update({name: env}))
    monkeypatch.setenv("SLUIS_DATABASE_URL", "the shell's")
    airflow = stack.LocalAirflow(tmp_path, DSN, port=18080, store=STORE)
    airflow._child(component, ["true"])
    env = started[component]
    assert {name for name in env if name.startswith("SLUIS_")} == given
    assert env["AIRFLOW_HOME"] == str(tmp_path)
