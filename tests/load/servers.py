"""servers.py - what load-test drives: fetchd, and what it is compared with.

A server has a name, the dialect the generator speaks with it, an address, and a cost in
processor seconds; close() ends it.  All are one process or thread that serves, keep
everything in memory, and hold the same items.
"""
import os
import re
import socket
import subprocess
import tempfile
import time

import procs
from procs import TOP, Failure, say

START_S = 20       # for a server to be ready
ITEM_BYTES = 640   # that an item takes in any server's memory, and some room


def loadgen(args):
    return os.path.join(TOP, args.build, "loadgen")


def free_port():
    """A port of the kernel's choice, for servers that cannot ask it themselves."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(address):
    if address.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(address.removeprefix("unix:"))
    else:
        host, port = address.split(":")
        s = socket.create_connection((host, int(port)))
    s.settimeout(5)
    return s


class Database:
    """A mariadbd of scripts/dev-db with the load table: where it is, how to reach it."""

    def __init__(self, args, stack):
        self.dev_db = os.path.join(TOP, "scripts", "dev-db")
        self.folder = args.database and os.path.abspath(args.database)
        self.port = None
        self.start(args, stack)
        self.pid = self.read_pid()
        if args.transport == "tcp":
            with open(os.path.join(self.folder, "port"), encoding="ascii") as f:
                self.port = int(f.read())
        self.socket = os.path.join(self.folder, "mysqld.sock")
        self.options = (["--port", str(self.port)] if self.port else
                        ["--socket", self.socket])

    def read_pid(self):
        with open(os.path.join(self.folder, "mysqld.pid"), encoding="ascii") as f:
            return int(f.read())

    def running(self):
        return self.folder and subprocess.run(
            [self.dev_db, "status", self.folder], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def start(self, args, stack):
        if self.running():
            stack.callback(procs.pin_process, self.read_pid(),
                           os.sched_getaffinity(self.read_pid()))
            args.scratch = procs.scratch(stack, self.dev_db, None)
        else:
            args.scratch = procs.scratch(stack, self.dev_db, self.folder)
            self.folder = self.folder or os.path.join(args.scratch, "db")
            say(f"load-test: starting MariaDB in {self.folder}")
        # When it runs already, this only finds out whether it has what is needed.
        tcp = ["--tcp"] if args.transport == "tcp" else []
        procs.run([self.dev_db, "start", self.folder, "--no-data", "--rows",
                   str(args.rows)] + tcp, "dev-db start")

    def fill(self, args):
        say(f"load-test: table of {args.rows:,} rows")
        command = [loadgen(args), "fill", *self.options, "--rows", str(args.rows)]
        if subprocess.run(command, check=False).returncode != 0:
            raise Failure("the load table could not be made")

    def section(self):
        where = (f'host = "127.0.0.1"\n    port = {self.port}' if self.port else
                 f'socket = "{self.socket}"')
        return f'database main {{\n    {where}\n    schema = "load"\n    user = "root"\n}}\n'


class Server:
    """A process of ours that listens somewhere."""

    name = dialect = address = process = None

    def __init__(self, args, stack):
        self.args = args
        self.folder = tempfile.mkdtemp(dir=args.scratch)
        self.log = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8",
                                                              errors="replace"))
        self.stack = stack

    def spawn(self, command, to, **more):
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stderr=self.log, preexec_fn=procs.child(to),
                                            **{"stdout": self.log, **more})
        except FileNotFoundError:
            raise Failure(f"there is no {command[0]}: scripts/deps test installs it") \
                from None
        self.stack.callback(self.close)

    def logged(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_for(self, fact):
        until = time.monotonic() + START_S
        while True:
            ended = self.process.poll() is not None
            found = fact()
            if found:
                return found
            if ended or time.monotonic() > until:
                raise Failure(f"{self.name} does not start:\n"
                              + self.logged()[-2000:].rstrip())
            time.sleep(0.01)

    def listens(self):
        try:
            connect(self.address).close()
        except OSError:
            return False
        return True

    def close(self):
        procs.end(self.process, self.name)

    def cpu(self):
        return procs.cpu_seconds(self.process.pid)

    def stats(self):
        return {}

    def complaints(self):
        """The last lines of its log that say something went wrong."""
        return []

    def fill(self):
        say(f"load-test: {self.name}: storing {self.args.rows:,} items")
        done = subprocess.run([loadgen(self.args), "store", "--dialect", self.dialect,
                               "--address", self.address, "--rows", str(self.args.rows)],
                              check=False)
        if done.returncode != 0:
            raise Failure(f"{self.name} could not be filled")


class Fetchd(Server):
    """fetchd over the load table; 'fresh' "0" is without a cache."""

    def __init__(self, args, stack, to, database, name, fresh):
        super().__init__(args, stack)
        self.name, self.dialect, self.fresh = name, args.dialect, fresh
        config = os.path.join(self.folder, "fetchd.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(self.config(database))
        self.spawn([os.path.join(TOP, args.build, "fetchd"), "-c", config], to)
        self.address = self.wait_for(
            lambda: re.search(r"listening address=(\S+)\s", self.logged())).group(1)
        self.wait_for(lambda: "ready workers=" in self.logged())

    def config(self, database):
        args = self.args
        listen = (f"unix:{self.folder}/sock" if args.transport == "unix" else
                  "127.0.0.1:0")
        size = args.cache or f"{args.rows * ITEM_BYTES // 2**20 + 64}M"
        lines = [f'listen = "{listen}"', f"workers = {args.workers}"]
        if os.geteuid() == 0:
            lines.append('user = "root"')
        if args.deadline:
            lines.append(f'deadline = "{args.deadline}"')
        lines.append(f'cache {{ size = "{size if self.fresh != "0" else 0}" }}')
        return "\n".join(lines) + "\n" + database.section() + (
            'source items {\n    database = "main"\n    table = "items"\n'
            f'    key = "id"\n    fresh = "{self.fresh}"\n'
            f'    negative = "{self.fresh}"\n}}\n')

    def fill(self):
        """It fills itself when it is asked; see Bench.warm."""

    def complaints(self):
        return [t for t in self.logged().splitlines()
                if re.search(" (warn|error) ", t)][-5:]

    def stats(self):
        values = {}
        with connect(self.address) as s, s.makefile("rb") as f:
            s.sendall(b"stats\r\n")
            for line in f:
                words = line.decode().split()
                if words[:1] != ["STAT"]:
                    break
                values[words[1]] = words[2] if len(words) > 2 else ""
        return values

    def cpu(self):
        return sum(procs.cpu_seconds(pid) for pid in procs.family(self.process.pid))


class Memcached(Server):
    """Debian's memcached, one thread that serves."""

    name, dialect = "memcached", "memcached"

    def __init__(self, args, stack, to):
        super().__init__(args, stack)
        megabytes = args.rows * ITEM_BYTES // 2**20 + 64
        command = ["memcached", "-t", "1", "-c", "20000", "-m", str(megabytes)]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        if args.transport == "unix":
            self.address = f"unix:{self.folder}/sock"
            command += ["-s", self.folder + "/sock"]
        else:
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            command += ["-l", "127.0.0.1", "-p", str(port)]
        self.spawn(command, to)
        self.wait_for(self.listens)


