"""Runs the sandbox in a thread of this process (tests) or as a process of its own (the demo)."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp

from sluis.errors import Defect
from sluis.registers import ecb as ecb_register
from sluis.registers import vies as vies_register
from sluis.sandbox import ecb, vies
from sluis.sandbox.app import create_app
from sluis.sandbox.config import SandboxConfig
from sluis.sandbox.state import State

HOST = "127.0.0.1"


class SandboxServer:
    """Context manager: the sandbox on a free port of 127.0.0.1, ready when it is entered.

    ``state`` is the Python API: ``server.state.shop("shop").book``, ``server.state.faults.add(...)``. Raises
    ``Defect`` where the port is taken or the server does not come up.
    """

    def __init__(self, config: SandboxConfig | State, port: int = 0) -> None:
        self.state = config if isinstance(config, State) else State(config)
        self._socket = listen(port)
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(server_config(create_app(self.state)))
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    @property
    def url(self) -> str:
        """The address of the whole sandbox."""
        return f"http://{HOST}:{self.port}"

    def shop_url(self, code: str) -> str:
        """The address a merchant would give for his shop."""
        return f"{self.url}/shops/{code}"

    @property
    def books_url(self) -> str:
        """The address that stands in for ``https://moneybird.com/api/v2``."""
        return f"{self.url}/books/api/v2"

    @property
    def registers(self) -> dict[str, str]:
        """What names the stand-ins for VIES and the ECB in the environment of whoever asks them."""
        return {vies_register.URL: self.url + vies.API, ecb_register.URL: self.url + ecb.API}

    def start(self) -> SandboxServer:
        """Start and wait until it answers."""
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Defect("the sandbox did not start")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Stop; requests that hang are cut."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(timeout=5)
        self._socket.close()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def server_config(app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn runs: without logs (a request line may hold a key) and ready to cut what hangs."""
    return uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="off", http="h11", ws="none"
    )


def listen(port: int) -> socket.socket:
    """Bind a port of 127.0.0.1 (0: any free one). Raises ``Defect`` where it is in use."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(128)  # whoever reads the address may call at once: he waits until the server takes over
    except OSError as error:
        opened.close()
        raise Defect(f"port {port} cannot be used: {error.strerror}; choose another with --port") from None
    return opened
