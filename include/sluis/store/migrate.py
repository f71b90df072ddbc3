"""Brings the schema ``sluis`` to the version of this code, one process at a time, and makes the task role.

Alembic is used without an ini file: the steps are modules of ``sluis.store.migrations`` and travel in the wheel. Its
version table stands in the schema itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from sluis.errors import Defect, NotConfigured
from sluis.store.database import connect, translated

if TYPE_CHECKING:
    from alembic.config import Config

TASK_ROLE = "sluis_task"
RETENTION_ROLE = "sluis_retention"
STATISTICS_ROLE = "sluis_statistics"
SCHEMA = "sluis"
#: Any constant will do, as long as it never changes: two upgrades at once wait for each other on it.
_LOCK = 0x536C_7569_7301

_MAKE_ROLE = """do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} login nosuperuser nocreatedb nocreaterole noinherit nobypassrls;
    end if;
exception when duplicate_object or unique_violation then null;
end $$"""


def upgrade(dsn: str) -> tuple[str | None, str]:
    """Upgrade the database; returns the versions (from, to), ``None`` for an empty one.

    Run as the owner. Raises ``Defect("schema_newer")`` when a newer sluis was here, ``NotConfigured("task_role")`` when
    the task role is missing and may not be made, ``RetryLater("database_away")``.
    """
    with connect(dsn) as guard:
        guard.execute("select pg_advisory_lock(%s)", [_LOCK])
        provide_roles(guard)
        guard.execute("create schema if not exists sluis")
        return _run(dsn)


def known_versions() -> frozenset[str]:
    """Return the versions of the schema that this code can upgrade from, its own included."""
    from alembic.script import ScriptDirectory

    return frozenset(step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions())


def provide_roles(conn: psycopg.Connection[Any]) -> None:
    """Make the roles that tasks, retention and statistics connect as: no right but those the migrations grant.

    Their passwords are the operator's. Raises ``NotConfigured`` (``task_role``, ``retention_role``,
    ``statistics_role``).
    """
    roles = ((TASK_ROLE, "task_role"), (RETENTION_ROLE, "retention_role"), (STATISTICS_ROLE, "statistics_role"))
    for role, code in roles:
        _provide_role(conn, role, code)


def _provide_role(conn: psycopg.Connection[Any], role: str, code: str) -> None:
    facts = _role(conn, role)
    if facts is None:
        try:
            conn.execute(_MAKE_ROLE.format(role=role))
        except Defect:
            raise NotConfigured(
                f"the role {role} is missing and this one may not create roles: "
                f"run `create role {role} login` as an administrator of the database",
                code=code,
            ) from None
        facts = _role(conn, role)
    if facts is None or any(facts):
        raise NotConfigured(
            f"the role {role} is a superuser or may bypass row-level security: take that from it", code=code
        )


def _role(conn: psycopg.Connection[Any], role: str) -> tuple[bool, bool] | None:
    found = conn.execute("select rolsuper, rolbypassrls from pg_roles where rolname = %s", [role]).fetchone()
    return (found[0], found[1]) if found is not None else None


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _run(dsn: str) -> tuple[str | None, str]:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    config = _config()
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    assert head is not None
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
            before = context.get_current_revision()
            known = {revision.revision for revision in script.walk_revisions()}
            if before is not None and before not in known:
                raise Defect(
                    f"the database has schema version {before}, this sluis knows up to {head}: install the newer sluis",
                    code="schema_newer",
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        cause = error.orig
        raise (translated(cause) if isinstance(cause, psycopg.Error) else Defect("the migration failed")) from None
    except psycopg.Error as error:
        raise translated(error) from None
    finally:
        engine.dispose()
    return before, head
