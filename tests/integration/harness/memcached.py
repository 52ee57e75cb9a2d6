"""memcached.py - a real memcached to compare with, and answers as a client reads them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import procs
from harness.wait import wait_until
from harness.wire import Address, Client

# cas uniques are each server's own; nothing else may differ
_CAS = re.compile(
    rb"^((?:VALUE \S+ \d+ \d+|(?:VA|HD)\b.*? c|ME .* cas=) ?)\d+(?=[ \r])", re.MULTILINE
)


def talk(address: Address, request: bytes) -> bytes:
    """What comes back on a connection of its own, up to a closing MN."""
    with Client(address) as client:
        client.send(request + b"mn\r\n")
        out = bytearray()
        while (line := client.line()) != b"MN":
            out += line + b"\r\n"
        return bytes(out)


def blur_cas(answer: bytes) -> bytes:
    """The answer with every cas unique replaced by the same word."""
    return _CAS.sub(rb"\1CAS", answer)


class Memcached:
    """memcached on a unix socket in a directory of its own."""

    def __init__(self) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="mcd-"))
        self.address = str(self.dir / "s")
        words = ["memcached", "-s", self.address, "-I", "4m", "-t", "1"]
        if os.geteuid() == 0:
            words += ["-u", "root"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, preexec_fn=procs.die_with_parent
        )
        wait_until(self._answers, 5, "memcached to answer")

    def _answers(self) -> bool:
        try:
            return talk(self.address, b"") == b""
        except OSError:
            return False

    def store(self, items: dict[bytes, bytes]) -> None:
        """Puts items there."""
        with Client(self.address) as client:
            for key, value in items.items():
                client.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
                assert client.line() == b"STORED", key

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.dir)
