"""Split tables so that deleting is physical, and give the role that deletes its rights.

Tables whose unique constraints must span all months cannot be partitioned by month: they are split by merchant
(hash), and what was deleted in a part leaves the disk when that part alone is rewritten. Tables that only grow are
split by month, and an expired month is dropped. docs/decisions/0013 has the figures.
"""

from __future__ import annotations

from alembic import op

from sluis.errors import NotConfigured

revision = "0004"
down_revision = "0003"

#: Parts per table split by merchant; a constant of the schema, as a merchant's rows stand in one of them.
PARTS = 8
#: Table -> (column of the month, months per partition).
BY_MONTH = {"run_report": ("ended_at", 1), "reconciliation": ("made_at", 1), "statistics_contribution": ("quarter", 3)}
BY_MERCHANT = ("booking", "payment", "quarantine", "debtor_link", "vat_number_check")

#: Old rows are set aside, read into the new table and dropped; comments, checks and defaults come along by LIKE.
_ASIDE = "alter table sluis.{table} rename to {table}_before"
_AGAIN = """
create table sluis.{table} (like sluis.{table}_before including defaults including constraints including comments)
    partition by {split}
"""

_BOOKING = """
alter table sluis.booking_before
    add column reference_key bytea check (octet_length(reference_key) = 32),
    alter column reference drop not null;
comment on column sluis.booking_before.reference is
    'Number of the document in the books; holds the order number (pseudonymous); emptied by retention 45 days after'
    ' its quarter.';
comment on column sluis.booking_before.reference_key is
    'Keyed hash of the reference (pseudonymous), so that a number stays unique when reference is emptied.';
comment on column sluis.booking_before.order_number is
    'The shop''s order number (pseudonymous), for support; emptied by retention 45 days after its quarter.';
comment on column sluis.booking_before.total_cents is
    'Total with VAT as sent, in cents, signed; emptied by retention 45 days after its quarter.';
comment on column sluis.booking_before.vat_cents is
    'VAT as sent, in cents, signed; emptied by retention 45 days after its quarter.';
comment on column sluis.booking_before.package_total_cents is
    'Total with VAT as the package computed it, in cents, signed; emptied by retention 45 days after its quarter.';
comment on column sluis.booking_before.package_vat_cents is
    'VAT as the package computed it, in cents, signed; emptied by retention 45 days after its quarter.';
"""
#: An administration is one merchant's. His numbers are unique within it by constraints that hold his code, and the lock
#: on writing, the limiter and the debtors are its own: two merchants in one would take each other's numbers.
_ADMINISTRATION = """
create function sluis.administration_of_one() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('administration/' || new.administration_key, 0));
    if exists (select from sluis.integration as i where i.administration_key = new.administration_key
            and i.merchant_code <> new.merchant_code) then
        raise exception 'an administration is one merchant''s'
            using errcode = 'unique_violation', constraint = 'integration_administration_of_one', table = 'integration';
    end if;
    return new;
end $$;
comment on function sluis.administration_of_one() is 'Keeps two merchants out of one administration.';
revoke all on function sluis.administration_of_one() from public;
create trigger administration_of_one before insert or update of merchant_code, administration_key on sluis.integration
    for each row execute function sluis.administration_of_one();
create index integration_administration on sluis.integration (administration_key);
"""
_BOOKING_KEYS = """
alter table sluis.booking add primary key (merchant_code, integration_code, kind, document_key, revision);
-- With the merchant: a unique constraint holds the column its table is split by. An administration is one merchant's
-- (administration_of_one), so nothing is lost by it.
alter table sluis.booking
    add constraint booking_reference_key unique (merchant_code, administration_key, reference),
    add constraint booking_reference_hash_key unique (merchant_code, administration_key, reference_key),
    add foreign key (merchant_code, integration_code, administration_key)
        references sluis.integration (merchant_code, code, administration_key);
create index booking_held on sluis.booking (merchant_code, integration_code, issue_date)
    where state = 'held' and summary_key is null;
create index booking_order on sluis.booking (merchant_code, integration_code, order_number);
create index booking_issued on sluis.booking (merchant_code, integration_code, issue_date);
create index booking_expiry on sluis.booking (issue_date) where order_number is not null;
create index booking_unkeyed on sluis.booking (merchant_code, integration_code)
    where reference is not null and reference_key is null;
"""
#: A claim without an answer keeps its amount no longer than any other row: after that a person looks it up.
_PAYMENT = "alter table sluis.payment drop constraint payment_check1"
_PAYMENT_KEYS = """
alter table sluis.payment add primary key
    (merchant_code, integration_code, kind, document_key, revision, payment_key);
alter table sluis.payment add foreign key (merchant_code, integration_code, kind, document_key, revision)
    references sluis.booking (merchant_code, integration_code, kind, document_key, revision) on delete cascade;
"""
_QUARANTINE = """
alter table sluis.quarantine_before
    alter column shop_order_id drop not null,
    alter column order_number drop not null,
    add column warned_at timestamptz,
    add column reduced_at timestamptz;
alter table sluis.quarantine_before add check (reduced_at is not null
    or (shop_order_id is not null and order_number is not null));
comment on column sluis.quarantine_before.shop_order_id is
    'The shop''s order id (pseudonymous), plain because the order is fetched from the shop again by it; emptied by'
    ' retention after 90 days.';
comment on column sluis.quarantine_before.order_number is
    'The shop''s order number (pseudonymous), for support; emptied by retention after 90 days.';
comment on column sluis.quarantine_before.total_cents is
    'Total with VAT in cents, signed; null where it could not be read; emptied by retention after 90 days.';
comment on column sluis.quarantine_before.warned_at is 'When the merchant was warned that it waits for long.';
comment on column sluis.quarantine_before.reduced_at is
    'When it was reduced to its key and reason; it counts as unbooked until a person closes it.';
"""
_QUARANTINE_KEYS = """
alter table sluis.quarantine add primary key (merchant_code, integration_code, kind, document_key);
alter table sluis.quarantine add foreign key (merchant_code, integration_code)
    references sluis.integration (merchant_code, code);
create index quarantine_open on sluis.quarantine (merchant_code, integration_code) where closed_at is null;
"""
_DEBTOR_KEYS = """
alter table sluis.debtor_link add primary key (merchant_code, administration_key, customer_key);
alter table sluis.debtor_link add foreign key (merchant_code) references sluis.merchant (code);
"""
_CHECK_KEYS = """
alter table sluis.vat_number_check add primary key (merchant_code, number_key);
alter table sluis.vat_number_check add foreign key (merchant_code) references sluis.merchant (code);
"""
_REPORT_KEYS = """
alter table sluis.run_report add primary key (merchant_code, integration_code, sequence, ended_at);
alter table sluis.run_report add foreign key (merchant_code, integration_code)
    references sluis.integration (merchant_code, code);
create index run_report_run on sluis.run_report (merchant_code, integration_code, dag_run_id);
"""
_RECONCILIATION_KEYS = """
alter table sluis.reconciliation add primary key (merchant_code, integration_code, period, made_at);
alter table sluis.reconciliation add foreign key (merchant_code, integration_code)
    references sluis.integration (merchant_code, code);
comment on table sluis.reconciliation is
    'Shop, sluis and package compared over a period: counts, cents and causes, no document and no number. Kept to show'
    ' that the period was reconciled, 15 months.';
"""

