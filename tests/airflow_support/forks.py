"""Run as a program: preload as the scheduler does, then fork tasks that use what was preloaded. Prints what happened.

A module that starts threads or opens connections when imported can leave a held lock in a child, which then waits for
ever: a child that does not end within its time is killed and counted as stuck.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from sluis.airflow_support import preload

FORKS, AT_A_TIME, SECONDS_EACH = 200, 4, 60


def task() -> None:
    """Use numpy's linear algebra (OpenBLAS), pandas, great-expectations and encryption, as a load does."""
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import numpy as np
    import pandas as pd
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    frame = pd.DataFrame({"row": range(50), "cents": range(50)})
    matrix = np.ones((64, 64)) @ np.ones((64, 64))
    verdict = (
        gx.get_context(mode="ephemeral")
        .data_sources.add_pandas("p")
        .add_dataframe_asset("a")
        .add_batch_definition_whole_dataframe("b")
        .get_batch({"dataframe": frame})
        .validate(gxe.ExpectColumnValuesToBeUnique(column="row"), result_format="BOOLEAN_ONLY")
    )
    sealed = AESGCM(b"k" * 32).encrypt(b"n" * 12, b"chunk", None)
    if not (verdict.success and matrix[0, 0] == 64 and len(sealed) == 21 and frame.cents.sum() == 1225):
        raise SystemExit(3)


def fork() -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 4
    try:
        task()
        status = 0
    finally:
        os._exit(status)


def main() -> int:
    """Fork and count."""
    preload.load([name for name in preload.HEAVY if not name.startswith("sluis.")])
    running: dict[int, float] = {}
    left, failed, stuck = FORKS, 0, 0
    while left or running:
        while left and len(running) < AT_A_TIME:
            running[fork()] = time.monotonic()
            left -= 1
        for pid, since in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del running[pid]
                failed += status != 0
            elif time.monotonic() - since > SECONDS_EACH:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                del running[pid]
                stuck += 1
        time.sleep(0.005)
    sys.stdout.write(f"forks {FORKS} failed {failed} stuck {stuck}\n")
    return int(bool(failed or stuck))


if __name__ == "__main__":
    sys.exit(main())
