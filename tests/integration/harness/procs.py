"""procs.py - what /proc says about a process.

Everything here tolerates processes that vanish while being looked at.
"""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """For preexec_fn: the child gets SIGKILL when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command name, or [] when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def alive(pid: int) -> bool:
    """Does it exist and is it more than a zombie?"""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def state(pid: int) -> str:
    """R, S, T, Z ...; "" when it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Living children, zombies left out, in order of pid."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            kids = [int(p) for p in f.read().split()]
    except OSError:
        kids = [p for p in _all_pids() if (_stat(p) + [""] * 2)[1] == str(pid)]
    return sorted(p for p in kids if alive(p))


def in_session(sid: int) -> list[int]:
    """Living processes of a session: what a test started and all it begat."""
    return [p for p in _all_pids() if (_stat(p) + [""] * 4)[3] == str(sid) and alive(p)]


def zombies_of(pid: int) -> list[int]:
    """Dead children that nobody reaped."""
    out = []
    for p in _all_pids():
        fields = _stat(p)
        if fields and fields[0] == "Z" and fields[1] == str(pid):
            out.append(p)
    return out


def fd_count(pid: int) -> int:
    """Open descriptors; -1 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return -1


def fd_names(pid: int) -> list[str]:
    """What the open descriptors are, for a message about a leak."""
    out = []
    try:
        for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
            try:
                out.append(f"{fd}={os.readlink(f'/proc/{pid}/fd/{fd}')}")
            except OSError:
                continue
    except OSError:
        pass
    return out


def socket_inode(local: str, remote: str) -> int:
    """The inode of the IPv4 TCP socket between two addresses spelled as in /proc/net/tcp."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in table:
            columns = row.split()
            if columns[1] == local and columns[2] == remote:
                return int(columns[9])
    return 0


def has_socket(pid: int, inode: int) -> bool:
    """Does the process hold the socket?"""
    return any(name.endswith(f"=socket:[{inode}]") for name in fd_names(pid))


def rss_kib(pid: int) -> int:
    """Resident memory in KiB; 0 when it is gone."""
    return _status_kib(pid, "VmRSS:")


def _status_kib(pid: int, field: str) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(field):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def cpu_seconds(pid: int) -> float:
    """User and system time so far; 0 when it is gone."""
    fields = _stat(pid)
    return (
        (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0
    )


def environ(pid: int) -> bytes:
    """The environment block as the kernel shows it."""
    with open(f"/proc/{pid}/environ", "rb") as f:
        return f.read()


def cmdline(pid: int) -> bytes:
    """The arguments as the kernel shows them."""
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read()


def kill_if_alive(pid: int, sig: int = signal.SIGKILL) -> None:
    """A signal to a process that may be gone already."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass
