"""Anonymous statistics: who agreed, what was counted, what is frozen, and the releases that nobody changes any more."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_MERCHANT = """
alter table sluis.merchant
    add column enterprise text check (enterprise ~ '^m[a-z0-9]{1,31}$'),
    add column statistics_agreed_at timestamptz,
    add column statistics_objected_at timestamptz;
comment on column sluis.merchant.enterprise is
    'Code of the merchant whose enterprise this one is part of; null: an enterprise of his own.';
comment on column sluis.merchant.statistics_agreed_at is
    'When he agreed to anonymous statistics in the processing agreement; null: he did not.';
comment on column sluis.merchant.statistics_objected_at is
    'When he objected to them (GDPR art. 21); null: he did not.';
"""
#: What stood before is not counted: nobody had agreed to it.
_BOOKING = """
alter table sluis.booking add column contributed boolean not null default true;
alter table sluis.booking alter column contributed set default false;
comment on column sluis.booking.contributed is 'Whether it was counted for the anonymous statistics, or left out.';
create index booking_uncounted on sluis.booking (merchant_code, integration_code)
    where state = 'booked' and not contributed and kind <> 'day_summary';
"""
_TABLES = """
create table sluis.statistics_refusal (
    merchant_code text not null,
    quarter date not null check (extract(day from quarter) = 1 and extract(month from quarter) in (1, 4, 7, 10)),
    reason text not null,
    documents int not null check (documents > 0),
    primary key (merchant_code, quarter, reason)
);
comment on table sluis.statistics_refusal is
    'Documents that were booked but could not be counted for the statistics, by reason.';
comment on column sluis.statistics_refusal.merchant_code is 'The merchant.';
comment on column sluis.statistics_refusal.quarter is 'First day of the quarter it would have been counted in.';
comment on column sluis.statistics_refusal.reason is 'Why, a code.';
comment on column sluis.statistics_refusal.documents is 'How many documents.';

create table sluis.statistics_freeze (
    quarter date primary key check (extract(day from quarter) = 1 and extract(month from quarter) in (1, 4, 7, 10)),
    frozen_at timestamptz not null default now(),
    contributions int not null,
    enterprises int not null,
    provisional boolean not null,
    input_hash bytea not null check (octet_length(input_hash) = 32)
);
comment on table sluis.statistics_freeze is 'Quarters whose input is closed: what comes later counts in the next one.';
comment on column sluis.statistics_freeze.quarter is 'First day of the quarter.';
comment on column sluis.statistics_freeze.frozen_at is 'When it was closed.';
comment on column sluis.statistics_freeze.contributions is 'How many rows it holds.';
comment on column sluis.statistics_freeze.enterprises is 'Of how many enterprises.';
comment on column sluis.statistics_freeze.provisional is
    'Whether the books of some live integration had not reached the end of the quarter.';
comment on column sluis.statistics_freeze.input_hash is 'SHA-256 over the rows, so that a release is of this input.';

create table sluis.statistics_release (
    number int primary key check (number > 0),
    quarter date not null unique references sluis.statistics_freeze (quarter),
    released_at timestamptz not null,
    document text not null,
    sha256 bytea not null check (octet_length(sha256) = 32),
    previous_sha256 bytea check (octet_length(previous_sha256) = 32),
    audit jsonb not null,
    check ((number = 1) = (previous_sha256 is null))
);
comment on table sluis.statistics_release is 'The releases, anonymous and public; never changed, never deleted.';
comment on column sluis.statistics_release.number is 'Number of the release, from 1 without gaps.';
comment on column sluis.statistics_release.quarter is 'First day of its quarter.';
comment on column sluis.statistics_release.released_at is 'When it was published.';
comment on column sluis.statistics_release.document is 'The release as canonical JSON: published figures only.';
comment on column sluis.statistics_release.sha256 is 'SHA-256 of the document.';
comment on column sluis.statistics_release.previous_sha256 is 'That of the release before.';
comment on column sluis.statistics_release.audit is 'The audit: counts, shares and seconds; no unpublished figure.';
"""
#: A backup that is poured back inserts and so passes; an owner can drop a trigger, the chain of hashes shows it.
_GUARDS = """
create function sluis.statistics_frozen() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from sluis.statistics_freeze as f where f.quarter >= new.quarter) then
        raise exception 'the quarter is frozen'
            using errcode = 'check_violation', constraint = 'statistics_frozen', table = tg_table_name;
    end if;
    return new;
