"""everywhere.py - the same items through every dialect and every form of an answer.

Owns: the comparison of each of them with the lines of a plain fetch, byte for byte where
the form keeps an item's bytes, value for value where it does not.
"""

from __future__ import annotations

from typing import Any

from harness import strict
from harness.resp import RespClient, encode
from harness.wire import Address, Client

Lines = dict[bytes, bytes]  # key -> the item's bytes, as a line showed them


def _data(client: Client, options: bytes, keys: list[bytes]) -> bytes:
    """What stands in the DATA line; the closing line says that all were there."""
    client.send(b"fetch " + options + b" " + b" ".join(keys) + b"\r\n")
    kind, _, data = client.line().partition(b" ")
    assert kind == b"DATA", (kind, data[:80])
    done = client.line()
    assert done.startswith(b"DONE %d 0 0 " % len(keys)), done
    assert done.endswith(b" status=" + b"I" * len(keys)), done
    return data


def check_layouts(address: Address, lines: Lines) -> None:
    """as=array, map and columns, fields= and order=done."""
    keys, texts = list(lines), list(lines.values())
    items = [strict.parse(text) for text in texts]
    with Client(address) as client:
        assert _data(client, b"as=array", keys) == b"[" + b",".join(texts) + b"]"
        members = [b'"%s":%s' % (key, lines[key]) for key in lines]
        assert _data(client, b"as=map", keys) == b"{" + b",".join(members) + b"}"
        names = [name.encode() for name in items[0]]
        for options in (b"as=columns", b"as=columns fields=" + b",".join(names)):
            columns = strict.parse(_data(client, options, keys))
            expected = {name: [item[name] for item in items] for name in items[0]}
            assert strict.same(columns, expected)
        for option in (b"fields=" + b",".join(names), b"order=done"):
            client.send(b"fetch " + option + b" " + b" ".join(keys) + b"\r\n")
            got = [client.line() for _ in range(len(keys) + 1)][:-1]
            assert sorted(got) == sorted(b"ITEM %s %s" % pair for pair in lines.items())


def check_memcached(address: Address, lines: Lines) -> None:
    """get, gets and mg."""
    with RespClient(address) as client:  # for exactly()
        for verb in (b"get", b"gets"):
            client.send(verb + b" " + b" ".join(lines) + b"\r\n")
            for key, text in lines.items():
                words = client.line().split(b" ")
                assert words[:4] == [b"VALUE", key, b"0", b"%d" % len(text)]
                assert client.exactly(len(text) + 2) == text + b"\r\n"
            assert client.line() == b"END"
        for key, text in lines.items():
            client.send(b"mg %s v s\r\n" % key)
            assert client.line() == b"VA %d s%d" % (len(text), len(text))
            assert client.exactly(len(text) + 2) == text + b"\r\n"


def _as_in_a_hash(value: Any) -> Any:
    """A value as Redis would hold it; None: there is none; nested ones are told apart."""
    if value is None or isinstance(value, (list, dict)):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def _same_in_a_hash(got: Any, value: Any) -> bool:
    expected = _as_in_a_hash(value)
    if isinstance(expected, (list, dict)):
        return isinstance(got, bytes) and strict.same(strict.parse(got), value)
    return bool(got == expected)


def check_resp(address: Address, lines: Lines) -> None:
    """GET, MGET, HMGET and HGETALL in both versions."""
    for version in (2, 3):
        with RespClient(address) as client:
            if version == 3:
                assert isinstance(client.call("HELLO", 3), dict)
            assert client.call("MGET", *lines) == list(lines.values())
            client.send(b"".join(encode("GET", key) for key in lines))
            assert [client.reply() for _ in lines] == list(lines.values())
            for key, text in lines.items():
                item = strict.parse(text)
                got = client.call("HMGET", key, *item)
                assert all(map(_same_in_a_hash, got, item.values())), (key, text[:200])
                whole = client.call("HGETALL", key)
                if version == 2:
                    whole = dict(zip(whole[::2], whole[1::2]))
                assert [name.decode() for name in whole] == list(item)
                assert all(map(_same_in_a_hash, whole.values(), item.values()))


def check_everywhere(address: Address, lines: Lines) -> None:
    """All of it."""
    check_layouts(address, lines)
    check_memcached(address, lines)
    check_resp(address, lines)
