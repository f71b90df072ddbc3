"""A table per merchant: what the shop says, what the books say, and whether they agree to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from sluis.core.money import from_cents


@dataclass(frozen=True)
class Sum:
    """Documents and their signed euro cents with VAT."""

    documents: int
    cents: int


@dataclass(frozen=True)
class Outcome:
    """One merchant. What shop and books count themselves stands beside what the run proved."""

    merchant: str
    what: str
    orders: Sum  #: all the shop has
    refunds: Sum
    unread: Sum  #: changed before the start date or after the window's end
    booked: Sum
    skipped: Sum
    quarantined: Sum
    skipped_reasons: dict[str, int]
    quarantine_reasons: dict[str, int]
    books: Sum
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
        if self.books != self.booked:
            found.append(f"the books hold {self.books.documents} documents of {euro(self.books.cents)}")
        if self.duplicates:
            found.append(f"{self.duplicates} references stand in the books more than once")
        return found


def show(console: Console, outcome: Outcome) -> bool:
    """Print the merchant's table; returns whether every total agrees to the cent."""
    table = Table(title=f"[bold]{outcome.merchant}[/]: {outcome.what}", title_justify="left", min_width=76)
    table.add_column("")
    table.add_column("documents", justify="right")
    table.add_column("EUR with VAT", justify="right")
    _row(table, "orders in the shop", outcome.orders)
    _row(table, "refunds in the shop", outcome.refunds)
    _row(table, "not read: changed outside the run's window", outcome.unread)
    table.add_section()
    _row(table, "booked", outcome.booked)
    _row(table, "skipped", outcome.skipped, outcome.skipped_reasons)
    _row(table, "quarantined", outcome.quarantined, outcome.quarantine_reasons)
    table.add_section()
    _row(table, "in the books", outcome.books)
    table.add_row("debtors in the books", str(outcome.debtors), "")
    table.add_row("seconds from reading to proof", f"{outcome.seconds:.0f}", "")
    console.print(table)
    wrong = outcome.disagreements()
    for line in wrong:
        console.print(f"  [red]does not agree: {line}[/]", highlight=False)
    if not wrong:
        console.print("  [green]shop and books agree to the cent[/]")
    console.print()
    return not wrong


def euro(amount: int) -> str:
    """Return cents as an amount with two decimals and thousands apart."""
    return f"{from_cents(amount):,.2f}"


def _row(table: Table, name: str, amount: Sum, reasons: dict[str, int] | None = None) -> None:
    table.add_row(name, str(amount.documents), euro(amount.cents))
    for reason, documents in sorted((reasons or {}).items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"  [dim]{reason}[/]", f"[dim]{documents}[/]", "")