end $$;
comment on function sluis.statistics_frozen() is 'Keeps figures out of a quarter whose input is closed.';
create trigger statistics_frozen before insert or update on sluis.statistics_contribution
    for each row execute function sluis.statistics_frozen();
create function sluis.statistics_stays() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'a release is never changed'
        using errcode = 'insufficient_privilege', constraint = 'statistics_stays', table = tg_table_name;
end $$;
comment on function sluis.statistics_stays() is 'Keeps releases as they were published.';
create trigger statistics_stays before update or delete on sluis.statistics_release
    for each row execute function sluis.statistics_stays();
create trigger statistics_stays_whole before truncate on sluis.statistics_release
    for each statement execute function sluis.statistics_stays();
create function sluis.statistics_open_quarter() returns date
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select (max(quarter) + interval '3 months')::date from sluis.statistics_freeze;
end;
comment on function sluis.statistics_open_quarter() is 'The first quarter that is not frozen; null: none is frozen.';
revoke all on function sluis.statistics_frozen(), sluis.statistics_stays(), sluis.statistics_open_quarter() from public;
grant execute on function sluis.statistics_open_quarter() to sluis_task, sluis_statistics;
"""
_RIGHTS = """
alter table sluis.statistics_contribution enable row level security;
alter table sluis.statistics_refusal enable row level security;
create policy own_merchant on sluis.statistics_contribution
    using (merchant_code = current_setting('sluis.merchant', true))
    with check (merchant_code = current_setting('sluis.merchant', true));
create policy own_merchant on sluis.statistics_refusal
    using (merchant_code = current_setting('sluis.merchant', true))
    with check (merchant_code = current_setting('sluis.merchant', true));
create policy retention on sluis.statistics_contribution to sluis_retention using (true) with check (true);
create policy retention on sluis.statistics_refusal to sluis_retention using (true) with check (true);
create policy statistics on sluis.statistics_contribution for select to sluis_statistics using (true);
create policy statistics on sluis.statistics_refusal for select to sluis_statistics using (true);
create policy statistics on sluis.merchant for select to sluis_statistics using (true);
create policy statistics on sluis.integration for select to sluis_statistics using (true);
grant usage on schema sluis to sluis_statistics;
grant select (code, enterprise, statistics_agreed_at, statistics_objected_at, ended_at) on sluis.merchant
    to sluis_statistics;
grant select (merchant_code, code, state, watermark) on sluis.integration to sluis_statistics;
grant select on sluis.statistics_contribution, sluis.statistics_refusal to sluis_statistics;
grant select, insert, update (frozen_at, contributions, enterprises, provisional, input_hash)
    on sluis.statistics_freeze to sluis_statistics;
grant select, insert on sluis.statistics_release to sluis_statistics;
grant select (statistics_agreed_at, statistics_objected_at) on sluis.merchant to sluis_task;
grant select, insert, update (revenue_cents, revenue_vat_cents, refunds_cents, refunds_vat_cents, documents)
    on sluis.statistics_contribution to sluis_task;
grant select, insert, update (documents) on sluis.statistics_refusal to sluis_task;
grant select, delete, maintain on sluis.statistics_refusal to sluis_retention;
grant select (quarter, released_at) on sluis.statistics_release to sluis_retention;
"""


def upgrade() -> None:
    """Add columns, tables, guards and rights."""
    for part in (_MERCHANT, _BOOKING, _TABLES, _GUARDS, _RIGHTS):
        op.get_bind().exec_driver_sql(part.replace("%", "%%"))
