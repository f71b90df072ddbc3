"""Compares a whole sync (extract, transform, load, shred) with a bare ``requests`` script that makes the same calls.

``python bench/sync.py [orders ...]`` (default 2000 and 10000), on loopback, against the sandbox. Everything runs in its
own process; neither the sandbox nor this harness is counted. What PostgreSQL used for sluis stands on its own line. It
prints figures and ratios and judges nothing: a clock never fails a build.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from measure import family_cpu
from stage import Stage, connect, environment, stage

HERE = Path(__file__).parent
Json = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("orders", nargs="*", type=int, default=[2000, 10000], help="numbers of orders to compare at")
    sizes = parser.parse_args().orders
    console = Console()
    measured: dict[int, tuple[Json, Json]] = {}
    for orders in sizes:
        console.print(f"{orders} orders: filling the shop ...")
        with stage(orders) as played:
            console.print(f"{orders} orders: the bare script ...")
            bare = baseline(played)
            played.reset()
            console.print(f"{orders} orders: sluis ...")
            measured[orders] = bare, ours(played)
        console.print(comparison(orders, *measured[orders]))
        console.print(per_task(measured[orders][1]))
        if bare["books"] != measured[orders][1]["books"]:
            console.print("The books differ: both sides did not do the same work, so the ratios say little.")
    if len(measured) > 1:
        console.print(growth(measured))


def baseline(played: Stage) -> Json:
    """Run the bare script once over everything."""
    used = _child("baseline.py", {"shop": played.shop, "books": played.books}, {})
    return {**used, "calls": played.calls(), "books": _books(played)}


def ours(played: Stage) -> Json:
    """Run sluis once over everything, in an empty store."""
    store = environment(played, "bench")
    os.environ.update(store)
    request = connect(played)
    before, database = played.calls(), family_cpu(played.postmaster())
    log = played.server.home.parent / "tasks.log"
    used = _child("ours.py", {"request": request, "log": str(log)}, store)
    after = family_cpu(played.postmaster())
    tasks = used["tasks"]
    return {
        "booked": tasks["load"]["counts"]["booked"],
        "cpu": sum(task["cpu"] for task in tasks.values()),
        "wall": sum(task["wall"] for task in tasks.values()),
        "peak_mb": max(task["peak_mb"] for task in tasks.values()),
        "calls": played.calls() - before,
        "books": _books(played),
        "database_cpu": after - database if after is not None and database is not None else None,
        **used,
    }


def comparison(orders: int, bare: Json, sluis: Json) -> Table:
    """Both sides, and sluis divided by the bare script."""
    table = Table(title=f"{orders} orders on loopback")
    for column in ("", "bare requests", "sluis", "ratio"):
        table.add_column(column, justify="left" if not column else "right")

    def row(name: str, one: float, other: float, form: str) -> None:
        table.add_row(name, format(one, form), format(other, form), f"{other / one:.2f}" if one else "")

    row("documents booked", bare["booked"], sluis["booked"], "d")
    row("in the books, EUR", bare["books"], sluis["books"], ".2f")
    row("calls", bare["calls"], sluis["calls"], "d")
    row("calls per document", bare["calls"] / bare["booked"], sluis["calls"] / sluis["booked"], ".3f")
    row("CPU seconds", bare["cpu"], sluis["cpu"], ".1f")
    row("CPU seconds per 1,000 documents", *(1000 * side["cpu"] / side["booked"] for side in (bare, sluis)), ".2f")
    row("wall seconds", bare["wall"], sluis["wall"], ".1f")
    row("peak memory, MB", bare["peak_mb"], sluis["peak_mb"], ".0f")
    if sluis["database_cpu"] is not None:
        table.add_row("CPU seconds of PostgreSQL", "-", f"{sluis['database_cpu']:.1f}", "")
    loaded = sluis["loaded"]
    table.add_row("loading modules, once per scheduler: CPU s", "-", f"{loaded['cpu']:.1f}", "")
    table.add_row("loading modules: MB", "-", f"{loaded['peak_mb']:.0f}", "")
    return table


def per_task(sluis: Json) -> Table:
    """Where sluis' time and memory went."""
    table = Table(title="sluis by task")
    for column in ("task", "CPU s", "wall s", "peak MB"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for name, task in sluis["tasks"].items():
        table.add_row(name, f"{task['cpu']:.1f}", f"{task['wall']:.1f}", f"{task['peak_mb']:.0f}")
    return table


def growth(measured: dict[int, tuple[Json, Json]]) -> str:
    """Peak memory at the smallest and the largest number of orders."""
    few, many = min(measured), max(measured)
    told = [f"peak memory from {few} to {many} orders:"]
    for name, side in (("bare requests", 0), ("sluis", 1)):
        one, other = (measured[orders][side]["peak_mb"] for orders in (few, many))
        told.append(f"  {name}: {one:.0f} -> {other:.0f} MB ({other - one:+.1f} MB)")
    return "\n".join(told)


def _books(played: Stage) -> float:
    (books,) = played.stats()["administrations"].values()
    return int(books["invoices_cents"]) / 100


def _child(script: str, given: Json, variables: dict[str, str]) -> Json:
    """Run a script of this folder in its own process; its errors go to the screen."""
    done = subprocess.run(
        [sys.executable, str(HERE / script)], input=json.dumps(given), stdout=subprocess.PIPE, text=True,
        env={**os.environ, **variables}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{script} failed: its last words stand above")
    used: Json = json.loads(done.stdout)
    return used


if __name__ == "__main__":
    main()
