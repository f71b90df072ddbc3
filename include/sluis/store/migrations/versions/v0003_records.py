"""The records of retention: what was planned, deleted, held and published; periods of merchants; our own invoicing.

The role that deletes is made here too; its rights come with the next step, once the tables are split.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_ROLE = """do $$ begin
    if not exists (select from pg_roles where rolname = 'sluis_retention') then
        create role sluis_retention login nosuperuser nocreatedb nocreaterole noinherit nobypassrls;
    end if;
exception when duplicate_object or unique_violation then null;
end $$"""

_MERCHANT = """
alter table sluis.merchant
    alter column hash_key_wrapped drop not null,
    alter column key_id drop not null,
    add check ((hash_key_wrapped is null) = (key_id is null));
comment on column sluis.merchant.hash_key_wrapped is
    'The merchant''s key for keyed hashes, sealed by a key outside the database; emptied 30 days after the contract.';
"""

_NEW = """
create table sluis.merchant_period (
    merchant_code text not null references sluis.merchant (code),
    category text not null,
    period text not null,
    set_at timestamptz not null default now(),
    primary key (merchant_code, category)
);
comment on table sluis.merchant_period is 'Periods of the register that a merchant chose shorter for himself.';
comment on column sluis.merchant_period.merchant_code is 'The merchant.';
comment on column sluis.merchant_period.category is 'Category of the register.';
comment on column sluis.merchant_period.period is 'ISO 8601 duration, not longer than the register''s.';
comment on column sluis.merchant_period.set_at is 'When he chose it.';

create table sluis.notice (
    id bigint generated always as identity primary key,
    merchant_code text not null references sluis.merchant (code),
    integration_code text,
    cause text not null,
    documents int not null default 1,
    made_at timestamptz not null default now(),
    told_at timestamptz
);
comment on table sluis.notice is 'What a merchant is to be told, once per cause. No document, no person.';
comment on column sluis.notice.id is 'Number of the notice.';
comment on column sluis.notice.merchant_code is 'The merchant.';
comment on column sluis.notice.integration_code is 'The integration, where it is about one.';
comment on column sluis.notice.cause is 'What it is about, a code.';
comment on column sluis.notice.documents is 'How many documents it is about.';
comment on column sluis.notice.made_at is 'When the cause arose.';
comment on column sluis.notice.told_at is 'When he was told.';

create table sluis.invoicing_month (
    merchant_code text not null references sluis.merchant (code),
    month date not null check (extract(day from month) = 1),
    documents int not null check (documents >= 0),
    primary key (merchant_code, month)
);
comment on table sluis.invoicing_month is 'How many documents we booked for a merchant: what our own invoice rests on.';
comment on column sluis.invoicing_month.merchant_code is 'The merchant.';
comment on column sluis.invoicing_month.month is 'First day of the month, UTC.';
comment on column sluis.invoicing_month.documents is 'Documents booked in that month.';

create table sluis.statistics_contribution (
    merchant_code text not null,
    quarter date not null check (extract(day from quarter) = 1 and extract(month from quarter) in (1, 4, 7, 10)),
    country text not null,
    vat_rate numeric(5, 2) not null,
    platform text not null,
    package text not null,
    revenue_cents bigint not null check (revenue_cents >= 0),
    revenue_vat_cents bigint not null check (revenue_vat_cents >= 0),
    refunds_cents bigint not null check (refunds_cents >= 0),
    refunds_vat_cents bigint not null check (refunds_vat_cents >= 0),
    documents int not null check (documents >= 0),
    primary key (merchant_code, quarter, country, vat_rate, platform, package)
) partition by range (quarter);
comment on table sluis.statistics_contribution is
    'Input of the anonymous statistics, per merchant and quarter; no order, no customer.';
comment on column sluis.statistics_contribution.merchant_code is
    'The merchant; can be a sole trader, so it never leaves this table.';
