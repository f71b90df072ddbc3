"""The register: what is stored, why, and for how long. One file, read here; everything else follows it.

``config/register.yaml`` is data; the models are its schema. The retention DAG is driven by it, the public page is
rendered from it, and ``register_check`` holds it against the live catalogue in both directions.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from sluis.core.frozen import Frozen, wrong_fields
from sluis.errors import NotConfigured
from sluis.privacy.periods import Duration, Rounded, duration, not_longer

#: Variable that names the register's file where the package was installed without its repository.
REGISTER = "SLUIS_REGISTER"
_SLUG = re.compile(r"[a-z][a-z0-9_]{1,40}")
Slug = Annotated[str, StringConstraints(pattern=rf"^{_SLUG.pattern}$")]


class Purpose(StrEnum):
    """The ends for which anything may be stored (the seed page's three, and what the law adds)."""

    SAME_DEBTOR = "same_debtor"
    SUPPORT = "support"
    OWN_INVOICING = "own_invoicing"
    ANONYMOUS_STATISTICS = "anonymous_statistics"
    SECURITY = "security"
    PASS_THROUGH = "pass_through"  # noqa: S105 - on its way from shop to books: transit, credentials, settings


class Method(StrEnum):
    """How something is deleted; each names a deleter of ``privacy.retention`` unless ``deleter`` names another."""

    DROP_PARTITION = "drop_partition"
    DELETE_ROWS = "delete_rows"
    EMPTY_COLUMNS = "empty_columns"
    DELETE_FILES = "delete_files"
    AT_ONCE = "at_once"  #: by the command that ends it, in the same moment; retention sweeps what was missed
    CLEAN_AIRFLOW = "clean_airflow"
    BY_OTHERS = "by_others"  #: at a third place that we cannot reach: ``how`` says who does it and by what setting
    NEVER = "never"  #: holds nothing of anybody


class Words(Frozen):
    """A text for people, in both languages of the public page."""

    nl: str = Field(min_length=2)
    en: str = Field(min_length=2)


class Place(Frozen):
    """Where something stands: columns of one table, files under a named root, or a third place."""

    table: str | None = None  #: of the schema ``sluis``, without its name
    columns: tuple[str, ...] = ()
    files: str | None = None  #: a pattern below a root: ``airflow_logs/**``, ``backups/*.dump``, ``sluis_home/*``
    third: str | None = None  #: a third place by name: ``airflow_database``, ``postgres_log``, ``write_ahead_log``
    tables: tuple[str, ...] = ()  #: tables of Airflow's database that the third place is about

    @model_validator(mode="after")
    def _one(self) -> Place:
        if sum(where is not None for where in (self.table, self.files, self.third)) != 1:
            raise ValueError("a place is a table, files or a third place: one of them")
        if (self.table is None) != (not self.columns):
            raise ValueError("a table is named with its columns, and columns with their table")
        if self.tables and self.third is None:
            raise ValueError("`tables` are those of a third place; a table of ours stands in `table`")
        return self


class Trigger(Frozen):
    """From what a period counts.

    ``column`` stands in the (first) table of the category, or in the one that its rows go with (``on delete cascade``).
    Null in a row: not yet.
    """

    event: Words
    column: str | None = None
    rounded: Rounded = "none"  #: counted from the end of the quarter or year the trigger falls in


class Category(Frozen):
    """One kind of stored data."""

    id: Slug
    what: Words
    places: tuple[Place, ...] = Field(min_length=1)
    data: Literal["personal", "pseudonymous", "business", "none"]  #: what it says of a person, honestly
    subjects: tuple[Literal["customer", "merchant", "operator"], ...] = ()
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    role: Literal["processor", "controller"]
    basis: Words
    period: Duration | None = None  #: ``None``: as long as the contract lasts
    trigger: Trigger | None = None
    contract_end: Duration | None = None  #: after the merchant's contract ended it goes, whatever its own period
    method: Method
    deleter: Slug | None = None
    how: Words | None = None  #: why rows and not partitions; who deletes at a third place
    recipients: tuple[Words, ...] = ()
    shorten: bool = False  #: whether a merchant may choose a shorter period
    shortest: Duration | None = None

    @field_validator("period", "contract_end", "shortest")
    @classmethod
    def _possible(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                duration(value)
            except NotConfigured as error:
                raise ValueError(error.args[0]) from None
        return value

    @model_validator(mode="after")
    def _whole(self) -> Category:
        rows = {Method.DELETE_ROWS, Method.EMPTY_COLUMNS, Method.BY_OTHERS, Method.AT_ONCE, Method.NEVER}
        if self.method in rows and self.how is None:
            raise ValueError(f"{self.method.value} needs `how`: the reason that it is not a dropped partition")
        if self.period is not None and self.trigger is None:
            raise ValueError("a period needs a trigger to count from")
        if self.data == "none" and self.subjects:
            raise ValueError("what says nothing of a person has no subjects")
        if self.role == "processor" and self.data in ("personal", "pseudonymous") and self.contract_end is None:
            raise ValueError("what we hold as processor goes after the contract's end: contract_end is missing")
        if self.shortest is not None and (not self.shorten or self.period is None):
            raise ValueError("`shortest` is for a category with a period that a merchant may shorten")
        if self.shortest is not None and self.period is not None and not not_longer(self.shortest, self.period):
            raise ValueError("`shortest` is longer than the period")
        return self

    @property
    def deleter_name(self) -> str:
        """Name of the deleter that carries it out."""
        return self.deleter or self.method.value


class Register(Frozen):
    """The whole register. ``version`` is a whole number; every change of the file gets the next one."""

    version: int = Field(ge=1)
    date: date
    backup_window: Duration  #: how long a backup is kept: what was deleted is gone from backups after it
    categories: tuple[Category, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique(self) -> Register:
        ids = [category.id for category in self.categories]
        if len(set(ids)) != len(ids):
            raise ValueError("two categories have one id")
        columns = [column for category in self.categories for column in _columns(category)]
        twice = sorted({f"{table}.{column}" for table, column in columns if columns.count((table, column)) > 1})
        if twice:
            raise ValueError(f"a column stands in two categories: it can have one period only ({', '.join(twice)})")
        return self

    def category(self, name: str) -> Category:
        """Return a category; raises ``NotConfigured`` naming those there are."""
        for category in self.categories:
            if category.id == name:
                return category
        raise NotConfigured(
            f"the register has no category of that name; there are: {', '.join(c.id for c in self.categories)}",
            code="category_unknown",
        )

    @cached_property
    def columns(self) -> dict[tuple[str, str], Category]:
        """Every (table, column) that is named, with its category."""
        return {column: category for category in self.categories for column in _columns(category)}


class Published(Frozen):
    """A register with the hash of the file it came from."""

    register_: Register
    sha256: str


def _columns(category: Category) -> Iterator[tuple[str, str]]:
    for place in category.places:
        if place.table is not None:
            yield from ((place.table, column) for column in place.columns)


def register_path() -> Path:
    """Return where the register stands: ``SLUIS_REGISTER``, else the repository's ``config/register.yaml``.

    Raises ``NotConfigured("register_wrong")`` where there is neither (an installed package without its repository).
    """
    named = os.environ.get(REGISTER, "").strip()
    path = Path(named) if named else Path(__file__).resolve().parents[3] / "config" / "register.yaml"
    if not path.is_file():
        raise NotConfigured(
            f"{REGISTER} names no file: the path of register.yaml belongs there"
            if named
            else f"the register is not beside this package: set {REGISTER} to the path of register.yaml",
            code="register_wrong",
        )
    return path


class _Loader(yaml.SafeLoader):
    """Refuses a field that stands twice: YAML would take the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping. Raises ``ConstructorError`` where a key is repeated."""
        keys = [key.value for key, _ in node.value]
        if any(keys.count(key) > 1 for key in keys):
            raise yaml.constructor.ConstructorError(problem=_TWICE, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_TWICE = "has a field twice in one place"


def read_register(path: Path) -> Published:
    """Read and validate a register; raises ``NotConfigured("register_wrong")`` naming every fault and its place."""
    try:
        raw = path.read_bytes()
        data = yaml.load(raw, _Loader)  # noqa: S506 - a safe loader, stricter
    except OSError:
        raise NotConfigured(f"the register {path.name} cannot be read", code="register_wrong") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a day that is none (2026-02-30)
        mark = getattr(error, "problem_mark", None)
        what = _TWICE if getattr(error, "problem", None) == _TWICE else "is not YAML"
        where = f" at line {mark.line + 1}" if mark else ""
        raise NotConfigured(f"the register {what}{where}", code="register_wrong") from None
    try:
        register = Register.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{_place(data, where)}: {what}" for where, what in wrong_fields(Register, error))
        raise NotConfigured(f"the register is wrong: {faults}", code="register_wrong") from None
    return Published(register_=register, sha256=hashlib.sha256(raw).hexdigest())


def _place(data: Any, where: str) -> str:
    """Return a place with the id of its category instead of its number, where it has one."""
    found = re.match(r"categories\.(\d+)\.?", where)
    if found is None:
        return where or "register"
    name = data["categories"][int(found[1])]
    name = name.get("id") if isinstance(name, dict) else None
    if not isinstance(name, str) or not _SLUG.fullmatch(name):
        return where
    return f"category {name}" + (f", {where[found.end() :]}" if where[found.end() :] else "")
