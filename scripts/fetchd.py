#!/usr/bin/python3
"""fetchd.py - a client of fetchd in one file; copy it next to the program that needs it.

    shop = fetchd.Fetchd("127.0.0.1:7070")    # or "[::1]:7070", "unix:/run/fetchd.sock"
    for r in shop.fetch([1, 2, 9], fields=["name"], deadline_ms=50):
        print(r.id, r.status, r.item)         # 1 found {'name': 'one'}

Promise: a result for each id that was asked, in that order, by the deadline and a little
slack, whatever becomes of the server; exceptions only for wrong requests and where asked
for.  Never does: ask again once any of the answer was seen.  AsyncFetchd is its twin for
asyncio.  Python 3.8 or newer, standard library only.  The statuses:

    found stale     there is an item; stale: age_ms old, which the policy allows
    miss            the source says there is none
    timeout database upstream overload badid toobig toostale     the server cannot tell
    connection      the server could not be asked; detail says why
"""
from __future__ import annotations
import argparse, asyncio, contextlib, json, os, re, select, socket, sys, time
from typing import (Any, AsyncContextManager, Awaitable, Callable, ContextManager, Dict,
                    Generic, Iterable, List, NamedTuple, Optional, Sequence, Tuple,
                    TypeVar, Union)

Id = Union[int, str]
Ms = Optional[float]
Names = Optional[Sequence[str]]
Loads = Optional[Callable[[str], Any]]
_WINDOW = 8  # chunks of one fetch in flight: a connection's unanswered ids are bounded
_BAD = re.compile(r"[\x00-\x20\x7f]")
_MIDDLE = {b"ITEM", b"STALE", b"MISS", b"FAIL", b"DATA", b"STAT"}
_LETTERS = {"I": "found", "S": "stale", "M": "miss", "F": "failed"}


class RequestError(Exception):
    """The server refuses the request: .code is syntax, option, toomany, auth, ..."""
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class PartialError(Exception):
    """Some of .results failed; a miss is no failure."""
    def __init__(self, results: List[Result]) -> None:
        super().__init__(f"{sum(r.failed for r in results)} of {len(results)} ids failed")
        self.results = results


class Result(NamedTuple):
    """The answer for one position; true when it has an item."""
    id: Id
    status: str
    item: Any = None
    age_ms: Optional[int] = None
    detail: str = ""

    def __bool__(self) -> bool:
        return self.item is not None

    @property
    def failed(self) -> bool:
        return self.status not in ("found", "stale", "miss")


class Columns(Dict[str, List[Any]]):
    """field -> values aligned with the ids, None where there are none; .status too."""
    status: List[str]


class _Limit(NamedTuple):
    """Until when the server shall answer, and until when we wait for that."""
    server: Optional[float]
    end: float

    def left(self) -> float:
        if self.end <= time.monotonic():
            raise socket.timeout("no answer in time")
        return self.end - time.monotonic()


