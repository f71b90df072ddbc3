"""Which rows have expired: a rule as a condition of SQL, the same one for counting, deleting and proving.

A row goes when its time has come (the period, the merchant's own, or the end of his contract) and nothing holds it. A
row that others refer to goes only when all of those go in the same run, so a held payment holds its booking, and that
its integration. Values stand in the statements as quoted literals: dates and merchants' codes, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import LiteralString

from psycopg import sql

from sluis.errors import NotConfigured
from sluis.privacy.register import Category, Method, Place
from sluis.privacy.retention.contract import Rule
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.schema import Reference, Table

#: Methods by which whole rows go.
ROWS = frozenset({Method.DELETE_ROWS, Method.DROP_PARTITION, Method.AT_ONCE})
#: Where the trigger's column is null, this one counts: a link that never carried a booking, since it was made.
_INSTEAD = {("debtor_link", "last_booked_on"): "created_at"}
#: When a row was made, in tables whose trigger's date can lie long before that (a late booking of an old order).
_MADE = {"booking": "claimed_at", "payment": "claimed_at"}
_NEVER = sql.SQL("false")
#: Without it no keyed hash of a merchant's customers can be looked up: it stays while anything pseudonymous is held.
_HASH_KEY = "hash_key_wrapped"
#: Method ``at_once``: what its own command should have taken with it.
_MISSED: dict[str, LiteralString] = {
    "credential": "exists (select from sluis.integration as i where i.merchant_code = {a}.merchant_code"
    " and i.code = {a}.integration_code and i.state = 'ended')"
}


def expired_rows(tools: Tools, rule: Rule, table: Table, alias: str = "t") -> sql.Composable:
    """Return the condition under which a whole row of ``table`` goes."""
    here: list[sql.Composable] = [_time_has_come(tools, rule, table, alias)]
    here += [_not_held_here(other, table, alias) for other in _others(tools, rule, table)]
    here += [_nobody_refers(tools, reference, alias) for reference in table.children]
    return _all(here)


def expired_columns(tools: Tools, rule: Rule, table: Table, columns: Sequence[str], alias: str = "t") -> sql.Composable:
    """Return the condition under which ``columns`` of a row are emptied."""
    here = [_filled(columns, alias), _time_has_come(tools, rule, table, alias)]
    if table.name == "merchant" and _HASH_KEY in columns:
        here += [
            _nothing_held(tools, other, place, alias)
            for other in tools.rules.values()
            if other.category.data == "pseudonymous" and (other.held or other.held_merchants)
            for place in other.category.places
        ]
    return _all(here)


def standing(rule: Rule, table: Table, columns: Sequence[str] = (), alias: str = "t") -> sql.Composable:
    """Return the condition of what is there at all, of the merchant that was asked for."""
    conditions: list[sql.Composable] = [_filled(columns, alias)] if columns else []
    if rule.merchant is not None:
        conditions.append(_of_merchants(table, alias, [rule.merchant]))
    return _all(conditions) if conditions else sql.SQL("true")


def _time_has_come(tools: Tools, rule: Rule, table: Table, alias: str) -> sql.Composable:
    """Return the condition without whoever refers to the row: its time has come and no hold is on it."""
    if rule.held:
        return _NEVER
    ways = _by_period(tools, rule, table, alias)
    if rule.category.method is Method.AT_ONCE and table.name in _MISSED:
        ways.append(sql.SQL(_MISSED[table.name]).format(a=sql.Identifier(alias)))
    if rule.ended and table.merchant is not None:
        ways.append(_of_merchants(table, alias, rule.ended))
    if not ways:
        return _NEVER
    conditions: list[sql.Composable] = [sql.SQL("({})").format(sql.SQL(" or ").join(ways))]
    if rule.held_merchants and table.merchant is not None:
        conditions.append(sql.SQL("not {}").format(_of_merchants(table, alias, sorted(rule.held_merchants))))
    if rule.merchant is not None:
        conditions.append(_of_merchants(table, alias, [rule.merchant]))
    if tools.as_of is not None and table.name in _MADE:
        made = sql.Identifier(alias, _MADE[table.name])
        conditions.append(sql.SQL("{} <= {}").format(made, sql.Literal(tools.as_of)))
    return _all(conditions)


def _by_period(tools: Tools, rule: Rule, table: Table, alias: str) -> list[sql.Composable]:
    """Return the conditions of the period: the register's, and those of merchants who chose a shorter one."""
    column = rule.category.trigger.column if rule.category.trigger else None
    if rule.category.trigger is None and rule.category.period is None:
        return _with_parent(tools, table, alias)
    if rule.cutoff is None or column is None:
        return []
    if column not in table.columns:
        return [_by_parent(tools, rule, table, column, alias)]
    ways = [_before(table, column, alias, sql.Literal(rule.cutoff), whole=_is_day(rule.cutoff))]
    if rule.own_cutoffs and table.merchant is not None:
        codes, moments = list(rule.own_cutoffs), list(rule.own_cutoffs.values())
        before = _before(table, column, alias, sql.Identifier("own", "cutoff"), whole=all(map(_is_day, moments)))
        ways.append(
            sql.SQL(
                "exists (select from unnest({codes}::text[], {moments}::timestamptz[]) as own (code, cutoff)"
                " where own.code = {merchant} and {before})"
            ).format(
                codes=sql.Literal(codes), moments=sql.Literal(moments), before=before,
                merchant=sql.Identifier(alias, table.merchant),
            )
        )  # fmt: skip
    return ways


