"""test_config.py - starting: options, files, refusals, addresses, secrets, daemons."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness import procs
from harness.fetchd import Config, Fetchd, run, shop
from harness.mariadb import MariaDB
from harness.wait import BINARY, slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]
AS_ROOT = ["--user", "root"] if os.geteuid() == 0 else []


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name, for sockets and pid files."""
    with tempfile.TemporaryDirectory(prefix="ftd-") as name:
        yield Path(name)


def url(db: MariaDB, more: str = "") -> str:
    """The catalogue, for --database."""
    return f"mysql://root@localhost/shop?socket={db.socket}{more}"


# --- words


def test_help_names_every_option_and_exits_0() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    for option in (
        "-c",
        "-t",
        "-T",
        "-d",
        "--options",
        "--version",
        "--database",
        "--table",
        "--key",
        "--listen",
        "--workers",
        "--user",
        "--pid-file",
        "--deadline",
        "--log-level",
    ):
        assert option in ended.stdout, option


def test_version_is_one_line_and_exits_0() -> None:
    ended = run("--version")
    assert ended.returncode == 0
    assert re.fullmatch(r"fetchd \S.*\n", ended.stdout), ended.stdout


def test_options_are_one_tab_separated_line_each() -> None:
    ended = run("--options")
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    assert ended.returncode == 0 and len(lines) > 20
    assert {len(words) for words in lines} == {6}
    assert {"workers", "deadline", "limits.ids", "loader.max_batch"} <= {
        words[0] for words in lines
    }


@pytest.mark.parametrize(
    "words", [["--nosuchoption"], ["-Z"], ["--workers"], ["surplus"]]
)
def test_wrong_words_are_a_usage_error(words: list[str]) -> None:
    ended = run(*words)
    assert ended.returncode == 64 and ended.stderr.strip()


def test_a_start_without_anything_says_what_is_missing() -> None:
    ended = run(*AS_ROOT)
    assert ended.returncode in (64, 78)
    assert re.search(r"--database|fetchd\.conf", ended.stderr)


# --- -t and -T


def test_t_checks_a_good_file_and_says_so(shop_db: MariaDB) -> None:
    ended = run("-t", config=shop(shop_db.socket))
    assert ended.returncode == 0, ended.stderr
    assert "fetchd.conf" in ended.stdout + ended.stderr


def test_big_t_prints_a_configuration_that_is_a_fixed_point() -> None:
    config = shop("/nowhere/s", workers=3, deadline="150ms")
    config.databases["main"]["password"] = "s3cret"
    first = run("-T", config=config)
    assert first.returncode == 0, first.stderr
    assert "s3cret" not in first.stdout and "***" in first.stdout
    assert re.search(r"(?m)^\s*workers\s*=\s*3$", first.stdout)
    assert '"150ms"' in first.stdout
    second = run("-T", config=first.stdout)
    assert second.stdout == first.stdout