comment on column sluis.statistics_contribution.quarter is 'First day of the quarter.';
comment on column sluis.statistics_contribution.country is 'Country of the VAT.';
comment on column sluis.statistics_contribution.vat_rate is 'VAT rate in percent.';
comment on column sluis.statistics_contribution.platform is 'Name of the shop connector.';
comment on column sluis.statistics_contribution.package is 'Name of the accounting connector.';
comment on column sluis.statistics_contribution.revenue_cents is 'Revenue without VAT, euro cents.';
comment on column sluis.statistics_contribution.revenue_vat_cents is 'VAT on the revenue, euro cents.';
comment on column sluis.statistics_contribution.refunds_cents is 'Refunds without VAT, euro cents, positive.';
comment on column sluis.statistics_contribution.refunds_vat_cents is 'VAT on the refunds, euro cents, positive.';
comment on column sluis.statistics_contribution.documents is 'How many documents.';

create table sluis.retention_run (
    id bigint generated always as identity primary key,
    dag_run_id text not null,
    merchant_code text,
    category text,
    state text not null check (state in ('planned', 'waiting', 'deleting', 'proved', 'certified', 'superseded')),
    clock timestamptz not null,
    register_version int not null,
    register_hash bytea not null,
    plan jsonb not null,
    plan_hash bytea not null,
    confirmed_at timestamptz,
    done jsonb not null default '{}',
    started_at timestamptz not null default now(),
    ended_at timestamptz
);
comment on table sluis.retention_run is
    'Runs of retention: what was planned, what is done of it; counts and dates.';
comment on column sluis.retention_run.id is 'Number of the run.';
comment on column sluis.retention_run.dag_run_id is 'The DAG run, or cli.';
comment on column sluis.retention_run.merchant_code is 'The one merchant it was asked for; null: all.';
comment on column sluis.retention_run.category is 'The one category it was asked for; null: all.';
comment on column sluis.retention_run.state is
    'planned, waiting (for a person), deleting, proved, certified or superseded (by a newer plan).';
comment on column sluis.retention_run.clock is 'The moment from which all periods were counted back.';
comment on column sluis.retention_run.register_version is 'Version of the register.';
comment on column sluis.retention_run.register_hash is 'SHA-256 of the register.';
comment on column sluis.retention_run.plan is
    'Per category the cutoff and the counts, and merchants with another one; by digests once it is over.';
comment on column sluis.retention_run.plan_hash is 'SHA-256 over the plan, merchants by their digests.';
comment on column sluis.retention_run.confirmed_at is 'When a person confirmed an unusually large plan.';
comment on column sluis.retention_run.done is 'Per category what was deleted so far, and what the proof counted.';
comment on column sluis.retention_run.started_at is 'When it was planned.';
comment on column sluis.retention_run.ended_at is 'When it ended.';

create table sluis.deletion_certificate (
    sequence bigint primary key,
    retention_run_id bigint not null unique,
    made_at timestamptz not null,
    dag_run_id text not null,
    merchant_code text,
    register_version int not null,
    register_hash bytea not null,
    plan_hash bytea not null,
    code_version text not null,
    deletions jsonb not null,
    holds int not null,
    backups_gone_on date,
    previous_hash bytea not null,
    hash bytea not null
);
comment on table sluis.deletion_certificate is 'What retention deleted, as a chain of hashes; counts and dates.';
comment on column sluis.deletion_certificate.sequence is 'Place in the chain, from 1, without gaps.';
comment on column sluis.deletion_certificate.retention_run_id is 'Run of retention that it certifies, once.';
comment on column sluis.deletion_certificate.made_at is 'When it was written.';
comment on column sluis.deletion_certificate.dag_run_id is 'The DAG run, or cli.';
comment on column sluis.deletion_certificate.merchant_code is 'The one merchant it is about; null: all.';
comment on column sluis.deletion_certificate.register_version is 'Version of the register.';
comment on column sluis.deletion_certificate.register_hash is 'SHA-256 of the register.';
comment on column sluis.deletion_certificate.plan_hash is 'SHA-256 of the plan that was carried out.';
comment on column sluis.deletion_certificate.code_version is 'Version of sluis.';
comment on column sluis.deletion_certificate.deletions is 'Per category and table: cutoff, counts before and after.';
comment on column sluis.deletion_certificate.holds is 'How many holds kept something from being deleted.';
comment on column sluis.deletion_certificate.backups_gone_on is 'Day on which the last backup with the data expires.';
comment on column sluis.deletion_certificate.previous_hash is 'hash of the certificate before it.';
comment on column sluis.deletion_certificate.hash is
    'SHA-256 over this certificate''s canonical JSON, previous_hash included.';