_MONTHS = """
create function sluis.provide_months(until date) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    spec record; first date; made int := 0; name text; col name;
begin
    for spec in select * from (values {values}) as s (tab, step) loop
        first := make_date(extract(year from now())::int, 1, 1);
        while first < until loop
            name := spec.tab || to_char(first, '_YYYY_MM');
            if to_regclass('sluis.' || name) is null then
                execute format('create table sluis.%I partition of sluis.%I for values from (%L) to (%L)',
                    name, spec.tab, first, (first + make_interval(months => spec.step))::date);
                execute format('grant maintain on sluis.%I to sluis_retention', name);
                for col in select attname from pg_attribute  -- what is never sampled in the table is not in its part
                    where attrelid = ('sluis.' || spec.tab)::regclass and attnum > 0 and attstattarget = 0 loop
                    execute format('alter table sluis.%I alter %I set statistics 0', name, col);
                end loop;
                made := made + 1;
            end if;
            first := (first + make_interval(months => spec.step))::date;
        end loop;
    end loop;
    return made;
end $$;
comment on function sluis.provide_months(date) is
    'Makes the monthly partitions up to a day; returns how many were missing.';
create function sluis.drop_months(tab text, before date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    part record;
    -- No period is this short: whoever takes over the role that deletes leaves this month and the last one.
    capped date := least(before, (now() at time zone 'UTC')::date - 30);
begin
    if tab not in ({names}) then
        raise exception 'not a table that is dropped by month' using errcode = 'insufficient_privilege';
    end if;
    for part in
        select c.relname, substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([0-9-]+)')::date as ends
        from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = ('sluis.' || tab)::regclass and pg_get_expr(c.relpartbound, c.oid) like 'FOR VALUES%'
        order by 1
    loop
        if part.ends <= capped then
            execute format('drop table sluis.%I', part.relname);
            return next part.relname;
        end if;
    end loop;
end $$;
comment on function sluis.drop_months(text, date) is
    'Drops the partitions that ended on or before a day, and 30 days ago at the latest; returns their names.';
revoke all on function sluis.provide_months(date), sluis.drop_months(text, date) from public;
grant execute on function sluis.provide_months(date), sluis.drop_months(text, date) to sluis_retention;
"""

