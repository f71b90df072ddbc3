"""What the live catalogue says of a table: columns, key, merchant, who refers to whom, the parts it is split into.

Read and not written down: a new table, key or part is known to retention the moment a migration made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluis.errors import NotConfigured
from sluis.store.database import Connection, rows

_COLUMNS = """
select c.relname as tab, a.attname as col, format_type(a.atttypid, a.atttypmod) as type, c.relkind = 'p' as split
from pg_class as c join pg_attribute as a on a.attrelid = c.oid
where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""
_KEYS = """
select c.relname as tab, array_agg(a.attname order by k.place)::text[] as key
from pg_constraint as p join pg_class as c on c.oid = p.conrelid
cross join lateral unnest(p.conkey) with ordinality as k (num, place)
join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.num
where p.contype = 'p' and c.relnamespace = 'sluis'::regnamespace group by c.relname
"""
_REFERENCES = """
select c.relname as child, f.relname as parent, array_agg(a.attname order by k.place)::text[] as own,
    array_agg(b.attname order by k.place)::text[] as its, p.confdeltype = 'c' as cascade
from pg_constraint as p join pg_class as c on c.oid = p.conrelid join pg_class as f on f.oid = p.confrelid
cross join lateral unnest(p.conkey, p.confkey) with ordinality as k (num, fnum, place)
join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.num
join pg_attribute as b on b.attrelid = f.oid and b.attnum = k.fnum
where p.contype = 'f' and p.conparentid = 0 and c.relnamespace = 'sluis'::regnamespace and not f.relispartition
    and not c.relispartition
group by p.oid, p.confdeltype, c.relname, f.relname order by c.relname, p.oid
"""


@dataclass(frozen=True)
class Reference:
    """A foreign key: ``columns`` of the child and the same of the parent, in order."""

    child: str
    parent: str
    columns: tuple[tuple[str, str], ...]
    cascade: bool  #: the child's row goes with its parent's


@dataclass(frozen=True)
class Table:
    """One table of the schema ``sluis``; a split one stands for all its parts."""

    name: str
    columns: Mapping[str, str]  #: name -> type
    key: tuple[str, ...]
    split: bool
    parents: tuple[Reference, ...] = ()
    children: tuple[Reference, ...] = ()

    @property
    def merchant(self) -> str | None:
        """The column with the merchant's code, ``None`` in a table of nobody in particular."""
        if self.name == "merchant":
            return "code"
        return "merchant_code" if "merchant_code" in self.columns else None


@dataclass(frozen=True)
class Schema:
    """The tables by name."""

    tables: Mapping[str, Table]

    def table(self, name: str) -> Table:
        """Return a table; raises ``NotConfigured("register_table")`` where the register names one that is not there."""
        try:
            return self.tables[name]
        except KeyError:
            raise NotConfigured(
                f"the register names the table {name}, which the store has not: run `sluis register check`",
                code="register_table",
            ) from None


def read_schema(conn: Connection) -> Schema:
    """Read the catalogue as it is now."""
    columns: dict[str, dict[str, str]] = {}
    split: dict[str, bool] = {}
    for found in rows(conn, _COLUMNS):
        columns.setdefault(found["tab"], {})[found["col"]] = found["type"]
        split[found["tab"]] = found["split"]
    keys = {found["tab"]: tuple(found["key"]) for found in rows(conn, _KEYS)}
    references = [
        Reference(
            found["child"], found["parent"], tuple(zip(found["own"], found["its"], strict=True)), found["cascade"]
        )
        for found in rows(conn, _REFERENCES)
    ]
    return Schema({
        name: Table(
            name, columns[name], keys.get(name, ()), split[name],
            tuple(r for r in references if r.child == name), tuple(r for r in references if r.parent == name),
        )
        for name in columns
    })  # fmt: skip


def parts(conn: Connection, table: str) -> list[str]:
    """Return the names of the parts of a table, the table itself where it is not split."""
    found = rows(
        conn,
        """select c.relname as part from pg_partition_tree(%s::regclass) as t join pg_class as c on c.oid = t.relid
        where t.isleaf order by 1""",
        [f"sluis.{table}"],
    )
    return [row["part"] for row in found] or [table]
