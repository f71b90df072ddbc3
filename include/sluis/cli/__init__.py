"""The command line ``sluis``: a thin face of the use-cases in ``sluis.flows``.

It starts fast: commands import what they need when they run.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line (the console script ``sluis``)."""
    from sluis.cli.app import app
    from sluis.privacy.process import leave_no_core

    leave_no_core()  # commands read orders and keys
    app(prog_name="sluis")


__all__ = ["main"]
