"""A table per merchant: what the shop says, what the books say, and whether they agree to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from sluis.core.money import from_cents
from sluis.demo.standing import Books, Standing, Sum


@dataclass(frozen=True)
class Outcome:
    """One merchant. What shop and books count themselves stands beside what the run proved."""

    merchant: str
    what: str
    orders: Sum  #: all the shop has
    refunds: Sum
    unread: Sum  #: changed before the start date or after the window's end
    booked: Sum  #: with what is accounted for in a day's entry, posted or to be posted
    skipped: Sum
    quarantined: Sum
    skipped_reasons: dict[str, int]
    quarantine_reasons: dict[str, int]
    standing: Standing  #: what sluis' rows say is in the books
    books: Books  #: what the books say
    debtors: int
    duplicates: int
    seconds: float
    problems: list[str] = field(default_factory=list)

    def disagreements(self) -> list[str]:
        """Return what does not agree; empty when everything does, to the cent."""
        found = list(self.problems)
        in_shop = Sum(self.orders.documents + self.refunds.documents, self.orders.cents + self.refunds.cents)
        parts = (self.unread, self.booked, self.skipped, self.quarantined)
        accounted = Sum(sum(p.documents for p in parts), sum(p.cents for p in parts))
        if accounted != in_shop:
            found.append(
                f"the shop has {in_shop.documents} documents of {euro(in_shop.cents)}, "
                f"{accounted.documents} of {euro(accounted.cents)} are accounted for"
            )
        if self.standing.cents != self.booked.cents:
            found.append(f"sluis' rows come to {euro(self.standing.cents)}, booked were {euro(self.booked.cents)}")
        return found + in_books(self.standing, self.books, self.duplicates)


@dataclass(frozen=True)
class After:
    """The same merchant after his shop was stirred and a second run corrected what was booked."""

    merchant: str
    changes: tuple[str, ...]  #: what happened in the shop
    in_shop: int  #: cents of all orders and refunds, as the shop counts them now
    unread: int  #: cents, as all that follow
    skipped: int
    ended: int  #: of orders that were booked, and cancelled or binned since
    standing: Standing
    books: Books
    duplicates: int
    reconciled: str  #: one line: the running quarter
    problems: list[str] = field(default_factory=list)

    def disagreements(self) -> list[str]:
        """Return what does not agree; empty when everything does, to the cent."""
        accounted = self.unread + self.skipped + self.ended + self.standing.quarantined.cents + self.standing.cents
        found = list(self.problems)
        if accounted != self.in_shop:
            found.append(f"the shop has {euro(self.in_shop)}, {euro(accounted)} are accounted for")
        return found + in_books(self.standing, self.books, self.duplicates)


def in_books(standing: Standing, books: Books, duplicates: int) -> list[str]:
    """Return what the books count otherwise than sluis: documents, cents, references that stand twice."""
    found = []
    for what, ours, theirs in (
        ("invoices and credit notes", standing.books.invoices, books.invoices),
        ("journal entries", standing.books.entries, books.entries),
        ("payments", standing.books.payments, books.payments),
    ):
        if ours != theirs:
            found.append(
                f"the books hold {theirs.documents} {what} of {euro(theirs.cents)},"
                f" sluis booked {ours.documents} of {euro(ours.cents)}"
            )
    if standing.in_entries.cents != standing.days.cents:
        found.append("the entries of days do not come to the sum of their documents")
    if duplicates:
        found.append(f"{duplicates} references stand in the books more than once")
    return found


def show(console: Console, outcome: Outcome) -> bool:
    """Print the merchant's table; returns whether every total agrees to the cent."""
    table = _table(f"[bold]{outcome.merchant}[/]: {outcome.what}")
    _row(table, "orders in the shop", outcome.orders)
    _row(table, "refunds in the shop", outcome.refunds)
    _row(table, "not read: changed outside the run's window", outcome.unread)
    table.add_section()
    _row(table, "booked", outcome.booked)
    _some(table, "  of these in entries of days", outcome.standing.in_entries)
    _some(table, "  of these waiting for their day to end", outcome.standing.waiting)
    _row(table, "skipped", outcome.skipped, outcome.skipped_reasons)
    _row(table, "quarantined", outcome.quarantined, outcome.quarantine_reasons)
    table.add_section()
    _books(table, outcome.books)
    table.add_row("debtors in the books", str(outcome.debtors), "")
    table.add_row("seconds from reading to proof", f"{outcome.seconds:.0f}", "")
    return _verdict(console, table, outcome.disagreements())


def show_after(console: Console, after: After) -> bool:
    """Print what the second run made of a stirred shop; returns whether every total agrees to the cent."""
    table = _table(f"[bold]{after.merchant}[/], stirred: {', '.join(after.changes) or 'nothing fitted'}")
    standing = after.standing
    table.add_row("orders less refunds in the shop now", "", euro(after.in_shop))
    table.add_row("not read yet, or not to be booked", "", euro(after.unread + after.skipped))
    table.add_row("cancelled or binned after booking", "", euro(after.ended))
    _row(table, "quarantined", standing.quarantined)
    for reason in standing.reasons:
        table.add_row(f"  [dim]{reason}[/]", "", "")
    table.add_row("booked, corrections included", "", euro(standing.cents))
    _some(table, "  of these waiting for their day to end", standing.waiting)
    _some(table, "  reversals", standing.reversals)
    _some(table, "  replacements", standing.replacements)
    _some(table, "  vouchers apart", standing.parts)
    table.add_section()
    _books(table, after.books)
    return _verdict(console, table, after.disagreements(), after.reconciled)


def euro(amount: int) -> str:
    """Return cents as an amount with two decimals and thousands apart."""
    return f"{from_cents(amount):,.2f}"


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", min_width=76)
    table.add_column("")
    table.add_column("documents", justify="right")
    table.add_column("EUR with VAT", justify="right")
    return table


def _books(table: Table, books: Books) -> None:
    _row(table, "invoices and credit notes in the books", books.invoices)
    _some(table, "journal entries in the books", books.entries)
    _some(table, "payments on invoices in the books", books.payments)


def _verdict(console: Console, table: Table, wrong: list[str], more: str = "") -> bool:
    console.print(table)
    for line in wrong:
        console.print(f"  [red]does not agree: {line}[/]", highlight=False)
    if not wrong:
        console.print("  [green]shop and books agree to the cent[/]")
    if more:
        console.print(f"  {more}", highlight=False)
    console.print()
    return not wrong


def _some(table: Table, name: str, amount: Sum) -> None:
    """Add a row where there is anything to tell."""
    if amount.documents:
        _row(table, name, amount)


def _row(table: Table, name: str, amount: Sum, reasons: dict[str, int] | None = None) -> None:
    table.add_row(name, str(amount.documents), euro(amount.cents))
    for reason, documents in sorted((reasons or {}).items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"  [dim]{reason}[/]", f"[dim]{documents}[/]", "")
