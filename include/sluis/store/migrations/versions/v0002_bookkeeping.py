"""What bookkeeping needs: the figures of a booking, day summaries, payments, VAT number checks, reconciliations.

Column comments say what a column is and whether it says something about a person; the register is held against them.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_BOOKING = """
alter table sluis.booking drop constraint booking_kind_check;
alter table sluis.booking add constraint booking_kind_check check (kind in ('invoice', 'credit_note', 'day_summary'));
alter table sluis.booking drop constraint booking_state_check;
alter table sluis.booking add constraint booking_state_check
    check (state in ('claimed', 'held', 'booked', 'quarantined'));
alter table sluis.booking
    add column form text not null default 'invoice' check (form in ('invoice', 'journal_entry')),
    add column figures jsonb,
    add column payment_method text,
    add column paid jsonb,
    add column evidence jsonb,
    add column original_date date,
    add column summary_key bytea check (octet_length(summary_key) = 32),
    add column summary_revision int,
    add check ((summary_key is null) = (summary_revision is null));
create index booking_held on sluis.booking (merchant_code, integration_code, issue_date)
    where state = 'held' and summary_key is null;
create index booking_order on sluis.booking (merchant_code, integration_code, order_number);
create index booking_issued on sluis.booking (merchant_code, integration_code, issue_date);
alter table sluis.quarantine drop constraint quarantine_kind_check;
alter table sluis.quarantine add constraint quarantine_kind_check
    check (kind in ('invoice', 'credit_note', 'day_summary'));
comment on column sluis.booking.kind is 'invoice, credit_note or day_summary.';
comment on column sluis.booking.state is
    'claimed, held (waits for its day''s journal entry), booked or quarantined.';
comment on column sluis.booking.form is 'As what it stands in the books: invoice or journal_entry.';
comment on column sluis.booking.figures is
    'Cents per kind of line, product class and VAT treatment, to reverse and reconcile it; emptied by retention 45 days'
    ' after its quarter.';
comment on column sluis.booking.payment_method is
    'The shop''s code of the payment method; emptied by retention 45 days after its quarter.';
comment on column sluis.booking.paid is
    'Cents per payment method that stand in its journal entry, or will in its day''s; emptied by retention 45 days'
    ' after its quarter.';
comment on column sluis.booking.evidence is
    'Exchange rate used, and of the VAT number check the date, the answer and the request id (pseudonymous: the'
    ' register knows whom it is about); no number, no name, no address. No task changes it once it is booked;'
    ' emptied by retention 45 days after its quarter.';
comment on column sluis.booking.original_date is
    'The date it would have had, where its period was closed; emptied by retention 45 days after its quarter.';
comment on column sluis.booking.summary_key is 'document_key of the day summary it is part of.';
comment on column sluis.booking.summary_revision is 'revision of the day summary it is part of.';
comment on column sluis.integration.settings is
    'The merchant''s bookkeeping choices and mappings; no credential, no customer. Package settings can name the'
    ' merchant as seller (seller_* of ubl): a person, where that is a sole trader.';
"""

_PAYMENT = """
create table sluis.payment (
    merchant_code text not null,
    integration_code text not null,
    kind text not null,
    document_key bytea not null,
    revision int not null,
    payment_key bytea not null check (octet_length(payment_key) = 32),
    state text not null check (state in ('claimed', 'booked', 'quarantined')),
    amount_cents bigint,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    paid_on date,
    account text not null,
    claimed_at timestamptz not null default now(),
    attempts int not null default 1,
    booked_at timestamptz,
    external_id text,
    reason text,
    run_id text not null,
    primary key (merchant_code, integration_code, kind, document_key, revision, payment_key),
    foreign key (merchant_code, integration_code, kind, document_key, revision)
        references sluis.booking (merchant_code, integration_code, kind, document_key, revision) on delete cascade,
    check (state <> 'booked' or (external_id is not null and booked_at is not null)),
    check (state <> 'claimed' or (amount_cents is not null and paid_on is not null))
);
comment on table sluis.payment is
    'Payments registered on booked documents: whether each reached the books. The keys stay as long as those of the'
    ' document, so that nothing is paid twice.';
comment on column sluis.payment.merchant_code is 'The merchant.';
comment on column sluis.payment.integration_code is 'The integration.';
comment on column sluis.payment.kind is 'Kind of the document.';
comment on column sluis.payment.document_key is 'The document (pseudonymous).';
comment on column sluis.payment.revision is 'Revision of the document.';
comment on column sluis.payment.payment_key is 'Keyed hash of the shop''s payment id (pseudonymous).';
comment on column sluis.payment.state is 'claimed, booked or quarantined.';
comment on column sluis.payment.amount_cents is
    'Cents, negative where it was paid back; emptied by retention 45 days after its quarter.';
comment on column sluis.payment.currency is 'ISO 4217 code of the amount.';
comment on column sluis.payment.paid_on is
    'Day of the payment, in the shop''s time zone; emptied by retention 45 days after its quarter.';
