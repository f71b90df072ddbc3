"""``sluis register page|diff|publish|events``: what the register says to people, and when it came into force."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Json, PageFile, PageLanguages, Shown
from sluis.cli.output import Column, emit_json, emit_page, emit_table, moment, say

if TYPE_CHECKING:
    from sluis.privacy.page import Standing
    from sluis.privacy.register import Published
    from sluis.privacy.register_diff import Difference

OldFile = Annotated[Path, typer.Argument(metavar="OLD", help="the earlier register, a file")]
NewFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="NEW", show_default=False,
        help="the later one; the register in force where it is left out",
    ),
]  # fmt: skip


def page(
    language: PageLanguages = Shown.BOTH,
    merchant: Annotated[
        str | None, typer.Option("--merchant", metavar="MERCHANT", help="this merchant's page, with his own periods")
    ] = None,
    output: PageFile = None,
) -> None:
    """Make the page that says what is kept and for how long: one HTML file that needs nothing else and prints on A4.

    With SLUIS_DATABASE_URL it says how many holds are in force; without, that this is not known. A merchant's own page
    needs the database.

    \b
    Example:
      sluis register page --output register.html
      sluis register page --language en --merchant m7f3k -o m7f3k.html
    """
    from sluis.privacy.page import render
    from sluis.privacy.register import read_register, register_path
    from sluis.privacy.register_versions import since_before

    path = register_path()
    published, changes = read_register(path), since_before(path)
    html = render(published, changes, _standing(published, merchant), language.value)
    emit_page(html, output, f"the page of register {published.register_.version}")


def diff(old: OldFile, new: NewFile = None, as_json: Json = False) -> None:
    """Show what differs between two versions of the register, and what of it is to the disadvantage of a person.

    \b
    Example:
      sluis register diff config/register.yaml
      sluis register diff config/registers/1.yaml config/registers/2.yaml
    """
    from sluis.privacy.register import read_register, register_path
    from sluis.privacy.register_diff import difference

    before, after = read_register(old), read_register(new or register_path())
    found = difference(before.register_, after.register_)
    if as_json:
        emit_json(found)
        return
    say(f"register {found.before} -> {found.after}: {_counted(found)}")
    emit_table(
        [Column(""), Column("category"), Column("change")],
        [("worse" if c.worse else "", c.category or "-", c.words.en) for c in found.changes],
    )


def publish(as_json: Json = False) -> None:
    """Bring the register into force: record its version, hash and changes as an event that others can cite.

    Safe to repeat. A file that was changed under a version already published is refused: a change gets the next
    version, and the version before goes to config/registers/.

    \b
    Example:
      sluis register publish
    """
    from sluis.privacy.register import register_path
    from sluis.privacy.register_versions import publish as bring_into_force
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        event, new = bring_into_force(conn, register_path())
    if as_json:
        emit_json(event)
        return
    say(event.citation)
    if new:
        say(f"published {moment(event.published_at)} UTC: {_counted(event.difference)}")
    else:
        say(f"already in force since {moment(event.published_at)} UTC")


def events(as_json: Json = False) -> None:
    """List the versions of the register as they came into force, with what to cite each by.

    \b
    Example:
      sluis register events
    """
    from sluis.store.database import owner_connection
    from sluis.store.register_events import RegisterEvents

    with owner_connection() as conn:
        found = RegisterEvents(conn).list()
    if as_json:
        emit_json(found)
        return
    if not found:
        say("no register was published yet: sluis register publish")
    emit_table(
        [Column("in force since"), Column("changes"), Column("cite")],
        [(moment(event.published_at), _counted(event.difference), event.citation) for event in found],
    )


def _counted(found: Difference) -> str:
    if found.before is None:
        return "the first version"
    if not found.changes:
        return "no changes"
    return f"{len(found.changes)} change(s), {found.worse} to the disadvantage of a person"


def _standing(published: Published, merchant: str | None) -> Standing:
    """Return what only the database knows; without one, what is known without it."""
    from sluis.privacy.page import Standing
    from sluis.privacy.retention.holds import active
    from sluis.store.database import OWNER_URL, owner_connection
    from sluis.store.merchant_periods import MerchantPeriods, in_force
    from sluis.store.merchants import Merchants

    today = datetime.now(UTC).date()
    if merchant is None and not os.environ.get(OWNER_URL, "").strip():
        return Standing(on=today)
    with owner_connection() as conn:
        holds = active(conn, today)
        if merchant is None:
            return Standing(on=today, holds=len(holds))
        code = Merchants(conn).get(merchant).code
        own = in_force(published.register_, MerchantPeriods(conn).of(code))
    concerning = sum(hold.merchant in (None, code) for hold in holds)
    return Standing(on=today, holds=concerning, merchant=code, own_periods=own)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the group ``sluis register``."""
    for command in (page, diff, publish, events):
        app.command(command.__name__)(command)
