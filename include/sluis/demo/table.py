"""The table at the end: what the shops say, what the books say, and whether they agree to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from sluis.core.money import from_cents


@dataclass(frozen=True)
class Line:
    """One merchant. Amounts in euro cents; the shop's total is orders less refunds, as the shop itself counts them."""

    merchant: str
    what: str
    documents_in_shop: int
    booked: int
    skipped: dict[str, int]
    quarantined: dict[str, int]
    shop_cents: int
    books_cents: int
    booked_cents: int
    skipped_cents: int
    quarantined_cents: int
    debtors: int
    duplicates: int
    seconds: float
    problems: list[str] = field(default_factory=list)

    def disagreements(self) -> list[str]:
        """Return what does not agree; empty when everything does, to the cent."""
        found = list(self.problems)
        accounted = self.booked + sum(self.skipped.values()) + sum(self.quarantined.values())
        if accounted != self.documents_in_shop:
            found.append(f"the shop has {self.documents_in_shop} documents, {accounted} are accounted for")
        if self.booked_cents + self.skipped_cents + self.quarantined_cents != self.shop_cents:
            found.append("booked + skipped + quarantined is not what the shop charged")
        if self.books_cents != self.booked_cents:
            found.append(f"the books hold {_euro(self.books_cents)}, booked were {_euro(self.booked_cents)}")
        if self.duplicates:
            found.append(f"{self.duplicates} references stand in the books more than once")
        return found


def show(console: Console, lines: list[Line]) -> bool:
    """Print the table; returns whether every total agrees to the cent."""
    table = Table(title="What passed through sluis", show_lines=True)
    for name, right in (
        ("merchant", False), ("orders and refunds", True), ("booked", True), ("skipped", False),
        ("quarantined", False), ("total in the shop", True), ("not booked", True), ("total in the books", True),
        ("debtors", True), ("seconds", True), ("agrees", False),
    ):  # fmt: skip
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for line in lines:
        wrong = line.disagreements()
        table.add_row(
            f"[bold]{line.merchant}[/]\n{line.what}",
            str(line.documents_in_shop),
            str(line.booked),
            _reasons(line.skipped),
            _reasons(line.quarantined),
            _euro(line.shop_cents),
            f"{_euro(line.skipped_cents)} skipped\n{_euro(line.quarantined_cents)} quarantined",
            _euro(line.books_cents),
            str(line.debtors),
            f"{line.seconds:.0f}",
            "[red]" + "\n".join(wrong) + "[/]" if wrong else "[green]to the cent[/]",
        )
    console.print(table)
    return not any(line.disagreements() for line in lines)


def _reasons(counts: dict[str, int]) -> str:
    return "\n".join(f"{n:>5} {reason}" for reason, n in sorted(counts.items(), key=lambda c: -c[1])) or "0"


def _euro(amount: int) -> str:
    return f"{from_cents(amount):,.2f}"
