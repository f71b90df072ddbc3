"""``sluis reconcile``: a period's sales in shop, sluis and package, and what they put into the VAT returns."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Code, Json, Merchant
from sluis.cli.output import FOUND, Column, amount, emit_json, emit_table, say, word

if TYPE_CHECKING:
    from sluis.core.icp import IcpLine
    from sluis.core.reconciliation import Column as Cells
    from sluis.core.reconciliation import LeftOut, Line, Reconciliation
    from sluis.core.vat_return import VatReturn


Wanted = Annotated[str, typer.Option("--period", metavar="PERIOD", help="a quarter or a month: 2026Q3 or 2026-07")]
Explained = Annotated[
    bool, typer.Option("--explained", help="list the differences with a harmless cause one by one too")
]
IcpTarget = Annotated[
    str | None,
    typer.Option(
        "--icp", metavar="FILE", help="write the ICP list with its VAT numbers there as CSV (- for the screen)"
    ),
]
_NET_AND_VAT = [Column("turnover", right=True), Column("VAT", right=True)]


def reconcile(
    merchant: Merchant,
    integration: Code,
    *,
    period: Wanted,
    explained: Explained = False,
    icp: IcpTarget = None,
    json: Json = False,
) -> None:
    """Compare shop, sluis and package over a month or a quarter, and fill in the VAT return.

    The shop is read anew and nothing is booked. Every difference is listed with its cause: explained where time or a
    known property of the package brings it, open where a person must act. Documents in quarantine are not booked and
    so in no box. Counts, cents and causes are stored; exit code 1 while a difference is open.

    The ICP list names customers' VAT numbers. They are not stored, so they are read from the shop, and they are shown
    only where --icp asks for them: keep that file as you keep the return.

    \b
    Example:
      sluis reconcile m7f3k woocommerce_moneybird --period 2026Q3
      sluis reconcile m7f3k woocommerce_moneybird --period 2026Q3 --icp icp-2026Q3.csv
    """
    from sluis.core.reconciliation import Period
    from sluis.flows.reconcile import reconcile as flow
    from sluis.flows.wiring import open_session

    if json and icp == "-":
        raise typer.BadParameter("the screen takes one of --json and --icp -: name a file for the list")
    wanted = Period.of(period)
    with open_session(merchant, integration) as session:
        made = flow(session, wanted)
    if json:
        emit_json(made.result)
    else:
        _show(made.result, explained=explained)
    if icp is not None:
        _hand_over(made.icp, icp)
    if not made.result.settled:
        raise typer.Exit(FOUND)


def _hand_over(lines: Iterable[IcpLine], target: str) -> None:
    """Write the list where a person asked for it; a file is his alone to read, also one that was there before.

    Nothing is written through a link: it may lead to where others read.
    """
    from sluis.core.icp import as_csv
    from sluis.errors import NotConfigured

    text = as_csv(lines)
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        handle = os.open(Path(target), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            os.fchmod(handle, 0o600)
            os.ftruncate(handle, 0)
            file.write(text)
    except OSError as error:
        raise NotConfigured(f"cannot write {target}: {error.strerror}") from None


# ---------------------------------------------------------------------------------------------------- the comparison


def _show(found: Reconciliation, *, explained: bool) -> None:
    opened = sum(d.documents for d in found.differences if not d.explained)
    verdict = "settled" if found.settled else f"{opened} open difference(s)"
    say(f"{found.merchant} {found.integration}, {found.period} ({found.start} to {found.end}): {verdict}")
    if not found.complete:
        say("not final: the period is not over, or the shop was not read past its end yet")
    _show_columns([*found.treatments, *found.totals])
    _show_causes(found)
    _show_differences(found, explained=explained)
    _show_left_out("In quarantine: not booked, and in no box", "reason", found.quarantined)
    _show_left_out("In the shop, and not to be booked (yet)", "reason", found.skipped)
    _show_left_out("In the package, made by others", "whose", found.others)
    if found.not_split:
        say(f"{found.not_split} document(s) count by their total alone: their figures per rate are not kept any more")
    _show_return(found.vat_return)
    _show_icp(found)


def _show_columns(lines: Iterable[Line]) -> None:
    sides = [Column(f"{side} {what}", right=True) for side in ("shop", "sluis", "package")
             for what in ("docs", "net", "VAT")]  # fmt: skip
    emit_table(
        [Column("VAT"), Column("rate", right=True), Column("country"), Column("return"), Column("currency"), *sides,
         Column("equal")],
        [(_name(line), f"{line.key.rate:f} %" if line.key.rate is not None else "", line.key.country, line.key.scheme,
          line.currency, *(cell for side in (line.shop, line.sluis, line.package) for cell in _cells(side)),
          "yes" if line.agrees else "no") for line in lines],
        title="Per VAT treatment",
    )  # fmt: skip


def _name(line: Line) -> str:
    return line.key.category or line.key.name.replace("_", " ") or "total"


def _cells(side: Cells) -> tuple[str, str, str]:
    return str(side.documents), _euro(side.net_cents), _euro(side.vat_cents)


def _show_causes(found: Reconciliation) -> None:
    from sluis.core.reconciliation import CAUSES

    emit_table(
        [Column("cause"), Column(""), Column("between"), Column("documents", right=True),
         Column("difference", right=True), Column("what to do")],
        [(c.cause, "explained" if c.explained else "OPEN", f"{c.between[0].value} - {c.between[1].value}",
          str(c.documents), _euro(c.cents, c.currency), CAUSES[c.cause].action) for c in found.causes],
        title="Why they differ",
    )  # fmt: skip


def _show_differences(found: Reconciliation, *, explained: bool) -> None:
    emit_table(
        [Column("cause"), Column("detail"), Column("between"), Column("order"), Column("kind"), Column("reference"),
         Column("first", right=True), Column("second", right=True), Column("dated"), Column("dated")],
        [(d.cause, word(d.detail), f"{d.between[0].value} - {d.between[1].value}", word(d.order_number), d.kind.value,
          word(d.reference), _euro(d.first_cents, d.currency), _euro(d.second_cents, d.currency), word(d.first_date),
          word(d.second_date)) for d in found.differences if explained or not d.explained],
        title="Differences, one by one" if explained else "Open differences, one by one",
    )  # fmt: skip


def _show_left_out(title: str, code: str, left_out: Iterable[LeftOut]) -> None:
    from sluis.core.reasons import explain

    emit_table(
        [Column(code), Column("documents", right=True), Column("total", right=True), Column("what to do")],
        [(one.code, str(one.documents), _euro(one.cents, one.currency), explain(one.code) if code == "reason" else "")
         for one in left_out],
        title=title,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- the return


def _show_return(vat_return: VatReturn) -> None:
    emit_table(
        [Column("box"), *_NET_AND_VAT, Column("on the form", right=True), Column("on the form", right=True)],
        [(b.box.value, _euro(b.turnover_cents), _euro(b.vat_cents), str(b.turnover_euros), word(b.vat_euros))
         for b in vat_return.boxes or ()],
        title="Dutch VAT return: what these sales put into each box (as booked)",
    )  # fmt: skip
    if vat_return.boxes is None:
        emit_table(
            [Column("VAT"), Column("rate", right=True), Column("country"), Column("return"), *_NET_AND_VAT],
            [(t.category.value, f"{t.rate:f} %", t.country, t.scheme.value, _euro(t.net_cents), _euro(t.vat_cents))
             for t in vat_return.treatments],
            title=f"Sales per VAT treatment (no boxes are known for {vat_return.home})",
        )  # fmt: skip
    _show_abroad(vat_return)
    emit_table(
        [Column("in no box"), *_NET_AND_VAT],
        [(x.why.value.replace("_", " "), _euro(x.net_cents), _euro(x.vat_cents)) for x in vat_return.outside],
        title="Outside the boxes",
    )  # fmt: skip


def _show_abroad(vat_return: VatReturn) -> None:
    emit_table(
        [Column("country"), Column("from"), Column("rate", right=True), Column("what"), *_NET_AND_VAT],
        [(o.country, o.dispatched_from or "home", f"{o.rate:f} %", "services" if o.services else "goods",
          _euro(o.net_cents), _euro(o.vat_cents))
         for o in vat_return.oss],
        title="One stop shop (OSS) return",
    )  # fmt: skip
    emit_table(
        [Column("sold in"), Column("country"), Column("rate", right=True), *_NET_AND_VAT],
        [(o.sold_in, o.country, f"{o.rate:f} %", _euro(o.net_cents), _euro(o.vat_cents))
         for o in vat_return.oss_corrections],
        title="OSS: corrections of earlier quarters, in the current return",
    )  # fmt: skip
    emit_table(
        [Column("country"), Column("VAT"), Column("rate", right=True), *_NET_AND_VAT],
        [(x.country, x.category.value, f"{x.rate:f} %", _euro(x.net_cents), _euro(x.vat_cents))
         for x in vat_return.local],
        title="Registrations in other countries: their own returns",
    )  # fmt: skip


def _show_icp(found: Reconciliation) -> None:
    emit_table(
        [Column("country"), Column("VAT numbers", right=True), Column("goods", right=True),
         Column("services", right=True)],
        [(t.country or "number unknown", str(t.numbers), _euro(t.goods_cents), _euro(t.services_cents))
         for t in found.icp],
        title="ICP list, per country (--icp FILE gives the VAT numbers)",
    )  # fmt: skip


def _euro(cents: int | None, currency: str = "") -> str:
    from sluis.core.money import from_cents

    return amount(None if cents is None else from_cents(cents), currency)
