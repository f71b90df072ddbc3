"""Holds the register against a live database, in both directions: the store's, and Airflow's own.

The catalogue is what is asked, never a row. Whatever can hold data counts: tables of every schema, materialised views,
foreign tables, large objects, and what carries rows to another server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluis.privacy.register import Category, Method, Place, Register
from sluis.privacy.register_findings import CORRECT_IT, NAME_IT, Finding
from sluis.store.database import Connection, rows
from sluis.store.migrations.versions.v0006_unsampled import UNSAMPLED

SCHEMA = "sluis"
#: Third place under which the register names the tables of Airflow's own database.
AIRFLOW = "airflow_database"
#: Tables that only an Airflow with the Celery executor has.
_ONLY_SOME = frozenset({"celery_taskmeta", "celery_tasksetmeta"})
_MOMENTS = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
#: Not the temporary tables of running sessions, nor the database's own.
_OURS = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'"

_COLUMNS = f"""
select n.nspname as schema, c.relname as tab, c.relkind::text as kind, a.attname as col, a.attnotnull as filled,
    format_type(a.atttypid, null) as type, p.partstrat::text as strategy,
    (select string_agg(k.attname, ', ') from pg_attribute as k
        where k.attrelid = c.oid and k.attnum = any (p.partattrs)) as split_by
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_partitioned_table as p on p.partrelid = c.oid
where c.relkind in ('r', 'p', 'm', 'f') and not c.relispartition and {_OURS}
order by 1, 2, a.attnum
"""  # noqa: S608 - a constant of this module
_PARTS = f"""
select n.nspname as schema, c.relname as tab, c.relkind::text as kind, r.relname as root, rn.nspname as root_schema
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
join pg_class as r on r.oid = pg_partition_root(c.oid) join pg_namespace as rn on rn.oid = r.relnamespace
where c.relispartition and c.relkind in ('r', 'p', 'f') and {_OURS} order by 1, 2
"""  # noqa: S608 - a constant of this module
_SEQUENCES = f"""
select n.nspname as schema, c.relname as tab from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'S' and {_OURS} and not exists (select from pg_depend as d where d.objid = c.oid
    and d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
order by 1, 2
"""  # noqa: S608 - a constant of this module
_ELSEWHERE = """
select 'large objects' as place, count(*)::text || ' stand outside every table' as what,
    'take them away (lo_unlink): retention does not reach them' as remedy
from pg_largeobject_metadata having count(*) > 0
union all
select 'publication ' || pubname, 'carries rows to another server', 'drop it, or name that server as a third place'
from pg_publication
union all
select 'replication slot ' || slot_name, 'keeps the write-ahead log for another server',
    'drop it, or name that server as a third place'
from pg_replication_slots where database = current_database()
"""
#: Columns of the table that a row goes with: a payment counts from the date of its booking.
_ABOVE = """
select distinct c.relname as child, a.attname as col, format_type(a.atttypid, null) as type
from pg_constraint as p join pg_class as c on c.oid = p.conrelid join pg_class as f on f.oid = p.confrelid
join pg_attribute as a on a.attrelid = f.oid and a.attnum > 0 and not a.attisdropped
where p.contype = 'f' and p.confdeltype = 'c' and p.conparentid = 0 and not c.relispartition
    and not f.relispartition and c.relnamespace = 'sluis'::regnamespace and f.relnamespace = c.relnamespace
"""
#: Columns, of parts too, of which ANALYZE takes samples.
_SAMPLED = """
select c.relname as part, r.relname as tab, a.attname as col
from pg_class as c join pg_class as r on r.oid = coalesce(pg_partition_root(c.oid), c.oid)
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and a.attstattarget is distinct from 0
order by 1, a.attnum
"""
_KINDS = {"m": "materialised view", "f": "foreign table"}


@dataclass(frozen=True)
class _Column:
    nullable: bool
    type: str


@dataclass(frozen=True)
class _Table:
    """One table, matview or foreign table as it stands in the database; parts are their root's."""

    kind: str
    columns: dict[str, _Column]
    strategy: str | None
    split_by: str | None


@dataclass(frozen=True)
class StoreCheck:
    """What was found in the store, and how much was looked at."""

    findings: tuple[Finding, ...]
    tables: int
    columns: int


def check_store(conn: Connection, register: Register) -> StoreCheck:
    """Compare the register with the store's database. Any role will do: it reads the catalogue only."""
    live = _tables(conn)
    ours = {table: found for (schema, table), found in live.items() if schema == SCHEMA}
    above = {(found["child"], found["col"]): found["type"] for found in rows(conn, _ABOVE)}
    findings = (
        *_unnamed(live, register),
        *_absent(ours, register),
        *_parts(conn, ours, register),
        *(_loose(found["schema"], found["tab"]) for found in rows(conn, _SEQUENCES)),
        *(Finding(**found) for found in rows(conn, _ELSEWHERE)),
        *_sampled(conn),
        *(finding for category in register.categories for finding in _deletable(category, ours, above)),
    )
    return StoreCheck(findings, len(ours), sum(len(table.columns) for table in ours.values()))


def check_airflow(conn: Connection, register: Register) -> StoreCheck:
    """Compare the tables the register names under ``airflow_database`` with those Airflow's database has."""
    live = _tables(conn)
    names = {table for _, table in live}
    places = [place for category in register.categories for place in category.places if place.third == AIRFLOW]
    listed = [table for place in places for table in place.tables]
    findings = [
        *(_airflow_unnamed(table) for table in sorted(names - set(listed))),
        *(
            Finding(place=_airflow(table), what="is named, but this Airflow has it not", remedy="take its name away")
            for table in sorted(set(listed) - names - _ONLY_SOME)
        ),
        *(
            Finding(place=_airflow(table), what="is named twice", remedy="name it in one category")
            for table in sorted({table for table in listed if listed.count(table) > 1})
        ),
        *(Finding(**found) for found in rows(conn, _ELSEWHERE)),
    ]
    return StoreCheck(tuple(findings), len(names), sum(len(table.columns) for table in live.values()))


def _tables(conn: Connection) -> dict[tuple[str, str], _Table]:
    found: dict[tuple[str, str], _Table] = {}
    for row in rows(conn, _COLUMNS):
        key = (row["schema"], row["tab"])
        table = found.setdefault(key, _Table(row["kind"], {}, row["strategy"], row["split_by"]))
        if row["col"] is not None:
            table.columns[row["col"]] = _Column(not row["filled"], row["type"])
    return found


def _unnamed(live: dict[tuple[str, str], _Table], register: Register) -> Iterator[Finding]:
    """Yield what stands in the database and in no category."""
    tables = {table for table, _ in register.columns}
    for (schema, name), table in live.items():
        what = _KINDS.get(table.kind, "table")
        if schema != SCHEMA or name not in tables or table.kind in _KINDS:
            count = len(table.columns)
            yield Finding(
                place=f"{what} {schema}.{name}", what=f"stands in no category, with {count} columns", remedy=NAME_IT
            )
            continue
        for column in table.columns:
            if (name, column) not in register.columns:
                yield Finding(place=f"column {SCHEMA}.{name}.{column}", what="stands in no category", remedy=NAME_IT)


def _absent(ours: dict[str, _Table], register: Register) -> Iterator[Finding]:
    """Yield what a category names and the database has not."""
    told: set[str] = set()
    for (name, column), category in register.columns.items():
        if name not in ours:
            if name not in told:
                told.add(name)
                yield Finding(
                    place=f"category {category.id}", what=f"names the table {SCHEMA}.{name}, which is not there",
                    remedy=CORRECT_IT,
                )  # fmt: skip
        elif column not in ours[name].columns:
            yield Finding(
                place=f"category {category.id}", what=f"names the column {SCHEMA}.{name}.{column}, which is not there",
                remedy=CORRECT_IT,
            )  # fmt: skip


def _parts(conn: Connection, ours: dict[str, _Table], register: Register) -> Iterator[Finding]:
    """Yield parts that are not those of a named table of ours, or do not stand here at all."""
    named = {table for table, _ in register.columns} & set(ours)
    for part in rows(conn, _PARTS):
        place = f"part {part['schema']}.{part['tab']}"
        if part["root_schema"] != SCHEMA or part["root"] not in named:
            yield Finding(
                place=place, what=f"belongs to {part['root_schema']}.{part['root']}, which no category names",
                remedy=NAME_IT,
            )  # fmt: skip
        elif part["schema"] != SCHEMA or part["kind"] == "f":
            yield Finding(
                place=place, what="does not stand with its table, where retention reaches",
                remedy=f"make it anew in the schema {SCHEMA}",
            )  # fmt: skip


def _sampled(conn: Connection) -> Iterator[Finding]:
    """Yield the columns that the planner samples though their values expire: no deletion reaches the samples."""
    for found in rows(conn, _SAMPLED):
        if found["col"] in UNSAMPLED.get(found["tab"], ()):
            yield Finding(
                place=f"column {SCHEMA}.{found['part']}.{found['col']}",
                what="is sampled by ANALYZE, and no deletion reaches the samples",
                remedy=f"alter table {SCHEMA}.{found['part']} alter {found['col']} set statistics 0; clear it",
            )


def _loose(schema: str, name: str) -> Finding:
    return Finding(place=f"sequence {schema}.{name}", what="belongs to no column", remedy="drop it")


def _deletable(category: Category, ours: dict[str, _Table], above: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    """Yield what keeps a category from being deleted as it says."""
    tables = {place: ours[place.table] for place in category.places if place.table in ours}
    if len(tables) < len(category.places):
        if category.trigger is not None and category.trigger.column and not tables:
            yield _wrong(category, "counts from a column of no table", "take trigger.column away")
        return
    yield from _trigger(category, ours, above)
    for place, table in tables.items():
        if category.contract_end is not None and not {"merchant_code", "code"} & set(table.columns):
            what = f"goes with a contract, but {SCHEMA}.{place.table} does not say whose a row is"
            yield _wrong(category, what, "add merchant_code, or take contract_end away")
        if category.method is Method.EMPTY_COLUMNS:
            yield from _emptied(category, place, table)
        if category.method is Method.DROP_PARTITION:
            yield from _droppable(category, place, table)


def _emptied(category: Category, place: Place, table: _Table) -> Iterator[Finding]:
    for column in place.columns:
        if column in table.columns and not table.columns[column].nullable:
            what = f"cannot empty {SCHEMA}.{place.table}.{column}, which is not null"
            yield _wrong(category, what, "let a migration drop its not null, or delete rows")


def _trigger(category: Category, ours: dict[str, _Table], above: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    if category.method is Method.BY_OTHERS or category.period is None:
        return
    assert category.trigger is not None  # the model asks for one where there is a period
    table, column = str(category.places[0].table), category.trigger.column
    if column is None:
        yield _wrong(category, "has a period and names no column it counts from", "add trigger.column")
        return
    own = ours[table].columns.get(column)
    type_ = own.type if own else above.get((table, column))
    if type_ is None:
        yield _wrong(category, f"counts from {SCHEMA}.{table}.{column}, which is not there", CORRECT_IT)
    elif type_ not in _MOMENTS:
        what = f"counts from {SCHEMA}.{table}.{column}, which is {type_}"
        yield _wrong(category, what, "name a column of type date or timestamptz")


def _droppable(category: Category, place: Place, table: _Table) -> Iterator[Finding]:
    column = category.trigger.column if category.trigger else None
    if table.strategy != "r" or table.split_by != column:
        what = f"drops partitions, but {SCHEMA}.{place.table} is not split by range of {column}"
        yield _wrong(category, what, "split the table by that column, or delete rows")


def _wrong(category: Category, what: str, remedy: str) -> Finding:
    return Finding(place=f"category {category.id}", what=what, remedy=remedy)


def _airflow(table: str) -> str:
    return f"Airflow's table {table}"


def _airflow_unnamed(table: str) -> Finding:
    if table.startswith("_airflow_deleted__"):
        what, remedy = "is a copy of what was deleted", "drop it: airflow db drop-archived --yes"
        return Finding(place=_airflow(table), what=what, remedy=remedy)
    return Finding(place=_airflow(table), what="stands in no category", remedy=NAME_IT)
