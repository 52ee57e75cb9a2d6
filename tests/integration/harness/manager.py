"""manager.py - a service manager's ear: the other end of NOTIFY_SOCKET.

Owns: a datagram socket, and a thread that notes what is said and when.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
import threading
import time
from types import TracebackType

from harness.wait import wait_until


class Manager:
    """Listens from 'with' to its end."""

    def __init__(self) -> None:
        self._dir = tempfile.TemporaryDirectory(prefix="ftd-")
        self.path = os.path.join(self._dir.name, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(0.05)
        self._heard: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def environment(self, watchdog_ms: int) -> dict[str, str]:
        """What a service is started with."""
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(watchdog_ms * 1000)}

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self._heard.append((time.monotonic(), text))

    def __enter__(self) -> "Manager":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()
        self._dir.cleanup()

    def said(self) -> list[str]:
        """Every datagram so far."""
        return [text for _, text in self._heard]

    def times(self, pattern: str) -> list[float]:
        """When it was said."""
        return [at for at, text in self._heard if re.search(pattern, text)]

    def silent_for(self, pattern: str) -> float:
        """Seconds since it was said last."""
        return time.monotonic() - max(self.times(pattern), default=0.0)

    def wait(self, pattern: str, timeout: float = 5, count: int = 1) -> None:
        """Until it was said so often."""
        wait_until(
            lambda: len(self.times(pattern)) >= count, timeout, f"{count} x {pattern}"
        )
