"""mariadb.py - a private, throw-away MariaDB for each test that wants one.

Owns: one template data directory a test run (built once, whatever the number of
xdist workers, catalogue included) and instances copied from it: ready in 0.2 s.

    template/ --cp -a--> /tmp/ftd-xxxx/data <-- mariadbd --no-defaults, unix socket
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Sequence

import pymysql
import pymysql.cursors

from harness import catalogue, procs
from harness.wait import slow, wait_until

_SMALL = [
    "--skip-name-resolve",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=4M",
    "--performance-schema=OFF",
    "--key-buffer-size=64K",
    "--aria-pagecache-buffer-size=256K",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--innodb-buffer-pool-load-at-startup=0",
    "--skip-networking",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--max-connections=400",
    "--max-allowed-packet=64M",
]


def _program(name: str) -> str:
    found = shutil.which(
        name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    )
    if found is None:
        raise RuntimeError(f"{name} is not installed; scripts/deps installs it")
    return found


def _as_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def template(shared: Path) -> Path:
    """The template below 'shared', built by whoever comes first."""
    home = shared / "mariadb-template"
    with open(shared / "mariadb-template.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            _build_template(home)
            (home / "complete").touch()
    return home


def _build_template(home: Path) -> None:
    subprocess.run(
        [
            _program("mariadb-install-db"),
            "--no-defaults",
            *_as_user(),
            f"--datadir={home}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=4M",
            f"--tmpdir={home}",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    db = MariaDB(home, in_place=True)
    db.start()
    try:
        catalogue.fill(db)
    finally:
        db.stop()
        shutil.rmtree(db.dir, ignore_errors=True)


class MariaDB:
    """One mariadbd.  Start it from the main thread: it dies with the thread that did."""

    def __init__(
        self, home: Path, in_place: bool = False, options: Sequence[str] = ()
    ) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="ftd-"))
        self.socket = str(self.dir / "s")
        if len(self.socket) >= 100:
            raise RuntimeError(f"TMPDIR is too deep for a unix socket: {self.socket}")
        (self.dir / "tmp").mkdir()
        self.options = list(options)
        self.data = home / "data" if in_place else self.dir / "data"
        if not in_place:
            subprocess.run(["cp", "-a", str(home / "data"), str(self.data)], check=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: pymysql.connections.Connection[Any] | None = None

    # --- its life

    def start(self) -> None:
        """Returns when it answers."""
        assert self._process is None, "already started"
        with open(self.dir / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    "--no-defaults",
                    *_as_user(),
                    f"--datadir={self.data}",
                    f"--socket={self.socket}",
                    f"--pid-file={self.dir}/pid",
                    # its own: a mariadbd that starts deletes every #sql file in its tmpdir
                    f"--tmpdir={self.dir}/tmp",
                    *_SMALL,
                    *self.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=procs.die_with_parent,
            )
        wait_until(self._answers, 20, "mariadbd to answer")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError("mariadbd ended:\n" + self.log()[-2000:])
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None

    def stop(self) -> None:
        """Shuts it down; fine when it does not run."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """Takes it away without a word."""
        self._end(signal.SIGKILL)

    def _end(self, sig: int) -> None:
        self._forget_connection()
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(sig)
        try:
            process.wait(slow(20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: procs.state(self.pid) == "T", 2, "mariadbd to stop")

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends it and removes all it had."""
        self.kill9()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self) -> str:
        """Its error log."""
        return (self.dir / "log").read_text(errors="replace")

    # --- talking to it

    def connect(
        self, schema: str | None = None, plain: bool = False, **extra: Any
    ) -> Any:
        """A connection; with 'plain' every value stays the text that MariaDB sent."""
        if plain:
            extra.setdefault("init_command", "SET time_zone='+00:00'")
            extra["conv"] = {}
        return pymysql.connect(
            unix_socket=self.socket,
            user="root",
            database=schema,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            **extra,
        )

    def _forget_connection(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except (pymysql.err.Error, OSError):
                pass
            self._connection = None

    def sql(self, *statements: str | bytes) -> list[tuple[Any, ...]]:
        """Runs statements on a connection kept for that; the rows of the last one."""
        if self._connection is None:
            self._connection = self.connect()
        rows: list[tuple[Any, ...]] = []
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def plain(
        self, query: str, schema: str | None = None
    ) -> list[dict[str, str | bytes | None]]:
        """Rows by column name, every value as the text that MariaDB sent."""
        connection = self.connect(schema, plain=True)
        try:
            with connection.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    # --- what it heard

    def log_statements(self) -> None:
        """Starts writing down every statement that arrives."""
        self.sql(
            f"SET GLOBAL general_log_file='{self.dir}/general'",
            "SET GLOBAL log_output='FILE'",
            "SET GLOBAL general_log=ON",
        )

    def statements(self, containing: str = "") -> list[str]:
        """The statements written down since log_statements, filtered; waits for none."""
        path = self.dir / "general"
        if not path.exists():
            return []
        text = path.read_bytes().decode("utf-8", "backslashreplace")
        return [line for line in text.splitlines() if containing in line]

    def connections(self) -> list[tuple[int, str]]:
        """(id, command) of every client connection but the one asking."""
        rows = self.sql(
            "SELECT ID, COMMAND FROM information_schema.PROCESSLIST"
            " WHERE ID <> CONNECTION_ID() AND USER = 'root'"
        )
        return [(int(r[0]), str(r[1])) for r in rows]