create table sluis.certificate_checkpoint (
    sequence bigint not null,
    kind text primary key check (kind in ('head', 'dropped')),
    hash bytea not null,
    certified_at timestamptz not null,
    made_at timestamptz not null default now(),
    public_key bytea not null,
    signature bytea not null
);
comment on table sluis.certificate_checkpoint is
    'Signed statements of the chain of certificates: its head, and where it starts once its oldest links were dropped.';
comment on column sluis.certificate_checkpoint.sequence is 'Sequence of the certificate it is about.';
comment on column sluis.certificate_checkpoint.kind is 'head: the last one; dropped: it and those before were dropped.';
comment on column sluis.certificate_checkpoint.hash is 'hash of that certificate.';
comment on column sluis.certificate_checkpoint.certified_at is 'When that certificate was made.';
comment on column sluis.certificate_checkpoint.made_at is 'When the statement was made.';
comment on column sluis.certificate_checkpoint.public_key is 'Ed25519 key that verifies the signature.';
comment on column sluis.certificate_checkpoint.signature is 'Ed25519 over the other columns but the key.';

create table sluis.hold (
    id bigint generated always as identity primary key,
    merchant_code text references sluis.merchant (code),
    category text,
    reason text not null check (reason ~ '^[a-z][a-z0-9_]{1,40}$'),
    owner text not null check (owner ~ '^[a-z][a-z0-9_.-]{1,40}$'),
    made_at timestamptz not null default now(),
    ends_on date not null,
    released_at timestamptz,
    check (merchant_code is not null or category is not null)
);
comment on table sluis.hold is 'What must not be deleted for now, and who answers for that.';
comment on column sluis.hold.id is 'Number of the hold.';
comment on column sluis.hold.merchant_code is 'The merchant; null: all.';
comment on column sluis.hold.category is 'The category of the register; null: all of the merchant.';
comment on column sluis.hold.reason is 'Reason code, never free text.';
comment on column sluis.hold.owner is 'Role or desk that answers for it, never a person''s name.';
comment on column sluis.hold.made_at is 'When it was made.';
comment on column sluis.hold.ends_on is 'Last day of it; after that it holds nothing.';
comment on column sluis.hold.released_at is 'When it was ended before its day.';

create table sluis.tombstone (
    id uuid primary key default gen_random_uuid(),
    made_at timestamptz not null default now(),
    kind text not null check (kind in ('credential', 'integration', 'merchant')),
    merchant_code text not null,
    integration_code text
);
comment on table sluis.tombstone is
    'Deletions that follow from no period: a restored backup is made to forget them again. No customer.';
comment on column sluis.tombstone.id is 'Number of the tombstone.';
comment on column sluis.tombstone.made_at is 'When it was deleted.';
comment on column sluis.tombstone.kind is 'credential, integration or merchant: what ended.';
comment on column sluis.tombstone.merchant_code is 'The merchant.';
comment on column sluis.tombstone.integration_code is 'The integration.';

create table sluis.register_event (
    version int primary key,
    hash bytea not null,
    published_at timestamptz not null default now(),
    changes jsonb not null
);
comment on table sluis.register_event is
    'Versions of the register as they came into force; notices and agreements cite them.';
comment on column sluis.register_event.version is 'Version of the register.';
comment on column sluis.register_event.hash is 'SHA-256 of its file.';
comment on column sluis.register_event.published_at is 'When it came into force here.';
comment on column sluis.register_event.changes is 'What differs from the version before, per category.';
"""


def upgrade() -> None:
    """Add the role and the tables."""
    for statement in (_ROLE, _MERCHANT, _NEW):
        op.get_bind().exec_driver_sql(statement)
