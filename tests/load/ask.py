"""ask.py ADDRESS SECONDS IDS CONNECTIONS ITEM [SOURCES] - asks fetchd for API items.

Each connection asks for IDS items at a time and checks every byte of the answer: ITEM is
the JSON of each, "{id}" in it standing for the id.  With SOURCES, connection i asks source
s<i> for the ids 0 to IDS - 1, again and again; without, all ids are new.  Prints JSON: items,
seconds and latencies in ms, and with the time it took to warm up: all_items and processor
seconds.
"""
import itertools
import json
import selectors
import socket
import sys
import time


class Asker:
    """One connection with one request under way."""

    def __init__(self, address, prefix, item, n, ids):
        host, port = address.split(":")
        self.sock = socket.create_connection((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prefix, self.item, self.n, self.ids = prefix, item, n, ids
        self.expected, self.got, self.asked = b"", bytearray(), 0.0

    def ask(self):
        ids = [str(i) for i in itertools.islice(self.ids, self.n)]
        keys = [self.prefix + i for i in ids]
        self.expected = "".join(f"ITEM {k} {self.item.replace('{id}', i)}\r\n"
                                for k, i in zip(keys, ids)).encode()
        self.got.clear()
        self.asked = time.monotonic()
        self.sock.sendall(f"fetch deadline=10000 {' '.join(keys)}\r\n".encode())

    def read(self):
        """True: the whole answer is there, and right."""
        data = self.sock.recv(1 << 20)
        if not data:
            raise SystemExit("fetchd closed the connection")
        self.got += data
        if len(self.got) < len(self.expected) or not self.got.endswith(b"\r\n"):
            return False
        if not (self.got.startswith(self.expected) and
                self.got[len(self.expected):].startswith(b"DONE %d 0 0 " % self.n)):
            raise SystemExit(f"a wrong answer: {bytes(self.got[:300])!r} ...")
        return True


def measure(askers, seconds):
    selector, items, took = selectors.DefaultSelector(), 0, []
    for asker in askers:
        selector.register(asker.sock, selectors.EVENT_READ, asker)
        asker.ask()
    began = time.monotonic()
    busy = len(askers)
    while busy:
        for key, _ in selector.select(10):
            if not key.data.read():
                continue
            now = time.monotonic()
            items += key.data.n
            took.append((now - key.data.asked) * 1000)
            if now - began < seconds:
                key.data.ask()
            else:
                busy -= 1
                selector.unregister(key.data.sock)
    took.sort()
    return {"items": items, "seconds": time.monotonic() - began,
            "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}


def main():
    address, seconds, n, connections, item = sys.argv[1:6]
    askers, fresh = [], itertools.count()
    for i in range(int(connections)):
        if len(sys.argv) > 6:
            askers.append(Asker(address, f"s{i}:", item, int(n),
                                itertools.cycle(range(int(n)))))
        else:
            askers.append(Asker(address, "", item, int(n), fresh))
    cpu = time.process_time()
    warm = measure(askers, 0.3)
    result = measure(askers, float(seconds))
    print(json.dumps({**result, "all_items": warm["items"] + result["items"],
                      "cpu": time.process_time() - cpu}))


main()
