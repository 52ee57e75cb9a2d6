"""test_scenarios_install.py - what "make install" lays out works from where it lies."""

from __future__ import annotations

import getpass
import grp
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator, Sequence

import pytest
from harness.daemon import holders
from harness.fetchd import shop
from harness.mariadb import MariaDB
from harness.wait import BINARY, REPO, SLOW, wait_until
from harness.wire import Client

Done = subprocess.CompletedProcess[str]
# 1.2; the unit itself has 1.1
EXPOSURE = 12


def run(*words: str | Path, env: dict[str, str] | None = None) -> Done:
    """To its end; both outputs in one."""
    return subprocess.run(
        [str(w) for w in words],
        env={**os.environ, **(env or {})},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60 * SLOW,
        check=False,
    )


def make(goal: str, **variables: str | Path) -> Done:
    """make GOAL without building: the binary under test is what is installed."""
    env = {
        "DESTDIR": "", "PREFIX": "/usr", "SYSCONFDIR": "/etc", "RUNDIR": "/run/fetchd",
        "DOCDIR": "/usr/share/doc/fetchd", "LOGDIR": "/var/log/fetchd",
        "UNITDIR": "/lib/systemd/system", "SYSUSERSDIR": "/usr/lib/sysusers.d",
        "TMPFILESDIR": "/usr/lib/tmpfiles.d",
    }  # fmt: skip
    env.update({name: str(value) for name, value in variables.items()})
    done = run(REPO / "scripts/install-tree", goal, BINARY, env=env)
    assert done.returncode == 0, done.stdout
    return done


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a short name: the control socket lies in it, deep down."""
    with tempfile.TemporaryDirectory(prefix="ftd-") as name:
        yield Path(name)


@pytest.fixture
def tree(root: Path, shop_db: MariaDB) -> Iterator[Path]:
    """An installed tree below a DESTDIR, configured; whatever serves in it is stopped."""
    make("install", DESTDIR=root)
    config = shop(shop_db.socket, workers=2, log=str(root / "log"))
    config.top["user"] = ""
    (root / "etc/fetchd/fetchd.conf").write_text(config.text())
    (root / "etc/default/fetchd").write_text(f'FETCHD_USER="{getpass.getuser()}"\n')
    yield root
    script(root, "stop")
    left = holders(root / "run")
    assert not left, run("ps", "-o", "pid,args", "-p", ",".join(map(str, left))).stdout


def script(tree: Path, action: str) -> Done:
    """The init script of the tree."""
    return run(tree / "etc/init.d/fetchd", action, env={"FETCHD_ROOT": str(tree)})


def codes(tree: Path, actions: Sequence[str]) -> list[int]:
    """The exit codes of one action after the other."""
    return [script(tree, action).returncode for action in actions]


def test_scenario_54_the_init_script_keeps_to_lsb(tree: Path) -> None:
    steps = {
        "start": 0, "start ": 0, "status": 0, "reload": 0, "force-reload": 0, "rotate": 0,
        "try-restart": 0, "stop": 0, "stop ": 0, "status ": 3, "restart": 0,
        "configtest": 0, "stop  ": 0, "try-restart ": 0, "status  ": 3, "reload ": 7,
        "rotate ": 7, "upgrade ": 7, "dance": 2, "": 2,
    }  # fmt: skip
    got = {step: script(tree, step.strip()).returncode for step in steps}
    assert got == steps
    log = (tree / "log").read_text()
    assert not re.search(r"^\S+ error ", log, re.MULTILINE), log


def test_the_init_script_says_what_is_wrong_and_lets_what_works_work(tree: Path) -> None:
    conf = tree / "etc/fetchd/fetchd.conf"
    good = conf.read_text()
    assert script(tree, "start").returncode == 0
    port = re.findall(r"address=127.0.0.1:([0-9]+)", (tree / "log").read_text())[0]
    conf.write_text(good + "nonsense = 1\n")
    for action, code in (("restart", 6), ("reload", 1), ("configtest", 78)):
        done = script(tree, action)
        assert done.returncode == code and "nonsense" in done.stdout, done
    with Client(("127.0.0.1", int(port)), 20.0) as client:
        assert client.fetch(1).items == 1  # none of which stopped it
    assert codes(tree, ["stop", "start", "status"]) == [0, 1, 3]
    conf.unlink()
    assert codes(tree, ["start", "restart", "status", "stop"]) == [6, 6, 3, 0]
    (tree / "usr/sbin/fetchd").unlink()
    assert codes(tree, ["start", "status", "reload", "stop"]) == [5, 4, 5, 0]


def test_a_start_knows_a_server_whose_program_was_replaced(tree: Path) -> None:
    assert script(tree, "start").returncode == 0
    program = tree / "usr/sbin/fetchd"
    shutil.copy(program, f"{program}.new")
    os.rename(f"{program}.new", program)
    assert codes(tree, ["start", "status", "stop", "status"]) == [0, 0, 0, 3]


def test_install_keeps_what_the_operator_changed(tmp_path: Path) -> None:
    make("install", DESTDIR=tmp_path)
    conf, default = tmp_path / "etc/fetchd/fetchd.conf", tmp_path / "etc/default/fetchd"
    conf.write_text("mine")
    make("install", DESTDIR=tmp_path)
    assert conf.read_text() == "mine" and Path(f"{conf}.new").exists()
    assert not Path(f"{default}.new").exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"@SBINDIR@" in path.read_bytes()]
    make("uninstall", DESTDIR=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [conf]


@pytest.fixture
def place(root: Path) -> Path:
    """A tree installed for where it lies: every path in its files is true."""
    make(
        "install",
        PREFIX=root / "usr",
        SYSCONFDIR=root / "etc",
        RUNDIR=root / "run",
        LOGDIR=root / "log",
        UNITDIR=root / "units",
        SYSUSERSDIR=root / "sysusers.d",
        TMPFILESDIR=root / "tmpfiles.d",
        DOCDIR=root / "doc",
    )
    return root


def test_the_units_are_valid_and_exposed_to_little(place: Path) -> None:
    for unit in ("fetchd.service", "fetchd.socket"):
        done = run("systemd-analyze", "verify", place / "units" / unit)
        assert done.returncode == 0 and not done.stdout, done.stdout
    done = run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}",
        place / "units/fetchd.service",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_user_and_directories_are_made_as_described(place: Path) -> None:
    root = place / "root"
    for name in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(place / name, root / "usr/lib" / name)
    done = run("systemd-sysusers", "--dry-run", f"--root={root}")
    assert done.returncode == 0 and "fetchd" in done.stdout, done.stdout
    if os.geteuid() != 0:
        return
    (root / "etc").mkdir()
    (root / "etc/group").write_text("adm:x:4:\n")
    (root / "etc/passwd").write_text("")
    assert run("systemd-sysusers", f"--root={root}").returncode == 0
    done = run("systemd-tmpfiles", "--create", f"--root={root}")
    assert done.returncode == 0, done.stdout
    for line in (place / "tmpfiles.d/fetchd.conf").read_text().splitlines():
        _, path, mode, *_ = line.split()
        made = Path(f"{root}{path}").stat()
        assert made.st_mode & 0o777 == int(mode, 8) and made.st_uid != 0


def test_logrotate_rotates_and_no_line_is_lost(place: Path, shop_db: MariaDB) -> None:
    recipe = place / "etc/logrotate.d/fetchd"
    group = grp.getgrgid(os.getegid()).gr_name
    text = recipe.read_text().replace("fetchd adm", f"{getpass.getuser()} {group}")
    recipe.write_text(text.replace("compress\n", "nocompress\n", 1))
    recipe.chmod(0o644)
    for name in ("log", "run"):
        (place / name).mkdir(mode=0o755)
    logrotate = ["/usr/sbin/logrotate", "-s", str(place / "state")]
    done = run(*logrotate, "-d", recipe)
    assert done.returncode == 0 and "error" not in done.stdout, done.stdout
    config = shop(shop_db.socket, workers=1, log=str(place / "log/fetchd.log"))
    config.top["pid_file"] = str(place / "run/fetchd.pid")
    (place / "etc/fetchd/fetchd.conf").write_text(config.text())
    program = place / "usr/sbin/fetchd"
    words = [program, "-c", place / "etc/fetchd/fetchd.conf"]
    assert run(*words, "-d").returncode == 0
    try:
        assert run(*logrotate, "-f", recipe).returncode == 0
        new, old = place / "log/fetchd.log", place / "log/fetchd.log.1"
        assert "log opened anew" in new.read_text()
        assert " ready workers=1" in old.read_text()
        wait_until(lambda: not holders(old), 3, "the old log to be let go")
    finally:
        assert run(*words, "-s", "stop", "--wait").returncode == 0
