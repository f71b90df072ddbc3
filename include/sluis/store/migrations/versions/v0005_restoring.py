"""What an integration must know after a restore: what its books may hold that the backup did not know of."""

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


def upgrade() -> None:
    """Add the two columns."""
    op.get_bind().exec_driver_sql(_INTEGRATION)