#: The least that retention's statements need: rows by date, key and state, and to empty columns. It reads no name of a
#: merchant, no setting, no credential, no ciphertext, and adds nothing but its own records. What it may change of a
#: record of others it may only empty (``_EMPTIED``); the signed head of the chain it can neither delete nor put back.
_GRANTS = """
grant usage on schema sluis to sluis_retention;
grant select (code, created_at, ended_at, key_id, hash_key_wrapped), update (hash_key_wrapped, key_id), delete
    on sluis.merchant to sluis_retention;
grant select, delete on sluis.merchant_period to sluis_retention;
grant select (merchant_code, code, administration_key, state), delete on sluis.integration to sluis_retention;
grant select (merchant_code, integration_code, side, updated_at), delete on sluis.credential to sluis_retention;
grant select, delete, update (reference, order_number, total_cents, vat_cents, package_total_cents, package_vat_cents,
    figures, payment_method, paid, evidence, original_date) on sluis.booking to sluis_retention;
grant select, delete, update (amount_cents, paid_on) on sluis.payment to sluis_retention;
grant select, delete on sluis.debtor_link, sluis.vat_number_check, sluis.run_report, sluis.reconciliation,
    sluis.limiter, sluis.invoicing_month, sluis.statistics_contribution, sluis.register_event to sluis_retention;
grant select, delete, update (shop_order_id, order_number, field, total_cents, warned_at, reduced_at)
    on sluis.quarantine to sluis_retention;
grant select (merchant_code, batch_id, stage, number, items, created_at), delete
    on sluis.transit_chunk to sluis_retention;
grant select, insert, update, delete on sluis.retention_run to sluis_retention;
grant select, insert, delete on sluis.deletion_certificate, sluis.notice, sluis.tombstone to sluis_retention;
grant select, insert, update on sluis.certificate_checkpoint to sluis_retention;
grant select, delete on sluis.hold to sluis_retention;
grant select, insert, update on sluis.invoicing_month to sluis_task;
"""
#: What the role that deletes empties; a value it cannot write there, so that whoever takes it over forges nothing.
_EMPTIED = {
    "merchant": ("hash_key_wrapped", "key_id"),
    "booking": (
        "reference", "order_number", "total_cents", "vat_cents", "package_total_cents", "package_vat_cents", "figures",
        "payment_method", "paid", "evidence", "original_date",
    ),
    "payment": ("amount_cents", "paid_on"),
    "quarantine": ("shop_order_id", "order_number", "field", "total_cents"),
}  # fmt: skip
_ONLY = """
create function sluis.only_emptied() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'retention empties and writes nothing' using errcode = 'insufficient_privilege';
end $$;
comment on function sluis.only_emptied() is 'Keeps the role that deletes from writing a value.';
create function sluis.head_stays() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'a checkpoint is followed by a later one' using errcode = 'insufficient_privilege';
end $$;
comment on function sluis.head_stays() is 'Keeps the role that deletes from putting an older checkpoint back.';
create trigger head_stays before update on sluis.certificate_checkpoint for each row
    when (current_user = 'sluis_retention' and (new.kind <> old.kind or new.sequence < old.sequence))
    execute function sluis.head_stays();
"""
_BOOKED_STAYS = """
create policy booked_stays on sluis.payment as restrictive for delete to sluis_task using (state <> 'booked');
create policy booked_stays on sluis.booking as restrictive for delete to sluis_task
    using (state in ('claimed', 'quarantined') or (state = 'held' and summary_key is null));
create trigger booked_stays before update on sluis.payment for each row
    when (current_user = 'sluis_task' and old.state = 'booked'
        and (new.state <> 'booked' or new.external_id is distinct from old.external_id))
    execute function sluis.booked_stays();
create trigger booked_stays before update on sluis.booking for each row
    when (current_user = 'sluis_task' and old.state = 'booked' and (
        new.state <> 'booked'
        or new.external_id is distinct from old.external_id
        or (new.evidence is not null and new.evidence is distinct from old.evidence)
        or (new.figures is not null and new.figures is distinct from old.figures)
        or (new.total_cents is not null and new.total_cents is distinct from old.total_cents)
        or (new.vat_cents is not null and new.vat_cents is distinct from old.vat_cents)))
    execute function sluis.booked_stays();
"""
_TASK_GRANTS = """
grant select, insert, update, delete on sluis.booking to sluis_task;
grant select, insert, update (last_booked_on), delete on sluis.debtor_link to sluis_task;
grant select, insert, update on sluis.quarantine to sluis_task;
grant select, insert on sluis.run_report, sluis.reconciliation to sluis_task;
grant select, insert, delete, update (state, booked_at, external_id, reason) on sluis.payment to sluis_task;
grant select, insert, delete, update (answer, checked_at, request_id, source) on sluis.vat_number_check to sluis_task;
"""
_PER_MERCHANT = {
    "merchant": "code", "integration": "", "credential": "", "booking": "", "debtor_link": "", "quarantine": "",
    "run_report": "", "transit_chunk": "", "payment": "", "vat_number_check": "", "reconciliation": "",
    "merchant_period": "", "notice": "", "invoicing_month": "",
}  # fmt: skip
_KEYS = {
    "booking": _BOOKING_KEYS, "payment": _PAYMENT_KEYS, "quarantine": _QUARANTINE_KEYS, "debtor_link": _DEBTOR_KEYS,
    "vat_number_check": _CHECK_KEYS, "run_report": _REPORT_KEYS, "reconciliation": _RECONCILIATION_KEYS,
}  # fmt: skip