comment on column sluis.payment.account is 'The package''s id of the clearing account.';
comment on column sluis.payment.claimed_at is 'When it was last claimed.';
comment on column sluis.payment.attempts is 'How often it was claimed.';
comment on column sluis.payment.booked_at is 'When the package''s answer was recorded.';
comment on column sluis.payment.external_id is 'The package''s id of the payment (pseudonymous).';
comment on column sluis.payment.reason is 'Reason code of the quarantine.';
comment on column sluis.payment.run_id is 'The DAG run that claimed it last.';
"""

_VAT_NUMBER_CHECK = """
create table sluis.vat_number_check (
    merchant_code text not null references sluis.merchant (code),
    number_key bytea not null check (octet_length(number_key) = 32),
    answer text not null check (answer in ('valid', 'invalid')),
    checked_at timestamptz not null,
    request_id text,
    source text not null,
    primary key (merchant_code, number_key)
);
comment on table sluis.vat_number_check is
    'Last answers of the register of VAT numbers, used for 24 hours; the next answer that is stored for the merchant'
    ' deletes what is older.';
comment on column sluis.vat_number_check.merchant_code is 'The merchant.';
comment on column sluis.vat_number_check.number_key is 'Keyed hash of the VAT number (pseudonymous).';
comment on column sluis.vat_number_check.answer is
    'valid or invalid, about the pseudonymous number; deleted with the row.';
comment on column sluis.vat_number_check.checked_at is 'When the register answered.';
comment on column sluis.vat_number_check.request_id is
    'The register''s number of the consultation (pseudonymous: the register knows whom it is about).';
comment on column sluis.vat_number_check.source is 'Which register.';
"""

_RECONCILIATION = """
create table sluis.reconciliation (
    merchant_code text not null,
    integration_code text not null,
    period text not null check (period ~ '^[0-9]{4}(Q[1-4]|-[0-9]{2})$'),
    made_at timestamptz not null default now(),
    run_id text not null,
    settled boolean not null,
    result jsonb not null,
    primary key (merchant_code, integration_code, period, made_at),
    foreign key (merchant_code, integration_code) references sluis.integration (merchant_code, code)
);
comment on table sluis.reconciliation is
    'Shop, sluis and package compared over a period: counts, cents and causes, no document and no number. Kept to show'
    ' that the period was reconciled, until the contract ends.';
comment on column sluis.reconciliation.merchant_code is 'The merchant.';
comment on column sluis.reconciliation.integration_code is 'The integration.';
comment on column sluis.reconciliation.period is 'A quarter (2026Q3) or a month (2026-07).';
comment on column sluis.reconciliation.made_at is 'When it was made.';
comment on column sluis.reconciliation.run_id is 'The DAG run, or cli.';
comment on column sluis.reconciliation.settled is 'True: no difference without a known cause.';
comment on column sluis.reconciliation.result is
    'Counts and cents per VAT treatment and country, and differences per cause. Where one customer is behind a line'
    ' (one sale to a country, one number in the ICP list) it is that customer''s turnover (pseudonymous).';
"""

#: The least that the tasks' statements need. Of a payment they record the answer, never another amount, day or account.
_GRANTS = """
grant select, insert, delete, update (state, booked_at, external_id, reason) on sluis.payment to sluis_task;
grant select, insert, delete, update (answer, checked_at, request_id, source) on sluis.vat_number_check to sluis_task;
grant select, insert on sluis.reconciliation to sluis_task;
"""


#: What stands in the books stays on record as it was sent: a task can take back claims, nothing else. Emptying is
#: allowed, for retention. The owner's own hands (retention, the end of a contract) are not bound.
_BOOKED_STAYS = """
create policy booked_stays on sluis.payment as restrictive for delete to sluis_task using (state <> 'booked');
create policy booked_stays on sluis.booking as restrictive for delete to sluis_task
    using (state in ('claimed', 'quarantined') or (state = 'held' and summary_key is null));
create function sluis.booked_stays() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    raise exception 'what is booked stays as it was sent' using errcode = 'insufficient_privilege';
end $$;
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


def upgrade() -> None:
    """Widen bookings; add the new tables, the guard on their rows and the rights of the task role."""
    for part in (_BOOKING, _PAYMENT, _VAT_NUMBER_CHECK, _RECONCILIATION):
        op.get_bind().exec_driver_sql(part)
    for table in ("payment", "vat_number_check", "reconciliation"):
        own = "merchant_code = current_setting('sluis.merchant', true)"
        op.get_bind().exec_driver_sql(
            f"alter table sluis.{table} enable row level security;"
            f"create policy own_merchant on sluis.{table} using ({own}) with check ({own});"
        )
    op.get_bind().exec_driver_sql(_GRANTS)
    op.get_bind().exec_driver_sql(_BOOKED_STAYS)
