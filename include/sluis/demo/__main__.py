"""``make demo``: the main job on this machine, watched in Airflow's UI. Ends at Ctrl-C, or by itself (``--once``)."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from sluis.demo import stage, watch
from sluis.demo.cast import cast
from sluis.demo.stir import owe, stir
from sluis.demo.table import show, show_after
from sluis.errors import SluisError
from sluis.local.held import held
from sluis.local.ports import need_port, valid_port
from sluis.local.stack import LocalAirflow, Progress


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration. Status 0: every total agrees to the cent; 1: something does not; 2: it could not start."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    logging.getLogger().setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
    began = time.monotonic()

    def progress(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  {text}", highlight=False)

    try:
        with ExitStack() as stack:
            return _play(options, stack, console, progress)
    except SluisError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 2
    except KeyboardInterrupt:
        progress("ended; nothing is left running")
        return 130 if options.once else 0


def _play(options: argparse.Namespace, stack: ExitStack, console: Console, progress: Progress) -> int:
    valid_port(options.port)
    stack.enter_context(held(options.home.resolve(), "a demo"))  # until all of it has ended
    need_port(options.port)
    home = stage.fresh_home(options.home)
    parts = cast(options.orders)
    sandbox = stage.Sandbox(home, parts, progress)
    stack.callback(sandbox.stop)
    server = stack.enter_context(stage.database(home, progress))
    _imported(sandbox, progress)
    os.environ.update(sandbox.registers)  # what this process asks, it asks of the stand-ins
    actors = stage.enter(parts, sandbox.facts, progress)
    for actor in actors:
        owe(actor, sandbox)
    airflow = stack.enter_context(stage.airflow(home, server, options.port, sandbox.registers, progress))
    runs = watch.first_runs(actors, airflow, sandbox, progress)
    stats = sandbox.stats(watch.windows(actors, runs))
    first = {actor.merchant: watch.outcome(actor, *runs[actor.merchant], stats) for actor in actors}
    agrees = [show(console, outcome) for outcome in first.values()]
    progress("the shops: orders are edited, cancelled, binned, refunded and paid")
    stirred = {actor.merchant: stir(actor, sandbox) for actor in actors}
    later = watch.second_runs(actors, airflow, sandbox, progress)
    stats = sandbox.stats(watch.windows(actors, runs, later))
    for actor in actors:
        name = actor.merchant
        agrees.append(show_after(console, watch.after(actor, first[name], stirred[name], later[name][1], stats)))
    if options.once:
        return 0 if all(agrees) else 1
    _stay(console, airflow, sandbox)
    return 0


def _imported(sandbox: stage.Sandbox, progress: Progress) -> None:
    for code, shop in sandbox.facts["shops"].items():
        if shop["imported"]:
            progress(f"shop {code} from the file: {shop['imported']}")


def _stay(console: Console, airflow: LocalAirflow, sandbox: stage.Sandbox) -> NoReturn:
    name, password = airflow.login
    console.print(f"\nAirflow's UI: [bold]{airflow.url}[/]   login [bold]{name}[/]   password [bold]{password}[/]")
    console.print(f"Logs of the processes: {airflow.logs}\nCtrl-C ends everything.", highlight=False)
    while True:
        airflow.check()
        sandbox.check()
        time.sleep(2)


def _terminated(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself; status 0 only if every total agrees")
    parser.add_argument("--orders", type=Path, help="fill the third shop from real order lines (UCI Online Retail)")
    parser.add_argument("--port", type=int, default=8080, help="port of Airflow's UI on 127.0.0.1 (default 8080)")
    parser.add_argument("--home", type=Path, default=Path(".demo"), help="where everything is kept (default .demo)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