def upgrade() -> None:
    """Split the tables and give the rights."""
    _one_merchant_each()
    _run(_BOOKING.replace("booking_before", "booking"), _QUARANTINE.replace("quarantine_before", "quarantine"))
    _run(_PAYMENT, _ADMINISTRATION)
    for table in (
        "booking",
        "payment",
        "quarantine",
        "debtor_link",
        "vat_number_check",
        "run_report",
        "reconciliation",
    ):
        split = f"range ({BY_MONTH[table][0]})" if table in BY_MONTH else "hash (merchant_code)"
        _run(_ASIDE.format(table=table), _AGAIN.format(table=table, split=split))
        _run(f"drop index if exists sluis.{table}_open, sluis.{table}_held, sluis.{table}_order, sluis.{table}_issued")
    _months()
    for table in BY_MERCHANT:
        for part in range(PARTS):
            _run(
                f"create table sluis.{table}_{part} partition of sluis.{table}"
                f" for values with (modulus {PARTS}, remainder {part})"
            )
    for table in _KEYS:
        _refill(table)
    for table in reversed(_KEYS):  # the payments before the bookings they belong to
        _run(f"drop table sluis.{table}_before")
    _run(*_KEYS.values())
    _rights()


def _one_merchant_each() -> None:
    """Refuse a store in which two merchants share an administration: only a person can say whose it is."""
    found = op.get_bind().exec_driver_sql(
        """select string_agg(merchant_code || '/' || code, ', ' order by merchant_code, code) from sluis.integration
        where administration_key in (select administration_key from sluis.integration group by administration_key
        having count(distinct merchant_code) > 1)"""
    )
    if (shared := found.scalar_one()) is not None:
        raise NotConfigured(
            f"integrations of two merchants share an administration, and it is one merchant's: {shared};"
            " delete those that are not its owner's before this upgrade",
            code="administration_taken",
        )


