"""The first schema: merchants, integrations, bookings, quarantine, run reports, transit, limiter.

Column comments say what a column is and whether it says something about a person; the register is held against them.
There is no way down: a step back in production is a restore, not a script nobody ran before.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_MERCHANT = """
create table sluis.merchant (
    code text primary key check (code ~ '^[a-z0-9]{2,32}$'),
    name text not null,
    hash_key_wrapped bytea not null,
    key_id text not null,
    created_at timestamptz not null default now(),
    ended_at timestamptz
);
comment on table sluis.merchant is 'The customers of the service.';
comment on column sluis.merchant.code is 'Opaque random code, the merchant''s name everywhere else.';
comment on column sluis.merchant.name is 'Name of the merchant; may be a sole trader''s. Hidden from the task role.';
comment on column sluis.merchant.hash_key_wrapped is
    'The merchant''s key for keyed hashes, sealed by a key outside the database; dies with the contract.';
comment on column sluis.merchant.key_id is 'Which key of the keyring sealed hash_key_wrapped.';
comment on column sluis.merchant.created_at is 'When the merchant was added.';
comment on column sluis.merchant.ended_at is 'When the contract ended; retention counts from here.';
"""

_INTEGRATION = """
create table sluis.integration (
    merchant_code text not null references sluis.merchant (code),
    code text not null check (code ~ '^[a-z0-9_]{1,64}$'),
    shop text not null,
    package text not null,
    state text not null default 'preview' check (state in ('preview', 'live', 'paused', 'reconnect', 'ended')),
    state_reason text,
    settings jsonb not null,
    settings_version int not null default 1,
    administration_key text not null,
    watermark timestamptz,
    report_sequence bigint not null default 0,
    report_hash bytea,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (merchant_code, code),
    unique (merchant_code, code, administration_key)
);
comment on table sluis.integration is 'One shop of a merchant tied to one administration in one accounting package.';
comment on column sluis.integration.merchant_code is 'The merchant.';
comment on column sluis.integration.code is 'Code of the integration, unique per merchant.';
comment on column sluis.integration.shop is 'Name of the shop connector.';
comment on column sluis.integration.package is 'Name of the accounting connector.';
comment on column sluis.integration.state is 'preview, live, paused, reconnect or ended.';
comment on column sluis.integration.state_reason is 'Reason code of the state; never free text.';
comment on column sluis.integration.settings is
    'The merchant''s bookkeeping choices and mappings; no credential, no person.';
comment on column sluis.integration.settings_version is
    'Counts the changes of settings; every run reports the one it used.';
comment on column sluis.integration.administration_key is
    'Package and administration; who shares it shares debtors, number space and the lock on writing.';
comment on column sluis.integration.watermark is
    'Everything changed in the shop before this moment was proved handled.';
comment on column sluis.integration.report_sequence is 'Sequence of the last run report: head of the chain.';
comment on column sluis.integration.report_hash is 'SHA-256 of the last run report: head of the chain.';
comment on column sluis.integration.created_at is 'When the integration was added.';
comment on column sluis.integration.updated_at is 'When the row last changed.';
"""

_CREDENTIAL = """
create table sluis.credential (
    merchant_code text not null,
    integration_code text not null,
    side text not null check (side in ('shop', 'package')),
    key_id text not null,
    ciphertext bytea not null,
    updated_at timestamptz not null default now(),
    primary key (merchant_code, integration_code, side),
    foreign key (merchant_code, integration_code) references sluis.integration (merchant_code, code)
);
comment on table sluis.credential is 'Shop keys and tokens of accounting packages, sealed.';
comment on column sluis.credential.merchant_code is 'The merchant.';
comment on column sluis.credential.integration_code is 'The integration.';
comment on column sluis.credential.side is 'shop or package.';
comment on column sluis.credential.key_id is 'Which key of the keyring sealed it.';
comment on column sluis.credential.ciphertext is 'The credential, AES-256-GCM, bound to its row.';
comment on column sluis.credential.updated_at is 'When it was stored, refreshed or sealed anew.';
"""

_BOOKING = """
create table sluis.booking (
    merchant_code text not null,
    integration_code text not null,
    administration_key text not null,
    kind text not null check (kind in ('invoice', 'credit_note')),
    document_key bytea not null check (octet_length(document_key) = 32),
    revision int not null check (revision >= 0),
    state text not null check (state in ('claimed', 'booked', 'quarantined')),
    reference text not null,
    order_number text,
    claimed_at timestamptz not null default now(),
    attempts int not null default 1,
    booked_at timestamptz,
    external_id text,
    debtor_id text,
    fingerprint bytea not null,
    total_cents bigint,
    vat_cents bigint,
    package_total_cents bigint,
    package_vat_cents bigint,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    issue_date date not null,
    adopted boolean not null default false,
    reason text,
    run_id text not null,
    primary key (merchant_code, integration_code, kind, document_key, revision),
    constraint booking_reference_key unique (administration_key, reference),
    -- With the administration: a task must not take a number in another merchant's books.
    foreign key (merchant_code, integration_code, administration_key)
        references sluis.integration (merchant_code, code, administration_key),
    check (state <> 'booked' or (external_id is not null and booked_at is not null))
);
comment on table sluis.booking is 'One row per document and revision: whether it reached the books.';
comment on column sluis.booking.merchant_code is 'The merchant.';
comment on column sluis.booking.integration_code is 'The integration.';
comment on column sluis.booking.administration_key is
    'The administration, whose number space the reference is unique in.';
