"""Makes Airflow's database ready: tables, the admin, the pools. Run as ``python -m sluis.local.prepare``.

One process instead of three commands of Airflow, each of which imports all of it again (5 s). Runs with the variables
of ``airflow_env.environment``; whatever is there already is left or brought up to date, so it can run again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sluis.local.places import repository
from sluis.local.pools import wanted
from sluis.local.secrets import ADMIN, local_secrets


def main() -> int:
    """Prepare the database that the environment names; returns the exit status."""
    from airflow.utils.db import initdb
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded  # the FAB provider's own settings must be known first
    def prepare() -> None:
        initdb()  # a database that is there already is migrated
        _admin(local_secrets(Path(os.environ["AIRFLOW_HOME"])).admin_password)
        _pools()

    prepare()
    return 0


def _admin(password: str) -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as appbuilder:
        users = appbuilder.sm
        known = users.find_user(username=ADMIN)
        if known is not None:
            users.reset_password(known.id, password)
        elif not users.add_user(ADMIN, "Local", "Admin", "admin@example.com", users.find_role("Admin"), password):
            raise SystemExit("Airflow refused to make its admin")


def _pools() -> None:
    from airflow.models.pool import Pool

    for name, pool in wanted(repository() / "config" / "pools.json").items():
        Pool.create_or_update_pool(name, pool.slots, pool.description, pool.include_deferred)


if __name__ == "__main__":
    sys.exit(main())
