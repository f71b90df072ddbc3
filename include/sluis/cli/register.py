"""``sluis register``: what is stored and for how long, held against what really is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli import register_page
from sluis.cli.options import Json
from sluis.cli.output import FOUND, emit_json, say

if TYPE_CHECKING:
    from sluis.privacy.register_findings import Checked

app = typer.Typer(no_args_is_help=True, help="The register of what is stored, why and for how long.")


@app.command()
def check(
    airflow_database: Annotated[
        str | None,
        typer.Option(
            "--airflow-database",
            metavar="DSN",
            envvar="SLUIS_AIRFLOW_DATABASE_URL",
            help="Airflow's own database, to check its tables too; better in SLUIS_AIRFLOW_DATABASE_URL than here",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the register with the database, Airflow's database and the files of this machine, both ways.

    Exit code 1 when something is stored that no category names, or a category cannot be carried out. Folders come from
    SLUIS_HOME, AIRFLOW_HOME (and AIRFLOW__LOGGING__BASE_LOG_FOLDER) and SLUIS_BACKUPS; what was not looked at is told.

    \b
    Example:
      sluis register check
      sluis register check --json
    """
    from contextlib import nullcontext

    from sluis.privacy import register_check
    from sluis.privacy.register import read_register, register_path
    from sluis.store.database import connect, owner_connection

    published = read_register(register_path())
    airflow = connect(airflow_database.replace("+psycopg", "", 1)) if airflow_database else nullcontext()
    with owner_connection() as conn, airflow as other:
        checked = register_check.check(conn, published, airflow=other)
    emit_json(checked) if as_json else _show(checked)
    if checked.findings:
        raise typer.Exit(FOUND)


def _show(checked: Checked) -> None:
    for finding in checked.findings:
        say(str(finding))
    if not checked.findings:
        also = f", {checked.airflow_tables} tables of Airflow" if checked.airflow_tables is not None else ""
        say(
            f"register {checked.version} names everything: {checked.columns} columns of {checked.tables} tables"
            f"{also}, {checked.files} files"
        )
    for place in checked.not_checked:
        say(f"not checked: {place}")


register_page.add_to(app)
