"""slow_api.py MODE - an HTTP API for measurements: prints its port, then serves.

MODE is a number of milliseconds that each answer takes, and GET /most tells at once how
many calls were under way at most; or "hang": connections are accepted and that is all, at
next to no cost, as if it were another machine that hangs.
"""
import asyncio
import os
import socket
import sys

HANG = sys.argv[1] == "hang"
PAUSE_S = 0 if HANG else int(sys.argv[1]) / 1000
KEPT = 256  # connections of the hanging API; older ones are given up by their client
now = most = 0


def answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Api(asyncio.Protocol):
    """One connection, one call at a time."""

    def connection_made(self, transport):
        self.transport, self.got, self.waits = transport, b"", False

    def connection_lost(self, error):
        self.done()

    def done(self):
        global now
        if self.waits:
            now -= 1
        self.waits = False

    def reply(self):
        self.done()
        self.transport.write(answer(b'{"slow":1}'))

    def data_received(self, data):
        global now, most
        self.got += data
        if not self.got.endswith(b"\r\n\r\n"):
            return
        if self.got.startswith(b"GET /most"):
            self.transport.write(answer(b'{"most":%d}' % most))
        else:
            now, self.waits = now + 1, True
            most = max(most, now)
            asyncio.get_running_loop().call_later(PAUSE_S, self.reply)
        self.got = b""


async def main():
    server = await asyncio.get_running_loop().create_server(Api, "127.0.0.1", 0,
                                                            backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def hang():
    kept = []
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        if os.geteuid() == 0:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        print(listener.getsockname()[1], flush=True)
        while True:
            kept.append(listener.accept()[0])
            if len(kept) > KEPT:
                kept.pop(0).close()


if HANG:
    hang()
else:
    asyncio.run(main())
