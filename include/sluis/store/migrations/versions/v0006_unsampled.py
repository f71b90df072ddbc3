"""Keep values that expire out of the planner's statistics.

ANALYZE copies up to a few hundred values of each column into pg_statistic, where no deletion reaches them: VACUUM FULL
of the table leaves them, and of a split table nothing but a later ANALYZE by hand renews them. Columns that say
something of a person, or of one order, are therefore never sampled. Lookups go by unique keys, which need no sample.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

#: Table -> columns. What stays sampled are codes, states and dates: merchants, integrations, kinds, days.
UNSAMPLED = {
    "booking": (
        "document_key", "reference", "reference_key", "order_number", "external_id", "debtor_id", "fingerprint",
        "total_cents", "vat_cents", "package_total_cents", "package_vat_cents", "figures", "payment_method", "paid",
        "evidence", "original_date", "summary_key",
    ),
    "payment": ("document_key", "payment_key", "amount_cents", "paid_on", "external_id"),
    "quarantine": ("document_key", "shop_order_id", "order_number", "field", "total_cents"),
    "debtor_link": ("customer_key", "debtor_id"),
    "settled_by_hand": ("document_key",),
    "vat_number_check": ("number_key", "request_id"),
    "run_report": ("tally", "lines_hash", "previous_hash", "hash"),
    "reconciliation": ("result",),
    "statistics_contribution": (
        "merchant_code", "revenue_cents", "revenue_vat_cents", "refunds_cents", "refunds_vat_cents", "documents",
    ),
    "transit_chunk": ("ciphertext",),
    "credential": ("ciphertext",),
    "integration": ("settings", "report_hash"),
    "merchant": ("name", "hash_key_wrapped"),
}  # fmt: skip


#: Throws away what a table that is not split has sampled before; the split ones were made anew and have no sample yet.
#: Before PostgreSQL 18 an owner cannot; there a store of before this step keeps them until a superuser does it.
_FORGET = """do $$ begin
    if to_regproc('pg_clear_attribute_stats') is not null then
        perform pg_clear_attribute_stats('sluis', c.relname::text, a.attname::text, false)
        from pg_attribute as a join pg_class as c on c.oid = a.attrelid
        where c.relnamespace = 'sluis'::regnamespace and c.relkind = 'r' and not c.relispartition
            and a.attnum > 0 and a.attstattarget = 0;
    end if;
end $$"""


def upgrade() -> None:
    """Set the columns, of the parts that are there too; ``provide_months`` passes it on to those it makes."""
    for table, columns in UNSAMPLED.items():
        changes = ", ".join(f"alter {column} set statistics 0" for column in columns)
        op.get_bind().exec_driver_sql(f"alter table sluis.{table} {changes}")
    op.get_bind().exec_driver_sql(_FORGET)