class _Call:
    """One line to the server and the lines that come back."""
    def __init__(self, words: str, keys: Sequence[str] = (), at: Sequence[int] = ()):
        self.words, self.keys, self.at, self.tag = words, keys, at, b""
        self.rows: List[List[bytes]] = []  # tag, kind, key, rest
        self.last: List[bytes] = []        # the closing one
        self.status, self.detail = "connection", ""  # of what stays unanswered
        self.future: Optional[asyncio.Future[None]] = None

    def wake(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(None)

    def trouble(self, why: Exception) -> None:
        self.status = "timeout" if isinstance(why, socket.timeout) else "connection"
        self.detail = str(why) or type(why).__name__

    def check(self, needed: bool = False) -> List[List[bytes]]:
        """Its rows; raises what the server has against the request."""
        if self.last[1:3] == [b"ERROR", b"busy"]:
            self.last, self.status, self.detail = [], "overload", "the server is busy"
        elif self.last[1:2] == [b"ERROR"]:
            raise RequestError(b" ".join(self.last[2:]).decode() or "unknown verb")
        if needed and not self.last:
            raise ConnectionError(self.detail)
        return self.rows


def _key(prefix: str, name: Any) -> str:
    """What an id is called on the wire; empty: nothing that the server would take."""
    try:
        if type(name) is int and abs(name) < 1 << 64:
            return f"{prefix}{name}"
        text = str.__str__(name) if isinstance(name, str) else str(name.__index__())
        good = text and not _BAD.search(text) and not isinstance(name, bool)
        return prefix + text if good and len((prefix + text).encode()) <= 250 else ""
    except (ValueError, AttributeError):  # half a surrogate; no integer at all
        return ""


class _Plan:
    """One fetch: its calls, and what becomes of every position."""
    def __init__(self, ids: Iterable[Any], prefix: str, words: str, chunk: int,
                 loads: Loads, columns: Sequence[str]) -> None:
        self.ids, self.loads = list(ids), loads
        self.out = [Result(name, "badid", None, None, "not a key") for name in self.ids]
        self.columns = Columns((name, [None] * len(self.ids)) for name in columns)
        keys = [_key(prefix, name) for name in self.ids]
        at = [n for n, key in enumerate(keys) if key]
        self.calls = [_Call(words, [keys[k] for k in at[n:n + chunk]], at[n:n + chunk])
                      for n in range(0, len(at), chunk)]

    def finish(self) -> List[Result]:
        for call in self.calls:
            call.check()
            self.fail(call, call.status, call.detail)
            read = self.read_columns if self.columns and call.last else self.read_lines
            try:
                read(call)
            except (ValueError, IndexError, KeyError) as error:
                self.fail(call, "connection", f"not understood: {error}")
        self.columns.status = [r.status for r in self.out]
        return self.out

    def fail(self, call: _Call, status: str, detail: str) -> None:
        for n in call.at:
            self.out[n] = Result(self.ids[n], status, None, None, detail)

    def read_lines(self, call: _Call) -> None:
        rows, ids, out = call.rows, self.ids, self.out
        texts = [row[3] if row[1] == b"ITEM" else row[3].partition(b" ")[2]
                 for row in rows if row[1] in (b"ITEM", b"STALE")]
        # Some at once: a quarter less time than one by one; all would not fit the caches.
        items = [text.decode() for text in texts] if self.loads is None else [
            item for n in range(0, len(texts), 50)
            for item in self.loads("[" + b",".join(texts[n:n + 50]).decode() + "]")]
        if len(items) != len(texts) or call.last and len(rows) != len(call.at):
            raise ValueError("not a line for each id")
        item = iter(items)
        for n, key, row in zip(call.at, call.keys, rows):
            if row[2] != key.encode() or row[1] in (b"DATA", b"STAT"):
                raise ValueError(f"{row[1:3]} where {key!r} was asked")
            if row[1] == b"ITEM":
                out[n] = Result(ids[n], "found", next(item))
            elif row[1] == b"STALE":
                out[n] = Result(ids[n], "stale", next(item), int(row[3].split(b" ")[0]))
            elif row[1] == b"MISS":
                out[n] = Result(ids[n], "miss")
            else:  # "stale" alone would read as if there were an item
                out[n] = Result(ids[n], row[3].decode().replace("stale", "toostale"))

    def read_columns(self, call: _Call) -> None:
        data = (self.loads or json.loads)(b" ".join(call.rows[0][2:]).decode())
        for n, letter in zip(call.at, call.last[-1].rpartition(b"status=")[2].decode()):
            self.out[n] = Result(self.ids[n], _LETTERS[letter])
        for field, values in self.columns.items():
            for n, value in zip(call.at, data[field]):
                values[n] = value


class _Wire:
    """A connection without its socket: calls become bytes, bytes become answers."""
    def __init__(self) -> None:
        self.open: Dict[bytes, _Call] = {}
        self.tail: List[bytes] = []
        self.asked, self.heard = 0, False

    def ask(self, call: _Call, limit: _Limit) -> bytes:
        self.asked += 1
        call.tag = b"#%d" % self.asked
        self.open[call.tag] = call
        words = call.words
        if limit.server:
            left_ms = int((limit.server - time.monotonic()) * 1000 + 0.99)
            words = words.replace("fetch", f"fetch deadline={max(1, left_ms)}", 1)
        return call.tag + " ".join(["", words, *call.keys, "\r\n"]).encode()

    def feed(self, data: bytes) -> None:
        """Takes what came; OSError: it is no answer."""
        if not data:
            raise OSError("the server closed the connection")
        self.heard, (head, newline, rest) = True, data.rpartition(b"\n")
        self.tail.append(head + newline or rest)
        if not newline:
            return
        lines, self.tail = b"".join(self.tail).split(b"\r\n"), [rest]
        for line in lines[:-1]:
            row = line.split(b" ", 3)
            call = self.open.get(row[0])
            if call is None and line[:1] != b"#" or len(row) < 2:
                raise OSError(f"the server says {line[:80].decode(errors='replace')!r}")
            if call is not None and row[1] in _MIDDLE:
                call.rows.append(row)
            elif call is not None:  # else nobody waits for it any more
                call.last = row
                self.open.pop(row[0]).wake()


R = TypeVar("R")  # what fetch(), items() and stats(), columns(), ping() return
M = TypeVar("M")
C = TypeVar("C")
P = TypeVar("P")


class _Client(Generic[R, M, C, P]):
    """What both clients do."""
    _run: Callable[[List[_Call], _Limit, Callable[[], Any]], Any]

    def __init__(self, address: str = "127.0.0.1:7070", *, connections: int = 0,
                 chunk: int = 1000, deadline_ms: Ms = None, slack_ms: float = 100,
                 timeout_ms: float = 10000, loads: Loads = json.loads) -> None:
        """connections: AsyncFetchd's.  chunk: ids in one request.  deadline_ms: for calls
        that name none; without any the server's own holds, and timeout_ms for ourselves.
        slack_ms: how long after it we wait for the server's word.  loads: reads a JSON
        list of items (partial(json.loads, parse_float=Decimal)); None: items are text."""
        found = re.fullmatch(r"unix:(.+)|\[(.+)\]:([1-9]\d*)|([^:]+):([1-9]\d*)", address)
        if found is None:
            raise ValueError(f"expected host:port, [v6]:port, unix:path, got {address!r}")
        self._address = found[1] or found[2] or found[4], int(found[3] or found[5] or 0)
        self._options = deadline_ms, slack_ms, timeout_ms
        self._connections, self._chunk, self._loads = connections, chunk, loads

    def _limit(self, deadline_ms: Ms = None) -> _Limit:
        default_ms, slack_ms, timeout_ms = self._options
        now, ms = time.monotonic(), default_ms if deadline_ms is None else deadline_ms
        return _Limit(None if ms is None else now + ms / 1000,
                      now + (timeout_ms if ms is None else ms + slack_ms) / 1000)

    def _fetch(self, then: Callable[[_Plan], Any], ids: Iterable[Id],
               source: Optional[str] = None, fields: Names = None, deadline_ms: Ms = None,
               maxage_ms: Ms = None, raise_on_partial: bool = False,
               raise_on_connection: bool = False, columns: Sequence[str] = ()) -> Any:
        words = "fetch as=columns" if columns else "fetch"
        if isinstance(ids, (str, bytes)) or isinstance(fields, str):
            raise ValueError("ids, fields: expected a list, got a string")
        names = [source or "x", *(fields or ())]
        if any(_BAD.search(name) or "," in name or not name for name in names):
            raise ValueError("source, fields: expected names without blanks and commas")
        words += f" fields={','.join(fields)}" if fields else ""
        words += " --" if maxage_ms is None else f" maxage={int(maxage_ms)} --"
        prefix = f"@@{source}." if source else "" if source is None else ":"
        plan = _Plan(ids, prefix, words, self._chunk, self._loads, columns)
        def finish() -> Any:
            for r in plan.finish():
                if raise_on_connection and r.status == "connection":
                    raise ConnectionError(r.detail)
                if raise_on_partial and r.failed:
                    raise PartialError(plan.out)
            return then(plan)
        return self._run(plan.calls, self._limit(deadline_ms), finish)

    def fetch(self, ids: Iterable[Id], source: Optional[str] = None, fields: Names = None,
              deadline_ms: Ms = None, maxage_ms: Ms = None,
              raise_on_partial: bool = False, raise_on_connection: bool = False) -> R:
        """A Result for each id.  source: None lets "tags:x" ask the source tags; "" means
        the default source, whatever the ids look like; an unknown name: all "badid"."""
        return self._fetch(lambda plan: plan.out, ids, source, fields, deadline_ms,
                           maxage_ms, raise_on_partial, raise_on_connection)

    def items(self, ids: Iterable[Id], **how: Any) -> M:
        """id -> item, for those that have one; 'how' as for fetch()."""
        return self._fetch(lambda plan: {r.id: r.item for r in plan.out if r}, ids, **how)

    def columns(self, ids: Iterable[Id], fields: Sequence[str], **how: Any) -> C:
        """A list for each field, less work than fetch(); a FAIL's code is "failed"."""
        return self._fetch(lambda plan: plan.columns, ids,
                           fields=fields, columns=fields, **how)

    def ping(self) -> P:
        """How many milliseconds a word takes, there and back."""
        call, start = _Call("ping"), time.monotonic()
        return self._run([call], self._limit(), lambda: (
            time.monotonic() - start) * 1000 + len(call.check(True)))

    def stats(self) -> M:
        """The server's counters, all workers together."""
        call = _Call("stats")
        return self._run([call], self._limit(), lambda: {
            row[2].decode(): row[3].decode() for row in call.check(True)})


class _Line(_Wire):
    """A connection of the client for threads; one of them at a time."""
    def __init__(self, address: Tuple[str, int], limit: _Limit) -> None:
        super().__init__()
        if address[1]:
            self.sock = socket.create_connection(address, limit.left())
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(limit.left())
            self.sock.connect(address[0])
        self.sock.setblocking(False)

    def talk(self, calls: Sequence[_Call], limit: _Limit) -> None:
        """Asks and hears it all; reads while it writes, or both sides might wait."""
        self.heard, todo, out = False, list(reversed(calls)), b""
        while todo or self.open:
            while todo and len(self.open) < _WINDOW:
                out += self.ask(todo.pop(), limit)
            poll = select.poll()
            poll.register(self.sock, select.POLLIN | (select.POLLOUT if out else 0))
            event = sum(what for _, what in poll.poll(int(limit.left() * 1000) + 1))
            if event & select.POLLOUT:
                out = out[self.sock.send(out):]
            if event & ~select.POLLOUT:
                self.feed(self.sock.recv(1 << 18))


class Fetchd(_Client[List[Result], Dict[Any, Any], Columns, float],
             ContextManager["Fetchd"]):
    """For threads: any number may share one; a process that was forked connects anew."""
    _idle: Tuple[int, List[_Line]] = (0, [])  # whose process, and what it has

    def _run(self, calls: List[_Call], limit: _Limit, finish: Callable[[], Any]) -> Any:
        if self._idle[0] != os.getpid():
            self._idle = os.getpid(), []
        idle = self._idle[1]
        for fresh in (False, True) if calls else ():
            line: Optional[_Line] = None
            with contextlib.suppress(IndexError):
                line = None if fresh else idle.pop()
            again = line is not None  # it may have gone stale
            try:
                line = line or _Line(self._address, limit)
                line.talk(calls, limit)
                idle.append(line)
                break
            except OSError as why:
                for call in calls:
                    call.trouble(why)
                if line is not None:
                    line.sock.close()
                if not again or line is None or line.heard:
                    break
        return finish()

    def close(self) -> None:
        """Hangs up; a later call connects anew."""
        idle, self._idle = self._idle[1], (0, [])
        for line in idle:
            line.sock.close()

    def __exit__(self, *_: Any) -> None:
        self.close()


class _Link(_Wire, asyncio.Protocol):
    """A connection of the client for asyncio, shared by many calls."""
    why: Optional[Exception] = None  # it takes no more calls
    transport: Any = None
    opening: asyncio.Future[Any]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self.feed(data)
        except OSError as error:
            self.connection_lost(error)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self.why = self.why or exc or OSError("the server closed the connection")
        self.opening.cancel()
        if self.transport is not None:
            self.transport.abort()
        for call in self.open.values():
            call.wake()


class AsyncFetchd(_Client[Awaitable[List[Result]], Awaitable[Dict[Any, Any]],
                          Awaitable[Columns], Awaitable[float]],
                  AsyncContextManager["AsyncFetchd"]):
    """For asyncio: any number of tasks share a few connections; cancel them at will."""
    _links: List[_Link] = []  # replaced, never changed

    async def _run(self, calls: List[_Call], limit: _Limit,
                   finish: Callable[[], Any]) -> Any:
        todo = iter(calls)
        async def work() -> None:
            for call in todo:
                await self._talk(call, limit)
        await asyncio.gather(*(work() for _ in calls[:_WINDOW]))
        return finish()

    def _link(self, fresh: bool) -> _Link:
        """The one with the least to do."""
        loop = asyncio.get_running_loop()
        links = [x for x in self._links if not x.why and x.opening.get_loop() is loop]
        if links and not fresh:
            link = min(links, key=lambda x: len(x.open))
            if not link.open or len(links) >= (self._connections or 2):
                return link
        link, (host, port) = _Link(), self._address
        link.opening = asyncio.ensure_future(
            loop.create_connection(lambda: link, host, port) if port else
            loop.create_unix_connection(lambda: link, host))
        self._links = links + [link]
        return link

    async def _talk(self, call: _Call, limit: _Limit) -> None:
        loop = asyncio.get_running_loop()
        for fresh in (False, True):
            link = self._link(fresh)
            again = link.asked > 0  # it may have gone stale
            call.tag, call.future = b"", loop.create_future()
            timer = loop.call_later(limit.end - time.monotonic(), call.wake)
            try:
                if not link.opening.done():
                    await asyncio.wait([link.opening], timeout=limit.left())
                if link.why or not link.opening.done():
                    raise link.why or socket.timeout("no connection in time")
                link.opening.result()
                link.transport.write(link.ask(call, limit))
                await call.future
                if call.last:
                    return
                raise link.why or socket.timeout("no answer in time")
            except OSError as why:
                link.why = link.why or why
                call.trouble(why)
                if not again or call.rows or isinstance(why, socket.timeout):
                    return
            finally:
                timer.cancel()
                link.open.pop(call.tag, None)
                if link.why and not link.open:
                    link.connection_lost(None)

    async def close(self) -> None:
        """Hangs up; what is under way ends as connection trouble."""
        for link in self._links:
            link.connection_lost(OSError("closed"))
        await asyncio.sleep(0)

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


def main(argv: Names = None) -> int:
    """The command; returns its exit code."""
    p = argparse.ArgumentParser(
        "fetchd.py", epilog="Example: fetchd.py --fields name --deadline 50 1 2 tags:new",
        description="A line for each id.  Exit: 0 all found, 1 some not, 2 not asked.")
    p.add_argument("ids", nargs="*", metavar="ID", help="- reads them from the input")
    p.add_argument("--address", default="127.0.0.1:7070", help="default: %(default)s")
    p.add_argument("--source", help="where these ids are from")
    p.add_argument("--fields", type=lambda text: text.split(","), metavar="A,B")
    p.add_argument("--deadline", type=float, metavar="MS")
    p.add_argument("--json", action="store_true", help="a JSON object for each id")
    p.add_argument("--table", action="store_true", help="a column for each field")
    p.add_argument("--stats", action="store_true", help="the server's counters")
    o = p.parse_args(argv)
    try:
        with Fetchd(o.address, deadline_ms=o.deadline, loads=None) as client:
            for name, value in client.stats().items() if o.stats else ():
                print(name, value)
            words = [sys.stdin.read() if word == "-" else word for word in o.ids]
            results = client.fetch(" ".join(words).split(), o.source, o.fields)
            if all(r.status == "connection" for r in results) and not o.stats:
                raise ConnectionError(results[0].detail if results else "no ids")
    except (RequestError, ConnectionError, ValueError) as error:
        p.exit(2, f"fetchd.py: {error}\n")
    items = [json.loads(r.item or "{}", parse_float=str, parse_int=str) for r in results]
    names = list(dict.fromkeys(name for item in items for name in item))
    if o.table:
        print("id", "status", *names, sep="\t")
    for r, item in zip(results, items):
        if o.table:
            print(r.id, r.status, *(item.get(name, "") for name in names), sep="\t")
        elif o.json:
            head = json.dumps({"id": r.id, "status": r.status, "age_ms": r.age_ms})
            print(f'{head[:-1]}, "item": {r.item or "null"}}}')
        else:
            print(r.id, r.status, r.item or r.detail)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
