"""What must be known of the books beside our own bookings: after a restore, and where a person settled a document."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_INTEGRATION = """
alter table sluis.integration
    add column restored_from timestamptz,
    add column restored_at timestamptz,
    add check ((restored_from is null) = (restored_at is null));
comment on column sluis.integration.restored_from is
    'Moment of the backup it was put back from last; what was booked after it is looked up in the books first.';
comment on column sluis.integration.restored_at is
    'When it was put back; what is dated until then is looked up in the books before it is sent.';
"""
#: The closed item of quarantine goes after 90 days; without this the order would be booked beside the hand's booking.
_SETTLED = """
create table sluis.settled_by_hand (
    merchant_code text not null,
    integration_code text not null,
    kind text not null,
    document_key bytea not null check (octet_length(document_key) = 32),
    reason text not null,
    settled_at timestamptz not null default now(),
    primary key (merchant_code, integration_code, kind, document_key),
    foreign key (merchant_code, integration_code) references sluis.integration (merchant_code, code)
);
comment on table sluis.settled_by_hand is
    'Documents that a person settled in the books himself: looked up before they are booked, never corrected.';
comment on column sluis.settled_by_hand.merchant_code is 'The merchant.';
comment on column sluis.settled_by_hand.integration_code is 'The integration.';
comment on column sluis.settled_by_hand.kind is 'invoice, credit_note or day_summary.';
comment on column sluis.settled_by_hand.document_key is 'Keyed hash of the shop''s id (pseudonymous).';
comment on column sluis.settled_by_hand.reason is 'Why it had waited, a code.';
comment on column sluis.settled_by_hand.settled_at is 'When it was closed so.';
alter table sluis.settled_by_hand enable row level security;
create policy own_merchant on sluis.settled_by_hand using (merchant_code = current_setting('sluis.merchant', true))
    with check (merchant_code = current_setting('sluis.merchant', true));
create policy retention on sluis.settled_by_hand to sluis_retention using (true) with check (true);
grant select on sluis.settled_by_hand to sluis_task;
grant select, delete, maintain on sluis.settled_by_hand to sluis_retention;
"""


def upgrade() -> None:
    """Add them."""
    op.get_bind().exec_driver_sql(_INTEGRATION)
    op.get_bind().exec_driver_sql(_SETTLED)
