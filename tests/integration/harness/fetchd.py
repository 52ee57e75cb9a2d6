"""fetchd.py - the server under test as a process, and what must hold when it ends.

Owns: one master with its workers, its log and its configuration file.
Promise: check_end() fails for an exit code other than 0, an error line that the test
did not allow, a sanitizer's word, a process left behind, a port still open or a
descriptor that the master did not have at the start.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Sequence

from harness import procs
from harness.wait import BINARY, SLOW, slow, wait_until
from harness.wire import Client

_SANITIZER = re.compile(r"Sanitizer|runtime error:")
Value = str | int | Sequence[str]


def _spell(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
        return '"' + value.translate(escapes) + '"'
    return "{ " + ", ".join(_spell(v) for v in value) + " }"


def _options(options: Mapping[str, Value], indent: str = "") -> str:
    return "".join(
        f"{indent}{name} = {_spell(value)}\n" for name, value in options.items()
    )


@dataclass
class Config:
    """A configuration file in the making."""

    databases: dict[str, dict[str, Value]] = field(default_factory=dict)
    sources: dict[str, dict[str, Value]] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)  # what stands in the braces
    top: dict[str, Value] = field(default_factory=dict)
    limits: dict[str, Value] = field(default_factory=dict)
    loader: dict[str, Value] = field(default_factory=dict)
    cache: dict[str, Value] = field(default_factory=dict)

    def text(self) -> str:
        """The file.  Sources keep nothing unless the test says so: most tests count what
        the database is asked, or change rows and look at once."""
        top: dict[str, Value] = {"listen": "127.0.0.1:0", "workers": 2, "deadline": "20s"}
        if os.geteuid() == 0:
            top["user"] = "root"
        out = _options({**top, **self.top})
        for section, options in (
            ("limits", self.limits),
            ("loader", self.loader),
            ("cache", self.cache),
        ):
            if options:
                out += f"{section} {{\n{_options(options, '    ')}}}\n"
        for section, table in (("database", self.databases), ("source", self.sources)):
            for name, options in table.items():
                if section == "source":
                    options = {"fresh": "0", **options}
                out += f"{section} {name} {{\n{_options(options, '    ')}}}\n"
        for name, parts in self.views.items():
            out += f"view {name} {{\n{parts}\n}}\n"
        return out


def database(socket_path: str, schema: str = "shop", **more: Value) -> dict[str, Value]:
    """A database section; reconnecting is quick because tests wait for it."""
    return {"socket": socket_path, "schema": schema, "user": "root", **more}


def shop(socket_path: str, **top: Value) -> Config:
    """The catalogue with its three sources."""
    return Config(
        databases={"main": database(socket_path)},
        sources={
            "items": {"database": "main", "table": "items", "key": "id"},
            "tags": {"database": "main", "table": "tags", "key": "name"},
            "big": {"database": "main", "table": "big", "key": "id"},
        },
        top=dict(top),
    )


class Fetchd:
    """One running server.  Start it from the main thread: it dies with the thread that did."""

    def __init__(
        self,
        config: Config | str | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        binary: str = BINARY,
    ) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="ftd-"))
        self.log_path = self.dir / "log"
        self.allowed_errors: list[str] = []
        self.expected_exit: int | None = 0  # None: the test took the end over
        self.words = [*wrapper, binary]
        if config is not None:
            text = config if isinstance(config, str) else config.text()
            (self.dir / "fetchd.conf").write_text(text)
            self.words += ["-c", str(self.dir / "fetchd.conf")]
        self.words += args
        self._env = {**os.environ, **(env or {})}
        self._env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        self._env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []
        self._first_fds = -1
        self.exit_code: int | None = None

    # --- its life

    def launch(self) -> "Fetchd":
        """Starts it and waits for nothing."""
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self.dir,
                start_new_session=True,
                preexec_fn=procs.die_with_parent,
            )
        return self

    def start(self) -> "Fetchd":
        """Starts it and waits until it serves."""
        self.launch()
        self.wait_log(r" ready workers=", timeout=15)
        self.settle()
        self._first_fds = procs.fd_count(self.master_pid)
        return self

    def settle(self) -> None:
        """Waits until every worker says that it is ready and the master's descriptors rest."""
        seen = [-1]

        def resting() -> bool:
            last, seen[0] = seen[0], procs.fd_count(self.master_pid)
            return last == seen[0]

        wait_until(resting, 5, "the master's descriptors to rest")

    @property
    def master_pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """The master's living children."""
        return procs.children(self.master_pid)

    def exited(self) -> bool:
        """Has the master ended?"""
        assert self._process is not None
        if self._process.poll() is None:
            return False
        self.exit_code = self._process.returncode
        return True

    def wait_exit(self, timeout: float = 15) -> int:
        """Its exit code, once it has ended by itself."""
        wait_until(self.exited, timeout, "fetchd to exit")
        assert self.exit_code is not None
        return self.exit_code

    def signal(self, sig: int) -> None:
        """To the master."""
        os.kill(self.master_pid, sig)

    def stop(self) -> int:
        """TERM, then its exit code."""
        if not self.exited():
            self.signal(signal.SIGTERM)
        return self.wait_exit()

    # --- its log

    def log(self) -> str:
        """Everything it said."""
        return self.log_path.read_text(errors="backslashreplace")

    def log_lines(self, pattern: str = "") -> list[str]:
        """The lines that match."""
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(
        self, pattern: str, count: int = 1, timeout: float = 10
    ) -> re.Match[str]:
        """Waits for the count-th match of 'pattern' in the log and returns it."""

        def seen() -> re.Match[str] | None:
            found = list(re.finditer(pattern, self.log(), re.MULTILINE))
            if len(found) >= count:
                return found[count - 1]
            assert self._process is None or self._process.poll() is None, (
                f"fetchd exited {self._process.returncode} before it logged {pattern!r}:\n"
                + self.log()[-3000:]
            )
            return None

        try:
            match = wait_until(seen, timeout, f"log line {pattern!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- log ---\n{self.log()[-3000:]}") from None
        assert match is not None
        return match

    # --- its addresses

    def addresses(self) -> list[str]:
        """What it listens on, in the order of the log."""
        return re.findall(r" listening address=(\S+)", self.log())

    @property
    def port(self) -> int:
        """The first TCP port."""
        for address in self.addresses():
            if re.fullmatch(r".*:[0-9]+", address):
                return int(address.rsplit(":", 1)[1])
        raise AssertionError("it listens on no port:\n" + self.log())

    @property
    def address(self) -> tuple[str, int]:
        """For a Client."""
        return ("127.0.0.1", self.port)

    def client(self, timeout: float = 20.0, rcvbuf: int = 0) -> Client:
        """A connection that is closed at the end of the test."""
        client = Client(self.address, timeout, rcvbuf)
        self._clients.append(client)
        return client

    def worker_of(self, client: Client) -> int:
        """The pid of the worker that holds the server's end of a connection, once it does."""
        here, there = client.ends()
        assert client.ask(b"ping") == b"PONG"
        inode = procs.socket_inode(there, here)
        return next(pid for pid in self.worker_pids() if procs.has_socket(pid, inode))

    def client_per_worker(self) -> dict[int, Client]:
        """One connection to each worker, by the worker's pid."""
        pids = self.worker_pids()
        spread: dict[int, Client] = {}

        def everyone() -> bool:
            client = self.client()
            spread.setdefault(self.worker_of(client), client)
            return set(spread) >= set(pids)

        wait_until(everyone, 10, "a connection to each worker")
        return {pid: spread[pid] for pid in pids}

    def close_clients(self) -> None:
        """Closes every connection that client() made."""
        for client in self._clients:
            client.close()
        self._clients.clear()

    # --- its end

    def errors(self) -> list[str]:
        """Lines of level error that the test did not allow."""
        out = []
        for line in self.log_lines():
            words = line.split(" ", 2)
            if len(words) > 1 and words[1] == "error":
                if not any(re.search(p, line) for p in self.allowed_errors):
                    out.append(line)
        return out

    def check_end(self) -> None:
        """Stops it, if it still runs, and checks what must hold for every test."""
        if self._process is None:
            self._remove()
            return
        trouble = []
        ports = (
            [("127.0.0.1", self.port)]
            if re.search(r"address=\S+:[0-9]+", self.log())
            else []
        )
        try:
            self.close_clients()
            trouble += self._check_descriptors()
            code = self.stop()
            if self.expected_exit is not None and code != self.expected_exit:
                trouble.append(f"master exited {code}, expected {self.expected_exit}")
            trouble += self._check_remains(ports)
        except AssertionError as error:
            trouble.append(str(error))
        finally:
            self._kill_remains()
        trouble += [f"in the log: {line}" for line in self.errors()]
        trouble += [f"sanitizer: {line}" for line in self.log_lines(_SANITIZER.pattern)]
        text = self.log()
        self._remove()
        assert not trouble, "\n".join(trouble) + "\n--- log ---\n" + text[-6000:]

    def _check_descriptors(self) -> list[str]:
        if self._first_fds < 0 or self.exited() or self.expected_exit is None:
            return []
        try:
            wait_until(lambda: procs.fd_count(self.master_pid) == self._first_fds, 3)
            return []
        except AssertionError:
            return [
                f"the master had {self._first_fds} descriptors, now "
                + " ".join(procs.fd_names(self.master_pid))
            ]

    def _check_remains(self, ports: list[tuple[str, int]]) -> list[str]:
        trouble = []
        try:
            wait_until(lambda: not procs.in_session(self.master_pid), 3)
        except AssertionError:
            trouble.append(f"processes left behind: {procs.in_session(self.master_pid)}")
        for address in ports:
            with socket.socket() as probe:
                if probe.connect_ex(address) == 0:
                    trouble.append(f"somebody still listens on {address}")
        return trouble

    def _kill_remains(self) -> None:
        assert self._process is not None
        for pid in procs.in_session(self.master_pid):
            procs.kill_if_alive(pid)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(slow(10))

    def _remove(self) -> None:
        shutil.rmtree(self.dir, ignore_errors=True)


def run(
    *args: str,
    env: Mapping[str, str] | None = None,
    config: Config | str | None = None,
    timeout: float = 20,
) -> subprocess.CompletedProcess[str]:
    """Runs the binary to its end: for -t, --help and starts that are refused.  The file,
    when there is one, is called fetchd.conf and lives in the working directory."""
    with tempfile.TemporaryDirectory(prefix="ftd-") as home:
        words = [BINARY]
        if config is not None:
            text = config if isinstance(config, str) else config.text()
            Path(home, "fetchd.conf").write_text(text)
            words += ["-c", "fetchd.conf"]
        return subprocess.run(
            words + list(args),
            cwd=home,
            env={**os.environ, **(env or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            errors="backslashreplace",
            timeout=timeout * SLOW,
            check=False,
        )
