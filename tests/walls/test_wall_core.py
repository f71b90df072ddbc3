"""Core dumps: a process that holds an order crashes for real, first without the wall and then behind it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.walls.person import PERSON

PATTERN = Path("/proc/sys/kernel/core_pattern")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="core dumps are proved on Linux")
#: The name is put together in the child: it stands in its memory and not in its arguments.
VICTIM = """
import os, sys
sys.path[:0] = {path!r}
{wall}
person = " ".join(["Wilhelmina", "Kanarie-Zandvoort"]) * 1000
os.kill(os.getpid(), {signal})
"""
WALL = "from sluis.privacy.process import leave_no_core; leave_no_core()"


def crash(folder: Path, wall: str, how: signal.Signals) -> list[bytes]:
    """Let a process die in a folder where core files are allowed; returns what it left."""

    def allow() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    code = VICTIM.format(path=sys.path, wall=wall, signal=int(how))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=folder, preexec_fn=allow, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -how, done.stderr
    return [path.read_bytes() for path in folder.iterdir() if path.is_file()]


@pytest.mark.skipif(
    not PATTERN.exists()
    or PATTERN.read_text().strip().startswith(("|", "/"))
    or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
    reason="this machine hands core dumps to a program, or forbids them",
)
@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_leaves_the_order_on_disk_without_the_wall_and_nothing_behind_it(
    tmp_path: Path, how: signal.Signals
) -> None:
    for name in ("open", "walled", "marked"):
        (tmp_path / name).mkdir()
    [core] = crash(tmp_path / "open", "", how)  # the leak
    assert PERSON.encode() in core
    assert crash(tmp_path / "walled", WALL, how) == []
    # The mark alone, with the limit as open as it was: what holds against a core_pattern that is a program.
    alone = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"
    assert crash(tmp_path / "marked", alone, how) == []


def test_the_wall_sets_limit_and_mark_and_what_is_forked_inherits_both() -> None:
    code = (
        f"import os, sys\nsys.path[:0] = {sys.path!r}\n"
        "from sluis.privacy.process import leave_no_core, may_leave_core\n"
        "before = may_leave_core()\nleave_no_core(); leave_no_core()\n"
        "child = os.fork()\n"
        "if not child: os._exit(1 if may_leave_core() else 0)\n"
        "print(before, may_leave_core(), os.waitpid(child, 0)[1])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "False", "0"]


def test_the_command_line_stands_behind_it() -> None:
    code = (
        f"import sys\nsys.path[:0] = {sys.path!r}\nsys.argv = ['sluis', '--version']\n"
        "from sluis.cli import main\nfrom sluis.privacy.process import may_leave_core\n"
        "try:\n    main()\nexcept SystemExit:\n    print(may_leave_core())\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLUIS_")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True, env=env
    )
    assert done.stdout.split()[-1] == "False"