def _by_parent(tools: Tools, rule: Rule, table: Table, column: str, alias: str) -> sql.Composable:
    """Return the condition for a table whose trigger stands in the row it belongs to (a payment in its booking)."""
    for reference in table.parents:
        parent = tools.schema.table(reference.parent)
        if column in parent.columns:
            above = f"{alias}_{parent.name}"
            ways = _by_period(tools, rule, parent, above)
            return sql.SQL("exists (select from {parent} as {above} where {keys} and ({ways}))").format(
                parent=_name(parent), above=sql.Identifier(above), ways=sql.SQL(" or ").join(ways),
                keys=_same(reference, child=alias, parent=above),
            )  # fmt: skip
    raise NotConfigured(
        f"category {rule.category.id}: neither {table.name} nor a table it refers to has the trigger's column {column}",
        code="register_trigger",
    )


def _with_parent(tools: Tools, table: Table, alias: str) -> list[sql.Composable]:
    """Return the conditions for a table without a period of its own whose rows go with the row they belong to."""
    ways: list[sql.Composable] = []
    for reference in table.parents:
        rule = _rows_rule(tools, reference.parent)
        if not reference.cascade or rule is None:
            continue
        parent = tools.schema.table(reference.parent)
        above = f"{alias}_{parent.name}"
        goes = [_time_has_come(tools, rule, parent, above)]
        goes += [_not_held_here(other, parent, above) for other in _others(tools, rule, parent)]
        ways.append(
            sql.SQL("exists (select from {parent} as {above} where {keys} and {goes})").format(
                parent=_name(parent), above=sql.Identifier(above), goes=_all(goes),
                keys=_same(reference, child=alias, parent=above),
            )
        )  # fmt: skip
    return ways


def _before(table: Table, column: str, alias: str, moment: sql.Composable, *, whole: bool) -> sql.Composable:
    """Compare a column with a moment; a date as its midnight UTC (``whole``: as dates, which an index serves)."""
    is_date = table.columns[column] == "date"
    value: sql.Composable = sql.Identifier(alias, column)
    if (instead := _INSTEAD.get((table.name, column))) is not None:
        value = sql.SQL("coalesce({}, ({} at time zone 'UTC')::date)").format(value, sql.Identifier(alias, instead))
    if not is_date:
        return sql.SQL("{} < {}::timestamptz").format(value, moment)
    if whole:
        return sql.SQL("{} < ({}::timestamptz at time zone 'UTC')::date").format(value, moment)
    return sql.SQL("({}::timestamp at time zone 'UTC') < {}::timestamptz").format(value, moment)


