"""Checks that the register is whole: the store, Airflow's database and the files on one side, its words on the other.

A difference in either direction is a finding. It runs on a fresh migration in the tests, and against a running system
with ``sluis register check``; retention refuses to start on a register that it cannot carry out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sluis.errors import NotConfigured
from sluis.privacy.periods import not_longer
from sluis.privacy.register import Published, Register
from sluis.privacy.register_catalogue import check_airflow, check_store
from sluis.privacy.register_files import ROOTS, check_files, check_roots, roots
from sluis.privacy.register_findings import Checked, Finding
from sluis.store.database import Connection, rows
from sluis.store.server_settings import server_findings

#: Categories that must last as long as the oldest backup, and those that must not last longer.
_AS_LONG_AS_BACKUPS = ("tombstones", "deletions_log")
_BACKUPS = "backups"
_LOCAL = ("file", "local")


def check(
    conn: Connection,
    published: Published,
    *,
    airflow: Connection | None = None,
    environ: Mapping[str, str] | None = None,
) -> Checked:
    """Check everything that can be reached. ``conn`` is the store's, as its owner.

    ``environ`` names the folders (``register_files.ROOTS``). Raises ``RetryLater("database_away")``.
    """
    register = published.register_
    store = check_store(conn, register)
    others = check_airflow(airflow, register) if airflow is not None else None
    where, unreached = _folders(conn, os.environ if environ is None else environ)
    unnamed, files = check_files(register, where)
    return Checked(
        version=register.version,
        sha256=published.sha256,
        findings=(
            *store.findings,
            *(others.findings if others is not None else ()),
            *check_roots(register),
            *unnamed,
            *check_deleting(conn, register),
            *check_windows(register),
            *check_server(conn),
        ),
        tables=store.tables,
        columns=store.columns,
        airflow_tables=others.tables if others is not None else None,
        files=files,
        not_checked=(*unreached, *(() if airflow is not None else ("Airflow's database: it was not given",))),
    )


def check_server(conn: Connection) -> Iterator[Finding]:
    """Yield the settings of PostgreSQL that put values of rows into its log, a place that the register calls empty."""
    for finding in server_findings(conn):
        yield Finding(
            place=f"PostgreSQL's {finding.setting}",
            what=f"is {finding.value}: the server's log then holds {finding.why}",
            remedy=finding.how,
        )


def check_deleting(conn: Connection, register: Register) -> Iterator[Finding]:
    """Yield the categories that nobody would delete."""
    from sluis.privacy.retention.deleters import check_deleters, known_deleters
    from sluis.privacy.retention.kit import Kit, Tools
    from sluis.privacy.retention.schema import read_schema

    tools = Tools(conn, Kit(), register, {}, frozenset(), read_schema(conn))
    deleters = known_deleters(tools)
    for category in register.categories:
        try:
            check_deleters(register.model_copy(update={"categories": (category,)}), deleters)
        except NotConfigured:
            yield Finding(
                place=f"category {category.id}",
                what=f"is deleted by nobody ({category.deleter_name})",
                remedy=f"name a method or deleter for its places; there are: {', '.join(sorted(deleters))}",
            )


def check_windows(register: Register) -> Iterator[Finding]:
    """Yield what a restored backup would bring back for good, and backups kept longer than the register promises."""
    window = register.backup_window
    for category in register.categories:
        if category.id in _AS_LONG_AS_BACKUPS and (category.period is None or not not_longer(window, category.period)):
            what = f"goes before the last backup that it corrects ({window})"
        elif category.id == _BACKUPS and category.period != window:
            what = f"has another period than backup_window ({window})"
        else:
            continue
        yield Finding(place=f"category {category.id}", what=what, remedy="make period and backup_window agree")


def _folders(conn: Connection, environ: Mapping[str, str]) -> tuple[dict[str, Path], list[str]]:
    """Return the folders to look into, by root, and why the others are not looked into."""
    where = roots(environ)
    unreached = [
        f"files of {root}: {variable} is not set" for root, variable in ROOTS.items() if variable and root not in where
    ]
    for root in [root for root, path in where.items() if not path.is_dir()]:
        unreached.append(f"files of {root}: the folder is not there")
        del where[root]
    targets, elsewhere = _targets(conn)
    where |= {f"ubl_target/{number}": path for number, path in enumerate(targets) if path.is_dir()}
    if elsewhere:
        unreached.append(
            f"files of ubl_target: {elsewhere} integrations write to an object store, their merchants' own"
        )
    return where, unreached


def _targets(conn: Connection) -> tuple[list[Path], int]:
    """Return the local folders that integrations write files to, and how many write elsewhere."""
    found = rows(
        conn,
        "select distinct settings -> 'package' ->> 'target' as target from sluis.integration"
        " where settings -> 'package' ? 'target'",
    )
    addresses = [urlsplit(str(row["target"])) for row in found]
    local = [Path(address.path) for address in addresses if address.scheme in _LOCAL]
    return local, len(addresses) - len(local)
