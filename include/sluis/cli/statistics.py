"""``sluis statistics``: the anonymous releases, their audits, and their files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Json, PageFile, PageLanguages, Shown
from sluis.cli.output import FOUND, Column, emit_json, emit_page, emit_table, moment, say

if TYPE_CHECKING:
    from sluis.statistics.contract import Step, StoredRelease

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Anonymous figures on revenue and VAT: quarterly releases."
)
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="of the release", min=1)]


@app.command("list")
def listing(json: Json = False) -> None:
    """List the releases. Connects as the role of the statistics (SLUIS_STATISTICS_DATABASE_URL).

    \b
    Example:
      sluis statistics list
    """
    known = _known()
    if json:
        emit_json([_told(stored) for stored in known])
        return
    if not known:
        say("nothing is released yet: sluis statistics run")
        return
    emit_table(
        [Column("number", right=True), Column("quarter"), Column("released"), Column("sales"), Column("refunds"),
         Column("published", right=True), Column("sha256")],
        [(str(s.release.number), s.release.quarter, moment(s.release.released_at),
          *(("too few" if s.release.too_few else step.value.replace("_", " ")) for step in _steps(s)),
          str(_published(s)), s.sha256[:16]) for s in known],
    )  # fmt: skip


@app.command("show")
def show(number: Number, json: Json = False) -> None:
    """Show what a release publishes; what is not published is not listed, only counted.

    \b
    Example:
      sluis statistics show 3
    """
    release = _one(number).release
    if json:
        emit_json(release)
        return
    say(f"release {release.number}, {release.quarter}, {moment(release.released_at)}"
        f"{', provisional' if release.provisional else ''}")  # fmt: skip
    if release.too_few:
        say(f"fewer than {release.rules.min_enterprises} enterprises: nothing can be published yet")
    for table in (*release.tables, *release.year):
        figures = [figure for figure in table.figures if figure.published]
        hidden = len(table.figures) - len(figures)
        say(f"{table.family.value}, {table.table.value}: {len(figures)} published, {hidden} not")
        if figures:
            emit_table(
                [*(Column(name) for name in table.table.dimensions), Column("EUR", right=True),
                 Column("VAT", right=True), Column("enterprises")],
                [(*(figure.key[name] for name in table.table.dimensions), f"{figure.amount:,}", f"{figure.vat:,}",
                  figure.enterprises or "") for figure in figures],
            )  # fmt: skip


@app.command("audit")
def audit(number: Number) -> None:
    """Show the audit of a release: counts, shares and the smallest protection reached. JSON; no unpublished figure.

    \b
    Example:
      sluis statistics audit 3
    """
    emit_json(dict(_one(number).audit))


@app.command("export")
def export(
    number: Number,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="the folder to write into")] = Path(),
) -> None:
    """Write a release as CSV and JSON, with its data dictionary (CSVW) and SDMX-style metadata.

    \b
    Example:
      sluis statistics export 3 -o releases
    """
    from sluis.statistics.export import files

    output.mkdir(parents=True, exist_ok=True)
    for name, content in files(_one(number).release).items():
        (output / name).write_text(content, encoding="utf-8", newline="")
        say(str(output / name))


@app.command("page")
def page(language: PageLanguages = Shown.BOTH, output: PageFile = None) -> None:
    """Make the public page: the last release with charts and tables, and the quarters before, in one HTML file.

    It needs nothing else, reads on a phone and by a screen reader, and shows only what is published.

    \b
    Example:
      sluis statistics page --output statistics.html
    """
    from sluis.statistics.page import render

    known = _known()
    emit_page(render(known, made_at=datetime.now(UTC), languages=language.value), output,
              f"the page of {len(known)} release(s)")  # fmt: skip


@app.command("verify")
def verify(json: Json = False) -> None:
    """Check the chain of releases, and count and attack anew what still has its input. Exit code 1 if it is wrong.

    The input of a release goes 45 days after it, and changes when a merchant objects; then its chain alone is checked.

    \b
    Example:
      sluis statistics verify
    """
    from sluis.flows import statistics as flow
    from sluis.store.database import statistics_connection

    with statistics_connection() as conn:
        known, findings = flow.verified(conn)
        again = {stored.release.number: flow.recounted(conn, stored) for stored in known}
    counted = {number: families for number, families in again.items() if families is not None}
    wrong = [number for number, families in counted.items() if not all(found.right for found in families.values())]
    if json:
        emit_json({"findings": [finding._asdict() for finding in findings], "recounted": list(counted), "wrong": wrong})
    else:
        for finding in findings:
            say(f"release {finding.number} [{finding.code}] {finding.message}")
        for number in wrong:
            say(f"release {number} [release_wrong] is not what its input says, or an attacker comes too close")
        say(f"{len(known)} release(s), {len(counted)} counted and attacked again: "
            f"the chain {'is broken' if findings else 'holds'}")  # fmt: skip
    if findings or wrong:
        raise typer.Exit(FOUND)


@app.command("run")
def run(
    quarter: Annotated[
        str | None, typer.Option("--quarter", metavar="QUARTER", help="e.g. 2026-Q3; default: the last that ended")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="freeze and publish nothing: only tell")] = False,
    json: Json = False,
) -> None:
    """Publish the release of a quarter: freeze its input, hide what could be attacked, audit, judge, publish.

    A release is never changed: asked again, the one that stands is shown. What came later counts in the next one.

    \b
    Example:
      sluis statistics run --dry-run
      sluis statistics run --quarter 2026-Q3
    """
    from sluis.flows import statistics as flow
    from sluis.store.database import statistics_connection

    now = datetime.now(UTC)
    with statistics_connection() as conn:
        done = flow.publish(conn, quarter or flow.last_quarter(now), now=now, dry_run=dry_run)
    if json:
        emit_json({"published": done.published, "release": done.release.number, "sha256": done.sha256,
                   "audit": done.audit})  # fmt: skip
        return
    what = "is published" if done.published else "would be published" if dry_run else "stands already"
    say(f"release {done.release.number} of {done.release.quarter} {what}: {done.sha256}")
    for told in done.audit["families"]:
        shares = f"{told['cells_share_percent']} % of those occupied, {told['revenue_share_percent']} % of the amount"
        say(f"{told['family']}: {told['step'].replace('_', ' ')}, {told['published']} cells ({shares})")


def _known() -> list[StoredRelease]:
    from sluis.flows.statistics import ledger
    from sluis.store.database import statistics_connection
    from sluis.store.statistics import Statistics

    with statistics_connection() as conn:
        return ledger(Statistics(conn))


def _one(number: int) -> StoredRelease:
    from sluis.errors import Defect

    for stored in _known():
        if stored.release.number == number:
            return stored
    raise Defect(f"there is no release {number}: sluis statistics list", code="release_unknown")


def _told(stored: StoredRelease) -> dict[str, object]:
    release = stored.release
    return {
        "number": release.number, "quarter": release.quarter, "released_at": release.released_at.isoformat(),
        "too_few": release.too_few, "provisional": release.provisional, "published": _published(stored),
        "step": {family.value: step.value for family, step in release.step.items()}, "sha256": stored.sha256,
    }  # fmt: skip


def _steps(stored: StoredRelease) -> list[Step]:
    from sluis.statistics.contract import Family

    return [stored.release.step[family] for family in Family]


def _published(stored: StoredRelease) -> int:
    return sum(figure.published for table in stored.release.tables for figure in table.figures)
