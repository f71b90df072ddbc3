"""``sluis sandbox start`` as a process: it says where it is, keeps its keys to itself, and ends when told."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import requests


def test_the_sandbox_starts_and_ends(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    command = [sys.executable, "-c", "from sluis.cli import main; main()", "sandbox", "start", "--port", "0",
               "--orders", "3", "--keys-file", str(keys)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            shown, private = json.loads("".join(lines)), json.loads(keys.read_text())
            [shop] = private["shops"].values()
            assert shop["orders"] == 3
            assert shop["consumer_secret"] not in "".join(lines)
            assert stat.S_IMODE(keys.stat().st_mode) == 0o600
            index = requests.get(f"{shop['url']}/wp-json/", timeout=10)
            assert index.status_code == 200
            assert shown["shops"].keys() == private["shops"].keys()
        finally:
            process.terminate()
            process.wait(timeout=30)