def _is_day(moment: datetime) -> bool:
    return moment.time() == time(0)


def _others(tools: Tools, rule: Rule, table: Table) -> list[tuple[Rule, list[str]]]:
    """Return the other categories with columns in this table, with those columns."""
    return [
        (other, [column for place in other.category.places if place.table == table.name for column in place.columns])
        for other in tools.rules.values()
        if other.category.id != rule.category.id and any(place.table == table.name for place in other.category.places)
    ]


def _not_held_here(other: tuple[Rule, list[str]], table: Table, alias: str) -> sql.Composable:
    """Return the condition that no hold on another category keeps something in this row."""
    held, columns = other
    if held.held:
        return sql.SQL("not {}").format(_filled(columns, alias))
    if held.held_merchants and table.merchant is not None:
        whose = _of_merchants(table, alias, sorted(held.held_merchants))
        return sql.SQL("not ({} and {})").format(whose, _filled(columns, alias))
    return sql.SQL("true")


def _nothing_held(tools: Tools, other: Rule, place: Place, alias: str) -> sql.Composable:
    """Return the condition that a hold on another category keeps nothing of the merchant of this row in one place."""
    table = tools.schema.tables.get(place.table or "")
    if table is None or table.merchant is None or table.name == "merchant":
        return sql.SQL("true")
    kept = f"{alias}_{table.name}"
    same = sql.SQL("{} = {}").format(sql.Identifier(kept, table.merchant), sql.Identifier(alias, "code"))
    conditions: list[sql.Composable] = [same]
    if not other.held:
        conditions.append(_of_merchants(table, kept, sorted(other.held_merchants)))
    if other.category.method is Method.EMPTY_COLUMNS:
        conditions.append(_filled(place.columns, kept))
    return sql.SQL("not exists (select from {} as {} where {})").format(
        _name(table), sql.Identifier(kept), _all(conditions)
    )


def _nobody_refers(tools: Tools, reference: Reference, alias: str) -> sql.Composable:
    """Return the condition that no row refers to this one which does not go itself in this run."""
    child = tools.schema.table(reference.child)
    below = f"{alias}_{child.name}"
    rule = _rows_rule(tools, child.name)
    goes = expired_rows(tools, rule, child, below) if rule is not None else _NEVER
    return sql.SQL("not exists (select from {child} as {below} where {keys} and ({goes}) is not true)").format(
        child=_name(child), below=sql.Identifier(below), goes=goes, keys=_same(reference, child=below, parent=alias),
    )  # fmt: skip


def _rows_rule(tools: Tools, table: str) -> Rule | None:
    """Return the rule by which rows of this table go in this run, ``None`` when none does."""
    for name in tools.in_scope:
        if deletes_rows(rule := tools.rules[name], table):
            return rule
    return None


def deletes_rows(rule: Rule | Category, table: str) -> bool:
    """Whether whole rows of this table go by this category."""
    category = rule.category if isinstance(rule, Rule) else rule
    return category.method in ROWS and any(place.table == table for place in category.places)


def _same(reference: Reference, *, child: str, parent: str) -> sql.Composable:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(child, own), sql.Identifier(parent, its))
        for own, its in reference.columns
    )


def _of_merchants(table: Table, alias: str, codes: Sequence[str]) -> sql.Composable:
    if table.merchant is None:
        return _NEVER
    return sql.SQL("{} = any({}::text[])").format(sql.Identifier(alias, table.merchant), sql.Literal(list(codes)))


def _filled(columns: Sequence[str], alias: str) -> sql.Composable:
    some = sql.SQL(" or ").join(sql.SQL("{} is not null").format(sql.Identifier(alias, column)) for column in columns)
    return sql.SQL("({})").format(some)


def _all(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" and ").join(sql.SQL("({})").format(condition) for condition in conditions)


def _name(table: Table) -> sql.Identifier:
    return sql.Identifier("sluis", table.name)
