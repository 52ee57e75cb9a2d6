"""apis.py - what http-bench drives: HTTP APIs on this machine, and fetchd before them."""
import json
import os
import re
import subprocess
import sys

import procs
from procs import TOP, Failure
from servers import Server, free_port

ITEM = ('{"id":"7","name":"a thing to sell","price":"12.50","stock":7,"tags":["red","new",'
        '"sale"],"text":"' + "x" * 180 + '"}')
NUMBERED = ITEM.replace('"7"', '"{id}"')
BATCH = 100
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def helper(name):
    return [sys.executable, os.path.join(TOP, "tests", "load", name)]


class Nginx(Server):
    """Debian's nginx, one process, never as a service: /items/ is one item whatever the id,
    /batch an array of the items 0 to 99."""

    name = "nginx"

    def __init__(self, args, stack):
        super().__init__(args, stack)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        with open(os.path.join(self.folder, "batch"), "w", encoding="ascii") as f:
            f.write("[" + ",".join(NUMBERED.replace("{id}", str(i))
                                   for i in range(BATCH)) + "]")
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(self.config(port))
        self.spawn(["/usr/sbin/nginx", "-p", self.folder, "-c", config,
                    "-e", "stderr"], args.cores)
        self.wait_for(self.listens)

    def config(self, port):
        paths = "".join(f"  {name}_temp_path {self.folder}/{name};\n"
                        for name in TEMPORARY)
        return (f"daemon off;\nmaster_process off;\npid {self.folder}/pid;\n"
                "events { worker_connections 8192; }\n"
                "http {\n  access_log off;\n  default_type application/json;\n"
                "  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n"
                f"  sendfile on;\n  tcp_nopush on;\n{paths}"
                f"  server {{\n    listen 127.0.0.1:{port} backlog=4096;\n"
                f"    location /items/ {{ return 200 '{ITEM}'; }}\n"
                f"    location /batch {{ root {self.folder}; }}\n  }}\n}}\n")


class SlowApi(Server):
    """An API that takes its time, or for ever."""

    name = "slow API"

    def __init__(self, args, stack, mode):
        super().__init__(args, stack)
        self.spawn(helper("slow_api.py") + [mode], args.cores, stdout=subprocess.PIPE)
        port = self.process.stdout.readline().decode().strip()
        if not port:
            raise Failure("the slow API does not start:\n" + self.logged())
        self.address = f"127.0.0.1:{port}"


class Gateway(Server):
    """fetchd with one worker; 'sections' are its databases and sources."""

    name = "fetchd"

    def __init__(self, args, stack, sections):
        super().__init__(args, stack)
        config = os.path.join(self.folder, "fetchd.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write('listen = "127.0.0.1:0"\nworkers = 1\ndeadline = "1s"\n')
            if os.geteuid() == 0:
                f.write('user = "root"\n')
            f.write('cache { size = "0" }\n' + sections)
        self.spawn([os.path.join(TOP, args.build, "fetchd"), "-c", config], args.cores)
        self.address = self.wait_for(
            lambda: re.search(r"listening address=(\S+)\s", self.logged())).group(1)
        self.wait_for(lambda: "ready workers=" in self.logged())

    def cpu(self):
        return sum(procs.cpu_seconds(pid) for pid in procs.family(self.process.pid))


def source(name, url, **options):
    """A section of an HTTP source."""
    text = "".join(f"    {key} = {json.dumps(value)}\n" for key, value in options.items())
    return f'source {name} {{\n    url = "{url}"\n{text}}}\n'


def run_helper(args, name, *words):
    """What a measuring program printed."""
    done = subprocess.run(helper(name) + [str(w) for w in words], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=procs.child(args.cores))
    if done.returncode != 0:
        raise Failure(f"{name} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)
