"""The one door to Great Expectations: it is loaded silent, without telemetry, and only when a batch is judged.

Importing it with pandas costs about 8 CPU seconds, so it stands in a function: the process that forks Airflow's tasks
calls ``preload`` once and its children inherit the modules. Nothing here starts a thread or opens a connection.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any


def preload() -> Any:
    """Import pandas and Great Expectations and return the latter; cheap from the second call on.

    The deprecation warnings that the library's own imports raise are contained here; nobody else's are.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        # great_expectations 1.24 imports modules of the standard library that are deprecated.
        warnings.filterwarnings("ignore", message=r"module 'sre_\w+' is deprecated", category=DeprecationWarning)
        import great_expectations
        import great_expectations.expectations
        import pandas  # noqa: F401
    # Its debug lines print metric values: they may not reach a log, whatever level the root logger has.
    logger = logging.getLogger("great_expectations")
    logger.setLevel(logging.WARNING)
    logger.propagate = False  # a level alone would be opened again by whoever sets it later
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return great_expectations


def silent_context() -> Any:
    """Return an ephemeral context: all stores in memory, no Data Docs, no progress bars, no telemetry."""
    library = preload()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        # Left to itself an ephemeral context plans a Data Docs site in the temporary directory.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
    )
    context: Any = library.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    return context