def _run(*statements: str) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))  # the driver takes a single one for a parameter


def _months() -> None:
    """Make the months there are rows of, this year's and the next one's: months of UTC, whatever the server's zone."""
    _run("set local timezone = 'UTC'")
    values = ", ".join(f"('{table}', {step})" for table, (_, step) in BY_MONTH.items())
    names = ", ".join(f"'{table}'" for table in BY_MONTH)
    _run(_MONTHS.replace("{values}", values).replace("{names}", names))
    for table, (column, _) in BY_MONTH.items():
        if table == "statistics_contribution":
            continue
        _run(
            f"""do $$ declare first date; begin
            for first in select distinct date_trunc('month', {column} at time zone 'UTC')::date
                from sluis.{table}_before where {column} < date_trunc('year', now()) loop
                execute format('create table sluis.%I partition of sluis.{table} for values from (%L) to (%L)',
                    '{table}' || to_char(first, '_YYYY_MM'), first, (first + interval '1 month')::date);
            end loop; end $$"""
        )
    _run("select sluis.provide_months((date_trunc('year', now()) + interval '2 years')::date)")


def _refill(table: str) -> None:
    found = op.get_bind().exec_driver_sql(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        f" where attrelid = 'sluis.{table}_before'::regclass and attnum > 0 and not attisdropped"
    )
    columns = found.scalar_one()
    _run(f"insert into sluis.{table} ({columns}) select {columns} from sluis.{table}_before")


def _rights() -> None:
    own = "merchant_code = current_setting('sluis.merchant', true)"
    for table in (*BY_MERCHANT, "run_report", "reconciliation", "merchant_period", "notice", "invoicing_month"):
        _run(
            f"alter table sluis.{table} enable row level security",
            f"create policy own_merchant on sluis.{table} using ({own}) with check ({own})",
        )
    for table in _PER_MERCHANT:
        _run(f"create policy retention on sluis.{table} to sluis_retention using (true) with check (true)")
    _run(_TASK_GRANTS, _BOOKED_STAYS, _GRANTS, _ONLY)
    for table, columns in _EMPTIED.items():
        written = " or ".join(f"(new.{c} is not null and new.{c} is distinct from old.{c})" for c in columns)
        _run(
            f"""create trigger only_emptied before update on sluis.{table} for each row
            when (current_user = 'sluis_retention' and ({written})) execute function sluis.only_emptied()"""
        )
    _run(
        """do $$ declare part regclass; begin
        for part in select c.oid::regclass from pg_class as c where c.relnamespace = 'sluis'::regnamespace
            and c.relkind = 'r' and not c.relname = 'alembic_version' loop
            execute format('grant maintain on %s to sluis_retention', part);
        end loop; end $$"""
    )
