"""Who carries out what: every method and every named deleter of the register, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from sluis.errors import NotConfigured
from sluis.privacy.register import Category, Method, Register
from sluis.privacy.retention import airflow, backups, certificates, files, quarantine, statistics_input
from sluis.privacy.retention.contract import Deleter
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.months import DropPartition
from sluis.privacy.retention.rows import DeleteRows, EmptyColumns, Nothing

#: Deleters of more than tables, and of tables in a way of their own.
_MODULES = (airflow, files, backups, quarantine, certificates, statistics_input)
#: Deleters of tables know nothing of files and third places.
_OF_TABLES = frozenset({Method.DROP_PARTITION, Method.DELETE_ROWS, Method.EMPTY_COLUMNS, Method.AT_ONCE})


def known_deleters(tools: Tools) -> dict[str, Deleter]:
    """Return all deleters by name."""
    made: list[Deleter] = [
        DropPartition(tools),
        DeleteRows(tools),
        DeleteRows(tools, Method.AT_ONCE.value),
        EmptyColumns(tools),
        Nothing(Method.BY_OTHERS.value),
        Nothing(Method.NEVER.value),
    ]
    for module in _MODULES:
        made += module.deleters(tools)
    return {deleter.name: deleter for deleter in made}


def check_deleters(register: Register, deleters: Mapping[str, Deleter]) -> None:
    """Raise ``NotConfigured("deleter_missing")`` naming every category that nobody would carry out."""
    found = (
        f"{category.id} ({category.deleter_name})" for category in register.categories if _nobody(category, deleters)
    )
    wrong = sorted(found)
    if wrong:
        raise NotConfigured(
            f"nothing is deleted: the register has categories without a deleter: {', '.join(wrong)}",
            code="deleter_missing",
        )


def _nobody(category: Category, deleters: Mapping[str, Deleter]) -> bool:
    of_tables = category.deleter is None and category.method in _OF_TABLES
    return category.deleter_name not in deleters or (
        of_tables and any(place.table is None for place in category.places)
    )
