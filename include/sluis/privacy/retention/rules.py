"""Rules: the register at one moment, with the merchants' own periods, contracts that ended, and holds.

A stored plan keeps its own rules. When it is carried out, later, they can only get narrower: a hold made since, or a
register that keeps longer, counts; what would make more go waits for the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sluis.errors import NotConfigured
from sluis.privacy.periods import cutoff
from sluis.privacy.register import Category, Register
from sluis.privacy.retention import holds
from sluis.privacy.retention.contract import Hold, Rule
from sluis.privacy.retention.expiry import ROWS
from sluis.privacy.retention.runs import CategoryPlan, Plan
from sluis.privacy.retention.schema import Schema
from sluis.store.database import Connection, rows
from sluis.store.merchant_periods import MerchantPeriods, in_force


def rules_at(
    conn: Connection, register: Register, clock: datetime, *, merchant: str | None = None, held: Iterable[Hold] = (),
    planned: bool = False,
) -> dict[str, Rule]:  # fmt: skip
    """Return the rule of every category of the register, by id.

    Raises ``NotConfigured("merchant_unknown")`` for a merchant that is not there, unless it was ``planned`` when he
    was: his row may be what that plan deleted.
    """
    contracts = {found["code"]: found["ended_at"] for found in rows(conn, "select code, ended_at from sluis.merchant")}
    if merchant is not None and merchant not in contracts and not planned:
        raise NotConfigured(f"there is no merchant {merchant}", code="merchant_unknown")
    ended = {code: moment for code, moment in contracts.items() if moment is not None}
    chosen = {code: in_force(register, periods) for code, periods in MerchantPeriods(conn).all().items()}
    made = {}
    for category in register.categories:
        own = {code: periods[category.id] for code, periods in chosen.items() if category.id in periods}
        made[category.id] = with_holds(_rule(category, clock, ended, own, merchant), held)
    return made


def with_holds(rule: Rule, held: Iterable[Hold]) -> Rule:
    """Return a rule without what is held on its day."""
    on = rule.clock.date()
    covering = [hold for hold in held if hold.covers(rule.category.id, on)]
    if not covering:
        return rule
    merchants = {hold.merchant for hold in covering if hold.merchant is not None}
    return rule.model_copy(
        update={
            "held": rule.held or any(hold.merchant is None for hold in covering),
            "held_merchants": rule.held_merchants | merchants,
        }
    )


def holds_now(conn: Connection, clock: datetime) -> list[Hold]:
    """Return the holds in force on the day of a clock."""
    return holds.active(conn, clock.date())


def narrowed(rules: Mapping[str, Rule], plan: Plan) -> dict[str, Rule]:
    """Return the rules as they are now, cut down to what a stored plan foresaw."""
    return {name: _narrowed(rule, plan.categories[name]) for name, rule in rules.items() if name in plan.categories}


def scope(register: Register, schema: Schema, *, merchant: str | None, category: str | None) -> frozenset[str]:
    """Return the ids of the categories that a run is about.

    A category by hand takes along those whose rows go with its own (payments with their booking). For one merchant
    only what tells whose it is can go. Raises ``NotConfigured("category_unknown")``.
    """
    names = {c.id for c in register.categories} if category is None else {register.category(category).id}
    if category is not None:
        names |= {c.id for c in register.categories if _goes_with(c, register.category(category), schema)}
    if merchant is not None:
        names = {name for name in names if _tells_whose(register.category(name), schema)}
    return frozenset(names)


def _rule(
    category: Category, clock: datetime, ended: Mapping[str, datetime], own: Mapping[str, str], merchant: str | None
) -> Rule:
    rounded = category.trigger.rounded if category.trigger else "none"
    whole = cutoff(category.period, clock, rounded) if category.period is not None else None
    shorter = {}
    if whole is not None:
        moments = {code: cutoff(period, clock, rounded) for code, period in own.items()}
        shorter = {code: moment for code, moment in sorted(moments.items()) if moment > whole}
    gone: tuple[str, ...] = ()
    if category.contract_end is not None:
        since = cutoff(category.contract_end, clock)
        gone = tuple(sorted(code for code, moment in ended.items() if moment < since))
    return Rule(category=category, clock=clock, cutoff=whole, own_cutoffs=shorter, ended=gone, merchant=merchant)


def _narrowed(rule: Rule, planned: CategoryPlan) -> Rule:
    bound = rule.cutoff is not None and planned.cutoff is not None
    first = min(rule.cutoff, planned.cutoff) if bound and rule.cutoff and planned.cutoff else None
    own = {code: min(moment, rule.own_cutoffs[code]) for code, moment in planned.own_cutoffs.items()
           if code in rule.own_cutoffs}  # fmt: skip
    return rule.model_copy(
        update={
            "cutoff": first,
            "own_cutoffs": own,
            "ended": tuple(code for code in planned.ended if code in rule.ended),
            "held": rule.held or planned.held,
            "held_merchants": rule.held_merchants | set(planned.held_merchants),
        }
    )


def _tables(category: Category) -> set[str]:
    return {place.table for place in category.places if place.table is not None}


def _goes_with(category: Category, other: Category, schema: Schema) -> bool:
    if category.method not in ROWS or other.method not in ROWS or _counts_by_itself(category, schema):
        return False
    above = {r.parent for name in _tables(category) for r in schema.table(name).parents if r.cascade}
    return bool(above & _tables(other))


def _counts_by_itself(category: Category, schema: Schema) -> bool:
    """Whether its period counts from a column of its own, and not from the row that its rows go with."""
    column = category.trigger.column if category.trigger else None
    return category.period is not None and any(column in schema.table(name).columns for name in _tables(category))


def _tells_whose(category: Category, schema: Schema) -> bool:
    return any(schema.table(name).merchant is not None for name in _tables(category))