WRONG = {
    "unknown option": ("nosuch = 1", 1, "nosuch"),
    "not a number": ('\nworkers = "many"', 2, "workers"),
    "out of range": ("workers = 1\nworkers = 100000", 2, "workers"),
    "bad unit": ('deadline = "5 parsecs"', 1, "deadline"),
    "bad size": ('\n\nlimits {\n line = "64Q"\n}', 4, "line"),
    "bad address": ('listen = "localhost"', 1, "listen"),
    "bad level": ('log_level = "loud"', 1, "log_level"),
    "unknown section": ("frobnicate {\n}", 1, "frobnicate"),
    "unknown database": ('source x { database = "nosuch" table = "t" }', 1, "database"),
    "section left open": ("limits {\n ids = 5\n", None, ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_file_line_and_key(case: str) -> None:
    text, line, key = WRONG[case]
    rest = (
        '\ndatabase main { socket = "/x" schema = "s" }\nsource items { database = "main" table = "t" }\n'
        if case != "section left open"
        else ""
    )
    ended = run("-t", config=text + rest)
    assert ended.returncode == 78, ended.stdout + ended.stderr
    said = [
        row for row in (ended.stdout + ended.stderr).splitlines() if "fetchd.conf" in row
    ]
    assert len(said) == 1, ended.stderr
    assert key in said[0]
    if line is not None:
        assert f"fetchd.conf:{line}:" in said[0], said[0]


def test_a_file_that_is_not_there_is_refused() -> None:
    ended = run("-c", "/nowhere/fetchd.conf")
    assert ended.returncode == 78 and "/nowhere/fetchd.conf" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_without_a_user_is_refused(shop_db: MariaDB) -> None:
    config = shop(shop_db.socket).text().replace('user = "root"\n', "", 1)
    ended = run(config=config)
    assert ended.returncode == 78 and "user" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_workers_drop_to_the_user_and_cannot_come_back(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    os.chmod(shop_db.dir, 0o755)
    server = start_fetchd(shop(shop_db.socket, user="nobody"))
    assert server.client().fetch(1).items == 1
    for pid in server.worker_pids():
        status = Path(f"/proc/{pid}/status").read_text()
        fields = dict(row.split(":\t", 1) for row in status.splitlines() if ":\t" in row)
        assert set(fields["Uid"].split()) == {"65534"}
        assert len(set(fields["Gid"].split())) == 1 and "0" not in fields["Gid"].split()
        assert "0" not in fields["Groups"].split()
        assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"] == "1"


# --- no file


def test_a_start_without_a_file_serves(shop_db: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(
        None,
        args=[
            "--database",
            url(shop_db),
            "--table",
            "items",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "2",
            "--deadline",
            "10s",
            *AS_ROOT,
        ],
    )
    client = server.client()
    assert client.fetch(1, 2, 3).items == 3
    assert client.fetch("items:1").items == 1
    assert client.stats()["workers"] == 2


def test_the_key_can_be_named_on_the_command_line(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(
        None,
        args=[
            "--database",
            url(shop_db),
            "--table",
            "tags",
            "--key",
            "name",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            *AS_ROOT,
        ],
    )
    assert server.client().fetch("tag-007").replies[0].item["uses"] == "7"


def test_the_command_line_wins_over_the_file(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    server = start_fetchd(
        shop(shop_db.socket, workers=1), args=["--workers", "3", "--listen", f"{home}/s"]
    )
    assert len(server.worker_pids()) == 3
    assert server.addresses() and not [
        a for a in server.addresses() if a.startswith("127")
    ]
    with Client(f"{home}/s") as client:
        assert client.fetch(1).items == 1


# --- secrets


@pytest.fixture
def guarded(own_db: MariaDB) -> MariaDB:
    """A database user with a password."""
    own_db.sql(
        "CREATE USER reader@localhost IDENTIFIED BY 'pass word#1'",
        "GRANT SELECT ON shop.* TO reader@localhost",
    )
    return own_db


def _check_hidden(server: Fetchd, secret: bytes) -> None:
    for pid in [server.master_pid, *server.worker_pids()]:
        assert secret not in procs.environ(pid), "in the environment"
        assert secret not in procs.cmdline(pid), "in the arguments"
    assert secret.decode() not in server.log()


def test_a_password_from_the_environment_leaves_it(
    guarded: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(
        None,
        env={"FETCHD_DATABASE_PASSWORD": "pass word#1"},
        args=[
            "--database",
            f"mysql://reader@localhost/shop?socket={guarded.socket}",
            "--table",
            "items",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "2",
            "--deadline",
            "10s",
            *AS_ROOT,
        ],
    )
    assert server.client().fetch(1).items == 1
    _check_hidden(server, b"pass word#1")


def test_a_password_comes_from_an_option_file(
    guarded: MariaDB, start_fetchd: Start, home: Path
) -> None:
    (home / "db.cnf").write_text('[client]\nuser=reader\npassword="pass word#1"\n')
    config = shop(guarded.socket)
    del config.databases["main"]["user"]
    config.databases["main"]["option_file"] = str(home / "db.cnf")
    server = start_fetchd(config)
    assert server.client().fetch(1).items == 1
    _check_hidden(server, b"pass word#1")


def test_a_wrong_password_is_an_outage_that_names_no_secret(
    guarded: MariaDB, start_fetchd: Start
) -> None:
    config = shop(guarded.socket, workers=1)
    config.databases["main"].update(user="reader", password="wr0ng-secret")
    server = start_fetchd(config)
    server.allowed_errors.append("reader")
    assert server.client().fetch(1).shorts == ["FAIL database"]
    server.wait_log(r"database name=main down")
    _check_hidden(server, b"wr0ng-secret")


def test_a_password_in_a_url_is_refused_and_not_repeated(shop_db: MariaDB) -> None:
    ended = run(
        "--database", "mysql://root:hunter2@localhost/shop", "--table", "items", *AS_ROOT
    )
    assert ended.returncode in (64, 78)
    assert "hunter2" not in ended.stdout + ended.stderr


# --- addresses


def test_several_addresses_serve_the_same_items(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    server = start_fetchd(
        shop(
            shop_db.socket,
            listen=["127.0.0.1:0", "127.0.0.1:0", f"unix:{home}/s", "[::1]:0"],
        )
    )
    ports = [
        int(a.rsplit(":", 1)[1]) for a in server.addresses() if a.startswith("127.0.0.1:")
    ]
    assert len(set(ports)) == 2 and len(server.addresses()) == 4
    answers = set()
    for address in [("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]), f"{home}/s"]:
        with Client(address) as client:
            answers.add(client.fetch(1).replies[0].rest)
    assert len(answers) == 1


def test_a_stale_unix_socket_is_replaced_and_removed_at_the_end(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{home}/s")
    server = start_fetchd(shop(shop_db.socket, listen=f"{home}/s"))
    with Client(f"{home}/s") as client:
        assert client.fetch(1).items == 1
    assert server.stop() == 0


def test_a_port_in_use_is_refused_with_one_sentence(shop_db: MariaDB) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = run(config=shop(shop_db.socket, listen=f"127.0.0.1:{port}"))
    assert ended.returncode == 1
    about = [row for row in ended.stderr.splitlines() if str(port) in row]
    assert len(about) == 1 and "in use" in about[0].lower()


# --- daemons


def _daemon(config: Config, home: Path) -> tuple[int, str]:
    """Runs fetchd -d; its exit code and what it said.  Files, not pipes: a daemon keeps them."""
    (home / "conf").write_text(config.text())
    with open(home / "said", "wb") as said:
        ended = subprocess.run(
            [BINARY, "-c", str(home / "conf"), "-d"],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            timeout=slow(20),
            check=False,
            cwd=home,
        )
    return ended.returncode, (home / "said").read_text(errors="replace")


def test_d_returns_0_when_the_server_is_ready(shop_db: MariaDB, home: Path) -> None:
    config = shop(shop_db.socket, listen=f"{home}/s", pid_file=f"{home}/pid")
    code, said = _daemon(config, home)
    assert code == 0, said
    master = int((home / "pid").read_text())
    try:
        with Client(f"{home}/s") as client:
            assert client.fetch(1).items == 1
        assert os.getsid(master) == master or os.getsid(master) != os.getsid(0)
    finally:
        os.kill(master, signal.SIGTERM)
        wait_until(lambda: not procs.alive(master), 10, "the daemon to end")
    assert not (home / "pid").exists()


def test_d_says_why_it_did_not_start(shop_db: MariaDB, home: Path) -> None:
    config = shop(shop_db.socket, listen=f"{home}/s", pid_file=f"{home}/pid")
    config.sources["items"]["table"] = "nosuchtable"
    code, said = _daemon(config, home)
    assert code == 78 and "nosuchtable" in said
    assert not (home / "pid").exists()


def test_d_says_that_the_port_is_in_use(shop_db: MariaDB, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        code, said = _daemon(shop(shop_db.socket, listen=f"127.0.0.1:{port}"), home)
    assert code == 1 and str(port) in said


def test_the_pid_file_names_the_master_and_goes_with_it(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    (home / "pid").write_text("99999999\n")  # left behind by somebody who is long gone
    server = start_fetchd(shop(shop_db.socket, pid_file=f"{home}/pid"))
    assert int((home / "pid").read_text()) == server.master_pid
    assert server.stop() == 0
    assert not (home / "pid").exists()


def test_inherited_descriptors_do_not_reach_the_workers(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    wrapper = [
        "/usr/bin/python3",
        "-c",
        "import os,sys\n"
        "for n in range(20, 60): os.dup2(0, n)\n"
        "os.execv(sys.argv[1], sys.argv[1:])",
    ]
    server = start_fetchd(shop(shop_db.socket, workers=1), wrapper=wrapper)
    assert server.client().fetch(1).items == 1
    held = Path(f"/proc/{server.worker_pids()[0]}/fd")
    assert sum(os.readlink(fd) == "/dev/null" for fd in held.iterdir()) < 10


def test_an_inherited_signal_mask_does_no_harm(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    wrapper = [
        "/usr/bin/python3",
        "-c",
        "import os,signal,sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "os.execv(sys.argv[1], sys.argv[1:])",
    ]
    server = start_fetchd(shop(shop_db.socket, workers=1), wrapper=wrapper)
    server.allowed_errors.append(r"worker slot=\S+ pid=\S+ died")
    assert server.client().fetch(1).items == 1
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_log(rf"worker slot=\S+ pid={victim} died")
    wait_until(lambda: server.worker_pids() and server.client().fetch(1).items == 1, 5)
