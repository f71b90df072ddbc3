"""The anonymous statistics in the store: closing a quarter, reading its input once, and the ledger of releases.

The connection is that of the role ``sluis_statistics``: it sees contributions of all merchants, no name and no booking.
Enterprises leave this module as numbers that are made anew for every build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from psycopg import sql
from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.core.rates import tidy
from sluis.errors import Defect
from sluis.store.contributions import FREEZE_LOCK
from sluis.store.database import Connection, row, rows

Family = Literal["sales", "refunds"]
_COLUMNS = {"sales": ("revenue_cents", "revenue_vat_cents"), "refunds": ("refunds_cents", "refunds_vat_cents")}
#: Who counts: agreed, did not object. An objection takes what is not frozen away at once, and the rest out of here.
_INPUT = """sluis.statistics_contribution as c join sluis.merchant as m on m.code = c.merchant_code
    where c.quarter = %(quarter)s and m.statistics_agreed_at is not null and m.statistics_objected_at is null"""
_STATE = (
    "select count(*)::int as contributions, count(distinct coalesce(m.enterprise, m.code))::int as enterprises, sha256("
    "convert_to(concat_ws('|', count(*), sum(hashtextextended(c::text, 1)::numeric), sum(hashtextextended(c::text, 2)"
    "::numeric)), 'UTF8')) as input_hash from " + _INPUT
)


class Freeze(Frozen):
    """A quarter whose input is closed. ``input_hash``: SHA-256 over the rows, whatever their order."""

    quarter: date  #: its first day
    frozen_at: Moment
    contributions: int
    enterprises: int
    provisional: bool  #: the books of some live integration had not reached the quarter's end
    input_hash: bytes


class Entries(NamedTuple):
    """The input of one family: who put what in which cell."""

    keys: list[tuple[str, ...]]  #: the occupied cells (country, VAT rate, platform, package), sorted
    vat_cents: list[int]  #: the VAT of each
    entries: bytes  #: rows of PostgreSQL's binary COPY: enterprise (int4), cell (int4), cents (int8)


class Ledger(Frozen):
    """A release as it stands in the store. ``document`` is the canonical JSON whose SHA-256 ``sha256`` is."""

    number: int
    quarter: date
    released_at: Moment
    document: str
    sha256: str
    previous_sha256: str | None
    audit: Mapping[str, Any]


class Statistics:
    """What the statistics read and write."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def freeze(self, quarter: date) -> Freeze:
        """Close a quarter that is over; asked again it returns what stands, unless the input changed since.

        It changes when a merchant objects before the release: then it is closed anew. Raises ``Defect``:
        ``quarter_running`` before it is over, ``quarter_past`` where a later one is frozen, ``release_stands`` where a
        released quarter has another input than it was released with.
        """
        with self._conn.transaction():
            self._conn.execute("select pg_advisory_xact_lock(%s)", [FREEZE_LOCK])
            known, latest = self.frozen(quarter), self._latest()
            if known is None:
                self._may_freeze(quarter, latest)
            now = row(self._conn, _STATE, {"quarter": quarter}) or {}
            if known is not None and known.input_hash == now["input_hash"]:
                return known
            if known is not None and self._released(quarter):
                raise Defect(
                    f"the release of the quarter from {quarter} stands; its input is gone", code="release_stands"
                )
            self._conn.execute(
                """insert into sluis.statistics_freeze (quarter, contributions, enterprises, provisional, input_hash)
                values (%(quarter)s, %(contributions)s, %(enterprises)s, %(provisional)s, %(input_hash)s)
                on conflict (quarter) do update set frozen_at = now(), contributions = excluded.contributions,
                enterprises = excluded.enterprises, provisional = excluded.provisional,
                input_hash = excluded.input_hash""",
                {"quarter": quarter, "provisional": self._provisional(quarter), **now},
            )
            made = self.frozen(quarter)
            assert made is not None
            return made

    def frozen(self, quarter: date) -> Freeze | None:
        """Return how a quarter was closed; ``None``: it is open."""
        found = row(
            self._conn,
            """select quarter, frozen_at, contributions, enterprises, provisional, input_hash
            from sluis.statistics_freeze where quarter = %s""",
            [quarter],
        )
        return Freeze(**found) if found is not None else None

    def unchanged(self, freeze: Freeze) -> bool:
        """Whether the input is still the one that was frozen."""
        now = row(self._conn, _STATE, {"quarter": freeze.quarter})
        return now is not None and bytes(now["input_hash"]) == freeze.input_hash

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read families and totals of one moment."""
        with self._conn.transaction():
            self._conn.execute("set transaction isolation level repeatable read")
            yield

    def entries(self, quarter: date, family: Family) -> Entries:
        """Return the input of one family, added up per enterprise and cell; amounts of zero are nobody's.

        Enterprises are numbered from 0 without meaning. Call it inside ``reading``.
        """
        amount, vat = (sql.Identifier("c", name) for name in _COLUMNS[family])
        names = {"amount": amount, "vat": vat, "input": sql.SQL(_INPUT)}
        cells = self._cells(quarter, names)
        self._number(quarter, names, list(cells))
        query = sql.SQL(
            """copy (select e.number, b.number, sum({amount})::int8 from {input_} {joins} and {amount} > 0
            group by e.number, b.number) to stdout (format binary)"""
        ).format(
            amount=amount, input_=sql.SQL(_INPUT.partition("where")[0]),
            joins=sql.SQL(
                """join pg_temp.statistics_enterprise as e on e.code = coalesce(m.enterprise, m.code)
                join pg_temp.statistics_cell as b on b.country = c.country and b.vat_rate = c.vat_rate
                and b.platform = c.platform and b.package = c.package where"""
                + _INPUT.partition("where")[2].replace("%(quarter)s", "{}")
            ).format(sql.Literal(quarter)),
        )  # fmt: skip
        with self._conn.cursor() as cursor, cursor.copy(query) as copied:
            content = b"".join(bytes(block) for block in copied)
        return Entries([key for key, _ in cells.values()], [vat for _, vat in cells.values()], content)

    def releases(self) -> list[Ledger]:
        """Return all releases, the first one first."""
        found = rows(
            self._conn,
            """select number, quarter, released_at, document, encode(sha256, 'hex') as sha256,
            encode(previous_sha256, 'hex') as previous_sha256, audit from sluis.statistics_release order by number""",
        )
        return [Ledger(**r) for r in found]

    def publish(self, release: Ledger) -> bool:
        """Add a release; ``False`` where its quarter has one already. Raises ``Defect`` where its number is taken."""
        added = self._conn.execute(
            """insert into sluis.statistics_release (number, quarter, released_at, document, sha256, previous_sha256,
            audit) values (%s, %s, %s, %s, %s, %s, %s) on conflict (quarter) do nothing""",
            [
                release.number, release.quarter, release.released_at, release.document, bytes.fromhex(release.sha256),
                bytes.fromhex(release.previous_sha256) if release.previous_sha256 else None, Jsonb(dict(release.audit)),
            ],
        )  # fmt: skip
        return added.rowcount == 1

    # ---------------------------------------------------------------------------------------------------- the pieces

    def _may_freeze(self, quarter: date, latest: date | None) -> None:
        found = row(
            self._conn, "select (%s::date + interval '3 months')::date > (now() at time zone 'UTC')::date as runs",
            [quarter],
        )  # fmt: skip
        if found is None or found["runs"]:
            raise Defect(f"the quarter from {quarter} is not over yet", code="quarter_running")
        if latest is not None and quarter < latest:
            raise Defect(
                f"the quarter from {latest} is closed already: what came later for {quarter} counts there",
                code="quarter_past",
            )

    def _latest(self) -> date | None:
        found = row(self._conn, "select max(quarter) as quarter from sluis.statistics_freeze")
        return found["quarter"] if found is not None else None

    def _released(self, quarter: date) -> bool:
        return row(self._conn, "select 1 from sluis.statistics_release where quarter = %s", [quarter]) is not None

    def _provisional(self, quarter: date) -> bool:
        found = row(
            self._conn,
            """select exists (select from sluis.integration as i join sluis.merchant as m on m.code = i.merchant_code
            where i.state = 'live' and m.statistics_agreed_at is not null and m.statistics_objected_at is null
            and (i.watermark is null
                or i.watermark < (%s::date + interval '3 months') at time zone 'UTC')) as behind""",
            [quarter],
        )
        return found is not None and bool(found["behind"])

    def _cells(self, quarter: date, names: Mapping[str, sql.Composable]) -> dict[tuple[Any, ...], tuple[Any, int]]:
        """Return the occupied cells as they are stored -> (as they are called, their VAT), in the order of names."""
        query = sql.SQL(
            """select c.country, c.vat_rate, c.platform, c.package, sum({vat})::int8 from {input} and {amount} > 0
            group by 1, 2, 3, 4"""
        ).format(**names)
        found = self._conn.execute(query, {"quarter": quarter}).fetchall()
        called = {tuple(r[:4]): ((r[0], _percent(r[1]), r[2], r[3]), int(r[4])) for r in found}
        return dict(sorted(called.items(), key=lambda entry: entry[1][0]))

    def _number(self, quarter: date, names: Mapping[str, sql.Composable], cells: list[tuple[Any, ...]]) -> None:
        self._conn.execute("drop table if exists pg_temp.statistics_enterprise, pg_temp.statistics_cell")
        self._conn.execute(
            sql.SQL(
                """create temp table statistics_enterprise on commit drop as
                select (row_number() over (order by code) - 1)::int4 as number, code from (
                select distinct coalesce(m.enterprise, m.code) as code from {input} and {amount} > 0) as found"""
            ).format(input=sql.SQL(_INPUT.replace("%(quarter)s", "{}")).format(sql.Literal(quarter)),
                     amount=names["amount"])
        )  # fmt: skip
        self._conn.execute(
            """create temp table statistics_cell (number int4, country text, vat_rate numeric(5, 2), platform text,
            package text) on commit drop"""
        )
        with self._conn.cursor() as cursor:
            cursor.executemany(
                "insert into statistics_cell values (%s, %s, %s, %s, %s)",
                [(number, *cell) for number, cell in enumerate(cells)],
            )
        self._conn.execute("analyze pg_temp.statistics_enterprise, pg_temp.statistics_cell")


def _percent(rate: Decimal) -> str:
    return format(tidy(rate), "f")
