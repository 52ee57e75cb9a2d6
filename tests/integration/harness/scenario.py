"""scenario.py - what every scenario of the process model must hold to, besides its own point.

Owns: a server whose configuration file can be rewritten while it runs, and the verdict
that a scenario ends with: no line of level error that it did not announce, no sanitizer's
word, no process left, no port still open, no descriptor too many in the master, and an
exit code of 0 (harness.fetchd), no zombie, and no worker too many or too few.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from harness import procs
from harness.fetchd import Config, Fetchd
from harness.wait import BINARY, wait_until

# the sanitizers' own handlers would turn these signals into an exit code
PLAIN_SIGNALS = {
    "ASAN_OPTIONS": "handle_segv=0:handle_abort=0:handle_sigbus=0:detect_leaks=1"
}

# a worker that was ready for 500 ms is replaced at once
MATURE_S = 0.6


class Scenario(Fetchd):
    """A server under a scenario: what an operator may do to it, and its verdict."""

    def __init__(self, config: Config, binary: str = BINARY, **more: Any) -> None:
        super().__init__(config, **more)
        self.words[self.words.index(BINARY)] = binary
        self.config = config
        self._first_workers = 0
        self.workers: int | None = int(config.top.get("workers", 2))  # None: any number

    def start(self) -> "Scenario":
        """Starts it and waits until it serves."""
        super().start()
        self._first_workers = len(self.worker_pids())
        return self

    # --- what the operator does

    def rewrite(self, text: str | None = None, **top: Any) -> None:
        """A new configuration file: 'text' as it is, or these options at the top changed."""
        if text is None:
            self.config.top.update(top)
            text = self.config.text()
            if self.workers is not None:
                self.workers = int(self.config.top.get("workers", 2))
        path = self.dir / "fetchd.conf"
        aside = Path(f"{path}.new")
        aside.write_text(text)
        aside.rename(path)

    def reload(self, ends: str = r"reloaded generation=", timeout: float = 15) -> str:
        """HUP, and waits for the line with which it ends; returns that line."""
        before = len(self.log_lines(ends))
        self.signal(signal.SIGHUP)
        self.wait_log(ends, before + 1, timeout)
        return self.log_lines(ends)[before]

    def upgrade(self, ends: str = r"upgraded version=\S+ generation=") -> None:
        """USR2, and waits for the line with which it ends."""
        before = len(self.log_lines(ends))
        self.signal(signal.SIGUSR2)
        self.wait_log(ends, before + 1)

    def forget_log(self) -> None:
        """Judges the lines so far and drops them: a long run writes many."""
        assert not self.errors(), self.errors()
        head = self.log_lines("listening address=")
        self.log_path.write_text("".join(line + "\n" for line in head))

    def generation(self) -> int:
        """The generation that serves, by the log."""
        found = re.findall(r"reloaded generation=([0-9]+)", self.log())
        return int(found[-1]) if found else 1

    def kill_worker(self, pid: int, sig: int = signal.SIGKILL) -> None:
        """Its death is announced: the line about it is no alarm."""
        self.allowed_errors.append(rf"worker slot=\S+ pid={pid}\b")
        procs.kill_if_alive(pid, sig)

    # --- facts to wait for

    def wait_workers(self, count: int, timeout: float = 15) -> list[int]:
        """Exactly so many children, all of them ready or retiring by now; their pids."""
        wait_until(lambda: len(self.worker_pids()) == count, timeout, f"{count} workers")
        return self.worker_pids()

    def ready_count(self, pid: int | str = r"[0-9]+") -> int:
        """How often a worker said that it is ready."""
        return len(self.log_lines(rf"worker slot=\S+ pid={pid} ready"))

    def mature(self) -> None:
        """Waits until the youngest worker has been ready for more than 500 ms."""
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > MATURE_S, 2, "workers to be of age")

    def pass_time(self, seconds: float) -> None:
        """Lets time pass where nothing must happen."""
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > seconds, seconds + 10)

    # --- the verdict

    def check_end(self) -> None:
        """The verdict."""
        trouble = []
        if self._process is not None and self.expected_exit == 0 and not self.exited():
            trouble += self._check_household()
            # the master holds a control socket for each worker
            if self._first_fds >= 0:
                self._first_fds += len(self.worker_pids()) - self._first_workers
        try:
            super().check_end()
        except AssertionError as error:
            trouble.append(str(error))
        assert not trouble, "\n".join(trouble)

    def _check_household(self) -> list[str]:
        """Everybody who retired is gone, nobody is missing, nobody is a zombie."""
        if self.workers is None:
            return []
        try:
            self.wait_workers(self.workers)
            wait_until(lambda: not procs.zombies_of(self.master_pid), 3, "zombies to go")
            return []
        except AssertionError as error:
            pids = {pid: procs.cmdline(pid) for pid in self.worker_pids()}
            return [f"{error}: {pids}, zombies {procs.zombies_of(self.master_pid)}"]


def scribble(pid: int, name: str) -> None:
    """Writes 0xff all over a memfd that a process holds."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        if name in os.readlink(path):
            with open(path, "r+b", buffering=0) as memory:
                memory.write(b"\xff" * os.fstat(memory.fileno()).st_size)
            return
    raise AssertionError(f"process {pid} holds no {name}")