class Redis(Server):
    """Debian's redis-server, nothing written to disk."""

    name, dialect = "redis", "resp"

    def __init__(self, args, stack, to):
        super().__init__(args, stack)
        command = ["redis-server", "--save", "", "--appendonly", "no", "--dir",
                   self.folder, "--maxclients", "20000"]
        if args.transport == "unix":
            self.address = f"unix:{self.folder}/sock"
            command += ["--port", "0", "--unixsocket", self.folder + "/sock"]
        else:
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            command += ["--bind", "127.0.0.1", "--port", str(port)]
        self.spawn(command, to)
        self.wait_for(self.listens)


class Echo(Server):
    """As many bytes, nothing looked up; started anew for each share of hits."""

    name, dialect = "echo", "echo"

    def __init__(self, args, stack, to, hits):
        super().__init__(args, stack)
        self.hits = hits
        listen = f"unix:{self.folder}/sock" if args.transport == "unix" else "127.0.0.1:0"
        self.spawn([loadgen(args), "echo", "--address", listen, "--rows", str(args.rows),
                    "--hits", str(hits)], to, stdout=subprocess.PIPE)
        self.address = self.process.stdout.readline().decode().strip()
        if not self.address:
            raise Failure("echo does not start:\n" + self.logged())

    def fill(self):
        """It holds what it needs."""