comment on column sluis.booking.kind is 'invoice or credit_note.';
comment on column sluis.booking.document_key is
    'Keyed hash of the shop''s order or refund id (pseudonymous); guards against double booking.';
comment on column sluis.booking.revision is '0, and one more for each replacement after a correction.';
comment on column sluis.booking.state is 'claimed, booked or quarantined.';
comment on column sluis.booking.reference is
    'Number of the document in the books; holds the order number (pseudonymous).';
comment on column sluis.booking.order_number is
    'The shop''s order number (pseudonymous), for support; emptied by retention.';
comment on column sluis.booking.claimed_at is 'When it was last claimed.';
comment on column sluis.booking.attempts is 'How often it was claimed.';
comment on column sluis.booking.booked_at is 'When the package''s answer was recorded.';
comment on column sluis.booking.external_id is 'The package''s id of the document (pseudonymous).';
comment on column sluis.booking.debtor_id is 'The package''s id of the debtor (pseudonymous).';
comment on column sluis.booking.fingerprint is 'Keyed hash of what the books hold of the document, to notice changes.';
comment on column sluis.booking.total_cents is 'Total with VAT as sent, in cents, signed; emptied by retention.';
comment on column sluis.booking.vat_cents is 'VAT as sent, in cents, signed; emptied by retention.';
comment on column sluis.booking.package_total_cents is 'Total with VAT as the package computed it, in cents, signed.';
comment on column sluis.booking.package_vat_cents is 'VAT as the package computed it, in cents, signed.';
comment on column sluis.booking.currency is 'ISO 4217 code of the amounts.';
comment on column sluis.booking.issue_date is 'Date of the document, in the shop''s time zone.';
comment on column sluis.booking.adopted is 'True: found in the books, not created by sluis.';
comment on column sluis.booking.reason is 'Reason code of the quarantine.';
comment on column sluis.booking.run_id is 'The DAG run that claimed or adopted it last.';
"""

_DEBTOR_LINK = """
create table sluis.debtor_link (
    merchant_code text not null references sluis.merchant (code),
    administration_key text not null,
    customer_key text not null,
    debtor_id text not null,
    created_at timestamptz not null default now(),
    last_booked_on date,
    primary key (merchant_code, administration_key, customer_key)
);
comment on table sluis.debtor_link is 'Which debtor in the books is which customer.';
comment on column sluis.debtor_link.merchant_code is 'The merchant.';
comment on column sluis.debtor_link.administration_key is 'The administration the debtor stands in.';
comment on column sluis.debtor_link.customer_key is
    'Keyed hash of the customer''s e-mail address or account number (pseudonymous).';
