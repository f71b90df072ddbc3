"""Arguments and options that several commands share, with one wording."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DAY = ["%Y-%m-%d"]

Merchant = Annotated[str, typer.Argument(metavar="MERCHANT", help="the merchant's code, e.g. m7f3k")]
Code = Annotated[str, typer.Argument(metavar="INTEGRATION", help="the integration's code, e.g. woocommerce_moneybird")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs instead of a table")]
From = Annotated[datetime, typer.Option("--from", formats=DAY, metavar="DATE", help="first day, e.g. 2026-10-01")]
To = Annotated[datetime, typer.Option("--to", formats=DAY, metavar="DATE", help="last day, included")]
OfMerchant = Annotated[str | None, typer.Option("--merchant", metavar="MERCHANT", help="of this merchant only")]
OfCode = Annotated[str | None, typer.Option("--integration", metavar="CODE", help="of this integration only")]
Wait = Annotated[int, typer.Option("--wait", min=0, help="seconds to wait for a run that is underway")]


class Shown(StrEnum):
    """Which languages a page holds."""

    NL = "nl"
    EN = "en"
    BOTH = "both"


PageLanguages = Annotated[Shown, typer.Option("--language", help="one language, or both with a switch")]
PageFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="write it here; else it is printed"),
]
