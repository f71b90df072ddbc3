"""``sluis backup`` and ``sluis restore``: for installations small enough for pg_dump."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Json
from sluis.cli.output import FOUND, Column, emit_json, emit_table, moment, say

if TYPE_CHECKING:
    from sluis.privacy.backup import Backup
    from sluis.privacy.restore import Restored

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="""Back the store up into one sealed file, transit left out.

    The file is sealed with the first key of SLUIS_KEYS, so keep the keys elsewhere than the backups, and until the last
    backup sealed with them has gone. It goes by itself: retention deletes it after the register's backup window. Beside
    it stand its manifest (needed to restore it) and the log of what was deleted since. The directory is one of its own
    (mode 0700), on another disk.

    \b
    Example:
      export SLUIS_BACKUPS=/mnt/backups/sluis
      sluis backup
      sluis backup list
      sluis backup verify sluis-20261123T020000Z
    """,
)
OlderThanWindow = Annotated[
    bool,
    typer.Option(
        "--older-than-window",
        help="restore a backup that should have gone: of what ended before the log begins only the old store tells",
    ),
]
Incomplete = Annotated[
    bool,
    typer.Option(
        "--incomplete-deletions",
        help="restore with a damaged log of deletions, or with neither log nor old store: end again by hand",
    ),
]
Directory = Annotated[
    Path | None, typer.Option("--directory", metavar="DIR", help="where backups stand; default: SLUIS_BACKUPS")
]


@app.callback()
def backup(ctx: typer.Context, directory: Directory = None, json: Json = False) -> None:
    """Make a backup, unless a command is named."""
    ctx.obj = directory
    if ctx.invoked_subcommand is not None:
        return
    from sluis.flows.backup import is_retained, make

    made = make(directory)
    if json:
        emit_json(_plain(made))
        return
    say(f"{made.path}: {sum(made.manifest.rows.values())} row(s), {made.manifest.bytes} bytes, without transit")
    say(f"sealed with key {made.manifest.key_id}; it has to go on {made.manifest.expires_on}")
    if is_retained(made.path.parent):
        say("retention deletes it on that day")
    else:
        say("retention looks into SLUIS_BACKUPS alone, which is another directory: delete it yourself on that day")


@app.command("list")
def listing(ctx: typer.Context, directory: Directory = None, json: Json = False) -> None:
    """List the backups: when made, when they go, which key opens them.

    \b
    Example:
      sluis backup list
    """
    from sluis.privacy import backup as backups

    found = backups.listing(backups.directory_of(directory or ctx.obj))
    if json:
        emit_json([_plain(one) for one in found])
        return
    emit_table(
        [Column("backup"), Column("made (UTC)"), Column("goes on"), Column("key"), Column("schema"),
         Column("register", right=True), Column("rows", right=True), Column("bytes", right=True)],
        [(b.name, moment(b.manifest.made_at), str(b.manifest.expires_on), b.manifest.key_id, b.manifest.schema_version,
          str(b.manifest.register_version), str(sum(b.manifest.rows.values())), str(b.manifest.bytes)) for b in found],
    )  # fmt: skip


@app.command("verify")
def verify(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="one backup; without it all of them")] = None,
    directory: Directory = None,
) -> None:
    """Read backups to their end: hash, seals, and that a dump is in it.

    Exit code 1 when one of them cannot be restored as it is.

    \b
    Example:
      sluis backup verify
    """
    from sluis.errors import SluisError
    from sluis.privacy import backup as backups
    from sluis.privacy.keyring import Keyring

    where, keyring = backups.directory_of(directory or ctx.obj), Keyring.from_environment()
    named = Path(name).name.removesuffix(backups.DUMP) if name else None
    found = [backups.find(where / f"{named}{backups.DUMP}")] if named else backups.listing(where)
    wrong = 0
    for one in found:
        try:
            backups.verify(one, keyring)
        except SluisError as error:
            wrong += 1
            say(f"{one.name}: {error}")
        else:
            say(f"{one.name}: whole")
    if wrong:
        raise typer.Exit(FOUND)


def restore(  # noqa: PLR0917 - options of a command
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the backup (.dump), its manifest beside it")],
    into: Annotated[
        str, typer.Option("--into", metavar="DSN", envvar="SLUIS_RESTORE_URL", help="a new, empty database, as owner")
    ],
    older_than_window: OlderThanWindow = False,
    incomplete: Incomplete = False,
    json: Json = False,
) -> None:
    """Put a backup into an empty database, and delete again what was deleted since.

    SLUIS_DATABASE_URL still names the store of before: where it answers, what ended since is read from it, and from
    the log of deletions beside the backup. A password belongs in SLUIS_RESTORE_URL or in a password file, never in the
    command. Integrations stay paused: what they booked since the backup is adopted first, else it would be booked
    twice. docs/runbooks/restore.md has the whole way.

    \b
    Example:
      createdb sluis_new
      sluis restore /mnt/backups/sluis/sluis-20261123T020000Z.dump --into postgresql://sluis_owner@db.example.com/sluis_new
    """
    from sluis.flows.backup import restore as flow

    source = ctx.get_parameter_source("into")
    done = flow(
        file,
        into,
        typed=source is not None and source.name == "COMMANDLINE",
        now=datetime.now(UTC),
        older_than_window=older_than_window,
        incomplete=incomplete,
    )
    if json:
        emit_json(done)
    else:
        _tell(done)


def _tell(done: Restored) -> None:
    say(f"{done.backup} of {moment(done.made_at)} UTC was restored: {done.rows} row(s), as its manifest says")
    if done.schema_before != done.schema_after:
        say(f"schema brought from version {done.schema_before} to {done.schema_after}")
    if done.living == "read":
        say("the store of before was read for what was deleted since")
    else:
        say(f"the store of before did not answer: the log of deletions has {done.log_lines} line(s) since the backup")
    if done.log_damaged:
        say(
            f"the log of deletions is damaged in {done.log_damaged} place(s): end again by hand what it no longer tells"
        )
    say(f"ended again: {done.ended_again}; rows carried over (holds, own periods, certificates): {done.carried_over}")
    emit_table(
        [Column("expired since the backup"), Column("deleted", right=True)],
        [(category, str(count)) for category, count in done.deleted.items()],
    )
    say(f"{done.paused} integration(s) are held off: adopt what was booked since the backup, then resume")
    say("`sluis integration resume` names the days to adopt")


def _plain(made: Backup) -> dict[str, object]:
    return {"name": made.name, "path": str(made.path), **made.manifest.model_dump(mode="json")}