comment on column sluis.debtor_link.debtor_id is 'The package''s id of the debtor (pseudonymous).';
comment on column sluis.debtor_link.created_at is 'When the link was made.';
comment on column sluis.debtor_link.last_booked_on is 'Date of the last booking on it; retention counts from here.';
"""

_QUARANTINE = """
create table sluis.quarantine (
    merchant_code text not null,
    integration_code text not null,
    kind text not null check (kind in ('invoice', 'credit_note')),
    document_key bytea not null check (octet_length(document_key) = 32),
    shop_order_id text not null,
    order_number text not null,
    reason text not null,
    field text,
    currency text not null,
    total_cents bigint,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    attempts int not null default 1,
    offered_at timestamptz,
    closed_at timestamptz,
    closed_as text,
    primary key (merchant_code, integration_code, kind, document_key),
    foreign key (merchant_code, integration_code) references sluis.integration (merchant_code, code)
);
create index quarantine_open on sluis.quarantine (merchant_code, integration_code) where closed_at is null;
comment on table sluis.quarantine is 'Documents that could not be booked and wait for a person. No payload.';
comment on column sluis.quarantine.merchant_code is 'The merchant.';
comment on column sluis.quarantine.integration_code is 'The integration.';
comment on column sluis.quarantine.kind is 'invoice or credit_note.';
comment on column sluis.quarantine.document_key is 'Keyed hash of the shop''s order or refund id (pseudonymous).';
comment on column sluis.quarantine.shop_order_id is
    'The shop''s order id (pseudonymous), plain because the order is fetched from the shop again by it.';
comment on column sluis.quarantine.order_number is 'The shop''s order number (pseudonymous), for support.';
comment on column sluis.quarantine.reason is 'Reason code.';
comment on column sluis.quarantine.field is 'Name of the field that is wrong; never its content.';
comment on column sluis.quarantine.currency is 'ISO 4217 code, empty where it could not be read.';
comment on column sluis.quarantine.total_cents is 'Total with VAT in cents, signed; null where it could not be read.';
comment on column sluis.quarantine.first_seen is 'When it first came here.';
comment on column sluis.quarantine.last_seen is 'When it last came here.';
comment on column sluis.quarantine.attempts is 'How often it came here.';
comment on column sluis.quarantine.offered_at is 'Since when it waits to be tried again.';
comment on column sluis.quarantine.closed_at is 'When it was settled.';
comment on column sluis.quarantine.closed_as is 'What became of it, a code.';
"""

_RUN_REPORT = """
create table sluis.run_report (
    merchant_code text not null,
    integration_code text not null,
    sequence bigint not null,
    dag_run_id text not null,
    try_number int not null,
    run_type text not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    window_start timestamptz,
    window_end timestamptz,
    settings_version int not null,
    rules_version text not null,
    code_version text not null,
    shop_count int,
    extracted int not null,
    tally jsonb not null,
    lines_hash bytea not null,
    previous_hash bytea not null,
    hash bytea not null,
    primary key (merchant_code, integration_code, sequence),
    foreign key (merchant_code, integration_code) references sluis.integration (merchant_code, code)
);
comment on table sluis.run_report is 'What every run proved, as a chain of hashes. No document, no person.';
comment on column sluis.run_report.merchant_code is 'The merchant.';
comment on column sluis.run_report.integration_code is 'The integration.';
comment on column sluis.run_report.sequence is 'Place in the chain of the integration, from 1, without gaps.';
comment on column sluis.run_report.dag_run_id is 'The DAG run.';
comment on column sluis.run_report.try_number is 'Which try of the task wrote it.';
comment on column sluis.run_report.run_type is 'scheduled, manual or backfill.';
comment on column sluis.run_report.started_at is 'When the run started.';
comment on column sluis.run_report.ended_at is 'When it had booked everything.';
comment on column sluis.run_report.window_start is 'Start of what was read.';
comment on column sluis.run_report.window_end is 'End of what was read, not included.';
comment on column sluis.run_report.settings_version is 'Version of the settings used.';
comment on column sluis.run_report.rules_version is 'Version of the VAT rule table used.';
comment on column sluis.run_report.code_version is 'Version of sluis.';
comment on column sluis.run_report.shop_count is 'How many orders the shop said it has in the window.';
comment on column sluis.run_report.extracted is 'How many documents were read.';
comment on column sluis.run_report.tally is 'Counts and cents per result.';
comment on column sluis.run_report.lines_hash is 'SHA-256 over the run''s document lines in the log.';
comment on column sluis.run_report.previous_hash is 'hash of the report before it.';
comment on column sluis.run_report.hash is 'SHA-256 over this report''s canonical JSON, previous_hash included.';
"""

_TRANSIT = """
create unlogged table sluis.transit_chunk (
    merchant_code text not null,
    batch_id text not null,
    stage text not null,
    number int not null,
    items int not null,
    key_id text not null,
    ciphertext bytea not null,
    created_at timestamptz not null default now(),
    primary key (merchant_code, batch_id, stage, number)
);
alter table sluis.transit_chunk alter column ciphertext set storage external;
comment on table sluis.transit_chunk is
    'Orders between two tasks of one run, encrypted; in no WAL, replica or archive.';
