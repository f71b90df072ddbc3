"""Nothing that we start outlives us: not its children, not when we are killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sluis.errors import Defect, NotConfigured
from sluis.local import stack
from sluis.local.processes import Child, free_port, is_free, stop
from sluis.local.stack import LocalAirflow

#: A child with a grandchild in a process group of its own that ignores SIGTERM, as a running task does.
FAMILY = """
import os, signal, subprocess, sys, time
grandchild = subprocess.Popen(
    [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"],
    process_group=0)
open(sys.argv[1], "w").write(f"{grandchild.pid}\\n")
time.sleep(600)
"""
PARENT = """
import sys
from pathlib import Path
from sluis.local.processes import Child
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"], {}, Path(sys.argv[1]))
print(child.pid, flush=True)
input()
"""


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start(tmp_path: Path, code: str, *arguments: str) -> Child:
    return Child("child", [sys.executable, "-c", code, *arguments], os.environ, tmp_path / "logs" / "child.log")


def test_a_child_leaves_no_core_dump(tmp_path: Path) -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    child = start(tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{code}'])")
    assert child.wait(60) == 0
    assert child.last_line() == "(0, 0)"


def test_stop_ends_the_whole_family(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = start(tmp_path, FAMILY, str(told))
    assert eventually(lambda: told.exists() and told.read_text().endswith("\n"))
    grandchild = int(told.read_text())
    stop([child], grace_seconds=0.5)
    assert gone(grandchild)
    assert child.status() is not None
    stop([child])  # a second time does no harm


def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = start(tmp_path, code)
    assert eventually(lambda: child.last_line() == "deaf")
    stop([child], grace_seconds=0.2)
    assert child.status() == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.kill()
    assert eventually(lambda: gone(child))


def test_a_program_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Defect, match=r"thing could not be started: No such file.*/no/such/program"):
        Child("thing", ["/no/such/program"], {}, tmp_path / "log")


def test_the_log_of_a_child_is_its_owners(tmp_path: Path) -> None:
    child = start(tmp_path, "print('first'); print('last'); print()")
    assert child.wait(60) == 0
    assert child.last_line() == "last"
    assert child.log.stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        airflow = LocalAirflow(tmp_path, "postgresql://a@/b", port=port, store={})
        with pytest.raises(NotConfigured, match=f"port {port} is in use"):
            airflow.start()
    assert not (tmp_path / "logs" / "processes").exists()


def test_a_missing_package_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_NEEDED", ("no-such-distribution",))
    with pytest.raises(NotConfigured, match="no-such-distribution is not installed: run `make install`"):
        LocalAirflow(tmp_path, "postgresql://a@/b", port=free_port(), store={}).prepare()


def test_a_dead_child_ends_the_start_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_COMPONENTS", {"api-server": ["no-such-command"], "scheduler": ["no-such-command"]})
    airflow = LocalAirflow(tmp_path, "postgresql://a@127.0.0.1:1/b", port=free_port(), store={})
    seen: list[psutil.Process] = []
    monkeypatch.setattr(airflow, "_progress", lambda _: seen.extend(psutil.Process().children()))
    with pytest.raises(Defect) as caught:
        airflow.start()
    assert caught.value.code == "airflow_died"
    assert re.search(r"Airflow's (api-server|scheduler) ended with 2: .*no-such-c", str(caught.value))
    assert all(gone(process.pid) for process in seen)


def test_ctrl_c_while_waiting_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "_waiting_for", interrupted)
    airflow = LocalAirflow(tmp_path, "postgresql://a@127.0.0.1:1/b", port=free_port(), store={})
    before = {process.pid for process in psutil.Process().children()}
    with pytest.raises(KeyboardInterrupt):
        airflow.start()
    assert {process.pid for process in psutil.Process().children()} <= before
