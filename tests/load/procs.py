"""procs.py - processes: where they run, what they cost, how they end.

Promise: nothing outlives load-test, however it ends.  Servers get the kernel's word that
they die with it; the database, which is a daemon, and the files have a guard that sees
its pipe close.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failure(Exception):
    """What ends the test, in one sentence."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def cores(pin):
    """The cores to run on; None: leave it to the kernel."""
    allowed = sorted(os.sched_getaffinity(0))
    if pin == "none":
        return None
    return set(allowed[-1:] if pin == "same" else allowed[:2])


def pin_process(pid, to):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), to)


def cpu_seconds(pid):
    """Processor time of another process to the nanosecond: the clock that
    clock_getcpuclockid(3) names; /proc/PID/stat counts in 10 ms."""
    return time.clock_gettime((~pid << 3) | 2)


def family(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [pid] + [int(child) for child in f.read().split()]


def child(to):
    """For preexec_fn: die with us, run where you are told."""
    parent = os.getpid()

    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        if to:
            os.sched_setaffinity(0, to)
    return prepare


def end(process, name):
    """TERM, then KILL for what does not listen."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        say(f"load-test: {name} does not end, killing it")
        process.kill()
        process.wait()


def run(command, what):
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{what} failed:\n{done.stdout.rstrip()}")


def scratch(stack, dev_db, database):
    """A directory for this run alone.  A guard stops the database, this one or what runs
    in db below the directory, and removes the directory, when the run is over or its
    process gone."""
    folder = tempfile.mkdtemp(prefix="fetchd-load-")
    words = 'read -r _; "$1" stop "$2" >/dev/null 2>&1; rm -rf "$3"'
    guard = subprocess.Popen(["/bin/sh", "-c", words, "guard", dev_db,
                              database or os.path.join(folder, "db"), folder],
                             stdin=subprocess.PIPE, start_new_session=True)
    stack.callback(guard.wait)
    stack.callback(guard.stdin.close)
    return folder
