"""What a check of the register found: a place, what is wrong with it, what to do. Names and counts, never a value."""

from __future__ import annotations

from sluis.core.frozen import Frozen

NAME_IT = "name it in config/register.yaml with its purpose and period, or take it away"
CORRECT_IT = "correct config/register.yaml, or run `sluis migrate`"


class Finding(Frozen):
    """One thing in which the register and what is really stored differ."""

    place: str  #: a table, column, folder or category, by name
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}; {self.remedy}"


class Checked(Frozen):
    """The answer of a check: what was found, how much was looked at, and what could not be."""

    version: int
    sha256: str
    findings: tuple[Finding, ...]
    tables: int  #: of the store
    columns: int
    airflow_tables: int | None  #: ``None``: Airflow's database was not given
    files: int
    not_checked: tuple[str, ...]  #: what was not looked at, each with the reason