comment on column sluis.transit_chunk.merchant_code is 'The merchant.';
comment on column sluis.transit_chunk.batch_id is 'The DAG run''s batch.';
comment on column sluis.transit_chunk.stage is 'Which hand-over.';
comment on column sluis.transit_chunk.number is
    'Number of the chunk from 0; -1 is the seal, which says how many there are.';
comment on column sluis.transit_chunk.items is 'How many documents the chunk holds.';
comment on column sluis.transit_chunk.key_id is 'Which key of the keyring the batch''s key is derived from.';
comment on column sluis.transit_chunk.ciphertext is
    'Orders with personal data of customers, AES-256-GCM under a key of the batch; deleted when the run ends.';
comment on column sluis.transit_chunk.created_at is 'When it was written; what a crash left is swept by this.';
"""

_LIMITER = """
create table sluis.limiter (
    key text primary key,
    limit_calls int,
    period_seconds int not null,
    used int not null default 0,
    window_end timestamptz,
    blocked_until timestamptz,
    updated_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table sluis.limiter is 'Calls of the vendors'' current windows, counted over all processes.';
comment on column sluis.limiter.key is 'Vendor and SHA-256 of what he limits by (a token).';
comment on column sluis.limiter.limit_calls is 'Calls per window; null: unknown.';
comment on column sluis.limiter.period_seconds is 'Length of a window.';
comment on column sluis.limiter.used is 'Calls taken in the current window.';
comment on column sluis.limiter.window_end is 'When the current window ends.';
comment on column sluis.limiter.blocked_until is 'The vendor said: nothing before this moment.';
comment on column sluis.limiter.updated_at is 'When it last changed.';
"""

_FUNCTION = """
create function sluis.active_integrations()
returns table (merchant text, code text, shop text, package text, state text, interval_minutes int, timezone text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select i.merchant_code, i.code, i.shop, i.package, i.state,
        coalesce((i.settings ->> 'interval_minutes')::int, 60),
        coalesce(i.settings ->> 'timezone', 'Europe/Amsterdam')
    from sluis.integration as i join sluis.merchant as m on m.code = i.merchant_code
    where i.state <> 'ended' and m.ended_at is null
    order by i.merchant_code, i.code;
end;
comment on function sluis.active_integrations() is
    'What the DAG factory may know of all merchants'' integrations: codes, states and schedules.';
revoke all on function sluis.active_integrations() from public;
"""

_BY_MERCHANT = {
    "merchant": "code",
    "integration": "merchant_code",
    "credential": "merchant_code",
    "booking": "merchant_code",
    "debtor_link": "merchant_code",
    "quarantine": "merchant_code",
    "run_report": "merchant_code",
    "transit_chunk": "merchant_code",
}

#: The least that the tasks' statements need. A run report can be added, never changed.
_GRANTS = """
grant usage on schema sluis to sluis_task;
grant select (code, hash_key_wrapped, key_id, created_at, ended_at) on sluis.merchant to sluis_task;
grant select, update (state, state_reason, watermark, report_sequence, report_hash, updated_at)
    on sluis.integration to sluis_task;
grant select, update (key_id, ciphertext, updated_at) on sluis.credential to sluis_task;
grant select, insert, update, delete on sluis.booking to sluis_task;
grant select, insert, update (last_booked_on), delete on sluis.debtor_link to sluis_task;
grant select, insert, update on sluis.quarantine to sluis_task;
grant select, insert on sluis.run_report to sluis_task;
grant select, insert, update, delete on sluis.transit_chunk to sluis_task;
grant select, insert, update on sluis.limiter to sluis_task;
grant execute on function sluis.active_integrations() to sluis_task;
"""


def upgrade() -> None:
    """Create the tables, the guard on rows and the rights of the task role."""
    for part in (
        _MERCHANT, _INTEGRATION, _CREDENTIAL, _BOOKING, _DEBTOR_LINK, _QUARANTINE, _RUN_REPORT, _TRANSIT, _LIMITER,
        _FUNCTION,
    ):  # fmt: skip
        op.get_bind().exec_driver_sql(part)
    for table, column in _BY_MERCHANT.items():
        own = f"{column} = current_setting('sluis.merchant', true)"
        op.get_bind().exec_driver_sql(
            f"alter table sluis.{table} enable row level security;"
            f"create policy own_merchant on sluis.{table} using ({own}) with check ({own});"
        )
    op.get_bind().exec_driver_sql(_GRANTS)
