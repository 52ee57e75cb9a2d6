"""pyclient.py - scripts/fetchd.py as a module, and servers that answer it badly."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import sys
import threading
import time
from types import ModuleType
from typing import Any, Callable, Iterator

from harness.fetchd import Fetchd
from harness.wait import REPO

SCRIPT = REPO / "scripts" / "fetchd.py"


def _load() -> ModuleType:
    """The client under a name of its own: harness.fetchd is another thing."""
    spec = importlib.util.spec_from_file_location("fetchd_client", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


pyclient: Any = _load()


def address(server: Fetchd) -> str:
    """As the client wants it."""
    return f"127.0.0.1:{server.port}"


def statuses(results: Any) -> list[str]:
    """The statuses alone."""
    return [r.status for r in results]


@contextlib.contextmanager
def timed(least_s: float, most_s: float) -> Iterator[None]:
    """What runs in here takes neither less nor more."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert least_s <= took <= most_s, f"{took:.3f} s, not {least_s} to {most_s}"


class FakeServer:
    """Answers each line of each connection with what say(line) yields; None hangs up."""

    def __init__(self, say: Callable[[bytes], Any]) -> None:
        self._say = say
        self.lines: list[bytes] = []
        self.connects = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connects += 1
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as lines:
            for line in lines:
                self.lines.append(line.rstrip(b"\r\n"))
                for part in self._say(self.lines[-1]):
                    if part is None:
                        sock.shutdown(socket.SHUT_RDWR)
                        return
                    sock.sendall(part)

    def hang_up(self) -> None:
        """On every connection, as a server that restarts."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept() too
        self._listener.close()
        self.hang_up()


def honest(line: bytes) -> Iterator[bytes]:
    """An answer as it must be: every id has an item that names it."""
    tag, _, rest = line.partition(b" ")
    keys = rest.partition(b"-- ")[2].split()
    for key in keys:
        yield tag + b" ITEM " + key + b' {"id":"' + key + b'"}\r\n'
    yield tag + b" DONE %d 0 0 ms=0.1\r\n" % len(keys)
