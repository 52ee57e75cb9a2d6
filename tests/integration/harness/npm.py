"""npm.py - npm packages for a folder of tests/integration/clients, installed on demand.

Owns: a cache directory outside the tree (under $XDG_CACHE_HOME or ~/.cache), one for each
content of package-lock.json; nothing is ever written beside the sources.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).resolve().parents[1] / "clients"


def modules(folder: str) -> Path:
    """The node_modules for clients/<folder>; skips the test when that cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed: the npm clients are not tested")
    lock = (CLIENTS / folder / "package-lock.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    home = base / "fetchd-tests" / f"{folder}-{hashlib.sha256(lock).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # other test processes wait here
        if not (home / "done").exists():
            _install(CLIENTS / folder, home)
    return home / "node_modules"


def _install(folder: Path, home: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, home / name)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stdout.decode(errors="replace").strip()[-300:]
        pytest.skip(f"npm ci failed: the npm clients are not tested: {reason}")
    (home / "done").touch()
