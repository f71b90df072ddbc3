"""What the register allows to stand where, and the judgement of what a search found. Anything else is a leak.

A marker of a kind may stand in the categories below and nowhere else; which table, column, file or third place belongs
to a category is read from ``config/register.yaml``, and the category must say there that it is about customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from sluis.local.places import repository
from sluis.privacy.register import Register, read_register
from sluis.privacy.register_files import matches
from tests.e2e.canaries import Kind

#: Copies of what the tables may hold, which go with their own window.
COPIES = frozenset({"backups", "write_ahead_log"})
#: A direct identifier stands in the merchant's own e-invoices, and in nothing of ours. The id of an order stands where
#: a person asked for it: in the quarantine, to fetch it again, and in the conf of a run by hand.
KINDS: Mapping[Kind, frozenset[str]] = {
    Kind.PERSON: frozenset({"ubl_files"}),
    Kind.ORDER_NUMBER: frozenset({"booking_amounts", "quarantine_open", "task_logs", "ubl_files", *COPIES}),
    Kind.ORDER_ID: frozenset({"quarantine_open", "airflow_database", *COPIES}),
    Kind.BOOKS_ID: frozenset({"booking_key", "payment_key", "debtor_link", "task_logs", *COPIES}),
    Kind.UNKEYED: frozenset(),
}


class Allowed:
    """The register as the law of a search."""

    def __init__(self) -> None:
        self._register: Register = read_register(repository() / "config" / "register.yaml").register_

    def check(self) -> None:
        """Hold that every category that may hold a marker says in the register that it is about customers."""
        for name in frozenset().union(*KINDS.values()):
            category = self._register.category(name)
            assert category.data in ("personal", "pseudonymous"), name
            assert "customer" in category.subjects, name

    def allows(self, kind: Kind, category: str | None) -> bool:
        """Whether a marker of this kind may stand in this category; ``None``: in no category at all."""
        return category in KINDS[kind]

    def of_column(self, table: str, column: str) -> str | None:
        """The category of a column of ours."""
        found = self._register.columns.get((table, column))
        return found.id if found is not None else None

    def of_airflow_table(self, table: str) -> str | None:
        """The category of a table of Airflow's."""
        return self._first(third="airflow_database", table=table)

    def of_third(self, name: str) -> str | None:
        """The category of a third place."""
        return self._first(third=name)

    def of_file(self, rooted: str) -> str | None:
        """The category of a file, named from its root (``airflow_logs/processes/scheduler.log``)."""
        return next((name for pattern, name in self._files if matches(pattern, rooted)), None)

    @cached_property
    def _files(self) -> tuple[tuple[str, str], ...]:
        found = ((place.files, c.id) for c in self._register.categories for place in c.places if place.files)
        return tuple(found)

    def _first(self, *, third: str, table: str | None = None) -> str | None:
        for category in self._register.categories:
            for place in category.places:
                if place.third == third and (table is None or table in place.tables):
                    return category.id
        return None
