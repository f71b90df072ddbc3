"""Plans: what would go now, per category and table, with the cutoffs it follows from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sluis.privacy.register import Category, Published
from sluis.privacy.retention.batches import depth
from sluis.privacy.retention.contract import Count, Deleter, Hold, Rule
from sluis.privacy.retention.deleters import check_deleters, known_deleters
from sluis.privacy.retention.expiry import ROWS
from sluis.privacy.retention.kit import Kit, Tools
from sluis.privacy.retention.rules import holds_now, narrowed, rules_at, scope
from sluis.privacy.retention.runs import CategoryPlan, Plan
from sluis.privacy.retention.schema import read_schema
from sluis.store.database import Connection


class Work(NamedTuple):
    """Everything at hand to count, delete and prove: the rules in the order in which they are carried out."""

    tools: Tools
    deleters: Mapping[str, Deleter]
    rules: list[Rule]

    def deleter(self, rule: Rule) -> Deleter:
        """Return who carries a rule out."""
        return self.deleters[rule.category.deleter_name]

    def counts(self) -> dict[str, Count]:
        """Count every rule."""
        return {rule.category.id: self.deleter(rule).count(rule) for rule in self.rules}


def work(
    conn: Connection,
    published: Published,
    clock: datetime,
    kit: Kit,
    *,
    merchant: str | None = None,
    category: str | None = None,
    plan: Plan | None = None,
    held: list[Hold] | None = None,
    as_of: datetime | None = None,
) -> Work:
    """Prepare the work of a run: of a stored ``plan`` (what the register still has of it), or of a new one.

    Raises ``NotConfigured``: ``deleter_missing``, ``register_table``; of a new plan also ``category_unknown`` and
    ``merchant_unknown``.
    """
    register, schema = published.register_, read_schema(conn)
    held = holds_now(conn, clock) if held is None else held
    rules = rules_at(conn, register, clock, merchant=merchant, held=held, planned=plan is not None)
    if plan is None:
        names = scope(register, schema, merchant=merchant, category=category)
    else:
        cut = narrowed(rules, plan)
        names, rules = frozenset(cut), rules | cut
    tools = Tools(conn, kit, register, rules, names, schema, as_of)
    deleters = known_deleters(tools)
    check_deleters(register, deleters)
    ordered = sorted((rules[name] for name in names), key=lambda rule: _order(tools, rule.category))
    return Work(tools, deleters, ordered)


def made(this: Work, published: Published, clock: datetime, *, merchant: str | None, category: str | None,
         holds: int) -> Plan:  # fmt: skip
    """Count, and write the plan."""
    counts = this.counts()
    return Plan(
        clock=clock, register_version=published.register_.version, register_hash=published.sha256,
        merchant=merchant, category=category, holds=holds,
        categories={rule.category.id: _planned(rule, counts[rule.category.id]) for rule in this.rules},
    )  # fmt: skip


def _planned(rule: Rule, count: Count) -> CategoryPlan:
    return CategoryPlan(
        cutoff=rule.cutoff, own_cutoffs=dict(rule.own_cutoffs), ended=rule.ended, held=rule.held,
        held_merchants=tuple(sorted(rule.held_merchants)), standing=count.standing,
        counts={place: number for place, number in count.expired.items() if number},
    )  # fmt: skip


def _order(tools: Tools, category: Category) -> tuple[int, int, str]:
    """Columns first, so that what was counted is what is emptied; then rows, those that refer to others before them."""
    names = [place.table for place in category.places if place.table is not None]
    if category.method not in ROWS or not names:
        return (0 if names else 2, 0, category.id)
    return (1, -max(depth(tools, tools.schema.table(name)) for name in names), category.id)
