"""daemon.py - a server in the background, known by its files alone.

Owns: one configuration with pid file and log in a directory of its own, the launcher, and
"fetchd -s".  Promise: check_end() fails for an error line that the test did not announce, a
sanitizer's word, a process that still holds a file of the directory, a pid file that was
left, a port that still answers, or descriptors that a master gathered since it served.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Mapping, Sequence

from harness import procs
from harness.fetchd import Config
from harness.wait import BINARY, SLOW, wait_until
from harness.wire import Client

_SANITIZER = re.compile(r"Sanitizer|runtime error:")
Done = subprocess.CompletedProcess[str]


def holders(path: Path) -> list[int]:
    """Processes with an open file at or below 'path'."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and any(
            fd.split("=", 1)[1].startswith(str(path)) for fd in procs.fd_names(int(name))
        ):
            found.append(int(name))
    return found


class Daemon:
    """One pid file and whatever serves under it."""

    def __init__(self, config: Config) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="ftd-"))
        self.pid_file, self.log_path = self.dir / "pid", self.dir / "log"
        self.conf = self.dir / "fetchd.conf"
        config.top.setdefault("pid_file", str(self.pid_file))
        config.top.setdefault("log", str(self.log_path))
        self.conf.write_text(config.text())
        self.words = [BINARY, "-c", str(self.conf)]
        self.allowed_errors: list[str] = []
        self._first_fds: dict[int, int] = {}  # of each master that start() brought up

    # --- what an operator does

    def command(
        self, words: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Done:
        """Runs anything to its end."""
        return subprocess.run(
            list(words),
            cwd=self.dir,
            env={**os.environ, **(env or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            errors="backslashreplace",
            timeout=40 * SLOW,
            check=False,
        )

    def launch(self, *more: str) -> Done:
        """fetchd -d"""
        return self.command([*self.words, "-d", *more])

    def popen(self) -> subprocess.Popen[str]:
        """fetchd -d, not waited for."""
        return subprocess.Popen(
            [*self.words, "-d"],
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ask(self, *words: str) -> Done:
        """fetchd -s, which finds the server by its pid file's lock."""
        return self.command([BINARY, "--pid-file", str(self.pid_file), "-s", *words])

    def start(self) -> "Daemon":
        """Starts it; it serves when this returns."""
        done = self.launch()
        assert done.returncode == 0, done.stderr
        self._first_fds[self.pid] = procs.fd_count(self.pid)
        return self

    # --- what there is to see

    @property
    def pid(self) -> int:
        """What the pid file says."""
        return int(self.pid_file.read_text())

    def log(self) -> str:
        """Everything in the log."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def ports(self) -> list[int]:
        """What it ever listened on, the last one at the end."""
        return [int(n) for n in re.findall(r" listening address=\S+:([0-9]+)", self.log())]

    def client(self) -> Client:
        """A connection to what was logged last."""
        return Client(("127.0.0.1", self.ports()[-1]), 20.0)

    def _fds_gathered(self) -> str:
        """What the master holds more than when it began to serve; "" when nothing."""
        first = self._first_fds.get(self.pid)
        if first is None:
            return ""
        try:
            wait_until(lambda: procs.fd_count(self.pid) <= first, 3)
        except AssertionError:
            return f"the master gathered descriptors: {procs.fd_names(self.pid)}"
        return ""

    # --- the end

    def check_end(self) -> None:
        """Stops it, if it runs, and gives the verdict."""
        trouble = []
        try:
            if self.ask("status").returncode == 0:
                if self.pid_file.exists() and (gathered := self._fds_gathered()):
                    trouble.append(gathered)
                done = self.ask("stop", "--wait")
                if done.returncode != 0:
                    trouble.append(f"stop: {done}")
            if self.pid_file.exists():
                trouble.append("a pid file is left")
            wait_until(lambda: not holders(self.dir), 3, "every process to be gone")
        except AssertionError as error:
            trouble.append(str(error))
        finally:
            for pid in holders(self.dir):
                trouble.append(f"left behind: {pid} {procs.cmdline(pid)!r}")
                procs.kill_if_alive(pid)
        for port in self.ports():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    trouble.append(f"port {port} still answers")
        log = self.log()
        for line in log.splitlines():
            if re.search(r"^\S+ error ", line) and not any(
                re.search(p, line) for p in self.allowed_errors
            ):
                trouble.append(f"in the log: {line}")
        trouble += _SANITIZER.findall(log)
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not trouble, "\n".join(trouble) + "\n--- log ---\n" + log[-4000:]
